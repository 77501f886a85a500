"""Docstrings are plain text for readers of the source; this makes them proper reStructuredText for the API pages.

Before the first section (Parameters, Returns, ...) an indented block is shown as it stands: tables and formulas in ASCII. Everywhere
else the characters of plain maths lose the meaning that reStructuredText gives them: |x| is an absolute value, a**2 a square, w_ a name.
The path of a page, such as docs/notation.md, becomes a link; a path that leads nowhere is a warning, and so fails the build.
A value that would fill a screen, such as a table of functions, is left out, and a block that is no Python has none of its colours.
"""

import ast
import re

CODE = re.compile(r"(``.*?``|`.*?`)")
PAGE = re.compile(r"docs/([\w/-]+)\.md")
LONGEST_VALUE = 300        # characters
UNDERLINE = re.compile(r"\s*-{3,}\s*$")


def plain(line):
    """Escape what plain maths does not mean, and link pages, outside of backticks."""
    parts = CODE.split(PAGE.sub(r":doc:`/\1`", line))
    parts[::2] = [re.sub(r"\||\*\*|(?<=\w)_(?!\w)", lambda m: "".join("\\" + c for c in m[0]), part) for part in parts[::2]]
    return "".join(parts)


def translated(lines):
    """Return the lines of a docstring as reStructuredText that numpydoc can go on with.

    Parameters
    ----------
    lines : list of str
        As autodoc hands them over.

    Returns
    -------
    list of str
    """
    underlines = [k for k, line in enumerate(lines) if UNDERLINE.match(line)]
    first_section = underlines[0] - 1 if underlines else len(lines)
    out, quoted = [], False
    for k, line in enumerate(lines):
        indented = line.startswith(" ")
        if k < first_section and indented and not quoted and (k == 0 or not lines[k - 1].strip()):
            out += ["::", ""]
            quoted = True
        elif line.strip() and not indented:
            quoted = False
        is_text = not quoted and k not in underlines and (k < first_section or indented)
        out.append(plain(line) if is_text else line)
    return out


def translate(app, what, name, thing, options, lines):
    """Change a docstring in place; connected to run before numpydoc."""
    lines[:] = translated(lines)


def skip(app, what, name, thing, skip_it, options):
    """Leave out the fields of named tuples: their docstrings say no more than their number."""
    return True if type(thing).__name__ == "_tuplegetter" else None


def simplify(app, doctree):
    """Leave out long values and functions as values, and the colours of Python where a block of a docstring is plain text."""
    for value in list(doctree.findall(lambda node: node.tagname == "desc_annotation")):
        text = value.astext()
        if text.lstrip().startswith("=") and (len(text) > LONGEST_VALUE or "<function" in text):
            value.parent.remove(value)
    for block in doctree.findall(lambda node: node.tagname == "literal_block"):
        if "language" not in block:
            try:
                ast.parse(block.astext())
            except SyntaxError:
                block["language"] = "text"


def setup(app):
    """Connect to autodoc."""
    app.connect("autodoc-process-docstring", translate, priority=400)
    app.connect("autodoc-skip-member", skip)
    app.connect("doctree-read", simplify)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "version": "1"}
