"""Figures for papers: exact sizes in every format, text that stays text, legends inside, and what is refused."""

import inspect
import re

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")

from pysnn import checkpoint, cli, figures, plots, training  # noqa: E402
from tests.cases import few  # noqa: E402

RECORDS = [{"epoch": e, "loss": 2.0**-e, "train_accuracy": 1 - 0.5**e, "val_accuracy": 0.5, "silent": [0.1, 1 / e], "rates": [0.2, 0.1]}
           for e in range(1, 8)]
T = [np.linspace(0, 2, 30), np.linspace(0.5, 3, 40), np.linspace(1, 4, 10)]
DRAWN = {
    "curves": lambda **look: plots.learning_curves(RECORDS, **look), "raster": lambda **look: plots.raster(T, **look),
    "neuron": lambda **look: plots.neuron([0.0, 1.0], [0.8, 0.6], **look),
    "times": lambda **look: plots.spike_times([t[None] for t in T], **look),
    "predictions": lambda **look: plots.predictions(np.arange(8.0)[:, None], np.arange(8.0)[:, None] ** 2 / 8, ["y"], **look),
    "potentials": lambda **look: plots.potentials(np.ones((5, 4)), np.eye(5, 4), **look),
}


@pytest.mark.parametrize("kind", few(DRAWN, 5))
def test_sizes_are_exact_and_text_is_text(kind, tmp_path):
    fig = DRAWN[kind](style="paper", width=3.35, height=2.5)
    file = plots.save(fig, tmp_path / "fig.pdf").read_bytes()
    box = [float(x) for x in re.search(rb"/MediaBox \[ ?([\d. ]+?) ?\]", file)[1].split()]
    np.testing.assert_allclose(box, [0, 0, 3.35 * 72, 2.5 * 72], atol=0.01)
    assert b"/TrueType" in file or b"/CIDFontType2" in file
    svg = plots.save(fig, tmp_path / "fig.svg").read_text()
    assert 'width="241.2pt" height="180pt"' in svg and svg.count("<text") > 5
    assert not fig.get_suptitle() and not fig.legends
    inside = [ax.get_legend().get_window_extent() for ax in fig.axes if ax.get_legend()]
    panels = [ax.get_window_extent() for ax in fig.axes if ax.get_legend()]
    assert all(box.y1 <= panel.y1 + 2 and box.y0 >= panel.y0 - 2 for box, panel in zip(inside, panels, strict=True))
    spread = fig.get_tightbbox()
    assert spread.x0 > -0.02 and spread.y0 > -0.02 and spread.x1 < 3.37 and spread.y1 < 2.52             # nothing is cut off


def test_on_a_screen_all_is_as_it_was(tmp_path):
    fig = DRAWN["curves"]()
    assert fig.get_size_inches()[0] == 7 and DRAWN["curves"](width=5).get_size_inches()[0] == 5
    assert "<text" not in plots.save(fig, tmp_path / "fig.svg").read_text()
    assert DRAWN["neuron"]().get_suptitle().startswith("The neuron fires") and DRAWN["curves"](style="paper").get_size_inches()[0] == 3.35


def test_one_look_for_all():
    with plots.look("paper", 3.35, 2.0) as chosen:
        first, second = DRAWN["curves"](), DRAWN["neuron"](height=1.5)
        assert chosen == plots.Look("paper", 3.35, 2.0)
    assert first.get_size_inches()[1] == 2.0 and second.get_size_inches()[1] == 1.5
    assert DRAWN["curves"]().get_size_inches()[0] == 7                         # and ends with the block
    assert {"style", "width", "height"} <= set(inspect.signature(plots.raster).parameters) and "of style paper 3.35" in plots.raster.__doc__


@pytest.mark.parametrize("look, said", [
    ({"style": "poster"}, "style: expected one of screen, paper, got 'poster'"), ({"width": 0}, "width: expected 0.5 to 100 inches, got 0"),
    ({"height": "2"}, "height: expected 0.5 to 100 inches, got '2'"), ({"width": float("nan")}, "width: expected 0.5 to 100 inches"),
])
def test_refused(look, said):
    with pytest.raises(ValueError, match=said):
        DRAWN["curves"](**look)


def test_command(tmp_path, monkeypatch, capsys):
    """One line gives a page of exactly 3.35 x 2.5 inches."""
    monkeypatch.chdir(tmp_path)
    name = checkpoint.names()[0]
    assert cli.main(["plot", "curves", name, "--width", "3.35", "--height", "2.5", "--style", "paper", "--out", "fig.pdf"]) == 0
    assert b"/MediaBox [ 0 0 241.2 180 ]" in (tmp_path / "fig.pdf").read_bytes()
    assert cli.main(["plot", "neuron", "--width", "3.35", "--style", "paper", "--out", "neuron.svg"]) == 0
    assert 'width="241.2pt"' in (tmp_path / "neuron.svg").read_text()
    assert cli.main(["plot", "neuron", "--width", "-1", "--out", "neuron.svg"]) != 0
    assert "width: expected 0.5 to 100 inches, got -1.0" in capsys.readouterr().err
    run = training.load(name)
    assert figures.draw("curves", run, None, look=plots.Look("paper")).get_size_inches()[0] == 3.35
