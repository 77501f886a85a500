"""The tagged equations of the derivation and course pages, for everything that shows them again: slide decks and notebooks."""

import functools
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.S)
TAG = re.compile(r"\s*\\tag\{(\w+)\}\s*$")


@functools.cache
def equations():
    """Read all tagged equations.

    Returns
    -------
    dict of str to tuple of str and pathlib.Path
        The tag, such as "T3", to the formula without its tag, and its page.
    """
    found = {}
    for page in sorted([*DOCS.glob("derivations/*.md"), *DOCS.glob("course/*.md")]):
        for formula in DISPLAY.findall(page.read_text(encoding="utf-8")):
            if match := TAG.search(formula):
                found[match[1]] = formula[:match.start()].strip(), page
    return found


def filled(text):
    """Replace each line that is nothing but a tag, (T3), by the equation that has it.

    Parameters
    ----------
    text : str
        Markdown.

    Returns
    -------
    str
        The same with displayed equations.

    Raises
    ------
    ValueError
        If no page has an equation with this tag.
    """
    known = equations()

    def shown(match):
        if match[1] not in known:
            raise ValueError(f"expected the tag of an equation of docs/derivations or docs/course, got ({match[1]})")
        return f"$$\n{known[match[1]][0]} \\tag{{{match[1]}}}\n$$"

    return re.sub(r"^\(([A-Z]\d{1,2})\)$", shown, text, flags=re.M)
