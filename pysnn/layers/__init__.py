"""Layers: thin objects that know their operation and the names of their parameters; ReLU and spiking twins share the parameters."""

from typing import NamedTuple

import numpy as np

from .._blas import one_thread
from ..conventions import Rule, Stage, Surrogate
from ..operations import backend_of
from ..reference import activations

WHITEN_EPS = 5e-4         # added to variances that whitening divides by


class NeuronConfig(NamedTuple):
    """How the integrate-and-fire neurons of a network fire, and for how long."""

    n_steps: int = 15
    threshold: float = 1.0
    v_init: float = 0.0                 # membrane potential before the first step
    rule: Rule = Rule()
    output: bool = True                 # whether the output neurons fire; else they only add up their current
    surrogate: Surrogate = Surrogate()  # for the backward pass through time
    detach_reset: bool = True           # whether that pass takes the reset as a constant
    clip: bool = False                  # whether the ReLU twin has a ceiling at the threshold, where a neuron fires in every step, (P3)
    levels: int = 0                     # how many steps the ReLU twin's activations are rounded to, up to that ceiling, (P12); 0: not
    pooling: str = "currents"           # where max pooling before the neurons takes place: of the currents, or inside the neurons
    timed: bool = False                 # whether the input has a time axis; else it is one constant current for all steps


class Layer:
    """A layer: its forward and backward pass, and in `fold` what remains of it after training. Images are (B, H, W, C)."""

    backend = "auto"
    frozen = False              # whether it has nothing to learn and no gradient passes: it stands at the input
    fires = False               # whether spikes come out of neurons here

    def forward(self, x, rng=None, statistics=None):
        """Compute the output.

        Parameters
        ----------
        x : (B, ...) array
            Input; of temporal neurons z = exp(t/tau), where inf means no spike.
        rng : numpy.random.Generator, optional
            Given in training: spikes or outputs are dropped.
        statistics : "batch" or dict of str to array, optional
            What batch normalisation uses: those of this batch, or given ones, mean{k} and var{k}; default: the running ones.

        Returns
        -------
        y : (B, ...) array
            Output.
        cache : object
            For `backward`.
        """
        raise TypeError(f"{type(self).__name__}: expected a method forward(x, rng=None, statistics=None)")

    def backward(self, dy, cache, need_dx=True):
        """Compute the gradients.

        Parameters
        ----------
        dy : (B, ...) array
            Gradient with respect to the output.
        cache : object
            From `forward`.
        need_dx : bool
            Whether to compute the gradient of the input, too.

        Returns
        -------
        dx : (B, ...) array or None
            Gradient with respect to the input.
        grads : dict of str to array
            Gradients of the parameters.
        """
        raise TypeError(f"{type(self).__name__}: expected a method backward(dy, cache, need_dx=True)")

    def forward_from(self, state, x, rng=None, statistics=None):
        """Compute the output of a segment of the time steps; only neurons have a state that comes from the segment before.

        Parameters
        ----------
        state : object or None
            What the segment before left; None: this one is the first.
        x : (T B, ...) array
            Input of the segment; so are the others as of `forward`.
        rng : numpy.random.Generator, optional
            Given in training.
        statistics : "batch" or dict of str to array, optional
            What batch normalisation uses.

        Returns
        -------
        y : (T B, ...) array
            Output.
        cache : object
            For `backward_from`.
        state : object or None
            For the next segment.
        """
        return (*self.forward(x, rng, statistics), None)

    def backward_from(self, dstate, dy, cache, need_dx=True):
        """Compute the gradients of a segment.

        Parameters
        ----------
        dstate : object or None
            Gradient with respect to the state that the segment left; None: nothing comes from later segments.
        dy : (T B, ...) array
            Gradient with respect to the output.
        cache : object
            From `forward_from`.
        need_dx : bool
            Whether to compute the gradient of the input, too.

        Returns
        -------
        dx : (T B, ...) array or None
            Gradient with respect to the input.
        grads : dict of str to array
            Gradients of the parameters.
        dstate : object or None
            Gradient with respect to the state before the segment.
        """
        return (*self.backward(dy, cache, need_dx), None)

    def batch_stats(self, x, cache, used=True):
        """Return the statistics of a forward pass: mean{k} and var{k} of a batch normalisation; of other layers nothing.

        Parameters
        ----------
        x : (B, ...) array or None
            Input of that pass; needed if used is False.
        cache : object
            From `forward`.
        used : bool
            True: the statistics that the pass used; False: those of x, whatever the pass used.

        Returns
        -------
        dict of str to array
            Statistics by name.
        """
        return {}

    def fold(self, layers, statistics=None):
        """Append this layer, as it is after training, to a list; batch normalisation goes into the weights before it instead.

        Parameters
        ----------
        layers : list of Layer
            The folded layers before this one, changed in place.
        statistics : dict of str to array, optional
            mean{k} and var{k} for batch normalisation; default: the running ones.
        """
        layers.append(self)


