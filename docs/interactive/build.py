"""Put the interactive pages together: each page of src/ with its styles and scripts written into it, one file that works by itself.

Run: python docs/interactive/build.py          writes neuron.html, yin-yang.html, integrate-and-fire.html and leaky.html
"""

import re
from pathlib import Path

HERE = Path(__file__).parent
SRC = HERE / "src"
PAGES = ("neuron", "yin-yang", "integrate-and-fire", "leaky")


def page(name):
    """Return the text of a page with everything in it.

    Parameters
    ----------
    name : str
        One of PAGES.

    Returns
    -------
    str
        HTML that refers to no other file but by links for readers.
    """
    def read(match):
        return (SRC / match[1]).read_text(encoding="utf-8")

    text = (SRC / f"{name}.html").read_text(encoding="utf-8")
    text = re.sub(r'<link rel="stylesheet" href="([\w.-]+)">', lambda match: f"<style>\n{read(match)}</style>", text)
    return re.sub(r'<script src="([\w.-]+)"></script>', lambda match: f"<script>\n{read(match)}</script>", text)


def main():
    """Write all pages."""
    for name in PAGES:
        path = HERE / f"{name}.html"
        path.write_text(page(name), encoding="utf-8")
        print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
