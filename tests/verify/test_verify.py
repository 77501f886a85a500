"""The checks themselves: they find what is wrong, say what they skipped, and pass what is right."""

import functools
import json
import re

import numpy as np
import pytest

from pysnn import verify
from pysnn.conventions import Rule, Surrogate
from pysnn.reference import integrate_fire, temporal
from pysnn.verify.zoo import FAULTS
from tests.cases import ROOT

INF = np.inf


@pytest.fixture
def layer():
    """A layer in which some neurons fire and some do not."""
    rng = np.random.default_rng(3)
    z_in, w = np.exp(rng.uniform(0, 2, (4, 6))), rng.normal(0.2, 0.5, (6, 5))
    z_in[1, 2] = INF
    z_out, _ = temporal.forward(z_in, w)
    assert 0.2 < np.isfinite(z_out).mean() < 0.9
    return z_in, w


def broken(change):
    """Change what backward of the temporal neuron returns."""
    return lambda dz_out, cache: change(*temporal.backward(dz_out, cache))


def dense(x, w):
    return x @ w, (x, w)


def dense_backward(dy, cache):
    x, w = cache
    return dy @ w.T, x.T @ dy


# ---------------------------------------------------------------------------------------------- gradcheck finds faults

def test_right_gradients_pass(layer):
    report = verify.gradcheck(temporal.forward, temporal.backward, layer)
    assert report.ok
    assert report.row("z_in").checked == 23
    assert report.row("z_in").at_inf == 1
    assert report.row("w").checked == layer[1].size
    assert report.row("w", "directions").checked == 8
    assert report.n_silent > 0
    report.raise_if_failed()


def test_wrong_input_gradient_alone_is_found(layer):
    report = verify.gradcheck(temporal.forward, broken(lambda dz, dw: (1.000001 * dz, dw)), layer)
    assert report.row("z_in").verdict == report.row("z_in", "directions").verdict == "WRONG"
    assert report.row("w").verdict == "right"
    assert report.row("z_in").max_error == pytest.approx(1e-6, rel=0.05)
    with pytest.raises(AssertionError, match="backward says"):
        report.raise_if_failed()


def test_one_wrong_weight_is_found_and_located(layer):
    def change(dz, dw):
        dw[3, 1] += 1e-3
        return dz, dw
    report = verify.gradcheck(temporal.forward, broken(change), layer)
    row = report.row("w")
    assert (row.verdict, row.worst, row.n_wrong) == ("WRONG", (3, 1), 1)
    assert row.by_backward - row.by_differences == pytest.approx(1e-3, rel=1e-4)
    assert report.row("z_in").verdict == "right"


def test_gradient_at_an_input_that_never_comes_must_be_zero(layer):
    def change(dz, dw):
        dz[1, 2] = 1e-30
        return dz, dw
    row = verify.gradcheck(temporal.forward, broken(change), layer).row("z_in")
    assert (row.verdict, row.worst) == ("WRONG", (1, 2))


@pytest.mark.parametrize("bad", [np.nan, INF])
def test_nan_and_inf_gradients_are_wrong(layer, bad):
    def change(dz, dw):
        dw[0, 0] = bad
        return dz, dw
    row = verify.gradcheck(temporal.forward, broken(change), layer).row("w")
    assert (row.verdict, row.worst) == ("WRONG", (0, 0))


def test_a_sample_of_coordinates_is_drawn_with_rng(layer):
    rng = np.random.default_rng(5)
    report = verify.gradcheck(temporal.forward, temporal.backward, layer, n=7, rng=rng)
    assert report.row("w").checked == 7
    assert verify.gradcheck(temporal.forward, temporal.backward, layer) == verify.gradcheck(
        temporal.forward, temporal.backward, layer)


def test_other_operations_too():
    rng = np.random.default_rng(1)
    x, w = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
    verify.gradcheck(dense, dense_backward, (x, w)).raise_if_failed()
    report = verify.gradcheck(lambda x: float((x ** 3).sum()), lambda dy, cache: dy * 3 * cache[0] ** 2, (x,))
    assert report.ok                                                       # a float out, no cache, one gradient
    assert [row.name for row in report.rows] == ["x", "x"]
    assert not verify.gradcheck(dense, lambda dy, cache: dense_backward(-dy, cache), (x, w)).ok


