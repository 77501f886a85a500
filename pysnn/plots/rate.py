"""Figures of networks that count spikes: when they spike, how they compare with ReLU networks, what time steps are worth."""

import numpy as np
from matplotlib.animation import FuncAnimation
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter

from ._style import BLACK, BLUE, GREY, LOOKS, VERMILLION, array, columns, figure, legend, styled

FADE = 0.6          # of a spike's light in a film, a frame
PANEL = 40          # neurons that a panel of the raster shows, at most


def _by_layer(arrays, names, shape, low=-np.inf, high=np.inf):
    """Return the arrays and names of all layers."""
    if not len(arrays) or len(arrays) != len(names):
        raise ValueError(f"expected at least one array, and a name each, got {len(arrays)} and {len(names)}")
    return [array(a, f"{name}", shape, low, high) for a, name in zip(arrays, names, strict=True)], list(map(str, names))


@styled
def step_raster(spikes, names):
    """Draw which neurons spike at which step for one sample, layer by layer.

    Parameters
    ----------
    spikes : list of (T, N) arrays
        0 and 1, layer by layer, the output last.
    names : list of str
        Names of the layers.

    Returns
    -------
    matplotlib.figure.Figure
        A panel a layer; of a hidden layer at most 40 of the neurons that spike at all, equally spaced in the order of their numbers of
        spikes. The silent ones are counted.
    """
    n_steps = len(spikes[0]) if len(spikes) else 1
    spikes, names = _by_layer(spikes, names, (n_steps, None), 0, 1)
    rows = [1.0] * (len(names) - 1) + [1.7]
    fig, axes = figure(len(names), 1.2 * sum(rows) + 0.8, sharex=True, height_ratios=rows)
    for ax, s, name in zip(axes, spikes, names, strict=True):
        _spikes(ax, s, name, ax is axes[-1])
    total = spikes[-1].sum(axis=0)
    if len(total) <= 12:
        winners = np.flatnonzero((total == total.max()) & (total > 0))
        axes[-1].set_yticks(np.arange(len(total)), [f"{'most: ' * (j in winners)}{j} ({count:.0f})" for j, count in enumerate(total)])
    axes[-1].set(xlabel="time step", xlim=(0.3, n_steps + 0.7))
    axes[-1].xaxis.set_major_locator(MaxNLocator(12, integer=True, min_n_ticks=1))
    fig.align_ylabels(axes)
    return fig


