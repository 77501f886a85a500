"""Initial weights by which the potentials of spiking neurons fluctuate up to the threshold: neither silent nor always firing.

Source: J. Rossbroich, J. Gygax, F. Zenke, Neuromorphic Computing and Engineering 2 (2022), arXiv 2206.10226. Equation (D20).
"""

from typing import NamedTuple

import numpy as np

from .specs import Integrate

RECURRENT = 0.1     # share of the potential's variance that comes from recurrent weights


class Drive(NamedTuple):
    """What neurons are expected to receive, and how far their potential is to fluctuate."""

    rate: float = 0.05          # spikes an input and step
    sigmas: float = 1.0         # standard deviations of the potential in a threshold
    threshold: float = 1.0
    n_steps: int = 100          # steps after which the potential is to fluctuate so far


def response(n_steps, beta=1.0, alpha=None, gain=1.0):
    """Compute the potential that a current 1 in one step leaves in the next ones, without a threshold.

    Parameters
    ----------
    n_steps : int
        How many steps, T.
    beta : float
        Factor by which the potential decays in a step.
    alpha : float, optional
        Factor by which the current decays.
    gain : float
        What the current is multiplied by.

    Returns
    -------
    (T,) array of float64
        In units of the current.
    """
    out = gain * (alpha or 0.0) ** np.arange(n_steps, dtype=np.float64)
    for t in range(1, n_steps):
        out[t] += beta * out[t - 1]
    return out


def fluctuation_params(model, params, rng, drive):
    """Draw all weights of a network of spiking neurons anew, normal with mean 0, (D20).

    Parameters
    ----------
    model : Model
        The network; neurons without a leak count as beta = 1, and so does an output without neurons.
    params : dict of str to array
        Its parameters; those of role weight are changed in place.
    rng : numpy.random.Generator
        Source of randomness.
    drive : Drive
        What to expect. Where there are recurrent weights, a tenth of the variance is theirs.

    Raises
    ------
    ValueError
        If the rate is not between 0 and 1, or another number is not positive.
    """
    if not (0 < drive.rate < 1 and drive.sigmas > 0 and drive.threshold > 0 and drive.n_steps > 0):
        raise ValueError(f"drive: expected a rate between 0 and 1, and positive numbers, got {drive}")
    sites = list(model.sites(neuron="if"))
    for at, (spec, site) in enumerate(sites):
        if "w" not in spec.arrays(site):
            continue
        after = next((s for s, other in sites[at:] if other.k == site.k and (s.fires or isinstance(s, Integrate))), None)
        beta, alpha, gain = getattr(after, "beta", 1.0), getattr(after, "alpha", None), getattr(after, "gain", "1")
        kernel = response(drive.n_steps, beta, alpha, 1 - beta if gain == "1 - beta" else 1.0)
        variance = drive.rate * (1 - drive.rate) * (kernel ** 2).sum()                    # of the potential, by an input of weight 1
        goal, recurrent = drive.threshold / drive.sigmas, getattr(after, "recurrent", False)
        names = {f"w{site.k}": (spec.arrays(site)["w"].n_in, 1 - RECURRENT * recurrent)}
        if recurrent:
            names[f"w_rec{site.k}"] = len(params[f"w_rec{site.k}"]), RECURRENT
        for name, (n_in, share) in names.items():
            w = params[name]
            w[...] = goal * np.sqrt(share / (n_in * variance)) * rng.standard_normal(w.shape)            # (D20)
