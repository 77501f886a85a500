"""How the golden vectors of ReLU networks, losses and proxy learning are made; see `golden_cases`."""

from itertools import pairwise, product

import numpy as np

from ..conventions import Rule
from . import oracle_maps as maps
from . import oracle_spikes
from ._numbers import exact, rounded
from .golden import Case
from .golden_cases import short, temporal_training, trained, whole


def _case(name, operation, convention, inputs, found):
    """Run an oracle, (y, pull), on float64 inputs with a dyadic dy; the unit is the largest entry: sums of eighths hardly round."""
    (y, pull), names = found
    dy = whole(np.random.default_rng([ord(c) for c in name]), -2, 2, np.shape(y), 16)
    got = pull(dy)
    gradients = {key: rounded(g) for key, g in zip(names, got if isinstance(got, tuple) else (got,), strict=True) if g is not None}
    outputs = {"y": rounded(y)}
    return Case(name, operation, convention, {**inputs, "dy": dy}, outputs, gradients,
                {key: float(np.abs(x).max()) for key, x in {**outputs, **gradients}.items()}, True)


def maps_cases():
    """Make the cases of dense, convolution, pooling, ReLU and batch normalisation.

    Yields
    ------
    Case
        Inputs are eighths; of poolings small whole numbers and 0/1, full of ties.
    """
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
        found = (maps.max_pool2d if kind == "max" else maps.avg_pool2d)(x, size, stride), ("dx",)
        yield _case(f"{kind}-pool-{size}-stride-{stride or size}-{values}", f"{kind}_pool2d", {"size": size, "stride": stride or size},
                    {"x": x}, found)
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


def losses():
    """Make the cases of the four losses.

    Yields
    ------
    Case
        Silent labels and all silent for spike times; large scores, equal scores.
    """
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
        found = maps.softmax_z(z, labels) if kind == "softmax_z" else maps.softmax_t(z, labels, beta)
        convention = {"z_max": 1e3} | ({"beta": beta} if kind == "softmax_t" else {})
        seen = np.where(np.isfinite(z), z, 1e3)
        yield _loss(f"{kind.replace('_', '-')}-{k}", kind, convention, {"z": z, "labels": labels},
                    (*found, float(np.max(seen if kind == "softmax_z" else 1 + beta * np.log(seen))),
                     1 / n if kind == "softmax_z" else beta / n / float(z.min())))
    for kind, k in product(("mse", "cross_entropy"), range(8)):
        n, classes = (1, 2) if k == 0 else (4, 5)
        y, labels = whole(rng, 0, 8, (n, classes), (1, 8)[k % 2]), (np.arange(n) + k) % classes
        y *= 64 if k == 6 else 1
        y[:] = 3.0 if k == 7 else y
        found = maps.mse(y, labels) if kind == "mse" else maps.cross_entropy(y, labels)
        yield _loss(f"{kind.replace('_', '-')}-{k}", kind, {}, {"y": y, "labels": labels},
                    (*found, float(np.abs(y).max()), 2 / y.size if kind == "mse" else 1 / n))


def _loss(name, kind, convention, inputs, found):
    """Make one case of a loss; probabilities carry the rounding of the largest score, and the largest gradient there can be is `steep`."""
    loss, d, largest, steep = found
    loss, d = rounded(loss), rounded(d)
    units = {"loss": float(np.abs(loss)) + largest + 1, "d": (largest + 4) * steep}
    return Case(name, kind, convention, inputs, {"loss": loss}, {"d": d}, units, True)


def proxy_training(name, sizes, how, seed):
    """Train by proxy for ten steps of plain gradient descent, in 60 digits; dense layers with biases.

    Parameters
    ----------
    name : str
        Name of the case.
    sizes : tuple of int
        Inputs, hidden, outputs.
    how : dict
        n_steps, threshold, v_init, reset, fire, loss, on, clip, lr.
    seed : int
        For inputs and weights.

    Returns
    -------
    Case
        Losses before each step, the parameters after ten, the first gradients.
    """
    rng = np.random.default_rng(seed)
    x, labels, start = whole(rng, 0, 1, (6, sizes[0]), 64), np.arange(6) % sizes[-1], {}
    for k, (n, m) in enumerate(pairwise(sizes), 1):
        start |= {f"w{k}": short(1.25 / n) + whole(rng, -0.5, 0.5, (n, m), 256), f"b{k}": whole(rng, -0.0625, 0.25, m, 256)}
    params, found, first = {key: exact(w) for key, w in start.items()}, [], None
    for _ in range(10):
        counts = _spiking(x, params, how)
        scale = exact(1.0)[()] / (how["n_steps"] if how["on"] == "rates" else 1)
        loss, dy = (maps.mse if how["loss"] == "mse" else maps.cross_entropy)(exact(counts) * scale, labels)
        grads = _through_relu(x, params, dy * scale, how["threshold"] if how["clip"] else np.inf)
        found.append(loss)
        first = first or grads
        params = {key: w - exact(how["lr"])[()] * grads[key] for key, w in params.items()}
    return trained(name, "proxy_training", how, {"x": x, "labels": labels, **start},
                   (found, params.values(), [first[key] for key in params]))


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


def trainings():
    """Make whole small networks, trained for ten steps.

    Yields
    ------
    Case
        Four of temporal neurons, four by proxy.
    """
    temporal = ((4, 5, 3), "t", 4.0), ((4, 5, 3), "z", 1.0), ((5, 4, 4, 2), "t", 2.0), ((3, 8, 3), "z", 1.0)
    for k, (sizes, loss, beta) in enumerate(temporal):
        yield temporal_training(f"temporal-training-{k}", sizes, {"loss": loss, "beta": beta, "lr": 0.03125}, 10 + k)
    proxy = (("subtract", ">=", "mse", "rates", True), ("zero", ">=", "cross_entropy", "counts", False),
             ("subtract", ">", "cross_entropy", "rates", True), ("zero", ">=", "mse", "counts", False))
    for k, (reset, fire, loss, on, clip) in enumerate(proxy):
        how = {"n_steps": 8, "threshold": 2.0 if k == 3 else 1.0, "v_init": 0.0 if k == 3 else 0.5, "reset": reset, "fire": fire,
               "loss": loss, "on": on, "clip": clip, "lr": 0.25 if on == "rates" else 0.03125}
        yield proxy_training(f"proxy-training-{k}", (6, 7, 5, 3) if k == 2 else (6, 8, 3), how, 20 + k)
