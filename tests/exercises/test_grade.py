"""Files of a class: one row each, whatever is in them; notebooks, several exercises in one, and what a teacher should look at."""

import csv
import json
import os

import pytest

from pysnn import cli, exercises
from pysnn.exercises import _scan
from tests.cases import ROOT
from tests.cases.attempts import WRONG, write
from tests.cases.attempts_right import RIGHT

HEAD = 'import os, sys, time\nimport numpy as np\nEXERCISE = "spike_loss"\n'
BROKEN = {
    "syntax.py": ("def f(:", "line 1: invalid syntax"),
    "empty.py": ("", "expected a line such as EXERCISE"),
    "binary.py": ("\x00\x01", "binary.py"),
    "loop.py": (HEAD + "while True: pass\n", "expected it to run to its end within 1 s"),
    "crash.py": (HEAD + "os.abort()\n", "ended the Python process"),
    "leaves.py": (HEAD + "sys.exit(3)\n", "it exits (3)"),
    "raises.py": (HEAD + "1 / 0\n", "ZeroDivisionError: division by zero (line 4)"),
    "prints.py": (HEAD + "while True: print('x' * 100_000)\n", "prints without end"),
    "lacks.py": (HEAD + "def los(z, y): return 0\n", "expected a function 'loss', found none"),
    "other.py": ("EXERCISE = 'nothing'\n", "EXERCISE: expected one of"),
    "deep.py": (HEAD + "x = " + "(" * 5000 + ")" * 5000, "deep.py"),
    "chain.py": ("EXERCISE = " + "1 + " * 20_000 + "1\n", "chain.py"),
    "broken.ipynb": ("{", "expected a notebook of Jupyter"),
    "list.ipynb": ("[1, 2]", "expected a notebook of Jupyter"),
}


def notebook(*cells):
    """Make the text of a notebook."""
    return json.dumps({"cells": [{"cell_type": "markdown", "source": ["# Text\n"]}, *(
        {"cell_type": "code", "source": cell.splitlines(keepends=True), "outputs": []} for cell in cells)], "nbformat": 4})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Write files into a folder, and stand above it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "class").mkdir()

    def add(**files):
        for name, text in files.items():
            path = tmp_path / "class" / name.replace("__", ".")
            path.write_text(text, encoding="utf-8")
        return tmp_path / "class"
    return add


@pytest.mark.slow
def test_one_row_a_file_whatever_is_in_it(folder, tmp_path, capsys):
    place = folder(**{name: text for name, (text, _) in BROKEN.items()})
    folder(right__py=exercises.text("spike_loss", True), stub__py=exercises.text("spike_loss"))
    folder(**{"=sum(1).py": write("spike_loss", ("-(p - one_hot)", "-p"))})
    (place / "latin.py").write_bytes("# coding: latin-1\n# \xe4\n".encode("latin-1") + exercises.text("spike_loss", True).encode())
    assert cli.main(["grade", "class", "--csv", "marks.csv", "--limit", "1", "--seed", "7", "--json", "all.json"]) == 0
    table = csv.DictReader((tmp_path / "marks.csv").read_text().splitlines())
    rows = {row["file"].removeprefix("'").removeprefix("class" + os.sep): row for row in table}
    assert set(rows) == {p.name for p in place.iterdir()} and len(rows) == len(BROKEN) + 4
    for name, (_, why) in BROKEN.items():
        assert why in rows[name]["errors"] and rows[name]["score"] == "0.0", rows[name]
    assert [rows[name]["score"] for name in ("right.py", "latin.py", "stub.py", "=sum(1).py")] == ["100.0", "100.0", "0.0", "16.7"]
    assert rows["right.py"]["spike_loss"] == "100.0" and rows["right.py"]["errors"] == rows["stub.py"]["errors"] == ""
    data = json.loads((tmp_path / "all.json").read_text())
    assert data["seed"] == 7 and len(data["files"]) == len(rows)
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == f"{len(rows)} files, seed 7; in {len(BROKEN)} something could not be marked" and len(out) == len(rows) + 1


