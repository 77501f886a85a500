"""What runs beside the layer, in its process: call it in the layout that it wants, bring it to rest, pull gradients back.

A `Runner` knows one object of a framework. It makes of it functions over NumPy arrays (T, B, N), as `adapters.BlackBox` wants them.
"""

import contextlib
import copy
import importlib
import inspect
from pathlib import Path

import numpy as np

from ...foreign import import_file, one_line
from ..frameworks.adapters import in_x64, needed
from ..identify._ask import whole

RESETS = ("reset_mem", "reset_states", "reset_state", "reset_hidden", "reset")
THRESHOLDS = ("v_threshold", "threshold", "spike_threshold", "v_th", "thresh", "vth")
KINDS = ("torch", "jax", "numpy")
DECLARED = ("THRESHOLD", "RULE", "SURROGATE", "DETACH_RESET", "BETA", "ALPHA", "AXES", "N")


def names(kind, place, expression):
    """Collect the names of a file or module, among which an expression is meant.

    Parameters
    ----------
    kind : str
        One of KINDS.
    place : str
        FILE.py or MODULE.
    expression : str
        The expression.

    Returns
    -------
    dict
        Its names, without those that begin with two underscores; the framework, where the expression uses it.

    Raises
    ------
    ValueError
        If there is no such module.
    """
    try:
        module = import_file(Path(place)) if place.endswith(".py") else needed(place)
    except ImportError as error:
        raise ValueError(str(error)) from None
    own = {name: x for name, x in vars(module).items() if not name.startswith("__")}
    with contextlib.suppress(ImportError):
        own |= {kind: importlib.import_module(kind)} if f"{kind}." in expression else {}
    return own


def served(kind, place, found, own):
    """Make the functions that the other side calls.

    Parameters
    ----------
    kind, place : str
        As of `names`.
    found : object
        The layer, or its class; of NumPy the pair.
    own : dict
        From `names`.

    Returns
    -------
    dict
        name -> function; of the other names none stays.

    Raises
    ------
    ValueError
        If it is a class that cannot be made without arguments.
    """
    if inspect.isclass(found):
        try:
            found = found()
        except Exception as error:
            raise ValueError(f"expected a layer, or a class without arguments; write {found.__name__}(...); {one_line(error)}") from None
    declared = {name: own[name] for name in DECLARED if name in own and place.endswith(".py")}
    return functions_of(kind, found, declared)


@contextlib.contextmanager
def in_float64(kind, dtype="float64"):
    """Let arrays that a layer makes be of a dtype: a leak of 0.9 is then what it says.

    Parameters
    ----------
    kind : str
        One of KINDS.
    dtype : str
        Which.

    Yields
    ------
    None
        While it is so.
    """
    if kind == "torch":
        torch = needed("torch")
        before = torch.get_default_dtype()
        torch.set_default_dtype(getattr(torch, dtype))
        try:
            yield
        finally:
            torch.set_default_dtype(before)
    elif kind == "jax" and dtype == "float64":
        with in_x64(needed("jax")):
            yield
    else:
        yield


