"""Small random spiking networks that NIR has words for."""

import numpy as np

from pysnn import models
from pysnn.conventions import Rule
from pysnn.layers import NeuronConfig
from pysnn.models import AvgPool, BatchNorm, Conv, Dense, Flatten, Integrate, Leaky, Neurons

RULES = [(), ("zero",), ("subtract", "next"), ("zero", "next"), ("subtract", "next", "leak first")]


def drawn(seed, dtype=None):
    """Draw a network and its input: neurons with or without leak, synapse, recurrence and readout, dense or with convolutions."""
    rng = np.random.default_rng(seed)
    dtype = dtype or (np.float32 if seed % 2 else np.float64)
    timed, image, leaks = bool(rng.integers(2)), seed % 3 == 0, seed % 5 < 3
    rule = RULES[rng.integers(len(RULES))]

    def neurons(recurrent=True):
        if not leaks:
            return Neurons()
        learn = ("beta", "threshold") if rng.random() < 0.3 else ()
        return Leaky(float(rng.uniform(0.3, 0.95)), bool(recurrent and rng.integers(2)), 0.6 if rng.integers(2) else None, learn,
                     *rule[:1], **dict(zip(("timing", "order"), rule[1:], strict=False)), gain=("1", "1 - beta")[rng.integers(2)])
    if image:
        shape = 6, 5, 2
        specs = [Conv(3), *([BatchNorm()] if rng.integers(2) else []), neurons(False), AvgPool(2), Conv(4, (2, 3), padding=1),
                 neurons(False), Flatten()]
    else:
        shape, specs = (6,), [Dense(8), *([BatchNorm()] if rng.integers(2) else []), neurons()]
    specs += [Dense(7), neurons(), Dense(4), *([Integrate(0.8, 0.5 if rng.integers(2) else None)] if leaks and rng.integers(2) else [])]
    model = models.Model(shape, specs)
    params, state = models.rate_params(model, rng, True, "kaiming", dtype), models.rate_state(model, dtype)
    for name, x in [*params.items(), *state.items()]:
        if name.startswith(("gamma", "var", "leak", "threshold")):
            x[...] = rng.uniform(0.4, 0.9, x.shape)
        elif name.startswith(("mean", "beta")):
            x[...] = rng.normal(0, 0.2, x.shape)
        elif name.startswith("w") and not name.startswith("w_rec"):
            x *= 2.0
    plain = Rule(*(rule[:2] if len(rule) < 3 else ()), fire=(">=", ">")[rng.integers(2)])
    config = NeuronConfig(n_steps=int(rng.integers(5, 12)), threshold=float(rng.uniform(0.5, 1)), v_init=float(rng.choice([0, 0.3])),
                          rule=plain, output=bool(rng.integers(2)) and not isinstance(specs[-1], Integrate), timed=timed)
    net = models.build(model, "if", params, True, state=state, config=config)
    x = rng.normal(0.7, 1, (*([config.n_steps] if timed else []), 6, *shape)).astype(dtype)
    return net, x


def alive(run, net):
    """Tell whether every layer of neurons spikes, and none always."""
    n_layers = sum(layer.fires for layer in net.layers)
    fired = [n for n, spikes in zip(run.layer_counts, run.n_spikes, strict=True) if spikes]
    return len(fired) == n_layers and all(0 < n.mean() < net.config.n_steps for n in fired)
