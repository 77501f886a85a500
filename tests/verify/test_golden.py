"""The golden vectors: complete, unchanged, made anew byte for byte, met by ours, missed by what is wrong, readable by a third party."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from pysnn import losses
from pysnn.conventions import LEAKY_RULES, RULES, SURROGATES
from pysnn.learning import proxy, temporal
from pysnn.operations import OPERATIONS
from pysnn.verify import golden, zoo
from tests.cases import ROOT, few
from tests.cases.backends import operation

PAGE = ROOT / "docs/howto/golden-vectors.md"
LOSSES = ("softmax_z", "softmax_t", "mse", "cross_entropy")


def pair(name, backend):
    """Return forward and backward of one of our operations."""
    operation(OPERATIONS[name].module, backend)              # skips where Numba is missing
    return OPERATIONS[name].pair(backend)


# ---------------------------------------------------------------------------------------------- the set

def test_the_set_is_what_was_promised():
    cases = golden.cases()
    assert len(cases) >= 300 and {case.operation for case in cases} == set(golden.operations())
    assert sum(path.stat().st_size for path in golden.FOLDER.iterdir()) < 3e6
    for case in cases:
        arrays = [*case.inputs.values(), *case.outputs.values(), *case.gradients.values()]
        assert {x.dtype.str for x in arrays} <= {"<f8", "<i8", "|b1"} and set(case.outputs) | set(case.gradients) == set(case.units)
        for x in case.inputs.values():                                   # dyadic
            finite = x[np.isfinite(x)].astype(float)
            places = 50 if case.name.startswith(("edge", "near", "hand", "times")) else 14
            assert (2.0 ** places * finite % 1 == 0).all(), case.name
    fire = [case.convention for case in cases if case.operation == "integrate_fire"]
    seen = {(how["reset"], how["timing"], how["fire"], how["surrogate"], how["detach_reset"]) for how in fire}
    assert seen >= set(product(*RULES.values(), SURROGATES["kind"], (True, False)))
    leaky = [case for case in cases if case.operation == "leaky"]
    seen = {tuple(case.convention[word] for word in (*LEAKY_RULES, "detach_reset")) for case in leaky}
    assert len(leaky) >= 120 and len(seen) == 72 and {case.convention["surrogate"] for case in leaky} == set(SURROGATES["kind"])
    assert all(sum(part in case.inputs for case in leaky) >= 60 for part in ("alpha", "w_rec")) and sum(c.float32 for c in leaky) > 80
    assert sum(case.operation.endswith("_training") and case.outputs["losses"].shape == (10,) for case in cases) >= 4


def test_temporal_cases_hold_the_hard_ones():
    cases = golden.cases("temporal")
    kappa = [np.max(case.units["z_out"] / np.where(np.isfinite(case.outputs["z_out"]), case.outputs["z_out"], 1)) for case in cases]
    assert max(kappa) > 1e9 and min(kappa) < 10
    assert max(case.inputs["z_in"].shape[1] for case in cases) == 784
    assert any(np.isinf(case.inputs["z_in"]).all() for case in cases) and any("near" in case.inputs for case in cases)
    assert any(np.isinf(case.outputs["z_out"]).any() and np.isfinite(case.outputs["z_out"]).any() for case in cases)
    ties = [case for case in cases if any(len(set(z)) < len(z) for z in (row[np.isfinite(row)] for row in case.inputs["z_in"]))]
    assert len(ties) > 20 and sum(case.float32 for case in cases) > 50
    worked = next(case for case in cases if case.name == "hand-jump-c")
    assert worked.outputs["z_out"] == 6.375                              # the jump of docs/derivations/temporal.md
    silent = [case for case in golden.cases("softmax_t") if np.isinf(case.inputs["z"]).all(axis=1).any()]
    assert silent and all((case.gradients["d"][np.isinf(case.inputs["z"])] == 0).all() for case in silent)


@pytest.mark.slow
def test_rebuilding_gives_the_same_bytes(tmp_path):
    pytest.importorskip("mpmath")
    assert golden.rebuild(tmp_path) == len(golden.cases())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in golden.FOLDER.iterdir())
    for path in golden.FOLDER.glob("*.npz"):
        with np.load(path, allow_pickle=False) as old, np.load(tmp_path / path.name, allow_pickle=False) as new:
            assert new.files and new.files == old.files
            assert not [key for key in new.files if old[key].tobytes() != new[key].tobytes() or old[key].shape != new[key].shape]
    for name in ("schema.json", "SHA256SUMS"):
        assert (tmp_path / name).read_text() == (golden.FOLDER / name).read_text()


def test_a_flipped_bit_is_seen_and_another_packing_is_not(tmp_path):
    folder = shutil.copytree(golden.FOLDER, tmp_path / "vectors")
    with np.load(folder / "maps.npz", allow_pickle=False) as held:
        arrays = {key: held[key] for key in held.files}
    np.savez(folder / "maps.npz", **arrays)                              # not compressed, dated today
    assert len(golden.cases("dense", folder)) == len(golden.cases("dense"))
    key = "dense-3-plain/gradients/dw"
    arrays[key].view(np.uint64)[0, 0] ^= 1
    np.savez(folder / "maps.npz", **arrays)
    with pytest.raises(ValueError, match=r"dense-3-plain does not have the hash"):
        golden.cases("dense", folder)
    done = subprocess.run([sys.executable, ROOT / "docs/golden/read.py", folder], capture_output=True, text=True)
    assert done.returncode == 1 and "dense-3-plain: does not have the hash" in done.stderr


def test_a_changed_schema_is_seen(tmp_path):
    folder = shutil.copytree(golden.FOLDER, tmp_path / "vectors")
    schema = json.loads((folder / "schema.json").read_text())
    (folder / "schema.json").write_text(json.dumps({**schema, "cases": []}))
    with pytest.raises(ValueError, match=r"schema.json: does not have the hash"):
        golden.check(None, "dense", folder=folder)
    done = subprocess.run([sys.executable, ROOT / "docs/golden/read.py", folder], capture_output=True, text=True)
    assert done.returncode == 1 and "schema.json: does not have the hash" in done.stderr


def test_nothing_to_compare_is_no_pass():
    (entry,) = golden.check(None, "proxy_training", np.float32)
    assert entry.verdict == "unchecked" and entry.n_checked == 0


def test_unknown_operations_are_refused():
    with pytest.raises(ValueError, match=r"operation: expected one of temporal, temporal_delays, .*, got 'lif'"):
        golden.check(None, "lif")


# ---------------------------------------------------------------------------------------------- ours

@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_ours_meet_them(name, backend):
    for dtype in (np.float64, np.float32):
        entries = golden.check(pair(name, backend), name, dtype)
        assert entries and all(e.verdict == "right" and e.n_checked and e.first == "" for e in entries), entries


@pytest.mark.parametrize("name", LOSSES)
def test_our_losses_meet_them(name):
    for dtype in (np.float64, np.float32):
        assert [e.verdict for e in golden.check(getattr(losses, name), name, dtype)] == ["right", "right"]


def train(method, settings, case):
    """Take ten steps of plain gradient descent with one of our methods."""
    names = [key for key in case.inputs if re.fullmatch(r"[wb]\d", key)]
    params = {key: case.inputs[key].copy() for key in sorted(names, key=lambda key: (key[1], key[0] == "b"))}
    nets = method.build(settings, params)
    found, first = [], None
    for _ in range(10):
        step = method.gradients(nets, case.inputs["z_in" if "z_in" in case.inputs else "x"], case.inputs["labels"])
        found.append(step.loss)
        first = first or {f"d{key}_first": step.grads[key].copy() for key in names}
        for key in names:
            params[key] -= case.convention["lr"] * step.grads[key]
    return {"losses": np.array(found), **{f"{key}_after": params[key] for key in names}, **first}


def sizes(case):
    shapes = [case.inputs[key].shape for key in sorted(case.inputs) if re.fullmatch(r"w\d", key)]
    assert all(a[1] == b[0] for a, b in pairwise(shapes))
    return "-".join(str(n) for n in (shapes[0][0], *(shape[1] for shape in shapes)))


def temporal_training(case, monkeypatch):
    monkeypatch.setattr(temporal, "encode_batch", lambda nets, z, rng=None: z)       # the inputs are spike times already
    how = case.convention
    settings = temporal.Settings(model=sizes(case), loss=how["loss"], beta=how["beta"], weight_sum=0.0, max_norm=0.0, drop_in=0.0,
                                 drop_hidden=0.0, dtype="float64", backend="reference")
    return train(temporal, settings, case)


def proxy_training(case):
    how = case.convention
    chosen = {key: how[key] for key in ("n_steps", "threshold", "v_init", "reset", "fire", "loss", "on", "clip")}
    settings = proxy.Settings(model=sizes(case), bias=True, dtype="float64", backend="reference", weight_decay=0.0, **chosen)
    return train(proxy, settings, case)


def test_our_trainings_meet_them(monkeypatch):
    entries = [*golden.check(lambda case: temporal_training(case, monkeypatch), "temporal_training"),
               *golden.check(proxy_training, "proxy_training")]
    assert len(entries) > 8 and all(e.verdict == "right" for e in entries), entries
    late = golden.check(lambda case: {**proxy_training(case), "losses": np.roll(case.outputs["losses"], 1)}, "proxy_training")
    assert [e.argument for e in late if e.verdict == "WRONG"] == ["losses"]


# ---------------------------------------------------------------------------------------------- what is wrong

@pytest.mark.parametrize("fault", few([f for f in zoo.every().values() if f.operation in OPERATIONS], 4), ids=lambda f: f.name)
def test_known_mistakes_are_caught(fault):
    name = fault.operation
    entries = golden.check(fault.inject(pair(name, "reference")), name)
    wrong = [e for e in entries if e.verdict == "WRONG"]
    assert wrong and all(re.match(r"case [\w.>=-]+[,:] ", e.first) for e in wrong), entries


def test_the_wrong_sign_of_a_loss_is_caught():
    entries = {e.argument: e for e in golden.check(zoo.FAULTS["softmax_sign"].inject(losses.softmax_z), "softmax_z")}
    assert entries["loss"].verdict == "right" and entries["d"].verdict == "WRONG"


def test_one_rounding_too_many_is_caught():
    op = pair("temporal", "reference")

    def forward(z_in, w, threshold):
        z_out, cache = op.forward(z_in, w, threshold)
        return z_out * (1 + 1e-13), cache
    entries = {e.argument: e for e in golden.check(zoo.Op(forward, op.backward), "temporal")}
    assert entries["z_out"].verdict == "WRONG" and entries["z_out"].ulps > 4 and entries["dw"].verdict == "right"
    assert 1e9 < entries["z_out"].condition < 1e11 and 0 < entries["z_out"].skipped < 100


@pytest.mark.parametrize("broken, said", [
    (lambda dy, cache: 1 / 0, "ZeroDivisionError"), (lambda dy, cache: (np.zeros(3), np.zeros(3), None), "expected shape"),
    (lambda dy, cache: (dy * np.nan, dy, None), "nan|expected shape")])
def test_layers_that_break_are_wrong_not_fatal(broken, said):
    entries = golden.check(zoo.Op(pair("dense", "reference").forward, broken), "dense")
    assert re.search(said, next(e.first for e in entries if e.argument == "dx"))


# ---------------------------------------------------------------------------------------------- a third party

def blocks():
    """Take the code of the page: ("file", name, text) or ("sh", "", text), in order."""
    found = re.findall(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    return [(language, name, text) for language, name, text in found if name or language == "sh"]


@pytest.fixture(scope="module")
def numpy_alone(tmp_path_factory):
    """A fresh environment that holds NumPy and nothing else: no pip, no mpmath, nothing of ours."""
    home = tmp_path_factory.mktemp("third-party")
    venv.create(home / "venv", with_pip=False)
    for folder in ("numpy", "numpy.libs"):
        source = Path(np.__file__).parents[1] / folder
        target = next((home / "venv").glob("lib*/python*/site-packages"), home / "venv/Lib/site-packages") / folder
        if source.exists():
            os.symlink(source, target, target_is_directory=True)
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    env |= {"PATH": f"{home / 'venv/bin'}{os.pathsep}{env['PATH']}", "REPO": str(ROOT)}
    (home / "work").mkdir()

    def run(line):
        return subprocess.run(["sh", "-euc", line], cwd=home / "work", env=env, capture_output=True, text=True)
    return run, home / "work"


@pytest.mark.slow
def test_the_page_is_followed_literally(numpy_alone):
    run, folder = numpy_alone
    for absent in ("pysnn", "mpmath", "numba", "pip"):
        assert "ModuleNotFoundError" in run(f"python -c 'import {absent}'").stderr
    said = []
    for _, name, text in blocks():
        if name:
            (folder / name).write_text(text)
        else:
            done = run(text)
            assert done.returncode == 0, f"{text}: {done.stdout}{done.stderr}"
            said.append(done.stdout.strip())
    expected = re.findall(r"should (?:say|end with) `([^`]+)`", PAGE.read_text())
    assert len(said) == 4 and expected[0] in said[1] and said[2].endswith(expected[1]) and said[3] == "read (1, 3)"
    layer = folder / "my_layer.py"
    assert len(layer.read_text().strip().splitlines()) <= 30
    wrong = layer.read_text().replace("z_in[b, causal] - z_out[b, j]", "z_out[b, j] - z_in[b, causal]")
    (folder / "wrong_layer.py").write_text(wrong)
    done = run("python read.py golden_vectors wrong_layer.py")
    assert wrong != layer.read_text() and done.returncode == 1 and re.search(r"hand-jump-a: dw\[0, 0\] is wrong", done.stdout)
    (folder / "nan_layer.py").write_text(layer.read_text().replace("moment / excess", "np.nan"))
    assert run("python read.py golden_vectors nan_layer.py").returncode == 1


def test_the_reader_is_short_and_alone():
    text = (ROOT / "docs/golden/read.py").read_text()
    assert len(text.splitlines()) <= 40
    imported = set(re.findall(r"^(?:import|from) (\w+)", text, re.M))
    assert imported - set(sys.stdlib_module_names) == {"numpy"}


def test_the_page_agrees_with_the_set():
    page, schema = PAGE.read_text(), json.loads((golden.FOLDER / "schema.json").read_text())
    assert f"{len(schema['cases'])} cases" in page and f"version {schema['version']}" in page and schema["version"] == golden.VERSION
    assert len(list(golden.FOLDER.glob("*.npz"))) == 9
    code = re.search(r"```python\n(from pysnn.*?)```", page, re.S)[1]
    names = re.findall(r"golden\.(\w+)", code)
    assert names == ["check"] and hasattr(importlib.import_module("pysnn.verify.golden"), names[0])


def test_archives_hold_arrays_only():
    for path in golden.FOLDER.glob("*.npz"):
        with zipfile.ZipFile(path) as archive:
            assert all(re.fullmatch(r"[\w.-]+/(inputs|outputs|gradients|units)/\w+\.npy", name) for name in archive.namelist())
