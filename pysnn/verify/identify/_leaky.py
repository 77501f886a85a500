"""The questions to leaky neurons, (D1) to (D5) of docs/derivations/leaky.md.

Forward is known from spikes alone: the current that just fires in a step, found by bisection, shows to the last digit what the steps before
left of the potential. So what backward does can differ from it, and is told. In what follows potentials are in thresholds, and currents in
units of `first`, the one that just fires from rest: with no spike, potential and current of a single step are then the same number.
"""

import numpy as np

from ...conventions import Rule
from ..conventions import LEAKY_CONVENTIONS, LeakyNeuron
from ..witness import leaky as by_definition
from ..witness.integrate_fire import Dual
from ..witness.surrogates import derivative
from ._ask import FLOAT32, FLOAT64, HUGE, QUIET, Fault, Unknown, boundary, need, short, surrogate
from ._ask import words as say

MISS = {"float64": 1e-12, "float32": 1e-5}          # how far a number that was read may be off
NEAR_THRESHOLD = {"float64": 1e-9, "float32": 1e-4}  # random samples in which a potential comes nearer, in thresholds, are not compared
FIRED = (1.25, 1.75)                                # currents that fire at once
RESETS = (("subtract", "reset first"), ("subtract", "leak first"), ("zero", "reset first"), ("zero", "leak first"), ("none", "reset first"))


def find(subject, found):
    """Find the convention of a layer that leaks, or whose spikes may come back, from how it responds to currents."""
    evidence, n = subject.evidence, subject.n
    neurons = _resets(subject, found, _decays(subject, found))
    evidence |= _known(neurons[0])
    _no_leak_of_the_input(neurons[0])
    evidence["timing"] = timing = _timing(subject, found, neurons[0].rule)
    fitted = surrogate(subject, subject.threshold / found.first[0], neurons[0].rule.reset)
    evidence["fire"] = _fire(subject, found, fitted)
    neurons = [x for x in neurons if timing != "same" or x.rule.order == "reset first"]
    for k, neuron in enumerate(neurons):
        rule = neuron.rule._replace(timing="next" if neuron.rule.order == "leak first" else timing or "same", fire=evidence["fire"] or ">=")
        neurons[k] = neuron._replace(rule=rule, surrogate=fitted)
    if n is not None:
        neurons = _with_weights(subject, found, neurons)
        said = "no spike comes back" if neurons[0].w_rec is None else f"spikes come back a step later by {n} x {n} weights"
        subject.why.append(f"{said}, read off {n * n} pairs of neurons")
    current, clear = _currents(subject, neurons[0])
    current = current[:, clear]
    neuron = _gradient(subject, found, _same_spikes(subject, neurons, current), current)
    evidence |= {**_known(neuron), "timing": timing and neuron.rule.timing, "detach_reset": neuron.detach_reset}
    return neuron


def _known(neuron):
    """Give what spikes alone show."""
    return {"beta": neuron.beta, "alpha": neuron.alpha, "gain": neuron.rule.gain, "scale": neuron.scale, "reset": neuron.rule.reset,
            "order": neuron.rule.order}


def presets(neuron, subject):
    """Name the releases that do so by default, whatever their numbers."""
    def kind(convention):
        rule = convention.rule if subject.evidence["timing"] else convention.rule._replace(timing="same")
        return rule, *convention[1:3], bool(convention.alpha), convention.w_rec not in ("", None)
    own = neuron._replace(w_rec=None if neuron.w_rec is None else "w_rec")
    return [name for name, preset in LEAKY_CONVENTIONS.items() if kind(preset) == kind(own)]


