"""Known mistakes in leaky neurons, in the style of `zoo.spiking`: wrong forward, or one term of backward wrong and all else right."""

import numpy as np

from ...conventions import LeakyGradients, Rule, Surrogate
from ...operations import Pair
from ..witness import leaky as witness
from .fault import Fault


def _other(change):
    """Make a fault of forward: it runs with other arguments; backward is that of what was run."""
    def inject(op):
        def forward(current, beta, threshold=1.0, v_init=0.0, rule=Rule(), alpha=None, w_rec=None):
            rule, w_rec = change(rule, w_rec)
            return op.forward(current, beta, threshold, v_init, rule, alpha, w_rec)
        return Pair(forward, op.backward)
    return inject


def _other_order(rule, w_rec):
    swapped = "reset first" if rule.order == "leak first" else "leak first"
    return (rule._replace(order=swapped) if rule.timing == "next" else rule), w_rec


def _other_comparison(rule, w_rec):
    return rule._replace(fire=">" if rule.fire == ">=" else ">="), w_rec


def _transposed(rule, w_rec):
    return rule, None if w_rec is None else w_rec.T.copy()


def _always_attached(op):
    def backward(dspikes, cache, dv_final=None, dv=None, surrogate=Surrogate(), detach_reset=True):
        return op.backward(dspikes, cache, dv_final, dv, surrogate, False)
    return Pair(op.forward, backward)


def _late(op):
    def forward(*args):
        case, before = _setup(*args), {}

        def spike(k, v, threshold):
            before[k] = witness.fires(case, v, threshold)
            return before[k], before.get(k - 1, np.zeros_like(v))
        spikes, v_final, _ = witness.walk(case, case.args, spike)
        return np.stack(spikes), v_final, op.forward(*args)[2]
    return Pair(forward, op.backward)


def _setup(current, beta, threshold=1.0, v_init=0.0, rule=Rule(), alpha=None, w_rec=None):
    """Turn arguments of forward into a case, numbers into arrays."""
    n = current.shape[-1]
    beta, threshold, alpha = (None if x is None else np.broadcast_to(np.asarray(x, float), n) for x in (beta, threshold, alpha))
    return witness.Setup(current, beta, threshold, np.broadcast_to(np.asarray(v_init, float), current.shape[1:]), rule, alpha, w_rec)


class _Seen:
    """What a faulty backward sees of the walk, arrays (T, B, n) unless said otherwise."""

    def __init__(self, case):
        """Walk."""
        kept = witness.operating_point(case)
        none = case.v_init, np.zeros_like(case.v_init)
        v, s = (np.stack([kept.get(k, none)[part] for k in range(len(case.current) + 1)]) for part in (0, 1))
        self.case, self.before, self.s = case, v[:-1], s[:-1]            # potential against the threshold, and spikes, before each step
        drop = {"subtract": case.threshold, "zero": self.before, "none": 0.0}[case.rule.reset]
        self.after = self.before - self.s * drop                         # and after its reset
        self.sent = np.concatenate([0 * self.s[:1], self.s[1:]])         # before the first step nothing comes back
        self.drive = case.current + (0 if case.w_rec is None else self.sent @ case.w_rec)
        self.gain = 1 - case.beta if case.rule.gain == "1 - beta" else np.ones_like(case.beta)
        self.i = self.drive.copy()
        for t in range(1, len(self.i) if case.alpha is not None else 0):
            self.i[t] += case.alpha * self.i[t - 1]

    def dp(self, di):
        """Find the gradient of the potential after leak and current from that of the current."""
        later = np.concatenate([di[1:], np.zeros_like(di[:1])])
        return (di - (0 if self.case.alpha is None else self.case.alpha * later)) / self.gain

    def sum(self, x):
        """Sum over steps and samples."""
        return x.sum(axis=(0, 1))


def _one_term(change):
    """Make a fault of backward: change(gradients, what it sees) replaces some of the right gradients."""
    def inject(op):
        def forward(*args):
            *outputs, cache = op.forward(*args)
            return *outputs, (cache, args)

        def backward(dspikes, held, *how):
            cache, args = held
            grads = LeakyGradients(*op.backward(dspikes, cache, *how))
            return grads._replace(**change(grads, _Seen(_setup(*args))))
        return Pair(forward, backward)
    return inject


