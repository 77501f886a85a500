"""The temporal neuron to 50 digits, from its definition; no line is shared with what it checks, and no formula for the spike time.

    V(t) = sum over t_i < t of w_i (1 - exp(-(t - t_i))),      and the neuron fires when V first reaches the threshold.

What is done here, neuron by neuron:

    bracket     floats are whole numbers times a power of two, so V at every input time, and its limit, is held against the threshold in
                whole numbers, without any rounding. Between two inputs V is monotone: the first input time at which V is there ends the
                interval of the spike; inputs of one time add 0 to V at that time, and so enter together
    root        Newton's method on V(t) - threshold in t, from the left end of the interval; V is concave there, so no step goes too far.
                Only exp(-t) is rounded (60 digits, mpmath); the sum over the inputs is exact
    certificate V(t - 1e-50) < threshold < V(t + 1e-50), or an error
    gradient    implicit differentiation of the definition: dt/dw_i = -(dV/dw_i)/(dV/dt), dt/dt_i = -(dV/dt_i)/(dV/dt)

Arrays of exact or 50-digit numbers have dtype object and hold mpmath's mpf. `rounded` turns them into float64, rounding once. mpmath is
imported when first used: pip install mpmath.
"""

import math
from typing import NamedTuple

import numpy as np

from ... import _checks
from ._numbers import DIGITS, context, dyadic, exact, rounded, ulps

__all__ = ["Cache", "Spike", "backward", "condition", "exact", "forward", "rounded", "ulps", "units"]
_BITS = 220              # of exp(-t): 66 digits


class Spike(NamedTuple):
    """One spike of one neuron."""

    z: object            # exp(t), mpf
    decay: object        # exp(-t), mpf
    slope: object        # dV/dt at the spike, mpf
    causal: np.ndarray   # indices of the inputs that came before it
    kappa: float         # condition of z, in units of relative error


class Cache(NamedTuple):
    """What backward needs of forward."""

    z_in: np.ndarray
    w: np.ndarray
    spikes: dict         # (b, j) -> Spike, of those that fired


def forward(z_in, w, threshold=1.0):
    """Find when each neuron fires.

    Parameters
    ----------
    z_in : (B, N_in) array, float32, float64 or mpf
        exp(t/tau) of the input spikes; inf means no spike.
    w : (N_in, N_out) array, float32, float64 or mpf
        Weights.
    threshold : float
        Firing threshold divided by tau; rounded to the dtype of w, as the operation under test does.

    Returns
    -------
    z_out : (B, N_out) object array
        exp(t/tau) of the first crossing, mpf with 50 digits; inf means no spike.
    cache : Cache
        For `backward`, `condition` and `units`.

    Raises
    ------
    ValueError
        For shapes that do not fit, or a z that is NaN, zero or negative.
    ArithmeticError
        If the root could not be certified.
    """
    z_in, w = np.asarray(z_in), np.asarray(w)
    if z_in.ndim != 2 or w.ndim != 2 or z_in.shape[1] != w.shape[0]:
        raise ValueError(f"z_in, w: expected (B, N_in) and (N_in, N_out), got {z_in.shape} and {w.shape}")
    if not (z_in > 0).all():
        raise ValueError(f"z_in: expected positive numbers or inf, got {_checks.describe(z_in)} with other ones")
    if w.dtype != object:
        threshold = w.dtype.type(threshold)
    z_out = np.full((len(z_in), w.shape[1]), context().inf, dtype=object)
    spikes = {}
    for b, z in enumerate(z_in):
        came = np.flatnonzero(z < np.inf)
        if not came.size:
            continue
        (z_whole,), z_shift = dyadic(z[came])
        (w_whole, theta), w_shift = dyadic(w[came], np.asarray(threshold, dtype=w.dtype))
        order = np.argsort(z_whole, kind="stable")
        ends = _first_end(z_whole[order], w_whole[order], theta[()])
        for j, end in enumerate(ends):
            if end is not None:
                causal = order[:end]
                spike = _solve((z_whole[causal], z_shift), (w_whole[causal, j], w_shift), theta[()])
                spikes[b, j] = spike._replace(causal=came[causal])
                z_out[b, j] = spike.z
    return z_out, Cache(z_in, w, spikes)


def _first_end(z, w, theta):
    """Say for each neuron how many of the sorted inputs come before its spike; None if it is silent. All in whole numbers."""
    total, moment = np.cumsum(w, axis=0), np.cumsum(w * z[:, None], axis=0)
    there = np.empty(w.shape, dtype=bool)
    there[:-1] = (total[:-1] - theta) * z[1:, None] >= moment[:-1]       # V >= threshold at the next input, times z of it
    there[-1] = total[-1] > theta                                        # V exceeds it in the limit
    return [1 + int(there[:, j].argmax()) if there[:, j].any() else None for j in range(w.shape[1])]


