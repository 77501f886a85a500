"""What the rate methods (spike counts, and ann) share: networks, input currents, loss of the outputs, running statistics, evaluation."""

from typing import NamedTuple

import numpy as np

from .. import _checks, encode, models
from .._blas import squares
from ..conventions import Rule, Run, Sequences, Surrogate
from ..layers import Dense, NeuronConfig, ReLU, Whiten
from ..network import Network
from .method import Method, Step, movable, norms
from .method import largest_wins as accuracy
from .settings import DATA, RATE_LOSSES, Common, add_penalty, called, fitted_dense, of_parameter

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
        if s.init == "fluctuation":
            models.fluctuation_params(s.model, params, rng, models.Drive(s.input_rate, s.sigmas, s.threshold, s.n_steps))
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
    dtype, own = np.dtype(s.dtype), encode.differences if s.encode == "differences" else s.encode
    if s.time_axis is not None:
        before = _lengths(x)
        if rng is not None and s.augment:
            x = _as_long(s.augment(x, rng), before, "augment")
        if callable(own):
            x = _as_long(own(x, dtype.type), before, "encode")
        values = x.x[:, :x.lengths.max()] if isinstance(x, Sequences) else x          # so that padding changes no bit
        if values.shape[2:] != s.model.shape:
            raise ValueError(f"encode: expected {s.model.shape} numbers a step for model {s.model}, got {values.shape[2:]}")
        first = nets.net.layers[0]
        spikes = values.dtype == np.uint8 and isinstance(first, Dense) and hasattr(first.op, "spikes_forward")
        return np.ascontiguousarray(values.swapaxes(0, 1), np.uint8 if spikes else s.dtype)
    if rng is not None and x.ndim > 2:
        x = encode.crop_images(x, s.crop, rng) if s.crop else x
        if s.flip:
            x = encode.flip_by_turns(x, int(nets.state["n_epochs"])) if s.by_turns else encode.flip_images(x, rng)
        x = encode.shift_images(x, s.shift, rng, s.edge) if s.shift else x
        x = encode.erase_from_images(x, s.erase, rng) if s.erase else x
    if rng is not None and s.augment:
        x = s.augment(x, rng)
    flat = np.asarray(own(x, dtype.type), dtype) if callable(own) else encode.intensities(x, dtype.type)
    _checks.sample_shape(flat if s.own_encoding else x, s.model, "x")
    return flat.reshape(len(x), *s.model.shape)


def _as_long(x, lengths, name):
    """Refuse sequences of other lengths than those that came."""
    if not np.array_equal(_lengths(x), lengths):
        raise ValueError(f"{name}: expected as many sequences as came, each as long as before, got others")
    return x


def _lengths(x):
    """Return how many steps each sample has."""
    return x.lengths if isinstance(x, Sequences) else np.full(len(x), x.shape[1])


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


