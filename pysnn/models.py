"""The networks by name: from a line such as 28x28x1-32C3-P2-100-10 to parameters and layers."""

import re
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from . import _checks
from .layers import TemporalDense
from .network import Network, SpikingNetwork
from .rate_layers import AvgPool, BatchNorm, Conv, Dense, Dropout, Firing, Flatten, IntegrateFire, MaxPool, ReLU

NAMED = {   # name: (width if none is given, architecture; {n} stands for n times the width)
    "fashion-proxy": (128, "28x28x1-{1}C3-{1}C3-P2-{1}C3-P2-{20}-{9}-{2}-10"),
    "cifar-vgg": (64, "32x32x3-{1}C3-{1}C3-A2-{2}C3-{2}C3-A2-{4}C3-{4}C3-A2-{8}-10"),
}


class Part(NamedTuple):
    """One token of a model's line, without the input."""

    kind: str       # "conv", "dense", "max" or "avg"
    n: int          # channels or neurons that come out; of a pooling those of the layer before it
    shape: tuple    # of a sample, behind this part: (H, W, C) or (n,)
    w: tuple        # shape of the weights; () for a pooling


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


def resolve(spec):
    """Turn a name, such as "fashion-proxy:32", into the line it stands for; other lines stay as they are.

    Parameters
    ----------
    spec : str
        fashion-proxy or cifar-vgg, with ":" and a number of channels if not the papers' (128 and 64), or a line.

    Returns
    -------
    str
        The line, such as "28x28x1-32C3-32C3-P2-32C3-P2-640-288-64-10".

    Raises
    ------
    ValueError
        If the number is none.
    """
    name, colon, width = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    if name not in NAMED:
        return spec
    if colon and not (width.isdecimal() and int(width) > 0):
        raise ValueError(f"model: expected a number of channels after {name}:, got {spec!r}")
    standard, line = NAMED[name]
    return re.sub(r"\{(\d+)\}", lambda found: str(int(found[1]) * int(width or standard)), line)


