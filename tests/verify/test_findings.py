"""The findings in released frameworks show live, as they are described; and a framework that is not there is never passed."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pysnn.verify.frameworks import _finding, findings
from pysnn.verify.frameworks.findings import CASES, LABELS, Finding, Observation
from pysnn.verify.report.ledger import RIGHT, UNCHECKED, WRONG
from tests.cases import ROOT

PAGES = sorted(path for path in (ROOT / "docs/findings").glob("*.md") if path.name != "README.md")
IN_CI = {"torch": ("torch", "spikingjelly", "snntorch", "norse", "sinabs", "rockpool", "exact_event_adjoint", "exact_snn", "nir"),
         "jax": ("spyx", "jaxsnn")}             # two environments: what each must have where CI=true
MUST = tuple(name for base, names in IN_CI.items() if importlib.util.find_spec(base) for name in names)
TORCH = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]


# -------------------------------------------------------------------------------------------------------- no framework needed

def test_cases_are_complete():
    assert {"snntorch-float64", "snntorch-sigmoid-nan", "norse-alpha", "norse-adjoint", "spikingjelly-if", "exact-event-adjoint-existence",
            "exact-snn-nn-grid", "torch-gradcheck", "snntorch-at-threshold", "spikingjelly-first-spike"} <= set(CASES)
    for name, case in CASES.items():
        assert case.name == name and case.label in LABELS and re.fullmatch(r"\d+\.\d+\.\d+", case.version) and case.says
        assert case.versions == f"{case.package}=={case.version}"


def test_every_finding_to_report_has_a_page_and_stands_in_the_list():
    assert {ROOT / case.page for case in CASES.values() if case.page} == set(PAGES)
    index = (ROOT / "docs/findings/README.md").read_text()
    for case in CASES.values():
        if case.page:
            line = next(line for line in index.splitlines() if f"({Path(case.page).name})" in line)
            assert f"{case.version} | {case.label} |" in line
            page = (ROOT / case.page).read_text()
            assert f"*Label: {case.label}. Case: `{case.name}`.*" in page and case.version in page.splitlines()[0]
        assert case.label not in ("bug", "precision") or case.page


def blocks(path):
    """Take the script and its output out of a page."""
    found = re.findall(r"```(python|text)\n(.*?)```", path.read_text(), re.DOTALL)
    assert [kind for kind, _ in found] == ["python", "text"], path
    return found[0][1], found[1][1]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_scripts_stand_alone(path):
    script, output = blocks(path)
    assert "pysnn" not in script and len(script.splitlines()) <= 50 and output.strip()
    compile(script, path.name, "exec")


@pytest.mark.parametrize("name", CASES)
def test_a_framework_that_is_not_installed_is_not_passed(monkeypatch, name):
    monkeypatch.setattr(_finding.importlib.util, "find_spec", lambda _: None)
    entry, = CASES[name].run()
    assert entry.verdict == UNCHECKED and f"{CASES[name].versions} is not installed: pip install" in entry.note and entry.n_checked == 0


def fake(label, look, version=np.__version__):
    return Finding("fake", "numpy", "numpy", version, label, "it is odd", look).run()[0]


@pytest.mark.parametrize("label, shows, verdict", [
    ("bug", True, WRONG), ("bug", False, RIGHT), ("precision", True, WRONG), ("precision", False, RIGHT), ("convention", True, RIGHT),
    ("convention", False, UNCHECKED), ("different definition", True, RIGHT), ("different definition", False, UNCHECKED),
    ("positive control", True, RIGHT), ("positive control", False, WRONG)])
def test_verdicts(label, shows, verdict):
    entry = fake(label, lambda: Observation(shows, 3, 0.5, "3 seen"))
    assert (entry.verdict, entry.n_checked, entry.max_error) == (verdict, 3, 0.5)
    assert f"numpy {np.__version__}: " in entry.note and "3 seen" in entry.note and "not the" not in entry.note


def test_a_bug_that_shows_otherwise_is_not_gone(monkeypatch):
    from pysnn.verify.frameworks import others as findings_others
    monkeypatch.setattr(findings_others, "exact_snn_linear", lambda *args, **kwargs: SimpleNamespace(
        forward=lambda t_in, w: (t_in[:4, :1] * 0 + w.sum(axis=1, keepdims=True), None),
        backward=lambda dt, cache: (None, np.zeros((4, 6)))))
    assert findings_others._grid().as_described                          # off by everything, on both grids


def test_another_version_runs_and_says_so():
    entry = fake("bug", lambda: Observation(True, 3, None, "seen"), "0.1.0")
    assert entry.verdict == WRONG and f"numpy {np.__version__} (not the 0.1.0 that was looked at)" in entry.note


def test_a_case_that_cannot_run():
    """In another version that is a note; in the very release it is a mistake of ours, and raised."""
    def fails():
        raise AttributeError("no such name\nany more")
    entry = fake("bug", fails, "0.1.0")
    assert entry.verdict == UNCHECKED and "could not be run, AttributeError: no such name any more" in entry.note
    with pytest.raises(AttributeError):
        fake("bug", fails)


def test_run_knows_frameworks_by_both_names(monkeypatch):
    monkeypatch.setattr(_finding.importlib.util, "find_spec", lambda _: None)
    assert len(findings.run()) == len(CASES) and len(findings.run("snntorch")) == 18
    assert sum(len(findings.run(name)) for name in findings.FRAMEWORKS) == len(CASES)
    assert findings.run("exact-snn-nn") == findings.run("exact_snn") != []
    with pytest.raises(ValueError, match=r"expected one of exact-event-adjoint, .*got 'brian'"):
        findings.run("brian")


# ------------------------------------------------------------------------------------------------------------------- live

def require(case):
    """Skip without the framework, unless CI=true demands it."""
    if importlib.util.find_spec(case.framework) is None:
        if os.environ.get("CI", "").lower() == "true" and case.framework in (MUST or IN_CI["torch"]):
            pytest.fail(f"{case.versions} is not installed, and CI=true demands it")
        pytest.skip(f"{case.versions} is not installed")
    if findings.installed(case).split("+")[0] != case.version:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"CI=true demands {case.versions}, got {findings.installed(case)}")
        pytest.skip(f"needs {case.versions}, got {findings.installed(case)}")


DRIVER = """
import contextlib, io, json, pathlib, runpy, traceback
printed = {}
for path in sorted(pathlib.Path.cwd().glob("*.py")):
    if path.name != "all.py":
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                runpy.run_path(str(path), run_name="__main__")
        except Exception:
            out.write(traceback.format_exc())
        printed[path.stem] = out.getvalue()
