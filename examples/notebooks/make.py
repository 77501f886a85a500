"""Make the notebooks: one from the stub of each exercise, and one_neuron from one_neuron.py.

Run: python examples/notebooks/make.py
"""

import ast
import json
import re
from pathlib import Path

from pysnn import exercises

HERE = Path(__file__).parent
MARK = """from pysnn import exercises

print(exercises.mark("{name}", globals()))"""
NEEDS = "Needs pysnn: `pip install \"pysnn-reference[full]\"`, or the same without `[full]`, for the exercises need no more than NumPy."
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


def of_exercise(name):
    """Make the notebook of an exercise: the task, the stub, the marks, where the solution is."""
    text = exercises.text(name)
    title, _, task = ast.get_docstring(ast.parse(text)).partition("\n")
    title = title.removeprefix(f"Exercise {name}: ").rstrip(".")
    task = re.sub(r"Mark it:  pysnn check \S+", "Mark it with the cell behind the functions.", task)
    code = text.split('"""', 2)[2].replace(f'EXERCISE = "{name}"\n', "").lstrip("\n")
    code = re.sub(r"\n{4,}", "\n\n\n", code)
    return notebook([cell("markdown", f"# {title[0].upper()}{title[1:]}\n{task}\n\n{NEEDS}", "task"), cell("code", code, "functions"),
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
    return notebook(cells)


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