def words(neuron):
    """Say a neuron in words, with its numbers."""
    rule, kind = neuron.rule, neuron.surrogate
    parts = [f"leaky, beta {neuron.beta:.10g}" + ("" if neuron.alpha is None else f", alpha {neuron.alpha:.10g}") + f", gain {rule.gain}"]
    parts += [f"input times {neuron.scale:.10g}"] if neuron.scale != 1 else []
    reset = {"subtract": "reset by subtraction", "zero": "reset to zero", "none": "no reset"}[rule.reset]
    where = "" if rule.reset == "none" else f" in the {rule.timing} step" + ", behind leak and current" * (rule.order == "leak first")
    parts += [reset + where, f"fires at V {rule.fire} threshold"]
    parts += [say(kind)] if kind else []
    parts += [f"reset {'detached' if neuron.detach_reset else 'attached'}"] if rule.reset != "none" and kind else []
    parts += ["recurrent weights"] if neuron.w_rec is not None else []
    return ", ".join(parts)


def limits(subject, neuron):
    """Say where the convention stops to hold: currents four times as large."""
    current, clear = _currents(subject, neuron, 4)
    differ = (subject.layer.forward(current) != run(subject, neuron, current)[0])[:, clear]
    subject.evidence["large currents"] = "differ" if differ.any() else "agree"
    return [f"but not with currents four times as large: {differ.sum()} of {differ.size} spikes differ"] if differ.any() else []


# --------------------------------------------------------------------------------------------------------------- forward

def _decays(subject, found):
    """Read the factors by which potential and current decay: pairs beta, alpha, in either order: without spikes they look alike."""
    evidence, why = subject.evidence, subject.why
    evidence["precision"] = precision = "float64" if found.spread <= MISS["float64"] else "float32"
    miss = MISS[precision]
    need(max(found.spread, np.abs(found.kept - found.kept_above).max()) <= miss, "it forgets what pulls it below zero, or takes it "
         f"otherwise than in proportion: of a potential of -4 thresholds {found.kept[0]:.6g} is left a step later, of one of 0.5 "
         f"{found.kept_above[0]:.6g}")
    need(max(np.ptp(x) for x in (found.first / found.first[0], found.kept, found.kept_2)) <= miss, "its neurons differ from one another in "
         "gain or leak")
    kept, kept_2 = float(found.kept[0]), float(found.kept_2[0])
    need(abs(kept) > miss, "nothing of a current is left a step later, so that no reset shows")
    root = kept ** 2 - 4 * (kept ** 2 - kept_2)
    slow = (kept + np.sqrt(max(root, 0.0))) / 2
    need(root > -100 * miss and -miss <= kept - slow and slow <= 1 + miss, f"what it keeps of a current, {kept:.6g} a step later and "
         f"{kept_2:.6g} two steps later, is not what one or two decays between 0 and 1 leave")
    fast = kept - slow if kept - slow > 100 * miss else 0.0
    why.append(f"of a current {kept:.10g} is left a step later and {kept_2:.10g} two steps later"
               + (f": two decays, {slow:.10g} and {fast:.10g}" if fast else ": one decay"))
    if precision == "float32":
        why.append("these numbers agree to a few digits only: potentials are float32 inside")
    return [(slow, fast), (fast, slow)] if fast else [(kept, 0.0)]


