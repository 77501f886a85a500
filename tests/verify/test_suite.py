"""The suite: what is right passes on every operation, what is wrong fails and is placed; the ledger as table, JSON and figure."""

import functools
import inspect
import json
import re
import runpy

import numpy as np
import pytest

from pysnn import cli, losses, training, verify
from pysnn.operations import OPERATIONS
from pysnn.reference import integrate_fire, pool, pooled_fire, temporal
from pysnn.verify import student, suite
from pysnn.verify.report import ledger
from pysnn.verify.report.ledger import Entry, Ledger
from pysnn.verify.suite import _recorder
from pysnn.verify.zoo import Op
from tests.cases import ROOT

INF = np.inf


def wrong_temporal(layer_inputs=6, at=(0, 3)):
    """Make a temporal neuron that fires 1e-6 late in one place, of layers with so many inputs."""
    def forward(z_in, w, threshold=1.0):
        z_out, cache = temporal.forward(z_in, w, threshold)
        if len(w) == layer_inputs:
            z_out = z_out.copy()
            z_out[at] = z_out[at] * (1 + 1e-6) if np.isfinite(z_out[at]) else 50.0
        return z_out, cache
    return Op(forward, temporal.backward)


def wrong_spiking(at):
    """Make an integrate-and-fire neuron whose gradient is off at one step."""
    def backward(*args):
        dcurrent, dv = integrate_fire.backward(*args)
        dcurrent[at] += 1e-3
        return dcurrent, dv
    return Op(integrate_fire.forward, backward)


@functools.cache
def few_checks(name, seed=0):
    """Run the few checks of an operation by the reference, once."""
    return suite.run([name], backend="reference", seed=seed, few=True)


# ---- right passes

EVENTS = ("event_prop", "event_max")                                         # plain Python takes seconds
ALIKE = ("leaky_double", "alpha")                                            # they share the code of leaky_equal


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in EVENTS + ALIKE)) for name in suite.NAMES])
def test_ours_pass(name):
    found = few_checks(name)
    found.raise_if_failed()
    assert sum(e.n_checked for e in found.entries) > 15 and {e.operation for e in found.entries} == {name}
    assert sum(e.skipped for e in found.entries) < 0.3 * sum(e.n_checked for e in found.entries)
    assert found.errors[name].size >= len([e for e in found.entries if e.max_error is not None])


@pytest.mark.parametrize("name", ["integrate_fire", "relu", *(pytest.param(name, marks=pytest.mark.slow) for name in EVENTS)])
def test_kernels_pass(name):
    pytest.importorskip("numba")
    found = suite.run([name], backend="numba", few=True)
    assert found.ok and {e.operation for e in found.entries} == {f"{name} (numba)"}
    assert any(e.check.startswith("reference") for e in found.entries)
    assert not any(e.check.startswith("reference") for e in suite.run([name], backend="reference", few=True).entries)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def test_other_seeds_pass_too(seed):
    for name in ("temporal", "softmax_t", "batch_norm"):
        few_checks(name, seed).raise_if_failed()


def test_everything_follows_from_the_seed():
    again = suite.run(["temporal"], backend="reference", few=True)
    assert again.entries == few_checks("temporal").entries != few_checks("temporal", 1).entries


def test_every_rule_and_surrogate_is_checked():
    names = [c.name for c in suite.checks("integrate_fire")]
    assert sum(name.startswith("dynamics") for name in names) == 8
    assert sum(name.startswith("frozen offsets: ") for name in names) == 8 * 4 + 4
    assert len(names) == len(set(names))


def test_all_operations_losses_and_rules_have_checks():
    assert suite.OPERATIONS == tuple(OPERATIONS) == suite.NAMES[:len(OPERATIONS)]
    public = {name for name, f in vars(losses).items() if inspect.isfunction(f) and f.__module__ == losses.__name__ and name[0] != "_"}
    assert public - {"values_t"} == set(suite.LOSSES)                    # which is a map, a part of squared_t
    assert set(training.METHODS) - set(suite.LEARNING) == {"temporal", "conversion", "eprop", "eventprop"}  # nets of one operation; nothing
    # is trained; no gradient of a function: tests/learning/test_eprop.py checks it against its definition
    for name, operation in OPERATIONS.items():
        for backend in operation.backends[:1]:
            assert suite.operation(name, backend) == operation.pair(backend)


