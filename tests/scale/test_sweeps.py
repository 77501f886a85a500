"""Sweeps: the same bits wherever they run, nothing done twice, whatever is torn or killed; means, intervals, tests."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest

import pysnn
from pysnn import _files, cli, datasets, scale, training
from pysnn.evaluation import comparison
from pysnn.learning import temporal
from pysnn.scale import Optuna, Random, _workers
from tests.cases import ROOT
from tests.cases.sweeps import QUICK, bits, moons

TWO = {"lr": [1e-3, 0.1], "beta": [10.0, 20.0], **QUICK}


def test_grid_has_the_bits_of_train(own, out):
    runs = pysnn.sweep("temporal", own, {**TWO, "epochs": 2}, seeds=2, out=out)
    assert len(runs) == 8 and {line["seed"] for line in runs} == {0, 1}
    for line in runs:
        run = training.start("temporal", temporal.settings_for(own, **{**QUICK, "epochs": 2, **line["settings"]}), line["seed"])
        records = list(training.epochs(run, *pysnn.data.held_out(own)))
        assert line["sha256"] == comparison.digest(run.nets) and line["val_accuracy"] == records[-1]["val_accuracy"]
        assert line["curve"] == [r["val_accuracy"] for r in records]
    assert len({line["sha256"] for line in runs}) > 4


def test_processes_have_the_same_bits_and_bring_files_along(own, out, tmp_path, monkeypatch):
    """Also a loss of the user's own, whose file imports another."""
    pytest.importorskip("joblib")
    (tmp_path / "sweep_scale_of.py").write_text("FACTOR = 0.5\n")
    (tmp_path / "sweep_loss.py").write_text("from sweep_scale_of import FACTOR\nfrom pysnn.losses import softmax_t\n\n\ndef loss(z, y):\n"
                                            "    value, dz = softmax_t(z, y)\n    return FACTOR * value, dz * z.dtype.type(FACTOR)\n")
    settings = {**QUICK, "loss": ["t", f"{tmp_path}/sweep_loss.py:loss"]}
    two = pysnn.sweep("temporal", own, settings, seeds=2, jobs=2, out=out)
    one = pysnn.sweep("temporal", own, settings, seeds=2, out=tmp_path / "one.jsonl")
    assert bits(one) == bits(two) and {line["settings"]["loss"] for line in one} == {"t", "sweep_loss.py:loss"}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["temporal", "proxy", "surrogate", "conversion"])
def test_processes_of_one_thread_have_the_bits_of_two_threads(method, tmp_path):
    pytest.importorskip("joblib")
    pytest.importorskip("numba")
    data, before = datasets.load("fashion-sample"), pysnn.get_threads()
    data = data._replace(x_train=data.x_train[:600], y_train=data.y_train[:600])
    settings = {"model": "784-40-10", "epochs": 2, "lr": [1e-3, 1e-2]}
    pysnn.set_threads(2)
    try:
        here = pysnn.sweep(method, data, settings, seeds=2, out=tmp_path / "a")
    finally:
        pysnn.set_threads(before)
    assert bits(here) == bits(pysnn.sweep(method, data, settings, seeds=2, jobs=2, out=tmp_path / "b")) and len(set(bits(here))) == 4


@pytest.mark.slow
def test_a_process_of_joblib_killed_keeps_what_is_finished(own, out, tmp_path):
    pytest.importorskip("joblib")
    (tmp_path / "sweep_killer.py").write_text("import os, pathlib, signal\nfrom pysnn.losses import softmax_t\n\n\ndef loss(z, y):\n"
                                              f"    out = pathlib.Path({str(out)!r})\n"
                                              "    if len(out.read_bytes().splitlines()) >= 5 and not (out.parent / 'enough').exists():\n"
                                              "        os.kill(os.getpid(), signal.SIGKILL)\n    return softmax_t(z, y)\n")
    settings = {**QUICK, "loss": f"{tmp_path}/sweep_killer.py:loss"}
    with pytest.raises(RuntimeError, match="a process that did a run was killed, perhaps for its memory; what is finished is kept"):
        pysnn.sweep("temporal", own, settings, seeds=12, jobs=2, out=out)
    kept = out.read_bytes()
    assert len(kept.splitlines()) >= 5
    (tmp_path / "enough").touch()                                        # so that it stops killing
    assert len(pysnn.sweep("temporal", own, settings, seeds=12, jobs=2, out=out)) == 12 and out.read_bytes().startswith(kept)


