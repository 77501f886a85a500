"""Layers with parameters, as they are checked against a step: gradients of the current, of parameters and of first states, by name.

    from_functions    two functions forward and backward over NumPy
    from_torch        a module, a class or a function of PyTorch; its gradients come from autograd

A layer takes the current (T, B, n) and returns outputs like it, or a tuple that begins with them. What else it takes is found by the names
of its arguments: a parameter or a first state (B, n) by its own name; `params` and `start` are all of them, as dicts. A module of PyTorch
has its parameters and buffers set in their stead, where the names are equal, or as a dict of other names says.
"""

import contextlib
import functools
import inspect
from typing import NamedTuple

import numpy as np

from .adapters import needed


class Parametric(NamedTuple):
    """A layer; arrays are NumPy, float64."""

    run: object             # run(current, params, start) -> y, name of the dtype that says how exact it is
    vjp: object             # vjp(current, params, start, dy) -> dcurrent, {parameter: gradient}, {state: gradient}
    params: tuple = ()      # the parameters that it takes; others are as they are
    start: tuple = ()       # the first states that it takes; others are as they are
    name: str = "layer"
    more: tuple = ()        # other parameters that a module has, by its own names


def from_functions(forward, backward, params=(), start=(), name="layer"):
    """Make a layer of two functions over NumPy.

    Parameters
    ----------
    forward : callable
        ``forward(current, ...) -> y, cache``; see above for what else it may take.
    backward : callable
        ``backward(dy, cache) -> dcurrent, {name: gradient}``, with a gradient for each parameter and state that forward takes. A bare
        dcurrent will do where it takes none.
    params, start : sequence of str
        Names of the parameters and states of the step.
    name : str
        For reports.

    Returns
    -------
    Parametric
        Of what forward takes.
    """
    taken = _taken(forward, (*params, *start))
    known = [tuple(key for key in keys if key in taken or whole in taken) for keys, whole in ((params, "params"), (start, "start"))]

    def go(current, *given):
        before = [np.array(current), *({key: np.array(x) for key, x in part.items()} for part in given)]
        current = np.array(current)
        held = [{key: _number(x) for key, x in part.items()} for part in given]
        result = forward(current, **_given(taken, *held))
        if not isinstance(result, tuple) or len(result) < 2:
            raise ValueError(f"forward: expected (y, cache), got {type(result).__name__}")
        _unchanged("forward", before, (current, *held))
        return result[0], result[-1], before, (current, *held)

    def run(current, params, start):
        y = go(current, params, start)[0]
        return _float64(y, np.shape(current)), str(np.asarray(y).dtype)

    def vjp(current, params, start, dy):
        _, cache, before, held = go(current, params, start)
        down = np.array(dy)
        result = backward(down, cache)
        _unchanged("backward", [*before, np.array(dy)], (*held, down))
        dcurrent, grads = result if isinstance(result, tuple) and len(result) == 2 else (result, {})
        if not isinstance(grads, dict):
            raise ValueError(f"backward: expected (dcurrent, dict of gradients), got {type(grads).__name__} for the dict")
        for key in (*params, *start):
            if key not in grads:
                raise ValueError(f"backward: expected a gradient of {key}, which forward takes, got those of {', '.join(grads) or 'none'}")
        found = ({key: _like(grads[key], x, key) for key, x in part.items()} for part in (params, start))
        return _float64(dcurrent, np.shape(current)), *found
    return Parametric(run, vjp, *known, name)


def from_torch(layer, params=(), start=(), names=None, name="torch"):
    """Make a layer of a PyTorch module or function; autograd gives its gradients, in float64 as far as the layer lets it.

    Parameters
    ----------
    layer : torch.nn.Module, class or callable
        A module; a class or a function without arguments that makes one; or a function of tensors. Methods `reset` and `reset_states` of
        a module and of its parts are called before each run.
    params, start : sequence of str
        Names of the parameters and states of the step.
    names : dict, optional
        Name of a parameter of the step -> its name in the module, where it has another one there.
    name : str
        For reports.

    Returns
    -------
    Parametric
        Of what it takes.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    ValueError
        If the layer cannot be made, or `names` names what it does not have.
    """
    torch = needed("torch")
    layer, rounded = _made(torch, layer)
    there = {}
    if isinstance(layer, torch.nn.Module):             # what has two names has both
        there = dict([*layer.named_parameters(remove_duplicate=False), *layer.named_buffers(remove_duplicate=False)])
    names = {key: key for key in params if key in there} | (names or {})
    if wrong := [key for key, inside in names.items() if inside not in there or key not in params]:
        raise ValueError(f"NAMES: expected parameters of the step and what they are called in the module, got {wrong[0]}: "
                         f"{names[wrong[0]]}; the module has {', '.join(there) or 'none'}")
    taken = _taken(layer.forward if isinstance(layer, torch.nn.Module) else layer, (*params, *start))
    known = [tuple(key for key in keys if key in taken or whole in taken or key in names)
             for keys, whole in ((params, "params"), (start, "start"))]
    rounded = rounded - set(names.values())            # constants that were float32: nothing of it is more exact

    def go(current, params, start, learn):
        for part in layer.modules() if isinstance(layer, torch.nn.Module) else ():
            for reset in (getattr(part, word, None) for word in ("reset", "reset_states")):
                if callable(reset):
                    reset()
        leaves = {key: torch.tensor(np.asarray(x), requires_grad=learn) for key, x in {"": current, **params, **start}.items()}
        inside = {names[key]: _shaped(leaves[key], there[names[key]], key) for key in params if key in names}
        more = _given(taken, *({key: leaves[key] for key in part if key not in names} for part in (params, start)))
        with torch.set_grad_enabled(learn), _float64_everywhere(torch):
            out = torch.func.functional_call(layer, inside, (leaves[""],), more) if inside else layer(leaves[""], **more)
        return leaves, out[0] if isinstance(out, (tuple, list)) else out

    def run(current, params, start):
        y = go(current, params, start, False)[1]
        return _float64(y, np.shape(current)), "float32" if rounded else str(y.dtype).removeprefix("torch.")

    def vjp(current, params, start, dy):
        leaves, y = go(current, params, start, True)
        grads = [None] * len(leaves)
        if y.requires_grad:
            grads = torch.autograd.grad(y, list(leaves.values()), torch.as_tensor(np.array(dy)).to(y.dtype), allow_unused=True)
        found = {key: np.zeros(tuple(x.shape)) if g is None else _float64(g) for (key, x), g in zip(leaves.items(), grads, strict=True)}
        return (found[""], *({key: found[key] for key in part} for part in (params, start)))
    return Parametric(run, vjp, *known, name, tuple(key for key in there if key not in names.values()))


