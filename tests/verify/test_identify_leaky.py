"""`identify` names leaky neurons, numbers and all, from spikes and gradients alone, and says what is wrong with those that have no name."""

import json
import re

import numpy as np
import pytest

from pysnn.conventions import LEAKY_RULES, SURROGATES, Rule, Surrogate
from pysnn.operations import Pair
from pysnn.reference import leaky
from pysnn.verify.conventions import LEAKY_CONVENTIONS, LeakyNeuron
from pysnn.verify.frameworks.adapters import BlackBox, from_callables, from_operation
from pysnn.verify.identify import _leaky, identify
from pysnn.verify.identify._ask import Subject
from pysnn.verify.witness.surrogates import soft_step
from pysnn.verify.zoo.leaky import FAULTS
from tests.cases import ROOT

PLAIN = LeakyNeuron(Rule(), Surrogate("atan", 2.0), True, 0.875)


def random_neuron(k):
    """Draw a neuron, its threshold, and the number of neurons where spikes come back.

    Left out is what no spike and no gradient of the current shows: without a reset, which decay is that of the potential; with an attached
    subtraction, or no reset, what of it is a weight from each neuron to itself.
    """
    rng = np.random.default_rng(500 + k)
    reset, detach, gain = LEAKY_RULES["reset"][k % 3], bool(rng.integers(2)), LEAKY_RULES["gain"][rng.integers(2)]
    timing, order = (("same", "reset first"), ("next", "reset first"), ("next", "leak first"))[rng.integers(3)]
    if reset == "none":
        timing, order, detach = "same", "reset first", True
    rule = Rule(reset, timing, LEAKY_RULES["fire"][rng.integers(2)], gain, order)
    surrogate = Surrogate(SURROGATES["kind"][k % 4], float(np.exp(rng.uniform(np.log(0.3), np.log(40)))))
    alpha = float(rng.uniform(0.05, 0.95)) if rng.integers(2) and reset != "none" else None
    scale = float(np.exp(rng.uniform(-1, 1))) if gain == "1" and rng.integers(2) else 1.0
    n = int(rng.integers(1, 6)) if rng.integers(3) == 0 else None
    w_rec = None if n is None else rng.normal(0, 0.5, (n, n))
    if n is not None and (reset == "none" or (reset == "subtract" and not detach)):
        np.fill_diagonal(w_rec, 0)
    return LeakyNeuron(rule, surrogate, detach, float(rng.uniform(0.05, 0.99)), alpha, scale, w_rec), float(rng.choice([0.5, 1.0, 2.0])), n


def same(got, wanted, miss=1e-12):
    """Say whether two neurons are the same, numbers within `miss`."""
    def numbers(neuron):
        return neuron.beta, neuron.alpha or 0.0, neuron.scale, neuron.surrogate.slope / wanted.surrogate.slope
    weights = [np.zeros(1) if x.w_rec is None else x.w_rec for x in (got, wanted)]
    off = max(np.abs(np.subtract(numbers(got), numbers(wanted))).max(), np.abs(weights[0] - weights[1]).max())
    words = [(x.rule, x.detach_reset, x.surrogate.kind) for x in (got, wanted)]
    return words[0] == words[1] and off <= 10 * miss


# ------------------------------------------------------------------------------------------------------------------ names

@pytest.mark.parametrize("k", range(30))
def test_names_random_conventions(k):
    wanted, threshold, n = random_neuron(k)
    found = identify(from_operation(wanted, threshold), threshold, n)
    assert found.convention is not None and same(found.convention, wanted), str(found)
    assert found.evidence["precision"] == "float64" and found.evidence["gradient error"] <= 1e-12
    assert found.evidence["large currents"] == "agree"


