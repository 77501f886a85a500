"""The conformance matrix: profiles and known failures as files, the equation, and faults that each case must catch."""

import json
import re

import numpy as np
import pytest

from pysnn.conventions import Rule, Surrogate
from pysnn.reference import leaky
from pysnn.verify.conformance import SUITE, equation, node, profile, run, subjects
from pysnn.verify.conformance.run import BUG, CONVENTION, NOT_SUPPORTED, PRECISION, REPAIRED, RIGHT, UNEXPECTED
from tests.cases import ROOT

WHO = "own", "1.2.0", "neuron"
LEAKY = profile.Profile(beta=0.75, detach=True, learnable={})


def forward(x, rule=Rule()):
    return leaky.forward(np.ascontiguousarray(x), 0.75, 1.0, 0.0, rule)


def backward(x, d, rule=Rule()):
    return leaky.backward(np.ascontiguousarray(d), forward(x, rule)[2]).dcurrent


def asked(p=LEAKY, spikes=None, grad=None, case=None, known=()):
    """Ask a neuron that is ours but for a change."""
    made = node.PairNode(spikes or (lambda x: forward(x)[0]), grad or backward)
    return {c.case: c for c in run.run(made, p, WHO, case and [case], known)}


# --------------------------------------------------------------------------------------------------------------- the equation

@pytest.mark.parametrize("rule, alpha, detach, kind", [
    (Rule(), None, True, "atan"), (Rule("zero"), None, False, "sigmoid"), (Rule("zero", "next", ">"), 0.5, True, "fast_sigmoid"),
    (Rule("subtract", "next", ">", order="leak first"), None, False, "triangle"), (Rule("zero", gain="1 - beta"), 0.5, False, "atan"),
    (Rule("none"), None, True, "atan"), (Rule("zero", "next", order="leak first"), None, False, "sigmoid")])
def test_the_equation_is_that_of_the_reference(rule, alpha, detach, kind):
    rng = np.random.default_rng(0)
    x, down = rng.normal(0.6, 1.0, (9, 2, 3)), rng.normal(size=(9, 2, 3))
    x = x * (4 if rule.gain != "1" else 1)
    p = profile.Profile(beta=0.75, gain=0.25 if rule.gain != "1" else 1.0, reset=rule.reset, timing=rule.timing, order=rule.order,
                        fire=rule.fire, detach=detach, synapse="none" if alpha is None else "after", alpha=alpha or 0.0,
                        surrogate=(kind, 2.0), learnable={"b": {"beta": "x"}, "th": {"threshold": "x"}} if rule.gain == "1" else {})
    numbers = {"b": 0.75, "th": 1.0} if p.learnable else {}
    got = equation.truth(p, x, down, numbers)
    spikes, _, cache = leaky.forward(x, 0.75, 1.0, 0.0, rule, alpha)
    ref = leaky.backward(down, cache, surrogate=Surrogate(kind, 2.0), detach_reset=detach)
    assert 0 < spikes.mean() < 1 and np.array_equal(got.spikes, spikes)
    np.testing.assert_allclose(got.dcurrent, ref.dcurrent, rtol=0, atol=1e-12)
    if numbers:
        assert got.dparameters["b"] == pytest.approx(ref.dbeta, rel=1e-9)
        assert got.dparameters["th"] == pytest.approx(ref.dthreshold, rel=1e-9)


@pytest.mark.parametrize("words, value, slope", [
    ("x", 0.5, 1), ("1 - x", 0.5, -1), ("1/x", 2, -4), ("exp(-0.25/x)", np.exp(-0.5), np.exp(-0.5)),
    ("1 - sigmoid(x)", 1 - 1 / (1 + np.exp(-0.5)), -0.2350037)])
def test_functions_of_parameters(words, value, slope):
    got = equation.function(words)(equation.DualArray(np.array([0.5]), np.ones((1, 1))))
    assert got.value[0] == pytest.approx(value) and got.tangents[0, 0] == pytest.approx(slope, rel=1e-6)


def test_several_spikes_a_step():
    p = profile.Profile(most=3, reset="subtract")
    ref = equation.truth(p, np.array([2.25, 0.0, 8.0, 0.0])[:, None, None], np.ones((4, 1, 1)))
    assert ref.spikes.ravel().tolist() == [2, 0, 3, 3] and ref.margin[0, 0] == 0.25


# ------------------------------------------------------------------------------------------------------- what each case must catch

def test_ours_is_right():
    found = asked()
    assert set(found) == set(run.CASES) and {c.outcome for c in found.values()} == {RIGHT, NOT_SUPPORTED}
    assert all(c.says for c in found.values())
    assert {name for name, c in found.items() if c.outcome == NOT_SUPPORTED} == {
        "single-step", "two-calls", "evaluation", "second-backward", "parameters"}


