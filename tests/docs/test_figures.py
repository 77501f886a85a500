"""The lecture figures: one command draws them, they come out the same, the page shows them all, and what their captions say is so."""

import importlib
import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from pysnn.learning import proxy
from pysnn.operations import backend_of
from tests.cases import ROOT

matplotlib = pytest.importorskip("matplotlib")

FOLDER = ROOT / "docs/figures"
SCRIPTS = sorted(p.stem for p in FOLDER.glob("*.py") if p.stem not in ("all", "look"))
NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    """Let the scripts find each other as they do when one of them is run; leave no trace."""
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name in (*SCRIPTS, "look", "all"):
            del sys.modules[name]


def load(name):
    return importlib.import_module(name)


def skeleton(svg):
    """Split an SVG into its text without numbers and names made from them, and its numbers."""
    text = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    text = re.sub(r'id="[^"]*"|url\(#[^)]*\)|href="#[^"]*"', "", text)
    return NUMBER.sub("0", text), np.array([float(x) for x in NUMBER.findall(text)])


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_figures_are_those_of_their_scripts(name, tmp_path):
    """The same bytes twice; and, with the matplotlib that drew it, the committed file, but for roundings of another machine."""
    script, look = load(name), load("look")
    drawn = look.write(script.__file__, script.draw(), tmp_path / "a").read_bytes()
    assert drawn == look.write(script.__file__, script.draw(), tmp_path / "b").read_bytes()
    text = drawn.decode()
    ET.fromstring(text)
    names = r"http://www\.w3\.org|http://purl\.org|http://creativecommons\.org|https://matplotlib\.org"      # of formats; nothing is loaded
    assert "<dc:date>" not in text and len(drawn) < 400_000 and "http" not in re.sub(names, "", text)
    kept = (FOLDER / look.name(script.__file__)).read_text()
    if f"Matplotlib v{matplotlib.__version__}," in kept:
        (now, x_now), (before, x_before) = skeleton(text), skeleton(kept)
        assert now == before and np.allclose(x_now, x_before, rtol=0, atol=0.05), "run python docs/figures/all.py"


def test_one_command_draws_all_and_writes_the_page(tmp_path, monkeypatch, capsys):
    everything = load("all")
    names = [name for group in everything.PAGES.values() for name in group]
    assert sorted(names) == SCRIPTS and len(set(names)) == len(names)
    page = everything.page()
    assert page == (ROOT / "docs/figures.md").read_text(), "run python docs/figures/all.py"
    for name in names:
        picture = load("look").name(f"{name}.py")
        assert f"(figures/{picture})" in page and (FOLDER / picture).is_file()
        for kind in ("svg", "pdf", "png"):
            other = (FOLDER / picture).with_suffix(f".{kind}")
            assert f"{{download}}`{kind.upper()} <figures/{other.name}>`" in page and other.stat().st_size > 5000
        assert other.read_bytes().startswith(b"\x89PNG") and other.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
        svg = (FOLDER / picture).read_text()
        assert svg.count("<text") > 5 and "DejaVuSans-" not in svg, f"{picture}: text is drawn as outlines"
        assert len(load(name).CAPTION.split()) > 25 and load(name).TITLE in page
    assert {p.name for p in FOLDER.glob("*.svg")} == {load("look").name(f"{name}.py") for name in names}
    monkeypatch.setattr(everything, "HERE", tmp_path / "figures")
    monkeypatch.setattr(load("look"), "write", lambda script, fig, folder=None: Path(script))
    everything.main("if_traces")
    assert "if_traces" in capsys.readouterr().out and (tmp_path / "figures.md").read_text() == page
    with pytest.raises(SystemExit, match=r"expected some of .*, got 'nonsense'"):
        everything.main("nonsense")


def test_figures_leave_the_users_settings_alone():
    before = dict(matplotlib.rcParams)
    load("one_neuron").draw()
    assert dict(matplotlib.rcParams) == before


# ---------------------------------------------------------------------------------------------- what the captions say

def test_caption_of_one_neuron():
    script = load("one_neuron")
    t_out, causal = script.spike()
    assert "$1.80" in script.CAPTION and round(t_out, 2) == 1.80 and list(causal) == [True, True, False]
    assert script.W[0] < script.THRESHOLD < script.W[:2].sum()
    assert script.potential(np.array([t_out]))[0] == pytest.approx(script.THRESHOLD, rel=1e-12)


def test_caption_of_the_jump():
    script = load("jump")
    assert "a jump from 6 to 2" in " ".join(script.CAPTION.split())
    below, above = np.array([2 - 1e-9]), np.array([2.0])
    assert script.z_out(below, -1.5) == pytest.approx(6) and script.z_out(above, -1.5) == pytest.approx(2)
    assert script.z_out(below, -0.5) == pytest.approx(2) and script.z_out(above, -0.5) == pytest.approx(2)
    later = script.z_out(np.array([2.1, 2.5]), -1.5)
    assert later[0] == later[1]


