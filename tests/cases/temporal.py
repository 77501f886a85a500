"""Problems of the temporal neuron, an oracle that reads the definition (T2), the comparison with it, and what is refused."""

from typing import NamedTuple

import numpy as np

from tests.cases.tolerances import kappa_limit, tol

INF = np.inf


class Oracle(NamedTuple):
    """What the definition says in extended precision, in the order of time; K prefixes of the sorted inputs."""

    z_sorted: np.ndarray     # (B, K, 1)
    z_next: np.ndarray       # (B, K, 1)
    total: np.ndarray        # (B, K, N_out), sum of the weights that arrived
    moment: np.ndarray       # (B, K, N_out), sum of w z
    admissible: np.ndarray   # (B, K, N_out), right for some perturbation inside the band
    silent_ok: np.ndarray    # (B, N_out), silence is right for some perturbation
    near: np.ndarray         # (B, N_out), inside the band: more than one answer is right
    band: np.ndarray         # (N_out,)
    z_out: np.ndarray        # (B, N_out), the answer where not near
    kappa: np.ndarray        # (B, N_out), condition of z_out
    dz_dw: np.ndarray        # (B, N_in, N_out), (T7); 0 where near or silent
    dz_dz: np.ndarray        # (B, N_in, N_out), (T8)
    kappa_margin: np.ndarray  # (B, N_out), condition of the margin


def oracle(z_in, w, threshold, exact):
    """Evaluate the definition at the end of each interval between two inputs; `exact` data have no band."""
    wide = np.longdouble
    eps = np.finfo(w.dtype).eps
    threshold = wide(w.dtype.type(threshold))
    order = np.argsort(z_in, axis=1, kind="stable")
    z_sorted = np.take_along_axis(z_in, order, axis=1).astype(wide)
    came = np.isfinite(z_sorted)
    z_next = np.concatenate([z_sorted[:, 1:], np.full((len(z_in), 1), INF, wide)], axis=1)
    complete = (came & (z_sorted < z_next))[:, :, None]                 # (T6) inputs at one time enter together
    w_sorted = np.where(came[:, :, None], w.astype(wide)[order], 0)
    total = w_sorted.cumsum(axis=1)
    moment = (w_sorted * np.where(came, z_sorted, 0)[:, :, None]).cumsum(axis=1)
    z_sorted, z_next = z_sorted[:, :, None], z_next[:, :, None]
    last = np.isinf(z_next)
    finite_next = np.where(last, 1, z_next)
    excess = np.where(last, total - threshold, ((total - threshold) * finite_next - moment) / finite_next)
    band = (0 if exact else tol("band")) * len(w) * eps * (1 + np.abs(w).sum(axis=0, dtype=wide))
    reached = complete & np.where(last, excess > band, excess >= band)  # (T4) after the last input the sum must exceed it
    open_still = np.logical_or.accumulate(reached, axis=1)
    open_still = ~np.concatenate([np.zeros_like(reached[:, :1]), open_still[:, :-1]], axis=1)
    admissible = complete & open_still & np.where(last, excess > -band, excess >= -band)
    near = (admissible & ~reached).any(axis=1)
    clear = reached.any(axis=1) & ~near
    k = admissible.argmax(axis=1)[:, None, :]
    margin = np.where(clear, np.take_along_axis(total, k, axis=1)[:, 0] - threshold, 1)
    z_out = np.where(clear, np.take_along_axis(moment, k, axis=1)[:, 0] / margin, INF)       # (T3)
    heard = (z_in[:, :, None] <= np.take_along_axis(z_sorted[:, :, 0], k[:, 0], axis=1)[:, None, :]) & clear[:, None, :]
    heard &= np.isfinite(z_in)[:, :, None]
    w_heard = np.where(heard, w, 0).astype(wide)
    z_fin, z = np.where(np.isfinite(z_in), z_in, 0).astype(wide)[:, :, None], np.where(clear, z_out, 1)
    spread, size = np.abs(w_heard * (z_fin - z[:, None, :])).sum(axis=1), np.abs(w_heard * z_fin).sum(axis=1)
    return Oracle(z_sorted, z_next, total, moment, admissible, ~reached.any(axis=1), near, band, z_out,
                  (spread + size + z) / (margin * z), np.where(heard, (z_fin - z[:, None, :]) / margin[:, None, :], 0),
                  w_heard / margin[:, None, :], (np.abs(w_heard).sum(axis=1) + threshold) / margin)


