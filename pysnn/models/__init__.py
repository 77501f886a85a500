"""Models: the shape of an input sample and a list of layer specs, written in Python or as a text such as 28x28x1-32C3-P2-100-10.

    Model((28, 28, 1), [Conv(32), BatchNorm(), Neurons(), MaxPool(), Dense(100), Neurons(), Dense(10)])

A spec describes one layer: the shape of its output, the arrays that it needs, and which layer it becomes in a network of ReLU,
integrate-and-fire ("if") or temporal neurons. `read` makes a Model, `build` a network. A spec may be a class of your own.
"""

import re
from dataclasses import asdict, is_dataclass, replace

import numpy as np

from .. import _checks, _files, layers
from ..network import Network, SpikingNetwork
from .fluctuation import Drive, fluctuation_params
from .specs import SPECS, AvgPool, BatchNorm, Conv, Dense, Dropout, Flatten, Integrate, Leaky, MaxPool, Neurons, Param, Site, Spec, Whiten

__all__ = ["NAMED", "NEURONS", "SPECS", "AvgPool", "BatchNorm", "Conv", "Dense", "Drive", "Dropout", "Flatten", "Integrate", "Leaky",
           "MaxPool", "Model", "Neurons", "Param", "Site", "Spec", "Whiten", "build", "check", "fluctuation_params", "rate_params",
           "rate_state", "read", "temporal_params"]

NEURONS = "temporal", "relu", "if"
IN_STATE = "mean", "var", "fixed"         # roles of arrays that are no parameters
NAMED = {   # name: (width if none is given, text; {n} stands for n times the width)
    "fashion-proxy": (128, "28x28x1-{1}C3-{1}C3-P2-{1}C3-P2-{20}-{9}-{2}-10"),
    "fashion-fast": (64, "28x28x1-W2-{1}c3-P2-B0.45-N-{1}c3-B0.45-N-{2}c3-P2-B0.45-N-{2}c3-B0.45-N-{4}c3-P2-B0.45-N-{4}c3-B0.45-N-A3-10d"),
    "cifar-fast": (64, "32x32x3-W2-{1}c3-P2-B0.45-N-{1}c3-B0.45-N-{4}c3-P2-B0.45-N-{4}c3-B0.45-N-{4}c3-P2-B0.45-N-{4}c3-B0.45-N-A3-10d"),
    "cifar-vgg": (64, "32x32x3-{1}C3-{1}C3-A2-{2}C3-{2}C3-A2-{4}C3-{4}C3-A2-{8}-10"),
}
"""Models by name; a number of channels may follow, as in fashion-proxy:32."""

