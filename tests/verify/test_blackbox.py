"""Any layer by one line: how it is called, what it follows, whether its gradient is right; here in NumPy."""

import json

import numpy as np
import pytest

from pysnn.cli import main as run
from pysnn.verify import blackbox
from pysnn.verify.blackbox import _axes
from pysnn.verify.report.ledger import CONVENTION, RIGHT, UNJUDGED, WRONG
from pysnn.verify.witness.surrogates import derivative, of
from tests.cases import ROOT
from tests.cases.any_layer import RIGHT as RIGHT_LAYERS
from tests.cases.any_layer import source
from tests.cases.command import python


def written(tmp_path, **change):
    """Write a layer into a file."""
    path = tmp_path / "layer.py"
    path.write_text(source(**change))
    return path


def judged(path, **how):
    """Check a file in this process: the same as in another one, and sooner."""
    names = {}
    exec(path.read_text(), names)
    declared = {name: names[name] for name in ("RULE", "SURROGATE", "DETACH_RESET", "BETA") if name in names}
    layer = blackbox.of((names["forward"], names["backward"]), "numpy", declared=declared, **how)
    return *blackbox.check(layer), layer


# ------------------------------------------------------------------------------------------------------------------ right

def test_a_right_layer_is_right_by_what_it_declares(tmp_path):
    ledger, found, layer = judged(written(tmp_path))
    assert ledger.ok and {e.verdict for e in ledger.entries} == {RIGHT} and len(ledger.entries) > 15
    assert layer.structure.axes == "TBN" and layer.structure.n is None and not layer.structure.keeps
    assert found.convention.surrogate == ("atan", 2.0) and found.convention.detach_reset


@pytest.mark.parametrize("name", RIGHT_LAYERS)
def test_right_layers_of_several_kinds(tmp_path, name):
    ledger, *_ = judged(written(tmp_path, **RIGHT_LAYERS[name]))
    assert ledger.ok and ledger.entries[0].verdict == RIGHT, str(ledger)


@pytest.mark.parametrize("change", [{"declared": ""}, {"beta": 0.9, "declared": ""}, {"surrogate": ("boxcar", 1.0), "declared": ""},
                                    {"surrogate": ("triangle", 1.0, 0.3), "declared": ""}, {"surrogate": ("gaussian", 3.0), "declared": ""},
                                    {"surrogate": ("exponential", 5.0, 1.0), "declared": ""}, {"surrogate": ("erf", 1.0), "declared": ""},
                                    {"declared": "", "reset": "v * (1 - s)", "back": "dv * (1 - s)"}])
def test_what_is_not_declared_is_found_and_named(tmp_path, change):
    ledger, found, _ = judged(written(tmp_path, **change))
    assert ledger.ok, str(ledger)
    assert ledger.entries[0].verdict == CONVENTION and "nothing is declared" in ledger.entries[0].note
    shape = of(change.get("surrogate", ("atan", 2.0)))
    x = np.array([-0.3, 0.01, 0.2])
    np.testing.assert_allclose(derivative(x, found.convention.surrogate), derivative(x, shape), rtol=1e-9)
    assert getattr(found.convention, "beta", 1.0) == change.get("beta", 1.0)


def test_a_surrogate_without_a_name_is_measured(tmp_path):
    own = "SURROGATE = lambda x: 1 / (1 + (2 * x) ** 4)"
    path = written(tmp_path, declared=own)
    path.write_text(path.read_text().replace("return derivative(x, of(SHAPE_))", "return SURROGATE(x)"))
    ledger, found, _ = judged(path)
    assert ledger.ok and found.convention.surrogate.kind == "measured", str(ledger)
    assert found.convention.surrogate(np.array([0.5]))[0] == pytest.approx(0.5)
    with blackbox.opened("numpy", f"{path}:forward,backward") as layer:                  # where a function of the file is called over there
        assert blackbox.check(layer)[0].ok
    path.write_text(path.read_text().replace("g(v - 1.0) * ds", "1.01 * g(v - 1.0) * ds"))
    ledger, *_ = judged(path)
    assert not ledger.ok and "declared the surrogate" in ledger.entries[0].note