class SpikingLayer(Layer):
    """A layer of neurons with a membrane potential: forward takes all steps at once, (T B, ...), and `step` takes one.

    A kind of neuron is its `forward`, `backward` and `step`; with `forward_from` and `backward_from` it runs in segments of the steps, too.
    `first`: no neurons come before; forward takes a constant current (B, ...).
    """

    first, fires = False, True

    def step(self, v, current):
        """Run one step.

        Parameters
        ----------
        v : object or None
            State after the previous step, such as the membrane potential (B, ...); None before the first step.
        current : (B, ...) array
            Input current of this step.

        Returns
        -------
        spikes : (B, ...) array
            0 or 1.
        v : object
            The state after the step.
        """
        raise TypeError(f"{type(self).__name__}: expected a method step(v, current)")


class _Weighted(Layer):
    """A linear layer: reads w{k}, and b{k} if there is one."""

    def __init__(self, params, k, backend):
        self.params, self.name, self.b_name, self.backend = params, f"w{k}", f"b{k}", backend

    @property
    def w(self):
        """The weights."""
        return self.params[self.name]

    @property
    def b(self):
        """The biases; None if there are none."""
        return self.params.get(self.b_name)


class Conv(_Weighted):
    """A convolution; reads w{k}, and b{k} if there is one.

    Parameters
    ----------
    params : dict of str to array
        All parameters.
    k : int
        Number of this weight layer.
    stride, padding : int
        As in `pysnn.reference.conv.conv2d_forward`.
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    """

    def __init__(self, params, k, stride=1, padding=1, backend="auto"):
        super().__init__(params, k, backend)
        self.stride, self.padding, self.op = stride, padding, backend_of("conv", backend)

    def forward(self, x, rng=None, statistics=None):
        y, cache = self.op.conv2d_forward(x, self.w, self.stride, self.padding)
        return y if self.b is None else y + self.b, cache

    def backward(self, dy, cache, need_dx=True):
        dx, dw = self.op.conv2d_backward(dy, cache, need_dx)
        return dx, {self.name: dw} | ({} if self.b is None else {self.b_name: dy.sum(axis=(0, 1, 2))})

    def scaled(self, w, b):
        """Return the same layer on other weights and biases."""
        return Conv({"w1": w, "b1": b}, 1, self.stride, self.padding, self.backend)


class Dense(_Weighted):
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
        super().__init__(params, k, backend)
        self.op = backend_of("dense", backend)

    def forward(self, x, rng=None, statistics=None):
        spikes = x.dtype == np.uint8 and hasattr(self.op, "spikes_forward")
        return (self.op.spikes_forward if spikes else self.op.dense_forward)(x, self.w, self.b)

    def backward(self, dy, cache, need_dx=True):
        dx, dw, db = self.op.dense_backward(dy, cache, need_dx)
        return dx, {self.name: dw} | ({} if db is None else {self.b_name: db})

    def scaled(self, w, b):
        """Return the same layer on other weights and biases."""
        return Dense({"w1": w, "b1": b}, 1, self.backend)