def _gain_forgotten(grads, seen):
    return {"dcurrent": grads.dcurrent / seen.gain}


def _gain_is_constant(grads, seen):
    if seen.case.rule.gain == "1":
        return {}
    return {"dbeta": grads.dbeta + seen.sum(seen.dp(grads.dcurrent) * seen.i)}


def _other_potential(grads, seen):
    """The other potential than the one that leaks, where the reset stands before the leak: the one before it."""
    right, wrong = (seen.before, seen.after) if seen.case.rule.order == "leak first" else (seen.after, seen.before)
    return {"dbeta": grads.dbeta + seen.sum(seen.dp(grads.dcurrent) * (wrong - right))}


def _no_trace(grads, seen):
    if grads.dalpha is None:
        return {}
    return {"dalpha": seen.sum(grads.dcurrent[1:] * seen.drive[:-1])}


def _threshold_is_constant(grads, seen):
    if seen.case.rule.reset != "subtract":
        return {}
    share = 1.0 if seen.case.rule.order == "leak first" else seen.case.beta
    return {"dthreshold": grads.dthreshold + seen.sum(share * seen.s * seen.dp(grads.dcurrent))}


def _recurrence_is_constant(op):
    def forward(current, beta, threshold=1.0, v_init=0.0, rule=Rule(), alpha=None, w_rec=None):
        spikes, v_final, cache = op.forward(current, beta, threshold, v_init, rule, alpha, w_rec)
        if w_rec is None:
            return spikes, v_final, (cache, None)
        seen = _Seen(_setup(current, beta, threshold, v_init, rule, alpha, w_rec))
        return spikes, v_final, (op.forward(seen.drive, beta, threshold, v_init, rule, alpha)[2], seen.sent)

    def backward(dspikes, held, *how):
        cache, s = held
        grads = LeakyGradients(*op.backward(dspikes, cache, *how))
        return grads if s is None else grads._replace(dw_rec=np.einsum("tbi,tbj->ij", s, grads.dcurrent))
    return Pair(forward, backward)


FAULTS = {fault.name: fault for fault in (
    Fault("leak_and_reset_swapped", "public thread",
          "with a reset at the next step, beta times the threshold is subtracted in the place of the threshold, or the other way round",
          "leaky", "dynamics", _other(_other_order)),
    Fault("strict_comparison", "synthetic",
          "a neuron fires above the threshold where it should fire at it, or the other way round",
          "leaky", "dynamics", _other(_other_comparison)),
    Fault("recurrent_transposed", "synthetic",
          "the recurrent weights lead from columns to rows",
          "leaky", "dynamics", _other(_transposed)),
    Fault("reset_late", "synthetic",
          "the reset comes one step later than the rule says",
          "leaky", "dynamics", _late),
    Fault("leaky_attached", "synthetic",
          "the term that a detached reset leaves out is there",
          "leaky", "frozen offsets", _always_attached),
    Fault("gain_forgotten", "synthetic",
          "the gradient of the current lacks the gain 1 - beta",
          "leaky", "frozen offsets", _one_term(_gain_forgotten)),
    Fault("gain_is_constant", "synthetic",
          "the gradient of beta takes the gain 1 - beta as a constant",
          "leaky", "frozen offsets", _one_term(_gain_is_constant)),
    Fault("beta_other_potential", "synthetic",
          "the gradient of beta has the potential on the other side of the reset than the one that leaks",
          "leaky", "frozen offsets", _one_term(_other_potential)),
    Fault("alpha_without_trace", "synthetic",
          "the gradient of alpha has the input of the step before in the place of its decaying sum",
          "leaky", "frozen offsets", _one_term(_no_trace)),
    Fault("threshold_of_spikes_alone", "synthetic",
          "the gradient of the threshold lacks what a reset subtracts",
          "leaky", "frozen offsets", _one_term(_threshold_is_constant)),
    Fault("recurrence_is_constant", "synthetic",
          "the spikes that come back by the recurrent weights count as constants in backward",
          "leaky", "frozen offsets", _recurrence_is_constant),
)}
"""The mistakes by name."""
