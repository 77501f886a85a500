"""How the golden vectors are made: dyadic inputs, and outputs and gradients from the oracles, rounded once.

Random inputs are whole numbers over a power of two, so that every implementation starts from
the same numbers in float32, too.
"""

import hashlib
import io
import json
import zipfile
from itertools import pairwise, product
from pathlib import Path

import numpy as np

from ...conventions import LEAKY_RULES, RULES, SURROGATES, Rule, Surrogate
from ..oracle import integrate_fire as oracle_spikes
from ..oracle import leaky as oracle_leaky
from ..oracle import pooled_fire as oracle_pooled
from ..oracle import relu as maps
from ..oracle import temporal as oracle
from ..oracle._numbers import exact, rounded
from ..witness.temporal import near_threshold
from . import events, theta, times
from .draw import short, whole
from .vectors import FOLDER, INFINITE, ROLES, VERSION, GoldenCase, digest

INF = np.inf
MEANING = {
    "temporal": "forward(z_in, w, threshold) -> z_out; backward(dz_out) -> dz_in, dw. exp of times; inf: no spike. Neurons marked in "
                "`near` (where given) are within rounding of a decision: leave their z_out out; their dz_out is 0.",
    "temporal_delays": "forward(z_in, w, delay, threshold) -> z_out; backward(dz_out) -> dz_in, dw, ddelay. As temporal; input i reaches "
                       "neuron j at z_in exp(delay_ij). delay: (N_in, 1), (1, N_out) or (N_in, N_out), of axons, dendrites or synapses.",
    "temporal_conv": "forward(z_in, w, b, stride, padding, threshold) -> z_out; backward(dz_out) -> dz_in, dw, db. (B, H, W, C), (kh, kw, "
                     "C, N). As temporal, window by window; beyond the edge no spike comes; b: weights of an extra input at z = 1.",
    "leaky_equal": "forward(t_in, w, threshold, tau) -> t_out; backward(dt_out) -> dt_in, dw. Times; inf: no spike. Each input adds "
                   "w x exp(-x) to the potential, x = (t - t_in)/tau; the neuron fires once, where that first rises through the threshold.",
    "leaky_double": "As leaky_equal, but each input adds w (exp(-x/2) - exp(-x)).",
    "alpha": "forward(t_in, w, threshold, decay) -> t_out; backward(dt_out) -> dt_in, dw. As leaky_equal, but each input adds w x "
             "exp(-decay x), x = t - t_in.",
    "theta": "forward(t_in, w, t_end, drive, v_init, tau) -> t_out; backward(dt_out) -> dt_in, dw. Times from 0; inf: no spike. "
             "tau dV/dt = V (V - 1) + drive, from v_init at 0; an input adds w to V; the spike is where V is infinite. An input at or "
             "behind t_end acts at t_end instead, and adds w max(0, 1 - (t_in - t_end)/period), period = tau pi/sqrt(drive - 1/4). Of "
             "inputs at one time that of the lower index comes first.",
    "event_prop": "forward(t_in, w, w_rec, threshold, tau_m, tau_s) -> t_out; backward(dt_out) -> dt_in, dw, dw_rec. Times (B, n, K); "
                  "inf: no spike. tau_m dV/dt = -V + I, tau_s dI/dt = -I; an input adds w to I, a spike of the layer w_rec, at once; V at "
                  "the threshold: a spike, and V = 0.",
    "event_max": "forward(t_in, w, tau_m, tau_s) -> v_max; backward(dv_max) -> dt_in, dw. As event_prop, but it never fires; the "
                 "largest V over time, which is 0 before the first input.",
    "integrate_fire": "forward(current, threshold, v_init, rule) -> spikes, v_final; backward(dspikes, dv_final, surrogate, "
                      "detach_reset) -> dcurrent, dv_init. (T, B, n). reset, timing, fire: the rule.",
    "pooled_fire": "forward(current, size, threshold, v_init, rule) -> spikes, v_final; backward(dspikes, dv_final, surrogate, "
                   "detach_reset) -> dcurrent, dv_init. (T, B, H, W, C). A neuron has a potential for each place of its window of size x "
                   "size, fires where the largest reaches the threshold, and all are reset; the gradient goes to the first of the largest.",
    "leaky": "forward(current, beta, threshold, v_init, rule, alpha, w_rec) -> spikes, v_final; backward(dspikes, dv_final, dv, "
             "surrogate, detach_reset) -> dcurrent, dbeta, dthreshold, dv_init, dalpha, dw_rec. (T, B, n). i = alpha i + current + s w_rec "
             "(without alpha: current + s w_rec), s of the step before, first 0; u = beta v + gain i, gain 1 or 1 - beta; reset, timing "
             "and fire: as of integrate_fire, or none. Timing next: v is reset before it leaks, or, with the order leak first, u is. "
             "dv: of all u, before a reset of timing same. Detached: the reset takes its spike as a constant, but not the threshold.",
    "dense": "forward(x, w, b) -> y; backward(dy) -> dx, dw, db. y = x w + b; without b no db.",
    "conv2d": "forward(x, w, stride, padding) -> y; backward(dy) -> dx, dw. Cross-correlation; (B, H, W, C), (kh, kw, C_in, C_out).",
    "max_pool2d": "forward(x, size, stride) -> y; backward(dy) -> dx. Of equal numbers the first in row-major order wins.",
    "avg_pool2d": "forward(x, size, stride) -> y; backward(dy) -> dx.",
    "relu": "forward(x, top) -> y = min(max(x, 0), top); backward(dy) -> dx, 0 where x <= 0 or x >= top. With levels, y = floor(levels "
            "min(max(x, 0), top)/top + 1/2) top/levels, and dx as without.",
    "batch_norm": "forward(x, gamma, beta, mean, var, eps) -> y; backward(dy) -> dx, dgamma, dbeta. Without mean and var: of the batch, "
                  "biased variance; given, they are constants.",
    "softmax_z": "loss(z, labels) -> loss, d: mean cross-entropy of softmax(-z); silent outputs count z_max and get gradient 0.",
    "softmax_t": "loss(z, labels, beta) -> loss, d: mean cross-entropy of softmax(-beta ln z); silent outputs as in softmax_z.",
    "mse": "loss(y, labels) -> loss, d: mean over batch and outputs of (y - one-hot)^2.",
    "cross_entropy": "loss(y, labels) -> loss, d: mean cross-entropy of softmax(y).",
    "temporal_training": "ten steps w <- w - lr dw of layers of temporal neurons (threshold 1) with the loss softmax_z or softmax_t; "
                         "losses before each step, weights after the last, gradients of the first.",
    "proxy_training": "ten steps of proxy learning: constant current x w1 + b1 into integrate-and-fire neurons (at v_init times threshold "
                      "before the first of n_steps), their spikes into the next layer; loss on counts or rates (counts / n_steps); its "
                      "gradient goes back through the ReLU network of the same weights (hidden outputs end at the threshold if clip; no "
                      "ReLU at the output). Losses, weights and gradients as in temporal_training.",
}
"""What each operation computes, in words; part of schema.json."""
BY_HAND = (             # z_in, w (one neuron), what it shows
    ("jump-a", [1, 2], [2, -1]), ("jump-b", [1, 1.875], [2, -1.5]), ("jump-c", [1, 1.875, 4], [2, -1.5, 1]),
    ("tie-a", [1, 2, 2], [1.5, 1, -1]), ("tie-b", [1, 1], [2, -2]),
    ("tie-c", [1, 2, 2], [2 - 2.0 ** -42, 1024, -4096]), ("sum-at-threshold", [1, 2], [0.5, 0.5]),
    ("sum-above-threshold", [1, 2], [0.5, 0.625]), ("unsorted", [4, INF, 1], [1, 9, 0.5]), ("all-silent", [INF, INF], [9, 9]),
    ("one-input", [3], [1.5]), ("next-input-at-spike", [1, 2, 3], [2, 0.5, 8]), ("late-next", [1, 2.0 ** 20], [3.125, 1]),
    ("zero-weight", [1, 1.5, 4], [2, 0, 1]), ("early-z", [0.125, 0.25, 8], [0.75, 0.5, -1]), ("inhibited", [1, 2, 3], [-1, -2, 2.5]))


