"""NIR, the Neuromorphic Intermediate Representation: graphs and files, to and from. Needs the package `nir` (pip install nir).

NIR's neurons are differential equations, and are reset to a value where the potential exceeds the threshold. What a network in time steps
adds to that stands in the metadata of its nodes, which other programs need not read: the reset (by subtraction, or to zero), its timing,
the comparison at the threshold, the gain of the current, the surrogate, the first potential and the time step.
"""

import importlib
import io

import numpy as np

from .. import _files
from ._graphs import exported, imported
from ._networks import network_of

DT = 1e-4       # seconds: the time step that most programs which read NIR take


def to_nir(nets, dt=DT):
    """Turn a spiking network into a NIR graph.

    Batch normalisation is folded into the weights. The graph is a chain: Conv2d, Linear or Affine, AvgPool2d, Flatten, IF, LIF or CubaLIF,
    and I, LI or CubaLI for a readout; recurrent weights are a Linear node in a circle with their neurons.

    Parameters
    ----------
    nets : pysnn.training.Run, tuple or pysnn.network.SpikingNetwork
        A run, what a learning rule's `build` returned, or a spiking network.
    dt : float
        Time step in seconds; a decay of beta becomes the time constant dt/(1 - beta).

    Returns
    -------
    nir.NIRGraph
        The graph; weights keep their bits.

    Raises
    ------
    ValueError
        If NIR has no word for a layer, such as max pooling, or the network is one of ReLU neurons or exact spike times.
    ImportError
        If `nir` is not installed.
    """
    graph = exported(network_of(nets, True, "NIR"), float(dt))
    nir, nodes = _nir(), {}
    for name, node in graph["nodes"].items():
        fields = {key: x for key, x in node.items() if key not in ("type", "shape")}
        ends = {"Input": "input_type", "Output": "output_type"}
        fields |= {ends[node["type"]]: node["shape"]} if node["type"] in ends else {}
        nodes[name] = getattr(nir, node["type"])(**fields)
        if node["type"] == "Conv2d":                                     # nir 1.0.8 takes the kernel's height for its width
            sides = zip(node["input_shape"], node["padding"], node["weight"].shape[2:], node["stride"], strict=True)
            nodes[name].output_type = {"output": np.array([len(node["weight"]), *((n + 2 * p - k) // s + 1 for n, p, k, s in sides)])}
    return nir.NIRGraph(nodes=nodes, edges=graph["edges"], metadata=graph["metadata"])


def from_nir(graph, dt=DT):
    """Turn a NIR graph into a spiking network.

    Where the metadata say nothing, neurons are those of NIR's equations by Euler's method: they fire where V > threshold, are reset to
    zero in the same step, and a current counts r dt/tau (r dt without a leak). The input then has a time axis.

    Parameters
    ----------
    graph : nir.NIRGraph
        A chain of nodes; recurrent weights in a circle with their neurons, and graphs within the graph, are part of it.
    dt : float
        Time step in seconds, where the metadata name none.

    Returns
    -------
    pysnn.network.SpikingNetwork
        The network; `run` counts its spikes, `forward` returns the spikes of all steps.

    Raises
    ------
    ValueError
        For an unknown node, a cycle, or values that neurons in time steps do not have; the message names the node.
    """
    return imported(graph.to_dict(), float(dt))


def write_nir(nets, path, dt=DT):
    """Write a spiking network as a NIR file (HDF5), all of it or nothing.

    Parameters
    ----------
    nets : pysnn.training.Run, tuple or pysnn.network.SpikingNetwork
        As for `to_nir`.
    path : str or Path
        File to write.
    dt : float
        Time step in seconds.
    """
    graph, whole = to_nir(nets, dt), io.BytesIO()
    _nir().write(whole, graph)
    with _files.replacing(path) as file:
        file.write(whole.getbuffer())


def read_nir(path, dt=DT):
    """Read a spiking network from a NIR file.

    Take such files from where you trust: the library that reads HDF5 can crash on altered bytes.

    Parameters
    ----------
    path : str or Path
        File to read.
    dt : float
        As for `from_nir`.

    Returns
    -------
    pysnn.network.SpikingNetwork
        The network.
    """
    return from_nir(_nir().read(path, type_check=False), dt)


def _nir():
    """Import the package that NIR's objects and files come from."""
    try:
        return importlib.import_module("nir")
    except ImportError as error:
        raise ImportError('NIR needs the package nir: pip install nir') from error
