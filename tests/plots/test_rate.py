"""The figures of networks that count spikes: same demands as in test_plots.py."""

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")

from pysnn import plots  # noqa: E402
from tests.cases import few  # noqa: E402

RNG = np.random.default_rng(3)
STEPS = [1, 2, 4, 8]


def spikes(n_steps, n, p=0.3):
    return (RNG.random((n_steps, n)) < p).astype(float)


COUNTS = RNG.integers(0, 9, 500).astype(float)
RATES = [{"epoch": e, "loss": 1 / e, "train_accuracy": 0.5, "rates": [0.1, 0.02 * e]} for e in range(1, 5)]

FIGURES = {
    "step_raster": lambda: plots.step_raster([spikes(15, 12544), spikes(15, 30), spikes(15, 10)],
                                             ["layer 1 conv", "layer 2 dense", "output"]),
    "step_raster, one step": lambda: plots.step_raster([spikes(1, 3)], ["output"]),
    "step_raster, silent": lambda: plots.step_raster([np.zeros((4, 100)), np.zeros((4, 10))], ["hidden", "output"]),
    "step_raster, many outputs": lambda: plots.step_raster([spikes(60, 100, 1.1)], ["output"]),
    "sequence": lambda: plots.sequence(RNG.normal(size=(15, 3)), [spikes(15, 60), spikes(15, 5)], ["layer 1", "layer 2"],
                                       RNG.normal(size=(15, 4)), list("abcd"), 2),
    "sequence, spikes": lambda: plots.sequence(spikes(1, 700), [], [], RNG.normal(size=(1, 20)), list("abcdefghijklmnopqrst")),
    "leaky_neuron": lambda: plots.leaky_neuron(RNG.normal(size=15), RNG.normal(size=15), spikes(15, 1)[:, 0], beta=0.9),
    "leaky_neuron, silent": lambda: plots.leaky_neuron(np.zeros(1), np.zeros(1), np.zeros(1)),
    "potentials": lambda: plots.potentials(RNG.normal(size=(15, 10)), spikes(15, 10), 1.5),
    "potentials, no firing": lambda: plots.potentials(RNG.normal(size=(8, 3)), np.zeros((8, 3)), names=["yin", "yang", "dot"]),
    "potentials, chosen": lambda: plots.potentials(RNG.normal(size=(1, 3)), np.ones((1, 3)), chosen=[2, 0]),
    "correlation": lambda: plots.correlation([COUNTS] * 7, [COUNTS + RNG.normal(size=500)] * 7, list("abcdefg"), 8),
    "correlation, four": lambda: plots.correlation([COUNTS] * 4, [COUNTS / 3] * 4, list("abcd"), 8),
    "correlation, silent": lambda: plots.correlation([np.zeros((5, 4))], [np.zeros((5, 4))], ["output"], 8),
    "correlation, no firing": lambda: plots.correlation([COUNTS - 4.5], [COUNTS], ["output"], 8),
    "accuracy_steps": lambda: plots.accuracy_steps({"proxy": (STEPS, [0.5, 0.6, 0.8, 0.9])}, {"ReLU": 0.92}, trained=4, chance=0.1),
    "accuracy_steps, spread": lambda: plots.accuracy_steps({"a": (STEPS, [0.5] * 4, [0.01] * 4), "b": (STEPS, [0.6] * 4, [0.02] * 4)},
                                                           {"ReLU": (0.92, 0.004)}),
    "accuracy_steps, one point": lambda: plots.accuracy_steps({"proxy": ([4], [0.5])}),
    "accuracy_steps, many points": lambda: plots.accuracy_steps({"proxy": (range(1, 61), np.linspace(0.1, 0.9, 60))}),
    "learning_curves": lambda: plots.learning_curves(RATES),
    "kernels": lambda: plots.weights(RNG.normal(size=(27, 12)), (3, 3, 3), name="kernel"),
}

