"""Measure how the pages of docs read: their length, words a sentence, and which terms of the glossary they use.

Run: python docs/results/readability.py        writes docs/results/readability.json

Only running text and lists count: no code, tables, headings or directives; a formula counts as one word. A page for a lecture or a
course has at most LIMIT words, here with its tables and headings.
"""

import re
import statistics
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
LIMIT = 1500
SHORT = ("teach", "course")          # folders of pages that a class reads; the lecture pages of docs/derivations are those with a reference


def pages():
    """List the pages that people write: no records, findings, benchmarks or API."""
    left_out = {"results", "findings", "api", "gallery", "_build", "slides"}
    return [p for p in sorted(DOCS.rglob("*.md")) if not left_out & set(p.relative_to(DOCS).parts[:-1])]


def is_short(page):
    """Tell whether a page must keep within LIMIT."""
    return page.parent.name in SHORT or page.with_name(f"{page.stem}-reference.md").is_file()


def plain(text):
    """Leave out code, formulas, directives, HTML and the targets of links."""
    text = re.sub(r"^```[^\n]*\n.*?^```\s*$|^:{3,}[^\n]*$|\$\$.+?\$\$", " ", text, flags=re.S | re.M)
    text = re.sub(r"</?[a-z][^>\n]*>", " ", re.sub(r"\$[^$]+\$", "x", text))
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", " ", text)
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)


def words(text):
    """List the words of a text."""
    return re.findall(r"[A-Za-z0-9][\w'.-]*", text)


def sentences(text):
    """List the sentences of running text; an item of a list or a paragraph ends one."""
    body = re.sub(r"^(#|\|).*$", "", plain(text), flags=re.M)
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.|[A-Da-d]\.) )", body)
    found = [words(s) for block in blocks for s in re.split(r"(?<=[.?!:;])\s+", " ".join(block.split()))]
    return [s for s in found if len(s) > 2]


def glossary():
    """List the terms of the glossary."""
    rows = re.findall(r"^\| ([^|]+?) \|", (DOCS / "notation.md").read_text(encoding="utf-8").split("\n## Glossary\n")[1], re.M)
    parts = {part.strip(" `").lower() for row in rows for part in re.split(r", | \(.*?\)", row)}
    return sorted(term for term in parts if term not in ("", "term") and not term.startswith("-"))


def measure(page, terms):
    """Measure one page."""
    text = page.read_text(encoding="utf-8")
    lengths, lower = [len(s) for s in sentences(text)], plain(text).lower()
    return {"words": len(words(plain(text))), "sentences": len(lengths), "words_a_sentence": round(statistics.mean(lengths or [0]), 1),
            "longest": max(lengths, default=0), "terms": sum(bool(re.search(rf"\b{re.escape(term)}", lower)) for term in terms)}


def main():
    """Measure all pages and write the record."""
    from record import write
    terms = glossary()
    found = {page.relative_to(DOCS).as_posix(): measure(page, terms) for page in pages()}
    write("readability", {"command": "python docs/results/readability.py", "limit": LIMIT, "glossary": len(terms), "pages": found})
    for name, page in found.items():
        print(f"{name:45} {page['words']:6} words, {page['words_a_sentence']:5.1f} a sentence, {page['terms']:3} terms")


if __name__ == "__main__":
    main()
