"""The command line with methods that count spikes: train, evaluate, plot, info, and compare."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from pysnn import cli, datasets, training
from pysnn.evaluation import rate as evaluation_rate
from pysnn.learning.settings import explained
from tests.cases.command import HIDE, Guarded, coarse_regions, few_images, python, small_yin_yang, strict_json, weights, write_only

RATE = ("proxy", "tandem", "surrogate", "conversion", "ann")
SMALL = "--model 784-12-10 --epochs 2 --val 500 --backend reference".split()
CONV = "--model 28x28x1-3C3-P2-10 --epochs 1 --val 200".split()
COMPARE = "compare --model 784-8-10 --epochs 1 --seeds 2 --steps 2 5 --val 5500 --backend reference".split()


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Let each test stand in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYSNN_DATA", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def few(monkeypatch):
    """Let the sample of Fashion-MNIST have fewer images."""
    few_images(monkeypatch, 1000, 200)


def steps_of(method):
    return [] if method == "ann" else ["--steps", "4"]


@pytest.mark.parametrize("method", [pytest.param(m, marks=[pytest.mark.slow] * (m == "tandem")) for m in RATE])
def test_train_evaluate_and_info(method, few, capsys):
    assert cli.main(["train", method, *SMALL, *steps_of(method), "--out", "a.npz", "--json", "t.json"]) == 0
    out, found = capsys.readouterr().out, strict_json(Path("t.json").read_text())
    assert re.search(r"^ +2 +\d\.\d{4} +\d+\.\d{2}% +\d+\.\d{2}%", out, re.MULTILINE) and "test accuracy " in out
    assert ("spikes a neuron and step by layer" in out) == (method != "ann")
    assert re.search(r"^dead neurons: layer 1: [\d.]+% silent, [\d.]+% at the ceiling, [\d.]+% can move", out, re.MULTILINE)
    assert "% silent/at ceiling/can move" in out
    assert ("same decision in" in out) == (method in ("proxy", "tandem", "conversion"))
    assert ("a batch of 100 over 4 steps takes 130 kB of memory" in out) == (method == "surrogate")
    assert found["settings"]["model"] == "784-12-10" and len(found["records"]) == 2 and 0 < found["test"]["expected"] <= 1
    assert found["settings"].get("n_steps") == (None if method == "ann" else 4)

    assert cli.main(["evaluate", "a.npz", "--robust", "--json", "e.json"]) == 0
    out, e = capsys.readouterr().out, strict_json(Path("e.json").read_text())
    assert e["accuracy"] == found["test"]["expected"] and f"accuracy     {e['accuracy']:.2%}" in out and e["n"] == 200
    assert set(e["robustness"]) == {"n", "noise", "bits"} and "input noise" in out
    if method == "ann":
        assert "a sample takes 9,528 multiply-adds: layer 1 9,408; layer 2 120" in out
    else:
        assert "T = 4 as in training" in out and e["steps"] == [1, 2, 4, 8, 15, 30, 60]
        assert f"by potential {e['by_potential']:.2%}" in out and f"ReLU network {e['relu']:.2%}" in out
        assert "first layer's 9,408 multiply-adds once" in out

    assert cli.main(["info", "a.npz", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert f"a.npz: {method}, trained on fashion-sample, seed 0, epoch 2, resumable" in err and "9,528 parameters" in err
    assert "model=784-12-10" in err and "n_epochs" in err and strict_json(out)["method"] == method


@pytest.mark.parametrize("method", [pytest.param(m, marks=[pytest.mark.slow] * (m == "tandem")) for m in RATE])
def test_all_figures(method, few, capsys, monkeypatch):
    """Those of proxy are written; those of the others, of the same kinds, are made."""
    pytest.importorskip("matplotlib")
    if method != "proxy":
        write_only(monkeypatch)
    assert cli.main(["train", method, *SMALL, *steps_of(method), "--quiet", "--no-test", "--out", "a.npz"]) == 0
    capsys.readouterr()
    assert cli.main(["plot", "all", "a.npz", "--out", "pictures"]) == 0
    drawn = {Path(line).stem for line in capsys.readouterr().out.split()}
    assert drawn == {"curves", "confusion", "weights"} | (set() if method == "ann" else {"raster", "correlation", "steps", "potentials"})
    assert method != "proxy" or all(Path("pictures", f"{name}.png").stat().st_size > 5000 for name in drawn)


@pytest.mark.slow
@pytest.mark.parametrize("extra", [[], ["--set", "readout=potential"], ["--set", "reset=zero", "--set", "threshold=0.3"]], ids=" ".join)
def test_figures_of_convolutions(extra, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    few_images(monkeypatch, 400, 200)
    kinds = ["raster", "potentials", "kernels", "correlation", "robustness"]
    written = kinds[:2] if extra else kinds
    write_only(monkeypatch, *written)
    assert cli.main(["train", "proxy", *CONV, "--steps", "3", "--quiet", "--no-test", "--out", "a.npz", *extra]) == 0
    capsys.readouterr()
    for kind in kinds:
        assert cli.main(["plot", kind, "a.npz", "--sample", "3", "--out", f"{kind}.svg"]) == 0
        assert "<svg" in Path(f"{kind}.svg").read_text() if kind in written else not Path(f"{kind}.svg").exists()


def test_regions_of_points(capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    coarse_regions(monkeypatch)
    small_yin_yang(monkeypatch)
    write_only(monkeypatch, "regions")
    assert cli.main("train proxy --data yin-yang --model 4-10-3 --epochs 1 --steps 4 --quiet --no-test --out y.npz".split()) == 0
    capsys.readouterr()
    assert cli.main("plot all y.npz --out pictures".split()) == 0
    drawn = {Path(line).stem for line in capsys.readouterr().out.split()}
    assert drawn == {"raster", "correlation", "steps", "potentials", "curves", "confusion", "regions"}
    assert Path("pictures/regions.png").stat().st_size > 5000


@pytest.mark.parametrize("method", RATE)
def test_resume_gives_the_same_bits(method, few, monkeypatch, capsys):
    command = ["train", method, *SMALL, *steps_of(method), "--quiet", "--no-test"]
    real = training.epochs

    def killed(*args, **options):
        yield next(real(*args, **options))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "epochs", killed)
        assert cli.main([*command, "--out", "a.npz"]) == 130
    assert training.load("a.npz").epoch == 1
    assert cli.main([*command, "--out", "a.npz", "--resume"]) == 0 and cli.main([*command, "--out", "b.npz"]) == 0
    assert weights("a.npz") == weights("b.npz")
    assert all((x == training.load("b.npz").nets.state[name]).all() for name, x in training.load("a.npz").nets.state.items())


@pytest.mark.parametrize("method", training.METHODS)
def test_settings_of_every_method(method, capsys):
    assert cli.main(["info", "--settings", method, "--json", "s.json"]) == 0
    out, rule = capsys.readouterr().out, training.METHODS[method]
    assert len(out.splitlines()) == len(rule.Settings.__dataclass_fields__)
    assert set(strict_json(Path("s.json").read_text())) == set(rule.presets)
    assert all(line.count("ours ") == 1 for line in out.splitlines())
    for name, line in zip(rule.Settings.__dataclass_fields__, out.splitlines(), strict=True):       # help(), site and this have one source
        text = explained(rule.Settings, name)
        assert text and line.endswith(text) and f"{name} : default" in rule.Settings.__doc__ and text in rule.Settings.__doc__


def test_presets_and_options_reach_the_settings():
    typed = "train proxy --preset authors --model 28x28x1-2C3-10 --epochs 0 --quiet --no-test --set fire=> --set clip=true --set slope=1"
    assert cli.main(typed.split()) == 1                                         # proxy has no slope
    assert cli.main([*typed.split()[:-2], "--out", "a.npz"]) == 0
    s = training.load("a.npz").nets.settings
    assert (s.threshold, s.reset, s.crop, s.fire, s.clip, s.n_steps) == (2.0, "zero", 26, ">", True, 15)


def test_steps_of_evaluate(few, capsys):
    assert cli.main(["train", "tandem", *SMALL, "--steps", "3", "--quiet", "--no-test", "--out", "a.npz"]) == 0
    capsys.readouterr()
    assert cli.main(["evaluate", "a.npz", "--steps", "7", "2"]) == 0
    line, = [line for line in capsys.readouterr().out.splitlines() if line.startswith("accuracy at")]
    assert re.findall(r"T=(\d+)", line) == ["2", "3", "7"]


def test_too_many_steps_to_evaluate(few, capsys):
    assert cli.main(["train", "proxy", *SMALL, "--epochs", "0", "--quiet", "--no-test", "--out", "a.npz"]) == 0
    capsys.readouterr()
    assert cli.main(["evaluate", "a.npz", "--steps", "4", "99999999999"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err == "pysnn: error: steps: expected whole numbers from 1 to 10,000, got [4, 99999999999]\n"


@pytest.mark.parametrize("typed, message", [
    ("train proxy --steps 6 --set n_steps=5", "n_steps: expected once, got --steps and --set n_steps=5"),
    ("train proxy --lr 0.1 --set lr=0.1", "lr: expected once, got --lr and --set lr=0.1"),
    ("train temporal --model 784-10 --set model=784-5-10", "model: expected once, got --model and --set model=784-5-10"),
    ("train ann --set drop=0.1 --set drop=0.2", "drop: expected once, got --set drop and --set drop=0.2"),
    ("compare --epochs 2 --set epochs=3", "epochs: expected once, got --epochs and --set epochs=3"),
    ("compare --set proxy.lr=2 --set proxy.lr=3", "proxy.lr: expected once, got --set proxy.lr and --set proxy.lr=3"),
    ("compare --set n_steps=3", "setting 'n_steps': expected the numbers of time steps (--steps) to say that, and once"),
    ("compare --methods ann nonsense --set lr=1", "methods: expected some of proxy, tandem, surrogate, conversion, ann, got 'nonsense'")])
def test_settings_given_twice(typed, message, capsys):
    assert cli.main(typed.split()) == 1
    assert capsys.readouterr().err == f"pysnn: error: {message}\n" and not os.path.exists("runs")


def test_flat_models_where_images_are_cropped(monkeypatch, capsys):
    """Fashion-MNIST asks for cropping and mirroring, a flat model has no use for them; who types them is told."""
    small = datasets.load("fashion-sample")._replace(name="fashion-mnist")
    monkeypatch.setattr(datasets, "load", lambda *args: small)
    command = "train proxy --data fashion-mnist --model 784-5-10 --epochs 0 --quiet --no-test --backend reference --out a.npz"
    assert cli.main(command.split()) == 0 and not training.load("a.npz").nets.settings.crop
    other = "compare --data fashion-mnist --epochs 0 --seeds 1 --steps 2 --methods proxy ann --quiet --val 5900 --no-test"
    assert cli.main(other.split()) == 0
    capsys.readouterr()
    assert cli.main([*command.split(), "--set", "flip=true"]) == 1
    assert capsys.readouterr().err == "pysnn: error: crop, shift, flip: expected a model on images such as 28x28x1-..., got 784-5-10\n"


# ---- compare

def test_compare(capsys, place, monkeypatch):
    assert cli.main([*COMPARE, "--out", "c", "--json", "one.json"]) == 0
    out, one = capsys.readouterr().out, strict_json(Path("one.json").read_text())
    assert "16 runs on fashion-sample, 784-8-10, 1 epochs each" in out and "16/16 ann-seed1" in out
    assert [(r["method"], r["n_steps"]) for r in one["table"]] == [
        *((m, t) for m in ("proxy", "tandem", "surrogate", "conversion") for t in (2, 5)), ("ann", None)]
    for row in one["table"]:
        of = [r for run in one["runs"] if run["method"] == row["method"] for r in run["rows"] if r["n_steps"] == row["n_steps"]]
        assert len(of) == row["n_seeds"] == 2 and row["accuracy"] == pytest.approx(np.mean([r["accuracy"] for r in of]))
        assert row["ci95"] == pytest.approx(12.706 * np.std([r["accuracy"] for r in of], ddof=1) / 2 ** 0.5)
        assert f"{row['accuracy']:.2%} ± {100 * row['ci95']:.2f}" in out
    assert one["on"] == "test" and one["n"] == 1000 and len(one["runs"]) == len(list(Path("c").glob("*.npz"))) == 16
    for run in one["runs"]:
        assert training.load(f"c/{run['name']}.npz").epoch == 1

    def never(*args, **kwargs):
        raise AssertionError("a finished run was repeated")

    monkeypatch.setattr(evaluation_rate, "evaluate", never)
    monkeypatch.setitem(training.METHODS, "proxy", training.METHODS["proxy"]._replace(gradients=never))
    assert cli.main([*COMPARE, "--out", "c", "--quiet", "--json", "two.json"]) == 0
    assert strict_json(Path("two.json").read_text())["table"] == one["table"]
    pytest.importorskip("matplotlib")
    assert one["figure"] == "c/accuracy.png" and Path("c/accuracy.png").stat().st_size > 5000


def test_compare_goes_on_after_a_kill(few, monkeypatch, capsys):
    command = [*COMPARE, "--val", "500", "--methods", "ann", "proxy", "--epochs", "2", "--no-test", "--quiet"]
    assert cli.main([*command, "--out", "straight"]) == 0
    real, seen = training.save, []

    def killed(run, path, **options):
        real(run, path, **options)
        seen.append(path)
        if len(seen) == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "save", killed)
        assert cli.main([*command, "--out", "c"]) == 130
    assert "the same command continues from there" in capsys.readouterr().err
    assert training.load("c/proxy-T2-seed0.npz").epoch == 1
    assert cli.main([*command, "--out", "c"]) == 0
    for path in Path("straight").glob("*.npz"):
        assert weights(path) == weights(Path("c") / path.name)
    assert not [name for name in os.listdir("c") if name.startswith(".")]


def test_compare_on_validation_leaves_the_test_set_alone(monkeypatch):
    small_yin_yang(monkeypatch)
    guarded = Guarded(datasets.load("yin-yang"))
    monkeypatch.setattr(datasets, "load", lambda *args: guarded)
    command = "compare --data yin-yang --model 4-3-3 --epochs 1 --seeds 1 --steps 2 --batch 50 --methods ann proxy --backend reference"
    assert cli.main([*command.split(), "--no-test", "--json", "v.json"]) == 0
    assert guarded.n_taken == 0 and strict_json(Path("v.json").read_text())["on"] == "validation"
    assert cli.main([*command.split(), "--json", "t.json"]) == 0                 # the stored results were on other samples
    assert guarded.n_taken > 0 and strict_json(Path("t.json").read_text())["on"] == "test"


def test_compare_settings_for_one_method():
    assert cli.main([*COMPARE, "--methods", "ann", "proxy", "--seeds", "1", "--steps", "2", "--out", "c", "--quiet",
                     "--set", "lr=0.01", "--set", "proxy.threshold=0.5", "--set", "proxy.clip=false"]) == 0
    s = training.load("c/proxy-T2-seed0.npz").nets.settings
    assert (s.lr, s.threshold, s.clip) == (0.01, 0.5, False) and training.load("c/ann-seed0.npz").nets.settings.lr == 0.01


def test_compare_without_matplotlib():
    done = python("-c", HIDE, "matplotlib,numba,scipy", *COMPARE, "--methods", "ann", "proxy", "--seeds", "1")
    assert done.returncode == 0, done.stderr
    assert "no figure: matplotlib is not installed" in done.stdout and Path("runs/compare-fashion-sample/ann-seed0.npz").is_file()
