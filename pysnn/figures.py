"""Figures of a trained network: from a run and its data to `pysnn.plots`."""

from typing import NamedTuple

import numpy as np

from . import evaluation
from .evaluation import rate as evaluation_rate
from .evaluation import sequences
from .evaluation.mismatch import trace
from .learning import rate, temporal

SAMPLES = 100       # test samples in the figure of counts against activations
PAIRS = 100_000     # of them, by layer
CURVE = 2000        # test samples in the figure of accuracy against steps


class Need(NamedTuple):
    """What a figure needs of a run and its data."""

    words: str
    met: object             # (run, data) -> bool
    got: object             # (run, data) -> str, what is there instead


class Figure(NamedTuple):
    """One kind of figure."""

    draw: object            # (pysnn.plots, run, data, sample, seed) -> matplotlib figure
    needs: tuple = ()
    quick: bool = True      # `available` leaves out what takes long
    data: bool = True       # whether it shows data; without, draw(..., None)


def draw(kind, run, data, sample=0, seed=0, look=None):
    """Draw one figure of a trained network.

    Parameters
    ----------
    kind : str
        A key of `FIGURES`.
    run : pysnn.training.Run
        The run, such as `pysnn.training.load` returns.
    data : pysnn.datasets.Dataset or None
        Data; the test set is shown. None where the figure shows no data (see FIGURES).
    sample : int
        Which test sample, for the raster and the potentials.
    seed : int
        For random disturbances and choices.
    look : pysnn.plots.Look, optional
        Style, width and height.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If the figure does not fit the run or the data.
    """
    from . import plots  # here, for it loads matplotlib
    if kind not in FIGURES:
        raise ValueError(f"figure: expected one of {', '.join(FIGURES)}, got {kind!r}")
    for need in FIGURES[kind].needs:
        if not need.met(run, data):
            raise ValueError(f"{kind}: expected {need.words}, got {need.got(run, data)}")
    if data is not None and not 0 <= sample < len(data.x_test):
        raise ValueError(f"sample: expected 0 to {len(data.x_test) - 1}, got {sample}")
    with plots.look(*(look or ())) as chosen:
        figure = FIGURES[kind].draw(plots, run, data, sample, seed)
        if chosen.style == "paper":
            figure.suptitle("")
    return figure


def film(run, data, sample=0, n_frames=40):
    """Show the spikes of all layers for one test sample, one frame after the other.

    Parameters
    ----------
    run : pysnn.training.Run
        A run of a network that spikes.
    data : pysnn.datasets.Dataset
        Data; a sample of the test set is shown.
    sample : int
        Which.
    n_frames : int
        Frames, of a network of spike times, from its first spike to its last; else each time step is a frame.

    Returns
    -------
    matplotlib.animation.FuncAnimation
        To be saved by its `save("film.gif", "pillow")`.

    Raises
    ------
    ValueError
        If the network does not spike, or there is no such sample.
    """
    from . import plots
    if not SPIKES.met(run, data) or not 0 <= sample < len(data.x_test):
        raise ValueError(f"film: expected {SPIKES.words} and a sample from 0 to {len(data.x_test) - 1}, got {run.method} and {sample}")
    if not _is_temporal(run):
        return plots.film(_trace(run, data, sample)[0], _layer_names(run), [f"step {t}" for t in range(1, run.nets.snn.config.n_steps + 1)])
    times = [t[0] for t in _times(run, data.test[0][sample:sample + 1])]
    there = np.concatenate([t[np.isfinite(t)] for t in times])
    edges = np.linspace(there.min(initial=0), there.max(initial=1), n_frames)
    spikes = [np.searchsorted(edges, t) == np.arange(n_frames)[:, None] for t in times]
    return plots.film(spikes, evaluation.layer_names(run.nets), [f"t = {t:.2f} tau" for t in edges])


def available(run, data):
    """List the figures that fit a run and its data, but for those that take long.

    Parameters
    ----------
    run : pysnn.training.Run
        The run.
    data : pysnn.datasets.Dataset
        Data.

    Returns
    -------
    list of str
        Kinds for `draw`.
    """
    return [kind for kind, figure in FIGURES.items() if figure.quick and all(need.met(run, data) for need in figure.needs)]


def _is_temporal(run):
    """Tell whether the network computes with spike times."""
    return run.rule.family == "temporal"


def _first_weights(run):
    """Return the weights of the first layer, of no dimension where a layer of the user's own calls them otherwise."""
    return run.nets.net.params.get("w1", np.zeros(()))


def _decide(run, x):
    """Return the class that each sample is given; -1 where there is no decision."""
    return run.rule.decide(run.rule.predict(run.nets, x))


