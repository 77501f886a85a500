"""The golden vectors of exact spike times: delays, convolutions, leaky neurons."""

from itertools import product

import numpy as np

from ...operations import OPERATIONS
from ..oracle import delays as oracle_delays
from ..oracle import spike_times as oracle_times
from ..oracle import temporal_conv as oracle_conv
from ..oracle._numbers import rounded
from ..witness.spike_times import sound
from ..witness.temporal import near_threshold
from .draw import short, whole
from .vectors import GoldenCase

INF = np.inf
TIMES_BY_HAND = (       # t_in, w (one neuron), what it shows; threshold 1/4, tau 1
    ("pair", [0, 0.5], [2, 2]), ("one-input", [3], [6]), ("unsorted", [2, INF, 0], [4, 36, 2]), ("all-silent", [INF, INF], [36, 36]),
    ("tie-cancels", [1, 1], [8, -8]), ("tie-inhibits", [0, 0.03125, 0.03125], [5, 4, -4]), ("inhibited", [0, 0.03125], [4, -4]),
    ("inhibited-then-excited", [0, 0.03125, 4], [4, -4, 8]), ("no-weight-excites", [0, 1], [-4, -8]), ("too-weak", [0], [0.5]),
    ("forgotten", [0, 40], [0.5, 6]), ("before-zero", [-8, -7.5], [2, 6]), ("late-input", [0, 8], [8, -16]),
    ("zero-weight", [0, 0.03125, 4], [8, 0, 4]))


def delays():
    """Make the cases of temporal neurons with delays of axons, dendrites and synapses; the last of each kind have none, and ties."""
    rng = np.random.default_rng(9)
    kinds = [(n, k, 1.0) for n, k in product((1, 2, 3, 5, 8, 12), range(2))] + [(4, 0, 0.0), (4, 1, 0.0)]
    for (words, has), (n, k, delayed) in product((("axons", (1, 0)), ("dendrites", (0, 1)), ("synapses", (1, 1))), kinds):
        kappa, near = np.inf, True
        while near or kappa > 1e3:
            z_in = whole(rng, 1, 6, (2, n), 64 if delayed else 1)
            z_in[rng.random(z_in.shape) < 0.2 * k] = INF
            w, shape = short(2 / n) + whole(rng, -1, 1.5, (n, 2), 64), [m if there else 1 for m, there in zip((n, 2), has, strict=True)]
            delay = delayed * whole(rng, 0, 1.5, shape, 16)
            arrivals = [(z_in * np.exp(np.broadcast_to(delay, w.shape)[:, j])).astype(np.float32) for j in range(2)]
            near = delayed and any(near_threshold(z, w[:, j:j + 1].astype(np.float32)).any() for j, z in enumerate(arrivals))
            z_out, cache = oracle_delays.forward(z_in, w, delay)
            kappa = oracle_delays.condition(cache).max()
        dz_out, z_out = whole(rng, -2, 2, (2, 2), 16), rounded(z_out)
        grads = dict(zip(("dz_in", "dw", "ddelay"), map(rounded, oracle_delays.backward(dz_out, cache)), strict=True))
        units = {name: (kappa + n) * max(float(np.abs(g).max()), 1.0) for name, g in grads.items()}
        yield GoldenCase(f"temporal-delays-{words}-{n}-{k}", "temporal_delays", {"threshold": 1.0},
                         {"z_in": z_in, "w": w, "delay": delay, "dz_out": dz_out}, {"z_out": z_out}, grads,
                         {"z_out": (kappa + 2) * np.where(np.isfinite(z_out), z_out, 0), **units}, True)


