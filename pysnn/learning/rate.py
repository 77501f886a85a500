"""What the rate methods (spike counts, and ann) share: networks, input currents, loss of the outputs, running statistics, evaluation."""

from typing import NamedTuple

import numpy as np

from .. import _checks, encode, models
from .._blas import squares
from ..conventions import Rule, Sequences, Surrogate
from ..layers import NeuronConfig, ReLU, Whiten
from ..network import Network
from .method import Method, Step, movable
from .method import largest_wins as accuracy
from .settings import DATA, RATE_LOSSES, Common, add_penalty, called

WHITENING = 3000    # training images that whitening filters are made from
MOMENTUM = 0.1      # weight of the newest batch in the running statistics
PIECE = 200         # samples that are predicted at once
FEW = 4             # steps that the loss sees at most, with on="few"


class Nets(NamedTuple):
    """The networks of a method, and how they are used."""

    net: Network               # the network of the backward pass; its params are those that training changes
    snn: Network | None        # the spiking network on the same parameters: another one, or (surrogate) net itself; None for ann
    settings: object
    state: dict                # name -> array, kept but no parameter: running statistics, n_epochs so far, scales of a conversion


def build(neurons, settings, params=None, rng=None, state=None, more=None):
    """Build the networks, on given parameters and state or on new ones.

    Parameters
    ----------
    neurons : tuple of {"relu", "if"}
        Which networks: `net` is the first, `snn` the last if it spikes.
    settings : dataclass
        Settings of a rate method; `statistics` other than "shared" gives the spiking twin running statistics of its own.
    params : dict of str to array, optional
        Parameters by name.
    rng : numpy.random.Generator, optional
        Draws the parameters if none are given.
    state : dict of str to array, optional
        As in a checkpoint.
    more : dict of str to array, optional
        Initial values of what the state holds besides.

    Returns
    -------
    Nets
        The networks.

    Raises
    ------
    ValueError
        If parameters or state do not fit the settings.
    """
    s = settings
    dtype = np.dtype(s.dtype).type
    if params is None:
        params = models.rate_params(s.model, rng, s.bias, s.init, dtype, s.gamma)
    fresh = models.rate_state(s.model, dtype)
    own = len(neurons) > 1 and getattr(s, "statistics", "shared") != "shared"
    wanted = {"n_epochs": np.zeros((), np.int64), **fresh, **({f"snn/{name}": x.copy() for name, x in fresh.items()} if own else {}),
              **(more or {})}
    state = _fitting(state, wanted) if state is not None else wanted
    nets = []
    for neuron in neurons:
        prefix = "snn/" if own and neuron == "if" else ""
        running = {name: state[f"{prefix}{name}"] for name in fresh}
        drop = [getattr(s, "drop", 0.0)] * len(params)
        nets.append(models.build(s.model, neuron, params, s.bias, drop, s.backend, running, neuron_config(s)))
    return Nets(nets[0], nets[-1] if neurons[-1] == "if" else None, s, state)


def _fitting(state, wanted):
    """Return a state in the wanted dtypes; refuse it if its names, shapes or kinds differ."""
    given, needed = ({name: (x.shape, x.dtype.kind) for name, x in some.items()} for some in (state, wanted))
    if given != needed:
        raise ValueError(f"state: expected {needed}, got {given}")
    if not all(np.isfinite(x).all() for x in state.values()):
        raise ValueError("state: expected finite numbers")
    return {name: x.astype(wanted[name].dtype) for name, x in state.items()}


def neuron_config(settings):
    """Turn settings into the NeuronConfig that layers take.

    Parameters
    ----------
    settings : dataclass
        Settings of a rate method.

    Returns
    -------
    pysnn.layers.NeuronConfig
        Steps, threshold, reset and the rest; of a method without spikes the default.
    """
    s = settings
    if not hasattr(s, "n_steps"):
        return NeuronConfig()
    threshold, levels = getattr(s, "threshold", 1.0), getattr(s, "levels", 0)
    surrogate = Surrogate(s.surrogate, s.slope) if hasattr(s, "surrogate") else Surrogate()
    fires = s.readout == "spikes" and not isinstance(s.model.specs[-1], models.Integrate)
    return NeuronConfig(s.n_steps, threshold, s.v_init * threshold, Rule(s.reset, "same", s.fire), fires, surrogate,
                        getattr(s, "detach_reset", True), getattr(s, "clip", False),
                        s.n_steps if levels is True else int(levels), getattr(s, "pooling", "currents"),
                        s.time_axis is not None)