def _layer_names(run):
    """Name the layers of neurons of a rate network, the last one "output"."""
    kinds = [kind for kind, _ in run.nets.settings.model.neuron_layers]
    return [*(f"{k + 1} {kind}" for k, kind in enumerate(kinds[:-1])), "output"]


def _times(run, x):
    """Return the spike times of all layers, input first, in tau."""
    z_in = temporal.encode_batch(run.nets, x)
    return [np.log(z).reshape(len(z), -1) for z in [z_in, *temporal.spikes(run.nets, z_in)]]


def _timed(run, data, sample):
    """Return input (T, n), spikes of the layers (T, N) and potentials of the outputs (T, n_out) of a network with time, for one sample."""
    x = rate.encode_batch(run.nets, data.test[0][sample:sample + 1])
    spikes, out = sequences.trace(run.nets, x)
    return x, [s[:, 0].reshape(len(s), -1) for s in spikes], out[:, 0]


def _trace(run, data, sample):
    """Return the spikes of all layers, (T, N) each, and the potentials of the outputs, (T, n_out), for one test sample."""
    if not run.kind:
        _, spikes, v = _timed(run, data, sample)
        return spikes if run.nets.snn.layers[-1].fires else [*spikes, np.zeros_like(v)], v
    spikes, v = trace(run.nets, rate.encode_batch(run.nets, data.x_test[sample:sample + 1]))
    return [s.reshape(len(s), -1) for s in spikes], v[:, 0]


def _raster(plots, run, data, sample, seed):
    label = None if data.regression else int(data.y_test[sample])
    what = "regression" if label is None else f"class {label} ({data.classes[label]})"
    title = f"Test sample {sample}, {what}"
    if _is_temporal(run):
        t = [x[0] for x in _times(run, data.x_test[sample:sample + 1])]
        figure = plots.raster(t, evaluation.layer_names(run.nets), float(t[-1].min()))
        figure.suptitle(f"{title}. {figure.get_suptitle()}", fontsize=9)
        return figure
    if not run.kind and not run.nets.snn.layers[-1].fires:
        return _sequence(plots, run, data, sample, title)
    spikes, names = _trace(run, data, sample)[0], [f"layer {name}" if name != "output" else name for name in _layer_names(run)]
    if not run.nets.snn.layers[-1].fires:
        spikes, names = spikes[:-1], names[:-1]      # an output that does not fire has nothing to show
    figure = plots.step_raster(spikes, names)
    figure.suptitle(f"{title}; behind each output its spikes", fontsize=9)
    return figure


def _sequence(plots, run, data, sample, title):
    x, spikes, out = _timed(run, data, sample)
    x = x[:, 0] if run.nets.settings.time_axis is not None else np.repeat(x.reshape(1, -1), len(out), axis=0)
    figure = plots.sequence(x, spikes, [f"layer {k}" for k in range(1, len(spikes) + 1)], out, data.classes,
                             None if data.regression else int(data.y_test[sample]))
    figure.suptitle(title, fontsize=9)
    return figure


def _spike_times(plots, run, data, sample, seed):
    return plots.spike_times(_times(run, data.x_test[:500]), evaluation.layer_names(run.nets))


def _correlation(plots, run, data, sample, seed):
    x = rate.encode_batch(run.nets, data.x_test[:SAMPLES])
    counts = run.nets.snn.run(x, keep_counts=True).layer_counts
    values = evaluation_rate.activations(evaluation_rate.relu_twin(run.nets), x)
    rng = np.random.default_rng(seed)
    some = [rng.permutation(c.size)[:PAIRS] for c in counts]
    return plots.correlation(*([a.ravel()[k] for a, k in zip(arrays, some, strict=True)] for arrays in (counts, values)),
                             _layer_names(run), run.nets.settings.n_steps)


def _steps(plots, run, data, sample, seed):
    results = evaluation_rate.evaluate(run.nets, data.x_test[:CURVE], data.y_test[:CURVE])
    curves = {name: (results["steps"], results[f"{key}_at"]) for name, key in (
        ("ties at random", "accuracy"), ("ties wrong", "strict"), ("ties right", "inclusive"))}
    twin = {"ReLU network, same weights": results["relu"]} if "relu" in results else {}
    return plots.accuracy_steps(curves, twin, results["n_steps"])


def _potentials(plots, run, data, sample, seed):
    spikes, v = _trace(run, data, sample)
    label = int(data.y_test[sample])
    first = [j for j in np.lexsort((-v[-1], -spikes[-1].sum(axis=0))) if j != label]
    names = [f"{j} ({name})" + ", the right one" * (j == label) for j, name in enumerate(data.classes)]
    return plots.potentials(v, spikes[-1], run.nets.snn.config.threshold, [label, *first[:3]], names)