def test_a_cell_is_no_formula(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "=cmd.py").write_text("x = 1")
    grades = exercises.grade(["=cmd.py"])
    assert grades.csv().splitlines()[1].startswith("'=cmd.py,0.0,")


TWO = (exercises.text("spike_loss", True), exercises.text("conversion", True))


def test_a_file_with_several_exercises(folder):
    """Also with one name in both, and with a module of its own beside it; lines are those of the file."""
    own = exercises.text("conv_backward", True).replace("np.zeros_like(padded), np.zeros_like(w)", "here.zeros(padded), here.zeros(w)")
    wrong = exercises.text("temporal_backward", True).replace("fired = np.isfinite(z_out)", "fired = np.isfinit(z_out)")
    place = folder(two__py="import here\n" + own + "\n\n" + wrong, here__py="import numpy\n\n\ndef zeros(x):\n"
    "    return numpy.zeros_like(x)\n")
    conv, temporal = exercises.mark_each(place / "two.py")
    assert conv.exercise == "conv_backward" and conv.marks.ok
    line = 1 + ("import here\n" + own + "\n\n" + wrong).split("isfinit(")[0].count("\n")
    assert {i.note.rpartition(" (")[2] for i in temporal.marks.items if not i.ok} == {f"line {line})"}
    with pytest.raises(ValueError, match=r"two.py: expected one exercise, got conv_backward, temporal_backward"):
        exercises.mark_file(place / "two.py")


@pytest.mark.slow
def test_one_of_several_that_loops_does_not_take_the_first_along(folder):
    place = folder(two__py=TWO[0] + "\n" + TWO[1] + "\nwhile True: pass\n")
    loss, conversion = exercises.mark_each(place / "two.py", limit=2.0)
    assert loss.marks.ok and conversion.marks is None and "did not" in conversion.why


def test_a_notebook_is_marked(folder):
    """Cells that are not Python, lines for Jupyter, and the cell that marks are no hindrance; lines are those of a cell."""
    cells = ["%matplotlib inline\n!pip list\nimport numpy as np", "this is no Python", "# try\n1 / 0", exercises.text("spike_loss",
    True).replace("EXERCISE", "NAME"),
             'from pysnn import exercises\n\nprint(exercises.mark("spike_loss", globals()))', "while True: pass"]
    place = folder(right__ipynb=notebook(*cells), wrong__ipynb=notebook(*cells[:3], cells[3].replace("p = np.exp", "p = np.xp"), cells[4]))
    (right,), (wrong,) = exercises.mark_each(place / "right.ipynb"), exercises.mark_each(place / "wrong.ipynb")
    assert right.marks.ok and right.marks.remarks == () and right.printed == "cell 3 raises ZeroDivisionError: division by zero\n"
    line = 1 + cells[3].split("p = np.exp")[0].count("\n")
    assert wrong.marks.items[0].note == f"raises AttributeError: module 'numpy' has no attribute 'xp' (line {line} of cell 4)"


def test_shipped_notebooks_filled_in_are_right(folder):
    """The stub's cell as it is, with the solution in the next one."""
    for name in exercises.NAMES[:3]:
        (path,) = (ROOT / "examples/notebooks").glob(f"*_{name}.ipynb")
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        find, code, *rest = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        place = folder(**{f"{name}.ipynb": notebook(find, code, exercises.text(name, True), *rest)})
        (marked,) = exercises.mark_each(place / f"{name}.ipynb")
        assert marked.exercise == name and marked.marks.ok and marked.marks.remarks == ()


# ---- weights, seed, results for Gradescope

def test_weights_say_what_counts(folder):
    place = folder(both__py="\n".join(TWO), one__py=TWO[0])
    scores = {row.file[-7:]: g.score(row) for g in [exercises.grade([place])] for row in g.rows}
    assert scores == {"both.py": 1.0, "/one.py": 1.0}
    grades = exercises.grade([place], {"spike_loss": 1, "conversion": 3})
    assert [grades.score(row) for row in grades.rows] == [1.0, 0.25]
    assert grades.csv().splitlines()[0] == "file,score,spike_loss,conversion,errors,remarks,alike,seconds"


