"""The moving average of weights: its formula, what is evaluated and saved, and that a run that was stopped ends with the same bits."""

import copy

import numpy as np
import pytest

from pysnn import optim, training
from tests.cases.learning import RATE, begin, images


def arrays(run):
    """Return all that a run holds, by name."""
    return {**run.nets.net.params, **{f"state/{name}": x for name, x in run.nets.state.items()}, **run.optimiser.state}


def test_averaged_by_hand():
    w = {"w": np.array([1.0, 2.0])}
    averaged = optim.Averaged(optim.SGD(w), w)
    averaged.update(w, {"w": np.array([1.0, -1.0])}, 0.5)          # w = 0.5, 2.5
    averaged.follow(0.75)
    np.testing.assert_array_equal(averaged.state["average/w"], [0.875, 2.125])
    averaged.swap()
    np.testing.assert_array_equal(w["w"], [0.875, 2.125])
    np.testing.assert_array_equal(averaged.state["average/w"], [0.5, 2.5])


@pytest.mark.parametrize("method, chosen", [
    ("proxy", {"statistics": "separate"}), ("surrogate", {}), ("conversion", {"model": "6x6x1-4C3-A2-12-3"})], ids=str)
def test_training_is_that_without_and_the_average_follows(method, chosen):
    """Weights and running statistics are averaged by the same formula; gradients, updates and statistics of training are untouched."""
    plain, run, seen = begin(method, 1, **chosen), begin(method, 1, **chosen, average=0.9), []
    steps = RATE[method].update_running_stats
    plain.rule = plain.rule._replace(update_running_stats=lambda nets, step: (
        steps(nets, step), seen.append(copy.deepcopy({**nets.net.params, **{f"state/{name}": x for name, x in nets.state.items()}}))))
    average = copy.deepcopy({**run.nets.net.params, **{f"state/{name}": x for name, x in run.nets.state.items()}})
    list(training.epochs(plain, images()))
    list(training.epochs(run, images()))
    followed = [name for name, x in average.items() if x.dtype.kind == "f" and "scale" not in name]
    assert len(seen) == 9 and {"w1", "gamma1", "state/mean1", "state/var1"} <= set(followed)
    for name in followed:
        for at in seen:
            average[name] = average[name] + average[name].dtype.type(1 - 0.9) * (at[name] - average[name])
        np.testing.assert_array_equal(arrays(run)[f"average/{name}"], seen[-1][name], err_msg=name)     # what training goes on with
        np.testing.assert_array_equal(arrays(run)[name], average[name], err_msg=name)                   # what is evaluated
    assert int(run.nets.state["n_epochs"]) == 3


def test_scales_of_a_conversion_are_those_of_the_average():
    run = begin("conversion", 1, model="6x6x1-4C3-A2-12-3", average=0.9)
    list(training.epochs(run, images()))
    scale = run.nets.state["scale1"].copy()
    RATE["conversion"].end_epoch(run.nets, images()[0])
    assert scale == run.nets.state["scale1"] and scale != 1


@pytest.mark.parametrize("chosen", [{}, {"calibrate": 0.05, "v_init": 0.5}, {"statistics": "separate", "freeze_after": 1}], ids=str)
def test_stopped_after_each_epoch_the_average_goes_on_with_the_same_bits(tmp_path, chosen):
    chosen, path = {**chosen, "average": 0.8}, tmp_path / "a.npz"
    unbroken = begin("proxy", 2, **chosen)
    list(training.epochs(unbroken, images(), images(seed=1)))
    training.save(begin("proxy", 2, **chosen), path)
    for _ in range(3):
        run = training.load(path)
        next(training.epochs(run, images(), images(seed=1)))
        training.save(run, path)
    broken = training.load(path)
    assert {name: x.tobytes() for name, x in arrays(unbroken).items()} == {name: x.tobytes() for name, x in arrays(broken).items()}
    np.testing.assert_array_equal(RATE["proxy"].predict(unbroken.nets, images()[0]), RATE["proxy"].predict(broken.nets, images()[0]))


def test_whitening_filters_are_not_those_before_they_were_set():
    run = begin("proxy", model="8x8x1-W2-4c3-B0.5-N-A7-3", average=0.9, v_init=0.5)
    list(training.epochs(run, (np.random.default_rng(0).random((24, 8, 8, 1)), images()[1])))
    assert run.nets.state["filter0"].any()
    np.testing.assert_array_equal(run.nets.state["filter0"], run.optimiser.state["average/state/filter0"])


def test_off_by_default_nothing_is_kept():
    run = begin("proxy")
    assert not any(name.startswith("average/") for name in run.optimiser.state) and run.nets.settings.average == 0
