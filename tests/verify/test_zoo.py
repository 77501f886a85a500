"""The bug zoo: thirty-six faults, each caught by the check that it names, and a table that also shows what does not catch it."""

import json
import runpy

import numpy as np
import pytest

from pysnn import losses
from pysnn.verify import suite, zoo
from pysnn.verify.zoo import catch as zoo_catch
from tests.cases import ROOT

NAMES = {"xor_causal_set", "softmax_sign", "denominator_all_weights", "unsorted_inputs", "sigmoid_overflow", "slope_ignored",
         "float32_inside", "stale_membrane", "attached_reset", "recorded_late", "updated_early", "unseen_regulariser",
         "batch_norm_statistics", "max_pool_tie", "state_gradient_lost", "surrogate_off_centre"}
NAMES |= {"leak_and_reset_swapped", "strict_comparison", "recurrent_transposed", "reset_late", "leaky_attached", "gain_forgotten",
          "gain_is_constant", "beta_other_potential", "alpha_without_trace", "threshold_of_spikes_alone", "recurrence_is_constant"}
NAMES |= {"later_crossing", "slope_without_leak", "time_constant_forgotten", "jump_without_leak", "earlier_spikes_are_constants",
          "delay_from_the_sender", "pseudo_spikes_are_silent", "padding_spikes", "largest_alone_resets"}


SOME = ("slope_ignored", "max_pool_tie", "updated_early", "alpha_without_trace", "reset_late")


@pytest.fixture(scope="module")
def caught():
    """All faults by all checks, once; the slow tests look at them."""
    return zoo_catch.catch()


@pytest.mark.slow
def test_some_of_several_operations_are_caught():
    found = zoo_catch.catch(SOME)
    assert found.ok and {c.fault.name for c in found.faults} == set(SOME) and all(c.ok for c in found.faults)
    assert len({c.fault.operation for c in found.faults}) == 4


def test_all_faults_with_their_sources():
    assert set(zoo.every()) == NAMES
    for name, fault in zoo.every().items():
        assert fault.name == name and fault.description and fault.source in ("public thread", "public library", "synthetic")
        assert fault.caught_by in {check.kind for check in suite.checks(fault.operation, backend="numba")}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_is_caught_by_the_check_it_names(caught, name):
    one = next(c for c in caught.faults if c.fault.name == name)
    assert one.ok, f"{name}: {one.fault.caught_by} does not catch it"


@pytest.mark.slow
def test_no_false_alarm(caught):
    for ledger in caught.right:
        ledger.raise_if_failed()
    names = {e.operation for ledger in caught.right for e in ledger.entries}
    assert caught.ok and names == {fault.operation for fault in zoo.every().values()}


@pytest.mark.slow
@pytest.mark.parametrize("name, blind", [
    ("batch_norm_statistics", ["gradcheck"]), ("max_pool_tie", ["gradcheck", "definition", "reference"]),
    ("denominator_all_weights", ["definition"]), ("recorded_late", ["frozen offsets", "transpose"]),
    ("slope_ignored", ["dynamics", "two parts"]), ("unseen_regulariser", ["weight decay", "arguments left alone"]),
    ("softmax_sign", ["definition", "silence"]), ("strict_comparison", ["frozen offsets", "transpose", "reference"]),
    ("threshold_of_spikes_alone", ["dynamics"]), ("reset_late", ["frozen offsets", "transpose"]),
    ("later_crossing", ["complex step", "shift identity"]), ("time_constant_forgotten", ["worked example", "shift identity", "edges"]),
    ("slope_without_leak", ["definition"]), ("delay_from_the_sender", ["no delays"]), ("pseudo_spikes_are_silent", ["no jumps"]),
    ("earlier_spikes_are_constants", ["worked example", "definition"]), ("padding_spikes", ["gradcheck"])])
def test_what_does_not_catch_it_is_shown(caught, name, blind):
    one = next(c for c in caught.faults if c.fault.name == name)
    assert all(one.by[kind] is None for kind in blind)
    line = next(line for line in str(caught).splitlines() if line.startswith(name))
    shown = line.rstrip().split("  ")[-1]
    assert set(blind) <= set(shown.strip().split(", "))


@pytest.mark.slow
def test_as_json(caught):
    data = json.loads(json.dumps(caught.to_dict(), allow_nan=False))
    assert data["ok"] and len(data["faults"]) == 36
    for fault in data["faults"]:
        assert fault["named_check"] in fault["caught_by"] and not set(fault["caught_by"]) & set(fault["missed_by"])


def test_a_fault_that_is_none_is_not_caught(monkeypatch):
    """The table can say no: an injection that changes nothing passes all checks."""
    harmless = zoo.FAULTS["slope_ignored"]._replace(inject=lambda op: op)
    monkeypatch.setitem(zoo.FAULTS, "slope_ignored", harmless)
    found = zoo_catch.catch(["slope_ignored"])
    assert not found.ok and not any(found.faults[0].by.values())
    assert "NOTHING" in str(found) and "0 of 1 faults" in str(found)


def test_a_false_alarm_would_be_told(monkeypatch):
    monkeypatch.setattr(suite, "operation", lambda name, backend="reference": zoo.FAULTS["softmax_sign"].inject(losses.softmax_z))
    found = zoo_catch.catch(["softmax_sign"])
    assert not found.ok and "FALSE ALARM" in str(found)


def test_unknown_fault():
    with pytest.raises(ValueError, match=r"fault: expected some of xor_causal_set, .* got 'nothing'"):
        zoo_catch.catch(["nothing"])


def test_learning_faults_leave_the_nets_as_they_were():
    from pysnn.verify.suite import learning as suite_learning
    for name in ("updated_early", "unseen_regulariser"):
        nets = suite_learning.nets_for("proxy")
        before = {key: w.copy() for key, w in nets.net.params.items()}
        right = suite.operation("proxy")
        x, y = np.random.default_rng(0).random((3, 4, 4, 1)), np.arange(3)
        wrong = zoo.every()[name].inject(right)(nets, x, y)
        assert all((nets.net.params[key] == w).all() for key, w in before.items())
        again = right(nets, x, y)
        assert any((wrong.grads[key] != dw).any() for key, dw in again.grads.items())
        assert wrong.loss == again.loss


def test_each_is_an_exercise(capsys):
    """examples/07_find_the_bug.py: thirty-six numbers, one for each; the answer is taken, another is not."""
    example = runpy.run_path(str(ROOT / "examples/07_find_the_bug.py"), run_name="example")
    names = example["exercises"]()
    assert set(names) == NAMES and names != sorted(names)
    number = str(1 + names.index("max_pool_tie"))
    assert not example["main"](number).ok
    said = capsys.readouterr().out
    assert "  ties                FAILS\n" in said and "  gradcheck           passes\n" in said and "max_pool_tie" not in said
    assert example["main"](number, "max_pool_tie") and not example["main"](number, "softmax_sign")
    with pytest.raises(SystemExit, match="1 to 36, got '37'"):
        example["main"]("37")