def _temporal_case(name, z_in, w, threshold=1.0, small=False):
    """Make one case of temporal neurons."""
    rng = np.random.default_rng([ord(c) for c in name])
    dz_out = whole(rng, -2, 2, (len(z_in), w.shape[1]), 16)
    dz_out[dz_out == 0] = 0.5
    near = near_threshold(z_in, w, threshold) & (not small)
    dz_out[near] = 0
    z_out, cache = oracle.forward(z_in, w, threshold)
    dz_in, dw = oracle.backward(dz_out, cache)
    unit_z, unit_w = oracle.units(dz_out, cache)
    kappa = oracle.condition(cache)
    z_out = rounded(z_out)
    single = all((x == x.astype(np.float32)).all() for x in (z_in, w)) and kappa.max() <= 1e4 and (
        small or not near_threshold(z_in.astype(np.float32), w.astype(np.float32), threshold).any())
    inputs = {"z_in": z_in, "w": w, "dz_out": dz_out} | ({"near": near} if near.any() else {})
    return GoldenCase(name, "temporal", {"threshold": threshold}, inputs, {"z_out": z_out},
                {"dz_in": rounded(dz_in), "dw": rounded(dw)},
                {"z_out": np.where(np.isfinite(z_out), kappa * np.where(np.isfinite(z_out), z_out, 0), 0), "dz_in": unit_z, "dw": unit_w},
                bool(single))


