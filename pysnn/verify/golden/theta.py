"""The golden vectors of theta neurons."""

from itertools import product

import numpy as np

from ..oracle import theta as oracle
from ..oracle._numbers import rounded
from .draw import whole
from .vectors import GoldenCase

BY_HAND = (       # t_in, w (one neuron), what it shows; trial 1.5, drive 1.25, first voltage 0.5, tau 1
    ("one-input", [0.75], [1]), ("no-input", [np.inf], [1]), ("inhibited", [0.5], [-16]), ("strong", [0.5], [64]), ("begin", [0], [0.25]),
    ("end", [1.5], [0.25]), ("behind-the-end", [2.5], [1]), ("too-late", [5], [1]), ("unsorted", [1, np.inf, 0.5], [-1, 9, 0.5]),
    ("tie", [1, 1], [2, -1]), ("tie-cancels", [0.5, 0.5], [4, -4]), ("behind-the-spike", [0.25, 1.25], [32, -8]),
    ("zero-weight", [0.25, 0.75], [0, 0.5]), ("late-sum", [2, 2.5, 9], [1, -0.5, 4]))


def _case(name, arrays, how):
    """Make one case of theta neurons; `how` is t_end, drive, v_init, tau. The unit of a gradient grows with the condition of the times."""
    (t_in, w), (_, drive, _, tau) = arrays, how
    dt_out = whole(np.random.default_rng([ord(c) for c in name]), -2, 2, (len(t_in), w.shape[1]), 16)
    t_out, cache = oracle.forward(t_in, w, *how)
    kappa = oracle.condition(cache)
    dt_in, dw = (rounded(g) for g in oracle.backward(dt_out, cache))
    late = 4 + float(kappa.max()) / tau
    steep = float(np.abs(dt_out).max()) * max(1.0, tau / (drive - 0.25))
    units = {name: late * (float(np.abs(g).max()) + steep) for name, g in (("dt_in", dt_in), ("dw", dw))}
    return GoldenCase(f"theta-{name}", "theta", dict(zip(("t_end", "drive", "v_init", "tau"), how, strict=True)),
                      {"t_in": t_in, "w": w, "dt_out": dt_out}, {"t_out": rounded(t_out)}, {"dt_in": dt_in, "dw": dw},
                      {"t_out": float(kappa.max()), **units}, float(kappa.max()) < 1e3 * tau)


def cases():
    """Make the cases: by hand, random, at one time, never, behind the end of the trial, other drives and time constants.

    Yields
    ------
    GoldenCase
        One after the other.
    """
    rng, usual = np.random.default_rng(10), (1.5, 1.25, 0.5, 1.0)
    for name, t, w in BY_HAND:
        yield _case(f"hand-{name}", (np.array([t], float), np.array(w, float)[:, None]), usual)
    for n, k in product((1, 2, 4, 8, 16), range(2)):
        yield _case(f"random-{n}-{k}", (whole(rng, 0, 3, (2, n), 64), whole(rng, -1.5, 2, (n, 2), 64) / 2 ** (n.bit_length() // 2)), usual)
    for kind, n in product(("ties", "silent", "late", "weak"), (3, 6, 12)):
        t_in = whole(rng, *((1.5, 5) if kind == "late" else (0, 3)), (2, n), 2 if kind == "ties" else 64)
        t_in[rng.random(t_in.shape) < (0.4 if kind == "silent" else 0)] = np.inf
        w = whole(rng, -1.5, 2, (n, 2), 64) / (16 if kind == "weak" else 2)
        yield _case(f"{kind}-{n}", (t_in, w), usual)
    hows = ((3.0, 0.5, 0.25, 1.0), (2.5, 2.25, -0.5, 2.0), (0.5, 4.25, 0.0, 0.25), (24.0, 1.25, 0.5, 8.0), (4.0, 0.265625, 0.5, 0.25))
    for k, how in enumerate(hows):
        t_in = whole(rng, 0, 2, (2, 5), 64) * how[0]
        yield _case(f"scale-{k}", (t_in, whole(rng, -1.5, 2, (5, 2), 64)), how)