def test_progress_counts_to_the_end():
    said = []
    suite.run(["relu", "mse"], backend="reference", progress=lambda *words: said.append(words))
    assert [k for k, _, _ in said] == list(range(len(said))) and {n for _, n, _ in said} == {len(said)}
    assert said[0][2] == "relu, definition" and said[-1][2] == "mse, gradcheck"


def test_record_of_coordinates():
    """100,000 coordinates of temporal nets: no false alarm, less than 0.1 % left out; the first nets are checked again."""
    folder = ROOT / "docs/results"
    record = json.loads((folder / "coordinates.json").read_text())
    counts = record["counts"]
    checked = {kind: counts[kind] for kind in ("smooth", "kinks", "by_complex_step", "jumps", "skipped")}
    assert sum(checked.values()) >= 100_000 and counts["wrong"] == counts["directions_wrong"] == 0
    assert counts["jumps"] + counts["skipped"] == sum(record["reasons"].values()) == round(record["share_left_out"] * sum(checked.values()))
    assert record["share_left_out"] < 1e-3 and min(counts[f"nets of {k} layers"] for k in (1, 2, 3, 4)) > 200
    script, errors = runpy.run_path(str(folder / "coordinates.py"), run_name="record"), []
    for k in range(4):
        found, reasons, largest = script["checked"](k)
        assert found["wrong"] == 0 and found["nets"] == 1 and found[f"nets of {1 + k} layers"] == 1 and not reasons
        errors += largest
    assert max(errors) < 1e-7 and len(errors) == 2 + 3 + 4 + 5


# ---- wrong fails, and is placed

def test_first_divergence_of_a_net_is_named():
    found = suite.run(["temporal"], op=wrong_temporal(), few=True)
    failed = [e for e in found.failed if e.check == "definition"]
    assert failed and all(e.first == "layer 2, sample 0, neuron 3" for e in failed)
    assert {e.first for e in found.failed if e.check == "gradcheck"} == {"layer 2, sample 0, neuron 3"}


@pytest.mark.parametrize("at", [(3, 1, 2), (0, 0, 1)])
def test_first_divergence_of_a_neuron_is_named(at):
    found = suite.run(["integrate_fire"], op=wrong_spiking(at), few=True)
    failed = [e for e in found.failed if e.check.startswith("frozen offsets: ") and "far" not in e.check]
    assert failed and {e.first for e in failed} == {"step {}, sample {}, neuron {} (backward)".format(*at)}
    assert "dynamics" not in {e.check.split(":")[0] for e in found.failed}


def an_or_of_spikes(current, size, threshold, v_init, rule):
    """Put a neuron on each pixel, and take the maximum of their spikes."""
    each, v_final, _ = integrate_fire.forward(current, threshold, v_init, rule)
    cache = pooled_fire.forward(current, size, threshold, v_init, rule)[2]
    return np.stack([pool.max_pool2d_forward(s, size)[0] for s in each]), v_final, cache


def the_last_of_equals(dspikes, cache, *how):
    """Turn each window by half a turn: of equal potentials the last one takes the gradient."""
    h, w = cache.u.shape[2] // 2 * 2, cache.u.shape[3] // 2 * 2
    turned = np.zeros_like(cache.u)
    turned[:, :, :h, :w] = cache.u[:, :, :h, :w][:, :, ::-1, ::-1]
    dv = np.zeros_like(how[0])
    dv[:, :h, :w] = how[0][:, :h, :w][:, ::-1, ::-1]
    found = pooled_fire.backward(np.ascontiguousarray(dspikes[:, :, ::-1, ::-1]), cache._replace(u=turned), dv, *how[1:])
    grads = np.array(np.broadcast_to(how[0], cache.u.shape)), how[0].copy()
    grads[0][:, :, :h, :w], grads[1][:, :h, :w] = found[0][:, :, :h, :w][:, :, ::-1, ::-1], found[1][:, :h, :w][:, ::-1, ::-1]
    return grads