class BatchNorm(Layer):
    """Batch normalisation; reads gamma{k}, unless the scale is fixed, and beta{k}. The statistics are an argument of `forward`.

    A batch with one value a channel (one sample on a map of 1 x 1) has no variance: there the running statistics are used and kept.

    Parameters
    ----------
    params, state : dict of str to array
        All parameters, and the running statistics mean{k} and var{k}.
    k : int
        Number of the weight layer before it.
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    scale : float, optional
        A fixed scale in the place of gamma.
    """

    def __init__(self, params, state, k, backend="auto", scale=None):
        self.params, self.state, self.names, self.stats = params, state, (f"gamma{k}", f"beta{k}"), (f"mean{k}", f"var{k}")
        self.op, self.scale = backend_of("batch_norm", backend), scale

    def _affine(self):
        """Return gamma and beta."""
        beta = self.params[self.names[1]]
        return self.params[self.names[0]] if self.scale is None else np.full_like(beta, self.scale), beta

    def _given(self, statistics):
        """Return mean and var; None, None: those of the batch."""
        if isinstance(statistics, str):
            return None, None
        given = self.state if statistics is None else statistics
        return tuple(given[name] for name in self.stats)

    def forward(self, x, rng=None, statistics=None):
        given = self._given(statistics if x.size > x.shape[-1] else None)
        return self.op.batch_norm_forward(x, *self._affine(), *given)

    def backward(self, dy, cache, need_dx=True):
        dx, *grads = self.op.batch_norm_backward(dy, cache)
        return dx, dict(list(zip(self.names, grads, strict=True))[self.scale is not None:])

    def batch_stats(self, x, cache, used=True):
        if used or cache.of_batch:
            return dict(zip(self.stats, (cache.mean, cache.var), strict=True))
        if x.size == x.shape[-1]:
            return {}
        axes = tuple(range(x.ndim - 1))
        values = x.mean(axis=axes, dtype=np.float64), x.var(axis=axes, dtype=np.float64)
        return {name: value.astype(x.dtype) for name, value in zip(self.stats, values, strict=True)}

    def fold(self, layers, statistics=None):
        at = len(layers) - (2 if layers and isinstance(layers[-1], AvgPool) else 1)      # scale and shift may come before a mean
        if at < 0 or type(layers[at]) not in (Conv, Dense):               # a layer of the user's own need not be linear
            given = dict(zip(self.stats, self._given(statistics), strict=True))
            layers.append(BatchNorm(self.params, given, int(self.stats[0].removeprefix("mean")), self.backend, self.scale))
            return
        given = *self._affine(), *self._given(statistics)
        w, b = self.op.fold(layers[at].w, *given)
        if layers[at].b is not None:
            b = b + self.op.fold(layers[at].b[None], *given)[0][0]
        layers[at] = layers[at].scaled(w, b)


class _Plain(Layer):
    """A layer without parameters: the functions {name}_forward and {name}_backward of a module."""

    def __init__(self, op, name, *options):
        self._forward, self._backward, self.options = getattr(op, f"{name}_forward"), getattr(op, f"{name}_backward"), options

    def forward(self, x, rng=None, statistics=None):
        return self._forward(x, *self.options)

    def backward(self, dy, cache, need_dx=True):
        return self._backward(dy, cache), {}


class ReLU(_Plain):
    """Rectified linear units.

    Parameters
    ----------
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    top : float
        Ceiling of the output; inf: none.
    levels : int
        How many steps it is rounded to, up to the ceiling; 0: it is not.
    """

    def __init__(self, backend="auto", top=np.inf, levels=0):
        super().__init__(backend_of("activations", backend), "relu", top, *([levels] if levels else []))


class Flatten(_Plain):
    """One row a sample, in the order H, W, C."""

    def __init__(self):
        super().__init__(activations, "flatten")


