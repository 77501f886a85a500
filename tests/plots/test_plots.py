"""The figures: they say what they show, survive silence, refuse what they cannot draw and leave no trace."""

import subprocess
import sys

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")

from pysnn import plots  # noqa: E402
from pysnn.conventions import NO_SPIKE  # noqa: E402
from pysnn.plots import temporal as plots_temporal  # noqa: E402
from tests.cases import few  # noqa: E402

CLASSES = ["yin", "yang", "dot"]
RECORDS = [{"epoch": e, "loss": 2.0**-e, "train_accuracy": 1 - 0.5**e, "val_accuracy": None if e == 2 else 0.5,
            "silent": [0.1, 1 / e], "lr": 0.1} for e in range(1, 8)]


def spikes(*shape):
    """Spike times of which a third are missing, never all."""
    rng = np.random.default_rng(sum(shape))
    t = rng.uniform(0, 3, shape)
    t[rng.random(shape) < 0.3] = NO_SPIKE
    assert np.isinf(t).any() and np.isfinite(t).any()
    return t


def halves(x):
    return (x[:, 0] > 0.5).astype(int)


def points(n_columns):
    x = np.random.default_rng(0).random((30, 2))
    return np.hstack([x, 1 - x])[:, :n_columns]


def silent_layers(*shape):
    return [np.full(shape, NO_SPIKE)] * 3


FIGURES = {
    "neuron": lambda: plots.neuron(spikes(9), np.linspace(-0.2, 1, 9)),
    "neuron, scaled": lambda: plots.neuron(spikes(9), np.linspace(-0.2, 1, 9), threshold=0.3, tau=2.0),
    "neuron, silent": lambda: plots.neuron([0.0, 1.0], [0.2, 0.3]),
    "neuron, all inputs silent": lambda: plots.neuron([NO_SPIKE, NO_SPIKE], [0.2, 0.3]),
    "neuron, told when": lambda: plots.neuron([0.0, 1.0], [2.0, 0.3], t_out=np.log(2), causal=[True, False]),
    "raster": lambda: plots.raster([spikes(50), spikes(200), spikes(300), spikes(10)]),
    "raster, many outputs": lambda: plots.raster([spikes(50), spikes(30)], ["retina", "answer"], t_decision=1.0),
    "raster, all silent": lambda: plots.raster(silent_layers(4)),
    "raster, no decision": lambda: plots.raster([spikes(4), spikes(20)], t_decision=NO_SPIKE),
    "raster, one neuron a layer": lambda: plots.raster([[1.0], [NO_SPIKE], [2.0]]),
    "spike_times": lambda: plots.spike_times([spikes(20, 50), spikes(20, 10)]),
    "spike_times, all silent": lambda: plots.spike_times(silent_layers(2, 3)),
    "spike_times, one time": lambda: plots.spike_times([np.ones((2, 3))], ["input"]),
    "learning_curves": lambda: plots.learning_curves(RECORDS),
    "learning_curves, one epoch": lambda: plots.learning_curves([{"epoch": 0, "loss": 1.0, "train_accuracy": 1.0}]),
    "learning_curves, diverged": lambda: plots.learning_curves([{**r, "loss": np.nan} for r in RECORDS]),
    "confusion": lambda: plots.confusion([0, 1, 1, 0], [0, 1, 0, -1], CLASSES),
    "accuracy_in_time": lambda: plots.accuracy_in_time([0, 1, 2], [0.1, 0.5, 0.9], 0.95, 0.1, 1.2),
    "accuracy_in_time, never": lambda: plots.accuracy_in_time([0], [0.1], t_median=NO_SPIKE),
    "weights": lambda: plots.weights(np.random.default_rng(0).normal(size=(12, 50)), (3, 4)),
    "weights, colour": lambda: plots.weights(np.random.default_rng(0).normal(size=(12, 3)), (2, 2, 3)),
    "weights, zero": lambda: plots.weights(np.zeros((12, 3)), (12, 1), n=2),
    "decision_regions": lambda: plots.decision_regions(halves, points(4), halves(points(4)), CLASSES, n=20),
    "decision_regions, silent": lambda: plots.decision_regions(lambda x: np.full(len(x), -1), points(2),
                                                               halves(points(2)), CLASSES, n=20),
    "robustness": lambda: plots.robustness([0, 0.1], [0.9, 0.7], "jitter (tau)", 0.91),
}

