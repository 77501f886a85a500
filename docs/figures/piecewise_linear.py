"""Draw the spike time z as a function of the input times: linear within each causal set.

Run: python docs/figures/piecewise_linear.py          writes docs/figures/piecewise-linear.svg
"""

import numpy as np
from look import BLACK, BLUE, COLORS, GREY, LECTURE, lecture, panels, write

from pysnn.reference import temporal

TITLE = "A piecewise linear map"
CAPTION = """In $z = e^{t/\\tau}$ the neuron is linear within each causal set: equations (T3) and (T8). Left: one input (weight
0.9) moves, three others stay at $z = 1, 3, 5$ (weights 0.7, 0.6, 0.8). The slope is $w_1/(S - \\vartheta)$ and changes only where
an input enters or leaves the causal set (dots). Once the moving input is later than the spike (right of the dashed line), the
slope is 0. Right: two inputs move (weights 2.5 and 2), one stays at $z = 3$ (weight 0.6). Colours show causal sets, and lines
show equal spike times: straight within a set, bent where the set changes."""

FIXED, FIXED_W, MOVING_W = np.array([1.0, 3.0, 5.0]), np.array([0.7, 0.6, 0.8]), 0.9
PLANE_W, THIRD = np.array([2.5, 2.0, 0.6]), 3.0
START = 0.5


def line(z1):
    """Return spike times of the left panel."""
    z_in = np.column_stack([z1, *(np.full_like(z1, z) for z in FIXED)])
    return temporal.forward(z_in, np.array([[MOVING_W], *FIXED_W[:, None]]))[0][:, 0]


def slopes():
    """Return the corners and, between them, the slopes of the left panel."""
    z1 = np.linspace(START, 7, 65_001)
    slope = np.round(np.gradient(line(z1), z1), 6)
    corners = z1[1:][np.abs(np.diff(slope)) > 1e-6]
    inside = [z for k, z in enumerate(corners) if k == 0 or z - corners[k - 1] > 1e-3]
    edges = np.array([START, *inside, 7])
    middle = (edges[1:] + edges[:-1]) / 2
    return edges, (line(middle + 1e-6) - line(middle - 1e-6)) / 2e-6


def plane(n):
    """Return the two axes' values, spike times, and the causal sets as numbers (1, 2, 4 for the three inputs)."""
    side = np.linspace(1, 6, n)
    z1, z2 = np.meshgrid(side, side)
    z_in = np.stack([z1.ravel(), z2.ravel(), np.full(n * n, THIRD)], axis=1)
    out = temporal.forward(z_in, PLANE_W[:, None])[0]
    return side, out.reshape(n, n), ((z_in < out) @ np.array([1, 2, 4])).reshape(n, n)


@lecture
def draw():
    """Return the figure."""
    fig, (left, right) = panels(1, 2, size=(10.5, 5))
    edges, slope = slopes()
    z1 = np.linspace(START, 7, 400)
    left.plot(z1, z1, "--", color=GREY, lw=1.2)
    left.text(3.1, 2.75, "spike = moving input", color=GREY, rotation=38, fontsize=11)
    left.plot(edges, line(edges), color=BLUE, lw=3)
    left.plot(edges[1:-1], line(edges[1:-1]), "o", color=BLUE, ms=8)
    for a, b, k in zip(edges[:-1], edges[1:], slope, strict=True):
        middle = (a + b) / 2
        left.annotate(f"{abs(k):.2g}", (middle, line(np.array([middle]))[0]), (8, -4) if k > 1 else (-6, 10), textcoords="offset points",
                      ha="left" if k > 1 else "right" if k > 0.01 else "center", color=BLUE)
    left.set(xlabel="time of the moving input $z_1$", ylabel=r"spike time $z_{\mathrm{out}}$", ylim=(1.4, 7.1), xlim=(START, 7))
    left.set_title("slopes")
    side, out, sets = plane(301)
    numbers = [int(k) for k in np.unique(sets) if k]
    for k, color in zip(numbers, ("sky", "orange", "green", "pink", "vermillion", "blue", "grey"), strict=False):
        mask = (sets == k).astype(float)
        right.contourf(side, side, mask, [0.5, 1.5], colors=[COLORS[color]], alpha=0.35)
        y, x = np.nonzero(mask)
        members = [str(i + 1) for i in range(3) if k >> i & 1]
        right.text(side[int(np.median(x))], side[int(np.median(y))], "{" + ", ".join(members) + "}", ha="center", va="center",
                   fontsize=12, bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1.5}, zorder=5)
    lines = right.contour(side, side, np.where(np.isfinite(out), out, np.nan), np.arange(1.5, 9, 0.5), colors=BLACK, linewidths=1)
    right.clabel(lines, lines.levels[1::2], fontsize=LECTURE["font.size"] - 3, fmt="%g")
    right.set(xlabel="first input $z_1$", ylabel="second input $z_2$", aspect="equal")
    right.set_title(r"causal sets and equal $z_{\mathrm{out}}$")
    right.grid(False)
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
