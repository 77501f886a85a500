"""Sweeps whose points Optuna suggests: pruning, going on, the same bits as without it."""

import pytest

import pysnn
from pysnn.scale import Optuna
from tests.cases.sweeps import QUICK, bits

optuna = pytest.importorskip("optuna")
SPACE = {**QUICK, "epochs": 4, "lr": (1e-4, 0.3, "log"), "batch": (8, 16), "bias": [True, False]}


class Never(optuna.pruners.BasePruner):
    """Prune every trial but the first, behind its second epoch."""

    def prune(self, study, trial):
        return trial.number > 0 and trial.last_step == 2


def test_trials_are_told_pruned_and_kept(own, out, done):
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0), pruner=Never())
    runs = pysnn.sweep("temporal", own, SPACE, seeds=2, out=out, search=Optuna(5, study=study))
    assert len(runs) == 6 and sum(line.get("pruned", False) for line in runs) == 4 and len(done) == 2 * 4 + 4 * 2
    assert [line["epochs"] for line in runs if "pruned" in line] == [2] * 4 and len(runs.best()) == 3
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE"] + ["PRUNED"] * 4 and study.best_value == pytest.approx(runs.table()[0]["accuracy"])
    assert list(study.trials[0].intermediate_values) == list(range(1, 9))
    again = pysnn.sweep("temporal", own, SPACE, seeds=2, out=out, search=Optuna(5))
    assert [line["key"] for line in again] == [line["key"] for line in runs] and len(done) == 16
    point = {name: [value] for name, value in next(line["settings"] for line in runs if "pruned" in line).items()}
    grid = pysnn.sweep("temporal", own, {**SPACE, **point}, seeds=1, out=out)          # a pruned run is not a finished one
    assert len(done) == 17 and grid.lines[0]["epochs"] == 4


def test_epoch_by_epoch_has_the_bits_of_one_go(own, tmp_path):
    pruning = pysnn.sweep("temporal", own, SPACE, seeds=1, out=tmp_path / "a", search=Optuna(1, seed=3))
    without = pysnn.sweep("temporal", own, SPACE, seeds=1, out=tmp_path / "b", search=Optuna(1, seed=3, pruning=False))
    assert bits(pruning) == bits(without) and pruning.lines[0]["curve"] == without.lines[0]["curve"]


def test_a_small_space_is_not_searched_for_ever(own, out, done):
    space = {**QUICK, "bias": [True, False], "batch": [8, 16]}
    runs = pysnn.sweep("temporal", own, space, seeds=1, out=out, search=Optuna(9, pruning=False))
    assert len(runs) == 4 and len({str(line["settings"]) for line in runs}) == 4
    assert len(pysnn.sweep("temporal", own, space, seeds=[0, 1], out=out, search=Optuna(9, pruning=False))) == 8 and len(done) == 8


def test_study_that_minimises_is_refused(own, out):
    with pytest.raises(ValueError, match="study: expected one that maximises, got one that does not"):
        pysnn.sweep("temporal", own, SPACE, seeds=1, out=out, search=Optuna(2, study=optuna.create_study()))


@pytest.mark.slow
def test_in_processes(own, out):
    runs = pysnn.sweep("temporal", own, SPACE, seeds=2, jobs=2, out=out, search=Optuna(12))
    assert len({str(line["settings"]) for line in runs}) == 12
    for line in (line for line in runs if "pruned" not in line):
        point = {name: [value] for name, value in line["settings"].items()}
        assert pysnn.sweep("temporal", own, {**SPACE, **point}, seeds=[line["seed"]], out=f"{out}2").lines[0]["sha256"] == line["sha256"]