class _Pool(_Plain):
    kind = ""

    def __init__(self, backend="auto", size=2, stride=None):
        super().__init__(backend_of("pool", backend), f"{self.kind}_pool2d", size, stride)


class MaxPool(_Pool):
    """The maximum of each window of size x size pixels; stride: pixels between two windows, by default the size."""

    kind = "max"


class AvgPool(_Pool):
    """The mean of each window of size x size pixels; arguments as for MaxPool."""

    kind = "avg"


class Dropout(Layer):
    """Sets some inputs to 0 in training, drawn anew in each forward pass; the others are divided by 1 - p.

    Parameters
    ----------
    p : float
        Share that is set to 0.
    """

    def __init__(self, p):
        self.p = p

    def forward(self, x, rng=None, statistics=None):
        return (x, None) if rng is None else activations.dropout_forward(x, self.p, rng)

    def backward(self, dy, cache, need_dx=True):
        return (dy if cache is None else activations.dropout_backward(dy, cache)), {}


class IntegrateFire(SpikingLayer):
    """Integrate-and-fire neurons. In forward and backward all steps at once, currents and spikes (T B, ...), see SpikingLayer.

    Parameters
    ----------
    config : NeuronConfig
        How they fire, and for how many steps.
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    first : bool
        Whether no neurons come before: forward then takes one constant current (B, ...) for all steps.
    """

    v_init = None              # (C,) potential before the first step, channel by channel, in the place of config.v_init, (P14)
    window = ()                # side of the windows that the neurons pool

    def __init__(self, config, backend="auto", first=False):
        self.config, self.backend, self.first = config, backend, first
        self.op = backend_of("pooled_fire" if self.window else "integrate_fire", config.surrogate.backend(backend))

    def _start(self, like):
        """Return the potential before the first step."""
        return self.config.v_init if self.v_init is None else np.broadcast_to(self.v_init, like.shape)

    def forward(self, x, rng=None, statistics=None):
        return self.forward_from(None, x)[:2]

    def backward(self, dy, cache, need_dx=True):
        return self.backward_from(None, dy, cache)[:2]

    def forward_from(self, state, x, rng=None, statistics=None):
        c = self.config
        current = np.broadcast_to(x, (c.n_steps, *x.shape)) if self.first else x.reshape(c.n_steps, -1, *x.shape[1:])
        v = self._start(current[0]) if state is None else state
        spikes, v, cache = self.op.forward(current, *self.window, c.threshold, v, c.rule)
        return spikes.reshape(-1, *spikes.shape[2:]), cache, v

    def backward_from(self, dstate, dy, cache, need_dx=True):
        c = self.config
        dcurrent, dv = self.op.backward(dy.reshape(c.n_steps, -1, *dy.shape[1:]), cache, dstate, c.surrogate, c.detach_reset)
        return (dcurrent.sum(axis=0) if self.first else dcurrent.reshape(-1, *dcurrent.shape[2:])), {}, dv

    def step(self, v, current):
        return self.op.step(self._start(current) if v is None else v, current, *self.window, self.config.threshold, self.config.rule)


class PooledFire(IntegrateFire):
    """Integrate-and-fire neurons that pool inside, see `pysnn.reference.pooled_fire`.

    Parameters
    ----------
    config : NeuronConfig
        How they fire, and for how many steps.
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    first : bool
        Whether no neurons come before.
    size : int
        Height and width of the windows.
    """

    def __init__(self, config, backend="auto", first=False, size=2):
        self.window = (size,)
        super().__init__(config, backend, first)


