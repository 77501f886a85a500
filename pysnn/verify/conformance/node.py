"""What cases ask of a neuron: questions with NumPy arrays in and out, whatever the framework.

    Node        all questions; each says "not supported" unless a kind of node answers it
    TorchNode   over PyTorch
    PairNode    two functions over arrays, or a BlackBox
    There       a node in a process of its own
    of          makes one of what a third party's function returns

Every answer begins at rest. Arrays are (T, B, N), float64.
"""

import functools

import numpy as np

from ..frameworks.adapters import needed


class NotSupported(Exception):
    """The neuron cannot be asked this."""


class Node:
    """A neuron behind its questions."""

    QUESTIONS = ("spikes", "dtype", "stepwise", "calls", "evaluated", "gradient", "twice", "strided", "parameters", "numbers", "written")

    def spikes(self, current):
        """Run.

        Parameters
        ----------
        current : (T, B, N) array
            float64.

        Returns
        -------
        (T, B, N) array
            Spikes.
        """
        raise NotSupported("it cannot be run")

    def dtype(self, current):
        """Say what dtype the spikes of a float64 current have.

        Parameters
        ----------
        current : (T, B, N) array
            float64.

        Returns
        -------
        str
            As float32.
        """
        raise NotSupported("its dtype is not shown")

    def stepwise(self, current):
        """Run one step after the other, where the neuron also takes all at once.

        Parameters
        ----------
        current : (T, B, N) array
            float64.

        Returns
        -------
        (T, B, N) array
            Spikes.
        """
        raise NotSupported("it has one way to take steps")

    def calls(self, current, first):
        """Run the first steps in one call and the others in a second one.

        Parameters
        ----------
        current : (T, B, N) array
            float64.
        first : int
            Steps of the first call.

        Returns
        -------
        (T, B, N) array
            Spikes.
        """
        raise NotSupported("it keeps no state between calls")

    def evaluated(self, current):
        """Run in eval mode.

        Parameters
        ----------
        current : (T, B, N) array
            float64.

        Returns
        -------
        (T, B, N) array, bool
            Spikes, and whether a gradient goes through them.
        """
        raise NotSupported("it has no eval mode")

    def gradient(self, current, down):
        """Go back.

        Parameters
        ----------
        current : (T, B, N) array
            float64.
        down : (T, B, N) array
            Gradient of the loss for the spikes.

        Returns
        -------
        (T, B, N) array
            Gradient for the current.
        """
        raise NotSupported("it has no backward pass")

    def twice(self, current, down):
        """Run once and go back twice.

        Parameters
        ----------
        current : (T, B, N) array
            float64.
        down : (T, B, N) array
            Gradient of the loss for the spikes.

        Returns
        -------
        list of (T, B, N) array
            Both gradients for the current.
        """
        raise NotSupported("it has no graph")

    def strided(self, current, down):
        """Go back where current and gradient are views that are not contiguous.

        Parameters
        ----------
        current : (T, B, N) array
            float64.
        down : (T, B, N) array
            Gradient of the loss for the spikes.

        Returns
        -------
        (T, B, N) array
            Gradient for the current.
        """
        raise NotSupported("it takes no views")

    def parameters(self, current, down):
        """Go back to the learnable parameters.

        Parameters
        ----------
        current : (T, B, N) array
            float64.
        down : (T, B, N) array
            Gradient of the loss for the spikes.

        Returns
        -------
        dict of str to array
            Gradients by name.
        """
        raise NotSupported("it has no learnable parameters")

    def numbers(self):
        """Read the learnable parameters.

        Returns
        -------
        dict of str to array
            Values by name.
        """
        return {}

    def written(self, current, down):
        """Run forward and backward, and compare the arguments with copies.

        Parameters
        ----------
        current : (T, B, N) array
            float64.
        down : (T, B, N) array
            Gradient of the loss for the spikes.

        Returns
        -------
        bool
            Whether one has changed.
        """
        raise NotSupported("it cannot be seen")