def is_right(z_out, o, threshold, eps):
    """Say where z_out is right for some perturbation inside the band: V is the threshold there, (T2), in an admissible interval."""
    z = z_out.astype(np.longdouble)[:, None, :]
    fired = np.isfinite(z)
    z = np.where(fired, z, 1)
    slack = 16 * eps
    inside = (z >= o.z_sorted * (1 - slack)) & (z <= o.z_next * (1 + slack))
    v = o.total - o.moment / z - threshold
    size = np.abs(o.total) + np.abs(o.moment) / z + threshold
    at_threshold = np.abs(v) <= np.maximum(o.band, slack * len(o.z_sorted[0]) * size)
    return np.where(fired[:, 0], (o.admissible & inside & at_threshold).any(axis=1), o.silent_ok)


def draw_weights(rng, n_in, n_out, mean=1.6, std=1.0):
    return rng.normal(mean / n_in, std / np.sqrt(n_in), (n_in, n_out))


def continuous(rng, n_batch, n_in, n_out):
    return np.exp(rng.uniform(0, 2, (n_batch, n_in))), draw_weights(rng, n_in, n_out)


def some_silent(rng, n_batch, n_in, n_out):
    z = np.exp(rng.uniform(-1, 2, (n_batch, n_in)))
    z[rng.random(z.shape) < rng.random()] = INF
    return z, draw_weights(rng, n_in, n_out, 2.5)


def all_silent(rng, n_batch, n_in, n_out):
    z = np.exp(rng.uniform(0, 1, (n_batch, n_in)))
    z[rng.random(n_batch) < 0.5] = INF
    return z, draw_weights(rng, n_in, n_out, 3.0)


def two_times(rng, n_batch, n_in, n_out):
    z = np.where(rng.random((n_batch, n_in)) < 0.4, 1.0, 1 + rng.exponential(3))
    z[rng.random(z.shape) < rng.choice([0, 0.3])] = INF
    return z, draw_weights(rng, n_in, n_out, 2.0)


def wide_range(rng, n_batch, n_in, n_out):
    return np.exp(rng.uniform(-15, 15, (n_batch, n_in))), draw_weights(rng, n_in, n_out)


def one_input(rng, n_batch, n_in, n_out):
    return np.exp(rng.uniform(0, 2, (n_batch, 1))), rng.uniform(-1, 4, (1, n_out))


def below(rng, n_batch, n_in, n_out):
    """Sums of weights just below the threshold: only an early crossing makes a neuron fire."""
    z, w = np.exp(rng.uniform(0, 3, (n_batch, n_in))), draw_weights(rng, n_in, n_out, 0.5, 2.0)
    return z, w - (w.sum(axis=0) - rng.uniform(0.5, 1, n_out)) / n_in


def exact_ties(rng, n_batch, n_in, n_out):
    """Few times and weights in eighths: every sum is exact, V meets the threshold exactly now and then."""
    z = rng.integers(1, rng.choice([3, 6]), (n_batch, n_in)) / 2.0
    z[rng.random(z.shape) < 0.1] = INF
    return z, rng.integers(-8, 13, (n_in, n_out)) / 8.0


def sum_at_threshold(rng, n_batch, n_in, n_out):
    """Sums of weights a few ulp around the threshold."""
    z, w = np.exp(rng.uniform(0, 2, (n_batch, n_in))), np.abs(draw_weights(rng, n_in, n_out))
    return z, w / w.sum(axis=0) * (1 + rng.integers(-8, 9, n_out) * rng.choice([1e-7, 1e-16, 1e-3]))


