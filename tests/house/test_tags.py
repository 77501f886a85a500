"""The chain from an equation to its code: one home in a page of docs, then the reference, a test, the kernel and its CUDA twin.

Each page ends with a table, "Where the equations are quoted": a row holds tags, and by columns the files each of which quotes every one of
them. A column without a file holds "-", and the first cell then says why; where a file of the reference has a twin, there is no such
excuse. All missing links are listed at once.
"""

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cases import ROOT

FOLDER, COURSE = "docs/derivations", "docs/course"
PAGES = sorted(path for path in (ROOT / FOLDER).glob("*.md") if path.name != "index.md")
COURSE_PAGES = sorted((ROOT / COURSE).glob("*.md"))       # equations of no operation, such as those of plasticity, have their home there
TAG = re.compile(r"\(([A-Z]\d{1,2})\)")
RANGE = re.compile(r"\([A-Z]\d{1,2}\) (?:\.\.\.|to) \([A-Z]\d{1,2}\)")
TABLE = "\n## Where the equations are quoted\n"
COLUMNS = ("reference", "tests", "kernels", "CUDA")
TWINS = {"kernels": "pysnn/kernels", "CUDA": "pysnn/cuda"}


class Row(NamedTuple):
    """A row of a page's table."""

    tags: list
    why: str         # what the first cell says behind its tags
    files: dict      # column -> names


def quoted(path):
    """Collect the tags a file quotes; a range, (A1) to (A9), quotes none."""
    return set(TAG.findall(RANGE.sub("", path.read_text(encoding="utf-8"))))


def tagged(page):
    """List the tags of the equations of a page."""
    return re.findall(r"\\tag\{(\w+)\}", page.read_text(encoding="utf-8"))


def rows(page):
    """Read the table of a page."""
    text = page.read_text(encoding="utf-8")
    assert text.count(TABLE) == 1, f"{page.name}: expected one section '{TABLE.strip()}', found {text.count(TABLE)}"
    head, _, *lines = text.split(TABLE)[1].split("\n## ")[0].strip().splitlines()
    found = tuple(cell.strip() for cell in head.strip("|").split("|"))
    assert found == ("equation", *COLUMNS), f"{page.name}: expected columns equation, {', '.join(COLUMNS)}, found {found}"
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    names = [[re.findall(r"\]\(\.\./\.\./(\S+\.py)\)", cell) for cell in rest] for _, *rest in cells]
    return [Row(TAG.findall(first), TAG.sub("", first).strip(), dict(zip(COLUMNS, found, strict=True)))
            for (first, *_), found in zip(cells, names, strict=True)]


def missing_links(root=ROOT):
    """List what is missing between the equations of the pages and the files that should quote them."""
    gaps = []
    for page in sorted([*(root / FOLDER).glob("*.md"), *(root / COURSE).glob("*.md")]):
        text, defined_here = page.read_text(encoding="utf-8"), tagged(page)
        if not defined_here:
            continue
        gaps += [f"{page.name}: write **({tag})** above the equation" for tag in defined_here if f"**({tag})**" not in text]
        table = rows(page)
        listed = [tag for row in table for tag in row.tags]
        gaps += [f"{page.name}: ({tag}) is in {listed.count(tag)} rows of the table" for tag in defined_here if listed.count(tag) != 1]
        gaps += [f"{page.name}: ({tag}) is in the table, and no equation of this page" for tag in listed if tag not in defined_here]
        for row in table:
            gaps += [f"{page.name}: {gap}" for gap in _gaps_of(row, root)]
    return gaps


def _gaps_of(row, root):
    """Yield what is missing in one row."""
    label = " ".join(f"({tag})" for tag in row.tags)
    for column, names in row.files.items():
        if not names and (column == "tests" or not row.why):
            yield f"{label}: no file in column {column}" + ("" if column == "tests" else ", and no word why")
        for name in names:
            if not (root / name).is_file():
                yield f"{label}: {name} does not exist"
            else:
                yield from (f"({tag}) is not quoted by {name}" for tag in row.tags if tag not in quoted(root / name))
    for name in row.files["reference"]:
        for column, folder in TWINS.items():
            twin = f"{folder}/{Path(name).name}"
            if name.startswith("pysnn/reference/") and (root / twin).is_file() and twin not in row.files[column]:
                yield f"{label}: {name} has a twin, {twin}, that column {column} does not name"


def quoted_below(*folders):
    return {path: quoted(path) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))}


def defined():
    """Map each tag to the page with its equation; twice is a failure."""
    home = {}
    for page in [*PAGES, *COURSE_PAGES]:
        for tag in tagged(page):
            assert tag not in home, f"({tag}) has two homes: {home[tag].name} and {page.name}"
            home[tag] = page
    return home


def functions(path):
    """Map the functions of a file to their source."""
    text = path.read_text(encoding="utf-8")
    return {node.name: ast.get_source_segment(text, node) for node in ast.parse(text).body
            if isinstance(node, ast.FunctionDef)}


