"""Hold the neurons with exact spike times against each other where one becomes another, and record how far they are apart.

Run: python docs/results/limits.py            writes limits.json; a minute

Each row: which limit, the quantity that goes to it, and the largest difference of spike times at each of its values. Layers are drawn at
random, some neurons fire and some do not; decisions are the same on both sides, or counted.
"""

import json

import numpy as np

from pysnn.conventions import Rule
from pysnn.operations import OPERATIONS

N_BATCH, N_IN, N_OUT = 20, 12, 15


def apart(a, b):
    """Return the median and the largest difference of spikes that both have, and how many only one has."""
    both = np.isfinite(a) & np.isfinite(b)
    gap = np.abs(a[both] - b[both])
    return float(np.median(gap)), float(gap.max()), int((np.isfinite(a) != np.isfinite(b)).sum())


def layer(rng, scale=1.0):
    """Draw input times and weights."""
    return rng.uniform(0, 2, (N_BATCH, N_IN)), scale * rng.normal(2.5 / N_IN, 1.5 / np.sqrt(N_IN), (N_IN, N_OUT))


def first_event(t, w, tau_m, tau_s=1.0):
    """Return the first spikes by the event-driven simulation."""
    return OPERATIONS["event_prop"].pair().forward(t[:, :, None], w, None, 1.0, tau_m, tau_s, 1)[0][:, :, 0]


def without_leak(rng):
    """Leaky neurons whose leak vanishes, weights scaled by tau_m, against Mostafa's neuron."""
    t, w = layer(rng)
    z, _ = OPERATIONS["temporal"].pair().forward(np.exp(t), w)
    t_plain = np.log(z)
    near = t_plain < 4                           # later spikes are badly conditioned
    for tau_m in (1e2, 1e4, 1e6, 1e8):
        found = first_event(t, w * tau_m, tau_m)
        yield tau_m, *apart(np.where(near, t_plain, np.inf), np.where(near, found, np.inf))


def closed_form(rng, name, tau_m):
    """The first spike of the event-driven simulation against a closed form."""
    t, w = layer(rng, 6.0)
    closed, _ = OPERATIONS[name].pair().forward(t, w)
    yield tau_m, *apart(closed, first_event(t, w * (tau_m if name == "leaky_equal" else 1.0), tau_m))


def delays(rng):
    """Delays of 0 against no delays: bits that differ."""
    t, w = layer(rng)
    z, _ = OPERATIONS["temporal"].pair().forward(np.exp(t), w)
    for words, shape in (("axons", (N_IN, 1)), ("dendrites", (1, N_OUT)), ("synapses", (N_IN, N_OUT))):
        found, _ = OPERATIONS["temporal_delays"].pair().forward(np.exp(t), w, np.zeros(shape))
        yield words, 0.0, float((found != z).sum()), 0


def time_steps(rng):
    """The clock-driven leaky neuron, first spike, against the event-driven one: steps of dt."""
    t, w = layer(rng, 6.0)
    tau_m, tau_s, t_end = 4.0, 1.0, 8.0
    exact = first_event(t, w, tau_m, tau_s)
    for dt in (0.1, 0.01, 0.001):
        n = round(t_end / dt)
        arrived = np.zeros((n, N_BATCH, N_OUT))
        for b in range(N_BATCH):
            for i in range(N_IN):
                arrived[min(int(np.ceil(t[b, i] / dt)), n - 1), b] += w[i]
        spikes, *_ = OPERATIONS["leaky"].pair().forward(arrived * dt / tau_m, np.full(N_OUT, np.exp(-dt / tau_m)), np.ones(N_OUT),
                                                        np.zeros((N_BATCH, N_OUT)), Rule("zero"), np.full(N_OUT, np.exp(-dt / tau_s)))
        found = np.where(spikes.any(axis=0), spikes.argmax(axis=0) * dt, np.inf)
        yield dt, *apart(np.where(exact < t_end - 1, exact, np.inf), np.where(exact < t_end - 1, found, np.inf))


def integrated(rng):
    """Theta neurons against their differential equation, integrated by Runge and Kutta, in the angle: steps of dt."""
    t, w = layer(rng)
    t_end, drive, tau = 4.0, 1.25, 1.0
    exact, _ = OPERATIONS["theta"].pair().forward(t, w, t_end, drive, 0.5, tau)
    for dt in (0.02, 0.01, 0.005):
        found = np.array([[_theta_by_steps(t[b], w[:, j], drive, dt) for j in range(N_OUT)] for b in range(N_BATCH // 4)])
        inside = exact[:len(found)] < t_end
        yield dt, *apart(np.where(inside, exact[:len(found)], np.inf), np.where(inside, found, np.inf))


def _theta_by_steps(t_in, w, drive, dt):
    """Return the first spike of dV/dt = V (V - 1) + drive from 1/2, with V = tan(a): then a grows, and the spike is at pi/2."""
    def slope(a):
        v, c = np.tan(a), np.cos(a)
        return (v * (v - 1) + drive) * c * c if abs(c) > 1e-9 else 1.0
    a, now = np.arctan(0.5), 0.0
    order = np.argsort(t_in)
    for until, jump in [*zip(t_in[order], w[order], strict=True), (1e3, 0.0)]:
        while now < until:
            h = min(dt, until - now)
            k1 = slope(a)
            k2 = slope(a + h * k1 / 2)
            k3 = slope(a + h * k2 / 2)
            k4 = slope(a + h * k3)
            after = a + h * (k1 + 2 * k2 + 2 * k3 + k4) / 6
            if after >= np.pi / 2:
                return now + h * _share(a, after, slope, h)
            a, now = after, now + h
        a = np.arctan(np.tan(a) + jump)
    return np.inf


def _share(a, after, slope, h):
    """Return which share of the last step passes until the spike: a cubic through both ends and slopes."""
    low, high = 0.0, 1.0
    for _ in range(60):
        s = (low + high) / 2
        cubic = ((1 + 2 * s) * (1 - s) ** 2 * a + s * (1 - s) ** 2 * h * slope(a) + s * s * (3 - 2 * s) * after
                 + s * s * (s - 1) * h * slope(after))
        low, high = (s, high) if cubic < np.pi / 2 else (low, s)
    return low


LIMITS = (
    ("no leak", "tau_m grows, weights with it", "Mostafa's neuron", without_leak),
    ("event by event, tau_m = 2 tau_s", "-", "`leaky_double`", lambda rng: closed_form(rng, "leaky_double", 2.0)),
    ("event by event, tau_m = tau_s", "-", "`leaky_equal`", lambda rng: closed_form(rng, "leaky_equal", 1.0)),
    ("delays of 0", "of", "no delays, bits that differ", delays),
    ("`leaky` in time steps", "dt", "event by event", time_steps),
    ("Runge-Kutta steps", "dt", "`theta`", integrated),
)


def main():
    """Measure and record."""
    import record
    rows = []
    for what, quantity, against, function in LIMITS:
        found = [dict(zip(("at", "median", "apart", "alone"), each, strict=True)) for each in function(np.random.default_rng(0))]
        rows.append({"what": what, "quantity": quantity, "against": against, "found": found})
        print(what, json.dumps(found), flush=True)
    record.write("limits", {"rows": rows})


if __name__ == "__main__":
    main()
