"""Draw one leaky neuron with one input, forward, and its adjoint, backward: the example of the course's page on EventProp.

Run: python docs/figures/adjoint.py          writes docs/figures/adjoint.svg
"""

import numpy as np
from look import BLACK, BLUE, GREEN, GREY, VERMILLION, lecture, panels, write

from pysnn.reference import event_prop

TITLE = "The adjoint of a spike"
CAPTION = """One leaky neuron, $\\tau_m = 2$, $\\tau_s = 1$, threshold $3/8$, and one input at 0 with weight 2. Left, read from left to
right: the current falls, the potential rises and reaches the threshold at $T = 0.58$. Right, read from right to left: $p$ and $q$, the
derivatives of $T$ by potential and current at each time. Behind the spike both are 0. At the spike $p$ jumps to $-8/3$, and $q$
does not. On the way back $p$ decays as the potential does, and $q$ collects $p$. At the input $q = -1/2$ is the gradient of the weight."""

W, THRESHOLD, TAU_M, TAU_S = 2.0, 0.375, 2.0, 1.0


def forward():
    """Return the spike time, and its gradients with respect to the time and the weight of the input."""
    t_out, cache = event_prop.forward(np.zeros((1, 1, 1)), np.array([[W]]), None, THRESHOLD, TAU_M, TAU_S, n_spikes=1)
    dt_in, dw, _ = event_prop.backward(np.ones((1, 1, 1)), cache)
    return t_out.item(), dt_in.item(), dw.item()


def kappa(x):
    """Return the potential a time x behind an input with weight 1, (V2)."""
    return np.exp(-x / TAU_M) - np.exp(-x / TAU_S)


def adjoint(t):
    """Return p and q at times t before the spike, (V6) and (V7)."""
    t_out, _, _ = forward()
    p = -TAU_M / (W * np.exp(-t_out / TAU_S) - THRESHOLD)
    return p * np.exp(-(t_out - t) / TAU_M), p * kappa(t_out - t)


@lecture
def draw():
    """Return the figure."""
    fig, (left, right) = panels(1, 2, size=(10.5, 4.4), sharex=True)
    t_out, _, _ = forward()
    t, later = np.linspace(0, t_out, 200), np.linspace(t_out, 0.9, 50)
    left.plot(np.append(t, later), W * np.exp(-np.append(t, later) / TAU_S), color=GREEN, lw=2)
    left.plot(t, W * kappa(t), color=BLUE, lw=3)
    left.plot(later, W * (kappa(later)) - THRESHOLD * np.exp(-(later - t_out) / TAU_M), color=BLUE, lw=3)
    left.vlines(t_out, 0, THRESHOLD, color=BLUE, ls=":", lw=1.5)
    left.plot(t_out, THRESHOLD, "*", color=VERMILLION, ms=17, zorder=5)
    left.axhline(THRESHOLD, color=BLACK, ls="--", lw=1.2)
    left.text(0.02, THRESHOLD + 0.05, "threshold", fontsize=12)
    left.text(0.3, 1.62, "current I", color=GREEN)
    left.text(0.27, 0.03, "potential V", color=BLUE)
    left.set(xlabel="time", ylabel="potential, current", ylim=(-0.05, 2.1), xlim=(-0.04, 0.9))
    left.set_title("forward")
    p, q = adjoint(t)
    right.plot(t, p, color=BLUE, lw=3)
    right.plot(t, q, color=GREEN, lw=3)
    right.plot([t_out, t_out, 0.9], [p[-1], 0, 0], color=BLUE, lw=3, ls="-")
    right.plot([t_out, 0.9], [0, 0], color=GREEN, lw=2, ls="--")
    right.plot(0, q[0], "o", color=GREEN, ms=9)
    right.text(0.03, q[0] - 0.28, f"q = {q[0]:.2f} = dT/dw", color=GREEN, fontsize=12)
    right.text(0.12, -1.95, "p", color=BLUE)
    right.text(t_out + 0.02, -2.5, "the spike:\np jumps", color=VERMILLION, fontsize=12)
    right.axhline(0, color=GREY, lw=0.8)
    right.annotate("", (0.05, -2.85), (0.5, -2.85), arrowprops={"arrowstyle": "->", "color": BLACK})
    right.text(0.2, -2.8, "read this way", fontsize=12, ha="center", va="bottom", color=BLACK)
    right.set(xlabel="time", ylabel="derivatives of T", ylim=(-3.1, 0.35))
    right.set_title("backward")
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