REFUSED = {
    "shapes": (lambda: plots.neuron([0.0, 1.0], [1.0]), r"w: expected .*\(2,\).* got shape \(1,\)"),
    "NaN": (lambda: plots.neuron([np.nan], [1.0]), r"t_in: .*inf \(no spike\), got nan"),
    "threshold": (lambda: plots.neuron([0.0], [1.0], threshold=0), "threshold"),
    "words": (lambda: plots.neuron(["early"], [1.0]), "expected numbers"),
    "empty": (lambda: plots.neuron([], []), r"t_in: .*got shape \(0,\)"),
    "one layer": (lambda: plots.raster([[1.0]]), "2 arrays"),
    "names": (lambda: plots.raster([[1.0], [2.0]], ["input"]), "got 2 and 1"),
    "dimensions": (lambda: plots.spike_times([[1.0]]), r"\(any, any\)"),
    "no layers": (lambda: plots.spike_times([]), "t_layers"),
    "no records": (lambda: plots.learning_curves([]), "records: expected"),
    "keys": (lambda: plots.learning_curves([{"epoch": 1, "loss": 1.0}]), "train_accuracy"),
    "percent": (lambda: plots.learning_curves([{**RECORDS[0], "train_accuracy": 97.0}]), "from 0 to 1, got 97"),
    "lengths": (lambda: plots.confusion([0, 1], [0], CLASSES), r"y_pred: .*\(2,\)"),
    "class": (lambda: plots.confusion([3], [0], CLASSES), "from 0 to 2, got 3"),
    "no label": (lambda: plots.confusion([-1], [0], CLASSES), "y_true"),
    "fraction": (lambda: plots.confusion([0.5], [0], CLASSES), "whole numbers, got 0.5"),
    "curve": (lambda: plots.accuracy_in_time([0, 1], [0.5]), "accuracy: "),
    "chance": (lambda: plots.accuracy_in_time([0], [0.5], chance=10), "chance: "),
    "levels": (lambda: plots.robustness([], [], "noise"), "levels: "),
    "image": (lambda: plots.weights(np.ones((12, 3)), (5, 5)), r"product 12.*got \(5, 5\)"),
    "columns": (lambda: plots.decision_regions(halves, np.ones((5, 3)), [0] * 5, CLASSES), r"x: .*got shape \(5, 3\)"),
    "predict": (lambda: plots.decision_regions(lambda x: x, points(2), halves(points(2)), CLASSES, n=5), "predict"),
}


def texts(fig):
    """All that a figure says."""
    return "\n".join(text.get_text() for text in fig.findobj(matplotlib.text.Text))


def settings():
    """The user's rcParams but for the backend: to look at that one makes matplotlib choose it and import pyplot."""
    return {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}


@pytest.mark.parametrize("name", few(FIGURES, 3))
def test_a_figure_is_drawn_labelled_and_leaves_no_trace(name, tmp_path):
    before = settings()
    fig = FIGURES[name]()
    assert settings() == before
    assert len(fig.axes) >= 1
    assert fig.axes[-1].get_xlabel()
    assert all(ax.get_ylabel() for ax in fig.axes)
    path = plots.save(fig, tmp_path / "new" / "folder" / "figure.png")
    box, whole = fig.get_tightbbox(), fig.get_size_inches()                  # as saving has laid it out
    assert min(box.x0, box.y0) > -0.02 and box.x1 < whole[0] + 0.02 and box.y1 < whole[1] + 0.02, "something sticks out of the figure"
    height, width = matplotlib.image.imread(path).shape[:2]
    assert 400 <= width <= 940 and height >= 200         # 7 inches at 120 dpi, cut or widened to what is drawn
    assert settings() == before
    assert "nan" not in texts(fig).lower().split()
    sizes = [text.get_fontsize() for text in fig.findobj(matplotlib.text.Text) if text.get_text()]
    assert min(sizes) >= 9


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_with_what_was_expected_and_what_came(name):
    draw, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        draw()


def test_neuron_finds_the_spike_worked_by_hand():
    # docs/derivations/temporal.md, the worked example: C = {0, 1}, z_out = 6.0774...
    assert plots_temporal._crossing(np.array([0.0, 1, 2]), np.array([0.8, 0.6, -0.3]), 1.0) == pytest.approx(1.8045807151057172)
    said = texts(plots.neuron([0.0, 1, 2, NO_SPIKE], [0.8, 0.6, -0.3, 9.0]))
    assert "1.805" in said and "causal inputs: 2" in said and "silent inputs: 1 of 4" in said