class TorchNode(Node):
    """A neuron of PyTorch tensors.

    Parameters
    ----------
    run : callable
        ``run(x) -> spikes``, (T, B, N) tensors, from the state that it has.
    reset : callable
        Takes the state to rest.
    dtype : str
        What tensors go in.
    step : callable, optional
        ``step(x_t) -> spikes_t``, (B, N), where that is another way than `run`.
    module : torch.nn.Module, optional
        For eval mode.
    learnable : dict, optional
        Parameters by name.
    """

    def __init__(self, run, reset, dtype="float64", step=None, module=None, learnable=None):
        self.torch, self.run, self.reset, self.type, self.step, self.module = needed("torch"), run, reset, dtype, step, module
        self.learnable = learnable or {}

    def _tensor(self, x, grad=False, dtype=None):
        return self.torch.tensor(np.array(x), dtype=getattr(self.torch, dtype or self.type), requires_grad=grad)

    def _graph(self, x, run=None):
        self.reset()
        return (run or self.run)(x)

    def _backward(self, y, wrt, down, **how):
        """Return gradients as arrays; 0 where nothing depends on it."""
        if not y.requires_grad:
            return [np.zeros(tuple(x.shape)) for x in wrt]
        grads = self.torch.autograd.grad(y, wrt, self._tensor(down).to(y.dtype), allow_unused=True, **how)
        return [np.zeros(tuple(x.shape)) if g is None else _numpy(g) for x, g in zip(wrt, grads, strict=True)]

    def spikes(self, current):
        """Run without a graph."""
        with self.torch.no_grad():
            return _numpy(self._graph(self._tensor(current)))

    def dtype(self, current):
        """Give it float64, whatever it is asked in else."""
        with self.torch.no_grad():
            return str(self._graph(self._tensor(current, dtype="float64")).dtype).removeprefix("torch.")

    def stepwise(self, current):
        """Take one step after the other."""
        if self.step is None:
            raise NotSupported("it has one way to take steps")
        with self.torch.no_grad():
            return _numpy(self._graph(self._tensor(current), lambda x: self.torch.stack([self.step(x_t) for x_t in x])))

    def calls(self, current, first):
        """Call it twice."""
        with self.torch.no_grad():
            return _numpy(self._graph(self._tensor(current), lambda x: self.torch.cat([self.run(x[:first]), self.run(x[first:])])))

    def evaluated(self, current):
        """Switch to eval mode and back."""
        if self.module is None:
            raise NotSupported("it has no eval mode")
        self.module.eval()
        try:
            y = self._graph(self._tensor(current, True))
        finally:
            self.module.train()
        return _numpy(y), bool(y.requires_grad)

    def gradient(self, current, down):
        """Go back once."""
        x = self._tensor(current, True)
        return self._backward(self._graph(x), [x], down)[0]

    def twice(self, current, down):
        """Go back twice through one graph."""
        x = self._tensor(current, True)
        y = self._graph(x)
        return [self._backward(y, [x], down, retain_graph=True)[0] for _ in range(2)]

    def strided(self, current, down):
        """Go back through a transposed view of every other column, with a transposed gradient."""
        wide = self._tensor(np.repeat(np.asarray(current).transpose(2, 1, 0), 2, axis=0), True)
        y = self._graph(wide[::2].permute(2, 1, 0))
        if not y.requires_grad:
            return np.zeros(np.shape(current))
        down = self._tensor(np.asarray(down).transpose(2, 1, 0)).to(y.dtype).permute(2, 1, 0)
        grad, = self.torch.autograd.grad(y, wide, down)
        return _numpy(grad)[::2].transpose(2, 1, 0)

    def parameters(self, current, down):
        """Go back to the parameters."""
        if not self.learnable:
            raise NotSupported("it has no learnable parameters")
        found = self._backward(self._graph(self._tensor(current, True)), list(self.learnable.values()), down)
        return dict(zip(self.learnable, found, strict=True))

    def numbers(self):
        """Read the parameters."""
        return {name: _numpy(x) for name, x in self.learnable.items()}

    def written(self, current, down):
        """Compare its input with a copy, and the gradient that it was given."""
        x = self._tensor(current, True)
        y, before = self._graph(x), x.detach().clone()
        given = self._tensor(down).to(y.dtype)
        kept = given.clone()
        if y.requires_grad:
            self.torch.autograd.grad(y, x, given)
        return not (self.torch.equal(x.detach(), before) and self.torch.equal(given, kept))