def test_another_seed_finds_results_that_were_written_down(folder):
    """Answers to the cases of seed 0, looked up by the sum of the arguments."""
    exercise = exercises.get("max_pool_backward")
    answers = {float(case.args[0].sum()): case.answer(exercise.functions)["dx"].tolist() for case in exercise.draw_cases(0)[1:6]}
    text = exercises.text("max_pool_backward", True).replace("    x, y, size = cache\n", f"    x, y, size = cache\n    known = {answers}\n"
                                                             "    return np.array(known.get(float(dy.sum()), dy * 0))\n")
    place = folder(a__py=text)
    known, other = (exercises.grade([place], seed=seed).rows[0].scores["max_pool_backward"] for seed in (0, 4711))
    assert known >= 5 / 6 and other < 0.5


def test_results_for_gradescope(folder, tmp_path):
    folder(a__py=write("spike_loss", ("-(p - one_hot)", "-p")), b__py=TWO[1], c__py="def f(:")
    assert cli.main(["grade", "class", "--gradescope", "out/results.json", "--hints", "0", "--weights",
                     "spike_loss=4,conversion=6,spike_time=2"]) == 0
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert results["score"] == pytest.approx(6 + 4 / 6, abs=1e-5) and set(results) == {"score", "tests"}
    tests = {test["name"]: test for test in results["tests"]}
    assert list(tests) == ["a.py: spike_loss", "b.py: conversion", "c.py", "spike_time"]
    assert [(t["score"], t["max_score"], t["status"]) for t in tests.values()] == [
        (0.666667, 4.0, "failed"), (6.0, 6.0, "passed"), (0.0, 0.0, "failed"), (0.0, 2.0, "failed")]
    output = tests["a.py: spike_loss"]["output"]
    assert "hint for dz: wrong in 5 of 6 cases" in output and "label is missing" not in output


def test_an_exercise_counts_once_for_gradescope(folder, tmp_path):
    """Copies, and an older version, add no points: the best of them counts."""
    right = exercises.text("spike_loss", True)
    folder(a__py=write("spike_loss", ("-(p - one_hot)", "-p")), b__py=right, c__py=right + "\n", d__py=exercises.text("spike_loss"))
    results = exercises.grade([tmp_path / "class"], {"spike_loss": 10}).gradescope(0)
    assert results["score"] == 10 and [(t["name"], t["max_score"]) for t in results["tests"]] == [("b.py: spike_loss", 10)]
    assert results["tests"][0]["output"].startswith("the best of 4 files")


def test_no_file_vanishes(folder, tmp_path, capsys):
    """Letters of any case and links to nothing have a row; other files are named; an empty folder does not stop the others."""
    place = folder(UPPER__PY=exercises.text("spike_loss", True), notes__txt="x")
    os.symlink(tmp_path / "nothing.py", place / "link.py")
    (tmp_path / "empty").mkdir()
    assert cli.main(["grade", "class", "empty", "--json", "all.json"]) == 0
    rows = {os.path.basename(r["file"]): r for r in json.loads((tmp_path / "all.json").read_text())["files"]}
    assert rows["UPPER.PY"]["score"] == 1 and "does not exist" in rows["link.py"]["errors"][0]
    assert "found none" in rows["empty"]["errors"][0]
    assert "left out, neither .py nor .ipynb: " + os.path.join("class", "notes.txt") in capsys.readouterr().out
    assert cli.main(["check", os.path.join("class", "UPPER.PY"), "empty", "--json", "marks.json"]) == 2
    marked, failed = json.loads((tmp_path / "marks.json").read_text())["files"]
    assert sorted((str(marked.get("ok")), str(failed.get("ok")))) == ["None", "True"]


def test_an_item_without_an_answer_is_among_the_errors(folder, tmp_path):
    folder(a__py=HEAD + "def loss(z, y):\n    while True: pass\n")
    row, = exercises.grade([tmp_path / "class"], limit=0.5).rows
    assert any(line.startswith("spike_loss, ") and "no answer within 0.5 s" in line for line in row.errors), row.errors


