"""Figures of a trained network of integrate-and-fire or ReLU neurons: from a run and its data to `pysnn.plots`."""

import numpy as np

from . import plots
from .evaluation import rate as evaluation_rate
from .learning import rate

SAMPLES = 100       # test samples in the figure of counts against activations
PAIRS = 100_000     # of them, by layer
CURVE = 2000        # test samples in the figure of accuracy against steps


def fitting(run, data):
    """List the figures that fit a run and its data.

    Parameters
    ----------
    run : pysnn.training.Run
        The run, of any method but temporal coding.
    data : pysnn.datasets.Dataset
        Data.

    Returns
    -------
    list of str
        Kinds, keys of FIGURES.
    """
    leave_out = {"robustness", "kernels" if _conv(run) is None else "weights"}
    leave_out |= {"weights", "kernels"} if data.kind != "image" else {"regions"}
    leave_out |= set() if run.records else {"curves"}
    leave_out |= {"raster", "correlation", "steps", "potentials"} if run.nets.snn is None else set()
    return [kind for kind in FIGURES if kind not in leave_out]


def _conv(run):
    """Return the kernels of the first layer, None if it is no convolution."""
    w = run.nets.net.params["w1"]
    return w if w.ndim == 4 else None


def _names(run):
    """Name the weight layers, the last one "output"."""
    kinds = [kind for kind, _ in run.nets.settings.model.neuron_layers()]
    return [*(f"{k + 1} {kind}" for k, kind in enumerate(kinds[:-1])), "output"]


def _need_spikes(run, kind):
    if run.nets.snn is None:
        raise ValueError(f"{kind}: expected a network that spikes, got one trained by {run.method}")


def _raster(run, data, sample, seed):
    _need_spikes(run, "raster")
    spikes, _ = evaluation_rate.trace(run.nets.snn, rate.encode_batch(run.nets, data.x_test[sample:sample + 1]))
    names = [f"layer {name}" if name != "output" else name for name in _names(run)]
    if not run.nets.snn.config.output:
        spikes, names = spikes[:-1], names[:-1]      # an output that does not fire has nothing to show
    figure = plots.step_raster(spikes, names)
    label = int(data.y_test[sample])
    figure.suptitle(f"Test sample {sample}, class {label} ({data.classes[label]}); behind each output its spikes", fontsize=9)
    return figure


def _potentials(run, data, sample, seed):
    _need_spikes(run, "potentials")
    spikes, v = evaluation_rate.trace(run.nets.snn, rate.encode_batch(run.nets, data.x_test[sample:sample + 1]))
    label = int(data.y_test[sample])
    first = [j for j in np.lexsort((-v[-1], -spikes[-1].sum(axis=0))) if j != label]
    names = [f"{j} ({name})" + ", the right one" * (j == label) for j, name in enumerate(data.classes)]
    return plots.potentials(v, spikes[-1], run.nets.snn.config.threshold, [label, *first[:3]], names)


def _correlation(run, data, sample, seed):
    _need_spikes(run, "correlation")
    x = rate.encode_batch(run.nets, data.x_test[:SAMPLES])
    counts = run.nets.snn.run(x, keep_counts=True).layer_counts
    values = evaluation_rate.activations(evaluation_rate.relu_twin(run.nets), x)
    rng = np.random.default_rng(seed)
    some = [rng.permutation(c.size)[:PAIRS] for c in counts]
    return plots.correlation(*([a.ravel()[k] for a, k in zip(arrays, some, strict=True)] for arrays in (counts, values)),
                             _names(run), run.nets.settings.n_steps)


def _steps(run, data, sample, seed):
    _need_spikes(run, "steps")
    found = evaluation_rate.evaluate(run.nets, data.x_test[:CURVE], data.y_test[:CURVE])
    curves = {name: (found["steps"], found[f"{key}_at"]) for name, key in (
        ("ties at random", "accuracy"), ("ties wrong", "strict"), ("ties right", "inclusive"))}
    return plots.accuracy_steps(curves, {"ReLU network, same weights": found["relu"]}, found["n_steps"])


def _curves(run, data, sample, seed):
    if not run.records:
        raise ValueError("curves: expected a run with at least one epoch, got none")
    return plots.learning_curves(run.records)


def _confusion(run, data, sample, seed):
    y = rate.predict(run.nets, data.x_test)
    return plots.confusion(data.y_test, np.where((y == 0).all(axis=1), -1, y.argmax(axis=1)), data.classes)


def _kernels(run, data, sample, seed):
    w = _conv(run)
    if w is None:
        raise ValueError(f"kernels: expected a convolution as the first layer, got {run.nets.settings.model}")
    return plots.weights(w.reshape(-1, w.shape[3]), w.shape[:3], name="kernel")


def _weights(run, data, sample, seed):
    if data.kind != "image" or _conv(run) is not None:
        raise ValueError(f"weights: expected a dense first layer on images, got {run.nets.settings.model} on {data.name}")
    shape = data.x_test.shape[1:]
    return plots.weights(run.nets.net.params["w1"], shape)


def _robustness(run, data, sample, seed):
    found = evaluation_rate.robustness(run.method, run.nets, data.x_test, data.y_test, np.random.default_rng(seed))["noise"]
    return plots.robustness(*np.array(found[1:]).T, "noise on the input (share of the brightest intensity)", found[0][1])


def _regions(run, data, sample, seed):
    if data.kind != "points":
        raise ValueError(f"regions: expected a network on points such as yin-yang, got one on {data.name}")

    def decide(x):
        y = rate.predict(run.nets, np.clip(x, 0, 1))
        return np.where((y == 0).all(axis=1), -1, y.argmax(axis=1))

    return plots.decision_regions(decide, data.x_test, data.y_test, data.classes)


FIGURES = {"raster": _raster, "correlation": _correlation, "steps": _steps, "potentials": _potentials, "curves": _curves,
           "confusion": _confusion, "robustness": _robustness, "kernels": _kernels, "weights": _weights, "regions": _regions}
