"""Make the notebooks: one from the stub of each exercise, with the equations that it names, and one_neuron from one_neuron.py.

Run: python examples/notebooks/make.py
"""

import ast
import json
import re
import sys
from pathlib import Path

from pysnn import exercises

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "docs/_ext"))

from equations import filled  # noqa: E402

MARK = """from pysnn import exercises

print(exercises.mark("{name}", globals()))"""
FIND = """# Where is pysnn? Installed, in the checkout around this notebook, or in a wheel beside it.
import importlib.util
import sys
import zipfile
from pathlib import Path

if importlib.util.find_spec("pysnn") is None:
    place = next((p for p in (Path.cwd(), *Path.cwd().parents) if (p / "pysnn/exercises").is_dir()), None)
    if place is None:
        wheels = sorted(Path.cwd().glob("pysnn_reference-*.whl"), key=lambda p: p.stat().st_mtime)
        if not wheels:
            raise ModuleNotFoundError("pysnn is not here: put the file pysnn_reference-...whl beside this notebook, then run again")
        place = Path(wheels[-1].stem)                    # the newest; unpacked anew, for an earlier time may have been cut off
        zipfile.ZipFile(wheels[-1]).extractall(place)
    sys.path.insert(0, str(place.resolve()))"""
NEEDS = """Needs NumPy and pysnn. Where pysnn is not installed, the next cell takes it from the checkout around this notebook, or from a
wheel beside it: in Colab or JupyterLite put the wheel of the site's page on exercises into the folder of the notebook."""
SOLUTION = """Behind the items stands a hint, if your numbers are those of a known mistake. One way to do it:
`print(exercises.text("{name}", solution=True))`."""


def cell(kind, source, name):
    """Make a cell; `name` is its id."""
    lines = source.strip("\n").splitlines(keepends=True)
    more = {} if kind == "markdown" else {"execution_count": None, "outputs": []}
    return {"cell_type": kind, "id": name, "metadata": {}, **more, "source": lines}


def notebook(cells):
    """Make the text of a notebook."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}, "nbformat": 4,
                       "nbformat_minor": 5}, indent=1) + "\n"


def named(text):
    """List the tags of the equations that a text names; (T3) to (T6) names four."""
    tags = {(letter, int(number)) for letter, number in re.findall(r"\(([A-Z])(\d{1,2})\)", text)}
    for letter, first, last in re.findall(r"\(([A-Z])(\d{1,2})\) to \([A-Z](\d{1,2})\)", text):
        tags |= {(letter, number) for number in range(int(first), int(last) + 1)}
    return [f"{letter}{number}" for letter, number in sorted(tags)]


def of_equations(text):
    """Make the cell with the equations that a text names, as their pages have them."""
    return "## Equations\n\n" + filled("\n\n".join(f"({tag})" for tag in named(text)))


def of_exercise(name):
    """Make the notebook of an exercise: the task, the stub, the marks, where the solution is."""
    text = exercises.text(name)
    title, _, task = ast.get_docstring(ast.parse(text)).partition("\n")
    title = title.removeprefix(f"Exercise {name}: ").rstrip(".")
    task = re.sub(r"Mark it:  pysnn check \S+", "Mark it with the cell behind the functions.", task)
    code = text.split('"""', 2)[2].replace(f'EXERCISE = "{name}"\n', "").lstrip("\n")
    code = re.sub(r"\n{4,}", "\n\n\n", code)
    return notebook([cell("markdown", f"# {title[0].upper()}{title[1:]}\n{task}\n\n{NEEDS}", "task"), cell("code", FIND, "find"),
                     cell("markdown", of_equations(f"{text} {exercises.get(name).tags}"), "equations"), cell("code", code, "functions"),
                     cell("code", MARK.format(name=name), "marks"), cell("markdown", SOLUTION.format(name=name), "solution")])


def of_script(path):
    """Make a notebook of a script with lines `# %%` before code and `# %% [markdown]` before text."""
    cells = []
    for k, part in enumerate(re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.M)[1:]):
        first, _, body = part.partition("\n")
        if "[markdown]" in first:
            text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines())
            cells.append(cell("markdown", text, f"text-{k}"))
        else:
            cells.append(cell("code", body, f"code-{k}"))
    return notebook([cells[0], cell("code", FIND, "find"), *cells[1:]])


def notebooks():
    """Make all.

    Returns
    -------
    dict of pathlib.Path to str
        What belongs into which file.
    """
    notebooks = {HERE / f"{k:02}_{name}.ipynb": of_exercise(name) for k, name in enumerate(exercises.NAMES, 1)}
    return notebooks | {HERE / "one_neuron.ipynb": of_script(HERE / "one_neuron.py")}


if __name__ == "__main__":
    for path, text in notebooks().items():
        path.write_text(text, encoding="utf-8")
        print(path.name)
