"""Draw what a surrogate gradient is the slope of, and how far it is from the gradient of a mean.

Run: python docs/figures/surrogate_bias.py          writes docs/figures/surrogate-bias.svg
"""

import numpy as np
from look import BLACK, BLUE, VERMILLION, lecture, panels, write

from pysnn.conventions import Surrogate
from pysnn.reference import leaky
from pysnn.reference.integrate_fire import surrogate_step

TITLE = "Surrogate gradients are not gradients"
CAPTION = """The recurrent neuron of the worked example: three steps, and one weight of -1/2 from its spikes back to itself. Left: its spike
in the third step against the current of the first, a function of jumps. The surrogate gradient is the slope of a soft function, which is
another one at each point. At the second point it says up, and a little further up the spike is lost. Right: with normal noise on all
currents the mean of that spike has a true derivative (bands: two standard errors). The mean surrogate gradient (points) depends on the
slope; at the first point it has the right sign, at the second one it never has."""

X, BETA, W, POINTS, NOISE, N_SAMPLES = np.array([1.25, 0.8125, 0.875]), 0.75, np.array([[-0.5]]), (1.25, 1.75), 0.5, 400_000
SLOPES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
TRIANGLE = Surrogate("triangle", 1.0)


def run(x):
    """Return spikes and cache of currents (T, B)."""
    spikes, _, cache = leaky.forward(np.ascontiguousarray(x)[:, :, None], BETA, w_rec=W)
    return spikes[:, :, 0], cache


def at(first):
    """Return the currents with others in the first step, (T, B)."""
    first = np.atleast_1d(np.asarray(first, float))
    return np.stack([first, np.full_like(first, X[1]), np.full_like(first, X[2])])


def gradient(x, surrogate):
    """Return the surrogate gradient of the last spike with respect to the first current, (B,)."""
    spikes, cache = run(x)
    last = np.zeros_like(spikes)[:, :, None]
    last[-1] = 1
    return leaky.backward(last, cache, surrogate=surrogate).dcurrent[0, :, 0]


def soft(first, point):
    """Return the last spike of the soft network (I11) around a point; resets are constants."""
    spikes, cache = run(at(point))
    hard, u_hat, v, s = spikes[:, 0], leaky.potentials(cache)[:, 0, 0], 0.0, 0.0
    for t in range(3):
        u = BETA * v + (first if t == 0 else X[t]) + W[0, 0] * s
        s = hard[t] + surrogate_step(u - 1, TRIANGLE) - surrogate_step(u_hat[t] - 1, TRIANGLE)
        v = u - hard[t]
    return s


def noisy(point):
    """Return the currents of a point with noise, (T, N_SAMPLES), and the noise."""
    noise = NOISE * np.random.default_rng(0).standard_normal((3, N_SAMPLES))
    return at(point) + noise, noise


def of_mean(point):
    """Return the derivative of the mean of the last spike under noise, by the weights of its density, and its standard error."""
    x, noise = noisy(point)
    spikes = run(x)[0][-1]
    shares = (spikes - spikes.mean()) * noise[0] / NOISE ** 2            # less the mean, which adds nothing but scatter
    return shares.mean(), shares.std() / np.sqrt(N_SAMPLES)


def means(point):
    """Return the mean surrogate gradient under the same noise, for each slope."""
    x, _ = noisy(point)
    return np.array([gradient(x, Surrogate("atan", k)).mean() for k in SLOPES])


@lecture
def draw():
    """Return the figure."""
    fig, (left, right) = panels(1, 2, size=(11.5, 5.2))
    first = np.linspace(0, 2.5, 2001)
    left.plot(first, run(at(first))[0][-1], color=BLACK, lw=2.5, label="spike in step 3")
    for point, color, line in zip(POINTS, (BLUE, VERMILLION), ("-", "--"), strict=True):
        near, (mean, error) = np.linspace(point - 0.7, point + 0.7, 101), of_mean(point)
        left.plot(near, soft(near, point), line, color=color, label=f"soft function at {point:g}")
        left.plot(point, run(at(point))[0][-1], "o", color=color, ms=10)
        right.axhspan(mean - 2 * error, mean + 2 * error, color=color, alpha=0.4, lw=0, label=f"of the mean, {point:g}")
        right.plot(SLOPES, means(point), f"o{line}", color=color, label=f"surrogate, {point:g}")
    left.set(xlabel=r"current of step 1, $X_1$", ylabel=r"$S_3$", xlim=(0, 2.5), ylim=(-0.1, 1.3))
    right.axhline(0, color=BLACK, lw=1)
    right.set(xscale="log", xlabel="slope of the surrogate", ylabel=r"gradient with respect to $X_1$")
    left.legend(loc="upper left", bbox_to_anchor=(0, -0.17))
    right.legend(loc="upper left", bbox_to_anchor=(0, -0.17), ncols=2, columnspacing=1.0)
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