class PairNode(Node):
    """Two functions over float64 arrays.

    Parameters
    ----------
    forward : callable
        ``forward(current) -> spikes``, at rest before each run.
    vjp : callable
        ``vjp(current, dspikes) -> dcurrent``.
    returns : callable, optional
        ``returns(current) -> name of a dtype``.
    step : callable, optional
        ``step(v, current_t) -> spikes_t, v``; v is None at rest.
    """

    def __init__(self, forward, vjp, returns=None, step=None):
        self.forward, self.vjp, self.returns, self.step = forward, vjp, returns, step

    def spikes(self, current):
        """Run."""
        return np.array(self.forward(np.array(current)), np.float64)

    def dtype(self, current):
        """Ask, or look."""
        return self.returns(np.array(current)) if self.returns else str(np.asarray(self.forward(np.array(current))).dtype)

    def stepwise(self, current):
        """Take one step after the other, the state handed on."""
        if self.step is None:
            raise NotSupported("it has one way to take steps")
        v, spikes = None, []
        for x in current:
            s, v = self.step(v, x)
            spikes.append(s)
        return np.array(spikes, np.float64)

    def gradient(self, current, down):
        """Go back."""
        return np.array(self.vjp(np.array(current), np.array(down)), np.float64)

    def strided(self, current, down):
        """Give it views that are not contiguous."""
        views = [np.repeat(np.asarray(x).transpose(2, 1, 0), 2, axis=0)[::2].transpose(2, 1, 0) for x in (current, down)]
        return np.array(self.vjp(*views), np.float64)

    def written(self, current, down):
        """Compare with copies."""
        x, d = np.array(current), np.array(down)
        self.forward(x)
        self.vjp(x, d)
        return not (np.array_equal(x, current) and np.array_equal(d, down))


class There(Node):
    """A node in a process of its own, made by a function of somebody's file.

    Parameters
    ----------
    make : pysnn.foreign.Function
        ``make()`` or ``make(name)``, over there.
    name : str
        Handed to it; "" for nothing.
    profile : Profile
        Says what axes and what dtype it takes.
    """

    def __init__(self, make, name, profile):
        self.make, self.name, self.profile = make, name, profile


def _question(name):
    def ask(self, *args):
        answer = self.make.through("pysnn.verify.conformance.node:answer", self.name, self.profile.axes, self.profile.dtype, name, *args)
        if isinstance(answer, dict) and set(answer) == {"not supported"}:
            raise NotSupported(answer["not supported"])
        return answer["answer"]
    ask.__doc__ = getattr(Node, name).__doc__
    return ask


for _name in Node.QUESTIONS:
    setattr(There, _name, _question(_name))


@functools.cache
def _made(make, name, axes, dtype):
    return of(make(name) if name else make(), axes, dtype)


def answer(make, name, axes, dtype, question, *args):
    """Answer one question, over there.

    Parameters
    ----------
    make : callable
        Returns a neuron.
    name : str
        Of the neuron, handed to `make`; "" if its file has one neuron only.
    axes, dtype : str
        Of its profile.
    question : str
        A method of Node.
    *args
        Its arguments.

    Returns
    -------
    dict
        {"answer": plain data}, or {"not supported": why}.
    """
    try:
        return {"answer": getattr(_made(make, name, axes, dtype), question)(*args)}
    except NotSupported as error:
        return {"not supported": str(error)}


def of(thing, axes="TBN", dtype="float64"):
    """Make a node.

    Parameters
    ----------
    thing : Node, BlackBox, torch.nn.Module or callable
        A module or a function takes a tensor with these axes, all steps at once, or with "BN" one step a call; it returns spikes, or a
        tuple that begins with them. It keeps its state, and has a method `reset` that takes it to rest.
    axes, dtype : str
        As a profile has them.

    Returns
    -------
    Node
        To be asked.

    Raises
    ------
    TypeError
        If it is none of these.
    """
    if isinstance(thing, Node):
        return thing
    if callable(getattr(thing, "forward", None)) and callable(getattr(thing, "vjp", None)):
        return PairNode(thing.forward, thing.vjp, getattr(thing, "returns", None))
    if not callable(thing):
        raise TypeError(f"make: expected a module, a function, a BlackBox or a Node, got {type(thing).__name__}")
    torch = needed("torch")
    if isinstance(thing, torch.nn.Module):
        thing.to(getattr(torch, dtype))

    def spikes(out):
        return out[0] if isinstance(out, (tuple, list)) else out

    def run(x):
        if axes == "BN":
            return torch.stack([spikes(thing(x_t)) for x_t in x])
        return spikes(thing(x)) if axes == "TBN" else spikes(thing(x.transpose(0, 1))).transpose(0, 1)
    module = thing if isinstance(thing, torch.nn.Module) else None
    step = None if axes == "BN" else lambda x_t: run(x_t[None])[0]
    return TorchNode(run, getattr(thing, "reset", lambda: None), dtype, step, module, dict(module.named_parameters()) if module else None)


def _numpy(x):
    return np.array(x.detach().cpu().numpy(), np.float64)