def _temporal():
    """Make the cases of temporal neurons."""
    for name, z, w in BY_HAND:
        yield _temporal_case(f"hand-{name}", np.array([z], float), np.array(w, float)[:, None], small=name != "tie-c")
    rng = np.random.default_rng(1)
    for n, k in product((1, 2, 3, 5, 8, 20, 50), range(4)):
        mean, half = (short(4 / n), 1) if k % 2 else (short(1.5 / n), 1.5)
        yield _temporal_case(f"random-{n}-{k}", whole(rng, 1, 6, (3, n), 1024), mean + whole(rng, -half, half, (n, 4), 1024) / 2 ** k)
    for n, k in product((3, 6, 12), range(4)):
        yield _temporal_case(f"ties-{n}-{k}", whole(rng, 1, 4, (3, n), 1 + k % 2), whole(rng, -1, 1.5, (n, 4), 4), small=True)
    for n, bits in product((3, 20), (4, 8, 12, 16, 20, 24, 28, 30)):
        yield _near(rng, f"near-{n}-{bits}", n, 2.0 ** -bits)
    for n, gap in product((3, 20), (0.0, -2.0 ** -10, -2.0 ** -28, 2.0 ** -50)):
        yield _near(rng, f"edge-{n}-{gap:g}", n, gap)
    yield from _special(rng)


def _near(rng, name, n, gap):
    """Let the weights of each neuron add up to 1 + gap."""
    w = 1 / 2 ** round(np.log2(n)) + whole(rng, -0.25, 0.25, (n, 3), 1024)
    w[-1] += 1 - w.sum(axis=0)
    w[-1] += gap
    return _temporal_case(name, whole(rng, 1, 4, (2, n), 64), w)


def _special(rng):
    """Yield silence, large layers, biases, thresholds, early and late times."""
    for k in range(6):
        z = whole(rng, 1, 6, (4, 10), 64)
        z[rng.random(z.shape) < 0.15 * (k + 1)] = INF
        z[-1] = INF
        w = whole(rng, -0.25, 0.75, (10, 3), 256)
        w[:, -1] = -abs(w[:, -1])                                        # one neuron never fires
        yield _temporal_case(f"silent-{k}", z, w)
    for k, threshold in enumerate((1.0, 1.0, 0.5, 1.0)):
        z = np.where(rng.random((2, 784)) < 0.2, 1.0, 6.0) if k < 2 else whole(rng, 1, 6, (2, 784), 64)
        z[:, ::3] = INF if k in (1, 3) else z[:, ::3]
        yield _temporal_case(f"large-784-{k}", z, whole(rng, -0.03125, 0.046875, (784, 3), 4096), threshold)
    yield _temporal_case("large-300", whole(rng, 1, 20, (2, 300), 256), whole(rng, -0.25, 0.28125, (300, 3), 4096))
    for k in range(4):
        z = np.concatenate([whole(rng, 1, 4, (3, 5), 64), np.ones((3, 1))], axis=1)
        yield _temporal_case(f"bias-{k}", z, whole(rng, -0.5, 1.25, (6, 4), 256))
    for k, threshold in enumerate((0.25, 0.5, 2.0, 5.0)):
        yield _temporal_case(f"threshold-{k}", whole(rng, 1, 6, (3, 8), 64), whole(rng, -0.5, 1.5, (8, 4), 256) * threshold, threshold)
    for k, scale in enumerate((2.0 ** -20, 2.0 ** -4, 2.0 ** 10, 2.0 ** 30)):
        yield _temporal_case(f"times-{k}", whole(rng, 1, 6, (3, 8), 64) * scale, whole(rng, -0.5, 1.5, (8, 4), 256))
    for k in range(3):
        z = whole(rng, 1, 2, (2, 6), 64) * 2.0 ** rng.integers(0, 20, (2, 6))
        yield _temporal_case(f"spread-{k}", z, whole(rng, -0.5, 1.5, (6, 4), 256))


def _spikes_case(name, current, rest, rule, surrogate=Surrogate(), detach_reset=True):
    """Make one case of integrate-and-fire neurons."""
    threshold, v_init = rest
    rng = np.random.default_rng([ord(c) for c in name])
    dspikes, dv_final = whole(rng, -2, 2, current.shape, 16), whole(rng, -2, 2, v_init.shape, 16)
    spikes, v_final, walk = oracle_spikes.forward(current, threshold, v_init, rule)
    dcurrent, dv_init = (rounded(g) for g in oracle_spikes.backward(dspikes, walk, dv_final, surrogate, detach_reset))
    unit = 4 * float(max(np.abs(x).max() for x in (dspikes, dv_final, dcurrent, dv_init)))
    convention = {"threshold": threshold, **dict(zip(RULES, rule, strict=False)), "surrogate": surrogate.kind, "slope": surrogate.slope,
                  "detach_reset": detach_reset}
    return GoldenCase(name, "integrate_fire", convention, {"current": current, "v_init": v_init, "dspikes": dspikes, "dv_final": dv_final},
                {"spikes": spikes, "v_final": rounded(v_final)}, {"dcurrent": dcurrent, "dv_init": dv_init},
                {"spikes": 0.0, "v_final": 0.0, "dcurrent": unit, "dv_init": unit}, True)


