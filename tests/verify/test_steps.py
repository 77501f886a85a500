"""Any neuron by its step: the truth against derivations by hand, its witnesses, what a step may not do, faults, files, the how-to."""

import importlib
import importlib.util
import json
import re
import shlex
from types import SimpleNamespace

import numpy as np
import pytest

from pysnn import cli, verify
from pysnn.conventions import Rule, Surrogate
from pysnn.foreign import Room
from pysnn.verify import step_file
from pysnn.verify.frameworks import parametric
from pysnn.verify.suite import steps as suite
from pysnn.verify.suite.steps import check_against_step
from pysnn.verify.witness import steps
from tests.cases import ROOT, few
from tests.cases.leaky import EVERY_LEAKY_RULE, PARTS, draw, spelt_leaky

PAGE = ROOT / "docs/howto/verify-any-neuron.md"
ARGUMENTS = ("current", "beta", "threshold", "v_init", "alpha", "w_rec")


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


ADAPTIVE = blocks("python")[0]


def namespace(text):
    space = {"__name__": "file"}
    exec(compile(text, "file.py", "exec"), space)
    return SimpleNamespace(**space)


# --------------------------------------------------------------------------------------------- against derivations by hand

def leaky_step(rule, parts, detach):
    """Write the step of leaky neurons by a rule, as (D1) to (D4) say it in words."""
    def step(state, x, spike, stop, params):
        beta, theta = params["beta"], params["threshold"]

        def reset(v, u):
            s = stop(spike(u - theta)) if detach else spike(u - theta)
            return v if rule.reset == "none" else v - s * (theta if rule.reset == "subtract" else v)
        drive = x + state["s"] @ params["w_rec"] if "w_rec" in parts else x
        i = params["alpha"] * state["i"] + drive if "alpha" in parts else drive
        late, before = rule.timing == "next", state["v"]
        v = reset(before, before) if late and rule.order == "reset first" else before
        v = beta * v + (i * (1 - beta) if rule.gain == "1 - beta" else i)
        v = reset(v, before) if late and rule.order == "leak first" else v
        s = spike(v - theta)
        new = {"v": v if late else reset(v, v)} | ({"i": i} if "alpha" in parts else {}) | ({"s": s} if "w_rec" in parts else {})
        return new, s
    return step


@pytest.mark.parametrize("rule", few(EVERY_LEAKY_RULE, 6), ids=spelt_leaky)
def test_truth_against_our_leaky_neurons(rule):
    """In all conventions, with and without alpha and w_rec, reset detached and attached, by each backend."""
    backends = ["reference"] + (["kernels"] if importlib.util.find_spec("numba") else [])
    for k, (parts, detach) in enumerate((parts, detach) for parts in PARTS for detach in (True, False)):
        rng = np.random.default_rng(k)
        case, surrogate = draw(rng, (6, 2, 3), rule, parts), Surrogate(("atan", "fast_sigmoid", "sigmoid", "triangle")[k % 4], 2.0)
        params = {name: case[name] for name in ("beta", "threshold", *parts)}
        state = {"v": 0.0} | ({"i": 0.0} if "alpha" in parts else {}) | ({"s": 0.0} if "w_rec" in parts else {})
        step = steps.define(leaky_step(rule, parts, detach), params, state, surrogate, rule.fire)
        dy = rng.normal(size=(6, 2, 3))
        got = steps.truth(step, case["current"], None, {"v": case["v_init"]}, dy)
        for backend in backends:
            op = importlib.import_module(f"pysnn.{backend}.leaky")
            spikes, _, cache = op.forward(**case)
            assert 0 < spikes.mean() < 1
            np.testing.assert_array_equal(got.y, spikes)
            for name, wanted in zip(ARGUMENTS, op.backward(dy, cache, surrogate=surrogate, detach_reset=detach), strict=True):
                if wanted is not None:
                    grad = got.gradients["v" if name == "v_init" else name]
                    assert np.abs(grad - wanted).max() <= 1e-12 * np.abs(wanted).max() > 0, (backend, parts, detach, name)


