"""PyTorch state dicts, to and from, as plain dicts of NumPy arrays: PyTorch itself is not needed.

Kernels are (kh, kw, C_in, C_out) here and (C_out, C_in, kh, kw) there; weights (n_in, n_out) here and (n_out, n_in) there; a row made of an
image goes through H, W, C here and through C, H, W there.
"""

import numpy as np

from .. import models
from ..layers import BatchNorm, Conv, Dense, Whiten
from ..layers.leaky import Integrate, Leaky
from ._networks import channels_first, input_shape, kernel_first, network_of, walk

KINDS = {Conv: "a convolution", Whiten: "a convolution", Dense: "a linear layer", BatchNorm: "a batch normalisation",
         Leaky: "neurons", Integrate: "neurons"}
NEURONS = {"beta": "beta", "alpha": "alpha", "threshold": "threshold", "w_rec": "recurrent.weight"}      # ours -> snnTorch's
EPS = 1e-5          # of batch normalisation, here and, by default, in PyTorch


def to_state_dict(nets, folded=False):
    """Turn the weights of a network into the state dict of a PyTorch Sequential with one module for each of our layers.

    The arrays of the fifth layer are called 4.weight, 4.bias and so on: Conv2d, BatchNorm2d, ReLU, MaxPool2d, Flatten, Linear, one after
    the other. Layers without arrays count, too. Arrays that neurons learn are called as in snnTorch: beta, alpha, threshold,
    recurrent.weight.

    Parameters
    ----------
    nets : pysnn.training.Run, tuple or pysnn.network.Network
        A run, what a learning rule's `build` returned, or a network. Of a pair of networks the ReLU network.
    folded : bool
        Whether batch normalisation is folded into the weights before it, which then have a bias; those modules are left out.

    Returns
    -------
    dict of str to array
        Copies: weights (C_out, C_in, kh, kw) or (n_out, n_in), all others (n,). A batch normalisation has running_mean, running_var and
        num_batches_tracked, 0.

    Raises
    ------
    ValueError
        If there is no network, or one of exact spike times.
    """
    net, made = network_of(nets, False, "state dict"), {}
    layers = net.folded_layers() if folded else net.layers
    for i, (layer, _, image) in enumerate(walk(layers, input_shape(net))):
        for name, view, shape in _entries(layer, image):
            made[f"{i}.{name}"] = np.array(view).reshape(shape)
        if isinstance(layer, BatchNorm):
            made[f"{i}.num_batches_tracked"] = np.zeros((), np.int64)
    return made


def _entries(layer, image):
    """Yield name, a view in PyTorch's order and the shape of each array of a layer; `image` is what a row before it was made of."""
    if isinstance(layer, (Conv, Dense, Whiten)):
        w, b = (layer.state[name] for name in layer.names) if isinstance(layer, Whiten) else (layer.w, layer.b)
        view = channels_first(w, image) if isinstance(layer, Dense) else kernel_first(w)
        yield "weight", view, (len(view), -1) if isinstance(layer, Dense) else view.shape
        yield from [] if b is None else [("bias", b, b.shape)]
    elif isinstance(layer, BatchNorm):
        beta = layer.params[layer.names[1]]
        gamma = layer.params[layer.names[0]] if layer.scale is None else np.full_like(beta, layer.scale)
        arrays = gamma, beta, *(layer.state[name] for name in layer.stats)
        yield from zip(("weight", "bias", "running_mean", "running_var"), arrays, [beta.shape] * 4, strict=True)
    elif isinstance(layer, (Leaky, Integrate)):
        for ours, theirs in NEURONS.items():
            if (w := layer.params.get(layer.names[ours])) is not None:
                yield theirs, w.T, w.shape


def from_state_dict(model, arrays):
    """Build a network on the arrays of a PyTorch state dict.

    Modules are taken in the order of the dict, whatever they are called; that is the order in which they were made. A bias of a
    convolution goes into the batch normalisation behind it. If the model has a batch normalisation and the dict has none, as after
    folding, it is made one that adds the bias before it and changes nothing else. Its eps, 1e-5, is PyTorch's default and stands in no
    state dict.

    Parameters
    ----------
    model : pysnn.models.Model, str or list
        What the arrays belong to, see `pysnn.models.read`.
    arrays : dict of str to array
        float32 or float64, all of one kind; from PyTorch {name: x.numpy() for name, x in module.state_dict().items()}.

    Returns
    -------
    pysnn.network.Network
        Of ReLU neurons, or, if the model has leaky ones, of spiking neurons; its `params` and `state` hold copies of the arrays.

    Raises
    ------
    ValueError
        If a module is missing, left over, of another kind or of another shape; the message names it.
    TypeError
        If an array is none, or not float32 or float64.
    """
    model, modules = models.read(model), _modules(arrays)
    dtype = np.result_type(*(module["weight"] for module in modules.values() if "weight" in module))
    bias = any(_kind(module) == "a linear layer" and "bias" in module for module in modules.values())
    params = {name: np.zeros(param.shape, dtype) for name, param in model.params(None, bias).items()}
    net = models.build(model, "relu" if "relu" in model.neurons else "if", params, bias, state=models.rate_state(model, dtype))
    waiting, before = list(modules.items()), None
    for layer, _, image in walk(net.layers, model.shape):
        entries = list(_entries(layer, image))
        if not entries:
            continue
        if KINDS[type(layer)] != "neurons":
            _leave_out_neurons(waiting)
        there = bool(waiting) and _kind(waiting[0][1]) == KINDS[type(layer)]
        if isinstance(layer, BatchNorm) and not there:
            _fill("", entries, _identity(layer, before, dtype))
            before = None
        elif not there:
            given = f"{waiting[0][0]}, {_kind(waiting[0][1])}" if waiting else "no further module"
            raise ValueError(f"state dict: expected {KINDS[type(layer)]} of {model}, got {given}")
        else:
            prefix, module = waiting.pop(0)
            before = _taken(prefix, layer, entries, (module, before))
    _leave_out_neurons(waiting)
    if waiting or before is not None:
        raise ValueError(f"state dict: expected the modules of {model}, got {waiting[0][0] if waiting else 'a bias'} besides")
    return net


