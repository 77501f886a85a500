"""The layers of ReLU and integrate-and-fire networks; both kinds refer to the same parameters."""

from typing import NamedTuple

import numpy as np

from .conventions import Rule, Stage, Surrogate
from .layers import Layer
from .operations import backend_of
from .reference import activations


class Firing(NamedTuple):
    """How the integrate-and-fire neurons of a network fire, and for how long."""

    n_steps: int = 15
    threshold: float = 1.0
    v_init: float = 0.0                 # membrane potential before the first step
    rule: Rule = Rule()
    output: bool = True                 # whether the output neurons fire; else they add up their current
    surrogate: Surrogate = Surrogate()  # for training through time
    detach_reset: bool = True
    clip: bool = False                  # whether the outputs of a ReLU twin end at the threshold, where a neuron fires at every step


class Conv(Layer):
    """A 3 x 3 convolution with zero padding 1 and no bias; reads w{k}.

    Parameters
    ----------
    params : dict of str to array
        All parameters.
    k : int
        Number of this weight layer.
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    """

    def __init__(self, params, k, backend="auto"):
        self.params, self.name, self.backend = params, f"w{k}", backend
        self.op = backend_of("conv", backend)

    def _forward(self, x, rng, statistics):
        return self.op.conv2d_forward(x, self.params[self.name], 1, 1)

    def _backward(self, dy, cache, need_dx):
        dx, dw = self.op.conv2d_backward(dy, cache, need_dx)
        return dx, {self.name: dw}

    def _fold(self, stages, statistics):
        stages.append(Stage(self.params[self.name]))


class BatchNorm(Layer):
    """Batch normalisation; reads gamma{k} and beta{k}, and as statistics what the pass says.

    Parameters
    ----------
    params, state : dict of str to array
        All parameters, and the running statistics mean{k} and var{k}.
    k : int
        Number of the weight layer before it.
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    """

    def __init__(self, params, state, k, backend="auto"):
        self.params, self.state, self.names, self.of = params, state, (f"gamma{k}", f"beta{k}"), (f"mean{k}", f"var{k}")
        self.op = backend_of("batch_norm", backend)

    def _given(self, statistics):
        """Return mean and var, None for those of the batch."""
        if isinstance(statistics, str):
            return None, None
        given = self.state if statistics is None else statistics
        return tuple(given[name] for name in self.of)

    def _forward(self, x, rng, statistics):
        return self.op.batch_norm_forward(x, *(self.params[name] for name in self.names), *self._given(statistics))

    def _backward(self, dy, cache, need_dx):
        dx, *grads = self.op.batch_norm_backward(dy, cache)
        return dx, dict(zip(self.names, grads, strict=True))

    def _statistics(self, cache):
        return dict(zip(self.of, (cache.mean, cache.var), strict=True))

    def _watch(self, x, cache):
        if cache.of_batch:
            return self.statistics(cache)
        axes = tuple(range(x.ndim - 1))
        found = x.mean(axis=axes, dtype=np.float64), x.var(axis=axes, dtype=np.float64)
        return {name: value.astype(x.dtype) for name, value in zip(self.of, found, strict=True)}

    def _fold(self, stages, statistics):
        w, b = self.op.fold(stages[-1].w, *(self.params[name] for name in self.names), *self._given(statistics))
        stages[-1] = stages[-1]._replace(w=w, b=b)


class Dense(Layer):
    """A fully connected layer; reads w{k}, and b{k} if there is one.

    Parameters
    ----------
    params : dict of str to array
        All parameters.
    k : int
        Number of this weight layer.
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    """

    def __init__(self, params, k, backend="auto"):
        self.params, self.name, self.b_name, self.backend = params, f"w{k}", f"b{k}", backend
        self.op = backend_of("dense", backend)

    def _forward(self, x, rng, statistics):
        return self.op.dense_forward(x, self.params[self.name], self.params.get(self.b_name))

    def _backward(self, dy, cache, need_dx):
        dx, dw, db = self.op.dense_backward(dy, cache)
        return dx, {self.name: dw} | ({} if db is None else {self.b_name: db})

    def _fold(self, stages, statistics):
        stages.append(Stage(self.params[self.name], self.params.get(self.b_name)))


