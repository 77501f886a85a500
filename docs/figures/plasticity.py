"""Draw the window of spike-timing-dependent plasticity, and its online form: two traces and the weight.

Run: python docs/figures/plasticity.py          writes docs/figures/plasticity.svg
"""

import numpy as np
from look import BLACK, BLUE, GREEN, GREY, VERMILLION, lecture, panels, write

TITLE = "Plasticity by spike times"
CAPTION = """Left: what one pair of spikes adds to a weight, (H1), against the time from the pre spike to the post spike. If the pre spike
comes first, the weight grows; if it comes second, the weight falls. A pair at one time counts for nothing. Right: the same online. The
trace $x$ jumps at each pre spike, $y$ at each post spike, and both decay. At a post spike (star) the weight grows by $x$, at a pre spike
(bar) it falls by $y$, (H3). No list of old spikes is kept. The last weight is the sum over all pairs."""

A_PLUS, A_MINUS, DECAY = 1.0, 1.2, 0.9
PRE, POST, N_STEPS = (5, 20, 24, 50), (10, 27, 40), 70


def window(k):
    """Return (H1) for post minus pre."""
    return np.where(k > 0, A_PLUS * DECAY ** np.abs(k), 0) - np.where(k < 0, A_MINUS * DECAY ** np.abs(k), 0)


def online():
    """Return the traces and the weight step by step, (H2) and (H3)."""
    pre, post = (np.isin(np.arange(N_STEPS), times) for times in (PRE, POST))
    x = y = w = 0.0
    rows = []
    for p, q in zip(pre, post, strict=True):
        x, y = DECAY * x, DECAY * y
        w += A_PLUS * x * q - A_MINUS * y * p
        x, y = x + p, y + q
        rows.append((x, y, w))
    return np.array(rows).T


@lecture
def draw():
    """Return the figure."""
    fig, (left, right) = panels(1, 2, size=(10.5, 4.6), width_ratios=[1, 1.35])
    for k, color in ((np.arange(-40, 0), VERMILLION), (np.arange(1, 41), BLUE)):
        left.plot(k, window(k), color=color, lw=3)
    left.plot(0, 0, "o", color=BLACK, ms=6)
    left.axhline(0, color=GREY, lw=0.8)
    left.axvline(0, color=GREY, lw=0.8)
    left.text(5, 0.85, "pre before post", color=BLUE)
    left.text(-7, -0.95, "post before pre", color=VERMILLION, ha="right")
    left.set(xlabel="post minus pre (steps)", ylabel="change of the weight", ylim=(-1.3, 1.3))
    (x, y, w), steps = online(), np.arange(N_STEPS)
    right.plot(steps, x + 3.2, color=BLUE)
    right.plot(steps, y + 1.5, color=GREEN)
    right.plot(steps, w - 0.2, color=BLACK, lw=2.5, drawstyle="steps-post")
    for t in PRE:
        right.axvline(t, color=BLUE, lw=0.9, ls=":")
        right.plot(t, 5.1, "|", color=BLUE, ms=14, mew=3)
    for t in POST:
        right.axvline(t, color=GREEN, lw=0.9, ls=":")
        right.plot(t, 5.1, "*", color=GREEN, ms=13)
    right.set_yticks([5.1, 3.2, 1.5, -0.2], ["spikes", "trace x", "trace y", "weight"])
    right.set(xlabel="time (steps)", ylim=(-1.3, 5.6), xlim=(0, N_STEPS - 1))
    right.tick_params(axis="y", length=0)
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
