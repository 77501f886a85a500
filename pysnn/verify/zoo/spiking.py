"""Known mistakes, ready to be put into a working operation, to see that the checks catch them.

Some were made in public, some are made up; `source` says which. None is taken from anybody's code: each is written here
anew, as small as it can be.
"""

import numpy as np

from ...conventions import Rule, Surrogate
from ...operations import Pair
from .fault import Fault


def spike_times(z_in, w, threshold, in_order=True, valid=np.logical_and):
    """Find the first valid prefix by running sums; all faults of forward go in here.

    Parameters
    ----------
    z_in, w, threshold : (B, N_in) array, (N_in, N_out) array, float
        As of the temporal neuron.
    in_order : bool
        Whether inputs are sorted by time; False is a mistake.
    valid : callable
        Joins the two conditions of a causal set; anything but logical_and is a mistake.

    Returns
    -------
    (B, N_out) array
        exp of the output times; inf: silent.
    """
    z_out = np.full((len(z_in), w.shape[1]), np.inf)
    for b, z in enumerate(z_in):
        spiked = np.flatnonzero(np.isfinite(z))
        order = spiked[np.argsort(z[spiked], kind="stable")] if in_order else spiked
        z_sorted = z[order]
        z_next = np.append(z_sorted[1:], np.inf)[:, None]
        excess = np.cumsum(w[order], axis=0) - threshold
        z_cross = np.cumsum(w[order] * z_sorted[:, None], axis=0) / np.where(excess == 0, np.nan, excess)
        good = valid(excess > 0, z_cross <= z_next)
        j = np.flatnonzero(good.any(axis=0))
        z_out[b, j] = z_cross[good.argmax(axis=0)[j], j]
    return z_out


def spike_gradients(dz_out, cache, all_weights=False):
    """Differentiate the ratio of sums, the causal sets taken from the spike times.

    Parameters
    ----------
    dz_out, cache : (B, N_out) array, tuple
        Gradient of z_out; z_in, w, threshold and z_out.
    all_weights : bool
        Whether the denominator sums the weights of all inputs that spiked; True is a mistake.

    Returns
    -------
    dz_in, dw : (B, N_in), (N_in, N_out) arrays
        The gradients.
    """
    z_in, w, threshold, z_out = cache
    fired = np.isfinite(z_out)
    causal = (z_in[:, :, None] < z_out[:, None, :]) & fired[:, None, :]
    summed = np.isfinite(z_in)[:, :, None] if all_weights else causal
    excess = np.where(summed, w, 0).sum(axis=1) - threshold
    h = np.where(fired, dz_out, 0) / np.where(fired, excess, 1)
    apart = np.where(causal, np.where(causal, z_in[:, :, None], 0) - np.where(fired, z_out, 0)[:, None, :], 0)
    return np.where(causal, w * h[:, None, :], 0).sum(axis=2), (apart * h[:, None, :]).sum(axis=0)


def _xor(op):
    def forward(z_in, w, threshold=1.0):
        z_out = spike_times(z_in, w, threshold, valid=np.logical_xor)
        return z_out, (z_in, w, threshold, z_out)
    return Pair(forward, spike_gradients)


def _unsorted(op):
    def forward(z_in, w, threshold=1.0):
        z_out = spike_times(z_in, w, threshold, in_order=False)
        return z_out, (z_in, w, threshold, z_out)
    return Pair(forward, spike_gradients)


def _all_weights(op):
    def forward(z_in, w, threshold=1.0):
        z_out, _ = op.forward(z_in, w, threshold)
        return z_out, (z_in, w, threshold, z_out)
    return Pair(forward, lambda dz_out, cache: spike_gradients(dz_out, cache, all_weights=True))


def _reversed_sign(loss):
    def faulty(z, y):
        value, dz = loss(z, y)
        return value, -dz
    return faulty


def _in_float32(op):
    def forward(current, threshold=1.0, v_init=0.0, rule=Rule()):
        v_init = np.float32(v_init) if np.ndim(v_init) else v_init
        spikes, v_final, cache = op.forward(current.astype(np.float32), threshold, v_init, rule)
        return spikes.astype(current.dtype), v_final.astype(current.dtype), cache

    def backward(dspikes, cache, dv_final=None, surrogate=Surrogate(), detach_reset=True):
        dv_final = dv_final if dv_final is None else dv_final.astype(np.float32)
        grads = op.backward(dspikes.astype(np.float32), cache, dv_final, surrogate, detach_reset)
        return tuple(x.astype(dspikes.dtype) for x in grads)
    return Pair(forward, backward)


def _record_late(op):
    def forward(*args):
        spikes, v_final, cache = op.forward(*args)
        return np.concatenate([np.zeros_like(spikes[:1]), spikes[:-1]]), v_final, cache
    return Pair(forward, op.backward)


def _slope_ignored(op):
    def backward(dspikes, cache, dv_final=None, surrogate=Surrogate(), detach_reset=True):
        return op.backward(dspikes, cache, dv_final, Surrogate(surrogate.kind), detach_reset)
    return Pair(op.forward, backward)


def _always_attached(op):
    def backward(dspikes, cache, dv_final=None, surrogate=Surrogate(), detach_reset=True):
        return op.backward(dspikes, cache, dv_final, surrogate, False)
    return Pair(op.forward, backward)


def _state_gradient_lost(op):
    def forward(current, threshold=1.0, v_init=0.0, rule=Rule()):
        spikes, v, caches = [], v_init, []
        for x in current:
            s, v, cache = op.forward(x[None], threshold, v, rule)
            spikes.append(s[0])
            caches.append(cache)
        return np.stack(spikes), v, caches

    def backward(dspikes, caches, dv_final=None, surrogate=Surrogate(), detach_reset=True):
        dv = [None] * (len(caches) - 1) + [dv_final]                     # what flows back from step to step should stand here
        grads = [op.backward(d[None], cache, e, surrogate, detach_reset)
                 for d, cache, e in zip(dspikes, caches, dv, strict=True)]
        return np.concatenate([dx for dx, _ in grads]), grads[0][1]
    return Pair(forward, backward)