def _resets(subject, found, pairs):
    """Ask what a spike takes from the potentials of the next two steps; list the neurons that explain it, the simplest first."""
    n, kept, kept_2, threshold = subject.n or 1, found.kept[0], found.kept_2[0], subject.threshold
    each = np.repeat(np.arange(n), 2)
    before = np.full((1, 2 * n, n), -HUGE * threshold)                           # the others are far from firing
    before[0, np.arange(2 * n), each] = np.tile(FIRED, n) * found.first[each]
    next_step = kept * np.array(FIRED) + (boundary(subject, before, each) / found.first[each]).reshape(n, 2) - 1
    before = np.full((2, n, n), -HUGE * threshold)
    before[0, range(n), range(n)], before[1, range(n), range(n)] = FIRED[0] * found.first, QUIET[0] * found.first
    later = kept_2 * FIRED[0] + kept * QUIET[0] + boundary(subject, before, range(n)) / found.first - 1
    near = 1e-6 if subject.evidence["precision"] == "float64" else 1e-4
    listed = [x for pair in pairs for x in _explanations(next_step, later, pair, subject.n is not None, near)]
    if not listed:
        _why_no_reset(subject, next_step[0], float(later[0]), pairs, near)
    neurons = [_numbers(subject, found, *x) for x in listed]
    neurons.sort(key=lambda x: (x.scale != 1, x.w_rec is not None and np.nan_to_num(np.abs(x.w_rec).max()) > near))
    rule = neurons[0].rule
    subject.why.append({"none": "a spike takes nothing from the potential: no reset",
                        "zero": "a spike takes all that would be left of the potential: reset to zero",
                        "subtract": "a spike takes as much from any potential: reset by subtraction"}[rule.reset]
                       + (", in the next step, behind leak and current" if rule.order == "leak first" else ""))
    if rule.reset == "none" and len(pairs) > 1 and rule.gain == "1":
        subject.why.append("without a reset nothing shows which decay is that of the potential: beta may be alpha")
    return neurons


def _explanations(next_step, later, pair, comes_back, near):
    """List (reset, order, beta, alpha, own recurrent weights) that explain what a spike takes; NaN: they do not show in spikes."""
    (beta, alpha), kept = pair, sum(pair)
    for reset, order in RESETS:
        if (reset, order) == ("zero", "leak first"):                     # takes the whole potential, and with it the current of the step
            if np.isfinite(next_step).any():
                continue
            whole = kept * FIRED[0] + QUIET[0]
            own = (beta * whole - later) / alpha if comes_back and alpha else np.full(len(later), np.nan)
            off = later - (beta * whole - alpha * np.nan_to_num(own))
            direct = later[0] / whole
        else:
            if not np.isfinite(next_step).all():
                continue
            takes = {"subtract": np.full(2, beta if order == "reset first" else 1.0), "zero": beta * np.array(FIRED),
                     "none": np.zeros(2)}[reset]
            own = (takes[0] - next_step[:, 0]) * comes_back
            off = np.append(next_step - takes + own[:, None], later - beta * takes[0] + kept * own)
            direct = later[0] / next_step[0, 0] if reset != "none" and abs(next_step[0, 0]) > near else beta
        if np.abs(off).max() <= near:
            beta_ = beta if comes_back else direct                       # two decays that are nearly equal come out exactly this way only
            yield reset, order, beta_, kept - beta_ if alpha else 0.0, own


def _numbers(subject, found, reset, order, beta, alpha, own):
    """Make a neuron of what was read: short numbers where they will do, and the gain."""
    miss, gain = MISS[subject.evidence["precision"]], subject.threshold / found.first[0]
    beta, alpha = (short(x, miss / 10) for x in (beta, alpha))
    scale = 1.0
    if abs(gain - 1) <= miss:
        rule = Rule(reset, order=order)
    elif abs(gain - (1 - beta)) <= miss:
        rule = Rule(reset, order=order, gain="1 - beta")
    else:
        rule, scale = Rule(reset, order=order), short(gain, miss * gain / 10)
    w_rec = None if subject.n is None else np.diag(own * found.first)
    return LeakyNeuron(rule, None, True, beta, alpha or None, scale, w_rec)


def _no_leak_of_the_input(neuron):
    """See that the factor of the current is not that of the leak; that of the current is fine: some release lets it decay at once."""
    beta, near = neuron.beta, 1e-6 * neuron.scale
    leaks = min(abs(neuron.scale - beta), abs(neuron.scale - beta * (1 - beta))) <= near and abs(neuron.scale - (neuron.alpha or 0)) > near
    need(neuron.scale == 1 or not leaks, f"the leak takes the current of its own step, too: {neuron.scale:.6g} of it arrives, with beta "
         f"{beta:.6g}")


