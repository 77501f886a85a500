"""The page docs/teach/grading.md: its code runs and prints what stands below it, and its commands are commands."""

import json
import re
import shlex

import pytest

from pysnn import cli, exercises
from tests.cases import ROOT

PAGE = (ROOT / "docs/teach/grading.md").read_text(encoding="utf-8")


def test_the_code_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    *programs, of_nbgrader = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    space = {"__name__": "page"}
    for code, shown in zip(programs, re.findall(r"```text\n(.*?)```", PAGE, re.S), strict=True):
        exec(compile(code, "<page>", "exec"), space)
        assert capsys.readouterr().out == shown
    for solution, passes in ((True, True), (False, False)):
        names = {}
        exec(exercises.text("spike_loss", solution), names)
        if passes:
            exec(of_nbgrader, names)
            assert "6 of 6 items right" in capsys.readouterr().out
        else:
            with pytest.raises(AssertionError):
                exec(of_nbgrader, names)


def test_commands_and_options_are_there():
    commands = [line.removeprefix("$ ") for line in PAGE.replace(" \\\n", "").splitlines() if re.match(r"(\$ )?pysnn ", line)]
    assert len(commands) == 2
    for command in commands:
        assert cli.parser().parse_args(shlex.split(command)[1:]).verb == "grade"
    for option in re.findall(r"^\| `(--[^`]+)`", PAGE, re.M):
        assert cli.parser().parse_args(["grade", "x", *shlex.split(option)])


def test_the_script_behind_the_time_still_makes_its_class(monkeypatch):
    """One hundred files; each mistake is one."""
    monkeypatch.syspath_prepend(str(ROOT / "docs/results"))
    import grading
    made = dict(grading.files())
    assert len(made) == 100 and sum(name.startswith("broken_") for name in made) == 20
    assert all(old in exercises.text(name, True) for name, (old, _) in grading.WRONG.items())


def test_the_time_is_that_of_the_record():
    record = json.loads((ROOT / "docs/results/grading.json").read_text())
    assert f"took {record['seconds']:.0f} seconds" in " ".join(PAGE.split())
    assert record["files"] == 100 and record["seconds"] < record["limit"]
