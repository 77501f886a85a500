"""The chain from an equation to its code and its test: one home in docs/derivations, quoted by tag everywhere else.

Each page ends with a table, "Where the equations are quoted": a row holds tags, and the files each of which quotes every one of them. An
equation that no line computes (a theorem, say) has tests alone. A missing link fails and names the tag and the file.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs/derivations").glob("*.md"))
TAG = re.compile(r"\(([A-Z]\d{1,2})\)")
RANGE = re.compile(r"\([A-Z]\d{1,2}\) (?:\.\.\.|to) \([A-Z]\d{1,2}\)")
TABLE = "\n## Where the equations are quoted\n"


def quoted(path):
    """Collect the tags a file quotes; a range, (A1) to (A9), quotes none."""
    return set(TAG.findall(RANGE.sub("", path.read_text(encoding="utf-8"))))


def rows(page):
    """Read the table of a page: (tags, files) of each row."""
    text = page.read_text(encoding="utf-8")
    assert text.count(TABLE) == 1, f"{page.name}: expected one section '{TABLE.strip()}', found {text.count(TABLE)}"
    lines = [line for line in text.split(TABLE)[1].split("\n## ")[0].splitlines() if TAG.search(line)]
    return [(TAG.findall(line), re.findall(r"`(\S+\.py)`", line)) for line in lines]


def quoted_below(*folders):
    return {path: quoted(path) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))}


def defined():
    """Map each tag to the page with its equation; twice is a failure."""
    home = {}
    for page in PAGES:
        for tag in re.findall(r"\\tag\{(\w+)\}", page.read_text(encoding="utf-8")):
            assert tag not in home, f"({tag}) has two homes: {home[tag].name} and {page.name}"
            home[tag] = page
    return home


def functions(path):
    """Map the functions of a file to their source."""
    text = path.read_text(encoding="utf-8")
    return {node.name: ast.get_source_segment(text, node) for node in ast.parse(text).body
            if isinstance(node, ast.FunctionDef)}


def test_tags_are_numbered_without_gaps():
    for letter in {tag[0] for tag in defined()}:
        numbers = sorted(int(tag[1:]) for tag in defined() if tag[0] == letter)
        assert numbers == list(range(1, len(numbers) + 1)), f"({letter}...): {numbers}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_each_equation_can_be_found_by_searching_for_its_tag(page):
    text = page.read_text(encoding="utf-8")
    missing = [tag for tag in re.findall(r"\\tag\{(\w+)\}", text) if f"**({tag})**" not in text]
    assert not missing, f"{page.name}: write **(tag)** above the equations {missing}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_each_equation_is_in_one_row_of_the_table(page):
    listed = sorted(tag for tags, _ in rows(page) for tag in tags)
    assert listed == sorted(tag for tag, home in defined().items() if home == page)
    for tags, files in rows(page):
        assert any(name.startswith("tests/") for name in files), f"{page.name}: no test for {tags}"


@pytest.mark.parametrize("page, tags, files", [pytest.param(page, *row, id=f"{page.stem}: {' '.join(row[0])}")
                                               for page in PAGES for row in rows(page)])
def test_each_equation_is_in_code_and_in_a_test(page, tags, files):
    for name in files:
        missing = [f"({tag})" for tag in tags if tag not in quoted(ROOT / name)]
        assert not missing, f"{page.name} says that {name} quotes {missing}, and it does not"


def test_each_tag_quoted_has_a_home():
    home = defined()
    homeless = [f"({tag}) in {path.relative_to(ROOT)}" for path, tags in quoted_below("pysnn", "tests").items()
                for tag in sorted(tags - set(home))]
    assert not homeless, f"quoted, but defined in no page of docs/derivations: {homeless}"


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


def excerpts():
    """Yield the code that pages quote: blocks whose first line is a comment with the path of the source."""
    for page in PAGES:
        for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
            first, _, body = block.partition("\n")
            yield pytest.param(page, first, body, id=f"{page.stem}: {first}")


@pytest.mark.parametrize("page, first, body", list(excerpts()))
def test_quoted_code_is_the_code(page, first, body):
    found = re.fullmatch(r"# (pysnn/\S+\.py)", first)
    assert found, f"{page.name}: expected a first line such as '# pysnn/reference/temporal.py', got {first!r}"
    source = (ROOT / found[1]).read_text(encoding="utf-8")
    gone = [line.strip() for line in body.splitlines() if line.strip() not in source]
    assert body.strip() and not gone, f"{page.name} quotes lines that are no longer in {found[1]}: {gone}"


def test_pages_link_to_the_one_table_of_symbols():
    table = ROOT / "docs/notation.md"
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+\.md)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which does not exist"
        assert "](../notation.md)" in page.read_text(encoding="utf-8"), f"{page.name} does not link to {table.name}"