def _why_no_reset(subject, next_step, later, pairs, near):
    """Say what a spike takes, where no rule explains it."""
    beta = later / next_step[0] if np.isfinite(next_step).all() and abs(next_step[0]) > near else pairs[0][0]
    if np.abs(next_step).max() <= near:
        raise Fault(f"the reset comes one step late: a spike takes nothing from the next step, and {later:.6g} thresholds from the one "
                      "after it")
    need(np.isfinite(next_step).all(), "after a spike no current makes it fire in the next step, and what is left of it in the one after "
         "is not what a reset to zero leaves")
    rises = (next_step[1] - next_step[0]) / (FIRED[1] - FIRED[0])
    need(abs(rises) > near, f"a spike takes {next_step[0]:.6g} thresholds from the potential of the next step: neither the threshold nor "
         f"beta ({', '.join(f'{pair[0]:.6g}' for pair in pairs)}) times it")
    if abs(rises - beta) <= near:
        to = FIRED[0] - next_step[0] / beta
        subject.evidence["reset"] = f"to {to:.6g} thresholds"
        raise Unknown(f"a spike sets the potential to {to:.6g} thresholds, where it rests at 0: a reset to a value is a convention here "
                      "only of a potential that also rests there")
    raise Unknown(f"no reset explains what a spike takes: {next_step[0]:.6g} thresholds at {FIRED[0]}, {next_step[1]:.6g} at {FIRED[1]}")


def _timing(subject, found, rule):
    """Find whether a spike in the last step is reset in the state that the layer shows; None if that is open."""
    if rule.order == "leak first":
        return "next"
    if rule.reset == "none":
        return "same"
    state = getattr(subject.layer, "state", None)
    current = np.zeros((1, 1, subject.n or 1))
    current[0, 0, 0] = 1.5 * found.first[0]
    v = None if state is None else state(current)
    if v is None:
        subject.why.append("it shows no potential: whether the reset ends the step or begins the next one is open, and makes no difference "
                           "here")
        return None
    v, left = float(v[0, 0]) / subject.threshold, {"subtract": 0.5, "zero": 0.0}[rule.reset]
    near = 10 * MISS[subject.evidence["precision"]]
    need(min(abs(v - 1.5), abs(v - left)) <= near, f"after a spike at 1.5 thresholds its potential is {v:.6g} thresholds")
    timing = "same" if abs(v - left) <= near else "next"
    subject.why.append(f"the potential it shows after a spike is {'reset' if timing == 'same' else 'not yet reset'}: timing {timing}")
    return timing


def _fire(subject, found, fitted):
    """Find whether it fires at the threshold itself; None if that does not show.

    With a gain no current need meet the threshold. So a large negative potential comes first, whose last digit is about the threshold: the
    potentials after it are whole, halves, ... of it, and those that are the threshold are known by a gradient at its peak.
    """
    layer, threshold, n, why, evidence = subject
    gain, single = threshold / found.first[0], evidence["precision"] == "float32"
    if abs(gain - 1) <= MISS[evidence["precision"]]:
        current = np.full((1, 1, n or 1), threshold)
        at = layer.forward(current)[0, :, 0] > 0
    else:
        size = threshold * 2.0 ** np.linspace(21, 26, 64) * (1 if single else 2.0 ** 29) / found.kept[0]
        before = np.zeros((1, len(size), n or 1))
        before[0, :, 0] = -size / gain
        last = boundary(subject, before, np.zeros(len(size), int), 64 * size.max() / gain)
        steps = np.spacing(last.astype(np.float32 if single else np.float64)).astype(float)
        current = np.zeros((2, len(size), 81, n or 1))
        current[0], current[1, :, :, 0] = before[0][:, None], last[:, None] + steps[:, None] * np.arange(-40, 41)
        current = current.reshape(2, -1, n or 1)
        dspikes = np.zeros_like(current)
        dspikes[1, :, 0] = 1
        peak = gain * derivative(np.zeros(1), fitted)[0]
        at = (layer.forward(current)[1, :, 0] > 0)[np.abs(layer.vjp(current, dspikes)[1, :, 0] / peak - 1) <= 1e-5]
    if len(at) == 0 or at.any() != at.all():
        why.append("whether it fires at the threshold itself is open")
        return None
    fire = ">=" if at.all() else ">"
    why.append(f"fires where V {fire} threshold")
    return fire


