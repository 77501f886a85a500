"""Spiking layers as black boxes, wherever they come from: `forward(current) -> spikes`, `vjp(current, dspikes) -> dcurrent`.

    from_operation    an operation of ours, or one with a fault of the zoo in it
    from_callables    two functions over arrays of NumPy, or of anything that speaks DLPack
    from_torch        a module or a function over PyTorch tensors; its gradient comes from autograd
    from_jax          a function over JAX arrays; its gradient comes from jax.vjp
    torch_operation   a differentiable function of several tensors as a pair forward, backward, for `gradcheck`

`neurons` has those of released frameworks. A framework is imported when one of its layers is made, never before.
"""

import contextlib
import importlib
from typing import NamedTuple

import numpy as np

from ... import _checks
from ...conventions import LEAKY_RULES, RULES, SURROGATES, Rule, Surrogate
from ...operations import Pair
from ...reference import integrate_fire, leaky
from ..conventions import CONVENTION_WORDS, Convention, LeakyNeuron

INSTALL = {
    "torch": "pip install torch==2.13.0",
    "spikingjelly": "pip install torch==2.13.0 && pip install --no-deps spikingjelly==2.0.0 loguru==0.7.3",
    "snntorch": "pip install torch==2.13.0 snntorch==1.0.0",
    "norse": "pip install torch==2.13.0 h5py==3.16.0 && pip install --no-deps norse==1.1.0 nir==1.0.8 nirtorch==2.6",
    "sinabs": "pip install torch==2.13.0 matplotlib h5py && pip install --no-deps sinabs==3.1.3 pbr==7.1.3 nir==1.0.8 nirtorch==2.6",
    "rockpool": "pip install torch==2.13.0 rockpool==3.1.0",
    "exact_event_adjoint": "pip install torch==2.13.0 exact-event-adjoint==0.2.0",
    "exact_snn": "pip install torch==2.13.0 exact-snn-nn==3.2.3",
    "jax": "pip install jax==0.10.2",
    "spyx": "pip install jax==0.10.2 spyx==1.0.0",
    "jaxsnn": "pip install jax==0.10.2 jaxsnn==0.3.0",
    "nir": "pip install nir==1.0.8",
}
"""What to type where a framework is missing, by the name of its import: the releases that were looked at."""


class BlackBox(NamedTuple):
    """A layer of spiking neurons as it is seen from outside; all arrays are NumPy, float64, (T, B, N), and runs begin at rest."""

    forward: object         # forward(current) -> spikes
    vjp: object             # vjp(current, dspikes) -> dcurrent
    name: str = "layer"
    state: object = None    # state(current) -> (B, N) membrane potential after the last step, where the layer shows it
    returns: object = None  # returns(current) -> name of the dtype that the layer itself gives its spikes


Layer = BlackBox          # its name in version 0.1


