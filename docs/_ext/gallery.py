"""What sphinx-gallery needs for examples/: small settings for the pages, and the pictures that the examples write.

The examples write files under figures/ of the folder in which they run, and draw without pyplot. So the pictures of a page are those of
the plain run: after each cell the new files there move to the page. conf.py names this module by `image_scrapers` and `reset_argv`.
"""

import shutil
from pathlib import Path

from sphinx_gallery.scrapers import figure_rst

ARGUMENTS = {"02_yin_yang.py": ["10"], "04_mnist.py": ["2"], "05_proxy.py": ["2"], "07_find_the_bug.py": ["3"]}
WRITTEN = ("figures", "runs")         # where examples write


def _files(folder):
    """Return what an example in this folder may have written, with the time of its last change."""
    return {path: path.stat().st_mtime_ns for name in WRITTEN for path in (folder / name).glob("*.*")}


def arguments(gallery_conf, script_vars):
    """Return the command line of an example, few epochs where the plain run has more; remember the files that are there already."""
    path = Path(script_vars["src_file"])
    script_vars["seen"] = _files(path.parent)
    return ARGUMENTS.get(path.name, [])


def move_pictures(block, block_vars, gallery_conf):
    """Move the pictures that a cell has written to the page, and return the text that shows them; its checkpoints go."""
    folder, seen = Path(block_vars["src_file"]).parent, block_vars.get("seen", {})
    moved = []
    for path, changed in sorted(_files(folder).items(), key=lambda item: item[1]):
        if seen.get(path) == changed:
            continue
        if path.parent.name == "runs":
            path.unlink()
            continue
        target = Path(next(block_vars["image_path_iterator"])).with_suffix(path.suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
        moved.append(target)
    for name in WRITTEN:
        if (folder / name).is_dir() and not any((folder / name).iterdir()):
            (folder / name).rmdir()
    return figure_rst(moved, gallery_conf["src_dir"]) if moved else ""


def _get_sg_image_scraper():
    """Return the scraper, where sphinx-gallery looks for it."""
    return move_pictures