# ------------------------------------------------------------------------------------------------------ kinks and jumps

def at_the_crossing(w_late):
    """A neuron that fires at z = 2, just when a second input arrives; a third comes at 4."""
    return np.array([[1.0, 2.0, 4.0]]), np.array([[2.0], [w_late], [2.0]])


def test_kink_is_recognised():
    z_in, w = at_the_crossing(0.5)
    report = verify.gradcheck(temporal.forward, temporal.backward, (z_in, w))
    assert report.ok
    assert report.row("z_in").kinks == 2                             # the input at the crossing, and the one before
    assert report.row("z_in").jumps == report.row("z_in").skipped == 0


@pytest.mark.parametrize(("dz_late", "verdict"), [(0.0, "right"), (1 / 3, "right"), (0.2, "right"), (0.34, "WRONG"),
                                                  (-0.01, "WRONG")])
def test_at_a_kink_backward_must_lie_between_the_one_sided_derivatives(dz_late, verdict):
    z_in, w = at_the_crossing(0.5)

    def change(dz, dw):
        return np.array([[dz[0, 0], dz_late * dz[0, 0] / 2, 0.0]]), dw     # dz_out/dz_early is 2
    assert verify.gradcheck(temporal.forward, broken(change), (z_in, w)).row("z_in").verdict == verdict


def test_jump_is_skipped_and_counted():
    z_in, w = at_the_crossing(-1.5)
    report = verify.gradcheck(temporal.forward, temporal.backward, (z_in, w))
    row = report.row("z_in")
    assert (row.jumps, row.smooth) == (2, 1)
    assert row.reasons == {"forward jumps: its quotients diverge": 2}
    assert row.verdict == "unchecked"
    assert not report.ok                                                   # more left out than compared: no pass
    assert "2 not compared: forward jumps" in str(report)


def test_falling_silent_is_a_jump():
    z_in, w = at_the_crossing(-1.5)
    row = verify.gradcheck(temporal.forward, temporal.backward, (z_in[:, :2], w[:2])).row("z_in")
    assert row.jumps == 2
    assert row.reasons == {"an output falls silent next to this point": 2}


def test_jumps_elsewhere_do_not_hide_faults():
    rng = np.random.default_rng(2)
    z_in, w = at_the_crossing(-1.5)
    z_in = np.concatenate([z_in, np.exp(rng.uniform(0, 2, (3, 3)))])
    w = np.concatenate([w, rng.normal(0.6, 0.3, (3, 4))], axis=1)
    assert verify.gradcheck(temporal.forward, temporal.backward, (z_in, w)).row("z_in").verdict == "right"
    report = verify.gradcheck(temporal.forward, broken(lambda dz, dw: (dz * 1.01, dw)), (z_in, w))
    assert report.row("z_in").verdict == "WRONG"


def test_equal_times_are_no_kinks():
    z_in, w = np.array([[1.0, 1.0, 1.0]]), np.array([[0.8], [0.9], [0.4]])
    report = verify.gradcheck(temporal.forward, temporal.backward, (z_in, w))
    assert report.ok
    assert all(row.kinks == 0 for row in report.rows)


def test_a_kink_close_by_needs_a_smaller_step_only():
    z_in, w = at_the_crossing(0.5)
    z_in[0, 1] += 1e-8
    report = verify.gradcheck(temporal.forward, temporal.backward, (z_in, w))
    assert report.ok
    assert all(row.kinks == 0 for row in report.rows)


def test_where_rounding_hides_everything_it_says_so():
    z_in, w = np.array([[1.0, 1.5]]), np.array([[0.7], [0.3 + 1e-7]])
    report = verify.gradcheck(temporal.forward, temporal.backward, (z_in, w))
    assert not report.ok
    assert sum(row.skipped + row.jumps for row in report.rows) == sum(sum(r.reasons.values()) for r in report.rows) > 0
    assert all(row.n_wrong == 0 for row in report.rows)


