"""The networks by name."""

from itertools import pairwise

import numpy as np

from . import _checks
from .layers import TemporalDense
from .network import Network


def parse(spec):
    """Turn "784-800-10" into (784, 800, 10).

    Parameters
    ----------
    spec : str
        Layer sizes, input first, joined by "-".

    Returns
    -------
    tuple of int
        The sizes.

    Raises
    ------
    ValueError
        If that is not what spec says.
    """
    parts = spec.split("-") if isinstance(spec, str) else []
    if len(parts) < 2 or not all(p.isdecimal() and int(p) > 0 for p in parts):
        raise ValueError(f"model: expected layer sizes such as 784-800-10, got {spec!r}")
    return tuple(int(p) for p in parts)


def temporal_params(spec, rng, bias=False, mean=4.0, std=0.56, dtype=np.float32):
    """Draw weights that leave the neurons alive.

    Parameters
    ----------
    spec : str
        Layer sizes, such as "784-800-10".
    rng : numpy.random.Generator
        Source of randomness.
    bias : bool
        Whether each layer has an extra input spike at z = 1.
    mean : float
        Expected sum of a neuron's weights, in units of the threshold; well above 1, so that it fires.
    std : float
        Standard deviation of a weight times the square root of the number of inputs.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    dict of str to array
        w1, w2, ... of shape (n_in, n_out).
    """
    sizes = parse(spec)
    params = {}
    for k, (n_in, n_out) in enumerate(pairwise(sizes), 1):
        n = n_in + bias
        params[f"w{k}"] = (mean / n + std / np.sqrt(n) * rng.standard_normal((n, n_out))).astype(dtype)
    return params


def build(spec, neuron="temporal", params=None, bias=False, drops=None, backend="auto"):
    """Build a network on given parameters.

    Parameters
    ----------
    spec : str
        Layer sizes, such as "784-800-10".
    neuron : {"temporal"}
        Kind of neuron.
    params : dict of str to array
        Weights w1, w2, ...; networks only refer to them.
    bias : bool
        Whether each layer has an extra input spike at z = 1.
    drops : sequence of float, optional
        Share of the spikes lost before each layer in training.
    backend : {"auto", "reference", "numba"}
        What computes.

    Returns
    -------
    Network
        The network.

    Raises
    ------
    ValueError
        If the parameters are not those of the model, or not finite.
    """
    if neuron != "temporal":
        raise ValueError(f"neuron: expected 'temporal', got {neuron!r}")
    if params is None:
        raise ValueError("params: expected a dict of weights, such as temporal_params(spec, rng) draws, got None")
    sizes = parse(spec)
    wanted = {f"w{k}": (a + bias, b) for k, (a, b) in enumerate(pairwise(sizes), 1)}
    found = {name: w.shape for name, w in params.items()}
    if found != wanted:
        raise ValueError(f"params: expected {wanted} for model {spec}, got {found}")
    for name, w in params.items():
        _checks.finite(w, name)
    drops = drops or [0.0] * len(wanted)
    return Network([TemporalDense(params, name, bias, p, backend) for name, p in zip(wanted, drops, strict=True)], params)
