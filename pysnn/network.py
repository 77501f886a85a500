"""A network: a list of layers, forward from left to right, backward from right to left; of spiking neurons also step by step."""

import numpy as np

from .conventions import Run
from .operations import backend_of
from .rate_layers import IntegrateFire


class Network:
    """A list of layers on one dict of parameters.

    Parameters
    ----------
    layers : list of pysnn.layers.Layer
        The layers.
    params : dict of str to array
        The parameters that the layers refer to.
    state : dict of str to array, optional
        Running statistics that the layers refer to.
    """

    def __init__(self, layers, params, state=None):
        self.layers, self.params, self.state = layers, params, {} if state is None else state

    def forward(self, x, rng=None, statistics=None):
        """Compute the output.

        Parameters
        ----------
        x : (B, ...) array
            Input; for a temporal net z = exp(t/tau), inf means no spike.
        rng : numpy.random.Generator, optional
            Given in training.
        statistics : "batch" or dict of str to array, optional
            What batch normalisation uses: those of this batch, or given ones, mean{k} and var{k}; default: the running ones.

        Returns
        -------
        outputs : list of arrays
            Output of each layer, the network's last.
        caches : list
            For `backward`.
        """
        outputs, caches = [], []
        for layer in self.layers:
            x, cache = layer.forward(x, rng, statistics)
            outputs.append(x)
            caches.append(cache)
        return outputs, caches

    def backward(self, dx, caches, need_dx=False):
        """Compute all gradients; nothing is updated.

        Parameters
        ----------
        dx : array
            Gradient with respect to the output.
        caches : list
            From `forward`.
        need_dx : bool
            Whether to compute the gradient of the network's input, too.

        Returns
        -------
        dx : array or None
            Gradient with respect to the input.
        grads : dict of str to array
            Gradients of the parameters.
        """
        grads = {}
        for i in reversed(range(len(self.layers))):
            dx, found = self.layers[i].backward(dx, caches[i], need_dx or i > 0)
            grads.update(found)
        return dx, grads

    def statistics(self, caches):
        """Return the statistics that batch normalisation used in a forward pass.

        Parameters
        ----------
        caches : list
            From `forward`.

        Returns
        -------
        dict of str to array
            mean{k} and var{k}.
        """
        found = {}
        for layer, cache in zip(self.layers, caches, strict=True):
            found |= layer.statistics(cache)
        return found

    def stages(self, statistics=None):
        """Fold batch normalisation into the weights.

        Parameters
        ----------
        statistics : dict of str to array, optional
            mean{k} and var{k}; default: the running ones.

        Returns
        -------
        list of pysnn.conventions.Stage
            The weight layers, as `spiking.run` takes them.
        """
        stages = []
        for layer in self.layers:
            layer.fold(stages, statistics)
        return stages


class SpikingNetwork(Network):
    """A network of integrate-and-fire neurons.

    Parameters
    ----------
    layers : list of pysnn.layers.Layer
        The layers; as a list they map a constant current (B, ...) to the spikes of all steps (T B, n_out).
    params : dict of str to array
        The parameters that the layers refer to.
    state : dict of str to array
        Running statistics that the layers refer to.
    firing : pysnn.layers.Firing
        How the neurons fire, and for how many steps.
    """

    def __init__(self, layers, params, state, firing):
        super().__init__(layers, params, state)
        self.firing = firing
        self.engine = backend_of("spiking", layers[-1].backend)

    def run(self, x, statistics=None, at=None, keep_counts=False):
        """Run the network over time, with constant statistics folded into the weights; memory does not grow with the number of steps.

        Parameters
        ----------
        x : (B, ...) array
            Input, a constant current.
        statistics : dict of str to array, optional
            mean{k} and var{k}; default: the running ones.
        at : sequence of int, optional
            After which steps to give the counts; default: the last.
        keep_counts : bool
            Whether to give the counts of every layer.

        Returns
        -------
        pysnn.conventions.Run
            Counts and spikes.
        """
        f = self.firing
        return self.engine.run(self.stages(statistics), x, f.n_steps, f.threshold, f.v_init, f.rule, f.output, at, keep_counts)

    def run_watched(self, x, statistics=None):
        """Run the network step by step and tell the statistics of the currents at every step.

        Parameters
        ----------
        x : (B, ...) array
            Input, a constant current.
        statistics : "batch" or dict of str to array, optional
            What batch normalisation uses; "batch": those of its own currents at each step.

        Returns
        -------
        run : pysnn.conventions.Run
            Counts and spikes.
        seen : dict of str to list of (C,) arrays
            mean{k} and var{k} of the currents, step by step; once for the first layer, whose current is constant.
        """
        first = next(i for i, layer in enumerate(self.layers) if isinstance(layer, IntegrateFire))
        seen, counts, v, n_spikes = {}, 0.0, {}, {}

        def through(layer, x):
            y, cache = layer.forward(x, None, statistics)
            for name, value in layer.watch(x, cache).items():
                seen.setdefault(name, []).append(value)
            return y

        for layer in self.layers[:first]:
            x = through(layer, x)
        for _ in range(self.firing.n_steps):
            s = x
            for i, layer in enumerate(self.layers[first:]):
                if isinstance(layer, IntegrateFire):
                    s, v[i] = layer.step(v.get(i, self.firing.v_init), s)
                    n_spikes[i] = n_spikes.get(i, 0.0) + float(s.sum(dtype=np.float64))
                else:
                    s = through(layer, s)
            counts = counts + s
        potential = v[max(v)] if self.firing.output else counts + counts.dtype.type(self.firing.v_init)
        spikes = [*n_spikes.values(), *([] if self.firing.output else [0.0])]
        return Run(counts[None], potential, spikes, None), seen
