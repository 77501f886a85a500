"""Networks, images and rules for the streaming engine."""

import numpy as np

from pysnn import layers
from pysnn.conventions import Rule, Stage
from pysnn.network import SpikingNetwork

RULES = [Rule(), Rule("zero"), Rule("subtract", "next"), Rule("zero", "next", ">"), Rule("subtract", "same", ">")]
NETS = {   # input shape, (channels, pooling) of the convolutions, sizes of the dense layers
    "odd channels, wide dense": ((8, 8, 1), [(16, ""), (20, "max"), (40, "max")], [70, 10]),
    "odd sides, blocks of 64": ((9, 7, 2), [(5, "max"), (33, ""), (100, "")], [20, 3]),
    "one convolution, pooled": ((6, 6, 3), [(64, "max")], [10]),
    "more than 128 channels": ((5, 5, 1), [(130, ""), (130, "")], [3]),
    "means of four": ((9, 8, 1), [(20, "avg"), (40, "avg"), (8, "")], [5]),
    "means of four before dense": ((8, 8, 1), [(20, "max"), (70, "avg")], [20, 5]),
    "dense on an image": ((5, 4, 2), [], [30, 3]),
    "wide dense": ((40,), [], [300, 270, 7]),
    "dense alone": ((50,), [], [130, 40, 10]),
}


def network(rng, shape, convs, denses, dtype, step=256):
    """Draw stages whose weights are multiples of 1/step, so that sums are exact in any order."""
    def draw(*size, gain):
        w = gain * rng.standard_normal(size) / np.sqrt(np.prod(size[:-1]))
        return (np.round(w * step) / step).astype(dtype)

    def bias(n):
        return (np.round(rng.random(n) * step / 8) / step).astype(dtype)

    stages = []
    for n_out, pool in convs:
        height, width, n_in = shape
        stages.append(Stage(draw(3, 3, n_in, n_out, gain=2), bias(n_out), pool))
        shape = (height // 2, width // 2, n_out) if pool else (height, width, n_out)
    n_in = int(np.prod(shape))
    for n_out in denses:
        stages.append(Stage(draw(n_in, n_out, gain=4), bias(n_out)))
        n_in = n_out
    return stages


def images(rng, shape, n, dtype):
    return (np.round(rng.random((n, *shape)) * 16) / 16).astype(dtype)


def assert_same(got, ref):
    np.testing.assert_array_equal(got.counts, ref.counts)
    np.testing.assert_array_equal(got.potential, ref.potential)
    assert got.n_spikes == ref.n_spikes
    for a, b in zip(got.layer_counts or [], ref.layer_counts or [], strict=True):
        np.testing.assert_array_equal(a, b)


INSIDE = {   # stages of an image: (channels, pooling; None: no convolution before the first neurons), sizes of the dense layers
    "pooled inside": ((8, 8, 2), [(5, "inside"), (7, "inside")], [9, 4]),
    "currents given": ((7, 6, 3), [(None, "inside"), (6, ""), (5, "inside")], [4]),
    "currents given, not pooled": ((4, 5, 2), [(None, ""), (3, "inside")], [3]),
    "enough channels for tiles": ((9, 8, 1), [(32, ""), (40, "inside"), (33, "")], [5]),
    "flat": ((12,), [], [9, 8, 3]),
}


def network_inside(rng, shape, convs, denses, dtype):
    """Draw stages whose neurons pool inside and begin channel by channel; sums are exact."""
    given = [pool for n, pool in convs if n is None]
    start = (shape[0] // 2, shape[1] // 2, shape[2]) if given == ["inside"] else shape
    made = network(rng, start, [(n, "max" if pool == "inside" else pool) for n, pool in convs if n], denses, dtype)
    inner = iter(made)
    made = [Stage(None, None, pool) if n is None else next(inner)._replace(pool=pool) for n, pool in convs] + list(inner)
    channels = [shape[-1] if s.w is None else s.w.shape[-1] for s in made]
    return [s._replace(v_init=(rng.integers(0, 9, n) / 8).astype(dtype)) if k % 2 == 0 or len(made) < 4 else s
            for k, (s, n) in enumerate(zip(made, channels, strict=True))]


def step_by_step(stages, x, n_steps, threshold, v_init, rule, output, at):
    """Run stages in plain loops over steps, layers and places of a window, with nothing of the package; return what a Run holds."""
    v, counts, found = {}, [0.0] * len(stages), []
    for t in range(1, n_steps + 1):
        s = x
        for k, (w, b, pool, start) in enumerate(stages):
            if w is None:
                current = s
            elif w.ndim == 2:
                current = s.reshape(len(s), -1) @ w
            else:
                padded = np.pad(s, ((0, 0), (1, 1), (1, 1), (0, 0)))
                n_h, n_w = s.shape[1:3]
                current = sum(padded[:, i:i + n_h, j:j + n_w] @ w[i, j] for i in range(3) for j in range(3))
            current = current if b is None else current + b
            u = v.get(k, np.zeros_like(current) + (v_init if start is None else start)) + current
            if k == len(stages) - 1 and not output:
                v[k], counts[k] = u, counts[k] + current
                continue
            places = [(i, j) for i in (0, 1) for j in (0, 1)] if pool == "inside" else []
            n_h, n_w = (u.shape[1] // 2 * 2, u.shape[2] // 2 * 2) if places else (0, 0)
            top = np.max([u[:, i:n_h:2, j:n_w:2] for i, j in places], axis=0) if places else u
            s = (top >= threshold if rule.fire == ">=" else top > threshold).astype(x.dtype)
            each = np.zeros_like(u) if places else s
            for i, j in places:
                each[:, i:n_h:2, j:n_w:2] = s
            v[k] = np.where(each > 0, u - threshold if rule.reset == "subtract" else 0, u)
            counts[k] = counts[k] + s
        if t in at:
            found.append(counts[-1])
    channels = [np.zeros(c.shape[-1]) if k == len(stages) - 1 and not output else c.reshape(-1, c.shape[-1]).sum(axis=0)
                for k, c in enumerate(counts)]
    return np.stack(found), v[len(stages) - 1], [c.sum() for c in channels], counts, channels


def network_of_layers(backend, n_steps=5):
    """Build a spiking network that pools inside, begins channel by channel, ends in a mean and does not fire; sums are exact."""
    rng, c = np.random.default_rng(3), layers.NeuronConfig(n_steps, 1.0, 0.5, Rule(), False)
    shapes = {"w1": (3, 3, 2, 4), "w2": (3, 3, 4, 5), "w3": (5, 3)}
    params = {name: (rng.integers(-16, 24, shape) / 32).astype(np.float32) for name, shape in shapes.items()}
    made = [layers.Conv(params, 1, 1, 1, backend), layers.PooledFire(c, backend, True), layers.Conv(params, 2, 1, 1, backend),
            layers.IntegrateFire(c, backend), layers.AvgPool(backend, 4), layers.Flatten(), layers.Dense(params, 3, backend)]
    made[3].v_init = np.linspace(0, 1, 5, dtype=np.float32)
    return SpikingNetwork(made, params, {}, c), images(rng, (8, 8, 2), 3, np.float32)