_TOKENS = (     # pattern of a token, the part of a text between two dashes; its groups -> the specs that it means
    (r"([1-9]\d*)([Cc])([1-9]\d*)(?:x([1-9]\d*))?(?:s([1-9]\d*))?(?:p(\d+))?", lambda n, c, kh, kw, s, p: [
        Conv(int(n), (int(kh), int(kw)) if kw else int(kh), int(s or 1), int(kh) // 2 if p is None else int(p)),
        *([BatchNorm(), Neurons()] if c == "C" else [])]),
    (r"([PA])([1-9]\d*)(?:s([1-9]\d*))?", lambda kind, size, s: [
        (MaxPool if kind == "P" else AvgPool)(int(size), int(s) if s else None)]),
    (r"([1-9]\d*)(d?)(?:\+([a-z]+))?", lambda n, d, delays: [Dense(int(n), delays or ""), *([] if d else [Neurons()])]),
    (r"B(\d+\.\d+)", lambda scale: [BatchNorm(float(scale))]),
    (r"W([1-9]\d*)", lambda size: [Whiten(int(size))]),
    (r"([BNF])", lambda kind: [{"B": BatchNorm, "N": Neurons, "F": Flatten}[kind]()]),
    (r"D(0?\.\d+)", lambda p: [Dropout(float(p))]),
    (r"([LRI])(\d*\.?\d+)", lambda kind, beta: [Integrate(float(beta)) if kind == "I" else Leaky(float(beta), kind == "R")]),
)


class Model:
    """The shape of an input sample, and a list of layer specs. Two models are equal if these are.

    Parameters
    ----------
    shape : tuple of int
        Of an input sample: (H, W, C), or (n,).
    specs : sequence of Spec
        The layers; the last one is dense. Neurons of the output are not written: whether they fire is the method's choice (its readout).
    text : str, optional
        The text that it was read from; default: made from the specs.

    Raises
    ------
    ValueError
        If the specs do not fit each other.
    """

    def __init__(self, shape, specs, text=None):
        self.shape, self.specs = tuple(shape), tuple(specs)
        if not all(isinstance(n, int) and n > 0 for n in self.shape) or len(self.shape) not in (1, 3):
            raise ValueError(f"model: expected an input such as (784,) or (28, 28, 1), got {shape!r}")
        self.shapes, k, self.k = [], 0, []
        at = self.shape
        for spec in self.specs:
            if not isinstance(spec, Spec):
                raise ValueError(f"model: expected layer specs such as Conv(32) or Dense(100), got {spec!r}")
            if not is_dataclass(spec):
                raise ValueError(f"model: expected a spec whose class is a dataclass, got {type(spec).__name__}: write "
                                 "@dataclass(frozen=True) above it")
            k += "w" in spec.arrays(Site(at, k))
            at = spec.out(at)
            self.shapes.append(at)
            self.k.append(k)
        if not self.specs or len(at) != 1 or isinstance(self.specs[-1], Neurons):
            raise ValueError(f"model: expected a dense layer as the output, got {text or list(self.specs)}")
        self.text = text or self._spelt()
        self._arrays()                         # raises where a name stands twice

    def sites(self, **how):
        """Walk through the specs, from the input to the output.

        Parameters
        ----------
        **how : object
            Fields of `Site`: neuron, bias, backend, ... Default of neuron: for each spec "relu" or, if it cannot be that, its first kind.

        Yields
        ------
        spec : Spec
            The description of one layer.
        site : Site
            Where it stands.
        """
        first, wanted = True, how.pop("neuron", None)
        for i, spec in enumerate(self.specs):
            neuron = wanted or ("relu" if "relu" in spec.neurons else spec.neurons[0])
            if neuron not in spec.neurons:
                raise ValueError(f"model: expected layers for {wanted} neurons, such as 784-800-10 has, got {spec} in {self}")
            if (op := how.get("op", "temporal")) != "temporal" and (isinstance(spec, Conv) or getattr(spec, "delays", "")):
                raise ValueError(f"model: expected dense layers without delays for neuron {op}, got {self}")
            before = self.shapes[i - 1] if i else self.shape
            normalised = isinstance(next(iter(self.specs[i + 1:]), None), BatchNorm)
            site = Site(before, self.k[i], neuron, first=first, **how)
            yield spec, site._replace(bias=site.bias and not normalised)
            first = first and not spec.fires

    def _arrays(self, **how):
        """Collect the arrays that the specs need, by name and number, such as w1."""
        arrays = {}
        for spec, site in self.sites(**how):
            named = {f"{name}{site.k}": param for name, param in spec.arrays(site).items()}
            if twice := named.keys() & arrays.keys():
                raise ValueError(f"model: expected one array of each name behind a weight layer, got {', '.join(sorted(twice))} twice")
            arrays |= named
        return arrays

    def params(self, neuron=None, bias=False):
        """Say which parameters a network has.

        Parameters
        ----------
        neuron : {"temporal", "relu", "if"}, optional
            Kind of neuron; default as in `sites`. ReLU and spiking twins have the same parameters.
        bias : bool
            Whether temporal layers have an extra input spike, other dense layers biases.

        Returns
        -------
        dict of str to Param
            w1, w2, ...; gamma1, beta1, ... of batch normalisations; b1, b2, ... of dense layers; and those of specs of your own.
        """
        arrays = self._arrays(neuron=neuron, bias=bias)
        return {name: param for name, param in arrays.items() if param.role not in IN_STATE}

    @property
    def weights(self):
        """The names of the parameters of role weight, such as w1, w2."""
        return [name for name, param in self.params().items() if param.role == "weight"]

    @property
    def statistics(self):
        """What is kept in state: running statistics, mean{k} and var{k}, and fixed arrays, as a dict of name -> Param; no arrays yet."""
        return {name: param for name, param in self._arrays().items() if param.role in IN_STATE}

    @property
    def neuron_layers(self):
        """The layers of neurons, the output last: pairs of the kind of layer before them, such as "conv" or "dense", and their shape."""
        listed, kind = [], "input"
        for spec, shape in zip(self.specs, self.shapes, strict=True):
            kind = type(spec).__name__.lower() if isinstance(spec, (Conv, Dense)) or type(spec) not in SPECS.values() else kind
            if spec.fires:
                listed.append((kind, shape))
        return [*(listed[:-1] if self.specs[-1].fires else listed), ("output", self.shapes[-1])]

    @property
    def neurons(self):
        """The kinds of neurons that this model can be built for, some of NEURONS."""
        return tuple(neuron for neuron in NEURONS if all(neuron in spec.neurons for spec in self.specs))

    @property
    def n_weights(self):
        """The number of weight layers, those with a w."""
        return self.k[-1]

    def with_outputs(self, n):
        """Return the same model with another number of outputs, such as other classes.

        Parameters
        ----------
        n : int
            Outputs.

        Returns
        -------
        Model
            The last dense layer has n neurons.
        """
        at = max(i for i, (spec, site) in enumerate(self.sites()) if "w" in spec.arrays(site))
        return Model(self.shape, [*self.specs[:at], replace(self.specs[at], n=n), *self.specs[at + 1:]])

    def to_json(self):
        """Turn the model into a dict that JSON can hold; `read` reads it.

        Returns
        -------
        dict
            text, shape and layers; a layer is the name of its spec class and a dict of its options, a class of your own FILE.py:NAME.
        """
        def name(spec):
            return type(spec).__name__ if SPECS.get(type(spec).__name__) is type(spec) else _files.reference(type(spec))
        return {"text": self.text, "shape": list(self.shape), "layers": [[name(spec), asdict(spec)] for spec in self.specs]}

    def _spelt(self):
        """Write the model as a text, in short forms such as 32C3 where possible."""
        words, specs, i = ["x".join(map(str, self.shape))], self.specs, 0
        while i < len(specs):
            spec, after = specs[i], specs[i + 1:i + 3]
            if type(spec) is Conv:
                whole = after == (BatchNorm(), Neurons())
                size = spec.sides if spec.sides[0] != spec.sides[1] else spec.sides[:1]
                words.append(f"{spec.n}{'C' if whole else 'c'}{'x'.join(map(str, size))}" + f"s{spec.stride}" * (spec.stride > 1)
                             + f"p{spec.padding}" * (spec.padding != size[0] // 2))
                i += 2 * whole
            elif type(spec) is Dense:
                whole = bool(after) and isinstance(after[0], Neurons)
                words.append(f"{spec.n}" + "d" * (bool(after) and not whole) + f"+{spec.delays}" * bool(spec.delays))
                i += whole
            elif type(spec) in (MaxPool, AvgPool):
                words.append(f"{'P' if isinstance(spec, MaxPool) else 'A'}{spec.size}" + (f"s{spec.stride}" if spec.stride else ""))
            elif type(spec) is Leaky and spec == Leaky(spec.beta, spec.recurrent):
                words.append(f"{'R' if spec.recurrent else 'L'}{spec.beta}")
            elif type(spec) is Integrate and spec == Integrate(spec.beta):
                words.append(f"I{spec.beta}")
            else:
                letters = {BatchNorm: "B", Whiten: "W", Neurons: "N", Flatten: "F", Dropout: "D"}
                options = [str(x) for x in asdict(spec).values() if x is not None]
                words.append("".join([letters[type(spec)], *options]) if type(spec) in letters else repr(spec))
            i += 1
        return "-".join(words)

    def __str__(self):
        return self.text

    def __eq__(self, other):
        other = read(other) if isinstance(other, str) else other
        return isinstance(other, Model) and self.shape == other.shape and self.specs == other.specs

    def __hash__(self):
        return hash((self.shape, self.specs))


def read(model):
    """Make a Model of what describes one.

    Parameters
    ----------
    model : Model, str, list or dict
        A model; what its `to_json` returned; a list: the input's shape, then specs; a key of NAMED; or a text of tokens joined by "-": the
        input 784 or 28x28x1; 32C3 for a 3 x 3 convolution to 32 channels with batch normalisation and neurons (32C5s2p0: 5 x 5, stride 2,
        padding 0; the default is half the size); P2 or A2 for the maximum or mean of 2 x 2 pixels (P3s2: of 3 x 3, stride 2); 640 for a
        dense layer with neurons, the last one the output. To choose the order: 32c3 and 100d for a convolution and a dense layer alone,
        B for batch normalisation, N for neurons, F to flatten, D0.2 for dropout; L0.9 for leaky neurons whose potential decays by 0.9 in a
        step, R0.9 for such with recurrent weights, and I0.9 at the output for a readout that leaks and does not fire.

    Returns
    -------
    Model
        The model.

    Raises
    ------
    ValueError
        If it cannot be read, or its parts do not fit.
    """
    if isinstance(model, (Model, dict)):
        return model if isinstance(model, Model) else _from_record(model)
    if isinstance(model, (list, tuple)) and model and isinstance(model[0], tuple):
        return Model(model[0], model[1:])
    text = _resolved(model)
    first, *tokens = text.split("-") if isinstance(text, str) else [""]
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*x[1-9]\d*)?", first) or not tokens:
        raise ValueError(f"model: expected an input such as 784 or 28x28x1 and layers such as 32C3, P2, A2, 100, got {model!r}")
    specs = [spec for token in tokens for spec in _specs(token, model)]
    if tokens[-1].partition("+")[0].isdecimal():
        specs.pop()                                    # no neurons at the output: whether it fires is the method's choice
    try:
        return Model(tuple(int(n) for n in first.split("x")), specs, model)
    except ValueError as error:
        raise ValueError(f"{error} in {model!r}" if repr(model) not in str(error) else str(error)) from None


def _from_record(record):
    """Read what `Model.to_json` wrote."""
    def make(name, choices):
        spec = SPECS[name] if name in SPECS else _files.load(name)
        return spec(**{key: tuple(x) if isinstance(x, list) else x for key, x in choices.items()})
    try:
        return Model(record["shape"], [make(*entry) for entry in record["layers"]], str(record["text"]))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"model: expected a record of shape and layers, got {record!r:.200}") from error


def _specs(token, model):
    for pattern, make in _TOKENS:
        if match := re.fullmatch(pattern, token):
            return make(*match.groups())
    raise ValueError(f"model: expected a dense layer such as 100, or, while there is an image, a convolution such as 32C3 or a pooling P2 "
                     f"or A2, got {token!r} in {model!r}")


def _resolved(text):
    """Turn a name, such as "fashion-proxy:32", into the text it stands for; other texts stay as they are."""
    name, colon, width = str(text).partition(":")
    if name not in NAMED:
        return text
    if colon and not (width.isdecimal() and int(width) > 0):
        raise ValueError(f"model: expected a number of channels after {name}:, got {text!r}")
    default, named = NAMED[name]
    return re.sub(r"\{(\d+)\}", lambda match: str(int(match[1]) * int(width or default)), named)


def temporal_params(model, rng, bias=False, mean=4.0, std=0.56, dtype=np.float32):
    """Draw weights for temporal neurons, large enough that they fire.

    Parameters
    ----------
    model : Model, str or list
        Dense layers, such as "784-800-10".
    rng : numpy.random.Generator
        Source of randomness.
    bias : bool
        Whether each layer has an extra input spike at z = 1.
    mean : float
        Expected sum of the weights of a neuron, in units of the threshold; well above `pysnn.layers.temporal.needed`, so that it fires.
    std : float
        Standard deviation of a weight times the square root of the number of inputs.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    dict of str to array
        w1, w2, ... of shape (n_in, n_out).
    """
    params = {}
    for name, (shape, role, n_in, value) in read(model).params("temporal", bias).items():
        drawn = mean / n_in + std / np.sqrt(n_in) * rng.standard_normal(shape) if role in ("weight", "bias") else np.full(shape, value)
        params[name] = drawn.astype(dtype)
    return params


def rate_params(model, rng, bias=False, init="uniform", dtype=np.float32, gamma=1.0):
    """Draw weights for a network of ReLU or integrate-and-fire neurons.

    Parameters
    ----------
    model : Model, str or list
        See `read`.
    rng : numpy.random.Generator
        Source of randomness.
    bias : bool
        Whether dense layers have biases; drawn between +-1/sqrt(n_in).
    init : {"uniform", "kaiming", "identity"}
        uniform: weights between +-1/sqrt(n_in), as in the papers; kaiming: between +-sqrt(6/n_in), which keeps the scale from one ReLU
        layer to the next. A neuron has n_in inputs. identity: uniform, but the first channels of a convolution copy their input.
    dtype : dtype
        float32 or float64.
    gamma : float
        Initial scale of batch normalisations.

    Returns
    -------
    dict of str to array
        Parameters by name; beta is 0.
    """
    params = {}
    for name, (shape, role, n_in, value) in read(model).params(None, bias).items():
        if role in ("weight", "bias"):
            bound = np.sqrt((6.0 if init == "kaiming" and role == "weight" else 1.0) / n_in)
            w = params[name] = rng.uniform(-bound, bound, shape).astype(dtype)
            if init == "identity" and len(shape) == 4:
                n = min(shape[2:])
                w[..., :n] = 0
                w[shape[0] // 2, shape[1] // 2, np.arange(n), np.arange(n)] = 1
        else:
            params[name] = np.full(shape, gamma if role == "scale" else value, dtype)
    return params


def rate_state(model, dtype=np.float32):
    """Return the initial running statistics, before any batch.

    Parameters
    ----------
    model : Model, str or list
        See `read`.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    dict of str to array
        mean{k}, 0, and var{k}, 1, of each batch normalisation.
    """
    return {name: np.full(param.shape, param.value, dtype) for name, param in read(model).statistics.items()}


def check(params, model, wanted):
    """Refuse parameters that are not those of a model.

    Parameters
    ----------
    params : dict of str to array
        Parameters by name.
    model : Model
        The model, for the message.
    wanted : dict of str to Param
        Those that it needs, from `Model.params`.

    Raises
    ------
    ValueError
        For other names or shapes, or numbers that are not finite.
    """
    wanted, given = {name: param.shape for name, param in wanted.items()}, {name: w.shape for name, w in params.items()}
    if given != wanted:
        raise ValueError(f"params: expected {wanted} for model {model}, got {given}")
    for name, w in params.items():
        _checks.finite(w, name)


def build(model, neuron="temporal", params=None, bias=False, drops=None, backend="auto", state=None, config=None):
    """Build a network on given parameters.

    Parameters
    ----------
    model : Model, str or list
        See `read`; of temporal neurons dense layers, such as "784-800-10".
    neuron : {"temporal", "relu", "if"}
        Kind of neuron; for other exact spike times leaky_equal, leaky_double or alpha.
    params : dict of str to array
        Parameters by name; networks only refer to them, so twins are built on the same dict.
    bias : bool
        Whether each temporal layer has an extra input spike at z = 1, each other dense layer biases.
    drops : sequence of float, optional
        Shares dropped in training, one for each layer: of input spikes (temporal layers), or of outputs (hidden dense ReLU layers).
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    state : dict of str to array, optional
        Running statistics; default: `rate_state`.
    config : pysnn.layers.NeuronConfig, optional
        How integrate-and-fire neurons fire, and for how many steps; of ReLU neurons the ceiling, see `clip`.

    Returns
    -------
    Network
        The network; for "if" a SpikingNetwork, whose output neurons fire if config.output says so.

    Raises
    ------
    ValueError
        If the parameters are not those of the model, or not finite.
    """
    op, neuron = (neuron, "temporal") if neuron in layers.temporal.NEURONS else ("temporal", neuron)
    if neuron not in NEURONS:
        raise ValueError(f"neuron: expected 'temporal', 'relu' or 'if', got {neuron!r}")
    if params is None:
        raise ValueError(f"params: expected a dict of weights, such as {'temporal' if neuron == 'temporal' else 'rate'}_params(model, rng) "
                         "draws, got None")
    model = read(model)
    check(params, model, model.params(neuron, bias))
    if state is None:
        state = rate_state(model, next(iter(params.values())).dtype.type)
    config, drops, made = config or layers.NeuronConfig(), list(drops or []), []
    for spec, site in model.sites(neuron=neuron, bias=bias, backend=backend, config=config, op=op):
        site = site._replace(first=site.first and not config.timed)
        takes_drop = "w" in spec.arrays(site) if neuron == "temporal" else type(spec) is Neurons and len(site.shape) == 1
        made += spec.layer(site._replace(drop=drops.pop(0) if takes_drop and drops else 0.0), params, state)
    if neuron != "if":
        return Network(made, params, state, model)
    if isinstance(made[-1], layers.leaky.Leaky):
        made[-1].fires = config.output
    elif config.output and not isinstance(made[-1], layers.leaky.Integrate):
        spiking = config.timed or any(isinstance(layer, layers.SpikingLayer) for layer in made)
        made.append(layers.IntegrateFire(config, backend, first=not spiking))
    if config.pooling == "inside":
        made = _pooled_inside(made)
    return SpikingNetwork(made, params, state, config, model)


def _pooled_inside(made):
    """Move each maximum that stands before neurons, with nothing but batch normalisation between, into these neurons."""
    out, held, after_weights = [], None, False
    for layer in made:
        if isinstance(layer, layers.MaxPool) and after_weights and layer.options[1] in (None, layer.options[0]):
            held = layer
            continue
        if held and type(layer) is layers.IntegrateFire:
            layer, held = layers.PooledFire(layer.config, layer.backend, layer.first, held.options[0]), None
        elif held and not isinstance(layer, layers.BatchNorm):
            out, held = [*out, held], None
        after_weights = not isinstance(layer, layers.SpikingLayer) and (after_weights or isinstance(layer, (layers.Conv, layers.Dense)))
        out.append(layer)
    return out
