"""Figures of a trained network: from a run and its data to `pysnn.plots`."""

import numpy as np

from . import evaluation, figures_rate, plots
from .learning import temporal


def draw(kind, run, data, sample=0, seed=0):
    """Draw one figure of a trained network.

    Parameters
    ----------
    kind : str
        A key of `FIGURES`, or of `pysnn.figures_rate.FIGURES` for networks of other methods than temporal coding.
    run : pysnn.training.Run
        The run, such as `pysnn.training.load` returns.
    data : pysnn.datasets.Dataset
        Data; the test set is shown.
    sample : int
        Which test sample, for the raster and the potentials.
    seed : int
        For random disturbances.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If the figure does not fit the run or the data.
    """
    known = FIGURES if run.method == "temporal" else figures_rate.FIGURES
    if kind not in known:
        raise ValueError(f"figure: expected one of {', '.join(known)} for a network trained by {run.method}, got {kind!r}")
    if not 0 <= sample < len(data.x_test):
        raise ValueError(f"sample: expected 0 to {len(data.x_test) - 1}, got {sample}")
    return known[kind](run, data, sample, seed)


def fitting(run, data):
    """List the figures that fit a run and its data.

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
    if run.method != "temporal":
        return figures_rate.fitting(run, data)
    leave_out = {"robustness", "regions" if data.kind == "image" else "weights"} | (set() if run.records else {"curves"})
    return [kind for kind in FIGURES if kind not in leave_out]


def _times(run, x):
    """Return the spike times of all layers, input first, in tau."""
    z_in = temporal.encode_batch(run.nets, x)
    return [np.log(z) for z in [z_in, *run.nets.net.forward(z_in)[0]]]


def _raster(run, data, sample, seed):
    t = [x[0] for x in _times(run, data.x_test[sample:sample + 1])]
    figure = plots.raster(t, evaluation.layer_names(run.nets), float(t[-1].min()))
    label = int(data.y_test[sample])
    figure.suptitle(f"Test sample {sample}, class {label} ({data.classes[label]}). {figure.get_suptitle()}", fontsize=9)
    return figure


def _spike_times(run, data, sample, seed):
    return plots.spike_times(_times(run, data.x_test[:500]), evaluation.layer_names(run.nets))


def _curves(run, data, sample, seed):
    if not run.records:
        raise ValueError("curves: expected a run with at least one epoch, got none")
    return plots.learning_curves(run.records)


def _confusion(run, data, sample, seed):
    z = temporal.predict(run.nets, data.x_test)
    return plots.confusion(data.y_test, np.where(np.isfinite(z).any(axis=1), z.argmin(axis=1), -1), data.classes)


def _in_time(run, data, sample, seed):
    e = evaluation.evaluate(run.nets, data.x_test, data.y_test)
    return plots.accuracy_in_time(np.array(e["t"]), np.array(e["accuracy_in_time"]), e["accuracy"], 1 / len(data.classes), e["t_decision"])


def _robustness(run, data, sample, seed):
    found = evaluation.robustness(run.nets, data.x_test, data.y_test, np.random.default_rng(seed))["jitter"]
    undisturbed = temporal.score(run.nets, data.x_test, data.y_test).expected
    return plots.robustness(*np.array(found).T, "jitter of the input times (tau)", undisturbed)


def _weights(run, data, sample, seed):
    if data.kind != "image":
        raise ValueError(f"weights: expected a network on images, got one on {data.name}")
    shape = data.x_test.shape[1:]
    return plots.weights(run.nets.net.params["w1"][:int(np.prod(shape))], shape)


def _regions(run, data, sample, seed):
    if data.kind != "points":
        raise ValueError(f"regions: expected a network on points such as yin-yang, got one on {data.name}")
    def decide(x):
        return temporal.predict(run.nets, np.clip(x, 0, 1)).argmin(axis=1)

    return plots.decision_regions(decide, data.x_test, data.y_test, data.classes)


FIGURES = {"raster": _raster, "times": _spike_times, "curves": _curves, "confusion": _confusion, "in-time": _in_time,
           "robustness": _robustness, "weights": _weights, "regions": _regions}