def _integrate_fire():
    """Make the cases of integrate-and-fire neurons."""
    rng = np.random.default_rng(2)
    slopes = {"atan": 2.0, "fast_sigmoid": 25.0, "sigmoid": 4.0, "triangle": 1.0}
    for words in product(*RULES.values()):
        rule = Rule(*words)
        spelt = f"{words[0]}-{words[1]}-{'ge' if words[2] == '>=' else 'gt'}"
        for kind, detach in product(SURROGATES["kind"], (True, False)):
            current, v_init = whole(rng, -0.5, 1.5, (6, 2, 3), 8), whole(rng, -0.5, 1.5, (2, 3), 8)
            current[3, 0] = 1.0                                          # reset to 0, then exactly the threshold
            yield _spikes_case(f"{spelt}-{kind}-{'detached' if detach else 'attached'}", current, (1.0, v_init), rule,
                              Surrogate(kind, slopes[kind]), detach)
        constant = np.broadcast_to([[-0.5, 0.5, 1.0, 1.875, 2.0, 2.5]], (15, 1, 6)).copy()
        yield _spikes_case(f"{spelt}-constant", constant, (2.0, np.zeros((1, 6))), rule)
    for k, (threshold, kind) in enumerate(product((0.5, 4.0), SURROGATES["kind"])):
        current = whole(rng, -0.5, 1.5, (1 if k % 4 == 0 else 5, 1, 4), 8) * threshold
        v_init = np.full((1, 4), threshold / 2)
        yield _spikes_case(f"threshold-{threshold:g}-{kind}", current, (threshold, v_init), Rule(), Surrogate(kind, 8.0))
    far = np.array([-64.0, 64.0, 1.0]).reshape(1, 1, 3) * np.ones((4, 1, 1))
    for kind in SURROGATES["kind"]:
        yield _spikes_case(f"far-from-threshold-{kind}", far, (1.0, np.zeros((1, 3))), Rule(), Surrogate(kind, 25.0))