def _solve(z, w, theta):
    """Solve V(t) = threshold behind the last of these inputs, and certify the root; z and w are (whole numbers, shift)."""
    ctx = context()
    last = ctx.ldexp(int(max(z[0])), -z[1])
    t = ctx.log(last)
    for _ in range(2000):
        excess, slope = _membrane(t, z, w, theta)
        step = -excess / slope
        t += step
        if abs(step) < ctx.mpf(10) ** -(DIGITS + 5) * max(1, abs(t)):
            break
    width = ctx.mpf(10) ** -DIGITS * max(1, abs(t))
    if not _membrane(t - width, z, w, theta)[0] < 0 < _membrane(t + width, z, w, theta)[0]:
        raise ArithmeticError(f"oracle: no certified root near t = {ctx.nstr(t, 20)}")
    z_out = ctx.exp(t)
    _, slope = _membrane(t, z, w, theta)
    return Spike(z_out, ctx.exp(-t), slope, None, _kappa(z, w, theta, z_out))


def _membrane(t, z, w, theta):
    """Evaluate V(t) - threshold and dV/dt as sums over the inputs, in whole numbers but for exp(-t)."""
    ctx = context()
    bits = _BITS + max(0, math.ceil(float(t) * 1.4427))
    decay = int(ctx.floor(ctx.ldexp(ctx.exp(-t), bits)))
    fade = z[0] * decay                                                  # exp(-(t - t_i)) = z_i exp(-t), times 2**(bits + shift of z)
    one = 1 << (bits + z[1])
    v = int((w[0] * (one - fade)).sum()) - theta * one                   # sum of w_i (1 - exp(-(t - t_i)))
    slope = int((w[0] * fade).sum())
    return ctx.ldexp(v, -(bits + z[1] + w[1])), ctx.ldexp(slope, -(bits + z[1] + w[1]))


def _kappa(z, w, theta, z_out):
    """Compute the condition of z_out: relative errors eps in every weight, input and the threshold move z_out by up to kappa eps."""
    ctx = context()
    bits = max(0, 80 - math.floor(ctx.log(z_out, 2)))
    at = int(ctx.ldexp(z_out, bits))                                     # z_out in units of 2**-bits
    unit = at << z[1]
    moved = sum(abs(a * ((b << bits) - unit)) for a, b in zip(w[0], z[0], strict=True))
    carried = sum(abs(a * b) for a, b in zip(w[0], z[0], strict=True)) << bits
    return (moved + carried + theta * unit) / ((sum(w[0]) - theta) * unit)


def backward(dz_out, cache):
    """Pull a gradient back through `forward`, by implicit differentiation of V(t) = threshold.

    Parameters
    ----------
    dz_out : (B, N_out) array
        Gradient of the loss with respect to z_out; ignored where z_out is inf.
    cache : Cache
        From `forward`.

    Returns
    -------
    dz_in : (B, N_in) object array
        Gradient with respect to z_in, mpf; exactly 0 outside the causal sets.
    dw : (N_in, N_out) object array
        Gradient with respect to w, summed over the batch.
    """
    dz_in, dw = exact(np.zeros(cache.z_in.shape)), exact(np.zeros(cache.w.shape))
    for (b, j), spike in cache.spikes.items():
        z, w = exact(cache.z_in[b, spike.causal]), exact(cache.w[spike.causal, j])
        g = exact(dz_out[b, j])[()] * spike.z / spike.slope              # dz = z dt, and dt = -dV / (dV/dt)
        fade = z * spike.decay
        dw[spike.causal, j] += -(1 - fade) * g                           # dV/dw_i = 1 - exp(-(t - t_i))
        dz_in[b, spike.causal] += w * fade * g / z                       # dV/dt_i = -w_i exp(-(t - t_i)), dt_i = dz_i / z_i
    return dz_in, dw


def condition(cache):
    """Return the condition number of each spike.

    Parameters
    ----------
    cache : Cache
        From `forward`.

    Returns
    -------
    (B, N_out) float64 array
        kappa = (sum |w_i (z_i - z)| + sum |w_i z_i| + threshold z) / ((S - threshold) z), sums over the causal set; 0 where silent.
    """
    kappa = np.zeros((len(cache.z_in), cache.w.shape[1]))
    for at, spike in cache.spikes.items():
        kappa[at] = spike.kappa
    return kappa


def units(dz_out, cache):
    """Say how large a rounding of each gradient is: an error below some eps times this is rounding.

    1/(S - threshold) and z_out have relative errors of at most kappa eps each; these are the sums of the absolute terms times that.

    Parameters
    ----------
    dz_out : (B, N_out) array
        As for `backward`.
    cache : Cache
        From `forward`.

    Returns
    -------
    unit_z : (B, N_in) float64 array
        For dz_in.
    unit_w : (N_in, N_out) float64 array
        For dw.
    """
    unit_z, unit_w = np.zeros(cache.z_in.shape), np.zeros(cache.w.shape)
    for (b, j), spike in cache.spikes.items():
        z, w = (np.asarray(x, dtype=np.float64) for x in (cache.z_in[b, spike.causal], cache.w[spike.causal, j]))
        h = abs(float(dz_out[b, j])) * float(spike.z * spike.decay / spike.slope)     # |dz_out| / (S - threshold), as V' = (S - threshold)
        unit_w[spike.causal, j] += h * (spike.kappa * float(spike.z) + spike.kappa * np.abs(float(spike.z) - z))
        unit_z[b, spike.causal] += h * np.abs(w) * (1 + spike.kappa)
    return unit_z, unit_w
