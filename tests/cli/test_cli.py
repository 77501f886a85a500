"""The command line: every verb, what it prints and writes, and what it can do without."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import pysnn
from pysnn import checkpoint, cli, datasets, training
from tests.cases.command import ENV, HIDE, Guarded, coarse_regions, python, small_yin_yang, strict_json, weights

VERBS = ("demo", "train", "evaluate", "compare", "bridge", "sweep", "plot", "export", "verify", "conformance", "check", "data", "info")
TRAIN = ["train", "temporal", "--data", "xor", "--backend", "reference", "--epochs", "4", "--out", "a.npz"]
IMAGES = ["train", "temporal", "--model", "784-12-10", "--epochs", "2", "--val", "5800", "--batch", "25", "--out", "images.npz"]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Let each test stand in a folder of its own, with no fetched data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYSNN_DATA", str(tmp_path / "cache"))
    return tmp_path


# ---- help

@pytest.mark.parametrize("verb", VERBS)
def test_help_has_examples_that_parse(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([verb, "--help"])
    text = capsys.readouterr().out
    examples = re.findall(r"^  pysnn ([^#\n]*)", text.split("examples:")[1], re.MULTILINE)
    assert stop.value.code == 0 and examples and all("--help" not in e for e in examples)
    for example in examples:
        args = cli.parser().parse_args(example.split())
        assert args.verb == verb and callable(args.run)
    for option in re.findall(r"^  (--[a-z-]+)", text, re.MULTILINE):
        assert re.search(rf"{option}[^-]*?\s\s+\w|{option}[^\n]*\n\s+\w", text), f"{option} is not explained"


def test_help_and_version(capsys):
    for args, words in ((["--help"], VERBS), (["--version"], [pysnn.__version__])):
        with pytest.raises(SystemExit) as stop:
            cli.main(args)
        text = capsys.readouterr().out
        assert stop.value.code == 0 and all(word in text for word in words)


def test_as_a_module_and_to_a_closed_pipe():
    done = python("-m", "pysnn", "data", "list")
    assert done.returncode == 0 and "xor" in done.stdout and done.stderr == ""
    assert python("-m", "pysnn").returncode == 2
    done = subprocess.run(f"{sys.executable} -m pysnn info --settings | head -n 1", shell=True, capture_output=True, text=True, env=ENV)
    assert done.stdout.startswith("model") and done.stderr == ""


# ---- train

def test_train_evaluate_plot_and_info_of_images(capsys, place):
    assert cli.main([*IMAGES, "--json", "out/train.json"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^ +1 +\d\.\d{4} +\d+\.\d{2}% +\d+\.\d{2}% +", out, re.MULTILINE) and "silent share by layer" in out
    for words in ("validation accuracy ", "test accuracy ", "dead neurons: layer 1: ", "0.0% at the ceiling, ", "% can move",
                  "checkpoint: images.npz"):
        assert words in out
    found = strict_json((place / "out" / "train.json").read_text())
    assert {"command", "checkpoint", "seed", "data", "settings", "records", "seconds", "versions", "test"} <= set(found)
    assert [r["epoch"] for r in found["records"]] == [1, 2] and set(found["test"]) == {"expected", "strict", "inclusive"}
    assert 0 < found["records"][-1]["val_accuracy"] <= 1 and found["settings"]["model"] == "784-12-10" and found["data"]["n_val"] == 5800
    assert f"test accuracy       {found['test']['expected']:.2%}" in out

    assert cli.main(["evaluate", "images.npz", "--robust", "--json", "e.json"]) == 0
    out, e = capsys.readouterr().out, strict_json((place / "e.json").read_text())
    assert e["accuracy"] == found["test"]["expected"] and f"accuracy   {e['accuracy']:.2%}" in out and e["n"] == 1000
    assert set(e["robustness"]) == {"jitter", "lost", "bits"} and "jitter, tau" in out and "weight bits" in out
    assert len(e["spikes"]) == len(e["spikes_before"]) == 3 and e["spikes"][0] == 784 and np.sum(e["confusion"]) == 1000
    assert e["accuracy_in_time"][-1] == pytest.approx(e["accuracy"]) and e["data"] == "fashion-sample"

    assert cli.main(["info", "images.npz", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert "w1    784 x 12      float32" in err and "fashion-sample, seed 0, epoch 2, resumable" in err
    assert strict_json(out)["settings"] == found["settings"]

    pytest.importorskip("matplotlib")
    assert cli.main(["plot", "all", "images.npz", "--out", "pictures", "--json", "-"]) == 0
    written = strict_json(capsys.readouterr().out)["figures"]
    assert {Path(p).stem for p in written} == {"raster", "times", "curves", "confusion", "in-time", "weights"}
    assert all((place / p).stat().st_size > 5000 and (place / p).read_bytes().startswith(b"\x89PNG") for p in written)


@pytest.mark.parametrize("args", [["raster", "a.npz", "--sample", "3", "--out", "f.svg"], ["regions", "a.npz"], ["neuron"],
                                  ["neuron", "--times", "0", "1", "--weights", "2", "-1", "--out", "deep/f.pdf"]], ids=" ".join)
def test_plot(args, place, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    coarse_regions(monkeypatch)
    assert cli.main([*TRAIN, "--quiet"]) == 0
    capsys.readouterr()
    assert cli.main(["plot", *args]) == 0
    path = place / capsys.readouterr().out.strip()
    assert path.stat().st_size > 1000 and path.relative_to(place).as_posix() == (args[-1] if "--out" in args else f"figures/{args[0]}.png")


@pytest.mark.parametrize("line", ["all a.npz --out a.npz", "all a.npz --out a.npz/deep/er", "raster a.npz --out a.npz/f.png",
                                  "curves a.npz --out a.npz/deeper", "neuron --out a.npz/f.svg"])
def test_plot_refuses_a_place_before_it_draws(line, capsys, monkeypatch):
    plots = pytest.importorskip("pysnn.plots")
    Path("a.npz").write_text("not even read")
    monkeypatch.setattr(plots, "neuron", None)
    assert cli.main(["plot", *line.split()]) == 1
    assert capsys.readouterr().err == "pysnn: error: cannot use a.npz: expected a folder, got the file a.npz\n"
    assert os.listdir() == ["a.npz"]


def test_json_to_standard_output_stands_alone(capsys):
    assert cli.main([*TRAIN, "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert strict_json(out)["checkpoint"] == "a.npz" and "test accuracy" in err
    for verb in (["evaluate", "a.npz"], ["data", "list"], ["data", "where"], ["info"], ["info", "--settings"]):
        assert cli.main([*verb, "--json", "-"]) == 0
        assert strict_json(capsys.readouterr().out)


def test_default_place_and_quiet(place, capsys):
    assert cli.main([*TRAIN[:-2], "--quiet"]) == 0
    out = capsys.readouterr().out
    assert training.load(place / "runs" / "temporal-xor.npz").epoch == 4
    assert "silent share" not in out and "test accuracy" in out


def test_validation_by_default(capsys, monkeypatch):
    """A twelfth of the training samples, stratified, the same for every seed, and none of them trained on."""
    data, seen = datasets.load("fashion-sample"), {}
    real = training.epochs

    def watch(run, train, validation=None, progress=None, team=None):
        seen[run.seed] = train, validation
        return real(run, train, validation, progress)

    monkeypatch.setattr(training, "epochs", watch)
    for seed in (0, 1):
        assert cli.main(["train", "temporal", "--model", "784-2-10", "--epochs", "0", "--seed", str(seed), "--no-test"]) == 0
    (x, y), (x_val, y_val) = seen[0]
    assert len(x) == len(y) == 5500 and len(x_val) == 500 and (np.bincount(y_val) == 50).all()
    assert sorted(b.tobytes() for b in np.concatenate([x, x_val])) == sorted(b.tobytes() for b in data.x_train)
    assert (seen[1][1][0] == x_val).all()
    assert cli.main(["train", "temporal", "--model", "784-2-10", "--epochs", "0", "--seed", "2", "--val", "0", "--no-test"]) == 0
    assert seen[2][1] is None and len(seen[2][0][0]) == 6000


@pytest.mark.parametrize("data, extra", [("xor", []), ("yin-yang", ["--model", "4-3-3", "--batch", "50"])])
def test_test_set_is_touched_once_or_not_at_all(monkeypatch, data, extra):
    small_yin_yang(monkeypatch)
    guarded = Guarded(datasets.load(data))
    monkeypatch.setattr(datasets, "load", lambda *args: guarded)
    order, real = [], training.save
    def save(run, path, **options):
        order.append((run.epoch, guarded.n_taken))
        real(run, path, **options)

    monkeypatch.setattr(training, "save", save)
    command = ["train", "temporal", "--data", data, "--backend", "reference", "--epochs", "2", "--out", "a.npz", *extra]
    assert cli.main([*command, "--no-test", "--json", "a.json"]) == 0
    assert guarded.n_taken == 0 and "test" not in strict_json(Path("a.json").read_text())
    order.clear()
    assert cli.main(command) == 0
    assert guarded.n_taken == 1 and order == [(0, 0), (1, 0), (2, 0)]            # after the last epoch, not before


def test_seeds():
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert cli.main([*TRAIN, "--quiet", "--no-test", "--seed", seed, "--out", f"{name}.npz"]) == 0
    assert weights("a.npz") == weights("b.npz") != weights("c.npz")


def test_options_reach_the_settings():
    typed = "--quiet --no-test --preset authors --batch 2 --lr 0.02 --set loss=z --set bias=true --set l2=1e-4 --set model=2-5-2"
    assert cli.main([*TRAIN, *typed.split()]) == 0
    s = training.load("a.npz").nets.settings
    assert (s.epochs, s.batch, s.lr, s.loss, s.bias, s.l2, s.model) == (4, 2, 0.02, "z", True, 1e-4, "2-5-2")
    assert (s.optimiser, s.weight_sum) == ("sgd", 0.1)                           # from the preset


def test_resume_of_a_finished_run(capsys):
    assert cli.main([*TRAIN, "--json", "one.json"]) == 0
    old = weights("a.npz")
    capsys.readouterr()
    assert cli.main([*TRAIN, "--resume", "--json", "two.json"]) == 0
    assert "continuing after epoch 4 of 4: a.npz" in capsys.readouterr().out
    one, two = (strict_json(Path(f).read_text()) for f in ("one.json", "two.json"))
    assert weights("a.npz") == old and one["records"] == two["records"] and one["test"] == two["test"]


def test_resume_without_a_checkpoint_begins(capsys):
    assert cli.main([*TRAIN, "--resume"]) == 0
    assert training.load("a.npz").epoch == 4 and "going on" not in capsys.readouterr().out


def test_interrupt_keeps_the_last_epoch(monkeypatch, capsys):
    real = training.epochs

    def interrupted(*args, **options):
        for record in real(*args, **options):
            yield record
            if record["epoch"] == 2:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "epochs", interrupted)
        assert cli.main(TRAIN) == 130
    assert capsys.readouterr().err.strip().endswith("to continue, use the same command and --resume\n\npysnn: stopped")
    assert training.load("a.npz").epoch == 2 and os.listdir() == ["a.npz"]
    assert cli.main([*TRAIN, "--resume"]) == 0
    assert cli.main([*TRAIN, "--out", "b.npz"]) == 0
    assert weights("a.npz") == weights("b.npz")


def test_ctrl_c_for_real(place):
    process = subprocess.Popen([sys.executable, "-m", "pysnn", *TRAIN, "--epochs", "100000", "--quiet"], env=ENV, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and not (Path("a.npz").exists() and checkpoint.read("a.npz")[0]["epoch"] > 2):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 130 and error.strip().endswith("to continue, use the same command and --resume\n\npysnn: stopped")
    assert 2 < training.load("a.npz").epoch < 100000 and os.listdir() == ["a.npz"]


def test_an_interrupt_in_a_finaliser_is_not_lost(monkeypatch, capsys):
    class Finalised:
        def __del__(self):
            raise KeyboardInterrupt

    def loop(*_):
        Finalised()
        until = time.monotonic() + 10
        while time.monotonic() < until:
            pass
        raise AssertionError("lost")

    monkeypatch.setattr(cli.train, "loop", loop)
    hook = sys.unraisablehook
    assert cli.main(TRAIN) == 130 and sys.unraisablehook is hook
    assert "a.npz holds the last finished epoch" in capsys.readouterr().err


class Terminal:
    """Looks like a terminal to whoever asks."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def isatty(self):
        return True


