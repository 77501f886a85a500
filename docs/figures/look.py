"""What the lecture figures share: large type, the colours of pysnn.plots, and where a figure is written."""

import functools
from pathlib import Path

from matplotlib import style
from matplotlib.figure import Figure

from pysnn import plots
from pysnn.plots._style import BLACK, BLUE, GREY, LOOKS, PAPERS, STYLE, VERMILLION

GREEN, PINK, ORANGE, SKY = (LOOKS[k][0] for k in (2, 3, 4, 5))
COLORS = {"black": BLACK, "grey": GREY, "blue": BLUE, "vermillion": VERMILLION, "green": GREEN, "pink": PINK, "orange": ORANGE, "sky": SKY}
LECTURE = {**STYLE, "font.size": 13, "axes.titlesize": 13, "axes.labelsize": 13, "xtick.labelsize": 12, "ytick.labelsize": 12,
           "legend.fontsize": 12, "figure.titlesize": 13, "lines.linewidth": 2, "mathtext.fontset": "dejavusans"}


def lecture(draw):
    """Let a function draw with large type, whatever the user's rcParams are."""
    @functools.wraps(draw)
    def wrapped(*args, **kwargs):
        with style.context(LECTURE, after_reset=True):
            return draw(*args, **kwargs)
    return wrapped


def panels(rows=1, columns=1, size=(8, 4.5), **options):
    """Make a figure with rows by columns of panels."""
    fig = Figure(figsize=size, dpi=120, layout="constrained")
    return fig, fig.subplots(rows, columns, **options)


def name(script):
    """Return the name of the picture that a script draws."""
    return Path(script).stem.replace("_", "-") + ".svg"


def write(script, fig, folder=None):
    """Write the figure of a script as SVG, PDF and PNG beside it, or into another folder; return the path of the SVG.

    The same figure gives the same bytes: no date, fixed names inside. Text stays text in the SVG and the PDF.
    """
    PAPERS.add(fig)
    fig.set_dpi(200)
    path = Path(folder or Path(script).parent) / name(script)
    for kind in (".png", ".pdf", ".svg"):
        plots.save(fig, path.with_suffix(kind))
    return path