def encode_batch(nets, x, rng=None):
    """Turn images or points into a constant input current in [0, 1].

    Parameters
    ----------
    nets : Nets
        From `build`.
    x : (B, ...) array
        Images (uint8) or points in [0, 1].
    rng : numpy.random.Generator, optional
        Given in training: images are cropped, mirrored and shifted, if the settings say so.

    Returns
    -------
    (B, H, W, C) or (B, n) array
        Intensities, in the input shape of the model; of samples with a time axis currents (T, B, ...), as many steps as the longest has.
    """
    s = nets.settings
    if s.time_axis is not None:
        x = s.augment(x, rng) if rng is not None and s.augment else x
        values = x.x[:, :x.lengths.max()] if isinstance(x, Sequences) else x          # so that padding changes no bit
        return np.ascontiguousarray(values.swapaxes(0, 1), s.dtype)
    if rng is not None and x.ndim > 2:
        x = encode.crop_images(x, s.crop, rng) if s.crop else x
        if s.flip:
            x = encode.flip_by_turns(x, int(nets.state["n_epochs"])) if s.by_turns else encode.flip_images(x, rng)
        x = encode.shift_images(x, s.shift, rng, s.edge) if s.shift else x
        x = encode.erase_from_images(x, s.erase, rng) if s.erase else x
    if rng is not None and s.augment:
        x = s.augment(x, rng)
    dtype, shape = np.dtype(s.dtype), s.model.shape
    flat = np.asarray(s.encode(x, dtype.type), dtype) if callable(s.encode) else encode.intensities(x, dtype.type)
    _checks.sample_shape(flat if s.own_encoding else x, s.model, "x")
    return flat.reshape(len(x), *shape)


def uses_running_stats(nets):
    """Tell whether batch normalisation uses running statistics in training, too.

    Parameters
    ----------
    nets : Nets
        From `build`.

    Returns
    -------
    bool
        After `freeze_after` epochs.
    """
    return 0 < nets.settings.freeze_after <= int(nets.state["n_epochs"])


def loss_and_grad(settings, y, labels):
    """Compute the loss and its gradient, (P1).

    Parameters
    ----------
    settings : dataclass
        Settings: `loss`, and of spiking networks `on`, of conversion `scale`.
    y : (B, n_out) array
        Output of the network: spike counts, potentials, or (ann) activations.
    labels : (B,) array of integers
        Labels.

    Returns
    -------
    loss : float
        Mean over the batch.
    dy : (B, n_out) array
        Its gradient with respect to y; with on="mean", to the mean over the steps, y/T.
    """
    on = getattr(settings, "on", None)
    if on in (None, "counts"):
        factor = 1 if on else getattr(settings, "scale", 1)        # without on: a ReLU network that is trained alone
    else:
        factor = settings.scale / settings.n_steps if on == "mean" else min(1, (1 if on == "rates" else FEW) / settings.n_steps)
    scale = y.dtype.type(factor)
    more = (settings.smoothing,) if settings.loss == "cross_entropy" else ()
    loss, d = called(settings.loss, y * scale, labels) if callable(settings.loss) else RATE_LOSSES[settings.loss](y * scale, labels, *more)
    return loss, d * (y.dtype.type(settings.scale) if on == "mean" else scale)


def step(nets, loss_and_y, grads, batch_stats):
    """Finish a training step: add weight decay and penalty to loss and gradients, and count silent samples.

    Parameters
    ----------
    nets : Nets
        From `build`.
    loss_and_y : (loss, y)
        Loss and output of a batch.
    grads : dict of str to array
        Gradients of the loss; changed in place.
    batch_stats : dict
        Statistics of the batch, see `pysnn.learning.method.Step`.

    Returns
    -------
    pysnn.learning.method.Step
        What the training loop needs.
    """
    loss, y = loss_and_y
    stats = {"movable": movable(grads, nets.settings.model.weights)}
    decay, often = nets.settings.weight_decay, nets.settings.bias_rate
    for name, param in nets.settings.model.params(None, nets.settings.bias).items() if often != 1 else ():
        if param.role in ("bias", "shift") and name in grads:
            grads[name] = grads[name] * grads[name].dtype.type(often)
    for name, dw in grads.items() if decay else ():
        w = nets.net.params[name]
        dw += w.dtype.type(decay) * w
        loss += decay / 2 * squares(w)
    loss += add_penalty(nets.settings, nets.net.params, grads)
    if nets.snn is not None:
        stats["n_silent"] = int((y == 0).all(axis=1).sum())
    return Step(loss, y, grads, stats, batch_stats)


def decide(y):
    """Decide for the class with the largest output; of equal ones for the first class.

    Parameters
    ----------
    y : (B, n_out) array
        Spike counts, potentials or the like.

    Returns
    -------
    (B,) array of integers
        Class numbers; -1 where all outputs are 0.
    """
    return np.where((y == 0).all(axis=1), -1, y.argmax(axis=1))


def alike(y, other):
    """Return the probability that two networks decide for the same class, where each breaks ties at random.

    Parameters
    ----------
    y, other : (B, n_out) arrays
        Outputs of the two; the largest wins.

    Returns
    -------
    (B,) array
        1 or 0 without ties; if one has n tied outputs and the other's decision is among them, 1/n.
    """
    a, b = (v == v.max(axis=1, keepdims=True) for v in (y, other))
    return (a & b).sum(axis=1) / (a.sum(axis=1) * b.sum(axis=1))