def needed(name):
    """Import a framework, or say what to install.

    Parameters
    ----------
    name : str
        A module; its first part is a key of INSTALL.

    Returns
    -------
    module
        The framework.

    Raises
    ------
    ImportError
        If it is not there, in one line.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        top = name.split(".")[0]
        raise ImportError(f"{top} is not installed, or misses a part ({error}): {INSTALL.get(top, f'pip install {top}')}") from None


def from_operation(convention, threshold=1.0, op=None, name="pysnn"):
    """Look at an operation of the public contract, integrate-and-fire or leaky neurons, as a layer.

    Parameters
    ----------
    convention : Convention or LeakyNeuron
        What rule, surrogate and detach_reset it is called with, of leaky neurons also the numbers; its surrogate must not be None.
    threshold : float
        Firing threshold.
    op : module or object, optional
        ``forward(current, threshold, v_init, rule)`` and ``backward(dspikes, cache, dv_final, surrogate, detach_reset)``, or those of
        `leaky`; default: the reference.
    name : str
        For reports.

    Returns
    -------
    BlackBox
        With its potential.

    Raises
    ------
    TypeError, ValueError
        If the convention holds a word that is not known, or no surrogate.
    """
    if not isinstance(convention, (Convention, LeakyNeuron)):
        raise TypeError(f"convention: expected a Convention or a LeakyNeuron, got {_checks.describe(convention)}")
    leaks = isinstance(convention, LeakyNeuron)
    op = op or (leaky if leaks else integrate_fire)
    rule, surrogate, detach_reset = convention[:3]
    _checks.words(rule, "rule", Rule, LEAKY_RULES if leaks else RULES)
    if surrogate is None:
        raise ValueError("convention: expected one with a surrogate, got None: no gradient goes through its spikes")
    _checks.words(surrogate, "surrogate", Surrogate, SURROGATES)
    for field, words in CONVENTION_WORDS.items():
        if not leaks and getattr(convention, field) not in words:
            raise ValueError(f"convention: expected {field} to be one of {words}, got {getattr(convention, field)!r}")

    def run(current):
        if not leaks:
            return op.forward(np.array(current), threshold, 0.0, rule)
        _, _, _, beta, alpha, scale, w_rec = convention
        return op.forward(scale * np.array(current), beta, threshold, 0.0, rule, alpha, w_rec)

    def vjp(current, dspikes):
        rest = (None, None) if leaks else (None,)
        dcurrent = op.backward(np.array(dspikes), run(current)[2], *rest, surrogate, detach_reset)[0]
        return convention.scale * dcurrent if leaks else dcurrent
    return BlackBox(lambda current: run(current)[0], vjp, name, lambda current: run(current)[1], lambda current: str(run(current)[0].dtype))


def from_callables(forward, vjp, to=None, name="callables"):
    """Make a layer of two functions.

    Parameters
    ----------
    forward : callable
        ``forward(current) -> spikes``, (T, B, N) each.
    vjp : callable
        ``vjp(current, dspikes) -> dcurrent``.
    to : callable, optional
        Turns a float64 NumPy array into what they want, `torch.from_dlpack` say; default: nothing.
    name : str
        For reports.

    Returns
    -------
    BlackBox
        What they return may be NumPy, may speak DLPack, or be anything that numpy.asarray takes.
    """
    def give(x):
        x = np.array(x, np.float64)                                      # theirs to keep
        return x if to is None else to(x)
    return BlackBox(lambda current: _float64(forward(give(current)), np.shape(current)),
                 lambda current, dspikes: _float64(vjp(give(current), give(dspikes)), np.shape(current)), name,
                 returns=lambda current: str(_numpy(forward(give(current))).dtype))


def from_torch(run, dtype="float64", name="torch"):
    """Make a layer of a PyTorch module or function; autograd gives its gradient.

    Parameters
    ----------
    run : torch.nn.Module or callable
        Takes a (T, B, N) tensor, all steps at once. Returns spikes like it, or a tuple that begins with them; a second tensor of shape
        (B, N) is taken for the membrane potential. If it has a method `reset`, this is called before every run.
    dtype : str
        What the tensors that go in hold.
    name : str
        For reports.

    Returns
    -------
    BlackBox
        Of whatever dtype the spikes are, they come out as float64; `returns` tells what they were.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    """
    torch = needed("torch")

    def go(current, learn=False):
        if callable(getattr(run, "reset", None)):
            run.reset()
        x = torch.tensor(np.asarray(current), dtype=getattr(torch, dtype), requires_grad=learn)
        with torch.set_grad_enabled(learn):
            out = run(x)
        out = tuple(out) if isinstance(out, (tuple, list)) else (out,)
        v = out[1] if len(out) > 1 and isinstance(out[1], torch.Tensor) and out[1].shape == x.shape[1:] else None
        return x, out[0], v

    def vjp(current, dspikes):
        x, spikes, _ = go(current, learn=True)
        if not spikes.requires_grad:
            return np.zeros(np.shape(current))
        down = torch.as_tensor(np.array(dspikes)).to(spikes.dtype)
        grad, = torch.autograd.grad(spikes, x, down, allow_unused=True)
        return np.zeros(np.shape(current)) if grad is None else _float64(grad, np.shape(current))

    def state(current):
        v = go(current)[2]
        return None if v is None else _float64(v, np.shape(current)[1:])
    return BlackBox(lambda current: _float64(go(current)[1], np.shape(current)), vjp, name, state,
                 lambda current: str(go(current)[1].dtype).removeprefix("torch."))


def from_jax(run, name="jax"):
    """Make a layer of a function over JAX arrays; jax.vjp gives its gradient, in float64.

    Parameters
    ----------
    run : callable
        Takes a (T, B, N) array and returns spikes like it.
    name : str
        For reports.

    Returns
    -------
    BlackBox
        Without its potential.

    Raises
    ------
    ImportError
        If JAX is not installed.
    """
    jax = needed("jax")

    def forward(current):
        with in_x64(jax):
            return _float64(run(jax.numpy.asarray(current)), np.shape(current))

    def vjp(current, dspikes):
        with in_x64(jax):
            spikes, pull = jax.vjp(run, jax.numpy.asarray(current))
            return _float64(pull(jax.numpy.asarray(dspikes).astype(spikes.dtype))[0], np.shape(current))

    def returns(current):
        with in_x64(jax):
            return str(run(jax.numpy.asarray(current)).dtype)
    return BlackBox(forward, vjp, name, None, returns)


def torch_operation(run, dtype="float64"):
    """Turn a differentiable function of tensors into a pair forward, backward over NumPy, as `gradcheck` takes it.

    Parameters
    ----------
    run : callable
        ``run(*tensors) -> tensor``.
    dtype : str
        What the tensors that go in hold.

    Returns
    -------
    Pair
        ``forward(*args) -> out, cache`` and ``backward(dout, cache) -> one gradient an argument``, in float64.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    """
    torch = needed("torch")

    def forward(*args):
        tensors = [torch.tensor(np.asarray(x), dtype=getattr(torch, dtype), requires_grad=True) for x in args]
        out = run(*tensors)
        return _float64(out), (tensors, out)

    def backward(dout, cache):
        tensors, out = cache
        grads = torch.autograd.grad(out, tensors, torch.as_tensor(np.array(dout)).to(out.dtype), retain_graph=True, allow_unused=True)
        return tuple(np.zeros(tuple(x.shape)) if g is None else _float64(g) for x, g in zip(tensors, grads, strict=True))
    return Pair(forward, backward)


def _numpy(x):
    """Turn what a framework returns into NumPy."""
    if isinstance(x, np.ndarray):
        return x
    x = x.detach().cpu() if hasattr(x, "detach") else x
    if hasattr(x, "__dlpack__"):
        with contextlib.suppress(BufferError, RuntimeError, TypeError):
            return np.from_dlpack(x)
    return np.asarray(x)


def _float64(x, shape=None):
    """Turn what a framework returns into float64, and see that its shape is what was asked for."""
    x = np.array(_numpy(x), np.float64)
    if shape is not None and x.shape != tuple(shape):
        raise ValueError(f"layer: expected an array of shape {tuple(shape)} like the current, got {_checks.describe(x)}")
    return x


def in_x64(jax):
    """Let JAX compute in float64 for a while; the name of this switch has moved.

    Parameters
    ----------
    jax : module
        JAX.

    Returns
    -------
    context manager
        While it is entered.
    """
    switch = getattr(jax, "enable_x64", None)
    return switch(True) if callable(switch) else importlib.import_module("jax.experimental").enable_x64()
