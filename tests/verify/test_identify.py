"""`identify` names conventions from spikes and gradients alone, and names none for layers that follow none."""

import json

import numpy as np
import pytest

from pysnn.conventions import CONVENTION_WORDS, CONVENTIONS, RULES, SURROGATES, Convention, Rule, Surrogate
from pysnn.reference import integrate_fire
from pysnn.verify import zoo
from pysnn.verify.frameworks.adapters import BlackBox, from_callables, from_operation
from pysnn.verify.identify import identify
from pysnn.verify.identify._integrate_fire import gradient_of, spikes_of


def random_convention(k):
    rng = np.random.default_rng(100 + k)
    rule = Rule(*(words[rng.integers(2)] for words in RULES.values()))
    kind = SURROGATES["kind"][k % len(SURROGATES["kind"])]
    slope = float(np.exp(rng.uniform(np.log(0.3), np.log(40))))
    return Convention(rule, Surrogate(kind, slope), bool(rng.integers(2))), float(rng.choice([0.5, 0.75, 1.0, 2.0]))


def without_state(layer):
    return layer._replace(state=None)


# ------------------------------------------------------------------------------------------------------------------ names

@pytest.mark.parametrize("k", range(20))
def test_names_random_conventions(k):
    wanted, threshold = random_convention(k)
    found = identify(from_operation(wanted, threshold), threshold)
    got = found.convention
    assert got is not None, str(found)
    assert got.rule == wanted.rule and got.detach_reset == wanted.detach_reset and got.surrogate.kind == wanted.surrogate.kind
    assert got.surrogate.slope == pytest.approx(wanted.surrogate.slope, rel=1e-9)
    assert found.evidence["precision"] == "float64" and found.evidence["gradient error"] <= 1e-12
    assert found.evidence["large currents"] == "agree"


def test_random_conventions_are_diverse():
    drawn = [random_convention(k)[0] for k in range(20)]
    assert len({c.rule for c in drawn}) >= 6 and {c.detach_reset for c in drawn} == {True, False}
    assert {c.surrogate.kind for c in drawn} == set(SURROGATES["kind"])


@pytest.mark.parametrize("name", [name for name, c in CONVENTIONS.items() if c.surrogate])
def test_names_the_presets(name):
    found = identify(from_operation(CONVENTIONS[name]))
    assert name in found.evidence["presets"] and found.convention[:3] == CONVENTIONS[name][:3]
    assert name in str(found)


@pytest.mark.parametrize("slope", [25.0, 0.1, 1 / 3])
@pytest.mark.parametrize("kind", SURROGATES["kind"])
def test_slopes_come_out_as_short_as_they_are(kind, slope):
    found = identify(from_operation(Convention(surrogate=Surrogate(kind, slope))))
    assert found.convention.surrogate.slope == pytest.approx(slope, rel=1e-15 if slope != 1 / 3 else 1e-12)


@pytest.mark.parametrize("reset", RULES["reset"])
def test_timing_without_the_potential_is_open_and_says_so(reset):
    same, later = (identify(without_state(from_operation(Convention(Rule(reset, timing))))) for timing in ("same", "next"))
    assert same.convention == later.convention and same.convention.rule.timing == "same"
    assert same.evidence["timing"] is None and any("open" in line for line in later.why)


@pytest.mark.parametrize("kind", SURROGATES["kind"])
def test_names_float32(kind):
    wanted = Convention(Rule(fire=">"), Surrogate(kind, 3.0), False)
    found = identify(from_operation(wanted, op=zoo.FAULTS["float32_inside"].inject(integrate_fire)))
    assert found.convention[:3] == wanted[:3] and found.evidence["precision"] == "float32"
    assert any("float32" in line for line in found.why)


def test_is_the_gradient_of_the_reference():
    """The forward-mode gradient that layers are held against is that of the reference, in every convention."""
    rng = np.random.default_rng(1)
    current, dspikes = rng.normal(0.3, 0.8, (9, 4, 3)), rng.normal(size=(9, 4, 3))
    for k in range(20):
        convention, threshold = random_convention(k)
        layer = from_operation(convention, threshold)
        np.testing.assert_array_equal(spikes_of(convention, current, threshold), layer.forward(current))
        got, ref = gradient_of(convention, current, dspikes, threshold), layer.vjp(current, dspikes)
        assert np.abs(got - ref).max() <= 1e-12 * np.abs(ref).max() > 0


# -------------------------------------------------------------------------------------------------------------- no name

@pytest.mark.parametrize("fault, says", [("recorded_late", "one step late"), ("surrogate_off_centre", "peak at V = 0"),
                                         ("state_gradient_lost", "gradient of the state is lost"), ("sigmoid_overflow", "is nan at")])
def test_no_name_for_faults_of_the_zoo(fault, says):
    found = identify(from_operation(Convention(), op=zoo.FAULTS[fault].inject(integrate_fire)))
    assert found.convention is None and says in found.why[-1], str(found)


@pytest.mark.parametrize("reset", RULES["reset"])
@pytest.mark.parametrize("fault", ["recorded_late", "surrogate_off_centre", "state_gradient_lost"])
def test_no_name_in_other_conventions_either(fault, reset):
    wanted = Convention(Rule(reset, "next", ">"), Surrogate("atan", 5.0), False)
    assert identify(from_operation(wanted, 0.75), 0.75).convention is not None
    assert identify(from_operation(wanted, 0.75, zoo.FAULTS[fault].inject(integrate_fire)), 0.75).convention is None