# ------------------------------------------------------------------------------------------------------ neurons nobody listed

def two_compartments(state, x, spike, stop, params):
    """A dendrite that saturates drives a soma; spikes travel back into the dendrite, and to the neighbours."""
    d = params["decay"] * state["d"] + x + state["s"] @ params["w_rec"] - params["back"] * state["s"]
    v = params["beta"] * state["v"] + np.tanh(params["coupling"] * d)
    s = spike(v - params["threshold"])
    return {"d": d, "v": np.where(stop(s) > 0, 0.0, v), "s": s}, s


def gated(state, x, spike, stop, params):
    """Gates as of a recurrent cell, a smooth threshold, a surrogate of its own, and an output that is a potential."""
    gate = 1 / (1 + np.exp(-params["gate"] * x))
    v = gate * state["v"] + (1 - gate) * x
    theta = 0.4 * np.logaddexp(0.0, state["a"])
    s = spike(v - theta)
    return {"v": v - s * theta, "a": np.clip(params["rho"] * state["a"], -3, 3) + s}, np.maximum(v, 0.1 * v) + s


RNG = np.random.default_rng(5)
NEURONS = {
    "two compartments": (two_compartments, {"decay": 0.7, "back": [0.3, 0.1, 0.2], "beta": 0.9, "coupling": 1.5, "threshold": 0.8,
                                            "w_rec": RNG.normal(0, 0.3, (3, 3)).tolist()},
                         {"d": 0.0, "v": 0.0, "s": 0.0}, ("sigmoid", 3.0)),
    "gated": (gated, {"gate": 0.8, "rho": 0.9}, {"v": 0.0, "a": [0.1, 0.2, 0.3]}, lambda v: np.exp(-2 * v * v)),
    "adaptive": (namespace(ADAPTIVE).step, {"beta": 0.9, "rho": 0.8, "kappa": 0.5}, {"v": 0.0, "a": 0.0}, ("fast_sigmoid", 5.0)),
}


@pytest.mark.parametrize("name", NEURONS)
def test_second_witnesses_of_the_truth(name):
    """Differences with frozen offsets, and a pass forward along a direction in all arguments at once."""
    step = steps.define(*NEURONS[name])
    rng = np.random.default_rng(1)
    x, dy = rng.normal(1.0, 1.5, (6, 2, 3)), rng.normal(size=(6, 2, 3))
    run = steps.outputs(step, x)
    assert 0.1 < run.rate < 0.9 and 0 < run.margin < 1
    report = steps.frozen_offset_check(step, x, n=None)
    assert report.ok and {row.name for row in report.rows} == {"current", *step.start, *step.params}, str(report)
    right = steps.truth(step, x, None, {"v": np.full((2, 3), 0.2)}, dy)
    moves = {key: rng.normal(size=np.shape(grad)) for key, grad in right.gradients.items()}
    y, dots = steps.along(step, x, None, {"v": np.full((2, 3), 0.2)}, moves)
    np.testing.assert_array_equal(y, right.y)
    sides = [(dy * dots).ravel(), np.concatenate([(right.gradients[key] * move).ravel() for key, move in moves.items()])]
    assert abs(sides[0].sum() - sides[1].sum()) <= 1e-13 * np.abs(sides[1]).sum()
    assert all((right.sizes[key] >= np.abs(grad) * (1 - 1e-12)).all() for key, grad in right.gradients.items())


def test_blocks_of_directions_change_nothing(monkeypatch):
    step = steps.define(*NEURONS["two compartments"])
    x = np.random.default_rng(1).normal(0.5, 1.0, (4, 2, 3))
    whole = steps.truth(step, x)
    monkeypatch.setattr(steps, "BLOCK", 12)
    for name, grad in steps.truth(step, x).gradients.items():
        np.testing.assert_allclose(grad, whole.gradients[name], rtol=1e-14)


