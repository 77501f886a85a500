"""The pytest plugin and `verify.student`, as somebody meets them who has a file of his own outside this repository."""

import importlib.metadata
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from pysnn.verify import student, suite, zoo
from tests.cases import ROOT

ENV = {**os.environ, "PYTHONPATH": str(ROOT)}

LAYER = '''
import numpy as np

OPERATION = "temporal"


def forward(z_in, w):
    z_out = np.full((len(z_in), w.shape[1]), np.inf)
    for b, z in enumerate(z_in):
        order = np.argsort(z)[:np.isfinite(z).sum()]
        if len(order):
            z_sorted, w_sorted = z[order], w[order]
            z_next = np.append(z_sorted[1:], np.inf)[:, None]
            total = w_sorted.cumsum(axis=0) - 1
            moment = (w_sorted * z_sorted[:, None]).cumsum(axis=0)
            crossing = np.where(total > 0, moment, np.inf) / np.where(total > 0, total, 1)
            fires = (total > 0) & (crossing <= z_next)
            first = crossing[fires.argmax(axis=0), np.arange(w.shape[1])]
            z_out[b] = np.where(fires.any(axis=0), first, np.inf)
    return z_out, (z_in, w, z_out)


def backward(dz_out, cache):
    z_in, w, z_out = cache
    fired = np.isfinite(z_out)
    causal = (z_in[:, :, None] < z_out[:, None, :]) & fired[:, None, :]
    summed = causal
    h = np.where(fired, dz_out, 0) / np.where(fired, np.where(summed, w, 0).sum(axis=1) - 1, 1)
    late = np.where(causal, z_in[:, :, None] - np.where(fired, z_out, 0)[:, None, :], 0)
    return (causal * w * h[:, None, :]).sum(axis=2), (late * h[:, None, :]).sum(axis=0)
'''
BROKEN = LAYER.replace("summed = causal", "summed = np.isfinite(z_in)[:, :, None]")

NEURON = '''
import numpy as np

OPERATION = "integrate_fire"
THRESHOLD = 0.5


def forward(current, threshold, v_init, rule):
    v, u, spikes = v_init, np.empty_like(current), np.empty_like(current)
    for t, x in enumerate(current):
        if rule.timing == "next":
            v = reset(v, threshold, rule)
        u[t] = v = v + x
        spikes[t] = fires(v, threshold, rule)
        if rule.timing == "same":
            v = reset(v, threshold, rule)
    return spikes, v, (u, threshold, rule, v_init)


def fires(v, threshold, rule):
    return v >= threshold if rule.fire == ">=" else v > threshold


def reset(v, threshold, rule):
    return np.where(fires(v, threshold, rule), v - threshold if rule.reset == "subtract" else 0, v)
'''


@pytest.fixture
def write(tmp_path):
    """Write a file and return its path as text."""
    def at(text, name="mylayer.py"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)
    return at


def run_pytest(folder, *args):
    return subprocess.run([sys.executable, "-m", "pytest", "-p", "pysnn.verify.plugin", "-p", "no:cacheprovider", "-W", "error", *args],
                          capture_output=True, text=True, env=ENV, cwd=folder)


# ---- the plugin

def test_passes_a_right_layer_and_fails_a_broken_one_by_its_name(write, tmp_path):
    assert 25 <= len(LAYER.strip().splitlines()) <= 35
    write(LAYER, "right.py")
    write(BROKEN, "broken.py")
    write("def test_of_their_own():\n    assert False\n", "test_theirs.py")       # not asked for: no path is given
    done = run_pytest(tmp_path, "--snn-conformance", "right.py", "--snn-conformance", "broken.py:forward,backward", "-q",
                      "--junitxml", "out.xml")
    assert done.returncode == 1 and done.stderr == ""
    cases = {(c.get("classname"), c.get("name")): c for c in ET.parse(tmp_path / "out.xml").iter("testcase")}
    names = [c.name for c in suite.checks("temporal", op=student.load(str(tmp_path / "right.py")))]
    assert len(cases) == 2 * len(names) and {name for _, name in cases} == set(names)
    failed = {key: c.find("failure") for key, c in cases.items() if c.find("failure") is not None}
    assert {layer for layer, _ in failed} == {"broken.py:forward,backward"}
    assert {"gradcheck", "complex step", "shift identity"} <= {name for _, name in failed} and "definition" not in {n for _, n in failed}
    for failure in failed.values():
        said = failure.get("message")
        assert "looks like denominator_all_weights" in said and "WRONG: " in said and "Traceback" not in failure.text
    assert "first diverges at layer" in failed["broken.py:forward,backward", "gradcheck"].text
    assert f"{len(failed)} failed, {2 * len(names) - len(failed)} passed" in done.stdout