@pytest.mark.parametrize("wrong, by", [
    (Op(an_or_of_spikes, pooled_fire.backward), {"dynamics", "two parts", "reference", "sizes"}),
    (Op(pooled_fire.forward, the_last_of_equals), {"ties"}),
    pytest.param(Op(pooled_fire.forward, lambda *args: pooled_fire.backward(*args[:4], True)),
                 {"frozen offsets", "transpose", "reference", "sizes"}, marks=pytest.mark.slow)],
    ids=["an OR of spikes", "the last of equals", "always detached"])
def test_wrong_poolings_inside_the_neuron_are_caught(wrong, by):
    failed = {e.check.split(":")[0] for e in suite.run(["pooled_fire"], op=wrong, few=True).failed}
    assert failed == by


def test_wrong_in_one_learning_rule_is_placed_in_its_last_layer():
    right = suite.operation("proxy")

    def wrong(nets, x, y, rng=None):
        step = right(nets, x, y, rng)
        return step._replace(grads={name: dw * (1.001 if name in ("w1", "w2") else 1) for name, dw in step.grads.items()})
    failed = suite.run(["proxy"], op=wrong, few=True).failed
    assert {(e.argument, e.first) for e in failed if e.check.startswith("frozen")} == {
        (name, "w2 (from the last layer on)") for name in ("w1", "w2")}


def test_what_raises_is_wrong_and_says_why():
    def forward(*args):
        raise KeyError("no\nsuch thing")
    found = suite.run(["dense"], op=Op(forward, forward))
    assert not found.ok and all(e.verdict == "WRONG" and e.note == "KeyError: 'no\\nsuch thing'" for e in found.entries)


def test_an_error_of_the_check_itself_is_no_verdict():
    """Neither of a check, nor of what a file says about itself; one of the code under test, or results of other shapes, are wrong."""
    def broken(op, rng, recorder):
        op.forward(np.ones((2, 3)), np.ones((3, 2)), np.ones(2))
        raise TypeError("a lambda of ours lacks an argument")
    right, check = suite.operation("dense"), suite.checks("dense")[0]
    (entry,) = suite.apply(check._replace(run=broken), right).entries
    assert entry.verdict == ledger.UNJUDGED and entry.note.startswith("could not judge: TypeError: a lambda of ours lacks an argument")
    found = suite.apply(check._replace(run=broken), right)
    assert not found.ok and found.to_dict()["n_wrong"] == 0 and found.to_dict()["n_unjudged"] == 1
    assert found.summary().entries[0].verdict == ledger.UNJUDGED and "unjudged" in str(found)
    for forward, backward, note in (
            (lambda *a: right.forward(*a)[0], right.backward, "forward: expected y, cache, got ndarray"),
            (lambda *a: (1, 2, 3), right.backward, "forward: expected y, cache, got 3 results")):
        note_of = suite.apply(check._replace(run=broken), Op(forward, backward)).entries[0].note
        assert note_of.startswith(note), note_of
    for grads, got in (([np.ones((2, 3))], "(2, 3)"), ([np.ones((2, 3)), np.ones(5), np.ones(2)], "(2, 3), (5,), (2,)")):
        def also(op, rng, recorder):
            op.backward(0, op.forward(np.ones((2, 3)), np.ones((3, 2)), np.ones(2))[1])
            raise ValueError("operands could not be broadcast")
        (entry,) = suite.apply(check._replace(run=also), Op(right.forward, lambda d, c, grads=grads: grads)).entries
        assert (entry.verdict, entry.note) == ("WRONG", f"backward: expected gradients of shape (2, 3), (3, 2), (2,), got {got}")


def test_no_verdict_of_a_check_has_its_own_exit_code(monkeypatch, capsys):
    def broken(op, rng, recorder):
        raise TypeError("no\x1b[31m")
    one, two = suite.checks("dense")[:2]
    monkeypatch.setattr("pysnn.verify.suite.runner.checks", lambda *args: [one, two._replace(run=broken)])
    assert cli.main(["verify", "dense", "--backend", "reference", "--quiet"]) == 2
    out, err = capsys.readouterr()
    assert re.fullmatch(r"pysnn: error: could not judge: TypeError: no\\x1b\[31m \(.*\)\n", err)
    assert "1 NOT RIGHT" in out and "WRONG" not in out
    monkeypatch.setattr("pysnn.verify.suite.runner.operation", lambda *args: Op(lambda *a: (0 * a[2], None), lambda d, c: d))
    assert cli.main(["verify", "dense", "--backend", "reference", "--quiet"]) == 1             # what is wrong is wrong