def test_a_wrong_truth_is_found_by_differences(monkeypatch):
    step = steps.define(*NEURONS["two compartments"])
    monkeypatch.setitem(verify.witness.duals.PARTIALS, np.tanh, (lambda x, y: 1 - y,))
    report = steps.frozen_offset_check(step, np.random.default_rng(1).normal(0.5, 1.0, (6, 2, 3)))
    assert {row.name for row in report.rows if row.verdict == "WRONG"} >= {"current", "d", "decay", "coupling"}
    entries = check_against_step(step, layer_of(step)).entries
    assert {e.check.split(":")[0] for e in entries} == {"frozen offsets"}
    assert "unjudged" in {e.verdict for e in entries} and "WRONG" not in {e.verdict for e in entries}
    assert any("could not judge: the step's own gradient and differences disagree" in e.note for e in entries)


def test_fires_above_or_at():
    def step(state, x, spike, stop, params):
        return {"v": x}, spike(x - 1.0)
    x = np.array([[[1.0, 1.0 + 1e-15, 1.0 - 1e-15]]])
    assert [steps.outputs(steps.define(step, fire=fire), x).y.ravel().tolist() for fire in (">=", ">")] == [[1, 1, 0], [0, 1, 0]]


# -------------------------------------------------------------------------------------------------------- what a step may not do

def plain(state, x, spike, stop, params):
    return {"v": state["v"] + x}, spike(state["v"] + x - 1)


def bad(body):
    return namespace(f"import numpy as np\nimport math\ncount = []\ndef step(state, x, spike, stop, params):\n    {body}\n").step