class Runner:
    """A layer of a framework, as functions over NumPy arrays.

    Parameters
    ----------
    kind : str
        One of KINDS.
    layer : object
        A module or function; of NumPy a pair forward(current) -> spikes[, cache], backward(dspikes, cache) -> dcurrent.
    axes : str
        Layout of its input: letters T, B, and N, or C, H and W for the neurons. Without T it takes one step.
    dtype : str
        What goes in.
    """

    def __init__(self, kind, layer, axes="TBN", dtype="float64"):
        self.kind, self.axes, self.dtype, self.layer, self.theta, self.kept = kind, axes, dtype, layer, 1.0, {}
        self.start, self.carries = None, False       # a first state that it wants; whether the state is its first argument
        self.compiled = self.pulled = None                  # of a function of JAX
        self.own_state, self.declared = False, {}           # whether it takes no state back; what its file declares
        if kind == "torch":
            self.torch = needed("torch")
            if isinstance(layer, self.torch.nn.Module):
                with contextlib.suppress(Exception):            # what cannot be copied is used as it is
                    self.layer = copy.deepcopy(layer)
                self.layer.to(getattr(self.torch, dtype))
        elif kind == "jax":
            self.jax = needed("jax")
            if inspect.isfunction(layer):                       # a shape is compiled once, forward and backward
                self.compiled = self.jax.jit(lambda x: self._run(x)[0])
                self.pulled = self.jax.jit(lambda x, down: self.jax.vjp(lambda x: self._run(x)[0], x)[1](down)[0])

    # ------------------------------------------------------------------------------------------------------------ state

    def resets(self):
        """List the names of the methods that bring the layer to rest.

        Returns
        -------
        list of str
            Those of the layer and its parts, without doubles.
        """
        return list(dict.fromkeys(name for part in self._parts() for name in RESETS if callable(getattr(part, name, None))))

    def rest(self):
        """Bring the layer to rest, by whatever methods it has."""
        for part in self._parts():
            for name in RESETS:
                if callable(getattr(part, name, None)):
                    with contextlib.suppress(TypeError, ValueError):            # one that wants arguments
                        getattr(part, name)()

    def _parts(self):
        """List the layer and its parts; a framework may have a `modules` of its own that means something else."""
        module = self.kind == "torch" and isinstance(self.layer, self.torch.nn.Module)
        return list(self.torch.nn.Module.modules(self.layer)) if module else [self.layer]

    def states(self):
        """Count what the layer returns beside its first output.

        Returns
        -------
        int
            0 where it does not take a small array of currents.
        """
        with contextlib.suppress(Exception), self._set():
            self.rest()
            out = self._call(self._give(np.zeros((3, 4))))
            self.rest()
            return len(out) - 1 if isinstance(out, (tuple, list)) else 0
        return 0

    def threshold(self):
        """Read a threshold off the layer.

        Returns
        -------
        float or None
            Its attribute of a usual name.
        """
        for part in (self.layer, getattr(self.layer, "p", None)):
            for name in THRESHOLDS:
                x = getattr(part, name, None)
                with contextlib.suppress(TypeError, ValueError, RuntimeError):
                    x = np.unique(np.asarray(x.detach() if hasattr(x, "detach") else x, float))
                    if x.size == 1 and 0 < x[0] < np.inf:
                        return float(x[0])
        return None

    # ------------------------------------------------------------------------------------------------------------ calls

    def raw(self, x, again=1):
        """Call the layer on an array in its own layout, after a reset.

        Parameters
        ----------
        x : array
            As it wants it.
        again : int
            How many times, without a reset in between.

        Returns
        -------
        array
            (again, ...): what each call gave, its first output.
        """
        self.rest()
        run = self._forward_by_hand if self.kind == "numpy" else self._call
        with self._set():
            return np.stack([_numpy(self._first(run(self._give(x)))) for _ in range(again)])

    def forward(self, current):
        """Run from rest: (T, B, N) -> (T, B, N), float64."""
        with self._set():
            return np.asarray(_numpy(self._spikes(self._give(current))), np.float64)

    def returns(self, current):
        """Name the dtype of the spikes."""
        with self._set():
            return str(_numpy(self._spikes(self._give(current))).dtype)

    def state(self, current):
        """Return what is taken for the potential after the last step, (B, N); of size 0 where none is shown."""
        with self._set():
            v = self._run(self._give(current))[1]
        return np.zeros(0) if v is None else np.asarray(_numpy(v), np.float64).reshape(current.shape[1:])

    def vjp(self, current, dspikes, twice=False):
        """Pull gradients back: (T, B, N) twice -> (T, B, N); twice: the second of two backward passes on one graph."""
        with self._set():
            if self.kind == "numpy":
                self.rest()
                return self._by_hand(current, dspikes, twice)
            if self.pulled:
                down = self.jax.numpy.asarray(dspikes).astype(self._spikes(self._give(current)).dtype)
                return np.asarray(self.pulled(self._give(current), down), np.float64)
            if self.kind == "jax":
                spikes, pull = self.jax.vjp(lambda x: self._run(x)[0], self._give(current))
                return np.asarray(pull(self.jax.numpy.asarray(dspikes).astype(spikes.dtype))[0], np.float64)
            x = self._give(current).requires_grad_()
            spikes = self._run(x)[0]
            if not spikes.requires_grad:
                return np.zeros(current.shape)
            down = self.torch.as_tensor(np.array(dspikes)).to(spikes.dtype)
            for k in range(1 + twice):
                grad, = self.torch.autograd.grad(spikes, x, down, allow_unused=True, retain_graph=k < twice)
            return np.zeros(current.shape) if grad is None else grad.detach().cpu().double().numpy()

    def learned(self, current, dspikes):
        """Pull gradients back to what the module learns: name -> the sum over its entries; of other layers nothing."""
        found = self._learned()
        if not found:
            return {}
        with self._set():
            spikes = self._run(self._give(current))[0]
            if not spikes.requires_grad:
                return dict.fromkeys(found, 0.0)
            down = self.torch.as_tensor(np.array(dspikes)).to(spikes.dtype)
            grads = self.torch.autograd.grad(spikes, list(found.values()), down, allow_unused=True)
            return {name: 0.0 if g is None else float(g.double().sum()) for name, g in zip(found, grads, strict=True)}

    def move(self, name, by):
        """Add a number to all entries of what the module learns; 0: as it was."""
        with self.torch.no_grad():
            parameter = self._learned()[name]
            kept = self.kept.setdefault(name, parameter.clone())
            parameter.copy_(kept + by)

    def _learned(self):
        """Find what the module learns."""
        module = self.kind == "torch" and isinstance(self.layer, self.torch.nn.Module)
        return {name: p for name, p in self.layer.named_parameters() if p.requires_grad} if module else {}

    def _by_hand(self, current, dspikes, twice):
        """Call backward, once or twice."""
        out = self._forward_by_hand(self._layout(np.array(current)))
        backward, cache = self.layer[1], out[-1:] if isinstance(out, (tuple, list)) and len(out) > 1 else ()
        if not cache and len(_positional(backward)) > 1:
            raise ValueError("expected forward(current) -> spikes, cache and backward(dspikes, cache), got a forward without a cache")
        for _ in range(1 + twice):
            grads = backward(self._layout(dspikes), *cache, *self._needed_by(backward, 1 + len(cache), current.shape[1:]))
        return self._back(np.asarray(self._first(grads), np.float64), current.shape)

    def _forward_by_hand(self, x):
        """Call forward; one that wants a threshold and a first potential, as of the contract, gets the one declared, and 0."""
        forward = self.layer[0]
        return forward(x, *self._needed_by(forward, 1, x.shape[1:]))

    def _needed_by(self, function, n, shape):
        """Choose values for the arguments that a function wants beyond the first n: what its file declares, by name, or else states."""
        said, values = {name.lower(): x for name, x in self.declared.items()}, []
        for p in _positional(function)[n:]:
            if p.default is not p.empty:
                break
            if p.name in ("beta", "alpha", "decay", "leak", "tau", "gain") and p.name not in said:
                raise ValueError(f"its argument {p.name} has no default: write {p.name.upper()} = ... into its file" if p.name in (
                    "beta", "alpha") else f"its argument {p.name} has no default: give it one")
            first = p.name not in THRESHOLDS and (p.name[0] in "vumd" or "state" in p.name)
            values.append(said.get(p.name, np.zeros(shape) if first else self.theta))
        return values

    def evaluation(self, on):
        """Switch to evaluation, or back to training; return whether the layer knows the difference."""
        if self.kind == "torch" and isinstance(self.layer, self.torch.nn.Module):
            self.layer.train(not on)
            return True
        return False

    def overwritten(self, current, other):
        """Say what a run changes that it must not: its input, or what an earlier run has returned; "" if nothing."""
        if self.kind == "jax":
            return ""                                           # its arrays do not change
        with self._set():
            given = self._give(current)
            before = np.array(_numpy(given))
            first = self._run(given)[0]
            kept = np.array(_numpy(first))
            if (_numpy(given) != before).any():
                return "forward changes its input"
            self._run(self._give(other))
            return "a later run overwrites what an earlier one returned" if (_numpy(first) != kept).any() else ""

    # ---------------------------------------------------------------------------------------------------------- private

    def _set(self):
        return in_float64(self.kind, self.dtype)

    def _give(self, x):
        x = np.array(x, self.dtype)
        return self.torch.from_numpy(x) if self.kind == "torch" else self.jax.numpy.asarray(x) if self.kind == "jax" else x

    def _first(self, out):
        return out[0] if isinstance(out, (tuple, list)) else out

    def _run(self, x):
        """Run from rest on (T, B, N); return spikes and the potential, if it is shown."""
        self.rest()
        if "T" in self.axes:
            out = self._forward_by_hand(self._layout(x)) if self.kind == "numpy" else self._call(self._layout(x))
            v = None
            if isinstance(out, (tuple, list)):
                shown = [y for y in out[1:] if hasattr(y, "shape") and int(np.prod(y.shape)) == int(np.prod(x.shape[1:]))]
                v = shown[-1] if self.kind == "torch" and len(shown) == 1 and "N" in self.axes and len(out) == 2 else None
            return self._back(self._first(out), x.shape), v
        spikes, state = [], ()
        for t, x_t in enumerate(x):
            if t == 1 and self.pulled and self._arguments(state):
                rest, state = self._scanned(x[1:], state)
                spikes.extend(rest)
                break
            try:
                out = self._call(self._layout(x_t), *self._arguments(state))
            except (TypeError, ValueError):
                if not self._arguments(state):
                    raise
                self.own_state = True                                    # it shows its state, and keeps it
                return self._run(x)
            state = tuple(out) if isinstance(out, (tuple, list)) else ()
            spikes.append(self._first(out).reshape(x_t.shape) if len(self.axes) != 2 else self._first(out))
        stack = self.torch.stack if self.kind == "torch" else self.jax.numpy.stack if self.kind == "jax" else np.stack
        v = state[-1] if len(state) > 1 else getattr(self.layer, "v", getattr(self.layer, "mem", None))
        v = getattr(v, "v", v)                                           # a state of several parts
        return stack(spikes), v if getattr(v, "shape", None) == x.shape[1:] else None

    def _spikes(self, x):
        """Give the spikes of a run; compiled, if it can be and its first state is known."""
        if self.compiled and self.start is None and self._wanted():
            self._run(x[:1])                                    # finds a first state
        if self.compiled:
            return self.compiled(x)
        return self._run(x)[0]

    def _scanned(self, x, state):
        """Run the steps after the first by `lax.scan`: compiled, a loop over steps would take seconds."""
        def step(state, x_t):
            out = self._call(self._layout(x_t), *self._arguments(state))
            return tuple(out), self._first(out).reshape(x_t.shape)
        state, spikes = self.jax.lax.scan(step, state, x)
        return spikes, state

    def _call(self, x, *state):
        """Call the layer; where it wants a first state, with zeros, or None; a state that comes first, as of `lax.scan`, is put last."""
        n = 0 if state else len(self._wanted())
        if not n:
            return self._in_order(self.layer(*((*state, x) if self.carries and state else (x, *state))))
        if self.start is None:
            self.start = self._start(x, n)
        first = [0 * x if k == "zeros" else None for k in self.start]
        return self._in_order(self.layer(*((*first, x) if self.carries else (x, *first))))

    def _in_order(self, out):
        return (out[1], out[0]) if self.carries else out

    def _wanted(self):
        """List the arguments behind the first that have no default."""
        function = self.layer.forward if hasattr(self.layer, "forward") else self.layer
        return [p.name for p in _positional(function) if p.default is p.empty][1:]

    def _start(self, x, n):
        """Find a first state that the layer takes and gives back; it may be its first argument, and its first result."""
        small = 0 * x + 0.3 * self.theta
        for kind in ("zeros", "none"):
            with contextlib.suppress(Exception):
                first = [0 * x if kind == "zeros" else None] * n
                out = self.layer(small, *first)
                out = out if isinstance(out, (tuple, list)) else (out,)
                self.carries = n == 1 and kind == "zeros" and len(out) == 2 and not _binary(out[0]) and _binary(out[1])
                if len(out) == 1 + n or (n == 1 and len(out) > 1):
                    return [kind] * n
        raise ValueError(f"its arguments {', '.join(self._wanted())} have no defaults, and it does not return them, as states, behind its "
                         "spikes: say what they are, as 'FILE.py:lambda x: layer(x, 0.9)'; an operation with weights is checked by "
                         "--module")

    def _arguments(self, state):
        """Choose what of the last result goes in again: what follows the spikes, or all of it, or one tuple."""
        if len(state) < 2 or self.own_state:
            return ()
        function = self.layer.forward if hasattr(self.layer, "forward") else self.layer
        n = len(_positional(function)) - 1
        if n == len(state) - 1:
            return state[1:]
        if n == len(state):
            return (state[0].to(state[-1].dtype) if hasattr(state[0], "to") else state[0], *state[1:])
        return (state[1:],) if n == 1 else state[1:1 + n]

    def _layout(self, x):
        """Bring (T, B, N), or (B, N), into the layout of the layer; neurons are the channels, height and width 1."""
        ours = "TBN" if "T" in self.axes else "BN"
        axes = self.axes.replace("C", "N")
        order = [ours.index(a) for a in axes if a in ours]
        x = x.permute(order) if self.kind == "torch" else x.transpose(order)
        for k, a in enumerate(axes):
            if a in "HW":
                x = x[(slice(None),) * k + (None,)]
        return x

    def _back(self, y, shape):
        """Undo `_layout`."""
        axes = "".join(a for a in self.axes.replace("C", "N") if a not in "HW")
        y = y.reshape([shape["TBN".index(a)] for a in axes])
        order = [axes.index(a) for a in "TBN"]
        return y.permute(order) if self.kind == "torch" else y.transpose(order)


