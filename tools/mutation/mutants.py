"""Small wrong changes of a module's source, found in its syntax tree: what tests should notice.

Changed are the bodies of functions, the defaults of their arguments and public numbers of a module. Left alone are, because no result
depends on them or no test should repeat them:

- docstrings, annotations, decorators, messages (strings at large) and what `raise` holds;
- block sizes: the second argument of `cut`, private numbers of a module, and the functions of SPEED;
- machine code for Numba, UNREACHED while its compiler is off; the tests with the compiler on hold it against its twin in Python;
- `strict=` of zip and `copy=` of astype: a check and a copy;
- the -1 of reshape: NumPy takes any negative number for it;
- tables of choices, presets and defaults of settings: they were chosen by experiment.
"""

import ast
import copy
import functools
from typing import NamedTuple

SPEED = {"pysnn/kernels/temporal.py": ("_tile",), "pysnn/kernels/conv.py": ("_tiles",), "pysnn/kernels/pool.py": ("_blocks",)}
UNREACHED = {"pysnn/kernels/_events.py": ("data_of", "squeeze", "adder"), "pysnn/kernels/_running.py": ("runner", "_generate")}
KEYWORDS = ("strict", "copy")

COMPARE = {ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
           ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,),
           ast.NotIn: (ast.In,)}
BINARY = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
          ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift}
ORDERED = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)      # a op b is not b op a
SUMS = (ast.Add, ast.Sub, ast.Mult, ast.Div)                                   # a term or factor can be dropped
NAMES = {"minimum": "maximum", "maximum": "minimum", "min": "max", "max": "min", "any": "all", "all": "any", "argmax": "argmin",
         "mean": "sum", "sum": "mean", "zeros": "ones", "ones": "zeros", "zeros_like": "ones_like", "ones_like": "zeros_like",
         "cumsum": "cumprod", "ceil": "floor"}
UNWRAP = ("sqrt", "square", "abs", "exp", "log", "reversed")                   # f(x) can become x


class Mutant(NamedTuple):
    """One change, and where it stands."""

    file: str
    index: int        # among the changes of this file
    function: str     # its qualified name; "" for a number of the module
    line: int
    column: int
    text: str         # the source line
    old: str
    new: str


def variants(node):
    """Yield what may stand in the place of an expression or a statement; the children are shared with it."""
    kind = type(node)
    if kind is ast.Compare:
        for k, op in enumerate(node.ops):
            for other in COMPARE[type(op)]:
                yield changed(node, ops=[*node.ops[:k], other(), *node.ops[k + 1:]])
    elif kind is ast.BinOp:
        op = type(node.op)
        if op in BINARY:
            yield changed(node, op=BINARY[op]())
        if op in ORDERED:
            yield changed(node, left=node.right, right=node.left)
        if op in SUMS:
            yield node.left
        if op in (ast.Add, ast.Mult):
            yield node.right
    elif kind is ast.BoolOp:
        yield changed(node, op=ast.And() if isinstance(node.op, ast.Or) else ast.Or())
    elif kind is ast.UnaryOp and not isinstance(node.operand, ast.Constant):
        yield node.operand
    elif kind is ast.IfExp:
        if not isinstance(node.test, ast.Compare):
            yield changed(node, body=node.orelse, orelse=node.body)
        yield node.body
        yield node.orelse
    elif kind is ast.Constant:
        yield from (ast.Constant(value) for value in numbers(node.value))
    elif kind in (ast.Subscript, ast.Slice):
        yield from shifted(node)
    elif kind is ast.Call:
        yield from calls(node)
    elif kind is ast.Attribute and node.attr == "T":
        yield node.value
    elif kind is ast.If and not isinstance(node.test, (ast.Compare, ast.NamedExpr)):
        yield changed(node, test=ast.UnaryOp(ast.Not(), node.test))
    else:
        yield from statements(node)