class _Plain(Layer):
    """A layer without parameters: the functions {name}_forward and {name}_backward of a module."""

    def __init__(self, op, name, *options):
        self._run, self._back, self.options = getattr(op, f"{name}_forward"), getattr(op, f"{name}_backward"), options

    def _forward(self, x, rng, statistics):
        return self._run(x, *self.options)

    def _backward(self, dy, cache, need_dx):
        return self._back(dy, cache), {}


class ReLU(_Plain):
    """Rectified linear units.

    Parameters
    ----------
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    top : float
        Where the output ends; inf: nowhere.
    """

    def __init__(self, backend="auto", top=np.inf):
        super().__init__(backend_of("activations", backend), "relu", top)


class Flatten(_Plain):
    """One row a sample, in the order H, W, C."""

    def __init__(self):
        super().__init__(activations, "flatten")


class _Pool(_Plain):
    def __init__(self, kind, backend):
        super().__init__(backend_of("pool", backend), f"{kind}_pool2d", 2)
        self.kind = kind

    def _fold(self, stages, statistics):
        stages[-1] = stages[-1]._replace(pool=self.kind)


class MaxPool(_Pool):
    """The maximum of 2 x 2 places.

    Parameters
    ----------
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    """

    def __init__(self, backend="auto"):
        super().__init__("max", backend)


class AvgPool(_Pool):
    """The mean of 2 x 2 places.

    Parameters
    ----------
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    """

    def __init__(self, backend="auto"):
        super().__init__("avg", backend)


class Dropout(Layer):
    """Some outputs, drawn anew each time, count 0 in training.

    Parameters
    ----------
    p : float
        Share of the outputs.
    """

    def __init__(self, p):
        self.p = p

    def _forward(self, x, rng, statistics):
        return (x, None) if rng is None else activations.dropout_forward(x, self.p, rng)

    def _backward(self, dy, cache, need_dx):
        return (dy if cache is None else activations.dropout_backward(dy, cache)), {}


class IntegrateFire(Layer):
    """Integrate-and-fire neurons over all steps at once, (T B, ...) in and out; the first ones repeat their constant current (B, ...).

    Parameters
    ----------
    firing : Firing
        How they fire.
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    first : bool
        Whether the current is constant.
    """

    def __init__(self, firing, backend="auto", first=False):
        self.firing, self.backend, self.first = firing, backend, first
        self.op = backend_of("integrate_fire", backend)

    def _forward(self, x, rng, statistics):
        f = self.firing
        shape = (f.n_steps, -1, *x.shape[1:])
        current = np.broadcast_to(x, (f.n_steps, *x.shape)) if self.first else x.reshape(shape)
        spikes, _, cache = self.op.forward(current, f.threshold, f.v_init, f.rule)
        return spikes.reshape(-1, *x.shape[1:]), cache

    def _backward(self, dy, cache, need_dx):
        f = self.firing
        dcurrent, _ = self.op.backward(dy.reshape(f.n_steps, -1, *dy.shape[1:]), cache, None, f.surrogate, f.detach_reset)
        return (dcurrent.sum(axis=0) if self.first else dcurrent.reshape(dy.shape)), {}

    def step(self, v, current):
        """Run one step.

        Parameters
        ----------
        v : float or (B, ...) array
            Membrane potential before it.
        current : (B, ...) array
            What the step adds.

        Returns
        -------
        spikes, v : (B, ...) arrays
            Spikes, and the potential after the step.
        """
        return self.op.step(v, current, self.firing.threshold, self.firing.rule)
