"""Draw the potential of one temporal neuron and its causal set: the worked example of the derivation.

Run: python docs/figures/one_neuron.py          writes docs/figures/one-neuron.svg
"""

import numpy as np
from look import BLACK, BLUE, GREY, VERMILLION, lecture, panels, write

from pysnn.reference import temporal

TITLE = "One temporal neuron"
CAPTION = """Three input spikes, at $t = 0, 1, 2\\,\\tau$, with the weights $0.8$, $0.6$ and $-0.3$. Above: the potential. After
each input it tends to the sum of the weights so far (grey steps). The first input alone, 0.8, cannot reach the threshold 1; the
first two, 1.4, can, and do at $1.80\\,\\tau$, before the third arrives. So the causal set is {1, 2}: only these two weights enter
the spike time, and only these two get a gradient. The third spike is too late, so its weight has no influence."""

T_IN, W, THRESHOLD = np.array([0.0, 1.0, 2.0]), np.array([0.8, 0.6, -0.3]), 1.0


def potential(t):
    """Return V/tau at times t."""
    return np.where(t[:, None] > T_IN, 1 - np.exp(np.minimum(T_IN - t[:, None], 0)), 0) @ W


def spike():
    """Return the time of the output spike and which inputs cause it."""
    z_out, _ = temporal.forward(np.exp(T_IN)[None], W[:, None], THRESHOLD)
    t_out = float(np.log(z_out[0, 0]))
    return t_out, t_out > T_IN


@lecture
def draw():
    """Return the figure."""
    t_out, causal = spike()
    fig, (top, bottom) = panels(2, size=(8, 5.6), sharex=True, height_ratios=[2.2, 1])
    before, after = np.linspace(0, t_out, 300), np.linspace(t_out, 2.9, 200)
    edges = [*T_IN, 2.9]
    for k in range(3):
        total = W[:k + 1].sum()
        top.hlines(total, edges[k], edges[k + 1], color=GREY, lw=1.5)
        top.text(edges[k] + 0.03, total + 0.035, f"$\\sum w$ = {total:.1f}", color=GREY, fontsize=12)
    top.axhline(THRESHOLD, color=BLACK, ls="--", lw=1.2)
    top.text(0.03, THRESHOLD + 0.03, "threshold", fontsize=12)
    top.plot(before, potential(before), color=BLUE, lw=3)
    top.plot(after, potential(after), color=BLUE, ls=":", lw=1.5)
    top.annotate("had it not fired", (2.5, potential(np.array([2.5]))[0]), (0, -52), textcoords="offset points", color=BLUE, ha="center",
                 fontsize=12, arrowprops={"arrowstyle": "-", "color": BLUE, "lw": 0.8})
    top.plot(t_out, THRESHOLD, "*", color=VERMILLION, ms=18, zorder=5)
    top.text(t_out - 0.07, THRESHOLD + 0.16, f"spike at t = {t_out:.2f} $\\tau$", ha="right", color=VERMILLION)
    top.set(ylabel=r"potential V/$\tau$", ylim=(0, 1.6))
    for k, (t, w, inside) in enumerate(zip(T_IN, W, causal, strict=True)):
        color = BLUE if w > 0 else VERMILLION
        bottom.vlines(t, 0, w, color=color, lw=3)
        bottom.plot(t, w, "^" if w > 0 else "v", color=color, mfc=color if inside else "white", ms=12, mew=2)
        bottom.text(t + 0.06, 0.75 * w, f"{k + 1}: w = {w:g}" + ("" if inside else ", too late"), va="center", fontsize=12)
        bottom.axvline(t, color=GREY, lw=0.8, zorder=0)
        top.axvline(t, color=GREY, lw=0.8, zorder=0)
    bottom.axhline(0, color=BLACK, lw=1)
    bottom.axvspan(-0.12, t_out, color=BLUE, alpha=0.08, lw=0)
    bottom.text(0.5 * (t_out - 0.12), 1.02, "causal set: the inputs before the spike", color=BLUE, ha="center", va="center", fontsize=12)
    bottom.set(xlabel=r"time t ($\tau$)", ylabel="weight w", xlim=(-0.12, 2.95), ylim=(-0.5, 1.25))
    fig.align_ylabels()
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