@pytest.mark.parametrize("installed", [True, False])
def test_bar_on_a_terminal_and_table_without_tqdm(monkeypatch, capsys, installed):
    if installed:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys, "stderr", Terminal(sys.stderr))
    assert cli.main(TRAIN) == 0
    out, err = capsys.readouterr()
    assert ("batch/s" in err or "?batch" in err) == installed
    assert re.search(r"^ +4 +\d\.\d{4}", out, re.MULTILINE)
    with monkeypatch.context() as patch:
        patch.setattr(training, "save", lambda run, path, keep=False, real=training.save: real(run, path) if run.epoch < 2 else 1 / 0)
        with pytest.raises(ZeroDivisionError):
            cli.main(TRAIN)
    assert not installed or capsys.readouterr().err.endswith("\r")               # the bar is gone, the error gets a clean line


# ---- data, info

def test_data(capsys, place):
    assert cli.main(["data", "where"]) == 0 and capsys.readouterr().out.strip() == str(place / "cache")
    assert cli.main(["data", "list", "--json", "l.json"]) == 0
    out = capsys.readouterr().out
    assert "mnist           fetch it: pysnn data fetch mnist" in out and re.search(r"^yin-yang +here$", out, re.MULTILINE)
    said = out.partition("japanese-vowels")[2].splitlines()
    assert said[0].strip() == "fetch it: pysnn data fetch japanese-vowels"
    assert said[1].strip() == "270 + 370 samples of float32 29x12, 891 kB"
    assert "aeon 1.6.0" in said[2] and said[3].strip().startswith("licence: ")
    found = strict_json(Path("l.json").read_text())
    here = found["here"]
    assert set(here) == set(found["about"]) == set(datasets.NAMES) and here["xor"] and not here["cifar10"]
    assert found["about"]["mnist1d"]["shape"] == [40, 1]


