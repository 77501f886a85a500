"""Draw the same numbers in four codes, and a signal as threshold crossings.

Run: python docs/figures/five_codes.py          writes docs/figures/five-codes.svg
"""

import numpy as np
from look import BLACK, BLUE, GREY, VERMILLION, lecture, panels, write

from pysnn import encode
from pysnn.reference import integrate_fire

TITLE = "Five ways to write numbers as spikes"
CAPTION = """Above: the intensities 1, 0.75, 0.5, 0.25 and 0, one a line, in 16 steps. Latency: one spike each, early where the intensity is
large. Even rate: 16 times the intensity, rounded down, at even distances. Poisson: a spike with the intensity as probability, so that the
count is random. Below on the left: eight receptive fields of a population, and what each of them says about the number 0.4. Below on the
right: a signal as threshold crossings, with a level of 0.25; blue spikes are steps up, orange ones down, and the grey line is what can be
read from them. Where nothing changes, nothing is sent."""

X, N_STEPS, N_FIELDS, NUMBER, SIZE = np.array([[1.0, 0.75, 0.5, 0.25, 0.0]]), 16, 8, 0.4, 0.25
LATE = 6.0


def trains():
    """Return the spikes of X in three codes, (T, 5) each."""
    early = encode.spike_trains(encode.latency(X, LATE), N_STEPS, (N_STEPS - 1) / np.log(LATE))[0]
    even = integrate_fire.forward(np.repeat(X[None], N_STEPS, axis=0))[0][:, 0]
    return {"latency": early, "even rate": even, "Poisson": encode.poisson(X, np.random.default_rng(0), N_STEPS)[0]}


def signal():
    """Return a signal of 80 steps that rises, rests and falls."""
    t = np.linspace(0, 1, 80)
    return np.where(t < 0.55, np.sin(np.pi * np.minimum(t, 0.3) / 0.6), 1 - 1.2 * np.sin(np.pi * np.minimum(t - 0.55, 0.3) / 0.6))


def crossings():
    """Return the spikes of the signal, (T, 2), and the level that follows it."""
    spikes = encode.delta(signal()[None, :, None], SIZE)[0]
    return spikes, signal()[0] + SIZE * np.cumsum(spikes[:, 0] - spikes[:, 1])


@lecture
def draw():
    """Return the figure."""
    fig, axes = panels(2, 6, size=(11.5, 6.6), sharey=False)
    fig.get_layout_engine().set(h_pad=0.12)
    grid = axes[0, 0].get_gridspec()
    for ax in axes.ravel():
        ax.remove()
    for k, (name, spikes) in enumerate(trains().items()):
        ax = fig.add_subplot(grid[0, 2 * k:2 * k + 2])
        for i in range(X.shape[1]):
            ax.vlines(np.flatnonzero(spikes[:, i]) + 1, -i - 0.36, -i + 0.36, color=BLUE, lw=3)
        ax.set(title=name, xlabel="time step", xlim=(0, N_STEPS + 1), ylim=(-4.7, 0.7), xticks=(1, 4, 8, 12, 16), yticks=-np.arange(5),
               yticklabels=[f"{x:g}" for x in X[0]])
        ax.set_ylabel("intensity" if k == 0 else "")
    ax, x = fig.add_subplot(grid[1, :3]), np.linspace(0, 1, 401)
    fields, found = encode.population(x[:, None], N_FIELDS), encode.population(np.array([[NUMBER]]), N_FIELDS)[0]
    ax.plot(x, fields, color=GREY, lw=1.4)
    ax.axvline(NUMBER, color=BLACK, ls="--", lw=1.2)
    ax.plot(np.full(N_FIELDS, NUMBER), found, "o", color=VERMILLION, ms=7)
    ax.set(title="population: eight fields", xlabel="number", ylabel="intensity", xlim=(0, 1), ylim=(0, 1.05))
    ax = fig.add_subplot(grid[1, 3:])
    spikes, level = crossings()
    ax.plot(signal(), color=BLACK, lw=2)
    ax.step(np.arange(80), level, color=GREY, where="post", lw=1.6)
    for k, color, at in ((0, BLUE, 1.32), (1, VERMILLION, 1.32)):
        ax.vlines(np.flatnonzero(spikes[:, k]), at - 0.12, at + 0.12, color=color, lw=3)
    ax.set(title="threshold crossings", xlabel="time step", ylabel="signal", ylim=(-0.4, 1.55), xlim=(0, 79))
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
