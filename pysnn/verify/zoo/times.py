"""Known mistakes in neurons with exact spike times, in the style of `zoo`: a wrong forward, or one term of backward wrong.

All are made up, after the equations that are easily taken for each other.
"""

import numpy as np

from ...operations import Pair
from .fault import Fault


def _current(t, t_in, w, tau):
    """Sum up the synaptic currents of each neuron at its spike; of silent neurons, any number."""
    came = t_in[:, :, None] < t[:, None, :]
    lag = np.where(came, np.where(np.isfinite(t), t, 0)[:, None, :] - np.where(np.isfinite(t_in), t_in, 0)[:, :, None], 0)
    return np.where(came, w * np.exp(-lag / tau), 0).sum(axis=1)


def _later(op):
    def forward(t_in, w, threshold=1.0, tau=1.0):
        t_out, cache = op.forward(t_in, w, threshold, tau)
        fired = np.isfinite(t_out)
        share = np.where(fired, _current(t_out, t_in, w, tau) / threshold, 1)       # above 1, or the potential would not rise
        return t_out + 2 * tau * np.log(share), cache                               # the product of the two roots is known
    return Pair(forward, op.backward)


def _no_leak(op):
    def forward(t_in, w, threshold=1.0, tau=1.0):
        t_out, cache = op.forward(t_in, w, threshold, tau)
        return t_out, (cache, np.where(np.isfinite(t_out), 1 - threshold / _current(t_out, t_in, w, tau), 1))

    def backward(dt_out, held):
        return op.backward(dt_out * held[1], held[0])
    return Pair(forward, backward)


def _no_time_constant(op):
    def forward(t_in, w, threshold=1.0, decay=1.0):
        t_out, cache = op.forward(t_in, w, threshold, decay)
        return t_out, (cache, decay)

    def backward(dt_out, held):
        dt_in, dw = op.backward(dt_out, held[0])
        return dt_in, dw * held[1]
    return Pair(forward, backward)


def _event_gradients(leak=True, reset=True):
    """Make a fault of many spikes without recurrent weights: the slope at a spike lacks the leak, or earlier spikes are constants."""
    def inject(op):
        def forward(t_in, w, w_rec=None, threshold=1.0, tau_m=4.0, tau_s=1.0, n_spikes=None):
            t_out, cache = op.forward(t_in, w, w_rec, threshold, tau_m, tau_s, n_spikes)
            return t_out, (cache, w_rec, (t_in, w, t_out), (threshold, tau_m, tau_s))

        def backward(dt_out, held):
            cache, w_rec, seen, how = held
            return op.backward(dt_out, cache) if w_rec is not None else (*_spike_by_spike(dt_out, seen, how, leak, reset), None)
        return Pair(forward, backward)
    return inject


def _spike_by_spike(dt_out, seen, how, leak, reset):
    (t_in, w, t_out), (threshold, tau_m, tau_s) = seen, how
    dt_in, dw, dt_out = np.zeros_like(t_in), np.zeros_like(w), np.array(dt_out)
    for b, j in np.ndindex(t_out.shape[:2]):
        times = t_out[b, j][np.isfinite(t_out[b, j])]
        for s in reversed(range(len(times))):
            came = t_in[b] < times[s]
            lag = np.where(came, times[s] - np.where(came, t_in[b], 0), 0)
            fast, slow = np.exp(-lag / tau_s), np.exp(-lag / tau_m)
            psp = lag / tau_m * fast if tau_m == tau_s else (slow - fast) * tau_s / (tau_m - tau_s)
            rise = np.where(came, w[:, j, None] * (fast - psp) / tau_m, 0)
            own = threshold / tau_m * np.exp((times[:s] - times[s]) / tau_m)
            slope = rise.sum() + own.sum()                                          # (I - V)/tau_m, and V is the threshold
            h = dt_out[b, j, s] / (slope if leak else slope + threshold / tau_m)
            dw[:, j] -= h * np.where(came, psp, 0).sum(axis=1)
            dt_in[b] += h * rise
            dt_out[b, j, :s] += h * own if reset else 0
    return dt_in, dw


def _by_the_sender(op):
    def forward(z_in, w, delay, threshold=1.0):
        z_out, cache = op.forward(z_in, w, delay, threshold)
        return z_out, (cache, np.exp(delay))

    def backward(dz_out, held):
        dz_in, dw, ddelay = op.backward(dz_out, held[0])
        return dz_in, dw, ddelay / held[1]
    return Pair(forward, backward)


def _no_pseudo_gradient(op):
    def forward(t_in, w, t_end, *how):
        t_out, cache = op.forward(t_in, w, t_end, *how)
        return t_out, (cache, t_out < t_end)

    def backward(dt_out, held):
        return op.backward(np.where(held[1], dt_out, 0), held[0])
    return Pair(forward, backward)


def _early_padding(op):
    def forward(z_in, w, b=None, stride=1, padding=0, threshold=1.0):
        edge = (0, 0), (padding, padding), (padding, padding), (0, 0)
        z_out, cache = op.forward(np.pad(z_in, edge, constant_values=1), w, b, stride, 0, threshold)
        return z_out, (cache, padding, z_in.shape)

    def backward(dz_out, held):
        cache, padding, (_, height, width, _) = held
        dz_in, *rest = op.backward(dz_out, cache)
        return dz_in[:, padding:padding + height, padding:padding + width], *rest
    return Pair(forward, backward)


FAULTS = {fault.name: fault for fault in (
    Fault("later_crossing", "synthetic",
          "of the two roots the later is taken, where the potential falls through the threshold",
          "leaky_double", "definition", _later),
    Fault("slope_without_leak", "synthetic",
          "backward divides by the current at the spike, which lacks the leak, in the place of the slope of the potential",
          "leaky_equal", "gradcheck", _no_leak),
    Fault("time_constant_forgotten", "synthetic",
          "the gradient of the weights lacks the time constant of the synapse",
          "alpha", "gradcheck", _no_time_constant),
    Fault("jump_without_leak", "synthetic",
          "at each of many spikes backward divides by the current, which lacks the leak",
          "event_prop", "gradcheck", _event_gradients(leak=False)),
    Fault("earlier_spikes_are_constants", "synthetic",
          "backward leaves out that a neuron's earlier spikes move its later ones",
          "event_prop", "gradcheck", _event_gradients(reset=False)),
    Fault("delay_from_the_sender", "synthetic",
          "the gradient of a delay has the time at which the spike is sent in the place of the time at which it arrives",
          "temporal_delays", "gradcheck", _by_the_sender),
    Fault("pseudo_spikes_are_silent", "synthetic",
          "a spike behind the end of the trial gets no gradient, as if the neuron were silent",
          "theta", "gradcheck", _no_pseudo_gradient),
    Fault("padding_spikes", "synthetic",
          "the places around a map spike at time 0 in the place of never",
          "temporal_conv", "definition", _early_padding),
)}
"""The mistakes by name."""
