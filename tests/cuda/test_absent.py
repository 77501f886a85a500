"""CUDA where it is not wanted, or not there: nothing is imported on a CPU, and what is missing is said in one line."""

import importlib.util
import os
import subprocess
import sys

import pytest

from tests.cases import ROOT

CUDA = ("numba_cuda", "numba.cuda", "cuda", "pysnn.cuda")
HIDE = ("import sys, importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'numba_cuda' else real(name, *a)\n")


def python(code, simulator=None):
    """Run some lines in a new interpreter, without the simulator unless it is asked for."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}
    env.pop("NUMBA_ENABLE_CUDASIM", None)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env | (simulator or {}))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_training_on_a_cpu_imports_no_cuda(tmp_path):
    """Import, build, train and evaluate by the reference, and look at what was loaded."""
    code = ("import pysnn, sys, pysnn.cli, pysnn.layers, pysnn.layers\n"
            "words = '--data xor --epochs 1 --backend reference --quiet --no-test --out'.split()\n"
            "for rule in ('temporal', 'proxy'):\n"
            f"    assert pysnn.cli.main(['train', rule, *words, {str(tmp_path / 'a.npz')!r}]) == 0\n"
            "print(*sys.modules)")
    loaded = set(python(code).splitlines()[-1].split())
    assert "pysnn.reference.temporal" in loaded
    assert not [name for name in loaded if name in CUDA or name.startswith(("numba.cuda.", "numba_cuda.", "pysnn.cuda."))]


def test_import_never_fails_and_the_message_is_clear():
    """Without numba-cuda every module can be imported, good input says what to install, bad input what is wrong with it."""
    said = python(HIDE + """
import numpy as np
from pysnn import operations
from pysnn.cuda import _target, activations, batch_norm, conv, dense, integrate_fire, pool, spiking, temporal
assert _target.cuda is None and not _target.available() and not _target.SIMULATED
calls = [lambda: temporal.forward(np.ones((1, 2)), np.ones((2, 3))), lambda: operations.backend_of("temporal", "cuda"),
         lambda: temporal.forward(np.zeros((1, 2)), np.ones((2, 3)))]
for call in calls:
    try:
        call()
    except Exception as error:
        print(type(error).__name__, error)
print(_target.describe()["cuda"])
""").splitlines()
    assert said[0] == said[1] == "ImportError backend 'cuda' needs numba-cuda: pip install \"numba-cuda[cu13]\""
    assert said[2].startswith("ValueError z_in: expected z = exp(t) > 0")
    assert said[3] == "none (pip install \"numba-cuda[cu13]\")" and len(said) == 4


def test_a_verb_says_what_is_missing():
    code = HIDE + ("from pysnn import cli\n"
                   "assert cli.main(['train', 'temporal', '--data', 'xor', '--backend', 'cuda', '--quiet', '--out', 'nowhere.npz']) == 1")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "pysnn: error: backend 'cuda' needs numba-cuda: pip install \"numba-cuda[cu13]\"\n"


def test_what_was_trained_on_a_gpu_can_be_used_without_one(tmp_path):
    """A checkpoint names the backend it was trained with; where that one is missing the default one goes on."""
    code = HIDE + f"""
from pysnn import checkpoint, cli
at = {str(tmp_path / "net.npz")!r}
assert cli.main(f"train temporal --data xor --epochs 1 --quiet --no-test --out {{at}}".split()) == 0
header, arrays = checkpoint.read(at)
header["settings"]["backend"] = "cuda"
checkpoint.write(at, header, arrays)
assert cli.main(["evaluate", at]) == 0
"""
    assert "acc" in python(code).lower()


@pytest.mark.cuda
@pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")
def test_info_is_honest_about_the_simulator():
    look = "from pysnn.cuda import _target; print(_target.SIMULATED, _target.describe()['cuda'])"
    assert python(look, {"NUMBA_ENABLE_CUDASIM": "1"}).startswith("True simulator of numba-cuda ")
    assert "no GPU is used" in python(look, {"NUMBA_ENABLE_CUDASIM": "1"})
    real = python(look + "; print(_target.available())").splitlines()
    assert real[0].startswith("False ") and "simulator" not in real[0]
    assert ("no GPU found" in real[0]) == (real[1] == "False")
