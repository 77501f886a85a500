"""The chain from an equation to its code and its test: one home in docs/derivations, quoted by tag everywhere else.

(T1) ... (T9) and (L1) ... (L4) so far. A missing link fails and names the tag and the file.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs/derivations").glob("*.md"))
TAG = re.compile(r"\(([A-Z]\d{1,2})\)")
RANGE = re.compile(r"\(([A-Z])(\d{1,2})\) (?:\.\.\.|to) \([A-Z](\d{1,2})\)")
MODEL = {"T1", "T2"}         # the model itself, which no line computes: the reference's docstring names it, in a range
KERNEL_ONLY = {"T9"}         # the running form: the reference takes another route on purpose


def quoted(path):
    """Collect the tags a file quotes; a range counts for the tags of the model alone."""
    text = path.read_text(encoding="utf-8")
    tags = set(TAG.findall(RANGE.sub("", text)))
    for letter, first, last in RANGE.findall(text):
        tags |= {f"{letter}{n}" for n in range(int(first), int(last) + 1)} & MODEL
    return tags


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


def test_the_tags_of_today_are_defined():
    assert {f"T{n}" for n in range(1, 10)} | {f"L{n}" for n in range(1, 5)} <= set(defined())


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_each_equation_can_be_found_by_searching_for_its_tag(page):
    text = page.read_text(encoding="utf-8")
    missing = [tag for tag in re.findall(r"\\tag\{(\w+)\}", text) if f"**({tag})**" not in text]
    assert not missing, f"{page.name}: write **(tag)** above the equations {missing}"


@pytest.mark.parametrize("tag", sorted(defined()))
def test_each_equation_is_in_code_and_in_a_test(tag):
    folders = ["pysnn/kernels"] if tag in KERNEL_ONLY else ["pysnn/reference"]
    code = set().union(*quoted_below(*folders).values())
    if tag.startswith("L"):
        folders = ["pysnn/losses.py", "pysnn/learning"]
        code = quoted(ROOT / folders[0]).union(*quoted_below(folders[1]).values())
    assert tag in code, f"({tag}), defined in {defined()[tag].name}, is quoted nowhere in {folders}"
    tests = set().union(*(tags for path, tags in quoted_below("tests").items() if path.name != Path(__file__).name))
    assert tag in tests, f"({tag}), defined in {defined()[tag].name}, is quoted by no test"


def test_each_tag_quoted_has_a_home():
    home = defined()
    homeless = [f"({tag}) in {path.relative_to(ROOT)}" for path, tags in quoted_below("pysnn", "tests").items()
                for tag in sorted(tags - set(home))]
    assert not homeless, f"quoted, but defined in no page of docs/derivations: {homeless}"


@pytest.mark.parametrize("kernel", sorted((ROOT / "pysnn/kernels").glob("[!_]*.py")), ids=lambda p: p.name)
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