def test_a_gradient_too_small_to_be_seen_is_skipped_and_one_that_should_be_zero_is_wrong():
    z = np.array([1.0, 50.0])

    def forward(z):
        return 1 + np.exp(-z)

    def backward(dout, cache):
        return -dout * np.exp(-cache[0])
    row = verify.gradcheck(forward, backward, (z,)).row("z")
    assert (row.smooth, row.skipped, row.verdict) == (1, 1, "right")
    off = np.array([0.0, 1e-5])
    assert verify.gradcheck(forward, lambda d, cache: backward(d, cache) + off, (z,)).row("z").verdict == "WRONG"


def test_a_gradient_of_zero_does_not_pass_where_rounding_swallows_the_step():
    x = np.random.default_rng(0).normal(size=5)
    for offset, verdict in ((1e12, "unchecked"), (1e4, "WRONG"), (0.0, "WRONG")):
        report = verify.gradcheck(lambda x, offset=offset: (x + offset, None), lambda dy, cache: 0 * dy, [x])
        assert not report.ok and {row.verdict for row in report.rows} == {verdict}, offset
    assert verify.gradcheck(lambda x: (x * 0 + 1e12, None), lambda dy, cache: 0 * dy, [x]).ok


def test_all_silent_is_not_a_pass():
    report = verify.gradcheck(temporal.forward, temporal.backward, (np.ones((1, 2)), np.full((2, 1), 0.1)))
    assert report.n_silent == report.n_outputs == 1
    assert not report.ok


# ------------------------------------------------------------------------------------------------ what it does not take

def test_float32_is_refused(layer):
    z_in, w = layer
    with pytest.raises(TypeError, match=r"w: gradcheck needs float64.*Pass w\.astype"):
        verify.gradcheck(temporal.forward, temporal.backward, (z_in, w.astype(np.float32)))
    with pytest.raises(TypeError, match="gradient of w: expected float64"):
        verify.gradcheck(temporal.forward, broken(lambda dz, dw: (dz, dw.astype(np.float16))), layer)
    with pytest.raises(TypeError, match="forward: expected float64"):
        verify.gradcheck(lambda x: x.astype(np.float16), lambda dy, cache: dy, (w,))


def test_misfits_are_refused(layer):
    with pytest.raises(ValueError, match=r"gradient of w: expected shape \(6, 5\)"):
        verify.gradcheck(temporal.forward, broken(lambda dz, dw: (dz, dw.T)), layer)
    with pytest.raises(ValueError, match="expected 2 gradients"):
        verify.gradcheck(temporal.forward, broken(lambda dz, dw: (dz,)), layer)
    with pytest.raises(ValueError, match="w: expected numbers or inf, got NaN"):
        verify.gradcheck(temporal.forward, temporal.backward, (layer[0], layer[1] * np.nan))
    with pytest.raises(ValueError, match="forward: got NaN"):
        verify.gradcheck(lambda x: x * np.nan, lambda dy, cache: dy, (layer[1],))
    with pytest.raises(TypeError, match="expected a NumPy array"):
        verify.gradcheck(dense, dense_backward, (1.0, layer[1]))


def test_work_in_place_is_refused_or_harmless(layer):
    def greedy(dz_out, cache):
        grads = temporal.backward(dz_out, cache)
        dz_out[:] = np.nan
        return grads
    assert verify.gradcheck(temporal.forward, greedy, layer).ok

    def spoils(dz_out, cache):
        grads = temporal.backward(dz_out, cache)
        cache.w[0, 0] = 0
        return grads
    with pytest.raises(ValueError, match="w: expected forward and backward to leave"):
        verify.gradcheck(temporal.forward, spoils, layer)


# -------------------------------------------------------------------------------------------------------------- reports

def test_report_is_a_table_and_strict_json(layer):
    report = verify.gradcheck(temporal.forward, broken(lambda dz, dw: (dz * 2, dw)), layer)
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["ok"] is False
    assert data["rows"][0]["name"] == "z_in"
    assert data["rows"][0]["checked"] == 23
    lines = str(report).splitlines()
    assert "NOT PASSED" in lines[0]
    assert lines[1].split()[:3] == ["argument", "by", "checked"]
    assert "outputs are silent" in lines[-1]


