"""Imports between files: no circle, no private name of another file, no test that imports a test."""

import ast
import graphlib

import pytest

from tests.cases import ROOT, tree_of

FILES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in (ROOT / "pysnn").rglob("*.py")
         if "stubs" not in path.parts and "solutions" not in path.parts}


def imported(name, tree, is_package=False):
    """List what a module imports, at its top or within functions: the name that is bound, and the dotted name."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.asname or alias.name, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = name.split(".")
            base = ".".join(parts[:len(parts) - node.level + is_package]) + "." * bool(node.module) if node.level else ""
            found += [(alias.asname or alias.name, f"{base}{node.module or ''}.{alias.name}") for alias in node.names]
    return found


def of_package():
    """Yield each module, its tree and what it imports."""
    for name, path in FILES.items():
        tree = tree_of(path)
        yield name, tree, imported(name, tree, path.name == "__init__.py")


def module_of(dotted):
    """Return the module that an import loads, or None where it is not ours."""
    return dotted if dotted in FILES else dotted.rpartition(".")[0] if dotted.rpartition(".")[0] in FILES else None


def private(tree, names):
    """Yield the private names of other modules that a module imports, or takes as attributes."""
    modules = {}
    for bound, dotted in names:
        modules.setdefault(bound, set()).add(dotted)
        if dotted.startswith("pysnn.") and hidden(dotted) and dotted not in FILES:
            yield dotted
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and hidden(node.attr):
            yield from {f"{dotted}.{node.attr}" for dotted in modules.get(node.value.id, set()) & FILES.keys()} - FILES.keys()


def hidden(dotted):
    """Say whether the last part of a dotted name is private."""
    last = dotted.rpartition(".")[2]
    return last.startswith("_") and not last.startswith("__")


def test_no_import_circle():
    graph = {name: {module_of(dotted) for _, dotted in names} - {None, name} for name, _, names in of_package()}
    assert len(graph) > 80 and graph["pysnn.models"]
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail("these import each other: " + " < ".join(error.args[1]))


def test_no_private_name_of_another_file():
    found = []
    for name, tree, names in of_package():
        file = FILES[name].relative_to(ROOT / "pysnn").as_posix()
        found += [f"{file}: {dotted}" for dotted in private(tree, names)]
    assert found == []


def test_tests_import_no_tests():
    """What several share lies in tests/cases/."""
    files = {path: imported("", ast.parse(path.read_text())) for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(files) > 50
    assert [f"{path.relative_to(ROOT)}: {dotted}" for path, names in files.items() for _, dotted in names
            if any(part.startswith("test_") for part in dotted.split(".")[:-1]) or dotted.rpartition(".")[2] in {p.stem for p in files}
            or dotted.split(".")[0] == "conftest"] == []


@pytest.mark.parametrize("line, wanted", [
    ("from . import b", "pysnn.a.b"), ("from .b import c", "pysnn.a.b.c"), ("from ..b import c", "pysnn.b.c"),
    ("import pysnn.b as c", "pysnn.b"), ("def f():\n    from pysnn.b import c", "pysnn.b.c")])
def test_imports_are_found(line, wanted):
    assert [dotted for _, dotted in imported("pysnn.a.x", ast.parse(line))] == [wanted]
    if line.startswith("from .b"):
        assert [dotted for _, dotted in imported("pysnn.a", ast.parse(line), True)] == [wanted]
