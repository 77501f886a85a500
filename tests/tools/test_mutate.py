"""The mutation tester on a module of its own: what it changes, what it draws, what it finds, and when it gives up waiting."""

import ast
import json
import subprocess
import sys

import pytest

from tests.cases import ROOT
from tools.mutation import equivalent, mutants

pytest.importorskip("resource", reason="mutation testing forks")
from tools.mutation import mutate

TOY = '''"""A module to be changed; its docstring holds 1 + 1 and stays."""

LIMIT = 3
_BLOCK = 7


def unseen(x):
    return -x


def clipped(x, top=3):
    if x < 0:
        raise ValueError("expected 0 or more, got " + str(x))
    return min(x, top)


def counted(n):
    while n > 0:
        n -= 1
    return n
'''
TEST = '''from pysnn.toy import clipped, counted


def test_too_slow():
    """Ended amid a call that is being noted; the tests after it are watched all the same."""
    while True:
        clipped(1)


def test_counted():
    assert counted(2) == 0


def test_clipped_or_not():
    assert clipped(1) == 1


def test_clipped():
    assert [clipped(x) for x in (0, 1, 4)] == [0, 1, 3]
'''
FICKLE = '''from pathlib import Path

from pysnn import toy


def test_that_passes_once():
    toy.unseen(1), toy.counted(0), toy.clipped(0)
    assert not Path("seen").exists()
    Path("seen").touch()
'''
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
from tools.mutation import mutate
from pathlib import Path
mutate.ROOT, mutate.FOLDERS, mutate.TESTS = Path(sys.argv[2]), ("pysnn/toy.py",), ("test_toy.py",)
mutate.PATIENCE, mutate.LOADED, mutate.FIRST, mutate.forks.SLOW = 1, (), 1, 0.2
mutate.main(sys.argv[3:])
"""


def changes(line):
    """Return what a line of code becomes."""
    source = f"def f(a, b, i, x):\n    {line}\n"
    return {ast.unparse(each_tree).split("\n", 1)[1].strip() for each_tree in trees(source)}


def trees(source):
    for k in range(len(mutants.all_of(source, "f.py"))):
        tree = ast.parse(source)
        _, node, new, put = list(mutants.each(tree, "f.py"))[k]
        put(ast.copy_location(new, node))
        yield tree


@pytest.mark.parametrize("line, wanted", [
    ("return a - b", {"return a + b", "return b - a", "return a"}),
    ("return a + b", {"return a - b", "return a", "return b"}),
    ("return a / b", {"return a * b", "return b / a", "return a"}),
    ("return a < b", {"return a <= b", "return a >= b"}),
    ("return a is b", {"return a is not b"}),
    ("return a and b", {"return a or b"}),
    ("return -a", {"return a"}),
    ("return a @ b.T", {"return b.T @ a", "return a @ b"}),
    ("return a if b else x", {"return x if b else a", "return a", "return x"}),
    ("return x[i]", {"return x[i - 1]"}),
    ("return x[a:b]", {"return x[a + 1:b]", "return x[a:b - 1]"}),
    ("return min(a, b)", {"return max(a, b)"}),
    ("return range(a)", {"return range(a - 1)"}),
    ("return 0.5", {"return 1.0"}),
    ("return x[1]", {"return x[2]", "return x[0]"}),
    ("return True", {"return False"}),
    ("a += b", {"a -= b", "pass"}),
    ("x[i] = a", {"pass"}),
    ("f(a, b)", {"pass"}),
    ("return where(a, b, x)", {"return where(a, x, b)"}),
    ("return 'words'", set()),
    ("raise ValueError(a + b)", set()),
    ("return zip(a, strict=True)", set()),
    ("return cut(a, b + 1)", set()),
], ids=str)
def test_what_is_changed(line, wanted):
    assert changes(line) == wanted


def test_what_is_left_alone():
    found = mutants.all_of(TOY, "toy.py")
    assert {m.function for m in found} == {"", "unseen", "clipped", "counted"}
    assert {m.text for m in found if m.function == ""} == {"LIMIT = 3"}                         # a public number, not a block size
    assert {(m.old, m.new) for m in found if "top" in m.text and m.old == "3"} == {("3", "4"), ("3", "2")}   # a default
    assert not any("raise" in m.text for m in found)
    assert [m.index for m in found] == list(range(len(found)))
    nested = "class A:\n    n: int = 1\n    def f(self):\n        def g():\n            return -self\n        return g\n"
    assert [m.function for m in mutants.all_of(nested, "toy.py")] == ["A.f.<locals>.g"]        # as Python names it
    alone = "def _tile(n):\n    return n + 1\n"
    assert mutants.all_of(alone, "a.py") and not mutants.all_of(alone, "pysnn/kernels/temporal.py")


def test_every_excuse_names_what_is_there():
    for file, functions in {**mutants.SPEED, **mutants.UNREACHED}.items():
        defined = {node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.FunctionDef)}
        assert set(functions) <= defined
    for file, function, text, changed, reason in equivalent.EQUIVALENT:
        lines = [m for m in mutants.all_of((ROOT / file).read_text(), file) if (m.function, m.text) == (function, text)]
        assert lines, f"{file}: no line {text!r} in {function}"
        assert set(changed) <= {f"{m.old} -> {m.new}" for m in lines} and len(reason) > 20


def test_samples_begin_alike():
    large, n_all = mutate.sample(60, 0)
    small, _ = mutate.sample(20, 0)
    assert n_all > 5000 and small == large[:20] == mutate.sample(20, 0)[0] != mutate.sample(20, 1)[0]
    one, _ = mutate.sample(60, 0, large[0].file)
    assert one == [m for m in large if m.file == large[0].file]


def test_interval():
    """By hand from Wilson's formula: 9 of 10 gives 0.596 to 0.982."""
    low, high = mutate.wilson(9, 10)
    assert round(low, 3) == 0.596 and round(high, 3) == 0.982
    assert mutate.wilson(5, 5)[1] == pytest.approx(1)