def test_nan_is_wrong():
    found = suite.run(["dense"], op=Op(lambda x, w, b: (x @ w + np.nan, (x, w)), lambda dy, cache: None))
    assert not found.ok and max(e.max_error for e in found.entries if e.max_error is not None) == INF


@pytest.mark.parametrize("call, message", [
    (lambda: suite.run(["tempral"]), "operation: expected one of temporal, .* got 'tempral'"),
    (lambda: suite.run(["relu"], backend="gpu"), "backend: expected one of reference, numba, cuda, got 'gpu'"),
    (lambda: suite.run(["relu", "dense"], op=Op(None, None)), "operations: expected the one that op is, got 2"),
    (lambda: suite.checks("nothing"), "operation: expected one of")])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- an operation that the package does not know

DELAY = """
import numpy as np
from pysnn.operations import Operation

OPERATION = Operation("delay", arguments=("t_in", "scale", "delay"), gradients=("t_in", "delay"), outputs=("t_out", "total"))


def forward(t_in, scale, delay):
    t = t_in[:, :, None] + scale * np.maximum(delay, 0)
    return t.min(axis=1), t.sum(axis=1), (t.argmin(axis=1), delay, scale)


def backward(dt_out, cache, dtotal):
    first, delay, scale = cache
    dt = (np.arange(len(delay))[:, None] == first[:, None, :]) * dt_out[:, None, :] + dtotal[:, None, :]
    return dt.sum(axis=2), scale * (dt * (delay > 0)).sum(axis=0)


def cases(rng):
    for n in (4, 1):
        yield rng.uniform(0, 3, (3, n)), 2, rng.normal(1, 1, (n, 2))


def decisions(t_in, scale, delay):
    return (t_in[:, :, None] + scale * np.maximum(delay, 0)).argmin(axis=1), delay > 0


def definition(t_in, scale, delay):
    t = [[[a + scale * max(d, 0) for a, d in zip(row, column)] for column in delay.T] for row in t_in]
    return np.min(t, axis=2), np.sum(t, axis=2)
"""


@pytest.fixture
def own(tmp_path):
    """Load the delay, with one piece of its text changed."""
    def load(old="", new="", more=""):
        (tmp_path / "delay.py").write_text(DELAY.replace(old, new) + more if old else DELAY + more)
        return student.load(str(tmp_path / "delay.py"))
    return load


def test_an_operation_of_your_own_is_checked_in_every_argument_and_output(own):
    found = suite.run(op=own())
    found.raise_if_failed()
    assert [check.kind for check in suite.checks("delay", op=own())] == ["contract", "definition", "gradcheck"]
    words = {f"{what}case {k}" for k in (1, 2) for what in ("", "t_out, ", "total, ", "t_in, ", "delay, ")}
    assert {e.argument for e in found.entries} == words
    assert suite.run(op=own()).entries == found.entries != suite.run(op=own(), seed=1).entries


@pytest.mark.parametrize("old, new, kinds", [
    ("return dt.sum(axis=2), scale", "return dt.sum(axis=2), 1.001 * scale", {"gradcheck"}),
    (" + dtotal[:, None, :]", "", {"gradcheck"}),
    ("return t.min(axis=1), t.sum", "return t.max(axis=1), t.sum", {"definition", "gradcheck"}),
    ("first, delay, scale = cache", "first, delay, scale = cache\n    delay += 1", {"contract", "gradcheck"}),
    ("first, delay, scale = cache", "first, delay, scale = cache\n    first += 1", {"contract", "gradcheck"}),
    ("return t.min(axis=1)", "return t.min(axis=1).astype(float)", {"contract"}),
    ("dt.sum(axis=2), scale", "dt.sum(axis=2).T, scale", {"contract", "gradcheck"})])