class Whiten(Layer):
    """Filters that make neighbouring pixels independent, fixed before training; each gives two channels, max(z, 0) and max(-z, 0).

    Parameters
    ----------
    state : dict of str to array
        Holds the filters, filter{k} of shape (size, size, C, n), and the offsets, offset{k} of shape (n,); `begin` sets them.
    k : int
        Number of the last weight layer before it.
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    """

    frozen = True

    def __init__(self, state, k=0, backend="auto"):
        self.state, self.names, self.backend, self.op = state, (f"filter{k}", f"offset{k}"), backend, backend_of("conv", backend)

    def begin(self, x):
        """Set the filters: the principal components of patches, each divided by its standard deviation, (P13).

        Parameters
        ----------
        x : (B, H, W, C) array
            Training images.
        """
        filters, offset = (self.state[name] for name in self.names)
        size = filters.shape[0]
        mean, scale = x.mean(axis=(0, 1, 2), dtype=np.float64), x.std(axis=(0, 1, 2), dtype=np.float64) + 1e-12
        seen = np.lib.stride_tricks.sliding_window_view((x - mean) / scale, (size, size), axis=(1, 2))
        patches = seen.transpose(0, 1, 2, 4, 5, 3).reshape(-1, filters[..., 0].size)
        patches = patches - patches.mean(axis=0)
        with one_thread():
            e, u = np.linalg.eigh(patches.T @ patches / len(patches))
        u = u * np.sign(u[np.abs(u).argmax(axis=0), np.arange(len(e))])             # a component has no sign of its own
        f = (u / np.sqrt(e + WHITEN_EPS))[:, ::-1].reshape(filters.shape) / scale[:, None]
        filters[...], offset[...] = f, -(f * mean[:, None]).sum(axis=(0, 1, 2))

    def forward(self, x, rng=None, statistics=None):
        filters, offset = (self.state[name] for name in self.names)
        if not filters.any():
            raise ValueError("whitening: expected filters, got none yet: call the method's begin(nets, x_train) before the first batch")
        z = self.op.conv2d_forward(x, filters)[0] + offset
        return np.maximum(np.concatenate([z, -z], axis=3), 0), None

    def backward(self, dy, cache, need_dx=True):
        return None, {}


def stages(layers, shape=()):
    """Turn folded layers into the stages that `spiking.run` of a backend takes.

    Parameters
    ----------
    layers : list of Layer
        From `pysnn.network.SpikingNetwork.folded_layers`.
    shape : tuple of int, optional
        Of a sample of their input, (H, W, C); without it the mean of a whole map is not known as such.

    Returns
    -------
    list of pysnn.conventions.Stage or None
        The weight layers with their neurons: 3 x 3 convolutions, dense layers, neurons that pool 2 x 2 currents inside or whose spikes are
        pooled 2 x 2, at the end the mean of a whole map; None if there are other layers, or another order.
    """
    made, fires, mean = [], True, 1              # fires: the last weight layer so far has its neurons behind it; mean: of so many pixels
    size = tuple(shape[:-1])                     # of the map
    for i, layer in enumerate(layers):
        standard = type(layer) is Conv and layer.w.shape[:2] == (3, 3) and (layer.stride, layer.padding) == (1, 1)
        if standard or type(layer) is Dense:
            if not fires:
                return None
            made.append(Stage(layer.w if mean == 1 else np.tile(layer.w / layer.w.dtype.type(mean), (mean, 1)), layer.b))
            fires, mean = False, 1
        elif type(layer) in (IntegrateFire, PooledFire) and (i == 0 or (made and not fires)) and layer.window in ((), (2,)):
            made = made or [Stage(None)]
            made[-1] = made[-1]._replace(pool="inside" if layer.window else "", v_init=layer.v_init)
            fires, size = True, tuple(n // 2 for n in size) if layer.window else size
        elif type(layer) is AvgPool and fires and not all(stage.plain for stage in made) and size == (layer.options[0],) * 2:
            mean = size[0] ** 2
        elif type(layer) in (MaxPool, AvgPool):
            if not (made and fires and np.ndim(made[-1].w) == 4 and not made[-1].pool and layer.options in ((2, None), (2, 2))):
                return None
            made[-1] = made[-1]._replace(pool="max" if isinstance(layer, MaxPool) else "avg")
            size = tuple(n // 2 for n in size)
        elif type(layer) is not Flatten:
            return None
    return made if made and np.ndim(made[-1].w) == 2 else None