@pytest.mark.slow
def test_a_right_file_that_was_late_once_is_marked_again(folder, tmp_path):
    """A busy machine: one case waits for longer than the limit. What is late twice stays without an answer."""
    right = exercises.text("spike_loss", True)
    wait = "    if not os.path.exists(LATE):\n        open(LATE, 'w').close()\n        time.sleep(60)\n    scores = -np.where("
    folder(a__py=f"import os\nimport time\nLATE = {str(tmp_path / 'late')!r}\n" + right.replace("    scores = -np.where(", wait),
           b__py="import time\n" + right.replace("    scores = -np.where(", "    time.sleep(60 * (len(z) == 6))\n    scores = -np.where("))
    once, twice = exercises.grade([tmp_path / "class"], limit=1.0).rows
    assert once.scores == {"spike_loss": 1.0} and not once.errors
    assert twice.scores["spike_loss"] < 1 and any("no answer within" in line for line in twice.errors)


@pytest.mark.slow
def test_a_file_that_ran_late_once_is_marked_again(folder, tmp_path):
    """Before any case: the file itself did not come to its end in time. A message names the file that was handed in."""
    right, late = exercises.text("spike_loss", True), str(tmp_path / "late")
    wait = f"import os, time\nif not os.path.exists({late!r}):\n    open({late!r}, 'w').close()\n    time.sleep(60)\n"
    folder(a__py=wait + right, b__ipynb=notebook("import time", "def loss(z, y):\n    pass\n\n\ntime.sleep(60)", "EXERCISE = 'spike_loss'"))
    once, never = exercises.grade([tmp_path / "class"], limit=1.0).rows
    assert once.scores == {"spike_loss": 1.0} and not once.errors
    assert never.errors == ["b.ipynb: expected it to run to its end within 1 s; it did not"]


def test_what_could_not_be_read_is_not_said_to_be_missing(folder, tmp_path):
    for text, words in (("def f(:", "not found: see the file that could not be read"), (exercises.text("spike_loss"), "not handed in")):
        folder(a__py=text)
        tests = exercises.grade([tmp_path / "class"], {"spike_time": 1}).gradescope(0)["tests"]
        assert tests[-1]["name"] == "spike_time" and tests[-1]["output"] == words


@pytest.mark.slow
def test_marks_do_not_depend_on_how_many_are_marked_at_once(folder, tmp_path):
    for name in exercises.NAMES:
        folder(**{f"{name}_{k}__py": exercises.text(name, True) for k in range(2)})
    for jobs in (1, 22):
        grades = exercises.grade([tmp_path / "class"], seed=5, jobs=jobs)
        assert len(grades.rows) == 2 * len(exercises.NAMES) and {grades.score(row) for row in grades.rows} == {1.0}


@pytest.mark.parametrize("args, message", [
    (["nothing"], "expected a folder or a file, got 'nothing', which does not exist"),
    (["class"], "expected files such as spike_time.py in the folder 'class', found none"),
    (["class", "--jobs", "0"], "--jobs: expected at least 1, got 0"),
    (["class", "--limit", "0"], "--limit: expected a positive number of seconds, got 0"),
    (["a.py", "--weights", "spike=1"], "exercise: expected one of spike_time"),
    (["a.py", "--weights", "spike_time=-1"], "weight of spike_time: expected a number of at least 0, got -1.0"),
    (["a.py", "--weights", "spike_time=0"], "weights: expected one that is not 0"),
    (["a.py", "--csv", "class"], "--csv: expected a file that can be written and holds nothing else, got class"),
    (["a.py", "--csv", "x", "--json", "x"], "--csv: expected a file that can be written and holds nothing else, got x"),
    (["a.py", "--csv", "a.py"], "--csv: expected a file that can be written and holds nothing else, got a.py"),
])
def test_wrong_words_are_refused(args, message, folder, capsys):
    folder()
    assert cli.main(["grade", *args]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"pysnn: error: {message}") and len(err.splitlines()) == 1


# ---- what a teacher should look at

def looked(name, text):
    """Return the remarks on a file, without their lines."""
    return [words for _, words in _scan.remarks(text, exercises.get(name))]


