"""What all figures share: their style, their sizes, the gate for what they are given."""

import functools
from pathlib import Path

import numpy as np

from .._files import replacing, special
from ..conventions import NO_SPIKE

try:
    from matplotlib import style
    from matplotlib.figure import Figure
except ImportError as error:
    raise ImportError("pysnn.plots needs matplotlib: pip install matplotlib") from error

BLACK, GREY, BLUE, VERMILLION = "#000000", "#767676", "#0072B2", "#D55E00"    # the colours are Okabe and Ito's
LOOKS = ((BLUE, "o", "-"), (VERMILLION, "s", "--"), ("#009E73", "^", "-."), ("#CC79A7", "D", ":"),
         ("#E69F00", "v", "-"), ("#56B4E9", "P", "--"), (BLACK, "*", "-."), ("#7F7F7F", "X", ":"))    # of the first, second, ... shown
STYLE = {"font.size": 10, "axes.titlesize": 10, "xtick.labelsize": 9, "ytick.labelsize": 9, "legend.fontsize": 9,
         "axes.grid": True, "grid.color": "#e4e4e4", "axes.axisbelow": True, "axes.spines.top": False,
         "axes.spines.right": False, "legend.frameon": False, "axes.titlelocation": "left", "figure.titlesize": 10,
         "svg.hashsalt": "pysnn"}


def styled(draw):
    """Let a function draw in this module's style over matplotlib's defaults; the user's rcParams come back."""
    @functools.wraps(draw)
    def wrapped(*args, **kwargs):
        with style.context(STYLE, after_reset=True):
            return draw(*args, **kwargs)
    return wrapped


def figure(n_rows=1, height=4.5, **options):
    """Make a figure with one column of panels."""
    fig = Figure(figsize=(7, height), dpi=120, layout="constrained")
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


@styled
def save(fig, path):
    """Write a figure: all of it or nothing, in the format that the file name ends in.

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
    with replacing(path) as file:
        fig.savefig(file, format=kind, metadata=undated[kind])
    return path