def test_compare_tells_exact_approximate_different():
    x = (np.linspace(0, 1, 6).reshape(2, 3),)
    result = verify.compare(lambda a: (a, a * (1 + 1e-12), a * 1.01), lambda a: (a, a, a), x, names=["a", "b", "c"])
    assert [item.verdict for item in result.items] == ["exact", "approximate", "DIFFERENT"]
    assert not result.ok
    exact, near, off = result.items
    assert (exact.max_abs, exact.first) == (0.0, None)
    assert near.max_rel == pytest.approx(1e-12, rel=1e-3)
    assert off.n_different == 5
    assert off.first == (0, 1)
    assert off.max_abs == pytest.approx(0.01)
    with pytest.raises(AssertionError, match=r"c\[0, 1\]: got"):
        result.raise_if_failed()
    assert verify.compare(np.sin, np.sin, x).exact


def test_compare_inf_is_no_spike_and_nan_is_a_failure():
    here = np.array([1.0, INF, 2.0])
    assert verify.compare(lambda: here * (1 + 1e-15), lambda: here, ()).ok
    spike = verify.compare(lambda: np.array([1.0, 5.0, 2.0]), lambda: here, ()).items[0]
    assert (spike.verdict, spike.first, spike.max_abs) == ("DIFFERENT", (1,), INF)
    nan = verify.compare(lambda: here * np.nan, lambda: here * np.nan, ())
    assert not nan.ok
    assert nan.items[0].why == "3 NaN"
    for result in (verify.compare(lambda: -here, lambda: here, ()), nan):
        json.dumps(result.to_dict(), allow_nan=False)
        str(result)


def test_compare_shapes_kinds_and_copies():
    a = np.ones(3)
    assert verify.compare(lambda: np.ones(4), lambda: a, ()).items[0].why == "shape (4,) instead of (3,)"
    assert not verify.compare(lambda: a, lambda: (a, a), ()).ok
    single = verify.compare(lambda: a.astype(np.float32), lambda: a, ())
    assert single.ok
    assert single.items[0].why == "float32 instead of float64"
    assert verify.compare(lambda: np.empty(0), lambda: np.empty(0), ()).exact

    def works_in_place(x):
        x += 1
        return x
    assert verify.compare(works_in_place, works_in_place, (a,)).exact
    assert (a == 1).all()
    with pytest.raises(TypeError, match="returns nothing else"):
        verify.compare(lambda: (a, "cache"), lambda: (a, "cache"), ())
    with pytest.raises(TypeError, match="tuple of arguments"):
        verify.compare(np.sin, np.sin, a)


# ------------------------------------------------------------------------------- integrate-and-fire neurons and surrogates

IF_FAULTS = [name for name, fault in FAULTS.items() if fault.operation == "integrate_fire"]


def witnesses(op, case):
    """Say which of the three checks an operation passes."""
    return {"dynamics": verify.integrate_fire.check_dynamics(op, case).ok,
            "frozen offsets": verify.integrate_fire.frozen_offset_check(op, case, n=30).ok,
            "transpose_identity": verify.integrate_fire.transpose_identity(op, case) <= 1e-12}


def where(rule=Rule(), surrogate=Surrogate("atan", 3.0), detach_reset=True, far=False):
    """Make a case in which some neurons fire and some do not."""
    current = np.random.default_rng(11).normal(0.3, 0.5, (6, 2, 3))
    current[0, 0, 0] = -1e4 if far else current[0, 0, 0]
    case = verify.integrate_fire.Setup(current, 0.7, 0.1, rule, surrogate, detach_reset)
    assert 0.2 < integrate_fire.forward(current, 0.7, 0.1, rule)[0].mean() < 0.8
    return case


def test_if_faults_are_these():
    assert set(IF_FAULTS) == {"sigmoid_overflow", "slope_ignored", "float32_inside", "attached_reset", "recorded_late",
                              "state_gradient_lost", "surrogate_off_centre"}


@functools.cache
def right_where(op, rule, far):
    """Return a case, once all witnesses have called the right neuron right there."""
    case = where(rule, Surrogate("sigmoid", 4.0) if far else Surrogate("atan", 3.0), far=far)
    assert all(witnesses(op, case).values())
    return case


@pytest.mark.parametrize("rule", [Rule(), Rule("zero"), Rule("subtract", "next", ">"), Rule("zero", "next")], ids=str)
@pytest.mark.parametrize("name", IF_FAULTS)
def test_if_faults_are_caught_by_name(if_neuron, name, rule):
    case = right_where(if_neuron, rule, name == "sigmoid_overflow")
    found = witnesses(FAULTS[name].inject(if_neuron), case)
    assert not found[FAULTS[name].caught_by]
    if FAULTS[name].caught_by == "frozen offsets":
        assert found["dynamics"] and not found["transpose_identity"]