def _pooled_fire():
    """Make the cases of neurons that pool inside: rows left over, equal potentials, potentials at the threshold."""
    rng = np.random.default_rng(5)
    slopes = {"atan": 2.0, "fast_sigmoid": 25.0, "sigmoid": 4.0, "triangle": 1.0}
    for k, (reset, fire, kind, detach) in enumerate(product(("subtract", "zero"), RULES["fire"], SURROGATES["kind"], (True, False))):
        size, rule, surrogate = (2, 3, 1)[k % 3], Rule(reset, "same", fire), Surrogate(kind, slopes[kind])
        current, v_init = whole(rng, -0.5, 1.0, (4, 1, 5, 4, 1), 8), whole(rng, -0.5, 1.0, (1, 5, 4, 1), 8)
        current[0, 0, :2], v_init[0, :2] = 0.5, 0.5                      # equal, and exactly at the threshold
        dspikes, dv_final = whole(rng, -2, 2, (4, 1, 5 // size, 4 // size, 1), 16), whole(rng, -2, 2, v_init.shape, 16)
        spikes, v_final, walk = oracle_pooled.forward(current, size, 1.0, v_init, rule)
        dcurrent, dv_init = (rounded(g) for g in oracle_pooled.backward(dspikes, walk, dv_final, surrogate, detach))
        unit = 4 * float(max(np.abs(x).max() for x in (dspikes, dv_final, dcurrent, dv_init)))
        yield GoldenCase(f"pooled-{reset}-{'ge' if fire == '>=' else 'gt'}-{kind}-{'detached' if detach else 'attached'}", "pooled_fire",
                         {"size": size, "threshold": 1.0, "reset": reset, "fire": fire, "surrogate": kind, "slope": surrogate.slope,
                          "detach_reset": detach}, {"current": current, "v_init": v_init, "dspikes": dspikes, "dv_final": dv_final},
                         {"spikes": spikes, "v_final": rounded(v_final)}, {"dcurrent": dcurrent, "dv_init": dv_init},
                         {"spikes": 0.0, "v_final": 0.0, "dcurrent": unit, "dv_init": unit}, True)


def _leaky():
    """Make the cases of leaky neurons: every rule, detached and attached, twice with other parts and surrogates."""
    rng, slopes = np.random.default_rng(7), {"atan": 2.0, "fast_sigmoid": 25.0, "sigmoid": 4.0, "triangle": 1.0}
    places = ("same", "reset first"), ("next", "reset first"), ("next", "leak first")
    every = product(LEAKY_RULES["reset"], places, LEAKY_RULES["fire"], LEAKY_RULES["gain"], (True, False))
    for k, (reset, (timing, order), fire, gain, detach) in enumerate(every):
        for turn in range(2):
            rule, kind = Rule(reset, timing, fire, gain, order), SURROGATES["kind"][(k // 2 + turn) % 4]
            n_t, n_b, n = 4 if k % 9 else 1, 2, 2 + k % 2
            inputs = {"current": whole(rng, -0.5, 2, (n_t, n_b, n), 8), "beta": whole(rng, 0.25, 1.25, n, 4),
                      "threshold": whole(rng, 0.5, 1.25, n, 4), "v_init": whole(rng, -0.5, 1.5, (n_b, n), 8)}
            if gain == "1 - beta":
                inputs["beta"] = np.where(inputs["beta"] < 0.75, 0.5, 0.75)          # 1 - beta is a power of two
            inputs["v_init"][0], inputs["current"][0, 0] = 0, inputs["threshold"] / (1 - inputs["beta"] if gain == "1 - beta" else 1)
            parts = (3 * (k // 4) + k + 2 * turn) % 4                    # the first current brings one sample to its thresholds
            inputs |= {"alpha": whole(rng, 0.25, 1, n, 4)} if parts % 2 else {}
            inputs |= {"w_rec": whole(rng, -1, 1.25, (n, n), 4)} if parts // 2 else {}
            upstream = {name: whole(rng, -2, 2, x.shape, 16) for name, x in zip(
                ("dspikes", "dv_final", "dv"), (inputs["current"], inputs["v_init"], inputs["current"]), strict=True)}
            name = (f"leaky-{reset}-{timing}-{order.replace(' ', '-')}-{'ge' if fire == '>=' else 'gt'}-{gain.replace(' ', '')}-"
                    f"{'detached' if detach else 'attached'}-{turn}")
            yield _leaky_case(name, inputs, upstream, rule, (Surrogate(kind, slopes[kind]), detach))


def _leaky_case(name, inputs, upstream, rule, how):
    """Make one case of leaky neurons; meant for float32, too, where no potential rounds there."""
    surrogate, detach = how
    spikes, v_final, walk = oracle_leaky.forward(**inputs, rule=rule)
    grads = {f"d{key}": rounded(g) for key, g in oracle_leaky.backward(
        upstream["dspikes"], walk, upstream["dv_final"], upstream["dv"], surrogate, detach).items()}
    unit = 4 * float(max(np.abs(x).max() for x in (*upstream.values(), *grads.values())))
    single = all((rounded(x) == rounded(x).astype(np.float32)).all() for step in walk.steps for x in (step.drive, step.p, step.u, step.v))
    return GoldenCase(name, "leaky", {**rule._asdict(), "surrogate": surrogate.kind, "slope": surrogate.slope, "detach_reset": detach},
                      inputs | upstream, {"spikes": spikes, "v_final": rounded(v_final)}, grads,
                      {"spikes": 0.0, "v_final": 0.0, **dict.fromkeys(grads, unit)}, bool(single))


def _levels():
    """Make the cases of a ReLU with levels; numbers half-way between two of them go up."""
    rng = np.random.default_rng(6)
    for levels, top in ((1, 1.0), (3, 1.0), (4, 0.5), (8, 2.0)):
        x = whole(rng, -1, 2.5, (4, 6), 16)
        yield _case(f"relu-levels-{levels}", "relu", {"top": top, "levels": levels}, {"x": x}, (maps.relu(x, top, levels), ("dx",)))


def _temporal_training(name, sizes, how, seed):
    """Train a net of temporal neurons for ten steps of plain gradient descent, in 60 digits."""
    rng = np.random.default_rng(seed)
    z_in, labels = whole(rng, 1, 4, (6, sizes[0]), 64), np.arange(6) % sizes[-1]
    start = {f"w{k + 1}": short(2.5 / n) + whole(rng, -0.5, 0.75, (n, m), 256) for k, (n, m) in enumerate(pairwise(sizes))}
    weights, losses, first = [exact(w) for w in start.values()], [], None
    for _ in range(10):
        z, caches = exact(z_in), []
        for w in weights:
            z, cache = oracle.forward(z, w, exact(1.0)[()])
            caches.append(cache)
        loss, dz = maps.softmax_z(z, labels) if how["loss"] == "z" else maps.softmax_t(z, labels, how["beta"])
        grads = []
        for cache in reversed(caches):
            dz, dw = oracle.backward(dz, cache)
            grads.insert(0, dw)
        losses.append(loss)
        first = first or grads
        weights = [w - exact(how["lr"])[()] * dw for w, dw in zip(weights, grads, strict=True)]
    return _trained(name, "temporal_training", how, {"z_in": z_in, "labels": labels, **start}, (losses, weights, first))


def _trained(name, operation, how, inputs, results):
    """Round what a training gave, and make a case of it."""
    losses, weights, first = results
    names = [key for key in inputs if key[0] in "wb" and key[1:].isdigit()]
    outputs = {"losses": rounded(losses)} | {f"{key}_after": rounded(w) for key, w in zip(names, weights, strict=True)}
    gradients = {f"d{key}_first": rounded(g) for key, g in zip(names, first, strict=True)}
    units = {key: 1e5 * float(np.abs(x).max()) for key, x in {**outputs, **gradients}.items()}       # times 4 eps: 1e-10 of the largest
    return GoldenCase(name, operation, how, inputs, outputs, gradients, units, False)


def _case(name, operation, convention, inputs, solved):
    """Run an oracle, (y, pull), on float64 inputs with a dyadic dy; the unit is the largest entry: sums of eighths hardly round."""
    (y, pull), names = solved
    dy = whole(np.random.default_rng([ord(c) for c in name]), -2, 2, np.shape(y), 16)
    got = pull(dy)
    gradients = {key: rounded(g) for key, g in zip(names, got if isinstance(got, tuple) else (got,), strict=True) if g is not None}
    outputs = {"y": rounded(y)}
    return GoldenCase(name, operation, convention, {**inputs, "dy": dy}, outputs, gradients,
                {key: float(np.abs(x).max()) for key, x in {**outputs, **gradients}.items()}, True)


def _maps():
    """Make the cases of dense, convolution, pooling, ReLU and batch normalisation."""
    rng = np.random.default_rng(3)
    for n, bias in product((1, 3, 16), (False, True)):
        x, w = whole(rng, -2, 2, (4, n), 8), whole(rng, -2, 2, (n, 5), 8)
        b = whole(rng, -2, 2, 5, 8) if bias else None
        inputs = {"x": x, "w": w} | ({"b": b} if bias else {})
        yield _case(f"dense-{n}-{'bias' if bias else 'plain'}", "dense", {}, inputs, (maps.dense(x, w, b), ("dx", "dw", "db")))
    for (kh, kw), stride, padding in product(((1, 1), (2, 3), (3, 3)), (1, 2), (0, 1, 2)):
        x, w = whole(rng, -1, 1, (2, 5, 6, 2), 8), whole(rng, -1, 1, (kh, kw, 2, 3), 8)
        yield _case(f"conv-{kh}x{kw}-stride-{stride}-padding-{padding}", "conv2d", {"stride": stride, "padding": padding},
                    {"x": x, "w": w}, (maps.conv2d(x, w, stride, padding), ("dx", "dw")))
    for kind, (size, stride), values in product(("max", "avg"), ((2, None), (2, 1), (3, 2), (3, 3), (1, 2)), ("spikes", "ties", "eighths")):
        low, high, parts = {"spikes": (0, 2, 1), "ties": (-2, 2, 1), "eighths": (-2, 2, 8)}[values]
        x = whole(rng, low, high, (2, 5, 6, 2), parts)
        pooled = (maps.max_pool2d if kind == "max" else maps.avg_pool2d)(x, size, stride), ("dx",)
        yield _case(f"{kind}-pool-{size}-stride-{stride or size}-{values}", f"{kind}_pool2d", {"size": size, "stride": stride or size},
                    {"x": x}, pooled)
    x = np.full((1, 4, 4, 1), 0.5)
    yield _case("max-pool-all-equal", "max_pool2d", {"size": 2, "stride": 2}, {"x": x}, (maps.max_pool2d(x), ("dx",)))
    for k, top in enumerate((np.inf, 1.0, 0.5)):
        x = whole(rng, -2, 2, (3, 4), 2)
        yield _case(f"relu-{k}", "relu", {"top": top}, {"x": x}, (maps.relu(x, top), ("dx",)))
    for shape, of_batch, eps in product(((5, 3), (8, 2), (2, 3, 2, 3)), (True, False), (2.0 ** -17, 0.5)):
        yield _batch_norm(rng, shape, of_batch, eps)
    yield _batch_norm(rng, (4, 2), True, 2.0 ** -17, constant=True)


def _batch_norm(rng, shape, of_batch, eps, constant=False):
    """Make one case of batch normalisation; the unit follows how far x is from its mean, in sigma."""
    x = np.full(shape, 0.75) if constant else whole(rng, -2, 4, shape, 8)
    channels = shape[-1]
    gamma, beta = whole(rng, 0.5, 2, channels, 8), whole(rng, -1, 1, channels, 8)
    given = None if of_batch else (whole(rng, -1, 1, channels, 8), whole(rng, 0.5, 2, channels, 8))
    inputs = {"x": x, "gamma": gamma, "beta": beta} | ({} if of_batch else {"mean": given[0], "var": given[1]})
    name = f"batch-norm-{'x'.join(map(str, shape))}-{'batch' if of_batch else 'given'}-eps-{eps:.0e}{'-constant' if constant else ''}"
    case = _case(name, "batch_norm", {"eps": eps}, inputs, (maps.batch_norm(x, gamma, beta, given, eps), ("dx", "dgamma", "dbeta")))
    rows = x.reshape(-1, channels)
    var = rows.var(axis=0) if of_batch else given[1]
    scale = 1 + float((np.abs(rows).max() + 1) / np.sqrt(var + eps).min())
    dy = float(np.abs(case.inputs["dy"]).max())
    steep = float((gamma / np.sqrt(var + eps)).max())
    return case._replace(units={"y": 2 * scale, "dx": dy * steep * scale, "dgamma": len(rows) * dy * scale, "dbeta": len(rows) * dy})


def _losses():
    """Make the cases of the four losses."""
    rng = np.random.default_rng(4)
    for kind, k in product(("softmax_z", "softmax_t"), range(9)):
        n, classes = (1, 2) if k == 0 else (4, 5)
        z, labels = whole(rng, 1, 6, (n, classes), 64), np.arange(n) % classes
        beta = (10.0, 1.0, 40.0)[k % 3]
        if k in (3, 4, 5):
            z[:, 0] = np.inf                                             # the label of the first sample is silent, others too
            z[-1] = np.inf if k > 3 else z[-1]                           # all silent
        if k == 6:
            z[0, 1] = 2048.0                                             # fired, later than z_max
        if k == 7:
            z[:] = 2.0                                                   # all at one time
        exact_loss = maps.softmax_z(z, labels) if kind == "softmax_z" else maps.softmax_t(z, labels, beta)
        convention = {"z_max": 1e3} | ({"beta": beta} if kind == "softmax_t" else {})
        counted = np.where(np.isfinite(z), z, 1e3)
        yield _loss(f"{kind.replace('_', '-')}-{k}", kind, convention, {"z": z, "labels": labels},
                    (*exact_loss, float(np.max(counted if kind == "softmax_z" else 1 + beta * np.log(counted))),
                     1 / n if kind == "softmax_z" else beta / n / float(z.min())))
    for kind, k in product(("mse", "cross_entropy"), range(8)):
        n, classes = (1, 2) if k == 0 else (4, 5)
        y, labels = whole(rng, 0, 8, (n, classes), (1, 8)[k % 2]), (np.arange(n) + k) % classes
        y *= 64 if k == 6 else 1
        y[:] = 3.0 if k == 7 else y
        exact_loss = maps.mse(y, labels) if kind == "mse" else maps.cross_entropy(y, labels)
        yield _loss(f"{kind.replace('_', '-')}-{k}", kind, {}, {"y": y, "labels": labels},
                    (*exact_loss, float(np.abs(y).max()), 2 / y.size if kind == "mse" else 1 / n))


def _loss(name, kind, convention, inputs, results):
    """Make one case of a loss; probabilities carry the rounding of the largest score, and the largest gradient there can be is `steep`."""
    loss, d, largest, steep = results
    loss, d = rounded(loss), rounded(d)
    units = {"loss": float(np.abs(loss)) + largest + 1, "d": (largest + 4) * steep}
    return GoldenCase(name, kind, convention, inputs, {"loss": loss}, {"d": d}, units, True)


def _proxy_training(name, sizes, how, seed):
    """Train by proxy for ten steps of plain gradient descent, in 60 digits; dense layers with biases."""
    rng = np.random.default_rng(seed)
    x, labels, start = whole(rng, 0, 1, (6, sizes[0]), 64), np.arange(6) % sizes[-1], {}
    for k, (n, m) in enumerate(pairwise(sizes), 1):
        start |= {f"w{k}": short(1.25 / n) + whole(rng, -0.5, 0.5, (n, m), 256), f"b{k}": whole(rng, -0.0625, 0.25, m, 256)}
    params, losses, first = {key: exact(w) for key, w in start.items()}, [], None
    for _ in range(10):
        counts = _spiking(x, params, how)
        scale = exact(1.0)[()] / (how["n_steps"] if how["on"] == "rates" else 1)
        loss, dy = (maps.mse if how["loss"] == "mse" else maps.cross_entropy)(exact(counts) * scale, labels)
        grads = _through_relu(x, params, dy * scale, how["threshold"] if how["clip"] else np.inf)
        losses.append(loss)
        first = first or grads
        params = {key: w - exact(how["lr"])[()] * grads[key] for key, w in params.items()}
    return _trained(name, "proxy_training", how, {"x": x, "labels": labels, **start},
                   (losses, params.values(), [first[key] for key in params]))


def _spiking(x, params, how):
    """Count the output spikes of a constant current."""
    rule = Rule(how["reset"], "same", how["fire"])
    s = np.broadcast_to(exact(x), (how["n_steps"], *x.shape))
    for k in range(1, len(params) // 2 + 1):
        current = np.array([x_t @ params[f"w{k}"] + params[f"b{k}"] for x_t in s])
        start = exact(how["v_init"] * how["threshold"])[()]
        s, _, _ = oracle_spikes.forward(current, exact(how["threshold"])[()], start, rule)
        s = exact(s)
    return rounded(s.sum(axis=0))


def _through_relu(x, params, dy, top):
    """Pull dy back through the ReLU network with these parameters; its output has no ReLU."""
    a, pulls = exact(x), []
    n_layers = len(params) // 2
    for k in range(1, n_layers + 1):
        a, pull = maps.dense(a, params[f"w{k}"], params[f"b{k}"])
        pulls.append(pull)
        if k < n_layers:
            a, pull = maps.relu(a, top)
            pulls.append(pull)
    grads, k = {}, n_layers
    for pull in reversed(pulls):
        got = pull(dy)
        if isinstance(got, tuple):
            dy, grads[f"w{k}"], grads[f"b{k}"] = got
            k -= 1
        else:
            dy = got
    return grads


def _trainings():
    """Make whole small networks, trained for ten steps."""
    temporal = ((4, 5, 3), "t", 4.0), ((4, 5, 3), "z", 1.0), ((5, 4, 4, 2), "t", 2.0), ((3, 8, 3), "z", 1.0)
    for k, (sizes, loss, beta) in enumerate(temporal):
        yield _temporal_training(f"temporal-training-{k}", sizes, {"loss": loss, "beta": beta, "lr": 0.03125}, 10 + k)
    proxy = (("subtract", ">=", "mse", "rates", True), ("zero", ">=", "cross_entropy", "counts", False),
             ("subtract", ">", "cross_entropy", "rates", True), ("zero", ">=", "mse", "counts", False))
    for k, (reset, fire, loss, on, clip) in enumerate(proxy):
        how = {"n_steps": 8, "threshold": 2.0 if k == 3 else 1.0, "v_init": 0.0 if k == 3 else 0.5, "reset": reset, "fire": fire,
               "loss": loss, "on": on, "clip": clip, "lr": 0.25 if on == "rates" else 0.03125}
        yield _proxy_training(f"proxy-training-{k}", (6, 7, 5, 3) if k == 2 else (6, 8, 3), how, 20 + k)


def rebuild(folder=FOLDER):
    """Make all cases anew from the oracles, and write them; needs mpmath.

    Parameters
    ----------
    folder : path
        Where to; made if it is not there.

    Returns
    -------
    int
        How many cases.
    """
    made = [(case, file) for file, make in {"temporal": _temporal, "integrate_fire": _integrate_fire, "maps": _maps, "losses": _losses,
                                            "training": _trainings}.items() for case in make()]
    made += [(case, "integrate_fire") for case in _pooled_fire()] + [(case, "maps") for case in _levels()]
    made += [(case, "leaky") for case in _leaky()]
    made += [(case, "spike_times") for make in (times.spike_times, times.delays, times.convolutions) for case in make()]
    made += [(case, "theta") for case in theta.cases()]
    made += [(case, "event_prop") for make in (events.cases, events.maxima) for case in make()]
    if len({case.name for case, _ in made}) != len(made):
        raise ValueError("golden: two cases of one name")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    entries, sums, archives = [], [], {}
    for case, archive in made:
        file = f"{archive}.npz"
        arrays = {f"{case.name}/{role}/{key}": np.asarray(x) for role in ROLES for key, x in getattr(case, role).items()
                  if role != "units" or np.ndim(x)}
        archives.setdefault(file, {}).update(arrays)
        sums.append(f"{digest(arrays)}  {file}/{case.name}")
        entries.append({"name": case.name, "operation": case.operation, "file": file, "float32": case.float32,
                        "convention": {k: INFINITE if v == np.inf else v for k, v in case.convention.items()},
                        "units": {k: float(f"{x:.3g}") for k, x in case.units.items() if not np.ndim(x)}})
    for file, arrays in archives.items():
        _write(folder / file, arrays)
    head = {"version": VERSION, "keys": "CASE/ROLE/NAME", "roles": ROLES, "tolerance": "|got - wanted| <= 4 eps unit; unit 0: equal",
            "values": "exact, or to 50 digits; rounded once to float64",
            "hashes": "SHA-256 of the bytes of a case's arrays, in the order of their keys; SHA256SUMS: hash, two blanks, FILE/CASE; and "
                      "that of this file",
            "operations": MEANING}
    lines = ",\n".join(json.dumps(e) for e in entries)
    text = (json.dumps(head, indent=1)[:-2] + ',\n "cases": [\n' + lines + "\n ]\n}\n").encode()
    (folder / "schema.json").write_bytes(text)
    sums.append(f"{hashlib.sha256(text).hexdigest()}  schema.json")
    (folder / "SHA256SUMS").write_text("\n".join(sums) + "\n")
    return len(made)


def _write(path, arrays):
    """Write an .npz whose bytes depend on the arrays alone: no dates."""
    with zipfile.ZipFile(path, "w") as archive:
        for key, x in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asarray(x, order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{key}.npy", (1980, 1, 1, 0, 0, 0)), data.getvalue(), zipfile.ZIP_DEFLATED, 9)