def test_the_chain_has_no_missing_link():
    gaps = missing_links()
    assert not gaps, "\n" + "\n".join(gaps)


def test_pages_have_their_equations():
    """No page without an equation, and as many tags as ever."""
    assert len(PAGES) == 19 and all(tagged(page) for page in PAGES)
    letters = "".join(sorted(tag[0] for tag in defined()))
    counts = {letter: letters.count(letter) for letter in set(letters)}
    assert counts == {"T": 15, "E": 10, "I": 15, "L": 10, "R": 14, "P": 14, "D": 21, "F": 5, "Q": 9, "V": 11, "H": 6, "C": 5, "M": 3}


def test_tags_are_numbered_without_gaps():
    for letter in {tag[0] for tag in defined()}:
        numbers = sorted(int(tag[1:]) for tag in defined() if tag[0] == letter)
        assert numbers == list(range(1, len(numbers) + 1)), f"({letter}...): {numbers}"


CODE = ("pysnn/reference/a.py", "tests/test_a.py", "pysnn/kernels/a.py", "pysnn/cuda/a.py")
CHAIN = {
    f"{FOLDER}/a.md": "**(Z1)** It is so:\n\n$$ x = 1. \\tag{Z1} $$\n\n## Where the equations are quoted\n\n"
                      "| equation | reference | tests | kernels | CUDA |\n|---|---|---|---|---|\n"
                      f"| (Z1) | {' | '.join(f'[a.py](../../{name})' for name in CODE)} |\n",
    **dict.fromkeys(CODE, "# (Z1)\n"),
}
BROKEN = {
    "nothing": ("", "", "", []),
    "test": ("tests/test_a.py", "(Z1)", "", ["(Z1) is not quoted by tests/test_a.py"]),
    "kernel": ("pysnn/kernels/a.py", "(Z1)", "(Z2)", ["(Z1) is not quoted by pysnn/kernels/a.py"]),
    "range": ("pysnn/cuda/a.py", "(Z1)", "(Z1) to (Z3)", ["(Z1) is not quoted by pysnn/cuda/a.py"]),
    "twin": (f"{FOLDER}/a.md", "[a.py](../../pysnn/kernels/a.py)", "-", ["(Z1): no file in column kernels, and no word why",
             "(Z1): pysnn/reference/a.py has a twin, pysnn/kernels/a.py, that column kernels does not name"]),
    "no test": (f"{FOLDER}/a.md", "[a.py](../../tests/test_a.py)", "-", ["(Z1): no file in column tests"]),
    "file": (f"{FOLDER}/a.md", "tests/test_a.py", "tests/test_b.py", ["(Z1): tests/test_b.py does not exist"]),
    "label": (f"{FOLDER}/a.md", "**(Z1)**", "", ["write **(Z1)** above the equation"]),
    "row": (f"{FOLDER}/a.md", "| (Z1) |", "| (Z2) |", ["(Z1) is in 0 rows of the table",
            "(Z2) is in the table, and no equation of this page", *(f"(Z2) is not quoted by {name}" for name in CODE)]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_missing_link_is_found(tmp_path, name):
    """On a chain of one equation, taken apart."""
    broken, old, new, wanted = BROKEN[name]
    for path, text in CHAIN.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text.replace(old, new) if path == broken else text)
    assert missing_links(tmp_path) == [f"a.md: {gap}" for gap in wanted]


def test_each_tag_quoted_has_a_home():
    home = defined()
    homeless = [f"({tag}) in {path.relative_to(ROOT)}" for path, tags in quoted_below("pysnn", "tests").items()
                for tag in sorted(tags - set(home)) if path != Path(__file__)]
    assert not homeless, f"quoted, but defined in no page of {FOLDER} or {COURSE}: {homeless}"


@pytest.mark.parametrize("kernel", sorted([*ROOT.glob("pysnn/kernels/[!_]*.py"), *ROOT.glob("pysnn/cuda/[!_]*.py")]),
                         ids=lambda p: f"{p.parent.name}/{p.name}")
def test_kernels_quote_what_they_implement(kernel):
    """The equations that backward of the reference quotes, and at least one of those of forward; a special case, at least one."""
    twin = ROOT / "pysnn/reference" / kernel.name
    assert quoted(kernel), f"{kernel.name} quotes no equation"
    code = functions(twin) if twin.exists() else {}
    for name, source in code.items():
        wanted = set(TAG.findall(source)) if "backward" in name or "forward" in name else set()
        if wanted and "backward" in name:
            assert wanted <= quoted(kernel), f"{kernel.name} does not quote {sorted(wanted - quoted(kernel))} of {name}"
        elif wanted:
            assert wanted & quoted(kernel), f"{kernel.name} quotes none of {sorted(wanted)} of {name}"