@styled
def film(spikes, names, said):
    """Show spikes frame by frame: each neuron is a square, which lights up when it spikes and then fades.

    Parameters
    ----------
    spikes : list of (T, N) arrays
        0 and 1, layer by layer, the output last.
    names : list of str
        Names of the layers.
    said : list of str
        What stands above each of the T frames.

    Returns
    -------
    matplotlib.animation.FuncAnimation
        A panel a layer.
    """
    spikes, names = _by_layer(spikes, names, (len(said), None), 0, 1)
    fig, shown = Figure(figsize=(7, 2.6), dpi=100, layout="constrained"), []
    for ax, s, name in zip(np.atleast_1d(fig.subplots(1, len(spikes))), spikes, names, strict=True):
        width = int(np.ceil(np.sqrt(s.shape[1])))
        shown.append(ax.imshow(np.full((-(-s.shape[1] // width), width), np.nan), "Blues", vmin=0, vmax=1))
        ax.set(title=name, xticks=[], yticks=[])

    def frame(t):
        ages = FADE ** np.arange(t, -1, -1)[:, None]
        for image, s in zip(shown, spikes, strict=True):
            place = image.get_array()
            values = np.full(place.size, np.nan)
            values[:s.shape[1]] = (s[:t + 1] * ages).max(axis=0)
            image.set_data(values.reshape(place.shape))
        fig.suptitle(said[t])
        return shown

    return FuncAnimation(fig, frame, len(said), interval=150)


def _spikes(ax, s, name, output):
    """Draw the spikes (T, N) of a layer; of an output of few neurons each is shown, else some that spike, see `step_raster`."""
    n, total = s.shape[1], s.sum(axis=0)
    chosen = np.arange(n) if output and n <= PANEL else np.argsort(total, kind="stable")[(total == 0).sum():]
    shown = f"; {PANEL} others shown" if len(chosen) > PANEL else ""
    if shown:
        chosen = chosen[np.linspace(0, len(chosen) - 1, PANEL).round().astype(int)]
    step, unit = np.nonzero(s[:, chosen])
    rows = max(len(chosen), 3 if output else 10)
    ax.hlines(unit, step + 0.6, step + 1.4, color=BLUE, lw=np.clip(40 / rows, 1, 5))
    ax.set(title=f"{name}: {n} neurons, {s.mean():.3f} spikes a step, {(total == 0).mean():.0%} silent{shown}",
           ylabel="unit" if output else "rank", ylim=(-0.04 * rows - 0.5, 1.04 * rows - 0.5))
    ax.yaxis.set_major_locator(MaxNLocator(3, integer=True, min_n_ticks=1))


@styled
def sequence(x, spikes, names, out, classes, label=None):
    """Draw what one sequence does to a network: the input, the spikes of the hidden layers, the potentials of the outputs.

    Parameters
    ----------
    x : (T, n) array
        Input; if all its numbers are 0 and 1, spikes.
    spikes : list of (T, N) arrays
        0 and 1, hidden layer by hidden layer.
    names : list of str
        Names of these layers.
    out : (T, n_out) array
        Potential of each output after each step.
    classes : list of str
        Names of the outputs.
    label : int, optional
        The right one.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for the input, one a layer as in `step_raster`, and one for the outputs, in which the highest potential and the right class
        stand out.
    """
    x = array(x, "x", (None, None))
    spikes, names = _by_layer(spikes, names, (len(x), None), 0, 1) if len(spikes) else ([], [])
    out = array(out, "out", (len(x), len(classes)))
    steps, binary = np.arange(1, len(x) + 1), bool(((x == 0) | (x == 1)).all())
    fig, axes = figure(len(spikes) + 2, 1.5 * len(spikes) + 5.2, sharex=True, height_ratios=[1.2, *[1.2] * len(spikes), 1.8])
    if binary:
        _spikes(axes[0], x, "input", x.shape[1] <= PANEL)
    else:
        for channel, (color, *_) in zip(x.T, LOOKS * x.shape[1], strict=False):
            axes[0].plot(steps, channel, lw=1.2, color=color)
        axes[0].set(title=f"input: {x.shape[1]} channel{'s' * (x.shape[1] > 1)}", ylabel="current")
    for ax, s, name in zip(axes[1:], spikes, names, strict=False):
        _spikes(ax, s, name, False)
    step, winner = (int(k) for k in np.unravel_index(out.argmax(), out.shape))
    for j, v in enumerate(out.T):
        stands_out = j in (winner, label)
        said = f"{classes[j]} (" + ", ".join(["highest"] * (j == winner) + ["right"] * (j == label)) + ")"
        axes[-1].plot(steps, v, color=VERMILLION if j == winner else BLUE if stands_out else GREY, lw=2.2 if stands_out else 1,
                      label=said if stands_out else None, zorder=3 if stands_out else 2)
    axes[-1].plot(step + 1, out[step, winner], "o", color=VERMILLION, ms=7)
    axes[-1].set(xlabel="time step", ylabel="potential V", xlim=(0.3, len(x) + 0.7), title=f"output: {len(classes)} neurons")
    axes[-1].legend(loc="upper left")
    axes[-1].xaxis.set_major_locator(MaxNLocator(12, integer=True, min_n_ticks=1))
    fig.align_ylabels(axes)
    return fig


@styled
def leaky_neuron(current, u, spikes, threshold=1.0, beta=None):
    """Draw the potential of one leaky neuron, step by step, and its input current below.

    Parameters
    ----------
    current, u, spikes : (T,) arrays
        Input current, the potential that is compared with the threshold, and spikes 0 and 1.
    threshold : float
        Where it fires.
    beta : float, optional
        Its decay, for the title.

    Returns
    -------
    matplotlib.figure.Figure
        Potential and current, both against the step.
    """
    current = array(current, "current", (None,))
    u, spikes = array(u, "u", current.shape), array(spikes, "spikes", current.shape, 0, 1)
    threshold, t = float(array(threshold, "threshold", (), 1e-300)), np.arange(1, len(current) + 1)
    fig, (top, bottom) = figure(2, 5.2, sharex=True, height_ratios=[2, 1])
    top.plot(t, u, ".-", color=BLUE, lw=1.5, label="potential before a reset")
    top.axhline(threshold, color=BLACK, ls="--", lw=1, label=f"threshold {threshold:g}")
    top.plot(t[spikes > 0], u[spikes > 0], "*", color=VERMILLION, ms=13, label="spike")
    bottom.bar(t, current, 0.5, color=np.where(current < 0, VERMILLION, BLUE))
    bottom.axhline(0, color=BLACK, lw=0.8)
    for ax in (top, bottom):
        ax.margins(y=0.15)
    top.set(ylabel="potential V")
    bottom.set(xlabel="time step", ylabel="current")
    bottom.xaxis.set_major_locator(MaxNLocator(12, integer=True, min_n_ticks=1))
    n, decay = int(spikes.sum()), "" if beta is None else f"; the potential decays by the factor {beta:g} a step"
    fig.suptitle(f"{n or 'no'} spike{'s' * (n != 1)} in {len(t)} steps{decay}")
    legend(top, 3)
    return fig


@styled
def potentials(v, spikes, threshold=1.0, chosen=None, names=None):
    """Draw the membrane potential of some output neurons over time.

    Parameters
    ----------
    v : (T, N) array
        Potential after each step.
    spikes : (T, N) array
        Spikes, 0 and 1; of neurons that add up their current without firing all 0.
    threshold : float
        Where they fire.
    chosen : sequence of int, optional
        Which neurons; default: the four with most spikes, and of equals those with the highest last potential.
    names : list of str, optional
        Names of all neurons; default: their numbers.

    Returns
    -------
    matplotlib.figure.Figure
        A panel a neuron over one axis of steps.
    """
    v = array(v, "v", (None, None))
    spikes, threshold = array(spikes, "spikes", v.shape, 0, 1), float(array(threshold, "threshold", (), 1e-300))
    n_steps, n = v.shape
    names = [str(j) for j in range(n)] if names is None else list(names)
    chosen = np.lexsort((-v[-1], -spikes.sum(axis=0)))[:4] if chosen is None else np.asarray(chosen, int)
    if len(names) != n or len(chosen) == 0 or min(chosen) < 0 or max(chosen) >= n:
        raise ValueError(f"chosen, names: expected neurons 0 to {n - 1} and {n} names, got {list(chosen)} and {len(names)}")
    fig, axes = figure(len(chosen), 1.3 * len(chosen) + 0.9, sharex=True, sharey=True)
    t = np.arange(1, n_steps + 1)
    for ax, j in zip(axes, chosen, strict=True):
        fired = spikes[:, j] > 0
        ax.plot(t, v[:, j], ".-", color=BLUE, lw=1.5, label="potential after the step")
        if spikes.any():
            ax.axhline(threshold, color=BLACK, ls="--", lw=1, label=f"threshold {threshold:g}")
            ax.plot(t[fired], np.full(fired.sum(), threshold), "*", color=VERMILLION, ms=11, label="spike")
        ax.axhline(0, color=GREY, lw=0.8)
        said = "spike" if fired.sum() == 1 else "spikes"
        ax.set(ylabel="potential V", title=f"output {names[j]}" + (f": {fired.sum()} {said}" if spikes.any() else ""))
        ax.margins(y=0.15)
    axes[-1].set(xlabel="time step")
    axes[-1].xaxis.set_major_locator(MaxNLocator(12, integer=True, min_n_ticks=1))
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return fig


@styled
def correlation(counts, activations, names, n_steps):
    """Draw spike counts against the activations of a ReLU network with the same weights, layer by layer.

    Parameters
    ----------
    counts, activations : list of arrays
        Spike counts (or, of outputs that do not fire, their summed current), and the ReLU network's values of the same neurons and samples.
    names : list of str
        Names of the layers.
    n_steps : int
        Number of steps that the counts are from.

    Returns
    -------
    matplotlib.figure.Figure
        A panel a layer: how often pairs come, darker for more; the correlation r of all neurons and samples.
    """
    counts, names = _by_layer([np.ravel(c) for c in counts], names, (None,))
    activations, _ = _by_layer([np.ravel(a) for a in activations], names, (None,))
    if [c.size for c in counts] != [a.size for a in activations]:
        raise ValueError(f"activations: expected as many as counts, {[c.size for c in counts]}, got {[a.size for a in activations]}")
    n_columns = columns(len(names))
    n_rows = -(-len(names) // n_columns)
    fig, _ = figure(1, 2.5 * n_rows + 0.7)
    fig.clear()
    axes = fig.subplots(n_rows, n_columns, squeeze=False).ravel()
    for ax in axes[len(names):]:
        ax.remove()
    for ax, a, c, name in zip(axes, activations, counts, names, strict=False):
        rate = c / n_steps
        flat = np.ptp(a) == 0 or np.ptp(rate) == 0
        r = "one value alone" if flat else f"r = {np.corrcoef(a, rate)[0, 1]:.3f}"
        whole = n_steps <= 30 and (c % 1 == 0).all() and 0 <= c.min() and c.max() <= n_steps      # a bin a count
        bins = (np.arange(n_steps + 2) - 0.5) / n_steps if whole else np.histogram_bin_edges(rate, 30)
        n, *edges = np.histogram2d(rate, a, [bins, 40])
        shown = ax.pcolormesh(edges[1], edges[0], np.where(n > 0, n, np.nan), norm=LogNorm(1, max(n.max(), 10)), cmap="cividis_r")
        bar = fig.colorbar(shown, ax=ax, pad=0.02)
        bar.ax.tick_params(labelsize=9)
        bar.ax.yaxis.set_minor_locator(NullLocator())
        ax.set(title=f"{name}: {r}", xlabel="ReLU", ylabel="")
        ax.xaxis.set_major_locator(MaxNLocator(3))
        ax.yaxis.set_major_locator(MaxNLocator(4))
    for k in range(0, len(names), n_columns):
        axes[k].set(ylabel="spikes a step")
    fig.suptitle(f"Spikes over {n_steps} steps against a ReLU network with the same weights; dark: often")
    return fig


@styled
def accuracy_steps(curves, upper=None, trained=None, chance=None):
    """Draw accuracy against the number of time steps.

    Parameters
    ----------
    curves : dict of str to (steps, accuracy) or (steps, accuracy, spread)
        Arrays by name; accuracy and spread (the standard deviation over seeds, half a bar) in [0, 1].
    upper : dict of str to float or (float, float), optional
        Accuracy of networks without steps, as horizontal lines, and its spread.
    trained : int, optional
        Number of steps in training.
    chance : float, optional
        Accuracy of guessing.

    Returns
    -------
    matplotlib.figure.Figure
        Accuracy in percent over steps, on a logarithmic axis if they span a factor of 4.
    """
    if not curves:
        raise ValueError("curves: expected at least one, got none")
    fig, (ax,) = figure()
    seen = []
    for (name, (steps, *values)), (color, marker, line) in zip(curves.items(), LOOKS * len(curves), strict=False):
        steps = array(steps, f"steps of {name}", (None,), 1)
        accuracy, *spread = (100 * array(value, f"accuracy of {name}", steps.shape, 0, 1) for value in values)
        options = {"color": color, "ls": line, "marker": marker, "ms": 5, "label": name}
        ax.errorbar(steps, accuracy, *spread, capsize=3, **options)
        seen += list(steps)
    for (name, value), line in zip((upper or {}).items(), ("--", "-.", ":"), strict=False):
        mean, spread = (100 * array(x, name, (), 0, 1) for x in (value if np.ndim(value) else (value, 0)))
        ax.axhline(mean, color=BLACK, ls=line, lw=1.2, label=f"{name}: {mean:.2f} %")
        if spread:
            ax.axhspan(mean - spread, mean + spread, color=BLACK, alpha=0.08, lw=0)
    if chance is not None:
        ax.axhline(100 * array(chance, "chance", (), 0, 1), color=GREY, ls=":", lw=1.2, label="chance")
    if trained is not None:
        ax.axvline(trained, color=GREY, ls="-", lw=6, alpha=0.25, label=f"trained with T = {trained}")
    if max(seen) >= 4 * min(seen):
        ax.set_xscale("log")
        ax.xaxis.set_minor_locator(NullLocator())
    ticks = [t for t in sorted(set(seen)) if t in (seen if len(set(seen)) < 9 else (1, 2, 4, 8, 15, 30, 60, 120, 240))]
    ax.set_xticks(ticks or [min(seen), max(seen)], [f"{t:g}" for t in ticks or [min(seen), max(seen)]])
    ax.yaxis.set_major_formatter(PercentFormatter(symbol="", decimals=0) if np.ptp(ax.get_ylim()) > 5 else PercentFormatter(symbol=""))
    bars = any(len(curve) == 3 and np.any(curve[2]) for curve in curves.values())
    ax.set(xlabel="time steps T" + " (bars: standard deviation over seeds)" * bars, ylabel="accuracy (%)")
    legend(ax, 3)
    return fig


@styled
def bridge(rows):
    """Draw what first spikes and rates with the same weights cost, and how often they are right.

    Parameters
    ----------
    rows : list of dict
        From `pysnn.evaluation.bridge.evaluate`: network, accuracy (0 to 1), spikes a sample, time.

    Returns
    -------
    matplotlib.figure.Figure
        Accuracy against spikes a sample: rates by their number of steps, first spikes, and the ReLU network as a line.
    """
    names = ["ReLU", "first spikes"]
    if [row["network"] for row in rows[:2]] != names:
        raise ValueError(f"rows: expected those of {', '.join(names)} first, got {[row['network'] for row in rows[:2]]}")
    fig, (ax,) = figure()
    relu, first, *rates = rows
    ax.axhline(relu["accuracy"], color=BLACK, lw=1, label="ReLU network")
    if rates:
        spikes, accuracy = ([r[name] for r in rates] for name in ("spikes", "accuracy"))
        ax.plot(spikes, accuracy, color=BLUE, marker="o", label="rates")
        for r in rates:
            ax.annotate(f"T = {r['time']}", (r["spikes"], r["accuracy"]), xytext=(6, -12), textcoords="offset points", color=BLUE)
    ax.plot(first["spikes"], first["accuracy"], color=VERMILLION, marker="s", ms=9, ls="", label="first spikes")
    ax.set(xscale="log", xlabel="spikes a sample", ylabel="accuracy")
    ax.margins(0.12)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    legend(ax, 3)
    return fig