def changed(node, **fields):
    """Return a copy of a node with some fields changed."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def numbers(value):
    """Return the numbers that may stand in the place of one."""
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        return value + 1, value - 1
    if isinstance(value, float):
        return (2 * value if value else 1.0,)
    return ()


def shifted(node):
    """Shift an index or a bound by one; numbers are changed as such."""
    if isinstance(node, ast.Slice):
        for name, sign in (("lower", ast.Add()), ("upper", ast.Sub())):
            bound = getattr(node, name)
            if bound is not None and not is_number(bound):
                yield changed(node, **{name: ast.BinOp(bound, sign, ast.Constant(1))})
        return
    places = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for k, place in enumerate(places):
        if isinstance(place, ast.Name) and isinstance(node.ctx, ast.Load) and len(place.id) <= 2:      # i, j, b0, ...: loop letters
            new = [*places[:k], ast.BinOp(place, ast.Sub(), ast.Constant(1)), *places[k + 1:]]
            yield changed(node, slice=ast.Tuple(new, ast.Load()) if len(new) > 1 else new[0])


def calls(node):
    """Change what is called, or the order of its arguments; one turn less for a range."""
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if name in NAMES:
        yield changed(node, func=changed(node.func, **{"id" if isinstance(node.func, ast.Name) else "attr": NAMES[name]}))
    if name in UNWRAP and len(node.args) == 1:
        yield node.args[0]
    if name == "where" and len(node.args) == 3:
        yield changed(node, args=[node.args[0], node.args[2], node.args[1]])
    if name == "matmul" and len(node.args) == 2:
        yield changed(node, args=node.args[::-1])
    if name == "range":
        k = 0 if len(node.args) == 1 else 1
        yield changed(node, args=[*node.args[:k], ast.BinOp(node.args[k], ast.Sub(), ast.Constant(1)), *node.args[k + 1:]])


def statements(node):
    """Drop a statement that changes something in place, or turn its sign."""
    if isinstance(node, ast.AugAssign):
        if type(node.op) in BINARY:
            yield changed(node, op=BINARY[type(node.op)]())
        yield ast.Pass()
    elif isinstance(node, (ast.Continue, ast.Break)) or (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript)) \
            or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        yield ast.Pass()


def is_number(node):
    """Say whether a node is a number, with or without a sign."""
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


def places(tree, file):
    """Yield (node, put, function): each node that may be changed, and a function that puts another in its place."""
    left_alone = SPEED.get(file, ()) + UNREACHED.get(file, ())

    def down(node, name):
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list", "keywords", "bases") and not (field == "keywords" and name):
                continue
            for k, child in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(child, ast.AST) and not skipped(node, field, k, child):
                    put = (lambda new, value=value, k=k: value.__setitem__(k, new)) if isinstance(value, list) else \
                        (lambda new, node=node, field=field: setattr(node, field, new))
                    yield from visit(child, put, name)

    def visit(node, put, name):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            inner = f"{name}.<locals>.{node.name}" if name and not name.endswith(".") else f"{name}{node.name}"
            if node.name not in left_alone:
                yield from down(node, inner + ("." if isinstance(node, ast.ClassDef) else ""))
        elif name and not name.endswith("."):
            yield node, put, name
            yield from down(node, name)
        elif not name and isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.targets[0].id[0] != "_":
            yield node.value, lambda new: setattr(node, "value", new), ""

    yield from down(tree, "")


def skipped(parent, field, k, child):
    """Say whether a node is left alone: see above."""
    return (isinstance(child, (ast.Raise, ast.JoinedStr, ast.expr_context, ast.operator, ast.cmpop, ast.unaryop, ast.boolop, ast.Import,
                               ast.ImportFrom))
            or (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant))
            or (isinstance(child, ast.keyword) and child.arg in KEYWORDS)
            or (isinstance(parent, ast.Call) and field == "args" and k == 1 and getattr(parent.func, "id", "") == "cut")
            or (isinstance(parent, ast.Call) and getattr(parent.func, "attr", "") == "reshape" and is_number(child)))


def each(tree, file):
    """Yield (function, node, new, put) for each change of a tree; what changes nothing, or was there already, is left out."""
    for node, put, function in places(tree, file):
        seen = {ast.unparse(node)}
        for new in variants(node):
            text = ast.unparse(ast.fix_missing_locations(ast.copy_location(new, node)))
            if text not in seen:
                seen.add(text)
                yield function, node, new, put


@functools.cache
def all_of(source, file):
    """Return the mutants of a module, in the order of its syntax tree."""
    lines, made = source.splitlines(), []
    for function, node, new, _ in each(ast.parse(source), file):
        old, other = ((f"if {ast.unparse(x.test)}" for x in (node, new)) if isinstance(node, ast.If) else
                      (" ".join(ast.unparse(x).split()) for x in (node, new)))
        made.append(Mutant(file, len(made), function, node.lineno, node.col_offset, lines[node.lineno - 1].strip(), old, other))
    return tuple(made)


def code_of(source, file, index):
    """Compile a module with one change."""
    tree = ast.parse(source)
    _, node, new, put = next(change for k, change in enumerate(each(tree, file)) if k == index)
    put(ast.copy_location(new, node))
    return compile(ast.fix_missing_locations(tree), file, "exec")
