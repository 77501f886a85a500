"""What all figures share: their style, their sizes, the gate for what they are given."""

import contextlib
import contextvars
import functools
import inspect
import weakref
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .._files import replacing, special
from ..conventions import NO_SPIKE

try:
    from matplotlib import style as rc
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator
except ImportError as error:
    raise ImportError("pysnn.plots needs matplotlib: pip install matplotlib") from error

BLACK, GREY, BLUE, VERMILLION = "#000000", "#767676", "#0072B2", "#D55E00"    # the colours are Okabe and Ito's
LOOKS = ((BLUE, "o", "-"), (VERMILLION, "s", "--"), ("#009E73", "^", "-."), ("#CC79A7", "D", ":"),
         ("#E69F00", "v", "-"), ("#56B4E9", "P", "--"), (BLACK, "*", "-."), ("#7F7F7F", "X", ":"))    # of the first, second, ... shown
STYLE = {"font.size": 10, "axes.titlesize": 10, "xtick.labelsize": 9, "ytick.labelsize": 9, "legend.fontsize": 9,
         "axes.grid": True, "grid.color": "#e4e4e4", "axes.axisbelow": True, "axes.spines.top": False,
         "axes.spines.right": False, "legend.frameon": False, "axes.titlelocation": "left", "figure.titlesize": 10,
         "svg.hashsalt": "pysnn", "pdf.fonttype": 42}
STYLES = {"screen": {}, "paper": {
    "font.size": 8, "axes.titlesize": 8, "axes.labelsize": 8, "xtick.labelsize": 7, "ytick.labelsize": 7, "legend.fontsize": 7,
    "figure.titlesize": 8, "axes.linewidth": 0.6, "grid.linewidth": 0.4, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
    "xtick.major.size": 2.5, "ytick.major.size": 2.5, "legend.frameon": True, "legend.framealpha": 0.8, "legend.edgecolor": "white",
    "legend.handlelength": 1.5, "legend.labelspacing": 0.3, "legend.borderpad": 0.2}}
SCREEN, COLUMN = 7.0, 3.35        # widths in inches, without others: on a screen, and of a column of a paper
PAPERS = weakref.WeakSet()        # figures for papers, whose text stays text in a SVG file, too


class Look(NamedTuple):
    """How a figure looks: its style, and its width and height in inches; None: as the style and what is drawn have them."""

    style: str = "screen"
    width: float | None = None
    height: float | None = None


DEFAULT = Look()
LOOK = contextvars.ContextVar("look")
KEYWORDS = """    style : {"screen", "paper"}, optional
        paper: small type and thin lines, legends inside, titles cut to their first words, and none above all panels.
    width, height : float, optional
        Of the figure in inches, which `save` keeps; by default 7, of style paper 3.35, and a height that fits what is drawn."""


@contextlib.contextmanager
def look(style="screen", width=None, height=None):
    """Let all figures drawn inside a `with` look alike.

    Parameters
    ----------
    style : {"screen", "paper"}
        paper: small type and thin lines, legends inside, titles cut to their first words, and none above all panels.
    width, height : float, optional
        Of the figures in inches, which `save` keeps; by default 7, of style paper 3.35, and a height that fits what is drawn.

    Yields
    ------
    Look
        The three.

    Raises
    ------
    ValueError
        For another style, or a size that no figure has.
    """
    if style not in STYLES:
        raise ValueError(f"style: expected one of {', '.join(STYLES)}, got {style!r}")
    for name, size in (("width", width), ("height", height)):
        if size is not None and (isinstance(size, (bool, str)) or not 0.5 <= size <= 100):
            raise ValueError(f"{name}: expected 0.5 to 100 inches, got {size!r}")
    token = LOOK.set(Look(style, width, height))
    try:
        yield LOOK.get()
    finally:
        LOOK.reset(token)


def styled(draw):
    """Let a function draw in this module's style over matplotlib's defaults; the user's rcParams come back. It takes KEYWORDS, too."""
    @functools.wraps(draw)
    def wrapped(*args, style=None, width=None, height=None, **kwargs):
        given = {name: value for name, value in (("style", style), ("width", width), ("height", height)) if value is not None}
        with look(**LOOK.get(DEFAULT)._asdict() | given) as chosen, rc.context([STYLE, STYLES[chosen.style]], after_reset=True):
            return _fitted(draw(*args, **kwargs), chosen)

    known, more = inspect.signature(draw), inspect.Parameter.KEYWORD_ONLY
    wrapped.__signature__ = known.replace(parameters=[*known.parameters.values(), *(
        inspect.Parameter(name, more, default=None) for name in ("style", "width", "height"))])
    wrapped.__doc__ = inspect.cleandoc(draw.__doc__ or "").replace("\n\nReturns\n", f"\n{inspect.cleandoc(KEYWORDS)}\n\nReturns\n", 1)
    return wrapped


def _fitted(fig, chosen):
    """Give a figure the size that was asked for, and what a paper wants; a film stays as it is."""
    if not isinstance(fig, Figure):
        return fig
    paper, (before, tall) = chosen.style == "paper", fig.get_size_inches()
    width = chosen.width or (COLUMN if paper else before)
    fig.set_size_inches(width, chosen.height or tall * min(1, (1.3 if paper else 1) * width / before))
    if not paper:
        return fig
    PAPERS.add(fig)
    fig.suptitle("")
    fig.get_layout_engine().set(w_pad=0.02, h_pad=0.02)
    for legend_above in list(fig.legends):
        legend_above.remove()
        fig.axes[0].legend(loc="lower left")              # so that it is moved inside
    shares = [ax.get_position().height for ax in fig.axes]
    for ax, share in zip(fig.axes, shares, strict=True):
        _fit_panel(ax, 72 * share * fig.get_size_inches()[1])
    return fig


