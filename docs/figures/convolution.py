"""Draw a convolution and its two gradients with small numbers: the example that the derivation works by hand.

Run: python docs/figures/convolution.py          writes docs/figures/convolution.svg
"""

import numpy as np
from look import BLACK, BLUE, GREEN, VERMILLION, lecture, panels, write
from matplotlib.patches import Rectangle

from pysnn.reference import conv

TITLE = "A convolution and its gradients"
CAPTION = """The kernel on a 3 x 3 image, worked by hand. (R2): each output is the kernel times the patch under it; the first one
(blue frame) gives 37. (R3): the gradient of the kernel is the sum of the patches, each times the upstream gradient at its output:
once the first patch, ten times the last. (R4): the gradient of the image is the kernel placed at each output, times the upstream
gradient there; where two of them overlap they add up, as at the 14."""

X = np.arange(1.0, 10).reshape(3, 3)
W = np.array([[1.0, 2], [3, 4]])
DY = np.array([[1.0, 0], [0, 10]])


def numbers():
    """Return y, dw and dx."""
    y, cache = conv.conv2d_forward(X.reshape(1, 3, 3, 1), W.reshape(2, 2, 1, 1))
    dx, dw = conv.conv2d_backward(DY.reshape(1, 2, 2, 1), cache)
    return y.reshape(2, 2), dw.reshape(2, 2), dx.reshape(3, 3)


def grid(ax, x, y, a, color=BLACK, fill="white", **options):
    """Draw a matrix with its upper left corner at (x, y), the middle of its height at y; return its right end."""
    rows, columns = a.shape
    top = y + rows / 2
    for (i, j), value in np.ndenumerate(a):
        ax.add_patch(Rectangle((x + j, top - i - 1), 1, 1, fc=fill, ec=color, lw=1.5))
        ax.text(x + j + 0.5, top - i - 0.5, f"{value:g}", ha="center", va="center", fontsize=13)
    if options.get("framed"):
        ax.add_patch(Rectangle((x, top - options["framed"]), *[options["framed"]] * 2, fc="none", ec=BLUE, lw=4, zorder=3))
    ax.text(x + columns / 2, top + 0.25, options.get("name", ""), ha="center", va="bottom", color=color)
    return x + columns


def word(ax, x, y, text, **options):
    """Write between two matrices."""
    ax.text(x, y, text, ha="center", va="center", fontsize=15, **options)


@lecture
def draw():
    """Return the figure."""
    y, dw, dx = numbers()
    fig, ax = panels(size=(10.5, 7.6))
    for level, tag in ((10.2, "(R2)"), (5.4, "(R3)"), (0.6, "(R4)")):
        ax.text(-2.2, level, tag, va="center", fontsize=15)
    grid(ax, 0, 10.2, X, name="image x", framed=2)
    grid(ax, 4.2, 10.2, W, GREEN, name="kernel w")
    word(ax, 7.1, 10.2, "=")
    grid(ax, 8, 10.2, y, name="output y", framed=1)
    grid(ax, 12.5, 10.2, DY, VERMILLION, name="comes back: dy")
    word(ax, 3.6, 10.2, r"$\ast$")
    grid(ax, 2, 5.4, X[:2, :2], name="first patch")
    grid(ax, 7.5, 5.4, X[1:, 1:], name="last patch")
    grid(ax, 12.5, 5.4, dw, VERMILLION, name="dw")
    word(ax, 1.2, 5.4, r"1 $\times$", color=VERMILLION)
    word(ax, 5.9, 5.4, r"+  10 $\times$", color=VERMILLION)
    word(ax, 11, 5.4, "=")
    places = np.zeros((2, 3, 3))
    places[0, :2, :2] = places[1, 1:, 1:] = W
    grid(ax, 2, 0.6, places[0], GREEN, name="kernel, first place")
    grid(ax, 7.5, 0.6, places[1], GREEN, name="kernel, last place")
    grid(ax, 12.5, 0.6, dx, VERMILLION, name="dx")
    word(ax, 1.2, 0.6, r"1 $\times$", color=VERMILLION)
    word(ax, 6.3, 0.6, r"+  10 $\times$", color=VERMILLION)
    word(ax, 11.4, 0.6, "=")
    ax.set(xlim=(-2.4, 16), ylim=(-1.2, 12.9), aspect="equal")
    ax.axis("off")
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
