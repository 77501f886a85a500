"""Draw the four surrogates: the soft steps, their slopes, and what the slope parameter does.

Run: python docs/figures/surrogates.py          writes docs/figures/surrogates.svg
"""

import numpy as np
from look import BLACK, BLUE, GREEN, LECTURE, PINK, VERMILLION, lecture, panels, write

from pysnn.conventions import Surrogate
from pysnn.reference.integrate_fire import surrogate_grad, surrogate_step

TITLE = "Surrogates for the derivative of a spike"
CAPTION = """Equation (I7), at the usual slopes $k$. Left: the soft steps $g$ beside the spike itself (dashed); only backward
passes use them. Middle: their derivatives $g'$, which replace that of a spike. All have their peak at the threshold. A neuron
that stays far from it gets almost no gradient, and with the triangle none. The fast sigmoid is the exception: its peak is 1 for
every $k$ and its area $2/k$, where the others have area 1. Right: one kind, four slopes. A steep surrogate is closer to the spike
and reaches fewer neurons."""

KINDS = (("atan", 2.0, BLUE, "-"), ("fast_sigmoid", 25.0, VERMILLION, "--"), ("sigmoid", 4.0, GREEN, "-."), ("triangle", 1.0, PINK, ":"))


@lecture
def draw():
    """Return the figure."""
    fig, (left, middle, right) = panels(1, 3, size=(12, 4.6))
    x = np.union1d(np.linspace(-1.5, 1.5, 401), np.linspace(-0.1, 0.1, 201))
    left.plot([-1.5, 0, 0, 1.5], [0, 0, 1, 1], "--", color=BLACK, lw=1.2, label="spike")
    for kind, k, color, line in KINDS:
        said = f"{kind.replace('_', ' ')}, k = {k:g}"
        left.plot(x, surrogate_step(x, Surrogate(kind, k)), line, color=color, lw=2.5)
        middle.plot(x, surrogate_grad(x, Surrogate(kind, k)), line, color=color, lw=2.5, label=said)
    for k, color, line in ((1.0, PINK, ":"), (2.0, BLUE, "-"), (4.0, GREEN, "-."), (8.0, VERMILLION, "--")):
        right.plot(x, surrogate_grad(x, Surrogate("atan", k)), line, color=color, lw=2.5, label=f"atan, k = {k:g}")
    left.set(title="soft step g", ylabel="g")
    middle.set(title="its derivative g'", ylabel="g'")
    right.set(title="four slopes of one kind", ylabel="g'")
    middle.legend(loc="upper left", bbox_to_anchor=(0.0, -0.2), fontsize=LECTURE["legend.fontsize"])
    left.legend(loc="upper left", bbox_to_anchor=(0.0, -0.2))
    right.legend(loc="upper left", bbox_to_anchor=(0.0, -0.2), ncols=2)
    for ax in (left, middle, right):
        ax.set(xlabel=r"$U - \theta$")
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