def _fit_panel(ax, room):
    """Make lines thinner, words fewer, and put the legend inside; the panel is some `room` points high."""
    title = ax.get_title(loc="left") or ax.get_title()
    ax.set_title("", loc="left")
    ax.set_title(_first_words(title))
    for line in ax.lines:
        line.set(linewidth=0.7 * line.get_linewidth(), markersize=0.6 * line.get_markersize())
    for text in ax.texts:
        text.set_fontsize(min(text.get_fontsize(), 7))
    if len(ax.get_ylabel()) * 4.5 > room:
        ax.set_ylabel(ax.get_ylabel().replace(" (", "\n(", 1), fontsize=7)
    _thin_ticks(ax, room)
    if ax.get_legend() is not None:
        handles, words = ax.get_legend_handles_labels()
        short = [_first_words(word) for word in words]
        words = short if len(set(short)) == len(words) else words
        crowded = 3 if len(words) * 12 > room or (len(words) > 4 and max(map(len, words)) < 10) else 1
        ax.legend(handles, words, loc="best", ncols=crowded, columnspacing=1)


def _thin_ticks(ax, room):
    """Keep of names at the axis as many as there is room for: those that say more than others, and the ends."""
    names = [label.get_text() for label in ax.get_yticklabels()]
    if isinstance(ax.yaxis.get_major_locator(), FixedLocator) and len(names) * 8 > room:
        longer = max(map(len, names))
        kept = [name if len(name) == longer or k in (0, len(names) - 1) else "" for k, name in enumerate(names)]
        near = [k for k, name in enumerate(names) if len(name) == longer]
        ax.set_yticks(ax.get_yticks(), ["" if k not in near and any(abs(k - m) * room < 8 * len(names) for m in near) else name
                                        for k, name in enumerate(kept)])


def columns(n):
    """Return the number of columns for n panels that stand beside each other."""
    if LOOK.get(DEFAULT).style == "paper":
        return min(2, n)
    return 2 if n in (2, 4) else min(3, n)


def _first_words(text):
    """Cut a title or label behind its first part."""
    return text.replace(";", ",").partition(", ")[0]


def figure(n_rows=1, height=4.5, **options):
    """Make a figure with one column of panels."""
    fig = Figure(figsize=(SCREEN, height), dpi=120, layout="constrained")
    fig.get_layout_engine().set(w_pad=0.1, h_pad=0.08)
    return fig, fig.subplots(n_rows, squeeze=False, **options)[:, 0]


def legend(ax, n_columns=2):
    """Put the legend above the panel, where no data are."""
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=n_columns, borderaxespad=0.2)


def array(x, name, shape, low=-np.inf, high=np.inf, silent=False):
    """Return floats of this shape (None: any size but 0) in [low, high]; inf passes where `silent` says so."""
    wanted = f"numbers of shape {shape}".replace("None", "any")
    try:
        a = np.asarray(x, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected {wanted}, got {x!r:.60}") from None
    if a.size == 0 or a.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, a.shape, strict=True)):
        raise ValueError(f"{name}: expected {wanted}, got shape {a.shape}")
    bad = a[~((np.isfinite(a) & (a >= low) & (a <= high)) | (silent & (a == NO_SPIKE)))]
    if bad.size:
        raise ValueError(f"{name}: expected numbers from {low:g} to {high:g}{', or inf (no spike)' if silent else ''}, "
                         f"got {bad[0]:g}")
    return a


def labels(y, name, n_classes, n=None, lowest=0):
    """Return class numbers from `lowest` to n_classes - 1 as integers."""
    a = array(y, name, (n,), lowest, n_classes - 1)
    if (a % 1).any():
        raise ValueError(f"{name}: expected whole numbers, got {a[a % 1 > 0][0]:g}")
    return a.astype(int)


def accuracy_curve(x, accuracy, name, xlabel, references):
    """Draw accuracy against x, with horizontal lines at the references, pairs of a name and a share or None."""
    x = array(x, name, (None,))
    accuracy = 100 * array(accuracy, "accuracy", x.shape, 0, 1)
    order = np.argsort(x, kind="stable")
    fig, (ax,) = figure()
    ax.plot(x[order], accuracy[order], "o-", color=BLUE, ms=4, markevery=max(1, len(x) // 25), label="accuracy")
    for (label, share), line in zip(references, ("--", ":"), strict=False):
        if share is not None:
            percent = 100 * array(share, label, (), 0, 1)
            ax.axhline(percent, color=BLACK, ls=line, lw=1.2, label=f"{label}: {percent:.2f} %")
    ax.set(xlabel=xlabel, ylabel="accuracy (%)")
    return fig, ax


def save(fig, path):
    """Write a figure: all of it or nothing, in the format that the file name ends in, in the size that it has.

    Text stays text in PDF files (TrueType), and in SVG files of the style paper; in other SVG files it is drawn as outlines.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        Any figure of this module.
    path : str or path
        Where to, ending in .png, .svg or .pdf; folders are made as needed. Or a device or a pipe, for a .png.

    Returns
    -------
    pathlib.Path
        The file, the same bytes for the same figure and matplotlib.
    """
    path = Path(path)
    kind = path.suffix.lower()[1:] or "png" * special(path)
    undated = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    if kind not in undated:
        raise ValueError(f"path: expected a name ending in .png, .svg or .pdf, got {path.name!r}")
    text = {"svg.fonttype": "none" if fig in PAPERS else "path"}
    with replacing(path) as file, rc.context([STYLE, text], after_reset=True):
        fig.savefig(file, format=kind, metadata=undated[kind])
    return path
