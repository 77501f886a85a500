"""What all formats share: the network in a run, the shapes of its layers, and the order of images that other people use."""

import numpy as np

from ..layers import AvgPool, Conv, Dense, Flatten, MaxPool, PooledFire, Whiten
from ..layers.temporal import TemporalLayer
from ..network import Network, SpikingNetwork

PIECE = 200         # samples that are simulated at once


class ImportedNetwork(SpikingNetwork):
    """A spiking network that was read from a file of others: it has no model, but knows the shape of its input.

    Parameters
    ----------
    layers : list of pysnn.layers.Layer
        The layers.
    params : dict of str to array
        The parameters that the layers refer to.
    config : pysnn.layers.NeuronConfig
        How the neurons fire, and for how many steps.
    input_shape : tuple of int
        Of a sample: (H, W, C), or (n,).
    """

    def __init__(self, layers, params, config, input_shape):
        super().__init__(layers, params, {}, config)
        self.input_shape = input_shape


def network_of(thing, spiking, what):
    """Return a network: that of a run or of the nets of a learning rule, or the network itself; `what` begins the message if it is none."""
    nets = getattr(thing, "nets", thing)
    net = getattr(nets, "snn" if spiking and hasattr(nets, "snn") else "net", nets)
    if net is None or not isinstance(net, Network):
        raise ValueError(f"{what}: expected a run, its nets or a network{' that spikes' if spiking else ''}, got "
                         f"{'a ReLU network' if net is None else type(thing).__name__}")
    if any(isinstance(layer, TemporalLayer) for layer in net.layers):
        raise ValueError(f"{what}: expected a network in time steps, got one of exact spike times, which this format has no word for")
    if spiking and not isinstance(net, SpikingNetwork):
        raise ValueError(f"{what}: expected a network that spikes, got a ReLU network")
    return net


def input_shape(net):
    """Return the shape of an input sample, (H, W, C) or (n,)."""
    return net.input_shape if net.model is None else net.model.shape


def shape_after(layer, shape):
    """Return the shape of a layer's output sample, for a given shape of its input sample."""
    if isinstance(layer, (Conv, Whiten)):
        kernel = layer.state[layer.names[0]] if isinstance(layer, Whiten) else layer.w
        stride, padding = (1, 0) if isinstance(layer, Whiten) else (layer.stride, layer.padding)
        sides = ((n + 2 * padding - k) // stride + 1 for n, k in zip(shape[:2], kernel.shape[:2], strict=True))
        return *sides, kernel.shape[3] * (2 if isinstance(layer, Whiten) else 1)
    if isinstance(layer, (AvgPool, MaxPool)):
        size, stride = layer.options[0], layer.options[1] or layer.options[0]
        return *((n - size) // stride + 1 for n in shape[:2]), shape[2]
    if isinstance(layer, PooledFire):
        return *(n // layer.window[0] for n in shape[:2]), shape[2]
    if isinstance(layer, Flatten):
        return (int(np.prod(shape)),)
    return layer.w.shape[1:] if isinstance(layer, Dense) else tuple(shape)


def walk(layers, shape):
    """Yield each layer, the shape of its input sample, and of what a Flatten before it laid out; else (of a row) that shape again."""
    image = shape
    for layer in layers:
        yield layer, shape, image
        after = shape_after(layer, shape)
        image = shape if isinstance(layer, Flatten) and len(shape) == 3 else after if isinstance(layer, (Dense, Conv)) else image
        image = after if len(after) == 3 else image
        shape = after


def channels_first(w, image):
    """Show weights (n_in, n_out) of a dense layer behind an image (H, W, C) as (n_out, C, H, W); behind a row as (n_out, n_in). A view."""
    return w.T if len(image) != 3 else w.reshape(*image, -1).transpose(3, 2, 0, 1)


def kernel_first(w):
    """Show a kernel (kh, kw, C_in, C_out) as (C_out, C_in, kh, kw). A view."""
    return w.transpose(3, 2, 0, 1)