def _with_weights(subject, found, neurons):
    """Read off the recurrent weights: neuron i fires, and the current that just makes j fire in the next step is less by w_ij."""
    n, first, miss = subject.n, found.first, MISS[subject.evidence["precision"]]
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    rows, before = np.arange(len(i)), np.zeros((1, len(i), n))
    before[0, rows, i] = QUIET[0] * first[i]
    quiet = boundary(subject, before, j) - first[j] if n > 1 else np.zeros(1)
    need(np.abs(quiet).max() <= miss * first.max(), "neurons act on one another without a spike")
    before = np.full((1, len(i), n), -HUGE * subject.threshold)
    before[0, rows, i], before[0, rows, j] = 1.5 * first[i], 0.0
    w = np.zeros((n, n))
    if n > 1:
        w[i, j] = first[j] - boundary(subject, before, j)
    w[np.abs(w) <= miss * first.max()] = 0.0
    listed = []
    for neuron in neurons:
        own = np.diag(neuron.w_rec)
        both = [(True, own), (False, own)]
        if np.isnan(own).any():
            both = [(detach, _own_by_gradient(subject, found, neuron, not detach) * first) for detach in (True, False)]
        for detach, mine in both:
            whole = w + np.diag(np.where(np.abs(mine) <= 10 * miss * first.max(), 0.0, mine))
            listed.append(neuron._replace(detach_reset=detach, w_rec=neuron.scale * whole if whole.any() else None))
    return listed


def _own_by_gradient(subject, found, neuron, attached):
    """Read off what a neuron does to itself where spikes do not show it: the reset throws it away. Backward does not."""
    return _through_spike(subject, found, neuron) + attached


# -------------------------------------------------------------------------------------------------------------- backward

def _through_spike(subject, found, neuron):
    """Read the factor by which a spike, were it a smooth function, moves the potential of the next step, in thresholds; (n,)."""
    n, first, slope_ = subject.n or 1, found.first, neuron.surrogate
    below = min(0.5, 0.25 / (slope_.slope * subject.threshold))
    before = np.diag((1 - below) * first)[None]
    current = np.concatenate([before, np.zeros((1, n, n))])
    current[1, range(n), range(n)] = boundary(subject, before, range(n))
    dspikes = np.zeros_like(current)
    dspikes[1, range(n), range(n)] = 1
    g = np.einsum("tii->ti", subject.layer.vjp(current, dspikes))
    peak = derivative(np.array([-below * subject.threshold]), slope_)[0] * subject.threshold
    return (g[0] / g[1] - found.kept) / peak


def _gradient(subject, found, neurons, current):
    """Find whether the reset is detached, and compare gradients with those of the convention."""
    dspikes = np.random.default_rng(2).normal(size=current.shape)
    got, errors = subject.layer.vjp(current, dspikes), []
    if subject.n is None:
        neurons = [neuron._replace(detach_reset=detach) for neuron in neurons[:1] for detach in (True, False)]
    for neuron in neurons:
        wanted = gradient_of(subject, neuron, current, dspikes)
        errors.append(float(np.abs(got - wanted).max() / np.abs(wanted).max()))
    for tolerance, precision in ((FLOAT64, "float64"), (FLOAT32, "float32")):
        for neuron, error in zip(neurons, errors, strict=True):
            if error <= tolerance:
                subject.evidence["gradient error"] = error
                subject.evidence["precision"] = precision if subject.evidence["precision"] == "float64" else "float32"
                said = "there is no reset" if neuron.rule.reset == "none" else \
                    f"the reset is {'detached' if neuron.detach_reset else 'part of the graph'}"
                subject.why.append(f"{said}: random gradients agree to {error:.1g}" + ", as float32 does" * (precision == "float32"))
                others = [x for x, e in zip(neurons, errors, strict=True) if e <= tolerance and x.rule[:5:4] != neuron.rule[:5:4]]
                if others and neuron.w_rec is not None and np.diag(neuron.w_rec).any():
                    subject.why.append("with other weights from each neuron to itself it is as well: " + words(others[0]))
                return neuron
    subject.evidence["gradient error"] = min(errors)
    try:
        _why_no_gradient(subject, found, neurons[0])
    except Unknown as reason:
        raise Fault(str(reason)) from None
    raise Fault(f"its gradients through time are not those of {words(neurons[0]._replace(surrogate=None))}: off by {min(errors):.2g} of "
                  "the largest, the reset detached or not")


