"""What somebody hands in: a Python file or a notebook, with one exercise or several."""

import ast
import contextlib
import io
import json
import re
import tempfile
import tokenize
from pathlib import Path
from typing import NamedTuple

from ..foreign import clean
from ._text import MODULES

SUFFIXES = (".py", ".ipynb")
MOST = 2 ** 20               # bytes of code that are read
FINDS = "# Where is pysnn?"      # begins the cell of our notebooks that is for places without pysnn: here it is neither run nor read
MOST_OUTPUTS = 2 ** 25       # bytes of a notebook, with its outputs


class Part(NamedTuple):
    """One exercise of a submission."""

    exercise: str
    text: str                # the code from the beginning of the file to the end of this exercise
    cells: tuple = ()        # of a notebook: the number of lines before each cell
    alone: bool = True       # whether it is all that a Python file has

    @contextlib.contextmanager
    def file(self, path):
        """Lend a file that can be run: the submission itself, or one with this part."""
        if self.alone and path.suffix == ".py":
            yield path
            return
        first = "" if "__future__" in self.text else f"import sys; sys.path.insert(0, {str(path.resolve().parent)!r})"
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / f"{path.stem}.py"
            text = f"{first}\n{self.text}".encode("utf-8", "backslashreplace")
            made.write_bytes(path.read_bytes() if self.alone else text)          # alone: only the suffix is one that Python does not take
            yield made

    def where(self, line):
        """Say which line of the submission a line of the code is."""
        k = max((k for k, before in enumerate(self.cells) if before < line), default=0)
        return f"line {line - self.cells[k]} of cell {k + 1}" if self.cells else f"line {line}"

    def place(self, note):
        """Turn a line of the file that was run into one of the submission, in a note."""
        return note if self.alone else re.sub(r"\(line (\d+)\)", lambda found: f"({self.where(int(found[1]) - 1)})", note)


def submissions(paths):
    """Return the files among paths, and those in the folders among them, sorted; hidden ones and those of Python's own are left out."""
    found = []
    for path in map(Path, paths):
        inside = [p for p in _inside(path) if p.suffix.lower() in SUFFIXES] if path.is_dir() else [path]
        if not inside:
            raise ValueError(f"expected files such as spike_time.py in the folder {str(path)!r}, found none")
        found += inside
    return found


def others(paths):
    """Return what lies in the folders among paths and is no such file, sorted."""
    return [p for path in map(Path, paths) if path.is_dir() for p in _inside(path) if p.suffix.lower() not in SUFFIXES]


def _inside(folder):
    """List what is in a folder and below, links to nothing too; hidden files and those of Python's own are left out."""
    return [p for p in sorted(folder.rglob("*")) if not p.is_dir() and not any(
        part.startswith((".", "__pycache__")) for part in p.relative_to(folder).parts)]


def parts(path):
    """Read the exercises of a file without running it; a ValueError says in one line why there are none."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        raise ValueError(f"expected a file such as spike_time.py, got {str(path)!r}" + ("" if path.is_file() else ", which does not exist")
                         + "; pysnn check --start NAME makes one")
    file = clean(path.name)
    if path.stat().st_size > (MOST if path.suffix.lower() == ".py" else MOST_OUTPUTS):
        raise ValueError(f"{file}: expected a file of at most {MOST // 2 ** 20} MB of code, got {path.stat().st_size / 2 ** 20:.0f} MB")
    if path.suffix.lower() == ".py":
        data = path.read_bytes()
        return _split(parse(data, file), _decoded(data), file)
    lines, cells = [], []
    for k, cell in enumerate(_cells(path), 1):
        part_of_it = re.search(r"^(def|class|@|EXERCISE)|\"{3}|'{3}|__future__|exercises\.mark\(", cell, re.M)
        lines += [] if part_of_it else ["try:"]
        cells.append(len(lines))
        lines += cell.split("\n") if part_of_it else [
            *(f"    {line}" for line in cell.split("\n")), "    pass", "except Exception as error:",
            f"    print(f'cell {k} raises {{type(error).__name__}}: {{error}}')"]
    text = "\n".join(lines)
    return _split(parse(text, file), text, file, tuple(cells))


def parse(code, file):
    """Parse code; a ValueError says in one line what is wrong with it."""
    try:
        return ast.parse(code, file)
    except SyntaxError as error:
        raise ValueError(clean(f"{file}, line {error.lineno or 1}: {error.msg}")) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ValueError(clean(f"{file}: expected a Python file: {error or type(error).__name__}")) from None


def _cells(path):
    """Return the code cells of a notebook; what is not Python, such as lines for Jupyter, becomes comments."""
    file = clean(path.name)
    try:
        cells = json.loads(path.read_bytes())["cells"]
        found = ["".join(cell["source"]).replace("\r\n", "\n") for cell in cells if cell["cell_type"] == "code"]
        found = ["" if cell.startswith(FINDS) and "def " not in cell and "EXERCISE" not in cell else cell for cell in found]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(f"{file}: expected a notebook of Jupyter, of version 4 of its format") from None
    if sum(map(len, found)) > MOST:
        raise ValueError(f"{file}: expected at most {MOST // 2 ** 20} MB of code, got more")
    return [_python(cell, file) for cell in found]


def _python(cell, file):
    """Return a cell as Python; the lines keep their numbers."""
    for change in (lambda line: line, lambda line: re.sub(r"^(\s*)([%!?].*)$", r"\1pass  # \2", line), lambda line: f"# {line}"):
        code = "\n".join(map(change, cell.split("\n")))
        with contextlib.suppress(ValueError):
            parse(code, file)
            break
    return code


def _split(tree, text, file, cells=None):
    """Find where each exercise begins, at EXERCISE = NAME, or ends, at exercises.mark(NAME, ...), which a notebook has."""
    marked, named, lines = {}, [], text.split("\n")
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) and node.value else []
        if any(getattr(t, "id", "") == "EXERCISE" for t in targets):
            named.append((_name(node.value, file), node.lineno))
        for call in ast.walk(node) if isinstance(node, (ast.Expr, ast.Assign)) else ():
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "mark" and call.args:
                if getattr(call.func.value, "id", "") == "exercises":
                    marked[_name(call.args[0], file)] = node.lineno - 1
                    lines[node.lineno - 1:node.end_lineno] = ["pass"] * (node.end_lineno - node.lineno + 1)
    begins = [*(line for _, line in named[1:]), len(lines) + 1]
    ends = {name: end - 1 for (name, _), end in zip(named, begins, strict=False)} | marked
    if not ends:
        raise ValueError(f"{file}: expected a line such as EXERCISE = \"spike_time\"; pysnn check --start NAME makes a file with it")
    return [Part(name, "\n".join(lines[:end]), cells or (), cells is None and not marked and len(ends) == 1) for name, end in ends.items()]


def _decoded(data):
    """Decode a file as Python does."""
    return io.TextIOWrapper(io.BytesIO(data), tokenize.detect_encoding(io.BytesIO(data).readline)[0]).read()


def _name(node, file):
    name = getattr(node, "value", None)
    if isinstance(name, str) and name in MODULES:
        return name
    raise ValueError(f"{file}: EXERCISE: expected one of {', '.join(MODULES)}, got {clean(ast.unparse(node)):.80}")