@pytest.mark.slow
def test_chosen_by_k_and_beside_other_tests(write, tmp_path):
    write(LAYER)
    write("def test_of_their_own():\n    pass\n", "test_theirs.py")
    done = run_pytest(tmp_path, "--snn-conformance", "mylayer.py", "test_theirs.py", "-k", "own or definition or identity", "-v")
    assert done.returncode == 0, done.stdout
    for name in ("mylayer.py::definition PASSED", "mylayer.py::shift identity PASSED", "test_theirs.py::test_of_their_own PASSED"):
        assert name in done.stdout
    assert "3 passed, 9 deselected" in done.stdout


@pytest.mark.parametrize("args, text, message", [
    (["nowhere.py"], "", "expected a file such as my.py or my.py:forward,backward, got 'nowhere.py', which is not there"),
    pytest.param(["mylayer.py"], "def forward(:", "mylayer.py, line 1: invalid syntax", marks=pytest.mark.slow),
    pytest.param(["mylayer.py", "--snn-operation", "tempral"], LAYER, "got 'tempral'", marks=pytest.mark.slow)],
    ids=["missing", "syntax", "operation"])
def test_bad_input_is_one_line(write, tmp_path, args, text, message):
    write(text)
    done = run_pytest(tmp_path, "--snn-conformance", *args)
    assert done.returncode == 4 and message in done.stderr and "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.strip().splitlines()) == 1


LEAVING = {"exits": ("import sys; sys.exit()", "does not run: it exits (0)"),
           "ends": ("import os; os._exit(0)", "ended the Python process (exit code 0)"),
           "interrupts": ("raise KeyboardInterrupt", "raises KeyboardInterrupt")}


@pytest.mark.slow
def test_a_file_that_leaves_is_a_failed_test_and_the_session_goes_on(write, tmp_path):
    for name, (what, _) in LEAVING.items():
        write(f"OPERATION = 'dense'\n{what}\n", f"{name}.py")
    dense = "OPERATION, n = 'dense', [0]\ndef forward(x, w):\n    n[0] += 1\n    if n[0] > 40: {}\n    return x @ w, (x, w)\n" \
            "def backward(dy, cache):\n    x, w = cache\n    return dy @ w.T, x.T @ dy\n"
    write(dense.format("pass"), "right.py")
    write(dense.format("raise SystemExit"), "later.py")
    write("def test_of_their_own():\n    pass\n", "test_theirs.py")
    layers = [f"--snn-conformance={name}.py" for name in (*LEAVING, "later", "right")]
    done = run_pytest(tmp_path, *layers, "test_theirs.py", "-v")
    assert done.returncode == 1 and not re.search("Traceback|INTERNALERROR", done.stdout + done.stderr)
    for name, (_, said) in LEAVING.items():
        assert f"{name}.py::load FAILED" in done.stdout and said in done.stdout
    assert "later.py: no verdict: raises SystemExit (line 4)" in done.stdout
    for name in ("right.py::definition", "right.py::gradcheck", "right.py::reference", "later.py::definition", "py::test_of_their_own"):
        assert f"{name} PASSED" in done.stdout


