"""What the tests of the derivations and of the course share: the code of a page, and its headings."""

import contextlib
import io
import re


def run_code(page):
    """Run the code of a page; return how many blocks it has.

    Behind a line that prints stands as a comment what it prints; in a loop, a comment for each time.
    """
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    for block in blocks:
        printing = re.findall(r"^ *print\(.*\n((?: *# .*\n)+)", block, re.M)
        assert printing and len(printing) == block.count("print(") and (len(printing) == 1 or " print(" not in block)
        wanted = [" ".join(line.split()[1:]) for lines in printing for line in lines.splitlines()]
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(block, page.name, "exec"), {})
        assert [" ".join(line.split()) for line in out.getvalue().splitlines()] == wanted
    return len(blocks)


def anchors(path):
    """Return the anchors of the headings of a page, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