def own_surrogate(grad, lag=0):
    """Make a fault of what stands for the derivative of a spike; the rest is right.

    Parameters
    ----------
    grad : callable
        ``grad(v, threshold, surrogate)``, in the place of the derivative of the soft step.
    lag : int
        By how many steps the potential v that it is given is old.

    Returns
    -------
    callable
        ``inject`` of a `Fault`.
    """
    def inject(op):
        def forward(current, threshold=1.0, v_init=0.0, rule=Rule()):
            return *op.forward(current, threshold, v_init, rule)[:2], (current, threshold, v_init, rule)

        def backward(dspikes, args, dv_final=None, surrogate=Surrogate(), detach_reset=True):
            current, threshold, v_init, rule = args
            v = np.broadcast_to(np.asarray(v_init, current.dtype), current.shape[1:])
            visits = [v] if rule.timing == "next" else []                # the potentials that a reset is decided by
            for x in current:
                v = _after(v, threshold, rule) + x if visits else v + x
                visits.append(v)
            dv = np.zeros_like(v) if dv_final is None else dv_final
            grads = []
            for k, v in reversed(list(enumerate(visits))):
                d = grad(visits[max(k - lag, 0)], threshold, surrogate)
                if rule.timing == "same" or k < len(current):
                    kept, dropped = (1, threshold) if rule.reset == "subtract" else (1 - _fired(v, threshold, rule), v)
                    dv = dv * (kept - (0 if detach_reset else d * dropped))
                t = k - (rule.timing == "next")
                dv = dv + d * dspikes[t] if t >= 0 else dv
                grads.insert(0, dv)
            return np.stack(grads[-len(current):]), grads[0]
        return Pair(forward, backward)
    return inject


def _fired(v, threshold, rule):
    return v >= threshold if rule.fire == ">=" else v > threshold


def _after(v, threshold, rule):
    return np.where(_fired(v, threshold, rule), v - threshold if rule.reset == "subtract" else 0, v)


def _largest_alone(op):
    def forward(current, size=2, threshold=1.0, v_init=0.0, rule=Rule()):
        v, spikes = v_init, []
        for x in current:
            fired, after, _ = op.forward(x[None], size, threshold, v, rule)
            u, (_, h, w, _) = v + x, fired[0].shape
            top = u[:, :size * h, :size * w].reshape(len(u), h, size, w, size, -1).max(axis=(2, 4))
            largest = np.ones(u.shape, bool)
            largest[:, :size * h, :size * w] = u[:, :size * h, :size * w] == top.repeat(size, axis=1).repeat(size, axis=2)
            v = np.where(largest, after, u)
            spikes.append(fired[0])
        return np.stack(spikes), v, op.forward(current, size, threshold, v_init, rule)[2]
    return Pair(forward, op.backward)


def _overflowing(v, threshold, surrogate):
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(-surrogate.slope * (v - threshold))
        return surrogate.slope * e / (1 + e) ** 2


def _off_centre(v, threshold, surrogate):
    return surrogate.slope / 2 / (1 + (np.pi / 2 * surrogate.slope * v) ** 2)


FAULTS = {fault.name: fault for fault in (
    Fault("xor_causal_set", "public thread",
          "the two conditions of the causal set, sum of weights above threshold and crossing before the next input, "
          "joined by XOR instead of AND",
          "temporal", "definition", _xor),
    Fault("softmax_sign", "public thread",
          "gradient of the loss -ln softmax(-z) with its sign reversed, as if it were softmax(z)",
          "softmax_z", "gradcheck", _reversed_sign),
    Fault("denominator_all_weights", "synthetic",
          "backward divides by the sum of all weights that spiked, minus threshold, instead of those in the causal set",
          "temporal", "gradcheck", _all_weights),
    Fault("unsorted_inputs", "synthetic",
          "running sums over the inputs in the order of their index, not of their time",
          "temporal", "definition", _unsorted),
    Fault("sigmoid_overflow", "public library",
          "the derivative of the sigmoid as k e/(1 + e)^2 with e = exp(-k x): inf/inf = NaN far below the threshold",
          "integrate_fire", "frozen offsets", own_surrogate(_overflowing)),
    Fault("slope_ignored", "public library",
          "the surrogate takes its default slope, whatever is asked for",
          "integrate_fire", "frozen offsets", _slope_ignored),
    Fault("float32_inside", "public library",
          "float64 in, float64 out, and float32 between",
          "integrate_fire", "dynamics", _in_float32),
    Fault("attached_reset", "synthetic",
          "the reset is part of the graph where it was declared detached",
          "integrate_fire", "frozen offsets", _always_attached),
    Fault("recorded_late", "synthetic",
          "spikes are recorded one step after they happen",
          "integrate_fire", "dynamics", _record_late),
    Fault("state_gradient_lost", "synthetic",
          "step by step, nothing flows back through the membrane potential from one call to the one before",
          "integrate_fire", "frozen offsets", _state_gradient_lost),
    Fault("surrogate_off_centre", "synthetic",
          "the surrogate (atan) has its peak at V = 0 instead of at the threshold",
          "integrate_fire", "frozen offsets", own_surrogate(_off_centre)),
    Fault("largest_alone_resets", "synthetic",
          "where the neurons pool inside, only the largest compartment of a window that fires is reset, not all of them",
          "pooled_fire", "dynamics", _largest_alone),
)}
"""The mistakes by name."""