def test_an_operation_of_your_own_that_is_wrong_fails(own, old, new, kinds):
    assert {e.check for e in suite.run(op=own(old, new)).failed} == kinds


def test_a_pair_to_trust_says_what_the_mistake_looks_like(own):
    op = own("return dt.sum(axis=2), scale", "return dt.sum(axis=2), 2 * scale",
             "\ndef halved(*args):\n    dt, delay = backward(*args)\n    return dt, delay / 2\n\n\nreference = forward, halved\n")
    assert {e.argument for e in suite.run(op=op).failed if e.check == "reference"} == {"delay, case 1", "delay, case 2"}
    assert student.likely(op) == ["gradient of delay: is 2 times what it should be"] and student.likely(own()) == []


@pytest.mark.parametrize("old, new, message", [
    ('outputs=("t_out"', 'outputs=("t_in"', "OPERATION: expected gradients of its arguments, and other names for its outputs, got t_in"),
    ("def cases", "def points", "expected a function 'cases', found"),
    ("yield rng", "yield 1  # ", r"does not run as delay: ValueError: cases: expected tuples of the arguments \(t_in, scale, delay\)"),
    ("return dt.sum(axis=2), scale", "return scale", r"backward: expected 2 gradients \(t_in, delay\), got 1"),
    ("dt_out, cache, dtotal", "dt_out, cache", "does not run as delay: TypeError: ")])
def test_an_operation_of_your_own_that_cannot_be_checked(own, old, new, message):
    with pytest.raises(ValueError, match=f"delay.py: {message}"):
        own(old, new)


# ---- how errors are measured

def test_relative_errors():
    wanted = np.array([1.0, 1e-6, 0.0, INF, 2.0])
    got = np.array([1.0 + 1e-9, 0.0, 1e-9, INF, np.nan])
    np.testing.assert_allclose(_recorder.relative(got, wanted), [1e-9, 1e-6 / 2e-3, 1e-9 / 2e-3, 0, INF], rtol=1e-6)
    assert _recorder.relative([1.0, 3.0], [INF, 3.0]).tolist() == [INF, 0] and _recorder.relative([0.0], [0.0]).tolist() == [0]
    assert _recorder.relative([1e-300], [0.0]).tolist() == [INF]


def test_places_in_words():
    assert _recorder.place((3, 0, 7), "step", "sample", "neuron") == "step 3, sample 0, neuron 7"
    assert _recorder.place((3, 0, 7, 2), "step", "sample", "neuron") == "step 3, sample 0, neuron [7, 2]"
    assert _recorder.place((), "step") == ""


# ---- the ledger

@pytest.fixture
def mixed():
    """A ledger with something right, something wrong, something unchecked."""
    entries = (Entry("temporal", "gradcheck: a", "w", 30, 1e-9, kinks=2, skipped=1, note="1 not compared: forward jumps"),
               Entry("temporal", "gradcheck: b", "w, other", 20, INF, verdict="WRONG", note="NaN", first="layer 1, sample 0, neuron 2"),
               Entry("dense", "definition", "y", 0, None, verdict="unchecked", note="nothing to check"),
               Entry("dense", "definition", "y", 5, 1e-16, ulps=0.5, condition=3.0))
    return Ledger(entries, {"temporal": np.array([0, 1e-9, INF]), "dense": np.array([1e-16])})


def test_ledger_as_a_table(mixed):
    lines = str(mixed).splitlines()
    assert lines[0].split("  ")[0] == "operation" and tuple(ledger.HEADER[-3:]) == ("kinks", "skipped", "verdict")
    for name in ("argument", "check", "max rel. error", "ulps", "condition", "kinks", "skipped", "verdict"):
        assert name in lines[0]
    assert "temporal, gradcheck: b, w, other: first diverges at layer 1, sample 0, neuron 2; NaN" in lines
    assert str(Ledger(())) == "nothing was checked" and not Ledger(()).ok