def test_caption_of_the_piecewise_linear_map(monkeypatch):
    script = load("piecewise_linear")
    monkeypatch.setattr(script, "temporal", backend_of("temporal"))          # 65,001 points: kernels, where there are some
    edges, slopes = script.slopes()
    s = script.FIXED_W.cumsum() + script.MOVING_W
    assert np.allclose(slopes, [*(script.MOVING_W / (s - 1)), 0], atol=1e-6) and len(edges) == 5
    side, out, sets = script.plane(41)
    assert set(np.unique(sets)) == {1, 2, 3, 5, 6, 7}
    h, w = side[1] - side[0], script.PLANE_W
    inner = (sets[1:-1, 1:-1] == sets[1:-1, 2:]) & (sets[1:-1, 1:-1] == sets[1:-1, :-2])
    members = np.array([[k >> i & 1 for i in range(3)] for k in range(8)])
    slope = (members * w)[:, 0] / np.where(members @ w > 1, members @ w - 1, np.inf)
    found = (out[1:-1, 2:] - out[1:-1, :-2]) / (2 * h)
    assert inner.sum() > 1000 and np.allclose(found[inner], slope[sets[1:-1, 1:-1]][inner], atol=1e-9)


def test_caption_of_silence():
    script = load("silence")
    z_out, dw = script.neuron(np.array([0.5, 1.0, 1.001, 2.0]))
    assert np.allclose(z_out, [np.inf, np.inf, 1001, 2]) and np.allclose(dw, [0, 0, -1e6, -1])


def test_caption_of_the_authors_curve():
    script = load("authors_curve")
    run = next(r for r in json.loads(script.RECORD.read_text())["runs"] if r["name"] == "fashion-authors-0")
    test, said = {rule: 100 * share for rule, share in run["test"].items()}, " ".join(script.CAPTION.split())
    assert all(f"{test[rule]:.2f} % with ties {how}" in said for rule, how in (
        ("expected", "broken at random"), ("strict", "counted as wrong"), ("inclusive", "counted as right")))
    assert f"{test['inclusive'] - test['expected']:.2f} of the {94.56 - test['expected']:.2f} points" in said
    assert f"{100 * run['records'][-1]['agreement']:.1f} % of the validation images" in said and len(run["records"]) == 60
    silent = np.array([r["silent"] for r in run["records"]])
    assert (silent[-1] - silent[0]).argmax() == 3 and run["settings"]["model"] == "fashion-proxy:32"


def test_caption_of_the_convolution():
    """The numbers of the derivation."""
    y, dw, dx = (a.tolist() for a in load("convolution").numbers())
    assert y == [[37, 47], [67, 77]] and dw == [[51, 62], [84, 95]] and dx == [[1, 2, 0], [3, 14, 20], [0, 30, 40]]


def test_caption_of_the_digit():
    script = load("raster_digit")
    _, (_, t_hidden, t_out) = script.times()
    assert t_out.argmin() == 3 and (t_hidden <= t_out.min()).sum() == 70 and "70 of the 800" in " ".join(script.CAPTION.split())
    record = json.loads((ROOT / "docs/results/shipped-mnist.json").read_text())
    assert f"{record['test']['expected']:.1%}".replace("%", " %") in " ".join(script.CAPTION.split())


