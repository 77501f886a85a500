"""Layers of neurons that fire at most once. Between layers goes z = exp(t/tau), whatever the neuron; inf: no spike."""

import numpy as np

from ..encode import drop_spikes
from ..operations import OPERATIONS, backend_of
from ..reference import conv
from . import Layer

NEURONS = ("temporal", *(operation.name for operation in OPERATIONS.values() if operation.module == "spike_times"))
"""Neurons by the name of their operation."""

DELAYS = "axonal", "dendritic", "synaptic"


def needed(neuron):
    """Return the least sum of weights with which inputs at one time make a neuron fire, at threshold 1: 1 over the peak of its potential.

    Parameters
    ----------
    neuron : str
        One of `NEURONS`.

    Returns
    -------
    float
        1 where the potential does not leak.
    """
    return 1.0 if neuron == "temporal" else 4.0 if neuron == "leaky_double" else float(np.e)


class TemporalLayer(Layer):
    """Neurons behind weights such as w1.

    Parameters
    ----------
    params : dict of str to array
        All parameters.
    name : str
        Name of the weights, such as w1.
    bias : bool
        Whether an extra input spike at z = 1 (t = 0) has weights of its own.
    drop : float
        Share of the input spikes that are dropped in training. In return the other weights count 1/(1 - drop) times as much; a threshold
        (1 - drop) times as high does this, with the same spike times.
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    """

    fires = True

    def __init__(self, params, name, bias=False, drop=0.0, backend="auto"):
        self.params, self.name, self.bias, self.drop, self.backend = params, name, bias, drop, backend

    def fan_out(self, shape):
        """Say how many weights one input spike meets.

        Parameters
        ----------
        shape : tuple of int
            Of an input sample.

        Returns
        -------
        int or array
            A number for all inputs, or one for each.
        """
        return self.params[self.name].shape[-1]

    def dropped(self, z, rng):
        """Drop input spikes in training.

        Parameters
        ----------
        z : (B, ...) array
            Input spikes.
        rng : numpy.random.Generator or None
            Given in training.

        Returns
        -------
        z : (B, ...) array
            Those that are left.
        threshold : float
            Of the neurons.
        """
        return (z, 1.0) if rng is None or not self.drop > 0 else (drop_spikes(z, self.drop, rng), 1.0 - self.drop)


class TemporalDense(TemporalLayer):
    """A fully connected layer; reads weights w1 (n_in, n_out), with one row more if there is a bias, and delay1 if that is there.

    A delay is log(1 + exp(x)) of the parameter x: so it is never negative.

    Parameters
    ----------
    params : dict of str to array
        All parameters.
    name : str
        Name of the weights, such as w1.
    bias : bool
        Whether an extra input spike at z = 1 has weights of its own.
    drop : float
        Share of the input spikes that are dropped in training.
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    neuron : str
        Operation of the neuron, see `NEURONS`.
    """

    def __init__(self, params, name, bias=False, drop=0.0, backend="auto", neuron="temporal"):
        super().__init__(params, name, bias, drop, backend)
        delay = f"delay{name[1:]}"
        self.delay = delay if delay in params else None
        self.in_times = neuron != "temporal"
        self.op = OPERATIONS[neuron].pair(backend) if self.in_times else backend_of("delays" if self.delay else "temporal", backend)

    def forward(self, z, rng=None, statistics=None):
        shape = z.shape
        z, threshold = self.dropped(z.reshape(len(z), -1), rng)
        if self.bias:
            z = np.concatenate([z, np.ones((len(z), 1), z.dtype)], axis=1)
        w = self.params[self.name]
        if self.delay:
            z_out, cache = self.op.forward(z, w, np.logaddexp(self.params[self.delay], 0), threshold)
        elif self.in_times:
            with np.errstate(over="ignore"):
                t_out, cache = self.op.forward(np.log(z), w, threshold)
                z_out = np.exp(t_out)
        else:
            z_out, cache = self.op.forward(z, w, threshold)
        return z_out, (z, shape, z_out, cache)

    def backward(self, dz, cache, need_dz=True):
        z, shape, z_out, cache = cache
        if self.in_times:                                                # z = exp(t): dt = z dz
            dt_in, dw = self.op.backward(np.where(z_out < np.inf, dz, 0) * np.where(z_out < np.inf, z_out, 0), cache)
            dz_in, grads = dt_in / z, {self.name: dw}
        elif self.delay:
            dz_in, dw, ddelay = self.op.backward(dz, cache)
            grads = {self.name: dw, self.delay: ddelay * _slope(self.params[self.delay])}
        elif not need_dz and hasattr(self.op, "backward_w"):
            return None, {self.name: self.op.backward_w(dz, cache)}
        else:
            dz_in, dw = self.op.backward(dz, cache)
            grads = {self.name: dw}
        return (dz_in[:, :-1] if self.bias else dz_in).reshape(shape), grads


def _slope(x):
    """Return the derivative of log(1 + exp(x))."""
    return np.exp(-np.logaddexp(-x, 0))


class TemporalConv(TemporalLayer):
    """A convolution of temporal neurons; reads weights w1 (kh, kw, C, n_out), and of a bias b1 (n_out,).

    Parameters
    ----------
    params : dict of str to array
        All parameters.
    name : str
        Name of the weights, such as w1.
    bias : bool
        Whether an extra input spike at z = 1 has weights of its own.
    drop : float
        Share of the input spikes that are dropped in training.
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    stride, padding : int
        As in `pysnn.reference.temporal_conv.forward`.
    """

    def __init__(self, params, name, bias=False, drop=0.0, backend="auto", stride=1, padding=0):
        super().__init__(params, name, bias, drop, backend)
        how = {"stride": stride, "padding": padding}
        self.op, self.how, self.b_name = backend_of("temporal_conv", backend), how, f"b{name[1:]}"

    def fan_out(self, shape):
        """Say how many weights one input spike meets.

        Parameters
        ----------
        shape : tuple of int
            Of an input sample.

        Returns
        -------
        array
            (H, W, 1): at the edge fewer windows see a pixel.
        """
        kh, kw, _, n = self.params[self.name].shape
        y, cache = conv.conv2d_forward(np.ones((1, *shape[:2], 1)), np.ones((kh, kw, 1, n)), **self.how)
        return conv.conv2d_backward(np.ones_like(y), cache)[0][0]

    def forward(self, z, rng=None, statistics=None):
        z, threshold = self.dropped(z, rng)
        return self.op.forward(z, self.params[self.name], self.params[self.b_name] if self.bias else None, **self.how, threshold=threshold)

    def backward(self, dz, cache, need_dz=True):
        dz_in, dw, db = self.op.backward(dz, cache, need_dz)
        return dz_in, {self.name: dw} | ({self.b_name: db} if self.bias else {})


class EarliestPool(Layer):
    """The earliest spike of each window, (T15): of equal times the first in row-major order.

    Parameters
    ----------
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    size : int
        Height and width of the windows.
    stride : int, optional
        Step between two windows; default: size.
    """

    def __init__(self, backend="auto", size=2, stride=None):
        self.op, self.options = backend_of("pool", backend), (size, stride)

    def forward(self, z, rng=None, statistics=None):
        z_out, cache = self.op.max_pool2d_forward(-z, *self.options)
        return -z_out, cache

    def backward(self, dz, cache, need_dz=True):
        return self.op.max_pool2d_backward(dz, cache), {}
