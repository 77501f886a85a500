"""Draw what happens to a neuron whose weight falls to the threshold: the spike goes to infinity, the gradient explodes and is gone.

Run: python docs/figures/silence.py          writes docs/figures/silence.svg
"""

import numpy as np
from look import BLACK, BLUE, GREY, VERMILLION, lecture, panels, write

from pysnn.reference import temporal

TITLE = "Silence"
CAPTION = """One input at $z = 1$ with weight $w$, threshold 1. Left: the spike time. As $w$ falls to the threshold it grows
without bound, and below there is no spike. Right: the size of its derivative, on a logarithmic axis: it also grows without bound,
and is exactly 0 in the silent region (grey). No gradient brings a silent neuron back; the weight-sum cost (L3) does. Gradients
are rescaled because of this growth."""

WEIGHTS = np.linspace(0.5, 3, 501)


def neuron(w):
    """Return the spike time and its derivative for weights w."""
    z_out, cache = temporal.forward(np.ones((1, 1)), w[None])
    return z_out[0], temporal.backward(np.ones_like(z_out), cache)[1][0]


@lecture
def draw():
    """Return the figure."""
    fig, (left, right) = panels(1, 2, size=(10.5, 4.4), sharex=True)
    z_out, dw = neuron(WEIGHTS)
    fires = np.isfinite(z_out)
    left.plot(WEIGHTS[fires], z_out[fires], color=BLUE, lw=3)
    left.set(ylabel=r"spike time $z_{\mathrm{out}}$", ylim=(0, 12), title=r"$z_{\mathrm{out}} = w/(w - 1)$")
    right.plot(WEIGHTS[fires], np.abs(dw[fires]), color=VERMILLION, lw=3)
    right.set(yscale="log", ylim=(0.1, 2e4), title=r"$|\partial z_{\mathrm{out}}/\partial w| = 1/(w - 1)^2$")
    for ax in (left, right):
        ax.axvspan(0.5, 1, color=GREY, alpha=0.25, lw=0)
        ax.axvline(1, color=BLACK, ls="--", lw=1.2)
        ax.set(xlabel="weight w", xlim=(0.5, 3))
    left.text(0.75, 6, "silent", ha="center", rotation=90, va="center")
    right.text(0.75, 45, "exactly 0", ha="center", rotation=90, va="center")
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