def test_attached_reset_is_a_convention_of_its_own():
    found = identify(from_operation(Convention(), op=zoo.FAULTS["attached_reset"].inject(integrate_fire)))
    assert found.convention[:3] == Convention(detach_reset=False)[:3]


def odd(leak=1.0, floor=-np.inf, threshold=1.0, reset="zero", scale=1.0, back=1.0, couple=0.0):
    """Write a neuron by hand, wrong in one place."""
    def run(current):
        v, seen, fired = np.zeros(current.shape[1:]), [], None
        for x in current:
            lost = fired if reset == "late" and fired is not None else 0.0
            v = np.maximum(leak * v + x, floor) * (1 - lost)
            v = v - couple * (v.sum(axis=-1, keepdims=True) - v)
            fired = (v >= threshold) * 1.0
            seen.append((v, fired))
            v = v * (1 - fired) if reset == "zero" else v - fired * 2 * threshold if reset == "twice" else v
            v = np.where(fired > 0, -0.5, v) if reset == "below" else v
        return seen

    def vjp(current, dspikes):
        dv, grads = np.zeros(current.shape[1:]), []
        for (v, fired), ds in zip(reversed(run(current)), dspikes[::-1], strict=True):
            dv = back * dv * (1 - fired) + scale * ds / (1 + (np.pi * (v - threshold)) ** 2)
            grads.insert(0, dv)
            dv = leak * dv
        return np.stack(grads)
    return from_callables(lambda current: np.stack([s for _, s in run(current)]), vjp)


@pytest.mark.parametrize("fault, says", [
    ({"floor": 0.0}, "below zero"), ({"floor": -2.0}, "below zero"), ({"leak": 0.9, "floor": 0.0}, "below zero"),
    ({"threshold": 1.25}, "does not fire at 1"), ({"threshold": 0.7}, "below the threshold"), ({"reset": "late"}, "next current"),
    ({"reset": "none"}, "never resets"), ({"reset": "twice"}, "below 0"), ({"reset": "below"}, "below 0"),
    ({"scale": 0.0}, "no gradient"), ({"back": 0.5}, "gradients through time"), ({"back": 0.0}, "state is lost"),
    ({"couple": 0.1}, "act on one another")])
def test_no_name_for_neurons_written_wrong(fault, says):
    found = identify(odd(**fault))
    assert found.convention is None and says in found.why[-1], str(found)


def test_the_neuron_written_by_hand_is_right_without_a_fault():
    assert identify(odd()).convention[:3] == Convention(Rule("zero"))[:3]


@pytest.mark.parametrize("leak", [0.9, 1 - 2.0 ** -9, 1 - 2.0 ** -16, 1 - 2.0 ** -30])
def test_a_small_leak_is_seen(leak):
    found = identify(odd(leak=leak)).convention
    assert found[:3] == Convention(Rule("zero"))[:3] and abs(found.beta - leak) < 1e-14


def test_no_name_for_graded_random_and_lasting_layers():
    layer, rng, calls = from_operation(Convention()), np.random.default_rng(0), []

    def lasting(current):
        calls.append(1)
        return layer.forward(current + (len(calls) > 1) * 0.125)
    for forward, says in ((lambda x: layer.forward(x) / 2, "0 and 1"), (lambda x: (rng.random(x.shape) < 0.5) * 1.0, "random"),
                          (lasting, "kept between")):
        found = identify(BlackBox(forward, layer.vjp))
        assert found.convention is None and says in found.why[-1], str(found)


def test_large_currents_that_depart_are_told():
    """What follows a convention for small currents only gets its name, with the limit."""
    layer = from_operation(Convention())

    def forward(current):
        return layer.forward(np.minimum(current, 2.0))
    found = identify(BlackBox(forward, layer.vjp, state=layer.state))
    assert found.convention is not None and found.evidence["large currents"] == "differ" and "but only while" in found.why[-1]


def test_an_even_smaller_error_of_the_gradient_has_no_name():
    layer = from_operation(Convention())
    for size, named in ((1e-4, False), (1e-7, True), (1e-13, True)):
        found = identify(BlackBox(layer.forward, lambda x, d, size=size: layer.vjp(x, d) * (1 + size * np.sign(x)), state=layer.state))
        assert (found.convention is not None) == named, str(found)
    assert found.evidence["precision"] == "float64"


# ---------------------------------------------------------------------------------------------------------------- bad input

@pytest.mark.parametrize("threshold", [0.7, 0.0, -1.0, np.inf, 100.0])
def test_thresholds_that_sums_do_not_meet_exactly_are_refused(threshold):
    with pytest.raises(ValueError, match="threshold"):
        identify(from_operation(Convention()), threshold)


def test_what_is_found_goes_into_json():
    named, none = identify(from_operation(Convention())), identify(odd(couple=0.1))
    got = json.loads(json.dumps([named.to_dict(), none.to_dict()], allow_nan=False))
    assert got[0]["convention"]["rule"] == {"reset": "subtract", "timing": "same", "fire": ">="}
    assert got[0]["evidence"]["presets"] == ["pysnn"]
    assert got[0]["convention"]["surrogate"] == {"kind": "atan", "slope": 2.0}
    assert got[1]["convention"] is None and "act on one another" in got[1]["why"][-1]


def test_presets_hold_known_words():
    for convention in CONVENTIONS.values():
        assert all(getattr(convention, field) in words for field, words in CONVENTION_WORDS.items())
        assert convention.rule.codes and (convention.surrogate is None or convention.surrogate.code >= 0)
    assert set(CONVENTIONS) == {"pysnn", "spikingjelly-2.0", "snntorch-1.0", "norse-1.1", "proxy-authors"}