def test_ledger_as_json(mixed):
    data = json.loads(json.dumps(mixed.to_dict(), allow_nan=False))
    assert (data["ok"], data["n_right"], data["n_wrong"], data["n_unchecked"]) == (False, 2, 1, 1)
    assert data["n_checked"] == 55 and data["n_skipped"] == 1 and data["entries"][1]["max_error"] == "inf"
    assert data["errors"]["temporal"] == {"n": 3, "n_not_finite": 1, "median": 1e-9, "max": "inf", "decades": {"0": 1, "-9": 1}}


def test_ledger_sums_up(mixed):
    short = mixed.summary()
    assert [(e.operation, e.check, e.argument, e.n_checked, e.verdict) for e in short.entries] == [
        ("temporal", "gradcheck", "w", 50, "WRONG"), ("dense", "definition", "y", 5, "unchecked")]
    assert short.entries[0].max_error == INF and short.entries[0].first == "layer 1, sample 0, neuron 2" and short.entries[0].kinks == 2
    assert not short.ok and list(mixed.groups()["temporal"]) == ["gradcheck"]


def test_ledger_raises_with_what_failed(mixed):
    with pytest.raises(AssertionError, match=r"layer 1, sample 0, neuron 2") as raised:
        mixed.raise_if_failed()
    assert "unchecked" in str(raised.value) and "gradcheck: a" not in str(raised.value)
    with pytest.raises(AssertionError, match="nothing was checked"):
        Ledger(()).raise_if_failed()
    Ledger(mixed.entries[:1]).raise_if_failed()


def test_ledgers_are_joined(mixed):
    both = ledger.joined([mixed, mixed])
    assert len(both.entries) == 8 and both.errors["temporal"].size == 6


def test_ledger_as_a_figure(mixed):
    pytest.importorskip("matplotlib")
    ax = mixed.plot().axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["temporal", "dense"] and ax.get_xscale() == "log"
    crosses = [line for line in ax.lines if line.get_marker() == "X" and len(line.get_xdata())]
    assert len(crosses) == 1 and crosses[0].get_xdata()[0] == 10 and crosses[0].get_ydata()[0] == 0


def test_what_the_single_checks_return_becomes_entries():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
    report = verify.gradcheck(lambda x, w: (x @ w, (x, w)), lambda dy, c: (dy @ c[1].T, 2 * c[0].T @ dy), (x, w))
    a, b = ledger.from_report(report, "dense", "gradcheck")
    assert (a.argument, a.verdict, b.argument, b.verdict) == ("x", "right", "w", "WRONG") and a.n_checked == 12 + 8
    assert b.first.startswith("w[") and b.max_error == pytest.approx(0.5, rel=1e-5) and "backward says" in b.note
    silent = verify.gradcheck(temporal.forward, temporal.backward, (np.ones((1, 2)), np.full((2, 1), 0.1)))
    assert {e.verdict for e in ledger.from_report(silent, "temporal", "gradcheck")} == {"unchecked"}
    item, = ledger.from_comparison(verify.compare(lambda: x * 2, lambda: x, (), ["y"]), "dense", "reference")
    assert (item.verdict, item.first, item.n_checked) == ("WRONG", "y[0, 0]", 12)
    item, = ledger.from_comparison(verify.compare(lambda: x[:0], lambda: x[:0], (), ["y"]), "dense", "reference")
    assert (item.verdict, item.n_checked) == ("unchecked", 0)
    z_in, w = np.array([[1.0, 2.0]]), np.array([[2.0], [0.5]])
    for z_out, verdict in ((2.0, "right"), (2.1, "WRONG"), (np.nan, "WRONG")):
        found = verify.temporal.check_definition(z_in, w, np.array([[z_out]]))
        entry, = ledger.from_definition(found, "temporal", first="here")
        assert entry.verdict == verdict and entry.first == ("" if verdict == "right" else "here")
    entry, = ledger.from_statements(verify.relu.Statements((("this", True), ("that", False))), "relu", "ties")
    assert (entry.verdict, entry.n_checked, entry.note) == ("WRONG", 2, "does not hold: that")
    for value, verdict in ((1e-13, "right"), (1e-11, "WRONG"), (np.nan, "unchecked"), (INF, "WRONG")):
        assert ledger.from_number(value, 1e-12, "a", "b")[0].verdict == verdict
