"""The golden vectors of leaky neurons that fire many times, and of the maxima of those that do not fire."""

from itertools import product

import numpy as np

from ..oracle import event_prop as oracle
from ..oracle._numbers import rounded
from .draw import whole
from .vectors import GoldenCase

INF = np.inf
TAUS = ((4.0, 1.0), (2.0, 1.0), (1.0, 1.0), (0.5, 1.5))
BY_HAND = (       # t_in, w (one neuron), what it shows; threshold 1/2, tau_m 2, tau_s 1
    ("pair", [0, 0.5], [1, 1.5]), ("many", [0, 1, 2], [5, 4.5, 4]), ("unsorted", [2, INF, 0], [3, 9, 3.5]),
    ("all-silent", [INF, INF], [9, 9]), ("never-there", [0, 1], [0.5, 0.25]), ("inhibited", [0, 0.25, 3], [4, -6, 4.5]))
MAXIMA_BY_HAND = (  # t_in, w, what it shows; tau_m 2, tau_s 1
    ("one-peak", [0], [4]), ("at-an-input", [0, 1], [4, -6]), ("never-above-0", [0.5, 1], [-2, -0.5]), ("second-peak", [0, 6], [2, 4]),
    ("unsorted", [3, INF, 0], [1.5, 9, 2.5]), ("never-there", [INF, INF], [3, 9]))


def _case(name, arrays, how):
    """Make one case; None if a spike is badly conditioned or nearly lost."""
    threshold, tau_m, tau_s = how
    t_out, cache = oracle.forward(**arrays, threshold=threshold, tau_m=tau_m, tau_s=tau_s)
    kappa, fired = oracle.condition(cache), rounded(t_out) < INF
    for factor in (0.98, 1.02):
        other = rounded(oracle.forward(**arrays, threshold=factor * threshold, tau_m=tau_m, tau_s=tau_s)[0]) < INF
        if kappa > 1e3 or other.shape != fired.shape or (other != fired).any():
            return None
    dt_out = whole(np.random.default_rng([ord(c) for c in name]), -2, 2, t_out.shape, 16)
    grads = zip(("dt_in", "dw", "dw_rec"), oracle.backward(np.where(fired, dt_out, 0), cache), strict=True)
    grads, t_out = {key: rounded(g) for key, g in grads if g is not None}, rounded(t_out)
    most = {key: (kappa + 10) ** 2 * max(float(np.abs(g).max()), 1.0) for key, g in grads.items()}
    return GoldenCase(f"event-prop-{name}", "event_prop", {"threshold": threshold, "tau_m": tau_m, "tau_s": tau_s},
                      arrays | {"dt_out": np.where(fired, dt_out, 0)}, {"t_out": t_out}, grads,
                      {"t_out": kappa + 10 + float(np.where(fired, t_out, 0).max()), **most}, True)


def _maxima(name, arrays, how, drawn=True):
    """Make one case of maxima; None if one is badly conditioned, or nearly the second largest."""
    tau_m, tau_s = how
    v_max, cache = oracle.max_forward(**arrays, tau_m=tau_m, tau_s=tau_s)
    if (drawn and oracle.max_gap(cache) < 0.01) or (kappa := oracle.max_condition(cache)) > 1e3:
        return None
    dv_max = whole(np.random.default_rng([ord(c) for c in name]), -2, 2, v_max.shape, 16)
    grads = {key: rounded(g) for key, g in zip(("dt_in", "dw"), oracle.max_backward(dv_max, cache), strict=True)}
    most = {key: (kappa + 10) ** 2 * max(float(np.abs(g).max()), 1.0) for key, g in grads.items()}
    return GoldenCase(f"event-max-{name}", "event_max", {"tau_m": tau_m, "tau_s": tau_s}, arrays | {"dv_max": dv_max},
                      {"v_max": rounded(v_max)}, grads, {"v_max": kappa + 10, **most}, True)


def maxima():
    """Make all cases of maxima.

    Yields
    ------
    GoldenCase
        By hand; then four pairs of time constants.
    """
    for name, t, w in MAXIMA_BY_HAND:
        yield _maxima(name, {"t_in": np.array(t, float).reshape(1, -1, 1), "w": np.array(w, float)[:, None]}, (2.0, 1.0), drawn=False)
    rng = np.random.default_rng(13)
    for (k, how), turn in product(enumerate(TAUS), range(9)):
        case = None
        while case is None:
            arrays = {"t_in": whole(rng, 0, 4, (1, 3, 2), 16), "w": whole(rng, -2, 3, (3, 2), 8)}
            arrays["t_in"][rng.random((1, 3, 2)) < 0.15] = INF
            case = _maxima(f"{k}-{turn}", arrays, how)
        yield case


def cases():
    """Make all cases.

    Yields
    ------
    GoldenCase
        By hand; then four pairs of time constants, with and without recurrent weights.
    """
    for name, t, w in BY_HAND:
        yield _case(name, {"t_in": np.array(t, float).reshape(1, -1, 1), "w": np.array(w, float)[:, None]}, (0.5, 2.0, 1.0))
    rng = np.random.default_rng(12)
    for (k, (tau_m, tau_s)), recurrent, turn in product(enumerate(TAUS), (False, True), range(5)):
        case = None
        while case is None:
            arrays = {"t_in": whole(rng, 0, 4, (1, 3, 2), 16), "w": whole(rng, -1, 4, (3, 2), 8) / (2 if k > 1 else 1)}
            arrays["t_in"][rng.random((1, 3, 2)) < 0.15] = INF
            arrays |= {"w_rec": whole(rng, -1, 0.5, (2, 2), 8)} if recurrent else {}
            case = _case(f"{k}-{'recurrent' if recurrent else 'plain'}-{turn}", arrays, (1.0, tau_m, tau_s))
        yield case
