"""Operations, models and learning rules are listed once each: a literal that names three of them again is a second table."""

import ast

import pytest

from pysnn import learning, models, operations
from tests.cases import ROOT, tree_of

TABLES = {
    "operations": (set(operations.OPERATIONS), {"pysnn/operations.py"}),
    "operation modules": ({operation.module for operation in operations.OPERATIONS.values()}, {"pysnn/operations.py"}),
    "learning rules": (set(learning.METHODS), {"pysnn/learning/__init__.py"}),
    "models by name": (set(models.NAMED), {"pysnn/models/__init__.py"}),
    "layer specs": (set(models.SPECS), {"pysnn/models/specs.py", "pysnn/models/__init__.py"}),
    "backends": (set(operations.BACKENDS), {"pysnn/operations.py"}),
}
ELSEWHERE = {   # literals that name the same words and list something else
    "pysnn/verify/__init__.py": "__all__: names of modules",
    "pysnn/verify/oracle/__init__.py": "__all__: names of modules",
    "pysnn/verify/oracle/relu.py": "__all__: names of functions",
    "pysnn/verify/suite/relu.py": "the definition and the cases of each operation, found by its name",
    "pysnn/verify/suite/spike_times.py": "the definition and the worked example of each neuron, found by its name",
    "pysnn/verify/suite/losses.py": "the definition of each loss, found by its name",
    "pysnn/verify/suite/learning.py": "the frozen function and the settings of each learning rule, found by its name",
    "pysnn/interop/c_source.py": "the functions of the C program",
    "pysnn/interop/state_dicts.py": "the kind of module that PyTorch has for a layer",
    "pysnn/verify/golden/make.py": "the words of the schema about each operation, for readers in other languages",
}


def names_in(node):
    """Return the words and names that a literal holds, the keys alone of a dict."""
    parts = node.keys if isinstance(node, ast.Dict) else node.elts
    return {x.value if isinstance(x, ast.Constant) else x.id for x in parts
            if isinstance(x, ast.Name) or (isinstance(x, ast.Constant) and isinstance(x.value, str))}


@pytest.fixture(scope="module")
def literals():
    """List all literals: file, line and names."""
    found = []
    for path in sorted((ROOT / "pysnn").rglob("*.py")):
        nodes = [node for node in ast.walk(tree_of(path)) if isinstance(node, (ast.Dict, ast.List, ast.Tuple, ast.Set))]
        found += [(str(path.relative_to(ROOT)), node.lineno, names_in(node)) for node in nodes]
    return found


@pytest.mark.parametrize("table", TABLES)
def test_each_table_stands_once(table, literals):
    names, home = TABLES[table]
    at_least = min(3, len(names))
    found = [(name, line, sorted(words & names)) for name, line, words in literals if len(words & names) >= at_least]
    second = [f"{name}:{line}: {', '.join(words)}" for name, line, words in found if name not in home and name not in ELSEWHERE]
    assert second == [], f"{table} are listed in {', '.join(home)}"
    assert table in ("operations", "operation modules") or any(name in home for name, _, _ in found), "the search is blind"