def _positional(function):
    """List the arguments that a function takes by place."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _binary(x):
    x = _numpy(x)
    return bool(np.isin(x, (0, 1)).all())


def _numpy(x):
    """Turn what a framework returns into NumPy; a spike of 1 but for rounding, as of (hard - soft).detach() + soft, is 1."""
    return whole(np.asarray(x.detach().cpu() if hasattr(x, "detach") else x))


def functions_of(kind, found, declared):
    """Make functions over NumPy arrays of an object.

    Parameters
    ----------
    kind : str
        One of KINDS.
    found : object
        The layer.
    declared : dict
        What its file says.

    Returns
    -------
    dict
        name -> function of arrays, numbers and words.
    """
    runners = {}

    def runner(part, axes, dtype):
        if (part, axes, dtype) not in runners:
            runners[part, axes, dtype] = Runner(kind, found.get_submodule(part) if part else found, axes, dtype)
            runners[part, axes, dtype].theta, runners[part, axes, dtype].declared = declared.get("THRESHOLD", 1.0), declared
        return runners[part, axes, dtype]

    def facts(part=""):
        here = runner(part, "TBN", "float64")
        return {"declared": {name: x for name, x in declared.items() if not callable(x)}, "resets": here.resets(),
                "own surrogate": callable(declared.get("SURROGATE")), "threshold": here.threshold(), "children": children(here.layer),
                "states": here.states(), "compiled": here.compiled is not None,
                "name": type(here.layer).__name__ if not isinstance(found, tuple) and not inspect.isfunction(found) else "layer"}

    def surrogate(x):
        return np.asarray(declared["SURROGATE"](np.array(x)), float)
    calls = {name: (lambda part, axes, dtype, *args, name=name: getattr(runner(part, axes, dtype), name)(*args))
             for name in ("raw", "forward", "vjp", "state", "returns", "evaluation", "overwritten", "learned", "move")}

    def network(plans, axes, shape, seed):
        from ._frozen import run
        return run(found, plans, axes, shape, seed)
    return {"facts": facts, "surrogate": surrogate, "network": network, **calls}


def children(found):
    """Name the parts of a PyTorch module that are none of PyTorch's own layers, the whole before its parts.

    Parameters
    ----------
    found : object
        Any.

    Returns
    -------
    list of str
        Their paths.
    """
    try:
        module = importlib.import_module("torch").nn.Module
    except ImportError:
        return []
    if not isinstance(found, module):
        return []
    own = [(name, part) for name, part in module.named_modules(found) if name]
    return [name for name, part in own if not any(kind.__module__.startswith("torch.nn.modules.") and kind is not module
                                                  for kind in type(part).__mro__)]