BODY = exercises.text("temporal_backward", True)
LOOP = ("z_in, w, threshold, z_out, _ = cache\n    dz_in, dw, h = np.zeros_like(z_in), np.zeros_like(w), 1e-6\n"
"    for k in np.ndindex(*w.shape):\n"
        "        up, down = w.copy(), w.copy()\n        up[k] += h\n        down[k] -= h\n"
        "        dw[k] = (dz_out * (forward(z_in, up)[0] - forward(z_in, down)[0])).sum() / (2 * h)\n    return dz_in, dw\n")
VALUE = ("def value(x):\n        return np.log(np.exp(-x).sum())\n    h = 1e-6\n    dz = np.zeros_like(z)\n"
"    for k in np.ndindex(*z.shape):\n"
         "        e = np.zeros_like(z)\n        e[k] = h\n        dz[k] = (value(z + e) - value(z - e)) / (2 * h)\n"
         "    return value(z), dz\n")


@pytest.mark.parametrize("name, old, new, said", [
    ("temporal_backward", "z_in, w, threshold, z_out, causal = cache\n", LOOP,
     "calls forward again and again: a gradient by finite differences?"),
    ("temporal_backward", "dz_in = (causal", "dz_in = numerical(forward, z_in)\n    dz_in = (causal",
     "calls forward again and again: a gradient by finite differences?"),
    ("temporal_backward", "    dz_in = (causal", "    dz_in = [forward(z, w) for z in z_in]\n    dz_in = (causal",
     "calls forward again and again"),
    ("temporal_backward", "import numpy as np", "import numpy as np\nfrom scipy.optimize import approx_fprime as f", "approx_fprime"),
    ("temporal_backward", "import numpy as np", "import numpy as np\nfrom pysnn.reference import temporal",
     "imports pysnn.reference.temporal"),
    ("temporal_backward", "import numpy as np", "import numpy as np\nimport pysnn", "imports pysnn"),
    ("temporal_backward", "import numpy as np", "import numpy as np\nfrom pysnn.exercises.solutions import temporal_backward",
     "imports pysnn"),
    ("temporal_backward", "import numpy as np", "import numpy as np\nfrom pysnn import exercises\nexercises.text('spike_time', True)",
     "asks for a solution: exercises.text"),
    ("temporal_backward", "import numpy as np", "import numpy as np\nimport importlib\nf = importlib.import_module('pys' + 'nn')",
     "runs other code by import_module"),
    ("temporal_backward", "import numpy as np", "import numpy as np\np = 'site-packages/pysnn/exercises'", "has a text with 'pysnn' in it"),
    ("temporal_backward", "import numpy as np", "import numpy as np\nimport torch", "imports torch"),
    ("temporal_backward", "import numpy as np", "import numpy as np\nfrom solution import backward as mine", "imports solution.backward"),
    ("spike_loss", "scores = -np", VALUE + "    scores = -np", "has a difference quotient of value: a gradient by finite differences?"),
    ("spike_loss", "scores = -np", "if z.ndim: return 0, np.array([loss(z + h, y)[0] for h in z])\n    scores = -np",
     "calls loss again and again: a gradient by finite differences?"),
])
def test_what_is_not_derived_is_remarked(name, old, new, said):
    text = exercises.text(name, True)
    assert text.count(old) == 1
    assert any(said in words for words in looked(name, text.replace(old, new)))


@pytest.mark.slow
def test_nothing_else_is_remarked():
    """Of every other attempt, right or wrong, of stubs and of solutions."""
    for name in exercises.NAMES:
        attempts = [changes[changes[0] == "remark":] for changes in RIGHT[name]] + [changes for _, *changes in WRONG[name]]
        for text in (exercises.text(name), exercises.text(name, True), *(write(name, changes) for changes in attempts)):
            assert looked(name, text) == [], text


