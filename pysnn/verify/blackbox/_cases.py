"""Cases that small sizes hide: a layer against the definition of the neuron that it was found to be."""

from types import SimpleNamespace

import numpy as np

from ..conventions import LeakyNeuron
from ..identify import _integrate_fire, _leaky
from ..report.ledger import RIGHT, WRONG, Entry
from ..suite._recorder import place
from . import _parameters

SIZES = ((1, 1, 1), (6, 2, 3), (33, 9, 37), (130, 2, 3))         # steps, samples, neurons
CLOSE = {"float64": 1e-10, "float32": 1e-4}                      # of the largest entry of a gradient
LARGE = 1e6                                                      # upstream gradients must be taken as they are
AXES = ("step", "sample", "neuron")


class Truth:
    """The definition of a neuron, as spikes and gradients of currents.

    Parameters
    ----------
    neuron : Convention or LeakyNeuron
        From `identify`.
    threshold : float
        Its threshold.
    precision : str
        "float64" or "float32": how near a potential may come to the threshold.
    """

    def __init__(self, neuron, threshold, precision="float64"):
        self.neuron, self.threshold, self.precision = neuron, threshold, precision
        self.leaks, self.subject = isinstance(neuron, LeakyNeuron), SimpleNamespace(threshold=threshold)

    def case(self, shape, rng):
        """Draw currents (T, B, N) with spikes, none of them in doubt; of neurons without leak in eighths, whose sums are exact."""
        n_steps, n, n_neurons = shape
        if not self.leaks:
            return self.threshold * rng.integers(-4, 9, shape) / 8
        neuron, more = self.neuron, 40
        gain = neuron.scale * (1 - neuron.beta if neuron.rule.gain == "1 - beta" else 1) / (1 - (neuron.alpha or 0.0))
        current = rng.uniform(-0.6, 1, (n_steps, n + more, n_neurons)) * self.threshold / gain
        for _ in range(8):
            spikes, seen = _leaky.run(self.subject, neuron, current)
            if spikes.mean() >= 0.1:
                break
            current = current * 1.5
        near = np.abs(seen / self.threshold - 1).min(axis=(0, 2))
        clear = np.flatnonzero(near > _leaky.NEAR_THRESHOLD[self.precision])[:n]
        return np.ascontiguousarray(current[:, clear if len(clear) == n else np.argsort(-near)[:n]])

    def spikes(self, current):
        """Give the spikes, (T, B, N)."""
        if self.leaks:
            return _leaky.run(self.subject, self.neuron, current)[0]
        return _integrate_fire.spikes_of(self.neuron, current, self.threshold)

    def gradient(self, current, dspikes):
        """Pull dspikes back, by forward mode."""
        if self.leaks:
            return _leaky.gradient_of(self.subject, self.neuron, current, dspikes)
        return _integrate_fire.gradient_of(self.neuron, current, dspikes, self.threshold)


def run(layer, truth, recorder, seed=0):
    """Run all cases.

    Parameters
    ----------
    layer : pysnn.verify.blackbox.Layer
        What is judged.
    truth : Truth
        What it should do.
    recorder : Recorder
        Takes the results.
    seed : int
        Of the cases.

    Returns
    -------
    alive : float
        The share of spikes.
    left : list of str
        Parameters that are not checked.
    """
    rng, close, own = np.random.default_rng([seed, 1602]), CLOSE[truth.precision], layer.structure.n
    cases = {}
    for n_steps, n, n_neurons in SIZES:
        if truth.leaks and truth.neuron.w_rec is not None and n_steps > 33:
            continue
        shape = n_steps, n, own or n_neurons
        current, dspikes = truth.case(shape, rng), rng.normal(size=shape)
        words = f"T {n_steps}, batch {n}, N {shape[2]}"
        cases[words] = current, dspikes
        given = current.copy()
        recorder.compare(layer.there.forward(given), truth.spikes(current), f"spikes, {words}", 0, _first)
        _left_alone(recorder, given, current, "forward changes its current", words)
        _gradients(layer, truth, recorder, (current, dspikes), words, close)
    words, (current, dspikes) = list(cases.items())[-2 if len(cases) > 3 else -1]
    _apart(layer, recorder, current, dspikes, close)
    _again(layer, recorder, current, dspikes, close)
    left = _parameters.check(layer, truth, recorder, (current, dspikes))
    return sum(float(truth.spikes(current).mean()) for current, _ in cases.values()) / len(cases), left


def _gradients(layer, truth, recorder, case, words, close):
    """Compare gradients, also of a large upstream gradient."""
    current, dspikes = case
    wanted = truth.gradient(current, dspikes)
    for size, more in ((1.0, ""), (LARGE, ", upstream times 1e6")):
        given = size * dspikes
        _near(recorder, layer.there.vjp(current.copy(), given) / size, wanted, f"current, {words}{more}", close)
        _left_alone(recorder, given, size * dspikes, "backward changes the gradient that it is given", words)


def _near(recorder, got, wanted, words, close):
    """Compare arrays; errors are relative to the largest number wanted."""
    size = float(np.abs(wanted).max(initial=0)) or 1.0
    error = np.where(np.isfinite(got), np.abs(got - wanted) / size, np.inf)
    bad = ~(error <= close)
    note = f"{int(bad.sum())} of {bad.size} differ; got {got[bad][0]:.6g}, wanted {wanted[bad][0]:.6g}" if bad.any() else ""
    recorder.entries.append(Entry(recorder.operation, recorder.check, words, got.size, float(error.max(initial=0)),
                                  verdict=WRONG if bad.any() else RIGHT, note=note, first=_first(bad) if bad.any() else ""))
    recorder.errors.append(error.ravel())


def _left_alone(recorder, given, before, words, case):
    if not np.array_equal(given, before):
        recorder.number(np.abs(given - before).max(), 0, f"{words}, {case}", given.size)


def _first(bad):
    return place(np.argwhere(bad)[0], *AXES[:bad.ndim])


def _apart(layer, recorder, current, dspikes, close):
    """Each sample alone must give what it gives among others."""
    spikes, grads = layer.box.forward(current), layer.box.vjp(current, dspikes)
    some = [0, current.shape[1] - 1] if current.shape[1] > 1 else []
    for b in some:
        one, down = (np.ascontiguousarray(x[:, b:b + 1]) for x in (current, dspikes))
        recorder.compare(layer.box.forward(one), spikes[:, b:b + 1], f"spikes, sample {b} alone", 0, _first)
        _near(recorder, layer.box.vjp(one, down), grads[:, b:b + 1], f"current, sample {b} alone", close)


def _again(layer, recorder, current, dspikes, close):
    """What a run gave stays; a second backward pass gives the same; evaluation gives the same."""
    there = layer.there
    if words := there.overwritten(current, np.zeros_like(current)):
        recorder.number(1.0, 0, f"spikes, {words}", current.size)
    grads = layer.box.vjp(current, dspikes)
    _near(recorder, there.vjp(current, dspikes, True), grads, "current, a second backward pass", close)
    if there.evaluation(True):
        spikes = layer.box.forward(current)
        in_evaluation = layer.box.vjp(current, dspikes)
        there.evaluation(False)
        recorder.compare(spikes, layer.box.forward(current), "spikes, in evaluation", 0, _first)
        _near(recorder, in_evaluation, grads, "current, in evaluation", close)
