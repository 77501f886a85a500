"""What a network costs: multiply-adds of a ReLU network, additions of a spiking one, layer by layer; and joules by published tables."""

from typing import NamedTuple

import numpy as np

from .. import models
from ..models import AvgPool, Conv, Dense, MaxPool


class EnergyTable(NamedTuple):
    """What operations cost, by a publication."""

    addition: float           # of a weight by a spike, in pJ
    multiply_add: float       # in pJ
    source: str


ENERGY = {
    "45nm": EnergyTable(0.9, 4.6, "32-bit floats in 45 nm CMOS: an addition 0.9 pJ, a multiplication 3.7 pJ; M. Horowitz, ISSCC 2014"),
    "loihi": EnergyTable(23.6, 4.6, "a synaptic operation of Loihi, 14 nm, at least 23.6 pJ, from simulations of the circuit; M. Davies et "
                         "al., IEEE Micro 38(1), 2018, table 2. Multiply-adds, which the chip has not, as of 45nm"),
    "truenorth": EnergyTable(26.0, 4.6, "power of the whole chip TrueNorth, 28 nm, by synaptic event at 20 Hz and 128 synapses a neuron; "
                             "P. A. Merolla et al., Science 345, 2014. Multiply-adds, which the chip has not, as of 45nm"),
}
"""Tables by name."""
WORTH = ("Such numbers count arithmetic alone: no memory access, which costs more than an addition, no potentials that leak, no traffic "
         "and, but for truenorth, no static power. They compare networks with each other, and measure no machine.")
"""What joules by such a table are worth, in words."""


def energy(additions, multiply_adds, table="45nm"):
    """Turn operations into joules.

    Parameters
    ----------
    additions, multiply_adds : float or sequence of float
        Operations of a sample, also layer by layer. A spiking network whose first layer gets a constant current takes that layer's
        multiply-adds once, a ReLU network those of all layers, and no additions.
    table : str
        A key of `ENERGY`, which names the sources. `WORTH` says what such numbers are worth.

    Returns
    -------
    float
        Joules.

    Raises
    ------
    ValueError
        For another table.
    """
    if table not in ENERGY:
        raise ValueError(f"energy: expected one of {', '.join(ENERGY)}, got {table!r}")
    costs = ENERGY[table]
    return float(np.sum(additions) * costs.addition + np.sum(multiply_adds) * costs.multiply_add) * 1e-12


def _reach(n, size, stride, padding):
    """Say how many windows each of n places in a row lies in, those on the zeros around it not counted."""
    starts = stride * np.arange((n + 2 * padding - size) // stride + 1) - padding
    return np.array([((starts <= i) & (i < starts + size)).sum() for i in range(n)])


def fan_outs(model):
    """Say how many weights each input of each weight layer meets; those that lie on the zeros around an image do not count.

    Parameters
    ----------
    model : pysnn.models.Model, str or list
        See `pysnn.models.read`.

    Returns
    -------
    list of arrays
        (H, W, 1) for convolutions, () for dense layers.
    """
    fans = []
    for spec, site in models.read(model).sites():
        if isinstance(spec, Conv):
            rows, columns = (_reach(n, size, spec.stride, spec.padding) for n, size in zip(site.shape, spec.sides, strict=False))
            fans.append((np.outer(rows, columns) * spec.n)[:, :, None])
        elif isinstance(spec, Dense):
            fans.append(np.array(spec.n))
        elif "w" in spec.arrays(site):
            fans.append(np.array(spec.arrays(site)["w"].shape[-1]))      # a layer of the user's own: as if it were dense
    return fans


def multiply_adds(model):
    """Count the multiply-adds that a ReLU network takes for one sample.

    Parameters
    ----------
    model : pysnn.models.Model, str or list
        See `pysnn.models.read`.

    Returns
    -------
    list of int
        By weight layer, without batch normalisation; with spiking neurons the first layer takes them once, too, its input being constant.
    """
    model = models.read(model)
    sizes = [site.shape for spec, site in model.sites() if "w" in spec.arrays(site)]
    return [int(np.broadcast_to(fan, size).sum()) for fan, size in zip(fan_outs(model), sizes, strict=True)]


def additions(layer_counts, model, n_steps):
    """Count the synaptic operations: each spike adds the weights that it meets.

    Parameters
    ----------
    layer_counts : list of (B, ...) arrays
        Spike counts of each layer of neurons, before pooling.
    model : pysnn.models.Model, str or list
        See `pysnn.models.read`.
    n_steps : int
        Number of steps of these counts.

    Returns
    -------
    list of float
        Additions of the weight layers behind the first neurons, summed over the batch; one that gets no spikes, but the currents of the
        weights before it, takes its multiply-adds at every step. Recurrent weights count in the layer behind. Exact, also behind average
        pooling, where each spike adds a share of its weights; behind max pooling an upper bound: of neurons in a window that spike c1, c2,
        ... times min(T, c1 + c2 + ...) spikes are counted, as if no two came at the same step.
    """
    model = models.read(model)
    totals, counts, spikes, k, fired, back = [], iter(layer_counts), None, 0, False, 0.0
    fans, macs = fan_outs(model), multiply_adds(model)
    for spec, site in model.sites():
        if "w" in spec.arrays(site):
            if spikes is not None:
                s = spikes.reshape(len(spikes), -1) if fans[k].ndim == 0 else spikes
                totals.append(float((s * fans[k]).sum(dtype=np.float64)) + back)
            elif fired:
                totals.append(float(macs[k] * n_steps * len(layer_counts[0])) + back)
            k, spikes, back = k + 1, None, 0.0
        if spec.fires:
            spikes, fired = next(counts), True
            back += sum(param.shape[-1] for param in spec.arrays(site).values() if param.role == "weight") * float(spikes.sum())
        elif isinstance(spec, (MaxPool, AvgPool)) and spikes is not None:
            spikes = _windows(spikes, spec.size, spec.stride or spec.size)
            spikes = np.minimum(spikes, n_steps) if isinstance(spec, MaxPool) else spikes
    return totals


def _windows(counts, size, stride):
    """Sum the counts of each window."""
    height, width = ((n - size) // stride + 1 for n in counts.shape[1:3])
    return sum(counts[:, i:i + stride * (height - 1) + 1:stride, j:j + stride * (width - 1) + 1:stride]
               for i in range(size) for j in range(size))