def _made(torch, layer):
    """Return a module in float64, or a function, and what of it was float32; make it where something without arguments makes it."""
    makes = isinstance(layer, type) or (not isinstance(layer, torch.nn.Module) and not _names(layer))
    if makes:
        try:
            with _float64_everywhere(torch):
                layer = layer()
        except TypeError as error:
            raise ValueError(f"expected a layer that can be made without arguments; write a function that returns it ({error})") from None
    if not callable(layer):
        raise ValueError(f"expected a module or a function, got {type(layer).__name__}")
    if not isinstance(layer, torch.nn.Module):
        return layer, set()
    tensors = [*layer.named_parameters(remove_duplicate=False), *layer.named_buffers(remove_duplicate=False)]
    rounded = {key for key, x in tensors if x.dtype == torch.float32 and any(         # 0.8 is another number in float64, 0.5 is not
        float(str(e)) != float(e) for e in x.detach().cpu().numpy().ravel())}
    return layer.double(), rounded


@contextlib.contextmanager
def _float64_everywhere(torch):
    """Let new tensors be float64 for a while."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _names(function):
    """List the names of what a function takes; of `**kwargs` nothing is known."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD))


def _taken(function, known):
    """List the names of what a layer takes behind the current; refuse one that needs what the step does not know."""
    try:
        needs = [p.name for p in list(inspect.signature(function).parameters.values())[1:]
                 if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in (*known, "params", "start")]
    except (TypeError, ValueError):
        return ()
    if needs:
        raise ValueError(f"expected a layer of the current, parameters and first states ({', '.join(known) or 'none'}); "
                         f"it takes {needs[0]}")
    return _names(function)[1:]


def _given(taken, params, start):
    """Choose what a function is given by name, besides the current."""
    whole = {"params": params, "start": start}
    return {key: x for key, x in {**params, **start, **whole}.items() if key in taken}


def _float64(x, shape=None):
    """Return what a layer gives as NumPy, and see that its shape is what was asked for."""
    x = np.array(x.detach().cpu().double().numpy() if hasattr(x, "detach") else x, np.float64)
    if shape is not None and x.shape != tuple(shape):
        raise ValueError(f"expected an array of shape {tuple(shape)} like the current, got {x.shape}")
    return x


def _number(x):
    x = np.array(x, np.float64)
    return float(x) if x.ndim == 0 else x


def _shaped(x, like, name):
    """Return a parameter in the shape that the module has for it."""
    if x.numel() != like.numel():
        raise ValueError(f"{name}: expected {tuple(like.shape)} numbers as in the module, got {tuple(x.shape)}")
    return x.reshape(like.shape)


def _like(grad, x, name):
    """Return a gradient in the shape of its argument."""
    grad = _float64(grad)
    if grad.size != np.size(x):
        raise ValueError(f"backward: expected the gradient of {name} in the shape {np.shape(x)}, got {grad.shape}")
    return grad.reshape(np.shape(x))


def _unchanged(function, before, after):
    """Refuse a function that writes into its arguments."""
    for old, new in zip(before, after, strict=True):
        pairs = [(key, old[key], new[key]) for key in old] if isinstance(old, dict) else [("an array", old, new)]
        for key, a, b in pairs:
            if not np.array_equal(a, b):
                raise ValueError(f"{function}: expected it to leave its arguments alone; it changed {key}")


@functools.cache
def _held(module, functions, params, start):
    """Keep the layer of a file: a state that it holds between calls is to be seen."""
    missing = next((name for name in functions if not callable(getattr(module, name, None))), None)
    if missing:
        raise ValueError(f"expected a layer, or a function {missing!r}")
    objects = [getattr(module, name) for name in functions]
    if len(objects) == 2:
        return from_functions(*objects, params, start)
    return from_torch(*objects, params, start, getattr(module, "NAMES", None))


def there(module, functions, params, start, what, *args):
    """Answer for the layer of a file that runs in another process, in plain data.

    Parameters
    ----------
    module : module
        The file.
    functions : list of str
        One name, of a layer of PyTorch; or two, forward and backward over NumPy.
    params, start : list of str
        Names of the parameters and states of the step.
    what : {"about", "run", "vjp"}
        What is asked.
    *args : arrays, dicts
        Of that field of a `Parametric`.

    Returns
    -------
    list
        What it returns.
    """
    layer = _held(module, *(tuple(x) for x in (functions, params, start)))
    return list(layer[2:4] + layer[5:]) if what == "about" else list(getattr(layer, what)(*args))