def _curves(plots, run, data, sample, seed):
    return plots.learning_curves(run.records)


def _confusion(plots, run, data, sample, seed):
    return plots.confusion(data.y_test, _decide(run, data.test[0]), data.classes)


def _targets(plots, run, data, sample, seed):
    found = run.rule.values(run.nets.settings, run.rule.predict(run.nets, data.test[0]))
    return plots.predictions(data.unscaled(data.y_test), data.unscaled(found), data.classes)


def _in_time(plots, run, data, sample, seed):
    e = evaluation.evaluate(run.nets, data.x_test, data.y_test)
    return plots.accuracy_in_time(np.array(e["t"]), np.array(e["accuracy_in_time"]), e["accuracy"], 1 / len(data.classes), e["t_decision"])


def _robustness(plots, run, data, sample, seed):
    rng = np.random.default_rng(seed)
    if _is_temporal(run):
        jitter = evaluation.robustness(run.nets, data.x_test, data.y_test, rng)["jitter"]
        undisturbed = run.rule.score(run.nets, data.x_test, data.y_test).expected
        return plots.robustness(*np.array(jitter).T, "jitter of the input times (tau)", undisturbed)
    (_, undisturbed), *noise = evaluation_rate.robustness(run.rule, run.nets, data.x_test, data.y_test, rng)["noise"]
    return plots.robustness(*np.array(noise).T, "noise on the input (share of the brightest intensity)", undisturbed)


def _kernels(plots, run, data, sample, seed):
    w = _first_weights(run)
    return plots.weights(w.reshape(-1, w.shape[3]), w.shape[:3], name="kernel")


def _weights(plots, run, data, sample, seed):
    shape = data.x_test.shape[1:]
    return plots.weights(_first_weights(run)[:int(np.prod(shape))], shape)        # the rows behind these are the bias


def _regions(plots, run, data, sample, seed):
    return plots.decision_regions(lambda x: _decide(run, np.clip(x, 0, 1)), data.x_test, data.y_test, data.classes)


def _method(run, data):
    return f"one trained by {run.method}"


def _data(run, data):
    return f"one on {data.name}"


def _model(run, data):
    return run.nets.settings.model


TIMES = Need("a network of spike times", lambda run, data: _is_temporal(run), _method)
STEPS = Need("a network that spikes over time steps", lambda run, data: run.spikes, _method)
STILL = Need("neurons without a leak, and samples without a time axis", lambda run, data: bool(run.kind), _model)
TWIN = Need("layers that ReLU neurons can have, too", lambda run, data: "relu" in run.nets.settings.model.neurons, _model)
KNOWN = Need("a rule of the family temporal or rate", lambda run, data: bool(run.rule.family), _method)
SPIKES = Need("a network that spikes", lambda run, data: TIMES.met(run, data) or STEPS.met(run, data), _method)
EPOCHS = Need("a run with at least one epoch", lambda run, data: bool(run.records), lambda run, data: "none")
LABELS = Need("classes", lambda run, data: not data.regression, lambda run, data: f"targets of regression in {data.name}")
TARGETS = Need("targets of regression", lambda run, data: data.regression, lambda run, data: f"labels in {data.name}")
IMAGES = Need("a network on images", lambda run, data: data.kind == "image", _data)
POINTS = Need("a network on points such as yin-yang", lambda run, data: data.kind == "points", _data)
CONV = Need("a convolution as the first layer", lambda run, data: _first_weights(run).ndim == 4, _model)
DENSE = Need("a dense first layer of the samples themselves",
             lambda run, data: _first_weights(run).ndim == 2 and not run.nets.settings.own_encoding, _model)

FIGURES = {
    "raster": Figure(_raster, (SPIKES,)),
    "times": Figure(_spike_times, (TIMES,)),
    "correlation": Figure(_correlation, (STEPS, STILL, TWIN)),
    "steps": Figure(_steps, (STEPS, STILL)),
    "potentials": Figure(_potentials, (STEPS, LABELS)),
    "curves": Figure(_curves, (EPOCHS,), data=False),
    "confusion": Figure(_confusion, (LABELS,)),
    "targets": Figure(_targets, (TARGETS,)),
    "in-time": Figure(_in_time, (TIMES, LABELS)),
    "robustness": Figure(_robustness, (KNOWN, STILL), quick=False),
    "kernels": Figure(_kernels, (CONV, IMAGES)),
    "weights": Figure(_weights, (IMAGES, DENSE)),
    "regions": Figure(_regions, (POINTS, LABELS)),
}
"""The one table of figures."""