def v_at_threshold(rng, n_batch, n_in, n_out):
    """V a few ulp around the threshold at one of the arrivals of the first sample."""
    z, w = np.exp(rng.uniform(0, 2, (n_batch, n_in))), draw_weights(rng, n_in, n_out, 0.5, 2.0)
    lag = 1 - z[0] / rng.permutation(z[0])[0]
    v = (np.maximum(lag, 0)[:, None] * w).sum(axis=0)
    scale = np.where(np.abs(v) > 0.1, np.abs(v), 1)
    return z, w / scale * (1 + rng.integers(-8, 9, n_out) * rng.choice([1e-7, 1e-16, 1e-3]))


FAMILIES = (continuous, some_silent, all_silent, two_times, wide_range, one_input, below, exact_ties, sum_at_threshold,
            v_at_threshold)
AIMED = (sum_at_threshold, v_at_threshold)      # meant to fall into the band


class Tally:
    """Counts and largest deviations over the problems of one family."""

    def __init__(self):
        self.n = self.fired = self.near = self.disagree = self.ill = 0
        self.z_out = self.gradient = 0.0


def judge(tally, module, z_in, w, threshold, o, dz_out):
    """Run one backend on one problem and hold it against the oracle."""
    eps = np.finfo(w.dtype).eps
    z_out, cache = module.forward(z_in, w, threshold)
    assert z_out.dtype == w.dtype and z_out.shape == o.near.shape
    assert is_right(z_out, o, np.longdouble(w.dtype.type(threshold)), eps).all()
    decided = ~o.near
    fires = np.isfinite(o.z_out)
    assert (np.isfinite(z_out) == fires)[decided].all()
    sound = decided & fires & (o.kappa < kappa_limit(w.dtype))
    unit = eps * (o.kappa + len(w)) * np.where(fires, o.z_out, 1)
    off = np.abs(np.where(sound, z_out, 0) - np.where(sound, o.z_out, 0)) / unit
    assert (off <= tol("z_out")).all(), (off.max(), threshold, z_in, w)
    dz_out = np.where(sound, dz_out, 0).astype(w.dtype)
    dz_in, dw = module.backward(np.where(np.isinf(z_out), w.dtype.type(np.nan), dz_out), cache)
    d = np.where(sound, dz_out, 0).astype(np.longdouble)[:, None, :]
    z_j, kappa = np.where(sound, o.z_out, 0)[:, None, :], np.where(sound, o.kappa, 0)[:, None, :]
    kappa_m = np.where(sound, o.kappa_margin, 0)[:, None, :]
    lever = np.abs(o.dz_dw) + z_j * kappa * np.where(o.dz_dw != 0, kappa_m, 0)
    for got, terms, unit, axis in ((dw, d * o.dz_dw, np.abs(d) * (lever + np.abs(o.dz_dw) * kappa_m), 0),
                                   (dz_in, d * o.dz_dz, np.abs(d * o.dz_dz) * kappa_m, 2)):
        bound = eps * unit.sum(axis=axis) * (1 + terms.shape[axis] / tol("gradient"))
        error = np.abs(got - terms.sum(axis=axis))
        assert (error <= tol("gradient") * bound).all(), (threshold, z_in, w)
        assert not got[bound == 0].any()                                 # exactly 0 outside all causal sets
        tally.gradient = max(tally.gradient, float((error / np.where(bound > 0, bound, 1)).max()))
    if hasattr(module, "backward_w"):
        np.testing.assert_array_equal(module.backward_w(dz_out, cache), dw)
    tally.z_out = max(tally.z_out, float(off.max()))
    return z_out


def exact_layer(rng, n_batch, n_in, n_out, dtype, n_times=16):
    """Draw a layer whose sums are exact in both dtypes, so that decisions must agree without any band."""
    z = rng.integers(1, n_times + 1, (n_batch, n_in)) * (4 / n_times)
    z[rng.random(z.shape) < 0.1] = INF
    w = np.round(256 * rng.normal(1.4 / n_in, 0.7 / np.sqrt(n_in), (n_in, n_out))) / 256
    return z.astype(dtype), w.astype(dtype)


