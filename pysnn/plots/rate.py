"""Figures of networks that count spikes: when they spike, how they compare with ReLU networks, what time steps are worth."""

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter

from ._style import BLACK, BLUE, GREY, LOOKS, VERMILLION, array, figure, legend, styled

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
        n, output = s.shape[1], ax is axes[-1]
        total = s.sum(axis=0)
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
    if spikes[-1].shape[1] <= 12:
        winners = np.flatnonzero((total == total.max()) & (total > 0))
        axes[-1].set_yticks(np.arange(len(total)), [f"{'most: ' * (j in winners)}{j} ({count:.0f})" for j, count in enumerate(total)])
    axes[-1].set(xlabel="time step", xlim=(0.3, n_steps + 0.7))
    axes[-1].xaxis.set_major_locator(MaxNLocator(12, integer=True, min_n_ticks=1))
    fig.align_ylabels(axes)
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
    n_columns = 2 if len(names) in (2, 4) else min(3, len(names))
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
