"""The figure of a ledger: how the relative errors of each operation are distributed."""

import numpy as np

from ...plots import _style as p

FLOOR = 1e-17                # where the figure puts errors that are exactly 0


@p.styled
def ridges(ledger):
    """Draw the errors of each operation as a ridge, with the largest of each check as a mark.

    Parameters
    ----------
    ledger : pysnn.verify.report.ledger.Ledger
        Any.

    Returns
    -------
    matplotlib.figure.Figure
        One line an operation.
    """
    edges = np.linspace(-17.25, 1.25, 38)                # the first bin, exact zeros, may be cut
    names = list(dict.fromkeys(e.operation for e in ledger.entries))
    fig, (ax,) = p.figure(height=1.6 + 0.42 * max(len(names), 2))
    for k, name in enumerate(names):
        x = np.ravel(np.asarray(ledger.errors.get(name, ()), float))
        x = np.log10(np.clip(x[np.isfinite(x)], FLOOR, 10.0))
        if x.size:
            n, _ = np.histogram(x, edges)
            tall = 0.8 * np.minimum(n / max(n[1:].max(), 1), 1)
            ax.fill_between(10 ** np.repeat(edges, 2)[1:-1], k, k - np.repeat(tall, 2), color=p.BLUE, alpha=0.3, lw=0,
                            label="numbers compared" if k == 0 else None)
        for verdict, colour, mark in (("right", p.BLUE, "o"), ("WRONG", p.VERMILLION, "X")):
            worst = [e.max_error for e in ledger.entries if e.operation == name and (e.verdict == "WRONG") == (verdict == "WRONG")
                     and e.max_error is not None]
            worst = np.clip(np.nan_to_num(np.array(worst, float), nan=10.0), FLOOR, 10.0)
            ax.plot(worst, np.full(len(worst), k), mark, ms=4 if verdict == "right" else 7, mfc="none" if verdict == "right" else colour,
                    mec=colour, mew=0.9, ls="", zorder=3)
    for verdict, colour, mark, label in (("right", p.BLUE, "o", "largest error of a check"), ("WRONG", p.VERMILLION, "X", "WRONG")):
        ax.plot([], [], mark, mfc="none" if verdict == "right" else colour, mec=colour, ls="", label=label)
    ax.set_xscale("log")
    ax.set(xlim=(FLOOR / 2, 20), ylim=(len(names) - 0.5, -1), yticks=range(len(names)), yticklabels=names,
           xlabel="relative error (0 and less than 1e-17 at the left edge, 10 and more at the right)")
    ax.set_xticks([10.0 ** k for k in range(-16, 2, 2)])
    ax.grid(axis="y", visible=False)
    p.legend(ax, 3)
    return fig
