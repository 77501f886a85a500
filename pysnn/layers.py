"""Layers: thin objects that know the names of their parameters, whether something gets lost in training, and which backend computes."""

import numpy as np

from .encode import drop_spikes
from .operations import backend_of


class Layer:
    """What all layers share; a kind of layer is its `_forward` and `_backward`, and what it has to say to the others below."""

    backend = "auto"

    def forward(self, x, rng=None, statistics=None):
        """Compute the output.

        Parameters
        ----------
        x : (B, ...) array
            Input; of temporal neurons z = exp(t/tau), where inf means no spike.
        rng : numpy.random.Generator, optional
            Given in training: spikes, or outputs, get lost.
        statistics : "batch" or dict of str to array, optional
            What batch normalisation uses: those of this batch, or given ones, mean{k} and var{k}; default: the running ones.

        Returns
        -------
        y : (B, ...) array
            Output.
        cache : object
            For `backward`.
        """
        return self._forward(x, rng, statistics)

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
            Gradient of the parameters.
        """
        return self._backward(dy, cache, need_dx)

    def statistics(self, cache):
        """Return the statistics that a forward pass used: mean{k} and var{k} of a batch normalisation.

        Parameters
        ----------
        cache : object
            From `forward`.

        Returns
        -------
        dict of str to array
            Statistics by name.
        """
        return self._statistics(cache)

    def watch(self, x, cache):
        """Return the statistics of what came in: mean{k} and var{k} before a batch normalisation.

        Parameters
        ----------
        x : (B, ...) array
            What came in.
        cache : object
            From `forward`.

        Returns
        -------
        dict of str to array
            Statistics by name.
        """
        return self._watch(x, cache)

    def fold(self, stages, statistics=None):
        """Add this layer to the stages that `spiking.run` takes.

        Parameters
        ----------
        stages : list of pysnn.conventions.Stage
            The layers before, changed in place.
        statistics : dict of str to array, optional
            For batch normalisation; default: the running ones.
        """
        self._fold(stages, statistics)

    def _statistics(self, cache):
        return {}

    def _watch(self, x, cache):
        return {}

    def _fold(self, stages, statistics):
        pass


class TemporalDense(Layer):
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
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    """

    def __init__(self, params, name, bias=False, drop=0.0, backend="auto"):
        self.params, self.name, self.bias, self.drop = params, name, bias, drop
        self.op = backend_of("temporal", backend)

    def _forward(self, z, rng, statistics):
        threshold = 1.0
        if rng is not None and self.drop > 0:
            z = drop_spikes(z, self.drop, rng)
            threshold = 1.0 - self.drop
        if self.bias:
            z = np.concatenate([z, np.ones((len(z), 1), z.dtype)], axis=1)
        return self.op.forward(z, self.params[self.name], threshold)

    def _backward(self, dz, cache, need_dz):
        if not need_dz and hasattr(self.op, "backward_w"):
            return None, {self.name: self.op.backward_w(dz, cache)}
        dz_in, dw = self.op.backward(dz, cache)
        return dz_in[:, :-1] if self.bias else dz_in, {self.name: dw}