def test_finite_differences_have_their_remark_in_the_marks(folder):
    """By the given forward pass: right or nearly right, but with few digits, and named."""
    place = folder(fd__py=BODY.replace("z_in, w, threshold, z_out, causal = cache\n", LOOP))
    (marked,) = exercises.mark_each(place / "fd.py")
    line = 1 + BODY.split("z_in, w, threshold, z_out, causal = cache\n")[0].count("\n") + LOOP.split("forward")[0].count("\n")
    assert marked.marks.remarks == (f"line {line} calls forward again and again: a gradient by finite differences?",)
    assert f"remark: {marked.marks.remarks[0]}" in str(marked.marks)
    assert marked.marks.to_dict()["remarks"] == [marked.marks.remarks[0]]


def test_few_digits_are_remarked():
    right = exercises.get("batch_norm_backward").functions
    wrong = {**right, "backward": lambda dy, cache: [x * (1 + 1e-10) for x in right["backward"](dy, cache)]}
    marks = exercises.mark("batch_norm_backward", wrong)
    assert marks.ok and {i.mark for i in marks.items if i.case == "batch statistics"} == {"remark"}


def test_near_duplicates_are_found(folder):
    text = write("spike_time", RIGHT["spike_time"][8])
    renamed = text.replace("pairs", "spikes_by_time").replace("later", "following").replace("    for k, (z, x)",
    "    # my own idea\n    for k, (z, x)")
    place = folder(a__py=text, b__py=renamed, c__py=write("spike_time", RIGHT["spike_time"][9]), d__py=exercises.text("spike_time", True),
                   e__py=exercises.text("spike_time"), f__py=exercises.text("spike_time"))
    alike = {row.file[-4:]: row.alike for row in exercises.grade([place]).rows}
    assert alike["a.py"] == f"{place / 'b.py'} (spike_time)" and alike["b.py"] == f"{place / 'a.py'} (spike_time)"
    assert alike["d.py"] == "the solution (spike_time)" and alike["c.py"] == alike["e.py"] == alike["f.py"] == ""


# ---- pysnn check with several

def test_check_takes_files_folders_and_notebooks(folder, tmp_path, capsys):
    folder(a__py=TWO[0], b__ipynb=notebook(TWO[1]))
    (tmp_path / "c.py").write_text(exercises.text("spike_time"))
    assert cli.main(["check", "class", "c.py", "--json", "marks.json", "--hints", "1"]) == 1
    files = json.loads((tmp_path / "marks.json").read_text())["files"]
    assert [(f["exercise"], f["ok"], f["score"]) for f in files] == [("spike_loss", True, 1.0), ("conversion", True, 1.0), ("spike_time",
    False, 0.0)]
    out = capsys.readouterr().out
    names = [os.path.join("class", "a.py"), os.path.join("class", "b.ipynb"), "c.py"]
    assert [line for line in out.splitlines() if line.startswith("== ")] == [f"== {name}" for name in names]
    assert cli.main(["check", "c.py", "missing.py", "class"]) == 2
    out, err = capsys.readouterr()
    assert "13 of 13 items right" in out and err.splitlines() == [
        "pysnn: error: expected a file such as spike_time.py, got 'missing.py', which does not exist; pysnn check --start NAME makes one"]


@pytest.mark.parametrize("text, why", [(None, "which does not exist"), ("def f(:", "invalid syntax"), (HEAD + "sys.exit(4)",
"it exits (4)")])
def test_json_is_written_whatever_happens(text, why, folder, tmp_path, capsys):
    place = folder(**({} if text is None else {"a.py": text}))
    assert cli.main(["check", str(place / "a.py"), "--json", "marks.json", "--limit", "4"]) == 2
    assert why in json.loads((tmp_path / "marks.json").read_text())["error"] and why in capsys.readouterr().err


def test_check_says_which_of_several_files_is_broken(folder, capsys):
    place = folder(a__py="def f(:", b__py=TWO[0])
    assert cli.main(["check", str(place)]) == 2
    assert capsys.readouterr().err == f"pysnn: error: {place / 'a.py'}, line 1: invalid syntax\n"


def test_half_filled_in_is_said(folder, capsys):
    place = folder(a__py=write("temporal_backward", ("return dz_in, dw", "return dz_in, ...")))
    assert cli.main(["check", str(place / "a.py")]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "not filled in yet: dw"
