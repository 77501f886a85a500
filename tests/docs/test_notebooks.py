"""The notebooks: made from the stubs and up to date, they run, and the sliders of one_neuron give what the reference gives."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from pysnn import exercises
from pysnn.reference import temporal
from tests.cases import ROOT

FOLDER = ROOT / "examples/notebooks"
NOTEBOOKS = {path.stem.split("_", 1)[1]: path for path in sorted(FOLDER.glob("[0-9]*.ipynb"))}


def source(path, kind="code"):
    """Return the cells of a kind as texts."""
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]


def run_cells(texts, names):
    """Run cells without Jupyter."""
    for k, text in enumerate(texts):
        exec(compile(text, f"cell {k}", "exec"), names)
    return names


def test_notebooks_are_those_that_make_makes(monkeypatch):
    spec = importlib.util.spec_from_file_location("make_notebooks", FOLDER / "make.py")
    make = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec.loader.exec_module(make)
    wanted = make.notebooks()
    assert set(wanted) == set(FOLDER.glob("*.ipynb")) and list(NOTEBOOKS) == list(exercises.NAMES)
    for path, text in wanted.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is out of date: python examples/notebooks/make.py"


@pytest.mark.parametrize("name", exercises.NAMES)
def test_notebook_has_the_task_and_marks_what_stands_in_it(name, capsys):
    task, shown, more = source(NOTEBOOKS[name], "markdown")
    assert task.startswith("# ") and "Your task" in task and "Mark it with the cell" in task and "pysnn check" not in task
    assert f'exercises.text("{name}", solution=True)' in more and "Needs NumPy and pysnn." in task
    cells = source(NOTEBOOKS[name])
    tags = re.findall(r"\\tag\{(\w+)\}", shown)
    pages = "".join(p.read_text(encoding="utf-8") for folder in ("derivations", "course") for p in (ROOT / "docs" / folder).glob("*.md"))
    assert {f"({tag})" for tag in tags} >= {*re.findall(r"\([A-Z]\d+\)", task + cells[1])} and tags
    assert all(formula.strip() in pages for formula in re.findall(r"\$\$\n(.*?) \\tag\{\w+\}\n\$\$", shown, re.S))
    names = run_cells(cells, {})
    first = capsys.readouterr().out
    assert re.search(rf"^{name}: \d+ of \d+ items right$", first, re.M)
    assert "not written yet" in first or name in ("find_the_bug", "repair_tutorial")
    run_cells([exercises.text(name, True), cells[-1]], names)
    found = re.search(rf"^{name}: (\d+) of (\d+) items right$", capsys.readouterr().out, re.M)
    assert found[1] == found[2] and found[0] not in first


def test_first_cell_finds_pysnn_in_a_checkout_or_a_wheel(tmp_path):
    """With nothing installed: -S leaves out the environment; what is found is pysnn, and its exercises are there."""
    cell = source(NOTEBOOKS["spike_loss"])[0] + "\nprint(importlib.util.find_spec('pysnn').origin)"
    inside = tmp_path / "checkout/examples/notebooks"
    inside.mkdir(parents=True)
    (tmp_path / "checkout/pysnn").symlink_to(ROOT / "pysnn", target_is_directory=True)
    beside = tmp_path / "upload"
    beside.mkdir()

    def run(folder):
        env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        return subprocess.run([sys.executable, "-S", "-c", cell], cwd=folder, capture_output=True, text=True, env=env)
    assert run(inside).stdout.strip() == str(tmp_path / "checkout/pysnn/__init__.py")
    assert "put the file pysnn_reference-...whl beside this notebook" in run(beside).stderr
    with zipfile.ZipFile(beside / "pysnn_reference-0.1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("pysnn/__init__.py", "")
    for name in ("pysnn_reference-0.9.0-py3-none-any", "pysnn_reference-0.10.0-py3-none-any"):       # the newest file, at each time
        assert run(beside).stdout.strip() == str(max(beside.glob("*.whl"), key=os.path.getmtime).with_suffix("") / "pysnn/__init__.py")
        newer = shutil.copy(beside / "pysnn_reference-0.1.0-py3-none-any.whl", beside / f"{name}.whl")
        os.utime(newer, (2e9, 2e9 + len(name)))
    assert run(beside).stdout.strip() == str(beside / name / "pysnn/__init__.py")


# ---- in Jupyter

def execute(path, more=(), timeout=300):
    """Run a notebook with cells added behind it; return what each code cell printed."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    book.cells += [nbformat.v4.new_code_cell(text) for text in more]
    nbclient.NotebookClient(book, timeout=timeout, kernel_name="python3").execute()
    return ["".join(o.get("text", "") for o in cell.outputs) for cell in book.cells if cell.cell_type == "code"]


jupyter = [pytest.mark.docs, *(pytest.mark.filterwarnings(f"ignore::{kind}Warning") for kind in ("Deprecation", "Resource"))]


class TestInJupyter:
    """With a kernel: `make test-docs`."""

    pytestmark = jupyter

    @pytest.mark.parametrize("name", exercises.NAMES)
    def test_exercise(self, name):
        mark = f'print(exercises.mark("{name}", globals()).ok)'
        printed = execute(NOTEBOOKS[name], [mark, exercises.text(name, True), mark])
        assert f"{name}: " in printed[2] and printed[3].strip() == "False" and printed[-1].strip() == "True"

    def test_error_names_function_and_line_of_its_cell(self):
        cell = "def helper(z):\n    return z.no\n\ndef loss(z, y):\n    return helper(z)"
        printed = execute(NOTEBOOKS["spike_loss"], [cell, 'print(exercises.mark("spike_loss", globals()).items[0].note)'])[-1]
        assert printed == "raises AttributeError: 'numpy.ndarray' object has no attribute 'no' (helper, line 2 of its cell)\n"

    def test_moving_a_slider_gives_the_spike_time_of_the_reference(self):
        pytest.importorskip("ipywidgets")
        tell = "print(numbers.value); print(len(picture.value), picture.value[:4])"
        moves = ["pass", "times[2].value = 1.5", "weights[2].value = -1.5", "for s in weights: s.value = 0.1", "threshold.value = 0.1"]
        printed = execute(FOLDER / "one_neuron.ipynb", [f"{move}\n{tell}" for move in moves])[-len(moves):]
        w, t, threshold = np.array([0.8, 0.6, -0.3]), np.array([0.0, 1.0, 2.0]), 1.0
        seen = []
        for k, text in enumerate(printed):
            t = np.array([0.0, 1.0, 1.5]) if k else t
            w = [w, w, np.array([0.8, 0.6, -1.5]), np.full(3, 0.1), np.full(3, 0.1)][k]
            threshold = 0.1 if k == 4 else 1.0
            z_out, cache = temporal.forward(np.exp(t)[None], w[:, None], threshold)
            dz_in, _ = temporal.backward(np.ones_like(z_out), cache)
            assert re.search(r"^\d{4,} <svg$", text, re.M)
            if np.isinf(z_out):
                assert "silent" in text
            else:
                assert abs(float(re.search(r"t = ([\d.]+) tau", text)[1]) - np.log(z_out[0, 0])) <= 1e-12
                for i, row in enumerate(re.findall(r"<td>input \d</td><td>\w+</td><td>(\S+?)</td>", text)):
                    assert abs(float(row) - dz_in[0, i] * np.exp(t[i]) / z_out[0, 0]) <= 5.1e-5
            seen.append("silent" if np.isinf(z_out) else round(float(np.log(z_out[0, 0])), 3))
        assert len(set(seen)) == 4 and seen[0] == 1.805 and "silent" in seen      # two of the five are silent