@pytest.mark.parametrize("axes", ["BTN", "BNT", "TNB"])
def test_axes_are_found_or_taken_from_the_user(tmp_path, axes):
    order = tuple(axes.index(a) for a in "TBN")
    back = tuple("TBN".index(a) for a in axes)
    path = written(tmp_path)
    path.write_text(path.read_text().replace("def forward(current):", f"def forward(current):\n    current = current.transpose{order}")
                    .replace("return np.stack([s for _, s in seen]), seen", f"return np.stack([s for _, s in seen]).transpose{back}, seen")
                    .replace("def backward(dspikes, seen):", f"def backward(dspikes, seen):\n    dspikes = dspikes.transpose{order}")
                    .replace("return np.stack(grads)", f"return np.stack(grads).transpose{back}"))
    for given in (None, axes) if axes != "TNB" else (axes,):
        ledger, _, layer = judged(path, axes=given)
        assert ledger.ok and layer.structure.axes == axes, str(ledger)
    other = "TBN" if axes != "TNB" else "BTN"
    with pytest.raises(_axes.Refused, match="that is time") if axes != "TNB" else pytest.raises(ValueError, match="along axis 0"):
        judged(path, axes=other)


# ------------------------------------------------------------------------------------------------------------------ wrong

FAULTS = {
    "state lost": ({"back": "0.0 * dv"}, "state is lost"),
    "no leak in backward": ({"beta": 0.9, "back": "dv / BETA_"}, "backward has no leak"),
    "wrong sign": ({"back": "dv", "more": "dv = -dv"}, "wrong sign"),
    "mean over the batch": ({"more": "dv = dv / v.shape[0] ** (t == 0)"}, "gradients through time"),
    "cut every 8 steps": ({"back": "dv * ((t + 1) % 8 > 0)"}, "gradients through time"),
    "reset attached": ({"back": "dv * (1 - g(v - 1.0))"}, "declared the reset detached, found it attached"),
    "slope ignored": ({"surrogate": ("atan", 3.0)}, "declared the surrogate atan of slope 2, found atan of slope 3"),
    "another kind": ({"surrogate": ("sigmoid", 4.0)}, "found sigmoid of slope 4"),
    "off centre": ({"surrogate": ("atan", 2.0, None, -1.0)}, "peak at V = 0"),
    "another reset": ({"reset": "v * (1 - s)", "back": "dv * (1 - s)"}, "declared reset 'subtract', found 'zero'"),
    "float32 inside": ({"forward": "v = np.float32(BETA_ * v + x).astype(float)"}, "computes in float32"),
    "only the first 8 neurons": ({"more": "dv[:, 8:] = 0.0"}, "differ"),
    "clipped gradient": ({"more": "dv = np.clip(dv, -10, 10)"}, "differ"),
    "only short runs": ({"more": "dv = dv * (len(seen) < 100)"}, "differ"),
    "sample 0 leaks": ({"forward": "v = BETA_ * v + x; v = v + 0.25 * (v[:1] - v) * (len(v) == 9)"}, "differ"),
    "changes what it is given": ({"more": "dspikes[t] = 0"}, "changes the gradient"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught_and_named(tmp_path, fault):
    change, says = FAULTS[fault]
    ledger, *_ = judged(written(tmp_path, **change))
    assert any(e.verdict == WRONG for e in ledger.entries), str(ledger)
    assert any(says in f"{e.note} {e.argument}" for e in ledger.failed), str(ledger)


def test_a_state_that_is_kept_is_wrong(tmp_path):
    path = written(tmp_path)
    text = path.read_text().replace("v, seen = np.zeros(current.shape[1:]), []",
                                    "seen = []\n    v = KEPT.get(current.shape[1:], np.zeros(current.shape[1:]))")
    text = text.replace("    return np.stack([s for", "    KEPT[current.shape[1:]] = v\n    return np.stack([s for")
    path.write_text(text.replace("import numpy as np", "import numpy as np\nKEPT = {}"))
    ledger, found, layer = judged(path)
    assert layer.structure.keeps and found is None and "keeps its state between calls" in ledger.entries[0].note


def test_an_unknown_neuron_is_not_called_wrong(tmp_path):
    adaptive = "v = BETA_ * v + x - 0.25 * sum(s_ for _, s_ in seen)"
    ledger, *_ = judged(written(tmp_path, declared="", forward=adaptive))
    assert [e.verdict for e in ledger.entries] == [UNJUDGED] and "give its step" in ledger.entries[0].note
    ledger, *_ = judged(written(tmp_path, forward=adaptive))
    assert [e.verdict for e in ledger.entries] == [WRONG] and "declared RULE, SURROGATE, DETACH_RESET, but" in ledger.entries[0].note


# -------------------------------------------------------------------------------------------------------------- bad input

@pytest.mark.parametrize("options, says", [
    (["--numpy", "none.py:f,b"], "there is no file none.py"), (["--torch", "snntorch"], "MODULE:LAYER"),
    (["--numpy", "layer.py:forward,nothing"], "nothing"), (["--numpy", "layer.py", "--axes", "TT"], "--axes: expected letters"),
    (["--axes", "TBN"], "expected --torch, --jax or --numpy"),
    (["--numpy", "layer.py", "--shape", "3xa"], "--shape: expected numbers"),
    (["--numpy", "layer.py", "temporal"], "expected no OPERATION"),
    (["--numpy", "layer.py", "--threshold", "0"], "a number above 0"), (["--numpy", "layer.py", "--n", "0"], "at least 1"),
    (["--numpy", "layer.py", "--jax", "layer.py:forward"], "expected no OPERATION"),
    (["--numpy", "layer.py", "--threshold", "100"], "few binary digits")])
def test_bad_input_is_one_line(tmp_path, monkeypatch, capsys, options, says):
    written(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(["verify", *options, "--quiet"]) == 2
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1, err


def test_a_file_that_leaves_is_no_verdict(tmp_path, capsys):
    path = written(tmp_path, forward="import sys; sys.exit(0)")
    assert run(["verify", "--numpy", f"{path}:forward,backward", "--quiet"]) == 2
    assert "SystemExit" in capsys.readouterr().err


def test_the_command_says_right_and_wrong(tmp_path, capsys):
    path = written(tmp_path)
    assert run(["verify", "--numpy", f"{path}:forward,backward", "--quiet", "--json", str(tmp_path / "r.json")]) == 0
    assert "all right" in capsys.readouterr().out and json.loads((tmp_path / "r.json").read_text())["ok"]
    written(tmp_path, back="0.0 * dv")
    assert run(["verify", "--numpy", f"{path}:forward,backward", "--quiet"]) == 1
    assert "state is lost" in capsys.readouterr().out


@pytest.mark.slow
def test_in_pytest(tmp_path):
    """Each layer is a test of its own."""
    written(tmp_path).rename(tmp_path / "right.py")
    written(tmp_path, back="0.0 * dv").rename(tmp_path / "wrong.py")
    done = python("-m", "pytest", "-p", "pysnn.verify.plugin", "-p", "no:cacheprovider", "-q", "--snn-numpy", "right.py", "--snn-numpy",
                  "wrong.py:forward,backward", "--snn-numpy", "none.py", "--snn-axes", "TBN", cwd=tmp_path)
    assert "1 passed" in done.stdout and "2 failed" in done.stdout, done.stdout
    assert "state is lost" in done.stdout and "there is no file none.py" in done.stdout and "Traceback" not in done.stdout


def test_recurrent_weights_and_what_acts_on_other_samples(tmp_path):
    back = "dv + (g(v - 1.0) * 0) + 0.0"
    recurrent = {"declared": "", "beta": 0.75, "forward": "v = BETA_ * v + x + (0.25 * np.roll(seen[-1][1], 1, 1) if seen else 0.0)",
                 "back": back, "more": "dv0 = dv; nxt = np.roll(dv, -1, 1)"}
    path = written(tmp_path, **recurrent)
    ledger, found, layer = judged(path, n=3)
    assert layer.structure.n == 3 and not ledger.ok and "come back count as constants" in ledger.entries[0].note, str(ledger)
    path.write_text(path.read_text().replace("ds = dspikes[t]", "ds = dspikes[t] + (0.25 * np.roll(grads[0], -1, 1) if grads else 0.0)"))
    ledger, found, _ = judged(path, n=3)
    assert ledger.ok and found.convention.w_rec is not None, str(ledger)
    ledger, *_ = judged(written(tmp_path, forward="v = BETA_ * v + x; v = v + 0.25 * (v[:1] - v)"))
    assert [e.verdict for e in ledger.entries] == [WRONG] and "one sample changes the spikes of another" in ledger.entries[0].note


# ------------------------------------------------------------------------------------------------- how other people write

def test_a_layer_may_keep_its_cache_in_itself(tmp_path):
    names = {}
    exec(source(), names)

    class Layer:
        def forward(self, x):
            spikes, self.seen = names["forward"](x)
            return spikes

        def backward(self, down):
            return names["backward"](down, self.seen)
    layer = Layer()
    ledger, found = blackbox.check(blackbox.of((layer.forward, layer.backward), "numpy"))
    assert ledger.ok and found.convention.surrogate == ("atan", 2.0), str(ledger)
    ledger, _ = blackbox.check(blackbox.of((layer.forward, names["backward"]), "numpy"))
    assert [e.verdict for e in ledger.entries] == [UNJUDGED] and "got a forward without a cache" in ledger.entries[0].note


def test_time_that_runs_backwards_is_wrong(tmp_path):
    path = written(tmp_path)
    path.write_text(path.read_text().replace("enumerate(current)", "enumerate(current[::-1])")
                    .replace("in seen]), seen", "in seen[::-1]]), seen"))
    for axes in (None, "TBN"):
        ledger, *_ = judged(path, axes=axes)
        assert [e.verdict for e in ledger.entries] == [WRONG] and "time runs backwards" in ledger.entries[0].note


def test_float16_inside_is_named(tmp_path):
    ledger, *_ = judged(written(tmp_path, beta=0.9, declared="", forward="m, e = np.frexp(BETA_ * v + x); "
                                "v = np.ldexp(np.round(m * 2048) / 2048, e)"))
    assert [e.verdict for e in ledger.entries] == [WRONG] and "float16" in ledger.entries[0].note


def test_a_spike_that_is_rounded_is_a_spike(tmp_path):
    """As of (hard - soft).detach() + soft; the sums of a neuron without leak are then no exact ones."""
    path = written(tmp_path, declared="", surrogate=("sigmoid", 4.0))
    path.write_text(path.read_text().replace("s = (v >= 1.0) * 1.0", "s = (v >= 1.0) * 1.0; "
                                             "soft = 1 / (1 + np.exp(np.clip(-4 * (v - 1.0), -99, 99))); s = (s - soft) + soft"))
    ledger, found, _ = judged(path)
    assert ledger.ok and found.convention.surrogate == ("sigmoid", 4.0), str(ledger)


def test_an_argument_of_forward_is_declared_or_said_to_lack(tmp_path):
    path = written(tmp_path, beta=0.75, declared="BETA = 0.75")
    path.write_text(path.read_text().replace("def forward(current):", "def forward(current, beta, threshold):\n    BETA_ = beta"))
    ledger, found, _ = judged(path)
    assert ledger.ok and found.convention.beta == 0.75, str(ledger)
    path.write_text(path.read_text().replace("BETA = 0.75", ""))
    with pytest.raises(_axes.Refused, match=r"write BETA = \.\.\. into its file"):
        judged(path)


def test_an_error_of_a_layer_is_wrong_and_one_of_the_check_is_not(tmp_path, monkeypatch, capsys):
    path = written(tmp_path, more="dv = dv if len(seen) < 100 else dv.nothing()")
    assert run(["verify", "--numpy", f"{path}:forward,backward", "--quiet"]) == 1
    assert "nothing" in capsys.readouterr().out
    monkeypatch.setattr(blackbox._check._cases, "run", lambda *_: 1 / 0)
    ledger, *_ = judged(written(tmp_path))
    assert any(e.verdict == UNJUDGED and "could not judge" in e.note for e in ledger.entries), str(ledger)
    assert not any(e.verdict == WRONG for e in ledger.entries)


def test_what_the_page_shows_runs(tmp_path):
    blocks = (ROOT / "docs/howto/verify-any-layer.md").read_text(encoding="utf-8").split("```python\n")[1:]
    declared, used = (block.split("```")[0] for block in blocks)
    names = {}
    exec(declared, names)
    assert {"RULE", "SURROGATE", "DETACH_RESET", "BETA"} <= set(names) and of(names["SURROGATE"])
    exec(written(tmp_path).read_text(), names)
    exec(used, names)
    assert names["ledger"].ok and names["found"].convention is not None