def _why_no_gradient(subject, found, neuron):
    """Raise the reason, where it is a known one."""
    n, kept, kept_2 = subject.n or 1, found.kept[0], found.kept_2[0]
    before = np.zeros((2, 1, n))
    before[0] = 0.0 if (neuron.rule.reset, neuron.rule.order) == ("zero", "reset first") else -2.0 ** 12 * found.first
    current, dspikes = np.zeros((3, 1, n)), np.zeros((3, 1, n))
    current[:2], dspikes[2, 0, 0] = before, 1
    current[2, 0, 0] = boundary(subject, before, [0], 2.0 ** 14 * found.first[0])[0]
    two, one, last = subject.layer.vjp(current, dspikes)[:, 0, 0]
    need(last != 0, "no gradient goes through a spike where a step without current came before")
    one, two = one / last, two / last
    alpha, beta = neuron.alpha or 0.0, neuron.beta

    def is_(a, b):
        return abs(one - a) <= 1e-3 and abs(two - b) <= 1e-3
    need(not is_(0, 0), "nothing flows back from one step to the one before it: the gradient of the state is lost")
    if not is_(kept, kept_2):
        knows = f"backward knows {{}}, and not {{}}: beta is {beta:.6g}, alpha {alpha:.6g}"
        need(not (alpha and is_(beta, beta ** 2)), "the gradient of the synaptic current is lost: " + knows.format("beta", "alpha"))
        need(not (alpha and is_(alpha, alpha ** 2)), "the gradient of the potential is lost: " + knows.format("alpha", "beta"))
        need(not is_(1, 1), f"backward has no leak: it multiplies by 1 a step, forward by {beta:.6g}")
        raise Unknown(f"backward decays otherwise than forward: {one:.6g} and {two:.6g} flow back over one and two steps, {kept:.6g} and "
                      f"{kept_2:.6g} are left of a current")
    if neuron.w_rec is not None:
        i, j = np.argwhere(neuron.w_rec * (1 - np.eye(n)) != 0)[0] if n > 1 else (0, 0)
        below = np.zeros((1, 1, n))
        below[0, 0, i] = 0.875 * found.first[i]
        current, dspikes = np.concatenate([below, np.zeros((1, 1, n))]), np.zeros((2, 1, n))
        current[1, 0, j], dspikes[1, 0, j] = boundary(subject, below, [j])[0], 1
        need(i == j or subject.layer.vjp(current, dspikes)[0, 0, i] != 0, "spikes that come back count as constants in backward")
    if neuron.rule.reset == "subtract" and subject.n is None:
        takes, back = beta if neuron.rule.order == "reset first" else 1.0, -float(_through_spike(subject, found, neuron)[0])
        need(min(abs(back), abs(back - takes)) <= 1e-3, f"the reset takes {takes:.6g} thresholds from the next step in forward, and "
             f"{back:.6g} in backward")


# ----------------------------------------------------------------------------------------------------------- definitions