def parts(spec):
    """Read a model's line: input, then convolutions, poolings, dense layers.

    Parameters
    ----------
    spec : str
        A name, or tokens joined by "-": the input 784 or 28x28x1; 32C3 for a 3 x 3 convolution with padding 1 to 32 channels, batch
        normalisation and neurons; P2 or A2 for the maximum or mean of 2 x 2 places; 640 for a dense layer; the last one is the output.

    Returns
    -------
    shape : tuple of int
        Of an input sample, (H, W, C) or (n,).
    parts : list of Part
        What comes behind it.

    Raises
    ------
    ValueError
        If the line cannot be read, or its parts do not fit.
    """
    first, *tokens = resolve(spec).split("-") if isinstance(spec, str) else [""]
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*x[1-9]\d*)?", first) or not tokens:
        raise ValueError(f"model: expected an input such as 784 or 28x28x1 and layers such as 32C3, P2, A2, 100, got {spec!r}")
    shape = given = tuple(int(n) for n in first.split("x"))
    found = []
    for token in tokens:
        image = len(shape) == 3
        if image and (m := re.fullmatch(r"([1-9]\d*)C3", token)):
            n = int(m[1])
            found.append(Part("conv", n, (*shape[:2], n), (3, 3, shape[2], n)))
        elif token in ("P2", "A2") and found and found[-1].kind == "conv" and min(shape[:2]) > 1:
            found.append(Part("max" if token == "P2" else "avg", shape[2], (shape[0] // 2, shape[1] // 2, shape[2]), ()))
        elif re.fullmatch(r"[1-9]\d*", token):
            found.append(Part("dense", int(token), (int(token),), (int(np.prod(shape)), int(token))))
        else:
            raise ValueError(f"model: expected a dense layer such as 100, or, while there is an image, a convolution such as 32C3 with P2 "
                             f"or A2 behind it, got {token!r} in {spec!r}")
        shape = found[-1].shape
    if found[-1].kind != "dense":
        raise ValueError(f"model: expected a dense layer as the output, got {spec!r}")
    return given, found


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


def rate_shapes(spec, bias=False):
    """Say which parameters a network of ReLU or integrate-and-fire neurons has.

    Parameters
    ----------
    spec : str
        A name or a line, see `parts`.
    bias : bool
        Whether dense layers have biases.

    Returns
    -------
    dict of str to tuple
        Shapes of w1, w2, ...; of gamma1, beta1, ... behind convolutions; of b1, b2, ... of dense layers.
    """
    shapes, k = {}, 0
    for part in parts(spec)[1]:
        k += bool(part.w)
        if part.kind == "conv":
            shapes |= {f"w{k}": part.w, f"gamma{k}": (part.n,), f"beta{k}": (part.n,)}
        elif part.kind == "dense":
            shapes |= {f"w{k}": part.w} | ({f"b{k}": (part.n,)} if bias else {})
    return shapes


def rate_params(spec, rng, bias=False, init="uniform", dtype=np.float32, gamma=1.0):
    """Draw weights for a network of ReLU or integrate-and-fire neurons.

    Parameters
    ----------
    spec : str
        A name or a line, see `parts`.
    rng : numpy.random.Generator
        Source of randomness.
    bias : bool
        Whether dense layers have biases; drawn between +-1/sqrt(n_in).
    init : {"uniform", "kaiming"}
        Weights between +-1/sqrt(n_in), as in the papers, or between +-sqrt(6/n_in), which keeps the scale of ReLU layers; n_in inputs a
        neuron.
    dtype : dtype
        float32 or float64.
    gamma : float
        Scale of the currents behind batch normalisation.

    Returns
    -------
    dict of str to array
        Parameters by name; beta is 0.
    """
    params, n_in = {}, 1
    for name, shape in rate_shapes(spec, bias).items():
        if name[0] == "w":
            n_in = int(np.prod(shape[:-1]))
        if name[0] in "wb" and name[:4] != "beta":
            bound = np.sqrt((6.0 if init == "kaiming" and name[0] == "w" else 1.0) / n_in)
            params[name] = rng.uniform(-bound, bound, shape).astype(dtype)
        else:
            params[name] = np.full(shape, gamma * name.startswith("gamma"), dtype)
    return params


def rate_state(spec, dtype=np.float32):
    """Return running statistics that no batch has entered yet.

    Parameters
    ----------
    spec : str
        A name or a line, see `parts`.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    dict of str to array
        mean{k}, 0, and var{k}, 1, of each batch normalisation.
    """
    return {name.replace("gamma", kind): np.full(shape, kind == "var", dtype) for name, shape in rate_shapes(spec).items()
            if name.startswith("gamma") for kind in ("mean", "var")}


def build(spec, neuron="temporal", params=None, bias=False, drops=None, backend="auto", state=None, firing=None):
    """Build a network on given parameters.

    Parameters
    ----------
    spec : str
        Layer sizes, such as "784-800-10"; for other than temporal neurons see `parts`.
    neuron : {"temporal", "relu", "if"}
        Kind of neuron.
    params : dict of str to array
        Parameters by name; networks only refer to them, so twins are built on the same dict.
    bias : bool
        Whether each temporal layer has an extra input spike at z = 1, each other dense layer biases.
    drops : sequence of float, optional
        Share of the spikes lost before each temporal layer in training; of the hidden dense ReLU outputs, one number for each.
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    state : dict of str to array, optional
        Running statistics; default: `rate_state`.
    firing : pysnn.rate_layers.Firing, optional
        How integrate-and-fire neurons fire, and for how long; of ReLU neurons, where their output ends.

    Returns
    -------
    Network
        The network.

    Raises
    ------
    ValueError
        If the parameters are not those of the model, or not finite.
    """
    if neuron not in ("temporal", "relu", "if"):
        raise ValueError(f"neuron: expected 'temporal', 'relu' or 'if', got {neuron!r}")
    if params is None:
        raise ValueError(f"params: expected a dict of weights, such as {'temporal' if neuron == 'temporal' else 'rate'}_params(spec, rng) "
                         "draws, got None")
    if neuron == "temporal":
        wanted = {f"w{k}": (a + bias, b) for k, (a, b) in enumerate(pairwise(parse(spec)), 1)}
    else:
        wanted = rate_shapes(spec, bias)
    found = {name: w.shape for name, w in params.items()}
    if found != wanted:
        raise ValueError(f"params: expected {wanted} for model {spec}, got {found}")
    for name, w in params.items():
        _checks.finite(w, name)
    if neuron == "temporal":
        drops = drops or [0.0] * len(wanted)
        return Network([TemporalDense(params, name, bias, p, backend) for name, p in zip(wanted, drops, strict=True)], params)
    state = rate_state(spec, params["w1"].dtype.type) if state is None else state
    firing = firing or Firing()
    layers = _rate_layers(spec, params, state, drops, backend, (neuron, firing))
    return SpikingNetwork(layers, params, state, firing) if neuron == "if" else Network(layers, params, state)


def _rate_layers(spec, params, state, drops, backend, how):
    """Return the layers of (neuron, firing)."""
    (neuron, firing), (_, found) = how, parts(spec)
    layers, k, drops = [], 0, list(drops or [])
    for i, part in enumerate(found):
        if part.kind in ("max", "avg"):
            layers.append((MaxPool if part.kind == "max" else AvgPool)(backend))
            continue
        k, last = k + 1, i == len(found) - 1
        if part.kind == "conv":
            layers += [Conv(params, k, backend), BatchNorm(params, state, k, backend)]
        else:
            layers += [*([Flatten()] if i == 0 or found[i - 1].kind != "dense" else []), Dense(params, k, backend)]
        if neuron == "if":
            layers += [IntegrateFire(firing, backend, first=k == 1)] if firing.output or not last else []
        elif not last:
            layers.append(ReLU(backend, firing.threshold if firing.clip else np.inf))
            if part.kind == "dense" and drops and (p := drops.pop(0)):
                layers.append(Dropout(p))
    return layers