def _leave_out_neurons(waiting):
    """Leave out modules of neurons that come next: a framework keeps decays and thresholds that are part of our model."""
    while waiting and _kind(waiting[0][1]) == "neurons":
        waiting.pop(0)


def _modules(arrays):
    """Sort arrays by module: prefix of the names -> dict of name -> array."""
    modules = {}
    for name, x in arrays.items():
        if not isinstance(x, np.ndarray):
            raise TypeError(f"state dict: expected NumPy arrays, got {name} of type {type(x).__name__}")
        at = name.rfind(".recurrent.") if ".recurrent." in name else name.rfind(".")
        if x.dtype.kind == "f" and x.dtype not in (np.float32, np.float64):
            raise TypeError(f"state dict: expected float32 or float64, got {name} of {x.dtype}")
        modules.setdefault(name[:max(at, 0)], {})[name[at + 1:]] = x
    modules = {prefix: module for prefix, module in modules.items() if _kind(module)}
    if not any("weight" in module for module in modules.values()):
        raise ValueError(f"state dict: expected names such as 0.weight, got {', '.join(list(arrays)[:3]) or 'none'}")
    return modules


def _kind(module):
    """Say what a module is, by its arrays; "" where no layer of ours has such."""
    n_axes = module["weight"].ndim if "weight" in module else 0
    if "running_mean" in module or n_axes == 1:
        return "a batch normalisation"
    words = {4: "a convolution", 2: "a linear layer"}.get(n_axes, "something with weights" if n_axes else "")
    return words or ("neurons" if {"beta", "threshold", "recurrent.weight"} & module.keys() else "")


def _taken(prefix, layer, entries, how):
    """Copy a module into a layer; return a bias that the batch normalisation behind it must take, or None."""
    module, before = how
    names = {name for name, _, _ in entries}
    if before is not None and isinstance(layer, (Conv, Dense, Whiten)):
        raise ValueError(f"state dict: expected a batch normalisation before {prefix}, which takes the bias of the module before it, got "
                         "none: write it into the model, as 32c3-B does")
    if isinstance(layer, BatchNorm):
        if missing := sorted(names - module.keys()):
            raise ValueError(f"state dict: expected {prefix}.{missing[0]} of a batch normalisation, got none")
        if before is not None:
            module = {**module, "running_mean": module["running_mean"] - before}
        if layer.scale is not None and not (module["weight"] == module["weight"].dtype.type(layer.scale)).all():
            raise ValueError(f"state dict: expected {prefix}.weight to be {layer.scale}, the scale of the model, got other numbers")
    elif isinstance(layer, Dense) and "bias" in names and "bias" not in module:
        module = {**module, "bias": np.zeros(layer.w.shape[1], layer.w.dtype)}
    _fill(prefix, entries, module)
    return module["bias"] if isinstance(layer, (Conv, Dense)) and "bias" in module and "bias" not in names else None


def _fill(prefix, entries, module):
    """Copy the arrays of a module into the views of a layer."""
    for name, view, shape in entries:
        x = module.get(name)
        wanted = view.reshape(shape).shape
        if x is None or x.shape != wanted:
            raise ValueError(f"state dict: expected {prefix}.{name} of shape {wanted}, got {'none' if x is None else x.shape}")
        view[...] = x.reshape(view.shape)


def _identity(layer, bias, dtype):
    """Make a batch normalisation that adds a bias and changes nothing else."""
    if layer.scale is not None:
        raise ValueError(f"state dict: expected a batch normalisation of scale {layer.scale}, got none")
    n = layer.params[layer.names[1]].shape
    return {"weight": np.ones(n, dtype), "bias": np.zeros(n, dtype) if bias is None else bias, "running_mean": np.zeros(n, dtype),
            "running_var": np.full(n, 1 - EPS, dtype)}