def loss_and_grad(settings, y, labels, weight=None):
    """Compute the loss and its gradient, (P1).

    Parameters
    ----------
    settings : dataclass
        Settings: `loss`, and of spiking networks `on`, of conversion `scale`.
    y : (B, n_out) array
        Output of the network: spike counts, potentials, or (ann) activations.
    labels : (B,) array of integers
        Labels.
    weight : (B,) array, optional
        How many times each sample counts, for losses of ours, (L8).

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
    more = {"smoothing": settings.smoothing} if settings.loss == "cross_entropy" else {}
    more |= {} if weight is None else {"weight": weight}
    own = callable(settings.loss)
    loss, d = called(settings.loss, y * scale, labels) if own else RATE_LOSSES[settings.loss](y * scale, labels, **more)
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
    return finish(nets, of_samples(nets, loss_and_y, grads, batch_stats))


def of_samples(nets, loss_and_y, grads, batch_stats):
    """Return a training step as the samples alone make it, without costs of weights; silent samples are counted.

    Parameters
    ----------
    nets : Nets
        From `build`.
    loss_and_y : (loss, y)
        Loss and output of a batch or chunk.
    grads : dict of str to array
        Gradients of the loss.
    batch_stats : dict
        Statistics of the samples, see `pysnn.learning.method.Step`.

    Returns
    -------
    pysnn.learning.method.Step
        What `finish` takes.
    """
    loss, y = loss_and_y
    stats = {} if nets.snn is None else {"n_silent": int((y == 0).all(axis=1).sum())}
    return Step(loss, y, grads, stats, batch_stats)


def finish(nets, step):
    """Finish a training step: add weight decay and penalty to loss and gradients, and see which neurons can move.

    Parameters
    ----------
    nets : Nets
        From `build`.
    step : pysnn.learning.method.Step
        What the samples say; its gradients are changed in place.

    Returns
    -------
    pysnn.learning.method.Step
        What the training loop needs.
    """
    loss, grads = step.loss, step.grads
    weights = nets.settings.model.weights
    stats = {"movable": movable(grads, weights), "grad_norm": norms(grads, weights)} | step.stats
    decay, often = nets.settings.weight_decay, nets.settings.bias_rate
    for name, param in nets.settings.model.params(None, nets.settings.bias).items() if often != 1 else ():
        if param.role in ("bias", "shift") and name in grads:
            grads[name] = grads[name] * grads[name].dtype.type(often)
    for name, dw in grads.items() if decay else ():
        w, cost = nets.net.params[name], of_parameter(decay, name)
        if cost:
            dw += w.dtype.type(cost) * w
            loss += cost / 2 * squares(w)
    loss += add_penalty(nets.settings, nets.net.params, grads)
    return step._replace(loss=loss, stats=stats)


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
            there = getattr(x[i:i + PIECE], "there", None)
            run = snn.run(piece, keep_counts=True) if there is None else _run_within(snn, piece, there)
            outputs = run.layer_counts if snn.config.output else run.layer_counts[:-1]
            top = snn.config.n_steps if there is None else there.sum(axis=0)[:, None]
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
    steps = x.lengths.sum() if isinstance(x, Sequences) else len(x) * nets.settings.n_steps
    record["rates"] = (n_spikes / (steps * sizes)).tolist()
    if not twins:
        return record
    moments = [row[3] for row in layers[:len(activations)]]
    spread = [np.sqrt(max(0, m[2] - m[0] ** 2) * max(0, m[3] - m[1] ** 2)) for m in moments]
    record |= {"agreement": same / len(x), "bias": [float(m[0] - m[1]) for m in moments],
               "correlation": [float((m[4] - m[0] * m[1]) / s) if s > 0 else 0.0 for m, s in zip(moments, spread, strict=True)]}
    return record if y is None else record | {"relu_accuracy": float(right[1] / len(x)), "distance": float((right[1] - right[0]) / len(x))}


def _run_within(snn, x, there):
    """Run sequences (T, B, n) as `snn.run` does, but count no spike behind the end of a sample; there (T, B) says where it is."""
    n_spikes, layer_counts = [], []
    outputs, _ = snn.forward(x)
    for layer, out in zip(snn.layers, outputs, strict=True):
        if layer.fires or layer is snn.layers[-1]:
            counts = (out.reshape(*there.shape, -1) * there[:, :, None]).sum(axis=0, dtype=out.dtype)
            layer_counts.append(counts)
            n_spikes.append(float(counts.sum(dtype=np.float64)) if layer.fires else 0.0)
    return Run(None, None, n_spikes, layer_counts)


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


def _fit(data):
    """Fit the settings to data of the user's own; images of 8 pixels or more get two convolutions."""
    known, shape = fitted_dense(data), data.x_train.shape[1:]
    if data.kind == "image" and min(shape[:2]) >= 8:
        known["model"] = f"{'x'.join(map(str, (*shape, 1)[:3]))}-16C3-P2-16C3-P2-100-{len(data.classes)}"
    return known | ({"readout": "potential", "on": "counts"} if data.regression else {})


METHOD = Method("rate", Common, None, None, predict, accuracy, decide, data_settings=DATA, needed=("model", "crop"),
                begin=begin, update_running_stats=update_running_stats, end_epoch=end_epoch, report=report, family="rate", fit=_fit)
"""What the rate methods have in common; each replaces at least name, Settings, `build` and `gradients`."""

score = METHOD.score


def __getattr__(name):
    """Find a function by its name in version 0.1, which learning rules of others may use."""
    older = {"frozen": uses_running_stats, "judge": loss_and_grad}
    if name in older:
        return older[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