def test_data_fetch(monkeypatch, capsys):
    monkeypatch.setattr(datasets, "fetch", lambda name, folder=None: Path("somewhere") / name)
    assert cli.main(["data", "fetch", "mnist", "--json", "f.json"]) == 0
    assert capsys.readouterr().out.strip() == "somewhere/mnist"
    assert strict_json(Path("f.json").read_text()) == {"name": "mnist", "path": "somewhere/mnist"}


def test_info(capsys):
    assert cli.main(["info", "--threads", "2"]) == 0
    out = capsys.readouterr().out
    for word in ("pysnn", "python", "numpy", "numba", "backend", "threads   2", "cache", "networks"):
        assert re.search(rf"^{word}", out, re.MULTILINE), word
    assert cli.main(["info", "--settings"]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == len(training.METHODS["temporal"].Settings.__dataclass_fields__)
    assert re.search(r"^loss +ours t +authors z\b", out, re.MULTILINE)


# ---- what pysnn can do without


@pytest.mark.parametrize("hidden, extra, loaded", [
    ("matplotlib,tqdm,pooch,scipy,platformdirs,PIL", [], {"numba"}),
    ("numba,matplotlib,tqdm,pooch,scipy,platformdirs,PIL", ["--data", "few.py:data", "--val", "100"], set())],
    ids=["Numba and NumPy", "NumPy alone"])
def test_training_without(hidden, extra, loaded):
    Path("few.py").write_text("from pysnn import datasets\ndef data():\n    of = datasets.load('fashion-sample')\n"
                              "    return of._replace(x_train=of.x_train[:200], y_train=of.y_train[:200])\n")
    if "numba" in loaded:
        pytest.importorskip("numba")
    done = python("-c", HIDE, hidden, *IMAGES, *extra, "--no-test")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.splitlines()[-1].split()[1:]) <= loaded
    run = training.load("images.npz", ["few.py"])
    assert run.epoch == 2 and run.records[-1]["loss"] < run.records[0]["loss"]


