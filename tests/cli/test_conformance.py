"""pysnn conformance from outside: exit codes, JSON, a neuron of one's own, and the published action, run literally."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from pysnn import cli
from tests.cases import ROOT
from tests.cases.command import strict_json

TOY = ROOT / "tests/cases/toy"
ACTION, WORKFLOW, PAGE = (ROOT / name for name in (".github/actions/conformance/action.yml", "docs/howto/conformance-matrix.yml",
                                                  "docs/howto/conformance.md"))


def pysnn(*args):
    return cli.main(["conformance", *args])


def test_a_cell(capsys, tmp_path):
    assert pysnn("pysnn", "leaky", "--case", "gradient", "--json", str(tmp_path / "c.json")) == 0
    out = capsys.readouterr().out
    assert ("right          pysnn leaky, gradient: within" in out and out.splitlines()[-1] == \
        "conformance 1.0: 5 right, 0 conventions, 0 known bugs, 0 unexpected") or "4 right" in out
    record = strict_json((tmp_path / "c.json").read_text())
    assert record["ok"] and record["suite"] == "1.0" and {"date", "machine", "versions", "command"} <= set(record)
    assert {c["case"] for c in record["cells"]} == {"gradient"}


def test_list(capsys):
    assert pysnn("--list") == 0
    out = capsys.readouterr().out
    assert "snntorch" in out and "Leaky(reset_delay=False)" in out and "second-backward" in out and re.search(r"\d{4} cells", out)


@pytest.mark.parametrize("args, words", [
    (("brian",), "FRAMEWORK: expected one of"), (("pysnn", "adex"), "NEURON: expected one of"),
    (("--case", "speed"), "--case: expected one of"), (("--layer", "a.py"), "expected --profile beside it"),
    (("--layer", "none.py", "--profile", str(TOY / "profile.json")), "expected a file"),
    (("--layer", str(TOY / "layer.py:nothing"), "--profile", str(TOY / "profile.json")), "has no function nothing")])
def test_errors(capsys, monkeypatch, args, words):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(TOY)]))
    assert pysnn(*args) == 2 and words in capsys.readouterr().err


def own(monkeypatch, tmp_path, change="", expected=None):
    """Run the toy framework, which is not installed, so that its version is 0."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(TOY)]))
    (tmp_path / "layer.py").write_text((TOY / "layer.py").read_text() + change)
    more = []
    if expected is not None:
        (tmp_path / "known.txt").write_text(expected)
        more = ["--expected", str(tmp_path / "known.txt")]
    return pysnn("--layer", str(tmp_path / "layer.py"), "--profile", str(TOY / "profile.json"), "--case", "upstream", *more)


def test_own_neurons(monkeypatch, tmp_path, capsys):
    line = "toyspike | * | {} | upstream | cut | not reported\n"
    assert own(monkeypatch, tmp_path, expected=line.format("Clipped")) == 0 and "1 known bug, 0 unexpected" in capsys.readouterr().out
    assert own(monkeypatch, tmp_path) == 1 and "1 unexpected" in capsys.readouterr().out
    assert own(monkeypatch, tmp_path, expected=line.format("Clipped") + line.format("LIF")) == 1 and "1 repaired" in capsys.readouterr().out
    assert own(monkeypatch, tmp_path, expected=line.format("ALIF")) == 2 and "--expected" in capsys.readouterr().err


def test_leaving_is_no_answer(monkeypatch, tmp_path, capsys):
    change = "\n\ndef make(name):\n    import os\n    os._exit(0)\n"
    assert own(monkeypatch, tmp_path, change) == 2
    assert "without an answer" in capsys.readouterr().out


def test_the_page_shows_the_files():
    for name, text in re.findall(r"<!-- file (\S+) -->\n```\w+\n(.*?)```", PAGE.read_text(), re.S):
        assert (ROOT / name).read_text() == text


def steps(path):
    """Take the steps of an action or a workflow: what runs, and its environment."""
    found = []
    for block in re.split(r"\n +- (?=\w+:)", path.read_text().split("steps:")[1])[1:]:
        env = dict(re.findall(r"^ +([A-Z]+): (.*)$", block, re.M))
        line = re.search(r"run: (?!\|)(.*)", block)
        script = line[1] if line else "\n".join(x.strip() for x in block.partition("run: |\n")[2].splitlines())
        given = dict(re.findall(r"^ +(\w+): (\S+)$", block.partition("with:")[2], re.M))
        found.append((re.search(r"uses: (\S+)", block), script, env, given))
    return found


def test_the_action_takes_what_the_workflow_gives():
    given = next(given for uses, _, _, given in steps(WORKFLOW) if uses and uses[1].endswith("/.github/actions/conformance"))
    inputs = ACTION.read_text().partition("inputs:")[2].partition("outputs:")[0]
    assert set(given) == {"layer", "profile", "expected"} <= set(re.findall(r"^  (\w+):", inputs, re.M))
    assert all((TOY / name.partition(":")[0]).is_file() for name in given.values())


@pytest.mark.slow
def test_the_workflow_runs_literally(tmp_path):
    """In a fresh environment: install the framework, install pysnn from the folder of the action, run it; the summary is the page's."""
    shutil.copytree(TOY, tmp_path / "work")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")}
    env |= {"PATH": f"{tmp_path / 'venv/bin'}{os.pathsep}{env['PATH']}", "GITHUB_OUTPUT": str(tmp_path / "output"),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    ran = []

    def go(script, more):
        subprocess.run(["bash", "-eo", "pipefail", "-c", script], check=True, cwd=tmp_path / "work", env={**env, **more})
        ran.append(script)
    for uses, script, _, given in steps(WORKFLOW):
        if uses and uses[1].endswith("/.github/actions/conformance"):
            values = {"${{ github.action_path }}/../../..": str(ROOT), "${{ inputs.json }}": "conformance.json",
                      **{f"${{{{ inputs.{name} }}}}": value for name, value in given.items()}}
            for _, inner, wants, _ in steps(ACTION):
                go(inner, {name: values[value] for name, value in wants.items()})
        elif not uses:
            go(script, {})
    said = re.search(r"^conformance 1.0: .*", PAGE.read_text(), re.M)[0]
    assert len(ran) == 3 and said in (tmp_path / "summary").read_text() and f"summary={said}" in (tmp_path / "output").read_text()
    assert strict_json((tmp_path / "work/conformance.json").read_text())["versions"] == {"toyspike": "1.0"}