def convolutions():
    """Make the cases of convolutions of temporal neurons: windows, strides, paddings, with and without b, ties, silent inputs."""
    rng = np.random.default_rng(10)
    for (kh, kw), stride, padding, kind in product(((1, 1), (2, 2), (3, 2), (3, 3)), (1, 2), (0, 1), ("random", "bias", "ties")):
        kappa, near, n_in = np.inf, True, kh * kw * 2
        while near or kappa > 1e3:
            z_in = whole(rng, 1, 6, (1, 4, 3, 2), 1 if kind == "ties" else 64)
            z_in[rng.random(z_in.shape) < 0.2] = INF
            w = short(2 / n_in) + whole(rng, -1, 1.5, (kh, kw, 2, 2), 64)
            arrays = {"z_in": z_in, "w": w} | ({"b": whole(rng, -0.5, 1, 2, 16)} if kind == "bias" else {})
            z_out, cache = oracle_conv.forward(**arrays, stride=stride, padding=padding)
            kappa = oracle_conv.condition(cache).max()
            near = any(near_threshold(z[None].astype(np.float32), rows.astype(np.float32)).any() for z, rows in oracle_conv.neurons(cache))
        dz_out, z_out = whole(rng, -2, 2, z_out.shape, 16), rounded(z_out)
        grads = zip(("dz_in", "dw", "db"), oracle_conv.backward(dz_out, cache), strict=True)
        grads = {name: rounded(g) for name, g in grads if g is not None}
        units = {name: z_out[..., 0].size * (kappa + n_in) * max(float(np.abs(g).max()), 1.0) for name, g in grads.items()}
        yield GoldenCase(f"temporal-conv-{kh}x{kw}-s{stride}-p{padding}-{kind}", "temporal_conv",
                         {"stride": stride, "padding": padding, "threshold": 1.0}, arrays | {"dz_out": dz_out}, {"z_out": z_out}, grads,
                         {"z_out": (kappa + 2) * np.where(np.isfinite(z_out), z_out, 0), **units}, True)


def _times_case(name, neuron, arrays, threshold=0.25, tau=1.0):
    """Make one case of a neuron with exact spike times; None if a decision or a spike time is badly conditioned."""
    t_in, w = arrays
    ratio, how = 2 if neuron == "leaky_double" else 1, {"threshold": threshold, "tau": tau}
    if not sound(t_in, w, threshold, tau, ratio).all():
        return None
    if neuron == "alpha":
        how = {"threshold": threshold * tau, "decay": 1 / tau}
    dt_out = whole(np.random.default_rng([ord(c) for c in name]), -2, 2, (len(t_in), w.shape[1]), 16)
    t_out, cache = oracle_times.forward(t_in, w, threshold, tau, ratio)
    dt_in, dw = (rounded(g) for g in oracle_times.backward(dt_out, cache))
    kappa, t_out = float(oracle_times.condition(cache).max()), rounded(t_out)
    late, most = float(np.abs(t_out[np.isfinite(t_out)]).max(initial=0)), float(np.abs(dt_out).max())
    return GoldenCase(f"{neuron.replace('_', '-')}-{name}", neuron, how, {"t_in": t_in, "w": w, "dt_out": dt_out}, {"t_out": t_out},
                      {"dt_in": dt_in, "dw": dw}, {
                          "t_out": kappa * tau + late, "dt_in": kappa ** 2 * float(np.abs(dt_in).max()) + 4 * most,
                          "dw": kappa ** 2 * float(np.abs(dw).max()) + kappa * most * tau / threshold}, True)


def spike_times():
    """Make the cases of neurons with exact spike times."""
    rng = np.random.default_rng(8)
    for neuron in [name for name, operation in OPERATIONS.items() if operation.module == "spike_times"]:
        for name, t, w in TIMES_BY_HAND:
            yield _times_case(name, neuron, (np.array([t], float), np.array(w, float)[:, None]))
        kinds = [("random", n, k) for n, k in product((1, 2, 4, 8, 16), range(3))]
        kinds += [("ties", n, 0) for n in (3, 6, 12)] + [("silent", n, k) for n, k in product((3, 8), range(2))]
        kinds += [("scale", 5, k) for k in range(6)]
        for kind, n, k in kinds:
            case = None
            while case is None:
                t_in = whole(rng, 0, 3, (2, n), 2 if kind == "ties" else 64)
                t_in[rng.random(t_in.shape) < (0.4 if kind == "silent" else 0)] = INF
                w = short(2 / n) + whole(rng, -1, 1.5, (n, 2), 64) / (2 if n > 4 else 1)
                tau, threshold = (2.0 ** (k - 3), 2.0 ** -(k % 3)) if kind == "scale" else (1.0, 0.25)
                case = _times_case(f"{kind}-{n}-{k}", neuron, (t_in * tau, w * 4 * threshold), threshold, tau)
            yield case