def case_of(subject, neuron, current):
    """Make what the definition takes."""
    n = current.shape[-1]
    alpha = None if neuron.alpha is None else np.full(n, neuron.alpha)
    return by_definition.Setup(neuron.scale * current, np.full(n, neuron.beta), np.full(n, subject.threshold), np.zeros(current.shape[1:]),
                               neuron.rule, alpha, neuron.w_rec, neuron.surrogate, neuron.detach_reset)


def run(subject, neuron, current):
    """Run the definition; give spikes and the potentials that are held against the threshold."""
    case = case_of(subject, neuron, current)
    spikes, _, seen = by_definition.walk(case, case.args, by_definition.real(case))
    return np.stack(spikes), np.stack(seen)


def _currents(subject, neuron, times=1):
    """Draw currents with which a tenth of the spikes or more are there; say in which samples no potential is next to the threshold.

    In half of the samples many potentials come so near the threshold that the surrogate is not small.
    """
    rng, threshold = np.random.default_rng(1901_09948), subject.threshold
    gain = neuron.scale * (1 - neuron.beta if neuron.rule.gain == "1 - beta" else 1)
    current = rng.uniform(-0.6, 1, (12, 48, subject.n or 1)) * threshold * (1 - (neuron.alpha or 0.0)) / gain
    for _ in range(8):
        if run(subject, neuron, current)[0].mean() >= 0.1:
            break
        current *= 1.5
    current *= times
    wide, meets = min(0.5 * threshold, 1 / neuron.surrogate.slope), rng.random(current.shape) < 0.5
    meets[:, ::2] = False
    for t in range(len(current) if times == 1 else 0):
        there = run(subject, neuron, np.append(current[:t], 0 * current[t:t + 1], axis=0))[1][t]
        target = threshold + rng.uniform(-wide, wide, there.shape)
        current[t] = np.where(meets[t], (target - there) / gain, current[t])
    near = np.abs(run(subject, neuron, current)[1] / threshold - 1).min(axis=(0, 2))
    return current, near > NEAR_THRESHOLD[subject.evidence["precision"]]


def _same_spikes(subject, neurons, current):
    """Compare the spikes of random currents with the definition; list the neurons whose spikes are the same."""
    spikes = subject.layer.forward(current)
    same = [neuron for neuron in neurons if np.array_equal(spikes, run(subject, neuron, current)[0])]
    wrong = np.argwhere(spikes != run(subject, neurons[0], current)[0])
    need(same, f"its spikes are not those of {words(neurons[0])}: {len(wrong)} of {current.size} differ"
         + (f", the first in step {wrong[0][0] + 1} of sample {wrong[0][1]}" if len(wrong) else ""))
    return same


def gradient_of(subject, neuron, current, dspikes):
    """Pull dspikes back by forward mode: one direction for each step whose current moves, and for each neuron where spikes come back."""
    case, (n_t, *rest) = case_of(subject, neuron, current), current.shape
    neurons = np.eye(rest[-1]) if case.w_rec is not None else np.ones((1, rest[-1]))

    def spike(k, v, threshold):
        fired = by_definition.fires(case, v.value, threshold.value)
        move = derivative(v.value - threshold.value, case.surrogate) * v.dot
        return Dual(fired, move), Dual(fired, 0.0 * move if case.detach_reset else move)
    moves = np.zeros((n_t, n_t, len(neurons), *rest))                    # step, (direction: step, neurons), sample, neuron
    for t in range(n_t):
        moves[t, t] = neurons[:, None]
    x, *others = case.args
    args = [[Dual(a, neuron.scale * m) for a, m in zip(x, moves, strict=True)], *(Dual(a, np.zeros_like(a)) for a in others)]
    out = by_definition.walk(case, args, spike)[0]
    grads = sum(c * s.dot for c, s in zip(dspikes, out, strict=True))    # (step, neurons, sample, neuron)
    return np.moveaxis(grads.sum(axis=-1), 1, -1) if case.w_rec is not None else grads[:, 0]