Z, W = np.array([[1.0, 2.0, 3.0]]), np.ones((3, 2))
BAD_FORWARD = {
    "z_in with 1 dimension": ((Z[0], W), ValueError, r"z_in: expected shape \(any, 3\), got an array of shape \(3,\)"),
    "z_in with 3 dimensions": ((Z[None], W), ValueError, r"z_in: expected shape \(any, 3\)"),
    "w with 1 dimension": ((Z, W[0]), ValueError, r"w: expected 2 dimensions, got an array of shape \(2,\)"),
    "sizes that differ": ((Z[:, :2], W), ValueError, r"z_in: expected shape \(any, 3\), got an array of shape \(1, 2\)"),
    "integer z_in": ((np.array([[1, 2, 3]]), W), TypeError, "z_in: expected float32 or float64.*int64.*pysnn.encode"),
    "uint8 image": ((np.ones((1, 3), np.uint8), W), TypeError, "z_in: .*uint8.*pysnn.encode"),
    "integer w": ((Z, np.ones((3, 2), int)), TypeError, "w: expected float32 or float64.*pysnn.encode"),
    "bool": ((Z > 1, W), TypeError, "z_in: expected float32 or float64.*bool"),
    "float16": ((Z.astype(np.float16), W), TypeError, "float16"),
    "complex": ((Z + 0j, W), TypeError, "complex128"),
    "foreign byte order": ((Z.astype(">f8"), W), TypeError, "z_in: expected float32 or float64.*>f8"),
    "mixed dtypes": ((Z.astype(np.float32), W), TypeError, "one float dtype.*z_in is float32, w is float64"),
    "NaN": ((np.array([[1.0, np.nan, 2.0]]), W), ValueError, r"z_in: expected z = exp\(t\) > 0 .*got nan"),
    "z = 0": ((np.array([[1.0, 0.0, 2.0]]), W), ValueError, r"z_in: expected z = exp\(t\) > 0 .*got 0\.0"),
    "z < 0": ((np.array([[1.0, -1.0, 2.0]]), W), ValueError, r"got -1\.0"),
    "z = -inf": ((np.array([[1.0, -INF, 2.0]]), W), ValueError, "got -inf"),
    "empty batch": ((np.ones((0, 3)), W), ValueError, "z_in: expected at least one element"),
    "no inputs": ((np.ones((1, 0)), np.ones((0, 2))), ValueError, "w: expected at least one element"),
    "no outputs": ((Z, np.ones((3, 0))), ValueError, "w: expected at least one element"),
    "list z_in": (([[1.0, 2.0, 3.0]], W), TypeError, "z_in: expected a NumPy array, got list"),
    "list w": ((Z, [[1.0], [1.0], [1.0]]), TypeError, "w: expected a NumPy array, got list"),
    "None": ((Z, None), TypeError, "w: expected a NumPy array, got NoneType"),
    "threshold 0": ((Z, W, 0), ValueError, "threshold: expected a positive number, got int 0"),
    "threshold -1": ((Z, W, -1.0), ValueError, r"threshold: expected a positive number, got float -1\.0"),
    "threshold NaN": ((Z, W, np.nan), ValueError, "threshold: expected a positive number, got float nan"),
    "threshold inf": ((Z, W, INF), ValueError, "threshold: expected a positive number, got float inf"),
    "threshold text": ((Z, W, "1"), ValueError, "threshold: expected a positive number, got str '1'"),
    "threshold array": ((Z, W, np.ones(2)), ValueError, "threshold: expected a positive number, got an array"),
}
BAD_BACKWARD = {
    "transposed": (np.ones((2, 1)), ValueError, r"dz_out: expected shape \(1, 2\), got an array of shape \(2, 1\)"),
    "1 dimension": (np.ones(2), ValueError, r"dz_out: expected shape \(1, 2\), got an array of shape \(2,\)"),
    "float32": (np.ones((1, 2), np.float32), TypeError, "one float dtype.*dz_out is float32, z_out is float64"),
    "integers": (np.ones((1, 2), int), TypeError, "dz_out: expected float32 or float64, got an array .*int64"),
    "list": ([[1.0, 1.0]], TypeError, "dz_out: expected a NumPy array, got list"),
    "number": (1.0, TypeError, r"dz_out: expected a NumPy array, got float 1\.0"),
}