def test_a_file_that_has_changed_is_another_run(own, out, done, tmp_path, monkeypatch):
    code = "from pysnn.losses import softmax_t\n\n\ndef loss(z, y):\n    return softmax_t(z, y)\n"
    for k in range(2):
        (tmp_path / "sweep_mine.py").write_text(code + f"# {k}\n")
        pysnn.sweep("temporal", own, {**QUICK, "loss": f"{tmp_path}/sweep_mine.py:loss"}, seeds=1, out=out)
        assert len(done) == k + 1
        monkeypatch.delitem(_files._LOADED, "sweep_mine.py")            # as in a new process


def test_command_line_has_the_bits_of_train(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    data = moons()
    rows = [",".join(map(repr, [*x, int(y)])) for x, y in zip(data.x_train.tolist(), data.y_train, strict=True)]
    (tmp_path / "my.csv").write_text("\n".join(["a,b,label", *rows]))
    options = "temporal --data my.csv --target label --val 20 --epochs 1 --set backend=reference --seed 3"
    more = "--vary lr=0.001,0.02 --vary bright=early,late --seeds 2 --json r.json --figure f.svg --test"
    assert cli.main(f"sweep {options} {more}".split()) == 0
    said = capsys.readouterr().out
    result = json.loads((tmp_path / "r.json").read_text())
    assert "± : 95 % interval" in said and "best: --set lr=" in said and "test accuracy of the best, 2 seeds" in said
    assert (tmp_path / "f.svg").is_file() and len(result["runs"]) == 8 and result["best"] in [line["settings"] for line in result["runs"]]
    assert cli.main(f"train {options} --lr 0.02 --set bright=early --quiet --no-test --out t.npz".split()) == 0
    digest = comparison.digest(training.load("t.npz").nets)
    same = [line for line in result["runs"] if line["seed"] == 3 and line["settings"] == {"lr": 0.02, "bright": "early"}]
    assert [line["sha256"] for line in same] == [digest]


def test_a_second_call_does_what_is_missing(own, out, done):
    first = pysnn.sweep("temporal", own, TWO, seeds=2, out=out)
    text = out.read_text()
    assert len(done) == 8 and bits(pysnn.sweep("temporal", own, TWO, seeds=2, out=out)) == bits(first) and len(done) == 8
    assert out.read_text() == text
    more = pysnn.sweep("temporal", own, {**TWO, "lr": [1e-3, 1e-2, 0.1]}, seeds=[1, 0, 5], out=out)
    assert len(more) == 18 and len(done) == 18 and set(bits(first)) < set(bits(more))


def test_a_torn_line_is_done_again(own, out, done):
    first = pysnn.sweep("temporal", own, TWO, seeds=2, out=out)
    out.write_bytes(out.read_bytes()[:-25])
    with pytest.warns(UserWarning, match="the last line is not whole"):
        again = pysnn.sweep("temporal", own, TWO, seeds=2, out=out)
    assert bits(again) == bits(first) and len(done) == 9 and len(out.read_text().splitlines()) == 9


def test_a_torn_header_is_begun_again(own, out, done):
    first = pysnn.sweep("temporal", own, TWO, seeds=1, out=out)
    whole = out.read_bytes()
    out.write_bytes(whole[:60])
    assert bits(pysnn.sweep("temporal", own, TWO, seeds=1, out=out)) == bits(first) and len(done) == 8
    assert out.read_bytes().splitlines()[0] == whole.splitlines()[0]


@pytest.mark.parametrize("change, words", [
    ({"epochs": 2}, "is of another sweep"), ({"beta": 10.0}, "is of another sweep"), ({"version": 2}, r"version 2 there, 1 here"),
    ({"versions": {"pysnn": "9"}}, 'versions {"pysnn": "9"} there'), ({"text": "[1, 2]\n"}, "expected the runs of a sweep, got a file of"),
    ({"text": "\x00\n"}, "expected the runs of a sweep"), ({"text": "no end"}, "expected the runs of a sweep"),
    ({"middle": True}, "expected a run in line 2, got b'oops'")])
def test_another_file_is_refused_and_stays(own, out, change, words):
    pysnn.sweep("temporal", own, TWO, seeds=1, out=out)
    settings = {**TWO, **{name: value for name, value in change.items() if name in TWO}}
    head, *lines = out.read_text().splitlines()
    head = json.dumps(json.loads(head) | {name: value for name, value in change.items() if name.startswith("version")})
    out.write_text(change.get("text", "\n".join([head, *(["oops"] if "middle" in change else []), *lines, ""])))
    text = out.read_bytes()
    with pytest.raises(ValueError, match=words) as caught:
        pysnn.sweep("temporal", own, settings, seeds=1, out=out)
    assert "\n" not in str(caught.value) and out.read_bytes() == text


def test_other_data_are_another_sweep(own, out):
    pysnn.sweep("temporal", own, TWO, seeds=1, out=out)
    x = own.x_train.copy()
    x[0, 0] = 1 - x[0, 0]
    with pytest.raises(ValueError, match=r"is of another sweep \(digest"):
        pysnn.sweep("temporal", own._replace(x_train=x), TWO, seeds=1, out=out)


def test_full_disk_leaves_whole_lines(own, out, done):
    """The file may grow by one line and a half."""
    pysnn.sweep("temporal", own, TWO, seeds=1, out=out)
    text, limits = out.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(text) + 3 * len(text.splitlines()[-1]) // 2, limits[1]))
    try:
        with pytest.raises(OSError) as caught:
            pysnn.sweep("temporal", own, TWO, seeds=3, out=out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno in (errno.EFBIG, errno.ENOSPC) and caught.value.filename == str(out)
    kept = out.read_bytes()
    assert kept.startswith(text) and kept.endswith(b"\n") and len(kept.splitlines()) == 6
    assert len(pysnn.sweep("temporal", own, TWO, seeds=3, out=out)) == 12 and len(done) == 4 + 2 + 7


def test_interrupt_keeps_what_is_finished(own, out, monkeypatch, done):
    work = _workers.work

    def stopped(job, parts):
        if len(done) == 3:
            raise KeyboardInterrupt
        return work(job, parts)

    with monkeypatch.context() as patch:
        patch.setattr(_workers, "work", stopped)
        with pytest.raises(KeyboardInterrupt):
            pysnn.sweep("temporal", own, TWO, seeds=2, out=out)
    assert len(out.read_text().splitlines()) == 4
    assert len(pysnn.sweep("temporal", own, TWO, seeds=2, out=out)) == 8 and len(done) == 8


LONG = """
import sys
from tests.cases.sweeps import QUICK, moons
import pysnn
pysnn.sweep("temporal", moons(), {"lr": [1e-3, 1e-2], **QUICK, "epochs": 5}, seeds=6, jobs=int(sys.argv[2]), out=sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("jobs, number", [(1, signal.SIGKILL), (2, signal.SIGKILL), (2, signal.SIGINT)])
def test_a_killed_sweep_goes_on(out, done, jobs, number):
    process = subprocess.Popen([sys.executable, "-c", LONG, out, str(jobs)], cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True)
    while process.poll() is None and (not out.is_file() or out.read_bytes().count(b"\n") < 4):
        pass
    os.killpg(process.pid, number)
    assert process.wait(60) != 0
    n = out.read_bytes().count(b"\n") - 1
    assert 3 <= n < 12
    runs = pysnn.sweep("temporal", moons(), {"lr": [1e-3, 1e-2], **QUICK, "epochs": 5}, seeds=6, out=out)
    assert len(runs) == 12 and len(done) == 12 - n


def explode(z, y):
    """A loss that is too large at once."""
    return np.inf, np.zeros_like(z)


def test_a_run_that_fails_does_not_stop_the_others(own, out, done):
    runs = pysnn.sweep("temporal", own, {**QUICK, "loss": ["t", explode]}, seeds=2, out=out)
    failed = [line for line in runs if "error" in line]
    assert len(failed) == 2 and "the loss became inf" in failed[0]["error"] and failed[0]["val_accuracy"] is None
    assert runs.best() == {"loss": "t"} and runs.table()[1]["unfinished"] == 2 and runs.table()[1]["accuracy"] is None
    assert "unfinished" in str(runs) and len(pysnn.sweep("temporal", own, {**QUICK, "loss": ["t", explode]}, seeds=2, out=out)) == 4
    assert len(done) == 4
    with pytest.raises(ValueError, match="no run ended well: the loss became inf"):
        pysnn.sweep("temporal", own, {**QUICK, "loss": [explode]}, seeds=2, out=f"{out}2")


TARGETS = datasets.from_arrays(np.linspace(0, 1, 80).reshape(40, 2), np.linspace(0.1, 1.3, 40))


@pytest.mark.parametrize("arguments, words", [
    ({"settings": {"nosuch": [1, 2]}}, "unknown setting 'nosuch': expected one of model"),
    ({"settings": {"lr": [0.1, "x"]}}, "lr: expected a number from .*, got 'x'"),
    ({"settings": {"batch": (1, 2.5)}, "search": Random(3)}, "batch: expected a whole number, got 2.5"),
    ({"settings": {"lr": []}}, "lr: expected a list of values that differ, got list"),
    ({"settings": {"lr": [0.1, 0.1]}}, "lr: expected a list of values that differ"),
    ({"settings": {"lr": (0.1, 0.01)}, "search": Random(3)}, r"lr: expected a range \(low, high\)"),
    ({"settings": {"lr": (0, 0.01, "log")}, "search": Random(3)}, "of positive numbers"),
    ({"settings": {"lr": (0.001, 0.01)}}, "lr: expected a list of values for a grid, got a range"),
    ({"settings": {"loss": [lambda z, y: (0.0, z)]}}, "expected an object that stands in a file under a name of its own, got <function"),
    ({"settings": {"epochs": [1, 0]}}, "epochs: expected at least 1, got 0"), ({"settings": {"val": [10, 20]}}, "val: expected one number"),
    ({"settings": {"model": "3-2"}}, "model: expected 2-...-2 for moons"), ({"settings": 3}, "settings: expected a dict"),
    ({"seeds": 0}, "seeds: expected a whole number of at least 1, got int 0"), ({"seeds": []}, "seeds: expected at least one"),
    ({"seeds": [1, 1]}, "none twice"), ({"seeds": 1.5}, "seeds: expected a whole number"), ({"jobs": 0}, "jobs: expected"),
    ({"search": Random(0)}, "trials: expected"), ({"search": "grid"}, "search: expected None, Random"),
    ({"search": Random(2), "settings": {}}, "expected a list of values or a range"), ({"data": 3}, "data: expected a name or"),
    ({"data": "xor", "settings": {"lr": [0.1]}}, "xor: expected validation samples to choose by, got none; give val=N"),
    ({"data": TARGETS}, "data: expected labels, by whose accuracy a sweep chooses, got targets of regression in arrays"),
    ({"method": "nosuch"}, "method: expected one of temporal")])
def test_bad_input_is_refused_before_any_run(own, out, arguments, words, done):
    given = {"method": "temporal", "data": own, "settings": {"lr": [0.1]}, "seeds": 1, "out": out, **arguments}
    if isinstance(given["settings"], dict) and given["data"] is own:
        given["settings"] = QUICK | given["settings"]
    with pytest.raises((ValueError, TypeError), match=words) as caught:
        pysnn.sweep(**given)
    assert "\n" not in str(caught.value) and not done and not out.exists()


@pytest.mark.parametrize("line, words", [
    ("--vary lr", "--vary: expected NAME=A,B,C or NAME=LOW:HIGH, got 'lr'"), ("--vary lr=1 --vary lr=2", "lr: expected once"),
    ("--vary lr=1 --lr 2", "lr: expected once"), ("--vary lr=1,2 --seeds 0", "--seeds: expected at least 1, got 0"),
    ("--vary lr=0.1:0.2", "lr: expected a list of values for a grid, got a range"), ("--vary lr=a:b", "lr: expected a number"),
    ("--vary lr=0.1,0.2 --jobs 0", "jobs: expected")])
def test_bad_lines_are_one_line(line, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(f"sweep temporal --data yin-yang {line}".split()) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"pysnn: error: {words}") and err.count("\n") == 1 and not list(tmp_path.rglob("*.jsonl"))


def test_random_points_are_drawn_once_and_within_their_ranges(own, out, done):
    settings = {**QUICK, "lr": (1e-4, 1e-1, "log"), "batch": (11, 13), "bias": [True, False]}
    runs = pysnn.sweep("temporal", own, settings, seeds=1, out=out, search=Random(20, seed=1))
    values = {name: [line["settings"][name] for line in runs] for name in runs.names}
    assert set(values["batch"]) == {11, 12, 13} and set(values["bias"]) == {True, False} and len(set(values["lr"])) == 20
    assert all(1e-4 <= x <= 1e-1 for x in values["lr"]) and 5 < sum(x < 3.2e-3 for x in values["lr"]) < 15
    assert bits(pysnn.sweep("temporal", own, settings, seeds=1, out=out, search=Random(20, seed=1))) == bits(runs) and len(done) == 20
    assert len(pysnn.sweep("temporal", own, settings, seeds=1, out=out, search=Random(21, seed=1))) == 21 and len(done) == 21


def made(values, **more):
    """Runs with these accuracies: {value of a: [one a seed]}."""
    return scale.Runs(["a"], [{"key": f"{a}{seed}", "settings": {"a": a}, "seed": seed, "val_accuracy": x, "seconds": 1.0, "curve": [x],
                               **more.get(a, {})} for a, xs in values.items() for seed, x in enumerate(xs)])


def test_table_and_interval_are_those_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    x = [0.90, 0.92, 0.95, 0.91]
    row, other = made({"u": x, "v": [0.5, 0.5, 0.5, 0.9]}).table()
    low, high = stats.t.interval(0.95, 3, np.mean(x), stats.sem(x))
    assert row["a"] == "u" and other["a"] == "v" and row["accuracy"] == pytest.approx(np.mean(x))
    assert row["ci95"] == pytest.approx((high - low) / 2, rel=1e-3) and row["std"] == pytest.approx(np.std(x, ddof=1))
    assert made({"u": [0.5]}).table()[0]["ci95"] is None and "±" not in str(made({"u": [0.5]})).split("\n")[1]


def test_best_has_all_its_seeds_and_no_run_cut_short():
    values = {"few": [0.99], "cut": [0.99, 0.99], "good": [0.8, 0.9], "worse": [0.7, 0.9]}
    runs = made(values, cut={"pruned": True})
    assert runs.best() == {"a": "good"} and [row["a"] for row in runs.table()] == ["good", "worse", "few", "cut"]
    with pytest.raises(ValueError, match="expected settings whose runs all ended, got none; too large"):
        made({"u": [0.5]}, u={"error": "too large"}).best()


def test_paired_test_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    runs = made({"u": [0.9, 0.8, 0.95, 0.7], "v": [0.85, 0.79, 0.9, 0.71], "w": [0.8, 0.7, 0.85, 0.6], "x": [0.1]})
    got, ref = runs.paired({"a": "u"}, {"a": "v"}), stats.ttest_rel([0.9, 0.8, 0.95, 0.7], [0.85, 0.79, 0.9, 0.71])
    assert got.p == pytest.approx(ref.pvalue) and got.n_seeds == 4 and got.difference == pytest.approx(0.025)
    interval = ref.confidence_interval(0.95)
    assert got.ci95 == pytest.approx((interval.high - interval.low) / 2, rel=1e-3)
    assert runs.paired({"a": "u"}, {"a": "u"}).p == 1 and runs.paired({"a": "u"}, {"a": "w"}).p == 0        # all differences the same
    for a, words in (({"a": "x"}, "two seeds or more that both"), ({"a": "y"}, "settings that were tried"), ({}, "each of a, got")):
        with pytest.raises(ValueError, match=words):
            runs.paired({"a": "u"}, a)


def test_frame_has_a_row_a_run(own, out):
    pytest.importorskip("pandas")
    frame = pysnn.sweep("temporal", own, TWO, seeds=2, out=out).to_frame()
    assert len(frame) == 8 and {"lr", "beta", "seed", "val_accuracy", "seconds"} <= set(frame.columns) and frame.lr.nunique() == 2


def test_figures(own, out):
    plots = pytest.importorskip("pysnn.plots")
    lines = [{"settings": {"lr": lr, "beta": beta}, "seed": seed, "val_accuracy": 0.1 * k + 0.01 * seed}
             for k, (lr, beta) in enumerate([(1e-3, 10.0), (1e-3, 20.0), (1e-2, 10.0), (0.1, 20.0)], 2) for seed in range(3)]
    runs = scale.Runs(["lr", "beta"], [*lines, {"settings": {"lr": 1.0, "beta": 10.0}, "seed": 0, "val_accuracy": None, "error": "inf"}])
    field = runs.plot("lr", "beta").axes[0]
    assert [t.get_text() for t in field.get_xticklabels()] == ["0.001", "0.01", "0.1"] and field.get_ylabel() == "beta"
    ref = [[21, 41, np.nan], [31, np.nan, 51]]
    assert np.allclose(field.images[0].get_array().filled(np.nan), ref, equal_nan=True)
    assert sorted(t.get_text() for t in field.texts) == [f"{x:.1f}\n± 2.5" for x in (21, 31, 41, 51)]
    one = runs.plot("lr").axes[0]
    assert "bars: 95 % interval" in one.get_xlabel() and np.allclose(one.lines[0].get_ydata(), [26, 41, 51])
    plots.save(runs.plot("lr"), out.with_suffix(".pdf"))
    with pytest.raises(ValueError, match="expected some of lr, beta, got 'late'"):
        runs.plot("late")


def test_figure_of_random_points():
    plots = pytest.importorskip("pysnn.plots")
    rng = np.random.default_rng(0)
    points = [(float(x), word, 0.5, 0.0) for x, word in zip(10 ** rng.uniform(-4, -1, 20), ["t", "z"] * 10, strict=True)]
    ax = plots.settings(points, ["lr", "loss"]).axes[0]
    assert ax.get_xscale() == "log" and len(ax.collections[0].get_offsets()) == 20
    with pytest.raises(ValueError, match="points: expected at least one"):
        plots.settings([], ["lr"])


def test_test_samples_are_used_once_for_one_choice(own, out, done):
    runs = pysnn.sweep("temporal", own, TWO, seeds=2, out=out)
    assert not any("test_accuracy" in line for line in runs)
    got, n = runs.test(), len(done)
    best = {**QUICK, **runs.best()}
    for seed, accuracy in got["by_seed"].items():
        run = training.start("temporal", temporal.settings_for(own, **best), seed)
        list(training.epochs(run, *pysnn.data.held_out(own)))
        assert run.rule.score(run.nets, *own.test).expected == accuracy
    assert n == 10 and got["accuracy"] == np.mean(list(got["by_seed"].values()))
    again = pysnn.sweep("temporal", own, TWO, seeds=2, out=out)
    assert again.test() == got and len(done) == n and len(again) == 8
    with pytest.raises(ValueError, match="the test samples are used once, and were for"):
        again.test(next(line["settings"] for line in again if line["settings"] != again.best()))
    with pytest.raises(ValueError, match=r"expected the runs that pysnn\.sweep returned"):
        made({"u": [0.5]}).test()


def test_worker_of_another_version_is_refused(own, out, monkeypatch):
    monkeypatch.setattr(_workers, "work", lambda job, parts, work=_workers.work: work(job._replace(versions={"pysnn": "9"}), parts))
    with pytest.raises(RuntimeError, match=r"a worker: expected \{'pysnn': '9'\} as where the sweep began"):
        pysnn.sweep("temporal", own, TWO, seeds=1, out=out)


def test_missing_packages_are_said_in_one_line(own, out, monkeypatch):
    for package, arguments in (("joblib.externals.loky", {"jobs": 2}), ("distributed", {"jobs": "tcp://127.0.0.1:9"}),
                               ("optuna", {"search": Optuna(2)})):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ImportError, match=f"pip install {package.partition('.')[0]}$"):
            pysnn.sweep("temporal", own, TWO, seeds=1, out=out, **arguments)
