"""Layers: thin objects that know the name of their parameters, whether spikes get lost in training, and which backend computes."""

import importlib.util

import numpy as np

from .encode import drop_spikes
from .reference import temporal as reference_temporal

BACKENDS = ("auto", "reference", "numba")


def temporal_backend(name="auto"):
    """Return the module that computes temporal layers.

    Parameters
    ----------
    name : {"auto", "reference", "numba"}
        "auto" takes Numba where it is installed.

    Returns
    -------
    module
        With `forward`, `backward` and the same arguments and results for each choice.

    Raises
    ------
    ValueError, ImportError
        For another name, or when Numba is asked for and not installed.
    """
    if name not in BACKENDS:
        raise ValueError(f"backend: expected one of {', '.join(BACKENDS)}, got {name!r}")
    found = importlib.util.find_spec("numba") is not None
    if name == "numba" and not found:
        raise ImportError("backend 'numba' needs Numba: pip install numba")
    if name == "reference" or not found:
        return reference_temporal
    from .kernels import temporal
    return temporal


class TemporalDense:
    """A fully connected layer of temporal neurons.

    Parameters
    ----------
    params : dict of str to array
        All parameters; this layer reads params[name], of shape (n_in, n_out), with one row more if there is a bias.
    name : str
        Name of the weights.
    bias : bool
        Whether an extra input spike at z = 1 (t = 0) has weights of its own, in the last row.
    drop : float
        Share of the incoming spikes that get lost in training. The other weights count 1/(1 - drop) times as much, which is the same as
        a threshold lower by 1 - drop.
    backend : {"auto", "reference", "numba"}
        What computes.
    """

    def __init__(self, params, name, bias=False, drop=0.0, backend="auto"):
        self.params, self.name, self.bias, self.drop = params, name, bias, drop
        self.op = temporal_backend(backend)

    def forward(self, z, rng=None):
        """Compute the output spikes.

        Parameters
        ----------
        z : (B, n_in) array
            exp(t/tau) of the input spikes; inf means no spike.
        rng : numpy.random.Generator, optional
            Given in training: spikes get lost.

        Returns
        -------
        z_out : (B, n_out) array
            exp(t/tau) of the output spikes.
        cache : object
            For `backward`.
        """
        threshold = 1.0
        if rng is not None and self.drop > 0:
            z = drop_spikes(z, self.drop, rng)
            threshold = 1.0 - self.drop
        if self.bias:
            z = np.concatenate([z, np.ones((len(z), 1), z.dtype)], axis=1)
        return self.op.forward(z, self.params[self.name], threshold)

    def backward(self, dz, cache, need_dz=True):
        """Compute the gradients.

        Parameters
        ----------
        dz : (B, n_out) array
            Gradient with respect to the output z.
        cache : object
            From `forward`.
        need_dz : bool
            Whether to compute the gradient of the input, too.

        Returns
        -------
        dz_in : (B, n_in) array or None
            Gradient with respect to the input z.
        grads : dict of str to array
            Gradient of the parameters.
        """
        if not need_dz and hasattr(self.op, "backward_w"):
            return None, {self.name: self.op.backward_w(dz, cache)}
        dz_in, dw = self.op.backward(dz, cache)
        return dz_in[:, :-1] if self.bias else dz_in, {self.name: dw}
