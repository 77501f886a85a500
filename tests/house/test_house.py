"""House rules that a machine can check: what an import costs, how long files may be, what never stands in the code, what the papers say."""

import ast
import importlib
import importlib.util
import inspect
import os
import pkgutil
import re
import statistics
import subprocess
import sys

import pytest

import pysnn
from tests.cases import ROOT, tree_of

SOURCES = sorted((ROOT / "pysnn").rglob("*.py"))
HEAVY = ("numba", "matplotlib", "scipy", "tqdm", "pooch", "threadpoolctl", "PIL", "h5py", "torch", "sklearn", "pandas", "nir",
         "joblib", "distributed", "optuna")
MAX_LINES = 600
MAX_MODULES = 18


def python(code):
    """Run a line in a new interpreter that finds pysnn and nothing in the current folder."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("what", ["pysnn", "pysnn.cli", "pysnn.training", "pysnn.evaluation", "pysnn.estimators", "pysnn.exercises",
                                  "pysnn.interop", "pysnn.scale"])
def test_import_loads_nothing_heavy(what):
    loaded = python(f"import {what}, sys; print(*sys.modules)").split()
    assert what in loaded and not set(HEAVY) & set(loaded)


def test_import_takes_no_longer_than_numpy():
    """At most 0.1 s more than NumPy's own import, the median of five; up to three attempts, for the machine may be busy."""
    code = "import time; a = time.perf_counter(); import numpy; b = time.perf_counter(); import pysnn; print(time.perf_counter() - b)"
    for _ in range(3):
        extra = statistics.median(float(python(code)) for _ in range(5))
        if extra <= 0.1:
            return
    pytest.fail(f"import pysnn takes {extra:.2f} s longer than import numpy")


def test_public_names_exist_and_are_explained():
    assert len(pysnn.__all__) == len(set(pysnn.__all__)) and set(pysnn.__all__) <= set(dir(pysnn))
    for name in pysnn.__all__:
        if name == "plots" and importlib.util.find_spec("matplotlib") is None:
            continue
        thing = getattr(pysnn, name)
        if name != "__version__":
            assert (inspect.getdoc(thing) or "").strip(), f"pysnn.{name} has no docstring"
    with pytest.raises(AttributeError, match="nonsense"):
        _ = pysnn.nonsense


def test_every_module_says_what_it_is_for():
    for path in SOURCES:
        tree = tree_of(path)
        assert ast.get_docstring(tree) or not tree.body, f"{path} has no docstring"


def test_every_public_function_is_explained():
    optional = {"pysnn.plots": "matplotlib", "pysnn.plots._style": "matplotlib",
                "pysnn._jit": "numba", "pysnn.kernels": "numba", "pysnn.cuda.spike_times": "numba"}
    missing = []
    for found in pkgutil.walk_packages(pysnn.__path__, "pysnn."):
        needs = next((need for start, need in optional.items() if found.name.startswith(start)), None)
        if found.name.endswith("__main__") or (needs and importlib.util.find_spec(needs) is None):
            continue
        module = importlib.import_module(found.name)
        for name, thing in vars(module).items():
            mine = (inspect.isfunction(thing) or inspect.isclass(thing)) and thing.__module__ == found.name
            if mine and not name.startswith("_") and not inspect.getdoc(thing):
                missing.append(f"{found.name}.{name}")
    assert missing == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short(path):
    n_lines = len(path.read_text().splitlines())
    assert n_lines <= MAX_LINES, f"{path} has {n_lines} lines"


def test_few_modules_at_the_top():
    """The rest lies in folders."""
    names = sorted(path.name for path in (ROOT / "pysnn").glob("*.py") if not path.name.startswith("__"))
    assert len(names) <= MAX_MODULES, names


FORBIDDEN = {
    r"allow_pickle\s*=\s*True": "a pickle can run any code when it is read",
    r"\bimport\s+pickle\b|\bfrom\s+pickle\b|\bpickle\.loads?\(": "a pickle can run any code when it is read",
    r"fastmath\s*=\s*True": "it makes x == inf false, and inf means no spike",
    r"(?<![.\w])eval\(": "data are not code",
    r"(?<![.\w])exec\(": "data are not code",
    r"np\.random\.(?!default_rng|Generator|SeedSequence|PCG64|RandomState\()\w+": "no hidden state: randomness is an argument",
    r"parallel\s*=\s*True": "blocks are spread by _threads.spread, so that bits do not depend on the threads",
    r"shell\s*=\s*True|os\.system\(": "no words of users in a shell",
}


@pytest.fixture(scope="module")
def code():
    """All lines of code, each behind its place; docstrings may name what they warn of."""
    lines = []
    for path in SOURCES:
        docs = [n for n in ast.walk(tree_of(path)) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)]
        spoken = {k for node in docs for k in range(node.lineno, node.end_lineno + 1)}
        lines += [(f"{path}:{k}: ", line.split("#")[0]) for k, line in enumerate(path.read_text().splitlines(), 1) if k not in spoken]
    return lines


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_never_in_the_code(pattern, code):
    hits = [place + line.strip() for place, line in code if re.search(pattern, line)]
    assert len(code) > 10_000 and not hits, f"{FORBIDDEN[pattern]}: {hits}"


def test_patterns_find_what_they_should():
    for bad in ("np.load(f, allow_pickle=True)", "import pickle", "njit(fastmath = True)", "x = eval(y)", "exec(code)", "np.random.seed(0)",
                "np.random.rand(3)", "njit(parallel=True)", "run(x, shell=True)"):
        assert any(re.search(pattern, bad) for pattern in FORBIDDEN), bad
    for good in ("np.load(f, allow_pickle=False)", "model.eval()", "np.random.default_rng(0)", "rng: np.random.Generator"):
        assert not any(re.search(pattern, good) for pattern in FORBIDDEN), good


def test_changelog_knows_this_version():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[?{re.escape(pysnn.__version__)}\b", text, re.MULTILINE)


def test_readme_names_the_two_commands():
    text = (ROOT / "README.md").read_text()
    assert "make demo" in text and "make test" in text
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "test"} <= set(targets)
    assert {word for word in re.findall(r"`make ([a-z-]+)`", text)} <= set(targets)


def test_version_stands_once():
    assert "attr: pysnn.__version__" in (ROOT / "setup.cfg").read_text()
    citation = (ROOT / "CITATION.cff").read_text()
    assert not re.search(r"^version:", citation, re.MULTILINE) or f"version: {pysnn.__version__}" in citation.replace('"', "")