def test_clear_words_when_something_is_missing():
    assert cli.main([*TRAIN, "--quiet", "--no-test"]) == 0
    done = python("-c", HIDE, "matplotlib", "plot", "raster", "a.npz")
    assert done.returncode == 1 and "pysnn: error: pysnn.plots needs matplotlib: pip install matplotlib" in done.stderr
    done = python("-c", HIDE, "numba", *TRAIN, "--backend", "numba")
    assert done.returncode == 1 and "pysnn: error: backend 'numba' needs Numba: pip install numba" in done.stderr
    done = python("-c", HIDE, "numba", "info")
    assert re.search(r"^backend +reference", done.stdout, re.MULTILINE) and re.search(r"^numba +None", done.stdout, re.MULTILINE)


def test_curves_need_no_data(tmp_path, capsys, monkeypatch):
    """Learning curves are in the checkpoint: they are drawn where the data are not, or have no name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load", None)
    pytest.importorskip("matplotlib")
    assert cli.main(["plot", "curves", "mnist", "--out", "curves.png"]) == 0 and (tmp_path / "curves.png").is_file()


def test_an_empty_folder_is_no_data_set(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PYSNN_DATA", str(tmp_path))
    (tmp_path / "mnist").mkdir()
    assert cli.main(["data", "list"]) == 0
    assert "mnist           fetch it: pysnn data fetch mnist" in capsys.readouterr().out


@pytest.mark.parametrize("platformdirs", [True, False])
def test_without_a_home_folder_messages_name_the_variable(tmp_path, capsys, monkeypatch, platformdirs):
    monkeypatch.delenv("PYSNN_DATA", raising=False)
    monkeypatch.setattr(Path, "expanduser", lambda self: (_ for _ in ()).throw(RuntimeError("Could not determine home directory.")))
    folder = SimpleNamespace(user_cache_dir=lambda name: f"~/.cache/{name}") if platformdirs else None
    monkeypatch.setitem(sys.modules, "platformdirs", folder)
    assert cli.main(["data", "where"]) == 1 and "PYSNN_DATA" in capsys.readouterr().err
    assert cli.main(["info"]) == 0 and "PYSNN_DATA" in capsys.readouterr().out


def test_help_names_the_environment(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    said = capsys.readouterr().out
    assert all(name in said for name in ("PYSNN_DATA", "PYSNN_THREADS", "PYSNN_DEBUG"))


def test_demo_runs_the_verbs_and_stops_at_the_first_that_fails(monkeypatch, capsys, tmp_path):
    lines = []

    def run(command, stdout, fails="plot"):
        assert command[:3] == [sys.executable, "-m", "pysnn"] and stdout is sys.stdout
        lines.append(command[3:])
        return SimpleNamespace(returncode=int(command[3] == fails))
    monkeypatch.setattr(cli.demo.subprocess, "run", run)
    assert cli.main(["demo", "--out", "some where", "--seed", "3"]) == 1
    assert [line[0] for line in lines] == ["train", "evaluate", "plot"] and all(line[-1] == "--seed=3" for line in lines)
    assert str(Path("some where/runs/demo.npz")) in lines[0]
    monkeypatch.setattr(cli.demo.subprocess, "run", lambda command, stdout: run(command, stdout, fails=""))
    assert cli.main(["demo", "--threads", "2", "--json", str(tmp_path / "demo.json")]) == 0
    assert "done: look at" in capsys.readouterr().out and lines[-1][-1] == "--threads=2"
    steps = json.loads((tmp_path / "demo.json").read_text())["steps"]
    assert [step.split() for step in steps] == [line[:-2] for line in lines[3:]] and "{" not in "".join(steps)
    for line in lines:
        assert cli.parser().parse_args(line).verb == line[0]
    assert "$(BIN)/pysnn demo" in (Path(pysnn.__file__).parents[1] / "Makefile").read_text()