def predict(nets, x):
    """Compute the outputs (N, n_out) of many samples: spike counts or potentials; of ann activations."""
    pieces = (encode_batch(nets, x[i:i + PIECE]) for i in range(0, len(x), PIECE))
    return np.concatenate([nets.net.forward(p)[0][-1] if nets.snn is None else nets.snn.run(p).counts[-1] for p in pieces])


def report(nets, x, y=None):
    """Measure what the neurons do, for the record of an epoch.

    Parameters
    ----------
    nets : Nets
        From `build`.
    x : (N, ...) array
        Images or points.
    y : (N,) array of integers, optional
        Labels.

    Returns
    -------
    dict
        By layer whose neurons fire: silent and ceiling, shares of neurons and samples without a spike, and with one in every step (of ann
        0, and nowhere); never, share of neurons without a spike for any sample. Of spiking networks rates, too: spikes per neuron and
        step, by layer. Where there is a ReLU twin: agreement, share of samples where it decides alike, see `alike`; correlation and bias,
        by layer, of rates times threshold with its activations: Pearson's coefficient, and the mean difference; with labels relu_accuracy
        and distance, what the twin has more than the spiking network on these samples.
    """
    net, snn = nets.net, nets.snn
    layers, n_spikes, same, right = None, 0.0, 0.0, np.zeros(2)
    twins = snn is not None and net is not snn
    sizes = np.array([np.prod(shape) for _, shape in nets.settings.model.neuron_layers])
    for i in range(0, len(x), PIECE):
        piece = encode_batch(nets, x[i:i + PIECE])
        relu = net.forward(piece)[0] if snn is None or twins else None
        activations = [a for layer, a in zip(net.layers, relu, strict=True) if isinstance(layer, ReLU)] if relu else []
        outputs, top = activations, np.inf
        if snn is not None:
            run = snn.run(piece, keep_counts=True)
            outputs, top = run.layer_counts if snn.config.output else run.layer_counts[:-1], snn.config.n_steps
            n_spikes += np.array(run.n_spikes)
        if twins:
            same += float(alike(run.counts[-1], relu[-1]).sum())
            right += [accuracy(out, y[i:i + PIECE]).expected * len(out) for out in (run.counts[-1], relu[-1])] if y is not None else 0
        layers = layers or [[0.0, 0.0, True, np.zeros(5)] for _ in outputs]
        for k, (row, n) in enumerate(zip(layers, outputs, strict=True)):
            row[0] += float((n == 0).mean()) * len(n) / len(x)
            row[1] += float((n == top).mean()) * len(n) / len(x)
            row[2] &= (n == 0).all(axis=0)
            if twins and k < len(activations):
                scale = snn.config.threshold / top * (snn.scales[k] if hasattr(snn, "scales") else 1)
                rate, a = (v.astype(np.float64).ravel() for v in (n * scale, activations[k]))
                row[3] += [v / len(rate) * len(n) / len(x) for v in (rate.sum(), a.sum(), rate @ rate, a @ a, rate @ a)]
    record = {"silent": [row[0] for row in layers], "ceiling": [row[1] for row in layers],
              "never": [float(np.mean(row[2])) for row in layers]}
    if snn is None:
        return record
    record["rates"] = (n_spikes / (len(x) * nets.settings.n_steps * sizes)).tolist()
    if not twins:
        return record
    moments = [row[3] for row in layers[:len(activations)]]
    spread = [np.sqrt(max(0, m[2] - m[0] ** 2) * max(0, m[3] - m[1] ** 2)) for m in moments]
    record |= {"agreement": same / len(x), "bias": [float(m[0] - m[1]) for m in moments],
               "correlation": [float((m[4] - m[0] * m[1]) / s) if s > 0 else 0.0 for m, s in zip(moments, spread, strict=True)]}
    return record if y is None else record | {"relu_accuracy": float(right[1] / len(x)), "distance": float((right[1] - right[0]) / len(x))}


def begin(nets, x_train):
    """Prepare the networks for the first batch: set the filters of a whitening layer.

    Parameters
    ----------
    nets : Nets
        From `build`.
    x_train : (N, ...) array
        Training images; the first ones are used.
    """
    layers = [layer for net in (nets.net, nets.snn) if net is not None for layer in net.layers if isinstance(layer, Whiten)]
    for layer in layers:
        layer.begin(encode_batch(nets, x_train[:WHITENING]))


def update_running_stats(nets, step):
    """Move the running statistics a little towards those of the batch; a list is taken in one after the other."""
    for name, values in step.batch_stats.items():
        running = nets.state[name]
        for value in values if isinstance(values, list) else [values]:
            running += running.dtype.type(MOMENTUM) * (value - running)


def end_epoch(nets, x_train):
    """Count the epoch."""
    nets.state["n_epochs"] += 1


METHOD = Method("rate", Common, None, None, predict, accuracy, decide, data_settings=DATA, needed=("model", "crop"),
                begin=begin, update_running_stats=update_running_stats, end_epoch=end_epoch, report=report, family="rate")
"""What the rate methods have in common; each replaces at least name, Settings, `build` and `gradients`."""

score = METHOD.score
