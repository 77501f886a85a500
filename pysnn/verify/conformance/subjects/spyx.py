"""spyx's neurons, in float64; it leaves the loop over time to its users, or to `spyx.nn.run`."""

import contextlib
import importlib

import numpy as np

from ...frameworks.adapters import needed
from ..node import Node, NotSupported


class JaxNode(Node):
    """A neuron of JAX arrays.

    Parameters
    ----------
    step : callable
        ``step(params, x_t, state) -> spikes_t, state``.
    rest : callable
        ``rest(batch, n)``: the first state.
    learnable : dict of str to float, optional
        Parameters by name.
    """

    def __init__(self, step, rest, learnable=None):
        self.jax, self.rest, self.learnable = needed("jax"), rest, learnable or {}

        def run(params, x):
            state = self.rest(x.shape[1], x.shape[2])
            return self.jax.lax.scan(lambda state, x_t: step(params, x_t, state)[::-1], state, x)[1]
        self.step = self.jax.jit(step)                                   # compiled once a batch, whatever the number of steps
        self.pull = self.jax.jit(lambda params, x, down: self.jax.vjp(run, params, x)[1](down))

    @contextlib.contextmanager
    def _float64(self):
        switch = getattr(self.jax, "enable_x64", None)                   # the name of this switch has moved
        with switch(True) if callable(switch) else importlib.import_module("jax.experimental").enable_x64():
            yield self.jax.numpy

    def _run(self, current, state=None):
        """Return spikes as JAX has them, a list of steps, and the state."""
        jnp, params = self.jax.numpy, self.numbers()
        state, spikes = self.rest(*current.shape[1:]) if state is None else state, []
        for x in current:
            s, state = self.step(params, jnp.asarray(x), state)
            spikes.append(s)
        return spikes, state

    def spikes(self, current):
        """Run."""
        with self._float64():
            return np.array(self._run(current)[0], np.float64)

    def dtype(self, current):
        """Look."""
        with self._float64():
            return str(self._run(current)[0][0].dtype)

    def calls(self, current, first):
        """Hand the state on."""
        with self._float64():
            one, state = self._run(current[:first])
            return np.array(one + self._run(current[first:], state)[0], np.float64)

    def _pulled(self, current, down):
        with self._float64() as jnp:
            params, dx = self.pull({k: jnp.asarray(x) for k, x in self.numbers().items()}, jnp.asarray(current), jnp.asarray(down))
            return {name: np.array(g) for name, g in params.items()}, np.array(dx)

    def gradient(self, current, down):
        """Go back."""
        return self._pulled(current, down)[1]

    def parameters(self, current, down):
        """Go back to the parameters."""
        if not self.learnable:
            raise NotSupported("it has no learnable parameters")
        return self._pulled(current, down)[0]

    def numbers(self):
        """Give the values."""
        return {name: np.full(1, x) for name, x in self.learnable.items()}

    def written(self, current, down):
        """Arrays of JAX cannot be written into."""
        return False


def _neuron(kind, learnable=None, **options):
    """A neuron whose parameters, one number each, are put in before each step."""
    def make():
        nnx, nn, jnp, layers = needed("flax.nnx"), needed("spyx.nn"), needed("jax.numpy"), {}

        def layer(n):
            if n not in layers:
                layers[n] = getattr(nn, kind)((n,), **options, **(learnable or {}), rngs=nnx.Rngs(0))
            return layers[n]

        def step(params, x, state):
            graph, kept = nnx.split(layer(x.shape[-1]))
            one = nnx.merge(graph, kept)
            for name, value in params.items():
                setattr(one, name, nnx.Param(value.reshape(())))
            return one(x, state)
        return JaxNode(step, lambda b, n: jnp.asarray(layer(n).initial_state(b), jnp.float64), learnable)
    return make


NEURONS = {
    "IF": _neuron("IF"),
    "LIF": _neuron("LIF", {"beta": 0.75}),
    "CuBaLIF": _neuron("CuBaLIF", {"alpha": 0.5, "beta": 0.75}),
    "ALIF": _neuron("ALIF", {"beta": 0.75, "gamma": 0.5}),
    "LIF(activation=custom)": lambda: _neuron("LIF", {"beta": 0.75}, activation=needed("spyx.axn").custom())(),
}
"""What makes each neuron."""