REFUSED = {
    "no layers": (lambda: plots.step_raster([], []), "at least one array"),
    "names": (lambda: plots.step_raster([spikes(3, 4)], ["a", "b"]), "got 1 and 2"),
    "steps that differ": (lambda: plots.step_raster([spikes(3, 4), spikes(4, 4)], ["a", "b"]),
                          r"b: expected .*\(3, any\).* got shape \(4, 4\)"),
    "counts for spikes": (lambda: plots.step_raster([2 * np.ones((3, 4))], ["a"]), "from 0 to 1, got 2"),
    "shapes": (lambda: plots.potentials(np.zeros((3, 4)), np.zeros((3, 5))), r"spikes: expected .*\(3, 4\)"),
    "sequence, lengths": (lambda: plots.sequence(np.zeros((3, 2)), [spikes(4, 4)], ["a"], np.zeros((3, 2)), ["a", "b"]), r"\(3, any\)"),
    "sequence, outputs": (lambda: plots.sequence(np.zeros((3, 2)), [], [], np.zeros((3, 2)), ["a"]), r"out: expected .*\(3, 1\)"),
    "leaky, shapes": (lambda: plots.leaky_neuron(np.zeros(3), np.zeros(2), np.zeros(3)), r"u: expected .*\(3,\)"),
    "threshold": (lambda: plots.potentials(np.zeros((3, 4)), np.zeros((3, 4)), threshold=0), "threshold: "),
    "chosen": (lambda: plots.potentials(np.zeros((3, 4)), np.zeros((3, 4)), chosen=[4]), "expected neurons 0 to 3 and 4 names"),
    "sizes": (lambda: plots.correlation([COUNTS], [COUNTS[1:]], ["a"], 8), r"expected as many as counts, \[500\], got \[499\]"),
    "NaN": (lambda: plots.correlation([COUNTS * np.nan], [COUNTS], ["a"], 8), "a: expected numbers"),
    "no curves": (lambda: plots.accuracy_steps({}), "expected at least one"),
    "lengths": (lambda: plots.accuracy_steps({"a": (STEPS, [0.5])}), r"accuracy of a: expected numbers of shape \(4,\)"),
    "percent": (lambda: plots.accuracy_steps({"a": ([1], [90])}), "from 0 to 1, got 90"),
    "step 0": (lambda: plots.accuracy_steps({"a": ([0], [0.9])}), "steps of a: expected numbers from 1"),
}


def texts(fig):
    """All that a figure says."""
    return "\n".join(text.get_text() for text in fig.findobj(matplotlib.text.Text))


@pytest.mark.parametrize("name", few(FIGURES, 3))
def test_a_figure_is_drawn_labelled_and_of_its_size(name, tmp_path):
    before = {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}
    fig = FIGURES[name]()
    assert fig.axes and all(ax.get_xlabel() for ax in fig.axes[-1:] if ax.get_label() != "<colorbar>")
    path = plots.save(fig, tmp_path / "figure.png")
    box, whole = fig.get_tightbbox(), fig.get_size_inches()                  # as saving has laid it out
    assert min(box.x0, box.y0) > -0.02 and box.x1 < whole[0] + 0.02 and box.y1 < whole[1] + 0.02
    height, width = matplotlib.image.imread(path).shape[:2]
    assert 400 <= width <= 940 and height >= 200
    assert {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"} == before
    assert "nan" not in texts(fig).lower().split()
    sizes = [text.get_fontsize() for text in fig.findobj(matplotlib.text.Text) if text.get_text()]
    assert min(sizes) >= 9 or "10^" in texts(fig)


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused(name):
    draw, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        draw()


def test_what_they_say():
    s = np.zeros((10, 100))
    s[:, :50] = 1
    said = texts(plots.step_raster([s, s[:, 45:55]], ["hidden", "output"]))
    assert "hidden: 100 neurons, 0.500 spikes a step, 50% silent; 40 others shown" in said
    assert "most: 0 (10)" in said and "9 (0)" in said and "most: 9" not in said
    said = texts(plots.correlation([COUNTS, COUNTS], [COUNTS * 2 + 1, -COUNTS], ["a", "b"], 8))
    assert "a: r = 1.000" in said and "b: r = -1.000" in said
    assert "one value alone" in texts(plots.correlation([COUNTS * 0], [COUNTS], ["a"], 8))
    said = texts(FIGURES["accuracy_steps"]())
    assert "ReLU: 92.00 %" in said and "trained with T = 4" in said and "standard deviation" not in said
    assert "standard deviation over seeds" in texts(FIGURES["accuracy_steps, spread"]())


def test_potentials_shows_those_that_spike_most():
    v, s = np.zeros((5, 6)), np.zeros((5, 6))
    s[:4, 3], s[:2, 1], v[-1, 5] = 1, 1, 0.5
    titles = [ax.get_title(loc="left") for ax in plots.potentials(v, s).axes]
    assert titles[:3] == ["output 3: 4 spikes", "output 1: 2 spikes", "output 5: 0 spikes"]


def test_a_film_lights_spikes_up_and_lets_them_fade():
    s = np.zeros((4, 10))
    s[1, 3] = 1
    film = plots.film([s, spikes(4, 3)], ["hidden", "output"], [f"step {t}" for t in range(4)])
    shown = []
    for t in range(4):
        image, _ = film._func(t)
        shown.append(image.get_array().ravel()[[3, 9, 11]].filled(np.nan))           # the last of 3 x 4 is no neuron
    np.testing.assert_allclose(shown, [[0, 0, np.nan], [1, 0, np.nan], [0.6, 0, np.nan], [0.36, 0, np.nan]])
    film._draw_was_started = True                    # it is not to be saved
    with pytest.raises(ValueError, match="expected numbers of shape"):
        plots.film([s], ["hidden"], ["step 1"])