pathlib.Path("printed.json").write_text(json.dumps(printed))
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Run all scripts that can run, in one process that finds nothing of ours, and give what each prints."""
    folder = tmp_path_factory.mktemp("scripts")
    for path in PAGES:
        case = next(case for case in CASES.values() if case.page.endswith(path.name))
        if importlib.util.find_spec(case.framework):
            (folder / f"{path.stem}.py").write_text(blocks(path)[0])
    (folder / "all.py").write_text(DRIVER)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "all.py"], cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "printed.json").read_text())


class TestLive:
    pytestmark = TORCH

    @pytest.mark.parametrize("name", CASES)
    def test_it_shows_as_described(self, name):
        case = CASES[name]
        require(case)
        entry, = case.run()
        assert entry.verdict == (WRONG if case.label in ("bug", "precision") else RIGHT), entry.note
        assert entry.n_checked > 0 and case.says in entry.note and "not the" not in entry.note
        most = {"spikingjelly-if": 1e-14, "spikingjelly-lif": 1e-10, "snntorch-leaky": 1e-5, "sinabs-lif": 1e-4, "rockpool-lif": 1e-5}
        assert entry.max_error is None or entry.max_error <= most.get(case.name, np.inf)

    @pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
    def test_the_script_of_its_page_prints_what_the_page_says(self, printed, path):
        require(next(case for case in CASES.values() if case.page.endswith(path.name)))
        assert_same(printed[path.stem], blocks(path)[1])


NUMBER = r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]\d+)?(?![\w.]*\w)"


def assert_same(got, wanted):
    """Compare words exactly, numbers to 2 %, tiny ones to a factor of 2: they are what rounding left."""
    assert re.sub(NUMBER, "#", got) == re.sub(NUMBER, "#", wanted), got
    for a, b in zip(re.findall(NUMBER, got), re.findall(NUMBER, wanted), strict=True):
        assert float(a) == pytest.approx(float(b), rel=0.02 if abs(float(b)) > 1e-4 else 1.0), got


def test_comparison_of_outputs():
    assert_same("t 1.00 off 2e-09 v 1.1.0\n", "t 1.01 off 3e-09 v 1.1.0\n")
    for other in ("t 1.00 off 2e-09 v 1.2.0\n", "t 1.10 off 2e-09 v 1.1.0\n", "t 1.00 on 2e-09 v 1.1.0\n", "t nan off 2e-09 v 1.1.0\n"):
        with pytest.raises(AssertionError):
            assert_same(other, "t 1.00 off 2e-09 v 1.1.0\n")