@pytest.mark.slow
def test_on_a_toy(tmp_path):
    (tmp_path / "pysnn").mkdir()
    (tmp_path / "pysnn/__init__.py").write_text("")
    (tmp_path / "pysnn/toy.py").write_text(TOY)
    (tmp_path / "test_toy.py").write_text(TEST)

    def run(*options):
        done = subprocess.run([sys.executable, "-c", RUN, ROOT, tmp_path, "--jobs", "2", *options], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return [json.loads(line) for line in (tmp_path / "runs/mutate.jsonl").read_text().splitlines()], done.stdout

    some, _ = run("--n", "5")
    found, said = run()
    assert found[:5] == some and len(found) == len({one["key"] for one in found}) == len(mutants.all_of(TOY, "pysnn/toy.py"))
    assert run()[0] == found                                                    # nothing is left to do
    assert (tmp_path / "pysnn/toy.py").read_text() == TOY
    by = {(one["function"], one["old"], one["new"]): one for one in found}
    assert by["counted", "n -= 1", "n += 1"]["by"] == "time limit"              # it would run for ever
    assert by["counted", "n > 0", "n >= 0"]["by"] == "test_toy.py::test_counted"
    assert by["clipped", "min(x, top)", "max(x, top)"]["by"].startswith("test_toy.py::test_clipped")
    assert by["clipped", "x < 0", "x <= 0"]["outcome"] == "killed"
    assert by["unseen", "-x", "x"]["outcome"] == "survived" and by["unseen", "-x", "x"]["by"] == "no test calls it"
    tests = json.loads((tmp_path / "runs/mutate-tests.json").read_text())["test_toy.py"]
    assert tests["left_out"] == ["test_toy.py::test_too_slow"] and len(tests["tests"]) == 3
    n = sum(one["outcome"] == "killed" for one in found)
    assert f"killed {n} of {len(found)}" in said and said.count("UNEXPLAINED") == len(found) - n > 2
    for text in (TEST.replace("== ", "!= "), FICKLE):
        (tmp_path / "test_toy.py").write_text(text)
        (tmp_path / "runs/mutate.jsonl").unlink(missing_ok=True)
        wrong = subprocess.run([sys.executable, "-c", RUN, ROOT, tmp_path, "--n", "2"], capture_output=True, text=True)
        assert wrong.returncode and "expected tests that pass on the right source" in wrong.stderr
    assert "test_that_passes_once" not in (tmp_path / "runs/mutate.jsonl").read_text()      # its finds are forgotten


def test_a_mutant_that_met_no_test_is_not_killed():
    assert mutate.outcome_of({"code": 1, "failed": "test_x"}, 0) == ("killed", "test_x")
    assert all(mutate.outcome_of({"code": code, "failed": None}, 0)[0] == "survived" for code in (0, 4, 5))