def test_random_conventions_are_diverse():
    drawn = [random_neuron(k) for k in range(30)]
    rules = [neuron.rule for neuron, *_ in drawn]
    assert all({getattr(rule, field) for rule in rules} == set(words) for field, words in LEAKY_RULES.items())
    assert {neuron.surrogate.kind for neuron, *_ in drawn} == set(SURROGATES["kind"])
    assert {neuron.alpha is None for neuron, *_ in drawn} == {neuron.scale == 1 for neuron, *_ in drawn} == {True, False}
    assert {neuron.detach_reset for neuron, *_ in drawn} == {True, False}
    assert sum(neuron.w_rec is not None for neuron, *_ in drawn) >= 5


@pytest.mark.parametrize("name", [name for name, c in LEAKY_CONVENTIONS.items() if c.surrogate])
def test_names_the_presets(name):
    preset = LEAKY_CONVENTIONS[name]
    w_rec = np.random.default_rng(0).normal(0, 0.4, (3, 3)) if preset.w_rec else None
    neuron = LeakyNeuron(*preset[:3], 0.9, 0.75 if preset.alpha else None, 1.0, w_rec)
    found = identify(from_operation(neuron), n=3 if preset.w_rec else None)
    assert name in found.evidence["presets"] and name in str(found), str(found)
    assert same(found.convention, neuron)


def test_numbers_come_out_as_short_as_they_are():
    found = identify(from_operation(PLAIN._replace(beta=0.9, alpha=0.35, scale=2.5))).convention
    assert (found.beta, found.alpha, found.scale) == (0.9, 0.35, 2.5)


def test_decays_that_are_equal():
    neuron = PLAIN._replace(beta=0.8, alpha=0.8)
    found = identify(from_operation(neuron))
    assert found.convention is not None and same(found.convention, neuron), str(found)


def test_recurrent_weights_that_are_not_there():
    found = identify(from_operation(PLAIN), n=3)
    assert same(found.convention, PLAIN) and any("no spike comes back" in line for line in found.why)


def test_what_does_not_show_is_told():
    without = BlackBox(*from_operation(PLAIN)[:2])
    assert any("is open" in line for line in identify(without).why) and identify(without).convention.rule.timing == "same"
    two = identify(from_operation(PLAIN._replace(rule=Rule("none"), beta=0.5, alpha=0.75)))
    assert {two.convention.beta, two.convention.alpha} == {0.5, 0.75} and any("beta may be alpha" in line for line in two.why)
    attached = PLAIN._replace(rule=Rule(timing="next"), detach_reset=False, w_rec=np.array([[0.25]]))
    assert any("as well" in line for line in identify(from_operation(attached), n=1).why)


@pytest.mark.parametrize("neuron", [PLAIN, PLAIN._replace(rule=Rule("zero", fire=">", gain="1 - beta"), beta=0.8, detach_reset=False),
                                    PLAIN._replace(rule=Rule(timing="next", fire=">", order="leak first"), alpha=0.6, beta=0.9)])
def test_names_float32(neuron):
    single = Pair(lambda x, *rest: leaky.forward(x.astype(np.float32), *rest),
                  lambda d, *rest: [g if g is None else g.astype(float) for g in leaky.backward(d.astype(np.float32), *rest)])
    found = identify(from_operation(neuron, op=single))
    assert found.convention is not None and same(found.convention, neuron, 1e-6), str(found)
    assert found.evidence["precision"] == "float32" and any("float32" in line for line in found.why)


def test_is_the_gradient_of_the_reference():
    """The forward-mode gradient that layers are held against is that of the reference, in every convention."""
    rng = np.random.default_rng(1)
    for k in range(12):
        neuron, threshold, n = random_neuron(k)
        current, dspikes = rng.normal(0.3, 0.8, (9, 4, n or 3)), rng.normal(size=(9, 4, n or 3))
        layer, subject = from_operation(neuron, threshold), Subject(None, threshold, n, [], {})
        np.testing.assert_array_equal(_leaky.run(subject, neuron, current)[0], layer.forward(current))
        got, ref = _leaky.gradient_of(subject, neuron, current, dspikes), layer.vjp(current, dspikes)
        assert np.abs(got - ref).max() <= 1e-12 * np.abs(ref).max() > 0


