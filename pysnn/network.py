"""A network: a list of layers, forward from first to last, backward from last to first. A spiking network also runs step by step."""

from contextlib import contextmanager

import numpy as np

from . import _checks
from .conventions import Run
from .layers import Conv, Dense, IntegrateFire, SpikingLayer, stages
from .layers.leaky import Integrate, Leaky
from .operations import backend_of


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
    model : pysnn.models.Model, optional
        What it was built from.
    """

    def __init__(self, layers, params, state=None, model=None):
        self.layers, self.params, self.state, self.model = layers, params, {} if state is None else state, model

    @np.errstate(under="ignore")
    def forward(self, x, rng=None, statistics=None):
        """Compute the output.

        Parameters
        ----------
        x : (B, ...) array
            Input; for a temporal net z = exp(t/tau), inf means no spike.
        rng : numpy.random.Generator, optional
            Given in training: spikes or outputs are dropped.
        statistics : "batch" or dict of str to array, optional
            What batch normalisation uses: those of this batch, or given ones, mean{k} and var{k}; default: the running ones.

        Returns
        -------
        outputs : list of arrays
            Output of each layer; the last one is that of the network.
        caches : list
            One for each layer, for `backward`.
        """
        outputs, caches = [], []
        for layer in self.layers:
            x, cache = layer.forward(x, rng, statistics)
            outputs.append(x)
            caches.append(cache)
        return outputs, caches

    @np.errstate(under="ignore")
    def backward(self, dx, caches, need_dx=False):
        """Compute all gradients; nothing is updated.

        Parameters
        ----------
        dx : array
            Gradient with respect to the output.
        caches : list
            From `forward`.
        need_dx : bool
            Whether to compute the gradient with respect to the network's input, too.

        Returns
        -------
        dx : array or None
            Gradient with respect to the input.
        grads : dict of str to array
            Gradients of the parameters, by name.
        """
        grads = {}
        for i in reversed(range(len(self.layers))):
            dx, some = self.layers[i].backward(dx, caches[i], need_dx or not all(layer.frozen for layer in self.layers[:i]))
            grads.update(some)
            if dx is None:
                break
        return dx, grads

    def batch_stats(self, caches):
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
        stats = {}
        for layer, cache in zip(self.layers, caches, strict=True):
            stats |= layer.batch_stats(None, cache)
        return stats

    statistics = batch_stats        # its name in version 0.1

    def folded_layers(self, statistics=None, begin=0):
        """Fold batch normalisation into the weights before it; at most an average pooling may stand between them.

        Parameters
        ----------
        statistics : dict of str to array, optional
            mean{k} and var{k}; default: the running ones.
        begin : int
            How many layers to leave out.

        Returns
        -------
        list of pysnn.layers.Layer
            As many layers or fewer, with constant statistics; they compute the same, up to rounding.
        """
        layers = []
        for layer in self.layers[begin:]:
            layer.fold(layers, statistics)
        return layers


class SpikingNetwork(Network):
    """A network of integrate-and-fire or other spiking neurons that runs for config.n_steps time steps.

    Parameters
    ----------
    layers : list of pysnn.layers.Layer
        The layers. `forward`, which training through time uses, maps a constant current (B, ...) to the spikes of all steps (T B, n_out);
        with config.timed it takes a current for each step, (T, B, ...).
    params : dict of str to array
        The parameters that the layers refer to.
    state : dict of str to array
        Running statistics that the layers refer to.
    config : pysnn.layers.NeuronConfig
        How the neurons fire, and for how many steps.
    model : pysnn.models.Model, optional
        What it was built from.
    """

    def __init__(self, layers, params, state, config, model=None):
        super().__init__(layers, params, state, model)
        self.config = config

    def forward(self, x, rng=None, statistics=None):
        """Compute the output of all steps; with config.timed x is (T, B, ...), and the network runs for T steps from now on."""
        return super().forward(self._with_steps(x), rng, statistics)

    def _with_steps(self, x):
        """Lay the steps of currents (T, B, ...) behind each other, and let all layers know how many there are."""
        if not self.config.timed:
            return x
        self.set_steps(len(x))
        return x.reshape(-1, *x.shape[2:])

    @np.errstate(under="ignore")
    def forward_from(self, states, x, n_steps, rng=None, statistics=None):
        """Compute the output of a segment of the steps.

        Parameters
        ----------
        states : list or None
            What the segment before returned; None: this one is the first.
        x : (B, ...) array
            Input, a constant current; with config.timed (n_steps, B, ...).
        n_steps : int
            Steps of the segment.
        rng : numpy.random.Generator, optional
            As of `Network.forward`; so is statistics.
        statistics : "batch" or dict of str to array, optional
            What batch normalisation uses.

        Returns
        -------
        outputs, caches, states : lists
            Of each layer; the states are those after the segment.
        """
        self.set_steps(n_steps)
        x, made = x.reshape(-1, *x.shape[2:]) if self.config.timed else x, []
        for i, layer in enumerate(self.layers):
            made.append(layer.forward_from(states and states[i], x, rng, statistics))
            x = made[-1][0]
        return tuple(map(list, zip(*made, strict=True)))

    def set_steps(self, n_steps):
        """Let the network run for another number of steps.

        Parameters
        ----------
        n_steps : int
            1 or more.
        """
        for part in (self, *(layer for layer in self.layers if hasattr(layer, "config"))):
            part.config = part.config._replace(n_steps=n_steps)

    @np.errstate(under="ignore")
    def run(self, x, statistics=None, at=None, keep_counts=False, begin=0):
        """Run all time steps and count spikes, with constant statistics folded into the weights; memory does not grow with the steps.

        Parameters
        ----------
        x : (B, ...) array
            Input, a constant current; with config.timed (T, B, ...).
        statistics : dict of str to array, optional
            mean{k} and var{k}; default: the running ones.
        at : sequence of int, optional
            After which steps, 1 to T, to return the counts; default: only after the last.
        keep_counts : bool
            Whether to return the counts of every layer, too.
        begin : int
            How many layers x has passed already.

        Returns
        -------
        pysnn.conventions.Run
            Counts and spikes. Networks of 3 x 3 convolutions with padding 1, dense layers and 2 x 2 pooling of spikes are run by the
            backend, in pysnn/reference/spiking.py and its twins; others here, by `_by_steps`; with a time axis or leaky neurons all steps
            of a layer at once, which keeps the activations of all of them.
        """
        x = self._with_steps(x)
        layers, c = self.folded_layers(statistics, begin), self.config
        if c.timed or any(isinstance(layer, (Integrate, Leaky)) for layer in layers):
            return _by_layers(layers, c, x, (statistics, at, keep_counts))
        n = next((i for i, layer in enumerate(layers) if isinstance(layer, (Conv, Dense, SpikingLayer))), 0)
        for layer in layers[:n]:                                         # once: their input is constant
            x, _ = layer.forward(x, None, statistics)
        if (as_stages := stages(layers[n:], x.shape[1:])) is None:
            return _by_steps(layers[n:], c, x, (statistics, at, keep_counts, None))
        op = backend_of("spiking", self.layers[-1].backend)
        return op.run(as_stages, x, c.n_steps, c.threshold, c.v_init, c.rule, c.output, at, keep_counts)

    def run_watched(self, x, statistics=None):
        """Run all time steps without folding, and return the mean and variance of the currents in every step, too.

        Parameters
        ----------
        x : (B, ...) array
            Input, a constant current.
        statistics : "batch" or dict of str to array, optional
            What batch normalisation uses; "batch": those of its own currents in each step; default: the running ones.

        Returns
        -------
        run : pysnn.conventions.Run
            Counts and spikes.
        stats : dict of str to list of (C,) arrays
            mean{k} and var{k} of the currents, one array a step; before the first neurons, where the current is constant, only one.
        """
        stats = {}
        return _by_steps(self.layers, self.config, x, (statistics, None, False, stats)), stats


class Segments:
    """A forward pass of a spiking network over all steps, in segments of some of them, and its backward pass.

    From segment to segment go the states of the neurons, and backward the gradients with respect to them. A single segment is the forward
    and the backward pass of the network, bit for bit.

    Parameters
    ----------
    net : SpikingNetwork
        The network.
    x : (B, ...) array
        Input, a constant current; with net.config.timed (T, B, ...).
    n : int
        Steps of a segment; the last one may have fewer.
    keep : bool
        Whether each segment keeps what its backward pass needs. Else it keeps the state before it, and backward runs it again: the same
        bits, for one forward pass more.
    how : (rng, statistics)
        As of `Network.forward`.
    counted : (T, B) array of bool, optional
        Steps of which samples count in `counts`; default: no spikes are counted.

    Attributes
    ----------
    y : (T, B, n_out) array
        Output of all steps.
    counts : dict of int to array
        Place of a hidden layer of neurons among the layers -> spikes (B, ...) of each.
    batch_stats : dict of str to array
        Statistics that batch normalisation used.

    Raises
    ------
    ValueError
        If there are several segments, and neurons that cannot begin from a state.
    """

    def __init__(self, net, x, n, keep=True, how=(None, None), counted=None):
        self.net, self.x, self.how, self.counted, self.counts = net, x, how, counted, {}
        self.n_steps = len(x) if net.config.timed else net.config.n_steps
        self.spans = [(t, min(t + n, self.n_steps)) for t in range(0, self.n_steps, n)]
        for layer in net.layers if len(self.spans) > 1 else ():
            if isinstance(layer, SpikingLayer) and type(layer).forward_from is SpikingLayer.forward_from:
                raise ValueError(f"segments: expected neurons that can begin from a state, got {type(layer).__name__}")
        self.states, self.caches, y = [None], [], []
        n_batch = x.shape[int(net.config.timed)]
        for k in range(len(self.spans)):
            outputs, caches, after = self.run(k)
            y.append(outputs[-1].reshape(-1, n_batch, *outputs[-1].shape[1:]))
            self.states.append(after)
            self.caches.append(caches if keep else None)
            for i, layer in enumerate(net.layers[:-1]) if counted is not None else ():
                if layer.fires:
                    s = outputs[i].reshape(-1, n_batch, *outputs[i].shape[1:])
                    self.counts[i] = self.counts.get(i, 0) + (s * self._of_samples(k, s)).sum(axis=0)
            self.batch_stats = net.batch_stats(caches)
            outputs = caches = None                                  # before the next segment is run
        self.y = y[0] if len(y) == 1 else np.concatenate(y)

    @contextmanager
    def _steps_of(self, k):
        """Let the network run for the steps of segment k; afterwards, also after an error or an interrupt, for all."""
        t0, t1 = self.spans[k]
        try:
            self.net.set_steps(t1 - t0)
            yield
        finally:
            self.net.set_steps(self.n_steps)

    def _of_samples(self, k, s):
        """Return which steps of segment k count, in a shape that fits (T, B, ...)."""
        counted = self.counted[slice(*self.spans[k])]
        return counted.reshape(*counted.shape, *[1] * (s.ndim - 2)).astype(s.dtype)

    def run(self, k):
        """Run a segment from the states before it.

        Parameters
        ----------
        k : int
            Its number, from 0.

        Returns
        -------
        outputs, caches, states : lists
            As of `SpikingNetwork.forward_from`.
        """
        x = self.x[slice(*self.spans[k])] if self.net.config.timed else self.x
        with self._steps_of(k):
            return self.net.forward_from(self.states[k], x, self.spans[k][1] - self.spans[k][0], *self.how)

    @np.errstate(under="ignore")
    def backward(self, dy, carry=True, dcounts=None):
        """Compute the gradients of the parameters.

        Parameters
        ----------
        dy : (T, B, n_out) array
            Gradient with respect to y.
        carry : bool
            Whether gradients go from a segment to the one before it; else it takes its first state as a constant.
        dcounts : dict of int to array, optional
            Gradients with respect to `counts`.

        Returns
        -------
        dict of str to array
            Gradients of the parameters, by name.
        """
        grads, dstates = {}, {}
        for k in reversed(range(len(self.spans))):
            caches, dx = self.caches[k] or self.run(k)[1], dy[slice(*self.spans[k])].reshape(-1, *dy.shape[2:])
            with self._steps_of(k):
                some, dstates = self._back(k, dx, (dstates if carry else {}, caches, dcounts or {}))         # (D15)
            caches = None                                            # before the next segment is run
            for name, dw in some.items():
                grads[name] = grads[name] + dw if name in grads else dw
        return grads

    def _back(self, k, dx, others):
        """Return the gradients of a segment, and those of the states before it, by layer."""
        (dstates, caches, dcounts), layers, grads, before = others, self.net.layers, {}, {}
        for i in reversed(range(len(layers))):
            if i in dcounts:
                dcount = dcounts[i][None]
                dx = dx + (self._of_samples(k, dcount) * dcount).reshape(dx.shape)
            more = not all(layer.frozen for layer in layers[:i])
            dx, some, before[i] = layers[i].backward_from(dstates.get(i), dx, caches[i], more)
            grads |= some
            if dx is None:
                break
        return grads, before


def _by_layers(layers, config, x, how):
    """Run layer by layer, all steps at once; what comes out is added up over the steps."""
    statistics, at, keep_counts = how
    at = _checks.steps(config.n_steps, at)
    n_spikes, layer_counts, channels = [], [], []
    for i, layer in enumerate(layers):
        x, _ = layer.forward(x, None, statistics)
        if layer.fires or i == len(layers) - 1:
            steps = x.reshape(config.n_steps, -1, *x.shape[1:])
            layer_counts.append(steps.sum(axis=0))
            n_spikes.append(float(x.sum(dtype=np.float64)) if layer.fires else 0.0)
            channels.append(x.reshape(-1, x.shape[-1]).sum(axis=0, dtype=np.float64) if layer.fires else np.zeros(x.shape[-1]))
    counts = np.cumsum(steps, axis=0)[np.array(at) - 1]
    return Run(counts, steps[-1].copy(), n_spikes, layer_counts if keep_counts else None, channels)


def _by_steps(layers, config, x, how):
    """Run step by step, and in each step layer by layer; layers before the first neurons are computed once."""
    statistics, at, keep_counts, stats = how
    at = _checks.steps(config.n_steps, at)
    first = next((i for i, layer in enumerate(layers) if isinstance(layer, SpikingLayer)), len(layers))
    totals, v, n_spikes, channels, counts = {}, {}, {}, {}, []

    def through(layer, x):
        y, cache = layer.forward(x, None, statistics)
        for name, value in layer.batch_stats(x, cache, False).items() if stats is not None else ():
            stats.setdefault(name, []).append(value)
        return y

    for layer in layers[:first]:
        x = through(layer, x)
    for t in range(1, config.n_steps + 1):
        s = x
        for i, layer in enumerate(layers[first:]):
            if not isinstance(layer, SpikingLayer):
                s = through(layer, s)
                continue
            s, v[i] = layer.step(v.get(i), s)
            n_spikes[i] = n_spikes.get(i, 0.0) + float(s.sum(dtype=np.float64))
            channels[i] = channels.get(i, 0.0) + s.reshape(-1, s.shape[-1]).sum(axis=0, dtype=np.float64)
            if keep_counts:
                totals[i] = totals.get(i, 0.0) + s
        totals["out"] = totals.get("out", 0.0) + s
        if t in at:
            counts.append(totals["out"])
    out, fires = totals.pop("out"), isinstance(layers[-1], SpikingLayer)
    potential = v[max(v)] if isinstance(layers[-1], IntegrateFire) else out + out.dtype.type(config.v_init)
    layer_counts = [*totals.values(), *([] if fires else [out])] if keep_counts else None
    none = [] if fires else [np.zeros(out.shape[-1])]
    return Run(np.stack(counts), potential, [*n_spikes.values(), *([] if fires else [0.0])], layer_counts, [*channels.values(), *none])