def test_the_potential_is_at_the_level_at_the_crossing_and_below_it_before():
    rng = np.random.default_rng(1)
    n_fired = 0
    for _ in range(200):
        u_in, w = np.round(rng.uniform(0, 3, 20), 1), rng.normal(0.1, 0.3, 20)    # rounded: inputs at equal times
        u_in[rng.random(20) < 0.2] = NO_SPIKE
        u_out = plots_temporal._crossing(u_in, w, 1.0)
        end = u_out if np.isfinite(u_out) else 60.0
        v = plots_temporal._potential(np.linspace(0, end, 2000), u_in, w)
        assert v[:-1].max() < 1 + 1e-12
        n_fired += np.isfinite(u_out)
        if np.isfinite(u_out):
            assert v[-1] == pytest.approx(1, abs=1e-9)
    assert 20 < n_fired < 180


def test_silence_is_counted():
    t = [np.zeros(5), np.array([1.0, NO_SPIKE, 3.0]), np.array([NO_SPIKE, 2.0])]
    said = texts(plots.raster(t))
    assert "hidden 1: 3 neurons, 1 silent, 1 fire by the decision" in said
    assert "silent: 0" in said and "first: 1" in said
    assert "No output fires" in texts(plots.raster(silent_layers(4)))
    assert "hidden 1: 33.3 % silent" in texts(plots.spike_times([x[None] for x in t]))
    assert "100.0 % silent" in texts(plots.spike_times(silent_layers(2, 3)))
    said = texts(plots.confusion([0, 1], [-1, 1], CLASSES))
    assert "none" in said and "0.0 %" in said and "100.0 %" in said and "no sample" in said and "1 of 2 right" in said


def test_numbers_in_cells_stand_out():
    fig = plots.confusion(np.repeat([0, 0, 1, 2], [9, 1, 7, 5]), np.repeat([0, 1, 1, 2], [9, 1, 7, 5]), CLASSES)
    ax, image = fig.axes[0], fig.axes[0].images[0]
    for text in ax.texts:
        column, row = map(int, text.get_position())
        cell = image.cmap(image.norm(image.get_array()[row, column]))
        both = [np.array(rgb[:3]) ** 2.2 @ [0.2126, 0.7152, 0.0722] + 0.05
                for rgb in (cell, matplotlib.colors.to_rgb(text.get_color()))]
        assert max(both) / min(both) > 4


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_save_is_all_or_nothing_and_repeatable(kind, tmp_path, monkeypatch):
    draw = FIGURES["robustness"]
    first, second = (plots.save(draw(), str(tmp_path / f"{name}.{kind}")) for name in "ab")
    assert first.read_bytes() == second.read_bytes() != b""
    fig = draw()
    monkeypatch.setattr(fig, "savefig", lambda part, **_: part.write(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        plots.save(fig, first)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{kind}", f"b.{kind}"]


@pytest.mark.parametrize("name", ["figure", "figure.bmp", "figure.png.txt"])
def test_save_refuses_other_formats(name, tmp_path):
    with pytest.raises(ValueError, match=rf"\.png, \.svg or \.pdf, got '{name}'"):
        plots.save(FIGURES["robustness"](), tmp_path / name)
    assert not list(tmp_path.iterdir())


def run(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_pyplot_is_never_imported_and_matplotlib_only_with_plots(tmp_path):
    done = run("import sys, pysnn; assert 'matplotlib' not in sys.modules\n"
               "from pysnn import plots\n"
               "plots.save(plots.neuron([0.0], [2.0]), sys.argv[1])\n"
               "assert 'matplotlib.pyplot' not in sys.modules", tmp_path / "figure.png")
    assert done.returncode == 0, done.stderr


def test_a_missing_matplotlib_is_named():
    done = run("import sys; sys.modules['matplotlib'] = None; import pysnn.plots")
    assert done.stderr.splitlines()[-1] == "ImportError: pysnn.plots needs matplotlib: pip install matplotlib"


@pytest.mark.parametrize("kind, size", [("png", (3.5, 2.0)), ("png", (7, 4.5))])
def test_a_file_has_the_size_that_was_asked_for(tmp_path, kind, size):
    fig = plots.neuron(np.array([0.0, 1.0]), np.array([0.8, 0.6]))
    fig.set_size_inches(*size)
    with pytest.importorskip("PIL.Image").open(plots.save(fig, tmp_path / f"n.{kind}")) as image:
        assert image.size == tuple(round(s * fig.dpi) for s in size)
