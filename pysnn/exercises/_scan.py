"""What somebody should look at in a file that was handed in: it may be right, but not by its own derivation. Nothing is run."""

import ast
import builtins
import functools
import io
import sys
import tokenize

from ._submission import parse
from ._text import text

USUAL = {"numpy", "scipy", "matplotlib", *sys.stdlib_module_names}
OURS = {"pysnn.exercises", "pysnn.exercises.mark"}         # what a notebook needs to be marked
NUMERICAL = {"approx_fprime", "approx_derivative", "check_grad", "gradcheck", "numdifftools"}
FROM_TEXT = {"__import__", "import_module", "eval", "exec", "run_path", "run_module"}
LOOPS = (ast.For, ast.While, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp, ast.Lambda, ast.FunctionDef)
N_GRAM, FEW = 6, 50          # tokens in a piece of code that is compared; pieces with fewer, nothing is said
ALIKE = 0.9                  # this part of the pieces of two files is the same


def remarks(code, exercise):
    """Find imports of pysnn's own passes and of solutions, and finite differences: pairs of a line and words."""
    tree = parse(code, exercise.name)
    found = [(node.lineno, words) for node in ast.walk(tree) if hasattr(node, "lineno") for words in _foreign(node)]
    known = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}               # docstrings
    found += [(node.lineno, "has a text with 'pysnn' in it") for node in ast.walk(tree) if id(node) not in known
              and isinstance(node, ast.Constant) and isinstance(node.value, str) and "pysnn" in node.value]
    found += _differences(tree, exercise)
    return sorted(dict.fromkeys(found))


def _foreign(node):
    """Say which other code a node uses, besides Python's and NumPy's."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names]
    else:
        name = getattr(node, "attr", None) or getattr(node, "id", "")
        of_ours = getattr(getattr(node, "value", None), "id", "") == "exercises" and name in ("text", "get", "start", "mark_file")
        return [f"asks for a solution: exercises.{name}"] if of_ours else [f"runs other code by {name}"] if name in FROM_TEXT else \
            [f"uses {name}, which differentiates by finite differences"] if name in NUMERICAL else []
    return [f"imports {name}" for name in names if (name.split(".")[0] not in USUAL and name not in OURS)
            or name.split(".")[-1] in NUMERICAL]


def _differences(tree, exercise):
    """Find functions that are called again and again by what the exercise asks for: the given forward pass, or the function itself."""
    defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    given = {name for name, node in _functions(text(exercise.name)).items() if name in exercise.functions and ast.dump(node) == ast.dump(
        _functions(text(exercise.name, True))[name])}
    asked = [name for name in exercise.functions if name not in given and name in defined]
    reached, left = [], list(asked)
    while left:                                    # what is asked for, and the helpers it uses
        name = left.pop()
        if name not in reached:
            reached.append(name)
            left += [n.id for n in ast.walk(defined[name]) if isinstance(n, ast.Name) and n.id in defined and n.id not in given]
    for name in reached:
        node = defined[name]
        again = given | ({name} & {"loss"})        # a loss whose value is given
        uses = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in again and isinstance(n.ctx, ast.Load)]
        inside = {id(n) for loop in ast.walk(node) if isinstance(loop, LOOPS) and loop is not node for n in ast.walk(loop)}
        called = {id(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}
        if len(uses) > 1 or any(id(use) in inside or id(use) not in called for use in uses):
            yield uses[0].lineno, f"calls {uses[0].id} again and again: a gradient by finite differences?"
        yield from ((n.lineno, f"has a difference quotient of {_quotient(n, node)}: a gradient by finite differences?")
                    for n in ast.walk(node) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div) and _quotient(n, node))


def _functions(code):
    return {node.name: node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)}


def _quotient(node, function):
    """Return the name of a function of which a division has the difference of two values; "" if it has none."""
    called = {}
    for n in ast.walk(function):
        if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name):
            called[n.targets[0].id] = _called(n.value, {})
    own = {n.name for n in ast.walk(function) if isinstance(n, ast.FunctionDef)} | {
        n.targets[0].id for n in ast.walk(function) if isinstance(n, ast.Assign) and isinstance(n.value, ast.Lambda)
        and isinstance(n.targets[0], ast.Name)}
    for n in ast.walk(node.left):
        if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Sub):
            left, right = _called(n.left, called), _called(n.right, called)
            if left and left == right and left in own:
                return left
    return ""


def _called(node, known):
    """Return which function a value comes from."""
    while isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Call):
        return getattr(node.func, "id", "")
    return known.get(getattr(node, "id", ""), "")


def pieces(code, exercise):
    """Return the set of short runs of tokens in what an exercise asks for; names of variables, comments and layout do not count."""
    try:
        found = _pieces(code, exercise) - _of_stub(exercise)
    except RecursionError:
        return set()
    return found if len(found) >= FEW else set()


@functools.cache
def _of_stub(exercise):
    return _pieces(text(exercise.name), exercise)


def _pieces(code, exercise):
    functions, names, tokens = _functions(code), {}, []
    for name in exercise.functions:
        if name in functions:
            functions[name].body = [n for n in functions[name].body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
            for token in tokenize.generate_tokens(io.StringIO(ast.unparse(functions[name])).readline):
                variable = token.type == tokenize.NAME and not hasattr(builtins, token.string) and tokens[-1:] != ["."]
                tokens.append(names.setdefault(token.string, f"v{len(names)}") if variable else token.string)
    return {tuple(tokens[k:k + N_GRAM]) for k in range(len(tokens) - N_GRAM)}


def alike(a, b):
    """Return which part of two sets of pieces they have in common, 0 where one is empty."""
    return len(a & b) / len(a | b) if a and b else 0.0