BAD = {
    "no function": (3, {}, TypeError, "expected a function step"),
    "no pair": (bad("return x"), {}, ValueError, r"expected \(new_state, y\).*got ndarray"),
    "state missing": (bad("return {}, x"), {}, ValueError, "expected the states v, got none called v"),
    "state too many": (bad("return {'v': x, 'w': x}, x"), {}, ValueError, "got also w"),
    "shape of y": (bad("return {'v': x}, x[0]"), {}, ValueError, r"expected y in the shape \(2, 3\) of x, got \(3,\)"),
    "shape of a state": (bad("return {'v': x.sum()}, x"), {}, ValueError, r"expected state v in the shape \(2, 3\)"),
    "no number": (bad("return {'v': x}, 'spike'"), {}, ValueError, "expected numbers for y, got str"),
    "not finite": (bad("return {'v': x}, np.log(x)"), {}, ValueError, "expected finite numbers, got inf or NaN"),
    "writes into the state": (bad("state['v'] += x; return state, x"), {}, ValueError, r"writes into its arguments: write v = v \+ x"),
    "writes into x": (bad("x[:, 0] = 1; return {'v': x}, x"), {}, ValueError, "writes into its arguments"),
    "remembers": (bad("count.append(1); return {'v': x}, x * len(count)"), {}, ValueError, "gives other results when it is called again"),
    "threshold of text": (plain, {"params": {"theta": "high"}}, ValueError, "PARAMS: theta: expected a number"),
    "NaN": (plain, {"params": {"theta": np.nan}}, ValueError, "PARAMS: theta: expected finite"),
    "PARAMS a list": (plain, {"params": [0.9]}, ValueError, "PARAMS: expected a dict"),
    "no state": (plain, {"start": {}}, ValueError, "STATE: expected a dict"),
    "one name twice": (plain, {"params": {"v": 0.9}}, ValueError, "expected different names, and not 'current'"),
    "N unclear": (plain, {"params": {"a": [1, 2], "b": [1, 2, 3]}}, ValueError, r"N: expected the number of neurons.*\[2, 3\]"),
    "N no number": (plain, {"n": 0}, ValueError, "N: expected a number of neurons, got 0"),
    "STATE of another shape": (plain, {"start": {"v": [[1.0]]}, "n": 3}, ValueError, "STATE: v: expected a number, or one for each"),
    "fire": (plain, {"fire": "=>"}, ValueError, "FIRE: expected '>=' or '>', got '=>'"),
    "surrogate": (plain, {"surrogate": ("arctan", 2.0)}, ValueError, r"SURROGATE: expected one of atan, .* got 'arctan'"),
    "slope": (plain, {"surrogate": ("atan", 0)}, ValueError, "SURROGATE: expected a slope and a height above 0"),
    "surrogate of another shape": (plain, {"surrogate": lambda v: v[0]}, ValueError, r"like v, got \(2,\) for \(1, 2\)"),
    "surrogate a number": (plain, {"surrogate": 2.0}, ValueError, "SURROGATE: .*got 2.0"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_a_step_may_not_do(name):
    function, parts, error, message = BAD[name]
    with np.errstate(invalid="ignore", divide="ignore"), pytest.raises(error, match=message) as found:
        steps.define(function, **parts)
    assert "\n" not in str(found.value)


LATE = {
    "no rule": ("return {'v': x}, np.heaviside(state['v'], 1.0) + x", TypeError, r"np\.heaviside has no rule"),
    "module math": ("return {'v': x}, x * math.exp(params['a'])", TypeError, r"float\(\), or a function of the module math"),
    "other numbers": ("v = state['v'] * 1.0; w = v; v += x; return {'v': w}, v", ValueError, "gives other numbers where derivatives are"),
    "infinite derivative": ("return {'v': x}, np.sqrt(state['v'] * 0) + x", ValueError, "expected finite derivatives, got inf or NaN in"),
    "late NaN": ("return {'v': state['v'] + 1}, np.sqrt(2.5 - state['v']) + x", ValueError, "expected finite numbers, got inf or NaN"),
}


@pytest.mark.parametrize("name", LATE)
def test_what_derivatives_find(name):
    body, error, message = LATE[name]
    step = steps.define(bad(body), {"a": 0.5})
    with np.errstate(all="ignore"), pytest.raises(error, match=message) as found:
        steps.truth(step, np.ones((5, 1, 2)))
    assert "\n" not in str(found.value)


def test_calls_must_be_the_same_for_all_numbers():
    step = steps.define(bad("s = spike(x) if x[0, 0] > 0.5 else x * 0.0; return {'v': x}, s + stop(x)"))
    with pytest.raises(ValueError, match="calls spike or stop another number of times"):
        steps.frozen_offset_check(step, np.full((1, 1, 1), 0.5 + 1e-9), n=None)


# ------------------------------------------------------------------------------------------------------------------- layers

def layer_of(step, change=lambda grads: grads, **kwargs):
    """Make a layer that is right, but for what `change` does to its gradients."""
    def run(current, params, start):
        return steps.outputs(step, current, params, start).y, "float64"

    def vjp(current, params, start, dy):
        grads = change(dict(steps.truth(step, current, params, start, dy).gradients))
        return grads["current"], {name: grads[name] for name in params}, {name: grads[name] for name in start}
    return parametric.Parametric(run, vjp, tuple(step.params), tuple(step.start), **kwargs)


def wrong_arguments(ledger):
    return {e.argument for e in ledger.entries if e.verdict == "WRONG"}


def changed(text, *pairs):
    for old, new in pairs:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def of_file(text):
    """Make step and layer of a file, in this process."""
    file = namespace(text)
    step = steps.read(file)
    return step, parametric.from_functions(file.forward, file.backward, step.params, step.start)


FAULTS = {
    "detach forgotten": ((("-through - dv * s", "-through - dv * s"), ("through = (ds[t] + da)", "through = (ds[t] + da - dv * theta)")),
                         {"current", "v", "beta", "kappa", "rho", "a"}, {"outputs"}),
    "gradient of the adaptation missing": ((("rho * da + kappa * dtheta", "0 * u"),), {"current", "beta", "rho", "kappa", "v", "a"},
                                           {"outputs"}),
    "gradient of a parameter missing": ((("drho + (da * a).sum()", "drho"),), {"rho"}, {"outputs", "current", "beta", "kappa", "v", "a"}),
    "gradient of a parameter of one sample": ((("(dtheta * a).sum()", "(dtheta * a)[0].sum()"),), {"kappa"},
                                              {"outputs", "current", "beta", "rho"}),
    "state lost between steps": ((("v, a = u - s * theta, rho * a + s", "v, a = 0 * u, rho * a + s"),), {"outputs", "current"}, set()),
    "cut every 8 steps": ((("dv, da = beta * du, rho * da + kappa * dtheta",
                            "dv, da = (beta * du, rho * da + kappa * dtheta) if t % 8 else (0 * du, 0 * du)"),),
                          {"current", "v"}, {"outputs"}),
    "clamped": ((("        dcurrent[t] = du = dv + through", "        dcurrent[t] = du = np.clip(dv + through, -10, 10)"),), {"current"},
                {"outputs"}),
    "in blocks of 8 neurons": ((("    return dcurrent,", "    dcurrent[..., 8:] *= 1.01\n    return dcurrent,"),), {"current"},
                               {"outputs", "beta", "rho", "kappa", "v", "a"}),
    "fires above": ((("(u >= theta)", "(u > theta)"),), {"outputs"}, {"current", "beta"}),
}


@pytest.mark.parametrize("name", few(FAULTS, 2))
def test_faults_are_caught_by_their_arguments(name):
    pairs, wrong, right = FAULTS[name]
    step, layer = of_file(changed(ADAPTIVE, *pairs))
    found = {word.removeprefix("gradient of ") for word in wrong_arguments(check_against_step(step, layer))}
    assert wrong <= found and not right & found, found


def test_right_layer_and_what_is_counted():
    step, layer = of_file(ADAPTIVE)
    ledger = check_against_step(step, layer, seed=3)
    ledger.raise_if_failed()
    cases = {e.check for e in ledger.entries}
    assert {e.argument for e in ledger.entries if e.check.startswith("gradients")} == {"outputs"} | {
        f"gradient of {name}" for name in ("current", "beta", "rho", "kappa", "v", "a")}
    for word in ("gradients: T 1,", "T 6,", "T 33,", "B 1,", "B 2,", "B 9,", "n 1,", "n 3,", "n 37,", "as declared", "drawn"):
        assert any(word in check for check in cases), word
    assert max(e.max_error for e in ledger.entries if e.check.startswith("gradients")) < 1e-11
    assert suite.not_checked(step, layer) == []


def test_where_it_first_diverges():
    step = steps.define(*NEURONS["adaptive"])

    def late(grads):
        grads["current"][2:5, -1] += 1
        grads["a"][0, -1] += 1e9
        return grads
    entries = check_against_step(step, layer_of(step, late)).entries
    said = {e.argument: e.first for e in entries if "gradients: T 6, B 2, n 3, as" in e.check}
    assert said["gradient of current"] == "step 4, sample 1, neuron 0 (backward)" and said["gradient of a"] == "sample 0, neuron 2"
    assert said["gradient of v"] == said["outputs"] == ""


@pytest.mark.slow
def test_declared_number_of_neurons_and_directions_for_large_ones(monkeypatch):
    step = steps.define(*NEURONS["two compartments"])
    ledger = check_against_step(step, layer_of(step))
    assert ledger.ok and {e.check.split(", ")[2] for e in ledger.entries} == {"n 3"} and step.n == 3
    monkeypatch.setattr(suite, "MOST", 10)
    monkeypatch.setattr(suite, "DIRECTIONS", 1)
    monkeypatch.setattr(suite, "SIZES", ((1, 9, 3), (6, 2, 3)))
    assert check_against_step(step, layer_of(step)).ok
    ledger = check_against_step(step, layer_of(step, lambda grads: grads | {"w_rec": grads["w_rec"].T}))
    assert wrong_arguments(ledger) == {"gradient of w_rec"}


@pytest.mark.parametrize("factor, ok", [(1 + 1e-6, True), (1 + 1e-3, False)])
def test_float32_has_a_tier_of_its_own(factor, ok):
    step = steps.define(*NEURONS["adaptive"])
    right = layer_of(step, lambda grads: {name: np.float32(factor * x).astype(float) for name, x in grads.items()})
    layer = right._replace(run=lambda *args: (np.float32(right.run(*args)[0]).astype(float), "float32"))
    assert check_against_step(step, layer).ok == ok and not check_against_step(step, right).ok


@pytest.mark.parametrize("rule", few([Rule(), Rule("subtract", "next", ">=", "1 - beta"), Rule("zero", "next", ">")], 3), ids=spelt_leaky)
def test_equality_is_checked_where_the_reset_comes_first_too(rule):
    """The other comparison differs at the threshold alone."""
    step = steps.define(leaky_step(rule, (), True), {"beta": 0.9, "threshold": 0.8}, None, Surrogate(), rule.fire)
    other = step._replace(fire=">=" if rule.fire == ">" else ">")
    assert check_against_step(step, layer_of(step)).ok
    failed = check_against_step(step, layer_of(other)).failed
    assert {e.check.split(":")[0] for e in failed} == {"at the threshold"} and failed[0].argument == "outputs"


def test_dead_neurons_are_not_green():
    step = steps.define(bad("v = 0.5 * state['v'] - np.abs(x) - 1.0; return {'v': v}, spike(v)"))
    ledger = check_against_step(step, layer_of(step))
    entry, = ledger.entries
    assert not ledger.ok and entry.verdict == "unjudged" and "0.05 to 0.95 of the spikes fire" in entry.note


def test_a_readout_has_no_spikes():
    step = steps.define(bad("v = params['beta'] * state['v'] + x; return {'v': v}, v"), {"beta": 0.9})
    assert check_against_step(step, layer_of(step)).ok


def test_a_layer_that_keeps_its_state():
    step = steps.define(*NEURONS["adaptive"])
    right, runs = layer_of(step), []

    def run(current, params, start):
        runs.append(current)
        return right.run(current + (0.5 if len(runs) % 7 == 0 else 0.0), params, start)
    assert not check_against_step(step, right._replace(run=run)).ok


def test_a_layer_that_fails_is_wrong():
    step = steps.define(*NEURONS["adaptive"])

    def fails(*args):
        raise IndexError("nothing there")
    ledger = check_against_step(step, layer_of(step)._replace(vjp=fails))
    notes = {e.note for e in ledger.entries if e.verdict == "WRONG"}
    assert len(notes) == 1 and notes.pop().startswith("vjp: IndexError: nothing there")


FUNCTIONS = {
    "no cache": (lambda current: current, lambda dy, cache: dy, "forward: expected (y, cache), got ndarray"),
    "writes": (lambda current: (np.negative(current, out=current), 0), lambda dy, cache: dy, "forward: expected it to leave its"),
    "writes into a state": (lambda current, v: (v.__iadd__(1) + current, 0), lambda dy, cache: (dy, {"v": dy[0]}), "it changed v"),
    "writes into dy": (lambda current: (current, 0), lambda dy, cache: dy.__imul__(2), "backward: expected it to leave its"),
    "no gradient": (lambda current, v: (current, 0), lambda dy, cache: dy, "expected a gradient of v, which forward takes, got"),
    "no dict": (lambda current, v: (current, 0), lambda dy, cache: (dy, dy), "got ndarray for the dict"),
    "shape of a gradient": (lambda current, v: (v + np.cumsum(current, axis=0), 0), lambda dy, cache: (dy, {"v": dy}),
                            "the gradient of v in the shape"),
    "shape of dcurrent": (lambda current: (current, 0), lambda dy, cache: dy[0], "expected an array of shape"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_that_are_not_as_described(name):
    forward, backward, message = FUNCTIONS[name]
    step = steps.define(bad("return {'v': state['v'] + x}, state['v'] + x"))
    layer = parametric.from_functions(forward, backward, step.params, step.start)
    notes = [e.note for e in check_against_step(step, layer).entries if e.verdict == "WRONG"]
    assert notes and message in notes[0]


def test_functions_that_take_all_as_dicts():
    step = steps.define(bad("v = params['beta'] * state['v'] + x; return {'v': v}, v"), {"beta": 0.9})

    def forward(current, params, start):
        seen = [start["v"]]
        for x in current:
            seen.append(params["beta"] * seen[-1] + x)
        return np.stack(seen[1:]), (np.stack(seen[:-1]), params["beta"])

    def backward(dy, cache):
        before, beta = cache
        dcurrent, dv = np.empty_like(dy), 0.0
        for t in reversed(range(len(dy))):
            dcurrent[t] = dv + dy[t]
            dv = beta * dcurrent[t]
        return dcurrent, {"beta": (dcurrent * before).sum(), "v": dv}
    layer = parametric.from_functions(forward, backward, step.params, step.start)
    assert layer.params == ("beta",) and layer.start == ("v",) and check_against_step(step, layer).ok


# -------------------------------------------------------------------------------------------------------------------- files

@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "adaptive.py").write_text(ADAPTIVE)
    return tmp_path


def run(capsys, *args):
    code = cli.main(["verify", *args, "--quiet"])
    return code, *capsys.readouterr()


@pytest.mark.slow
def test_another_process_gives_the_same_ledger(place):
    step, layer = of_file(ADAPTIVE)
    found, lines, printed = step_file.check("adaptive.py:step", "adaptive.py:forward,backward", 7)
    assert found.entries == check_against_step(step, layer._replace(name="adaptive.py"), 7).entries and lines == [] and printed == ""
    with Room(place / "adaptive.py") as room:
        room.load()
        there = suite.elsewhere(lambda what, *args: room.call("", ["step", what, *args], step_file.STEP))
        x = np.random.default_rng(0).normal(0.5, 1, (3, 2, 2))
        np.testing.assert_array_equal(there.truth(x).gradients["rho"], steps.truth(step, x).gradients["rho"])
        for a, b in zip(there.along(x, None, None, {"rho": 1.0}), steps.along(step, x, None, None, {"rho": 1.0}), strict=True):
            np.testing.assert_array_equal(a, b)
        assert str(there.frozen_offset_check(x)) == str(steps.frozen_offset_check(step, x))


def test_what_a_layer_does_not_take_is_said(place, capsys):
    taken = "current, beta, kappa):\n    rho, v, a = 0.8, 0 * current[0], 0 * current[0]"
    grads = '"beta": dbeta, "rho": drho, "kappa": dkappa, "v": dv, "a": da'
    text = changed(ADAPTIVE, ("current, beta, rho, kappa, v, a):", taken), (grads, '"beta": dbeta, "kappa": dkappa'))
    (place / "adaptive.py").write_text(text)
    code, out, _ = run(capsys, "--step", "adaptive.py:step", "--module", "adaptive.py:forward,backward", "--json", "v.json")
    assert code == 0 and "not checked: no parameter called rho\nnot checked: no first state called v\n" in out
    entries = json.loads((place / "v.json").read_text())["entries"]
    assert {e["argument"].split()[-1] for e in entries if e["check"].startswith("gradients")} == {"outputs", "current", "beta", "kappa"}


DEF = "import numpy as np\ndef step(state, x, spike, stop, params):\n    "
NO_VERDICT = {
    "no module": (["--step", "adaptive.py"], "", "--step: expected --module beside it"),
    "operation": (["--operation", "leaky"], "", "--step: expected --module beside it, and neither --operation nor --golden"),
    "one name too many": (["--step", "adaptive.py:step,other"], "", "expected my.py:step and my.py:layer"),
    "no layer named": (["--module", "adaptive.py"], "", "expected my.py:step and my.py:layer"),
    "no such function": (["--module", "adaptive.py:forwards,backward"], "", "adaptive.py: expected a layer, or a function 'forwards'"),
    "unknown argument": (["--step", "step.py", "--module", "adaptive.py:forward,backward"], DEF + "return {'v': x}, spike(x)",
                         "adaptive.py: expected a layer of the current, parameters and first states (v); it takes beta"),
    "state lost": (["--step", "step.py"], DEF + "return {}, x", "step.py: step: expected the states v"),
    "in place": (["--step", "step.py"], DEF + "x += 1; return state, x", "v += x (line 3)"),
    "no rule": (["--step", "step.py"], DEF + "return {'v': np.fmod(x, 9)}, spike(x)",
                "np.fmod has no rule for derivatives: write it with the functions that docs/howto/verify-any-neuron.md lists (line 3)"),
    "dead": (["--step", "step.py"], DEF + "return {'v': x}, spike(x * x + 1)", "0.05 to 0.95 of the spikes"),
    "leaves": (["--step", "step.py"], DEF + "import os; os._exit(0)", "ended the Python process (exit code 0)"),
    "syntax": (["--step", "step.py"], "def step(:\n", "step.py, line 1: invalid syntax"),
}


@pytest.mark.parametrize("name", few(NO_VERDICT, 3))
def test_no_verdict_is_2_and_one_line(name, place, capsys):
    args, text, message = NO_VERDICT[name]
    (place / "step.py").write_text(text)
    args = [*([] if "--step" in args else ["--step", "adaptive.py:step"]), *args]
    (place / "layer.py").write_text("def forward(current):\n    return current, 0\ndef backward(dy, cache):\n    return dy\n")
    layer = "adaptive.py" if "step.py" not in args else "layer.py"
    args += [] if "--module" in args or name == "no module" else ["--module", f"{layer}:forward,backward"]
    code, out, err = run(capsys, *args)
    assert code == 2 and message in err and len(err.strip().splitlines()) == 1 and "all right" not in out


def test_a_layer_that_leaves_is_not_green(place, capsys):
    leaves = "    import os\n    if len(ds) > 6:\n        os._exit(0)\n    return dcurrent,"
    (place / "layer.py").write_text(changed(ADAPTIVE, ("    return dcurrent,", leaves)))
    code, out, err = run(capsys, "--step", "adaptive.py", "--module", "layer.py:forward,backward")
    assert code == 2 and "ended the Python process" in err and "unjudged" in out and "all right" not in out


@pytest.mark.slow
def test_how_to_page(place, capsys):
    """Do what the page says, in its order; what is printed must read like its text, numbers aside."""
    text, said, codes = PAGE.read_text(encoding="utf-8"), "", []

    def shape_of(words):
        return re.sub(r"\s+", " ", re.sub(r"[-+]?\d[\d.,]*(e[-+]?\d+)?", "#", words)).strip()
    for name, change, kind, block in re.findall(r"(?:^File `(\S+)`(, changed)?:\n\n)?^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if change:
            lines = [block.rstrip("\n") if line.startswith(block.split("=")[0]) else line for line in ADAPTIVE.splitlines()]
            (place / name).write_text("\n".join(lines) + "\n")
        elif name:
            (place / name).write_text(block)
        elif kind == "console":
            codes.append(cli.main([*shlex.split(block.removeprefix("$ pysnn ")), "--quiet"]))
            said = capsys.readouterr().out
        elif kind == "python":
            exec(compile(block, PAGE.name, "exec"), {})
            said = capsys.readouterr().out
        else:
            assert shape_of(said) == shape_of(block)
    assert codes == [0, 1]


def test_page_lists_the_functions_with_a_rule():
    listed = set(re.search(r"`np`: `(.*?)`", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1].split())
    rules = verify.witness.duals
    known = {*rules.PARTIALS, *rules.LINEAR, *rules.MULTILINEAR, *rules.FUNCTIONS, np.matmul}
    names = {getattr(np, name) for name in listed}
    operators = {np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.fabs}
    assert names == known - operators