def test_what_is_found_goes_into_json():
    neuron = PLAIN._replace(w_rec=np.array([[0.0, 0.5], [-0.25, 0.0]]))
    got = json.loads(json.dumps(identify(from_operation(neuron), n=2).to_dict(), allow_nan=False))["convention"]
    assert got["rule"]["gain"] == "1" and got["beta"] == 0.875 and got["alpha"] is None
    np.testing.assert_allclose(got["w_rec"], neuron.w_rec, rtol=0, atol=1e-14)


# -------------------------------------------------------------------------------------------------------------- no name

THETA, BETA, ALPHA = 1.0, 0.875, 0.5


def slope_of(x):
    return soft_step(x + 1e-20j, Surrogate()).imag / 1e-20


class Broken:
    """A leaky neuron written by hand, with reset by subtraction at the next step, behind leak and current, wrong in one place.

    One step: i <- alpha i + x, u <- beta v + i - taken s, fires at u >= threshold; v <- u.
    """

    beta = beta_back = BETA
    alpha = alpha_back = ALPHA
    taken = taken_back = THETA
    detach, floor, ceiling, input_too, lag, couple = True, -np.inf, np.inf, False, 0, 0.0

    def __init__(self, **wrong):
        for name, value in wrong.items():
            setattr(self, name, value)

    def run(self, current):
        v, i, s = np.zeros((3, *current.shape[1:]))
        seen = []
        for x in current:
            i = self.alpha * i + x
            v = (self.beta * (v + i) if self.input_too else self.beta * v + i) - self.taken * s
            v = np.minimum(np.maximum(v, self.floor), self.ceiling)
            v = v - self.couple * (v.sum(axis=-1, keepdims=True) - v)
            s = (v >= THETA) * 1.0
            seen.append((v, s))
        return seen

    def forward(self, current):
        spikes = np.stack([s for _, s in self.run(current)])
        return np.concatenate([np.zeros_like(spikes[:self.lag]), spikes[:len(spikes) - self.lag]])

    def surrogate(self, seen, t):
        return slope_of(seen[t][0] - THETA)

    def vjp(self, current, dspikes):
        seen, di, dv, grads = self.run(current), 0.0, 0.0, []
        for t in reversed(range(len(seen))):
            ds = dspikes[t] - (0 if self.detach else self.taken_back * dv)
            dv = self.beta_back * dv + self.surrogate(seen, t) * ds
            di = self.alpha_back * di + (self.beta if self.input_too else 1) * dv
            grads.insert(0, di)
        return np.stack(grads)


def test_the_neuron_written_by_hand_is_right_without_a_fault():
    for detach in (True, False):
        found = identify(from_callables(Broken(detach=detach).forward, Broken(detach=detach).vjp))
        wanted = LeakyNeuron(Rule(timing="next", order="leak first"), Surrogate(), detach, BETA, ALPHA)
        assert found.convention is not None and same(found.convention, wanted), str(found)


def test_large_currents_that_depart_are_told():
    found = identify(from_callables(Broken(ceiling=2.5).forward, Broken().vjp))
    assert found.convention is not None and found.evidence["large currents"] == "differ" and "four times" in found.why[-1], str(found)


class WrongStep(Broken):
    def surrogate(self, seen, t):
        return slope_of((seen[t - 1][0] if t else 0 * seen[t][0]) - THETA)


class AfterTheReset(Broken):
    def surrogate(self, seen, t):
        return slope_of(seen[t][0] - THETA * seen[t][1] - THETA)


class Lasting(Broken):
    calls = 0

    def forward(self, current):
        self.calls += 1
        return super().forward(current + (self.calls > 1) * 0.125)


class Random(Broken):
    rng = np.random.default_rng(0)

    def forward(self, current):
        return (self.rng.random(current.shape) < 0.5) * 1.0