def test_the_wrapping_of_the_faults_is_not_what_is_caught(if_neuron):
    """Where a fault has nothing to spoil, it passes: no slope asked for, a reset that is attached, a potential within reach, one step."""
    for name, case in (("slope_ignored", where(surrogate=Surrogate())), ("attached_reset", where(detach_reset=False)),
                       ("sigmoid_overflow", where(Rule("zero", "next"), Surrogate("sigmoid", 4.0), False)),
                       ("state_gradient_lost", where()._replace(current=where().current[:1]))):
        assert all(witnesses(FAULTS[name].inject(if_neuron), case).values()), name


def test_transpose_identity_without_any_gradient_is_no_pass():
    dead = verify.integrate_fire.Setup(np.full((2, 1, 1), 3.0), surrogate=Surrogate("triangle", 1.0), rule=Rule("zero"))
    assert verify.integrate_fire.transpose_identity(integrate_fire, dead) == INF


# ----------------------------------------------------------------------------------------------------- how-to page runs

def test_your_own_neuron_page(capsys):
    """Run the code of the page in order; what it prints must read like the text blocks, numbers aside."""
    page = (ROOT / "docs/howto/your-own-neuron.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(python|text)\n(.*?)```", page, flags=re.S)
    assert sum(kind == "python" for kind, _ in blocks) >= 3
    space, printed = {}, ""
    for kind, text in blocks:
        if kind == "python":
            exec(compile(text, "your-own-neuron.md", "exec"), space)
            printed = capsys.readouterr().out
        else:
            assert shape_of(printed) == shape_of(text), printed


def shape_of(text):
    """Reduce a printed text to its words."""
    text = re.sub(r"[-+]?\d[\d.]*(e[-+]?\d+)?", "#", text)
    return re.sub(r"\s+", " ", text).strip()


# ---- what cannot be checked by differences, and what float32 can show

def test_spikes_with_a_surrogate_are_not_called_wrong():
    """Forward never moves while backward does: neither a right nor a wrong surrogate gradient is judged."""
    current = np.random.default_rng(0).normal(0.3, 0.6, (6, 2, 3))
    for factor in (1, 0.5):
        report = verify.gradcheck(lambda x: integrate_fire.forward(x)[::2], lambda d, c, f=factor: f * integrate_fire.backward(d, c)[0],
                                  (current,), trace=lambda *_: np.zeros(0))
        assert not report.ok and {row.verdict for row in report.rows} == {"unchecked"}
        assert all("piecewise constant" in reason and "frozen offsets" in reason for row in report.rows for reason in row.reasons)
    zero = verify.gradcheck(lambda x: integrate_fire.forward(x)[::2], lambda d, c: 0 * d, (current,), trace=lambda *_: np.zeros(0))
    assert {row.verdict for row in zero.rows} != {"WRONG"}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("out", [np.float32, np.float64])
def test_float32_is_held_to_what_it_can_show(seed, out):
    rng = np.random.default_rng(seed)
    args = np.exp(rng.uniform(0, 2, (3, 6))), rng.normal(0.5, 0.5, (6, 5))

    def forward(z_in, w):
        z_out, cache = temporal.forward(z_in.astype(np.float32), w.astype(np.float32))
        return z_out.astype(out), cache

    def backward(dz_out, cache, factor=1):
        return tuple(factor * g.astype(out) for g in temporal.backward(dz_out.astype(np.float32), cache))
    report = verify.gradcheck(forward, backward, args)
    assert not [row for row in report.rows if row.verdict == "WRONG"] and "float32: compared to 0.001" in str(report)
    assert sum(row.checked for row in report.rows) > 40
    wrong = verify.gradcheck(forward, lambda d, c: backward(d, c, 1.01), args)
    assert all(row.verdict == "WRONG" for row in wrong.rows)
    assert not verify.gradcheck(lambda x, w: x @ w, lambda d, c: (d @ c[1].T, c[0].T @ d), (np.ones((2, 2)), np.eye(2))).note
