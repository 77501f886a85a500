"""Draw the scheme of proxy learning: two networks, one set of weights, one error.

Run: python docs/figures/proxy_scheme.py          writes docs/figures/proxy-scheme.svg
"""

from look import BLACK, BLUE, GREEN, GREY, VERMILLION, lecture, panels, write
from matplotlib.patches import FancyBboxPatch

TITLE = "Proxy learning: two networks, one error"
CAPTION = """Both networks have the same weights (green). Forward (blue): the spiking network runs for $T$ steps and counts its
output spikes; the ReLU network computes its activations, once. The error (orange) is computed at the spike counts and used at the
output of the ReLU network, as if the counts were the output of that network. It is propagated back there and changes the shared
weights. The output of the ReLU network itself is not used, and nothing of the $T$ steps is stored. Equation (P2)."""

SNN, RELU = 3.0, 0.7             # heights of the two rows
COLUMNS = (1.2, 3.9, 6.6)        # middles of the layers


def box(ax, x, y, text, edge=BLACK, **options):
    """Draw a box with text."""
    w, h = options.get("size", (1.7, 0.95))
    ax.add_patch(FancyBboxPatch((x - w / 2, y - h / 2), w, h, boxstyle="round,pad=0,rounding_size=0.12", fc=options.get("fill", "white"),
                                ec=edge, lw=2, zorder=3))
    ax.text(x, y, text, ha="center", va="center", fontsize=options.get("fontsize", 13), color=options.get("color", BLACK), zorder=4)


def arrow(ax, start, end, color, text="", **options):
    """Draw an arrow, with text beside it."""
    look = {"arrowstyle": "-|>,head_width=0.35,head_length=0.6", "lw": options.get("lw", 2.6), "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", end, start, arrowprops={**look, "color": color, "connectionstyle": options.get("bend", "arc3")}, zorder=2)
    if text:
        dx, dy = options.get("shift", (0, 0.2))
        ax.text((start[0] + end[0]) / 2 + dx, (start[1] + end[1]) / 2 + dy, text, color=color, ha="center", va="center",
                fontsize=options.get("fontsize", 13))


@lecture
def draw():
    """Return the figure."""
    fig, ax = panels(size=(11, 5))
    for k, x in enumerate(COLUMNS):
        here, before = k + 1, "x" if k == 0 else f"{k}"
        box(ax, x, SNN, f"spiking\nlayer {here}", BLUE)
        box(ax, x, RELU, f"ReLU\nlayer {here}", BLUE)
        arrow(ax, (x, 2.47), (x, 1.23), GREEN, lw=1.8)
        arrow(ax, (x, 1.23), (x, 2.47), GREEN, lw=1.8)
        box(ax, x, 1.85, f"$W^{here}$", GREEN, size=(0.75, 0.6), fill="#e6f5f0")
        left = x - 1.85 if k else x - 1.6
        spikes = "x" if k == 0 else f"$S^{before}$"
        values = "x" if k == 0 else f"$a^{before}$"
        arrow(ax, (left, SNN + 0.1), (x - 0.87, SNN + 0.1), BLUE, spikes, shift=(0, 0.27))
        arrow(ax, (left, RELU + 0.2), (x - 0.87, RELU + 0.2), BLUE, values, shift=(0, 0.25))
        if k:
            arrow(ax, (x - 0.87, RELU - 0.22), (left, RELU - 0.22), VERMILLION, f"d$a^{before}$", shift=(0, -0.3))
    arrow(ax, (7.47, SNN + 0.1), (8.6, SNN + 0.1), BLUE, "counts N", shift=(0, 0.27))
    box(ax, 9.45, SNN, "loss\nL(N, label)", VERMILLION)
    arrow(ax, (9.45, SNN - 0.5), (7.47, RELU - 0.22), VERMILLION, bend="angle,angleA=-90,angleB=0,rad=12")
    ax.text(9.6, 1.85, "error\n" + r"$c = \partial L/\partial N$", color=VERMILLION, ha="left", va="center")
    arrow(ax, (7.47, RELU + 0.2), (8.25, RELU + 0.2), GREY, lw=1.8)
    ax.text(8.35, RELU + 0.2, "not used", color=GREY, ha="left", va="center", fontsize=12, bbox={"fc": "white", "ec": "none", "pad": 1})
    ax.text(0.35, SNN + 0.85, "integrate-and-fire, T steps", color=BLUE)
    ax.text(0.35, RELU - 0.95, "ReLU, once; the error goes back here", color=BLUE)
    ax.set(xlim=(-0.7, 11.2), ylim=(-0.5, 4.2), aspect="equal")
    ax.axis("off")
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
