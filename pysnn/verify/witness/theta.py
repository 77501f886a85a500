"""Witnesses for theta neurons, which share no code with them: a kicked oscillator, and the differential equation itself.

With V = 1/2 + root s/c the voltage's equation is that of an oscillator: (c, s) turns at the speed root/tau, an input adds w c/root to s,
and the neuron fires where c first is 0. An input at or behind the end of the trial acts at the end, with a share of its weight.
Shapes as everywhere: t_in (B, N_in), w (N_in, N_out).
"""

import numpy as np


def _events(t, w, t_end, period):
    """List when which kicks come in one sample: the inputs of the trial in order, then its end."""
    late = t.real >= t_end
    share = 1 - (np.where(np.isfinite(t), t, t_end + period) - t_end) / period
    share = np.where(late & (share.real > 0), share, 0)
    order = np.argsort(t.real, kind="stable")
    return [*((t[i], w[i]) for i in order if not late[i]), (t_end, (share[:, None] * w).sum(axis=0))]


def first_spike(t_in, w, t_end, drive=1.25, v_init=0.5, tau=1.0):
    """Find the first zero of the oscillator of each neuron.

    Parameters
    ----------
    t_in : (B, N_in) array, real or complex
        Times of the inputs; inf means no spike.
    w : (N_in, N_out) array, real or complex
        Weights.
    t_end, drive, v_init, tau : float
        End of the trial, constant current, first voltage, time constant.

    Returns
    -------
    (B, N_out) array
        Times of the spikes; of complex arguments complex, with decisions by real parts.
    """
    root, kind = np.sqrt(drive - 0.25), np.result_type(t_in, w)
    period, out = tau * np.pi / root, np.empty((len(t_in), w.shape[1]), np.result_type(t_in, w))
    for b, t in enumerate(t_in):
        c, s, t_last = np.ones(w.shape[1], kind), np.full(w.shape[1], (v_init - 0.5) / root, kind), 0.0
        fired = np.zeros(w.shape[1], bool)
        for t_next, kick in _events(t, w, t_end, period):
            angle = (t_next - t_last) * root / tau
            turned = c * np.cos(angle) - s * np.sin(angle)
            now = ~fired & ((turned.real <= 0) | (angle.real >= np.pi))
            spike = t_last + (np.pi / 2 - np.arctan(s / c)) * tau / root
            out[b, now], fired = spike[now], fired | now
            c, s = turned, s * np.cos(angle) + c * np.sin(angle)
            s = s + kick * c / root
            size = np.hypot(c.real, s.real)
            c, s, t_last = np.where(fired, 1, c / size), np.where(fired, 0, s / size), t_next
        spike = t_end + (np.pi / 2 - np.arctan(s / c)) * tau / root
        out[b, ~fired] = spike[~fired]
    return out


def decisions(t_in, w, t_end, drive=1.25, v_init=0.5, tau=1.0):
    """Say where a forward pass has kinks: in the order of inputs, at the end of the trial, and where an input comes too late to act.

    Parameters
    ----------
    t_in, w, t_end, drive, v_init, tau : arrays, floats
        As for `first_spike`.

    Returns
    -------
    list of arrays
        Three of shape (B, N_in).
    """
    return [np.argsort(t_in, axis=1), t_in < t_end, t_in < t_end + tau * np.pi / np.sqrt(drive - 0.25)]


def integrate(t_in, w, how, n_steps):
    """Integrate the differential equation by the classical Runge-Kutta method, in the angle 2 arctan V; it knows no solution.

    Parameters
    ----------
    t_in, w : arrays
        As for `first_spike`, real.
    how : (t_end, drive, v_init, tau)
        As for `first_spike`.
    n_steps : int
        Steps in a time constant.

    Returns
    -------
    (B, N_out) array
        Times of the spikes, with an error that falls with the fourth power of the step.
    """
    t_end, drive, v_init, tau = how
    period, out = tau * np.pi / np.sqrt(drive - 0.25), np.full((len(t_in), w.shape[1]), np.inf)

    def speed(angle):
        return ((1 - np.cos(angle)) - np.sin(angle) + drive * (1 + np.cos(angle))) / tau

    def step(angle, h):
        a = speed(angle)
        b = speed(angle + h / 2 * a)
        c = speed(angle + h / 2 * b)
        return angle + h / 6 * (a + 2 * b + 2 * c + speed(angle + h * c))
    for b, t in enumerate(t_in):
        angle, t_last = np.full(w.shape[1], 2 * np.arctan(v_init)), 0.0
        for t_next, kick in [*_events(t, w, t_end, period), (t_end + 2 * period, 0.0)]:
            steps = max(1, int(np.ceil((t_next - t_last) / tau * n_steps)))
            h = (t_next - t_last) / steps
            for k in range(steps):
                after = step(angle, h)
                for j in np.flatnonzero(np.isinf(out[b]) & (after >= np.pi)):
                    part = h
                    for _ in range(40):                                  # how long a step would end at the spike
                        part -= (step(angle[j], part) - np.pi) / speed(np.pi)
                    out[b, j] = t_last + k * h + part
                angle = after
            waits = angle < np.pi
            angle = np.where(waits, 2 * np.arctan(np.tan(np.where(waits, angle, 0) / 2) + kick), angle)
            t_last = t_next
    return out