BROKEN = {
    "leak applied to the input": (Broken(input_too=True, alpha=0.0, alpha_back=0.0), "the leak takes the current of its own step"),
    "another beta in backward": (Broken(beta_back=0.75), "backward decays otherwise"),
    "no leak in backward": (Broken(beta_back=1.0, alpha=0.0, alpha_back=0.0), "backward has no leak"),
    "another size in backward": (Broken(detach=False, taken_back=BETA), "from the next step in forward, and 0.875 in backward"),
    "reset of another size": (Broken(taken=1.25), "takes 1.25 thresholds"),
    "surrogate of the step before": (WrongStep(), "another potential than the one that is compared"),
    "surrogate after the reset": (AfterTheReset(), "at the potential after the reset"),
    "alpha lost in backward": (Broken(alpha_back=0.0), "gradient of the synaptic current is lost"),
    "beta lost in backward": (Broken(beta_back=0.0), "gradient of the potential is lost"),
    "nothing flows back": (Broken(beta_back=0.0, alpha_back=0.0), "gradient of the state is lost"),
    "state kept between runs": (Lasting(), "kept between runs"),
    "neurons act on one another": (Broken(couple=0.1), "act on one another"),
    "random spikes": (Random(), "random"),
    "spikes one step late": (Broken(lag=1), "recorded one step late"),
    "spikes two steps late": (Broken(lag=2), "2 steps late"),
    "nothing below zero": (Broken(floor=0.0), "below zero"),
    "no memory": (Broken(beta=0.0, alpha=0.0), "nothing of a current is left"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_no_name_for_broken_neurons(name):
    layer, says = BROKEN[name]
    found = identify(from_callables(layer.forward, layer.vjp))
    assert found.convention is None and says in found.why[-1], str(found)


@pytest.mark.parametrize("fault, says", [("reset_late", "comes one step late"), ("gain_forgotten", "lacks the gain")])
def test_no_name_for_faults_of_the_zoo(fault, says):
    neuron = PLAIN._replace(rule=Rule("subtract", "next", ">", "1 - beta"))
    found = identify(from_operation(neuron, op=FAULTS[fault].inject(leaky)))
    assert found.convention is None and says in found.why[-1], str(found)


def test_no_name_where_recurrent_spikes_are_constant_in_backward():
    neuron = PLAIN._replace(w_rec=np.array([[0.0, 0.5], [-0.75, 0.0]]))
    found = identify(from_operation(neuron, op=FAULTS["recurrence_is_constant"].inject(leaky)), n=2)
    assert found.convention is None and "come back count as constants in backward" in found.why[-1], str(found)


def test_no_name_for_a_reset_to_a_value():
    class ToAValue(Broken):
        def run(self, current):
            v, seen = np.zeros(current.shape[1:]), []
            for x in current:
                v = BETA * v + x
                seen.append((v, (v >= THETA) * 1.0))
                v = np.where(v >= THETA, 0.25, v)
            return seen
    found = identify(from_callables(ToAValue().forward, ToAValue().vjp))
    assert found.convention is None and "sets the potential to 0.25" in found.why[-1] and found.evidence["reset"] == "to 0.25 thresholds"


def test_the_how_to_page(capsys):
    """Run the code of the page in order; what it prints is what stands there, errors aside."""
    page = (ROOT / "docs/howto/identify-a-neuron.md").read_text(encoding="utf-8")
    space, printed, shown = {}, "", 0
    for kind, text in re.findall(r"```(python|text)\n(.*?)```", page, flags=re.S):
        if kind == "python":
            exec(compile(text, "identify-a-neuron.md", "exec"), space)
            printed = capsys.readouterr().out
        else:
            shown += 1
            assert re.sub(r"\de-\d+", "", printed) == re.sub(r"\de-\d+", "", text)
    assert shown == 2


@pytest.mark.parametrize("n", [0, 1.5, "2"])
def test_a_wrong_number_of_neurons_is_refused(n):
    with pytest.raises(ValueError, match="n: expected a whole number of at least 1, got"):
        identify(from_operation(PLAIN), n=n)