def segments(x, d):
    """Back-propagation cut every 8 steps."""
    parts, v = [], None
    for t in range(0, len(x), 8):
        out = leaky.forward(np.ascontiguousarray(x[t:t + 8]), 0.75, 1.0, 0.0 if v is None else v)
        parts.append(leaky.backward(np.ascontiguousarray(d[t:t + 8]), out[2]).dcurrent)
        v = out[1]
    return np.concatenate(parts)


def blocks(x, d):
    """A fault in blocks of 8 neurons."""
    g = backward(x, d)
    g[..., 8:16] *= 0.5
    return g


def spread(x, d):
    """A gradient divided by the largest of the batch, and multiplied again."""
    g = backward(x, d)
    return g / np.abs(d).max() * np.abs(d).max() if np.isfinite(x).all() else np.full(x.shape, np.nan)


def late(x):
    return np.concatenate([np.zeros((1, *x.shape[1:])), forward(x)[0][:-1]])


def shared(x):
    """Normalised over the batch."""
    return forward(x - x.mean(axis=1, keepdims=True))[0]


def as_it_lies(x):
    """Take memory from its beginning, whatever the strides."""
    return x if x.base is None else np.ndarray(x.shape, x.dtype, np.ascontiguousarray(x.base))


COUNT = []
FAULTS = {
    "cut every 8 steps": ({"grad": segments}, "gradient"), "blocks of 8": ({"grad": blocks}, "gradient"),
    "cut at 10": ({"grad": lambda x, d: backward(x, np.clip(d, -10, 10))}, "upstream"),
    "no reset": ({"spikes": lambda x: forward(x, Rule("none"))[0]}, "spikes"),
    "late": ({"spikes": late}, "threshold"), "above": ({"spikes": lambda x: forward(x, Rule(fire=">"))[0]}, "threshold"),
    "shape": ({"spikes": lambda x: forward(x)[0].sum(axis=0)}, "shape"), "halves": ({"spikes": lambda x: 0.5 * forward(x)[0]}, "shape"),
    "batch": ({"spikes": shared}, "batch"), "float32": ({"spikes": lambda x: forward(x)[0].astype(np.float32)}, "dtype"),
    "neurons": ({"spikes": lambda x: forward(x + 0.5 * x.sum(axis=2, keepdims=True))[0]}, "neurons"),
    "random": ({"spikes": lambda x: forward(x + 0.2 * (COUNT.append(0) or len(COUNT) % 2))[0]}, "repeat"),
    "written": ({"grad": lambda x, d: (backward(x, d), d.fill(0))[0]}, "input-kept"),
    "stops at 130": ({"spikes": lambda x: forward(np.where(np.arange(len(x))[:, None, None] < 100, x, 0))[0]}, "spikes"),
    "overflow": ({"spikes": lambda x: forward(np.clip(x, -3, 3))[0]}, "large"),
    "rectified": ({"spikes": lambda x: forward(np.maximum(x, 0))[0]}, "negative"),
    "NaN far away": ({"grad": lambda x, d: backward(x, d) * np.where(np.abs(x) > 1e4, np.nan, 1)}, "far"),
    "NaN spreads": ({"grad": spread}, "nan"),
    "strides": ({"grad": lambda x, d: backward(as_it_lies(x), d)}, "strided"),
    "raises": ({"grad": lambda x, d: 1 / 0}, "gradient"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught(fault):
    change, case = FAULTS[fault]
    found = asked(**change)[case]
    assert found.outcome == UNEXPECTED and not found.ok and found.says


@pytest.mark.parametrize("change, case, outcome", [
    ({"detach": False}, "gradient", UNEXPECTED), ({"surrogate": ("atan", 2.5)}, "gradient", UNEXPECTED),
    ({"beta": 0.8}, "spikes", UNEXPECTED),
    ({"fire": ">"}, "threshold", UNEXPECTED), ({"reset": "zero"}, "spikes", UNEXPECTED), ({"dtype": "float32"}, "dtype", RIGHT),
    ({"equation": False}, "gradient", NOT_SUPPORTED), ({"delay": 1}, "spikes", UNEXPECTED)])
def test_a_profile_is_taken_at_its_word(change, case, outcome):
    assert asked(LEAKY._replace(**change))[case].outcome == outcome


def test_conventions_and_precision_are_declared():
    above = asked(LEAKY._replace(fire=">"), lambda x: forward(x, Rule(fire=">"))[0], lambda x, d: backward(x, d, Rule(fire=">")))
    assert above["threshold"].outcome == CONVENTION and above["spikes"].outcome == RIGHT
    assert asked(LEAKY._replace(dtype="float32"), lambda x: forward(x)[0].astype(np.float32))["dtype"].outcome == PRECISION
    delayed = asked(LEAKY._replace(delay=1), late, lambda x, d: backward(x, np.concatenate([d[1:], 0 * d[:1]])))
    assert (delayed["spikes"].outcome, delayed["gradient"].outcome) == (CONVENTION, RIGHT)


# -------------------------------------------------------------------------------------------------------------------- files

def known(versions="==1.2.0", case="threshold"):
    return [profile.Known("own", versions, "neuron", case, "it is known", "not reported")]


def test_a_known_failure_is_a_bug_and_a_repaired_one_a_failure():
    fault = {"spikes": lambda x: forward(x, Rule(fire=">"))[0], "case": "threshold"}
    c = asked(**fault, known=known())["threshold"]
    assert c.outcome == BUG and c.ok and "it is known" in c.says and c.link == "not reported"
    c = asked(case="threshold", known=known())["threshold"]
    assert c.outcome == REPAIRED and not c.ok and "delete the line" in c.says
    assert asked(**fault, known=known("<1.2"))["threshold"].outcome == UNEXPECTED
    assert asked(**fault, known=known("==1.2"))["threshold"].outcome == BUG


@pytest.mark.parametrize("versions, holds", [
    ("*", True), ("==1.0", False), (">=1.0,<2", True), (">1.2.0", False), ("<=1.2", True), ("1.2.0", True)])
def test_versions(versions, holds):
    assert known(versions)[0].holds("1.2.0+cpu") == holds


@pytest.mark.parametrize("text, words", [
    ("a | ==1 | b | c | d", "expected framework | versions"), ("a | about 1 | b | c | d | e", "expected versions such as"),
    ("a | ==1 | b |  | d | e", "expected framework | versions")])
def test_lines_that_cannot_be_read(tmp_path, text, words):
    (tmp_path / "k.txt").write_text(f"# a comment\n\n{text}\n")
    with pytest.raises(ValueError, match=re.escape(words)) as error:
        profile.read_known(tmp_path / "k.txt")
    assert "k.txt:3" in str(error.value)


@pytest.mark.parametrize("fields, words", [
    ('{"beeta": 1}', "got 'beeta'"), ('{"fire": "="}', "expected fire to be one of >=, >"), ('{"reset": "half"}', "expected reset"),
    ('{"beta": "x"}', "expected beta to be a number"), ('{"detach": 1}', "true or false"), ('{"surrogate": ["step", 1]}', "surrogate"),
    ('{"learnable": {"w": {"beta": "x**2"}}}', "expected functions such as"), ("[]", "expected an object"), ("{", "expected JSON")])
def test_profiles_that_cannot_be_read(tmp_path, fields, words):
    (tmp_path / "p.json").write_text(fields)
    with pytest.raises(ValueError, match=re.escape(words)):
        profile.read(tmp_path / "p.json")


def test_a_profile_of_one_neuron(tmp_path):
    (tmp_path / "mine.json").write_text('{"beta": 0.5, "reset": -0.25}')
    framework, package, neurons = profile.read(tmp_path / "mine.json")
    assert (framework, package, list(neurons)) == ("own", "", ["mine"]) and neurons["mine"].reset == -0.25


@pytest.mark.parametrize("framework", subjects.FRAMEWORKS)
def test_every_neuron_has_a_profile_and_every_line_a_neuron(framework):
    profiles = subjects.profiles(framework)
    assert set(profiles) == set(subjects.makers(framework))
    for line in subjects.known(framework):
        assert line.framework == framework and line.neuron in profiles and line.case in run.CASES
        assert line.link.startswith("https://") or (ROOT / line.link).is_file() or line.link == "not reported"


def test_summary_is_a_line():
    cells = [run.Cell("a", "1", "b", "c", outcome, "") for outcome in run.OUTCOMES]
    assert run.summary(cells, SUITE) == (f"conformance {SUITE}: 1 right, 1 convention, 1 of precision, 1 known bug, 1 not supported, "
                                         "1 unexpected, 1 repaired, 1 without an answer")
    assert run.summary(cells[:1], SUITE) == f"conformance {SUITE}: 1 right, 0 conventions, 0 known bugs, 0 unexpected"


def test_the_record_is_of_these_neurons_and_cases():
    record = json.loads((ROOT / "docs/results/conformance.json").read_text())
    assert record["suite"] == SUITE and set(record["cells"]) == set(subjects.FRAMEWORKS)
    for framework, neurons in record["cells"].items():
        assert list(neurons) == list(subjects.makers(framework))
        for cases in neurons.values():
            assert list(cases) == list(run.CASES)
            assert {found[0] for found in cases.values()} <= {RIGHT, CONVENTION, PRECISION, BUG, NOT_SUPPORTED}
    assert len(record["cells"]) >= 6 and sum(map(len, record["cells"].values())) >= 25
    assert sum(len(cases) for neurons in record["cells"].values() for cases in neurons.values()) >= 400


def test_the_specification_names_every_case():
    text = (ROOT / "docs/conformance-spec.md").read_text()
    assert f"version {SUITE}" in text.splitlines()[0]
    assert [name for name in run.CASES if f"`{name}`" not in text] == []
