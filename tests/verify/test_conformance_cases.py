"""Layers that somebody else wrote: each fault is caught by a named check, no right layer is called wrong."""

import pytest

from pysnn.foreign import Room
from pysnn.verify import student, suite
from pysnn.verify.report.ledger import CONVENTION, RIGHT, joined
from tests.cases import few
from tests.cases.layers import FAULTS, NEURON, NORM, VARIANTS


@pytest.fixture
def layer(tmp_path):
    """Write a text, with a piece of it changed, to a file; return its path."""
    def write(text, old="", new=""):
        assert old in text
        path = tmp_path / "layer.py"
        path.write_text("import numpy as np\n" + (text.replace(old, new) if old else text))
        return str(path)
    return write


def found(op, kinds=()):
    """Run checks; default: all."""
    return joined(suite.apply(check, op) for check in suite.checks(op.operation, op=op) if not kinds or check.kind in kinds)


@pytest.mark.parametrize("fault", few(FAULTS, 2), ids=lambda fault: fault.name)
def test_a_fault_is_caught_by_a_named_check(fault, layer):
    ledger = found(student.load(layer(fault.text, fault.old, fault.new)), fault.kinds)
    assert {e.check.split(":")[0] for e in ledger.failed if e.verdict == "WRONG"} == fault.kinds


@pytest.mark.parametrize("variant", few(VARIANTS, 2), ids=lambda variant: variant.name)
def test_a_right_layer_is_right(variant, layer):
    ledger = found(student.load(layer(variant.text, variant.old, variant.new)))
    ledger.raise_if_failed()
    assert {e.verdict for e in ledger.entries} == {CONVENTION if variant.convention else RIGHT}
    assert {e.note for e in ledger.entries if e.verdict == CONVENTION} <= {f"right, {variant.convention}"}


IN_PLACE = {
    "dspikes in place": "backward changes its argument dspikes, which", "current in place": "forward changes its argument current, which",
    "cache in place": "backward changes its cache, which", "cache emptied": "a second backward on one cache gives the same (IndexError",
    "shared buffer of spikes": "a call leaves the results of the one before", "shared buffer of gradients": "a call leaves the results",
    "shared buffer of potentials": "the cache of a call holds after the next", "state kept between calls": "a call gives the same again",
    "the cache of the last call": "the cache of a call holds", "starts where sample 0 ended": "a sample gives alone"}


@pytest.mark.parametrize("name", IN_PLACE)
def test_what_a_layer_does_to_others_is_said_from_another_process(name, layer):
    fault = next(fault for fault in FAULTS if fault.name == name)
    path = layer(fault.text, fault.old, fault.new)
    with Room(path) as room:
        ledger = found(student.load(path, None, lambda _: room.load()), ("contract",))
    assert any(IN_PLACE[name] in e.note for e in ledger.failed), [e.note for e in ledger.failed]


def test_surrogates_of_the_file_are_asked_in_their_process(layer):
    variant = next(variant for variant in VARIANTS if variant.name == "a function as surrogate")
    path = layer(variant.text, variant.old, variant.new)
    with Room(path) as room:
        found(student.load(path, None, lambda _: room.load()), ("frozen offsets", "transpose")).raise_if_failed()


@pytest.mark.parametrize(("text", "old", "new", "says"), [
    (NEURON, '("atan", 2.0)', '("step", 2.0)', "SURROGATE: expected one of atan"),
    (NEURON, '("atan", 2.0)', "lambda x: x.detach()", "SURROGATE: expected a function of an array V - threshold, .* got AttributeError"),
    (NORM, "OPERATION", "LAYOUT = 'NHCW'\nOPERATION", "LAYOUT: expected one of 'channels first' for batch_norm, got 'NHCW'"),
    (NORM, "OPERATION", "EPS = -1\nOPERATION", "EPS: expected a positive number"),
    (NEURON, "OPERATION", "EPS = 1e-3\nOPERATION", "EPS: expected it for batch_norm alone, got 0.001 for integrate_fire"),
    (NORM, "return gamma * h + beta,", "return (gamma * h + beta)[0],", "y: expected an array .*; nor does it with channels first")])
def test_what_is_refused_is_said(text, old, new, says, layer):
    with pytest.raises(ValueError, match=says):
        student.load(layer(text, old, new))


def test_a_hint_explains_most_of_what_is_wrong(layer):
    """A sign that is wrong in the smaller part of what is wrong is no hint; neither are fewer arguments an obstacle."""
    sign = student.load(layer(NEURON, "return dcurrent", "return -dcurrent"))
    assert student.likely(sign)[0] == "gradient of current: has the wrong sign"
    mixed = student.load(layer(NORM, "return dx, (dy * h).sum(axis=axes), dy", "return dx ** 2, (dy * h).sum(axis=axes), -dy"))
    assert student.likely(mixed) == []


def test_a_file_with_other_arguments_is_told_what_to_do(layer):
    with pytest.raises(ValueError, match=r"temporal is forward.z_in, w, threshold. and backward.dz_out, cache, .*; fix what else it takes"):
        student.load(layer("OPERATION = 'temporal'\ndef forward(z_in, w, b):\n    return w[b], 0\ndef backward(dz, cache):\n    return dz"))
    with pytest.raises(ValueError, match=r"checked by --numpy layer.py, with BETA"):
        student.load(layer("OPERATION = 'leaky'\ndef forward(current, beta):\n    return 0, 0\ndef backward(ds, cache):\n    return ds"))