def test_captions_of_integrate_and_fire():
    traces = load("if_traces")
    assert [traces.trace(reset)[2].sum() for reset in ("subtract", "zero")] == [9, 6]
    assert "9 spikes in 12 steps" in " ".join(traces.CAPTION.split())
    stairs, a = load("if_staircase"), np.arange(-0.1, 1.25, 0.0009) + 1e-5
    for n_steps in stairs.STEPS:
        rates = stairs.rates(a, n_steps, "subtract")
        below = np.clip(a, 0, 1) - rates
        assert len(np.unique(rates)) == n_steps + 1 and 0 <= below.min() and below.max() <= 1 / n_steps
        half = stairs.rates(a[(a >= 0.5) & (a < 1)], n_steps, "zero")
        assert np.ptp(half) == 0 and half[0] == pytest.approx(n_steps // 2 / n_steps)
    falls = load("rate_and_relu")
    down, nearest, zero = (falls.distances(*kind) for kind in (("subtract", 0.0), ("subtract", 0.5), ("zero", 0.0)))
    assert np.allclose(down * falls.STEPS, 1, atol=0.2) and np.allclose(nearest * falls.STEPS, 0.5, atol=0.2)
    assert np.allclose(zero[1:], 0.5, atol=0.01)


def test_caption_of_the_leaky_neuron():
    script, caption = load("leaky_neuron"), " ".join(load("leaky_neuron").CAPTION.split())
    assert f"after {1000 / script.rate(script.CURRENT):.1f} ms" in caption and script.R * script.CURRENT == 30 and "30 mV" in caption
    assert script.THRESHOLD / script.R == 0.15 and "0.15 nA" in caption and script.rate(0.15) == 0 < script.rate(0.1501)
    assert 190 < script.rate(50, 5.0) < 200 and "below 200 spikes" in caption
    potentials, rate = script.in_steps(script.CURRENT)
    assert rate == 50 and potentials[1] >= script.THRESHOLD > potentials[0]


@pytest.mark.slow
def test_caption_of_surrogate_bias(monkeypatch):
    """Also the numbers of docs/course/recurrence-and-surrogates.md."""
    script, page = load("surrogate_bias"), (ROOT / "docs/course/recurrence-and-surrogates.md").read_text()
    monkeypatch.setattr(script, "leaky", backend_of("leaky"))
    (first, error), (second, error_2) = (script.of_mean(point) for point in script.POINTS)
    assert first > 8 * error and second < -8 * error_2 and f"is {first:.2f}, and" in page and f"truth is {second:.2f}," in page
    below, above = (script.means(point) for point in script.POINTS)
    assert below.min() > first + 10 * error and above.min() > 0 and f"{below.min():.2f} to {below.max():.2f}, by slope" in page
    for point in script.POINTS:
        h = 1e-6
        slope = (script.soft(point + h, point) - script.soft(point - h, point)) / (2 * h)
        assert slope == pytest.approx(script.gradient(script.at(point), script.TRIANGLE)[0], rel=1e-6) and slope > 0
        assert script.soft(point, point) == script.run(script.at(point))[0][-1, 0] == 1


def test_caption_of_five_codes():
    script, x = load("five_codes"), load("five_codes").X[0]
    trains = script.trains()
    assert (trains["latency"].sum(axis=0) == 1).all() and (np.diff(trains["latency"].argmax(axis=0)) > 0).all()
    assert (trains["even rate"].sum(axis=0) == np.floor(16 * x)).all() and trains["Poisson"].sum(axis=0)[2] != 8
    spikes, level = script.crossings()
    assert (spikes.sum(axis=0) == 4).all() and np.abs(level - script.signal()).max() < script.SIZE + 0.05
    assert not spikes[25:45].any() and np.ptp(script.signal()[26:43]) == 0


def test_caption_of_or_pooling():
    script = load("or_pooling")
    for together, rate in ((True, 0.25), (False, 1.0)):
        spikes, pooled = script.trains(together)
        assert (spikes.mean(axis=0) == 0.25).all() and pooled.mean() == rate


def test_caption_of_the_angles():
    script = load("gradient_angles")
    _, found = script.angles()
    medians = np.array([found[pair][1] for pair in script.PAIRS])
    assert 20 < medians[:3].min() < 25 and 52 < medians[:3].max() < 60
    assert "18 degrees" in " ".join(script.CAPTION.split()) and round(medians[3, 0]) == 18 and (medians[3, 1:].round() >= 74).all()
    assert medians[3].max() < 80.5
    assert f"{medians[:3].min():.0f} to {medians[:3].max():.0f} degrees" in " ".join(script.CAPTION.split())


def test_captions_of_recorded_runs():
    records = json.loads((ROOT / "docs/results/proxy-cifar10.json").read_text())["runs"][0]["records"]
    error = [100 * (1 - r["val_accuracy"]) for r in records]
    caption = " ".join(load("cifar10_curve").CAPTION.split())
    assert f"from {error[8]:.1f} to {error[-1]:.1f} %" in caption and min(r["loss"] for r in records[9:]) > 0.99 * records[8]["loss"]
    rates = np.array([r["rates"] for r in records])
    near = np.abs(rates[5:] - rates[-1]).max(axis=0) < 0.025
    assert near.sum() >= 6 and not near[4]
    assert rates[0, 0] < 0.19 and rates[:9, 0].max() < rates[9, 0] and abs(rates[9, 0] - rates[-1, 0]) < 0.005
    assert all(np.diff(rates[:13, 4]) < 0) and rates[14, 4] == pytest.approx(rates[-1, 4], abs=0.002)
    lines = {run["line"]: run["evaluation"] for run in json.loads((ROOT / "docs/results/compare-conv.json").read_text())["runs"]}
    at = {line: dict(zip(e["steps"], e["accuracy_at"], strict=True)) for line, e in lines.items() if "steps" in e}
    assert all(min(at["proxy"][t], at["surrogate"][t]) > max(at["conversion"][t], at["tandem"][t]) + 0.2 for t in at["proxy"])
    authors, caption = lines["proxy-authors"], " ".join(load("accuracy_steps").CAPTION.split())
    tied = [t for t, strict, inclusive in zip(authors["steps"], authors["strict_at"], authors["inclusive_at"], strict=True)
            if strict == 0 and inclusive == 1]
    assert tied == [1, 2, 4, 8] and f"3 of its {proxy.PRESETS['authors']['epochs']} epochs" in caption and "`proxy-authors`" in caption
    kappa = json.loads((ROOT / "docs/results/kappa.json").read_text())
    assert all(s["max"] < 2 for s in kappa["series"] if s["backend"] == "kernels")