def test_not_asked_for_it_loads_nothing(tmp_path):
    (tmp_path / "test_it.py").write_text("import sys\n\ndef test_it(request):\n"
                                         "    assert request.config.getoption('--snn-conformance') == []\n"
                                         "    assert not [m for m in sys.modules if m == 'numpy' or m.startswith('pysnn.') and "
                                         "m != 'pysnn.pytest_plugin']\n")
    installed = any(e.value == "pysnn.pytest_plugin" for e in importlib.metadata.entry_points(group="pytest11"))
    door = [] if installed else ["-p", "pysnn.pytest_plugin"]                # pytest refuses to load it twice
    done = subprocess.run([sys.executable, "-m", "pytest", *door, "-p", "no:cacheprovider", "-q"],
                          capture_output=True, text=True, env=ENV, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


# ---- the student's file

SHAPED = "expected an array of shape {} and dtype float64, got an array of shape {}"


@pytest.mark.parametrize("spec, text, message", [
    ("mylayer.txt", LAYER, "module: expected a file such as my.py or my.py:forward,backward, got"),
    ("", "1/0", "mylayer.py: does not run: ZeroDivisionError: division by zero (line 1)"),
    ("", "import nosuchmodule_", "mylayer.py: does not run: ModuleNotFoundError: No module named 'nosuchmodule_' (line 1)"),
    ("", LAYER.replace("OPERATION", "OTHER"), "mylayer.py: expected --operation NAME, or a line OPERATION = NAME in the file"),
    (":forward,back", LAYER, "mylayer.py: expected a function 'back', found forward, backward"),
    (":forward", LAYER, "mylayer.py: expected two names, forward and backward, for temporal, got forward"),
    ("", LAYER.replace("return z_out, (", "return z_out, z_out, ("), "mylayer.py: does not run as temporal: ValueError: too many values"),
    ("", LAYER.replace("return z_out, (", "return z_out[0], ("), "z_out: " + SHAPED.format((3, 6), (6,))),
    ("", LAYER.replace("return z_out, (", "return z_out.astype('f2'), ("), SHAPED.format((3, 6), (3, 6)) + " and dtype float16"),
    ("", LAYER.replace(".sum(axis=2), (", ".sum(axis=1), ("), "gradient of z_in: " + SHAPED.format((3, 5), (3, 6))),
    ("", LAYER.replace(".sum(axis=2), (late * h[:, None, :]).sum(axis=0)", ".sum(axis=2)"),
     "backward: expected 2 gradients (gradient of z_in, gradient of w), got 1"),
    ("", LAYER + "THRESHOLD = -1\n", "mylayer.py: THRESHOLD: expected a positive number, got int -1"),
    ("", NEURON + "RULE = ('subtract', 'never', '>=')\nbackward = forward\n", "mylayer.py: RULE: "),
    ("", "OPERATION = 'integrate_fire'\ndef forward(x):\n    return x\ndef backward(d, c):\n    return d\n",
     "forward: expected (spikes, cache)"),
    ("", "OPERATION = 'mse'\ndef loss(y, labels):\n    return 0.0\n", "mylayer.py: does not run as mse: TypeError"),
], ids=range(15))
def test_what_is_refused_is_said_in_one_line(write, spec, text, message):
    path = write(text, spec if spec.endswith(".txt") else "mylayer.py")
    with pytest.raises(ValueError) as raised:
        student.load(path + ("" if spec.endswith(".txt") else spec))
    said = str(raised.value)
    assert message in said and "\n" not in said, said


def test_loading_leaves_no_traces(write, tmp_path):
    before = list(sys.path), set(sys.modules), sys.dont_write_bytecode
    write("VALUE = 1\n", "sibling.py")
    student.load(write("import sibling\n" + LAYER))
    assert before[0] == sys.path and before[2] == sys.dont_write_bytecode and not (tmp_path / "__pycache__").exists()
    assert {name for name in set(sys.modules) - before[1] if "student" in name} == set()
    sys.modules.pop("sibling", None)


@pytest.mark.parametrize("old, new, message", [
    ("- 1, 1)", "- 1, 1) * -1", "gradient of z_in: has the wrong sign"),
    ("- 1, 1)", "- 1, 1) / len(z_in)", "gradient of w: is 0.333333333 times what it should be"),
    ("return (causal", "return 0 * (causal", "gradient of z_in: is 0 everywhere"),
    ("return (causal", "return np.nan * (causal", "gradient of z_in: 45 of 45 are NaN")])
def test_simple_mistakes_are_said(write, old, new, message):
    layer = student.load(write(LAYER.replace(old, new)))
    assert message in student.likely(layer)


def test_right_layers_look_like_nothing(write):
    assert student.likely(student.load(write(LAYER))) == []


BACKWARD = '''

def backward(dspikes, cache, dv_final, surrogate, detach_reset):
    u, threshold, rule, v_init = cache
    dv, dcurrent = dv_final, np.empty_like(u)
    for t in reversed(range(len(u))):
        k = surrogate.slope
        slope = k / 2 / (1 + (np.pi / 2 * k * (u[t] - threshold)) ** 2)
        kept = 1.0 if rule.reset == "subtract" else 1.0 - fires(u[t], threshold, rule)
        dropped = 0 if detach_reset else slope * (threshold if rule.reset == "subtract" else u[t])
        dv = dv * (kept - dropped) + slope * dspikes[t]
        dcurrent[t] = dv
    return dcurrent, dcurrent[0]
'''


def test_a_neuron_that_knows_all_rules_at_one_time_of_reset(write):
    """It takes the whole contract, so it is held to all of it: the reset at the next step has another last state, and is caught."""
    text = NEURON + 'SURROGATE = ("atan", 3.0)\n' + BACKWARD
    found = suite.run(["integrate_fire"], op=student.load(write(text)))
    kinds = {e.check.split(": ")[1].split(",")[0].split()[1] for e in found.failed if ":" in e.check}
    assert kinds == {"next"} and "subtract same >=" in {e.check.split(": ")[1].split(",")[0] for e in found.entries if ":" in e.check}
    one = student.load(write(text + 'RULE = ("zero", "same", ">")\nDETACH_RESET = False\n'))
    suite.run(["integrate_fire"], op=one).raise_if_failed()


def test_losses_and_operations_with_fewer_arguments(write):
    loss = student.load(write("import numpy as np\nOPERATION = 'mse'\ndef loss(y, labels):\n    off = y - np.eye(y.shape[1])[labels]\n"
                              "    return float((off ** 2).mean()), 2 * off / y.size\n"))
    suite.run(["mse"], op=loss).raise_if_failed()
    dense = student.load(write("OPERATION = 'dense'\ndef f(x, w):\n    return x @ w, (x, w)\n"
                               "def b(d, c):\n    return d @ c[1].T, c[0].T @ d\n") + ":f,b")
    suite.run(["dense"], op=dense).raise_if_failed()
    sign = student.load(write("from pysnn import losses\nOPERATION = 'softmax_t'\ndef loss(z, y):\n    a, d = losses.softmax_t(z, y)\n"
                              "    return a, -d\n"))
    assert student.likely(sign)[0].startswith("looks like softmax_sign") and not suite.run(["softmax_t"], op=sign).ok
    assert np.isfinite(suite.run(["relu"], op=suite.operation("relu")).errors["relu"]).all()


@pytest.mark.parametrize("detach", [True, False])
def test_a_neuron_with_a_late_reset_and_no_initial_potential_is_right(write, detach):
    path = write(f"""
import numpy as np
OPERATION, RULE, SURROGATE, DETACH_RESET = "integrate_fire", ("subtract", "next", ">="), ("atan", 2.0), {detach}


def forward(current):
    v, u = np.zeros(current.shape[1:]), np.empty_like(current)
    for t, x in enumerate(current):
        u[t] = v - (v >= 1) + x
        v = u[t]
    return (u >= 1) * 1.0, u


def backward(dspikes, u):
    slope, dcurrent, dv = 1 / (1 + (np.pi * (u - 1)) ** 2), np.empty_like(u), 0.0
    for t in reversed(range(len(u))):
        dv = dv * (1 if DETACH_RESET else 1 - slope[t]) + slope[t] * dspikes[t]
        dcurrent[t] = dv
    return dcurrent
""")
    layer = student.load(path)
    ledger = suite.run(["integrate_fire"], op=layer)
    assert ledger.ok, str(ledger)


def test_a_late_reset_with_a_final_potential_needs_an_initial_one(write):
    path = write("OPERATION, RULE = 'integrate_fire', ('subtract', 'next', '>=')\n"
                 "def forward(current):\n    return current, current[0], 0\n"
                 "def backward(dspikes, cache):\n    return dspikes\n")
    with pytest.raises(ValueError, match=r"or a v_init beside the v_final, of a RULE with timing 'next'"):
        student.load(path)


LEAKY = """
import numpy as np
OPERATION, RULE, SURROGATE, DETACH_RESET = "leaky", ("subtract", "next", ">", "1", "leak first"), ("atan", 2.0), True

def forward(current, beta, threshold, v_init):
    u, s, seen, spikes = v_init, v_init > threshold, [], []
    for x in current:
        u = beta * u + x - threshold * s
        s = u > threshold
        seen.append(u)
        spikes.append(1.0 * s)
    return np.stack(spikes), u, (np.stack([v_init, *seen]), beta, threshold)

def backward(dspikes, cache, dv_final, dv):
    seen, beta, threshold = cache
    dx, dbeta, dtheta, a = np.zeros_like(dspikes), 0, 0, dv_final
    for t in reversed(range(len(dspikes))):
        slope = 1 / (1 + (np.pi * (seen[t + 1] - threshold)) ** 2)
        a = dx[t] = a + slope * dspikes[t] + dv[t]
        dbeta, dtheta = dbeta + (a * seen[t]).sum(axis=0), dtheta - (slope * dspikes[t] + a * (seen[t] > threshold)).sum(axis=0)
        a = beta * a
    return dx, dbeta, dtheta, a
"""


def test_a_leaky_neuron_of_your_own(write):
    """It declares its rule, takes neither alpha nor w_rec, and is right; with a mistake it is called by its name."""
    layer = student.load(write(LEAKY))
    assert layer.n_args == 4 and layer.rules[0].order == "leak first" and layer.detach == (True,)
    ledger = suite.run(["leaky"], op=layer)
    ledger.raise_if_failed()
    assert {e.check.split(":")[0] for e in ledger.entries} == {"dynamics", "frozen offsets", "transpose", "reference", "two parts",
                                                                  "sizes", "contract"}
    wrong = student.load(write(LEAKY.replace(" + a * (seen[t] > threshold)", "")))
    failed = {e.check.split(":")[0] for e in suite.run(["leaky"], op=wrong).failed}
    assert failed == {"frozen offsets", "transpose", "reference", "sizes"}
    assert student.likely(wrong)[0].startswith("looks like threshold_of_spikes_alone: ")
    with pytest.raises(ValueError, match=r"expected forward\(current, beta, threshold, v_init, \.\.\.\) and backward"):
        student.load(write("OPERATION = 'leaky'\ndef forward(current, beta):\n    pass\ndef backward(dspikes, cache):\n    pass\n"))


def test_a_small_threshold_is_no_obstacle(write):
    layer = student.load(write("from pysnn.reference.temporal import backward, forward\nOPERATION, THRESHOLD = 'temporal', 1e-4\n"))
    ledger = suite.run(["temporal"], op=layer)
    assert layer.thresholds == (1e-4,) and ledger.ok, str(ledger)


@pytest.mark.parametrize("name", sorted(set(zoo.every()) - {"updated_early", "unseen_regulariser"}))
def test_known_mistakes_are_called_by_name(name):
    fault = zoo.every()[name]
    faulty = fault.inject(suite.operation(fault.operation))
    subject = student.Subject(fault.operation, getattr(faulty, "forward", faulty), getattr(faulty, "backward", None))
    (said,) = student.likely(subject)
    assert said.startswith(f"looks like {name}: ")
