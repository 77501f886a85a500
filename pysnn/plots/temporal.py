"""Figures of temporal coding: what a neuron does, when a network spikes and decides. Times are in units of tau."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from ..conventions import NO_SPIKE
from ._style import BLACK, BLUE, GREY, LOOKS, VERMILLION, accuracy_curve, array, figure, legend, styled

TIME = r"time t ($\tau$)"


def _layers(t_layers, names, shape, n_least):
    """Return the spike times and the names of all layers."""
    n = len(t_layers)
    if names is None:
        names = ["input", *(f"hidden {k}" for k in range(1, n - 1)), "output"][:n]
    if n < n_least or len(names) != n:
        raise ValueError(f"t_layers, names: expected {n_least} arrays or more, a name each, got {n} and {len(names)}")
    return [array(t, f"t_layers[{k}]", shape, silent=True) for k, t in enumerate(t_layers)], list(map(str, names))


def _potential(u, u_in, w):
    """V/tau = sum_{u_i < u} w_i (1 - exp(-(u - u_i))), with u = t/tau."""
    return -np.expm1(-np.maximum(np.subtract.outer(u, u_in), 0)) @ w


def _crossing(u_in, w, level):
    """Scan for the first u where V/tau reaches level; from each input on it heads for the sum of the weights so far."""
    times = np.unique(u_in[np.isfinite(u_in)])
    for now, following in zip(times, [*times[1:], NO_SPIKE], strict=False):
        heading = w[u_in <= now].sum()
        if heading > level:
            u = now + np.log(max(1, (heading - _potential(now, u_in, w)) / (heading - level)))
            if u <= following:
                return u
    return NO_SPIKE


@styled
def neuron(t_in, w, threshold=1.0, tau=1.0, t_out=None, causal=None):
    """Draw the membrane potential of one non-leaky integrate-and-fire neuron, and its input spikes below.

    Parameters
    ----------
    t_in, w : (N,) array
        Times of the input spikes, in the unit of tau (inf: a silent input, counted only), and their weights.
    threshold, tau : float
        The neuron fires where V/tau = sum_i w_i (1 - exp(-(t - t_i)/tau)) first reaches threshold/tau.
    t_out : float, optional
        Time of its spike, inf for none; None: found from the definition.
    causal : (N,) array of bool, optional
        The inputs that caused the spike; None: those before it.

    Returns
    -------
    matplotlib.figure.Figure
        V/tau and the weights, both against t/tau.
    """
    u_in = array(t_in, "t_in", (None,), silent=True)
    w = array(w, "w", u_in.shape)
    tau = float(array(tau, "tau", (), 1e-300))
    u_in, level = u_in / tau, float(array(threshold, "threshold", (), 1e-300)) / tau
    u_out = _crossing(u_in, w, level) if t_out is None else float(array(t_out, "t_out", (), silent=True)) / tau
    fires, spikes = np.isfinite(u_out), np.isfinite(u_in)
    causal = fires & (u_in < u_out) if causal is None else array(causal, "causal", u_in.shape, 0, 1) > 0
    seen = np.concatenate([[0], u_in[spikes], [u_out] if fires else []])
    u = np.union1d(np.linspace(seen.min(), seen.max() + max(1, 0.15 * np.ptp(seen)), 600), seen)
    v = _potential(u, u_in, w)
    fig, (top, bottom) = figure(2, 5.2, sharex=True, height_ratios=[2, 1])
    top.plot(u[u <= u_out], v[u <= u_out], color=BLUE, lw=2, label="potential")
    top.axhline(level, color=BLACK, ls="--", lw=1, label=f"threshold {level:.3g}")
    if fires:
        top.plot(u[u >= u_out], v[u >= u_out], color=BLUE, alpha=0.5, ls=":", label="if it did not fire")
        top.plot(u_out, level, "*", color=VERMILLION, ms=13)
        late = u_out > u[[0, -1]].mean()
        top.annotate(rf"$t$ = {u_out:.4g} $\tau$", (u_out, level), (-9, 6) if late else (9, -14),
                     textcoords="offset points", ha="right" if late else "left")
        top.set_ylim(top=max(1.3 * level, min(1.05 * v.max(), 2 * level)))
    size = 7 if len(w) <= 60 else 4
    for kind, color, marker, chosen in (("excitatory", BLUE, "^", w >= 0), ("inhibitory", VERMILLION, "v", w < 0)):
        bottom.vlines(u_in[chosen & spikes], 0, w[chosen & spikes], color=color, lw=1.2)
        for some, fill, said in ((causal, color, "causal"), (~causal, "white", "not causal")):
            some = some & chosen & spikes
            if some.any():
                bottom.plot(u_in[some], w[some], marker, color=color, mfc=fill, ms=size, label=f"{kind}, {said}")
    bottom.axhline(0, color=BLACK, lw=0.8)
    bottom.margins(y=0.15)
    top.set(ylabel=r"potential V / $\tau$")
    bottom.set(xlabel=TIME, ylabel="weight w")
    said = f"The neuron fires; causal inputs: {(causal & spikes).sum()}" if fires else "The neuron stays silent"
    fig.suptitle(f"{said}; silent inputs: {(~spikes).sum()} of {len(w)}")
    legend(top, 3)
    if spikes.any():
        legend(bottom)
    return fig


@styled
def raster(t_layers, names=None, t_decision=None):
    """Draw every spike that one sample causes, layer by layer.

    Parameters
    ----------
    t_layers : list of (N,) arrays
        Spike times from the input to the output, in units of tau; inf: silent.
    names : list of str, optional
        Names of the layers.
    t_decision : float, optional
        Time of the decision, inf for none; None: the first spike of the output.

    Returns
    -------
    matplotlib.figure.Figure
        A panel a layer over one time axis; hidden neurons are sorted by time, silent ones counted.
    """
    t_layers, names = _layers(t_layers, names, (None,), 2)
    *_, t_output = t_layers
    t_decision = t_output.min() if t_decision is None else float(array(t_decision, "t_decision", (), silent=True))
    decided = int(np.isfinite(t_decision))
    winners = np.flatnonzero((t_output == t_output.min()) & (t_output < NO_SPIKE))
    fig, axes = figure(len(names), 1.7 * len(names) + 0.9, sharex=True, height_ratios=[1] * (len(names) - 1) + [1.4])
    for ax, t, name in zip(axes, t_layers, names, strict=True):
        hidden = ax not in (axes[0], axes[-1])
        y = np.argsort(np.argsort(t, kind="stable")) if hidden else np.arange(len(t))
        early, late = t <= min(t_decision, np.finfo(float).max), np.isfinite(t) & (t > t_decision)
        size = np.clip(150 / len(t), 2.5, 8)
        ax.plot(t[early], y[early], "o" if t is t_output else "|", color=BLUE, ms=size)
        ax.plot(t[late], y[late], "x", color=GREY, ms=size)
        if decided:
            ax.axvline(t_decision, color=VERMILLION, ls="--", lw=1, zorder=0)
        said = f", {early.sum()} fire by the decision" * decided
        ax.set(title=f"{name}: {len(t)} neurons, {np.isinf(t).sum()} silent{said}",
               ylabel="rank in time" if hidden else "unit", ylim=(-0.04 * len(t) - 0.5, 1.04 * len(t) - 0.5))
        ax.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    if len(t_output) <= 12:
        notes = np.where(np.isinf(t_output), "silent: ", np.where(t_output == t_output.min(), "first: ", ""))
        ax.set_yticks(y, [f"{note}{j}" for note, j in zip(notes, y, strict=True)])
    ax.plot(t_output[winners], winners, "*", color=VERMILLION, ms=13)
    if not any(np.isfinite(t).any() for t in t_layers):
        ax.set_xlim(0, 1)
    ax.set(xlabel=TIME)
    fig.align_ylabels(axes)
    said = f"First to fire (star): {', '.join(map(str, winners[:5]))}" if len(winners) else "No output fires"
    fig.suptitle(said + rf". Decision at {t_decision:.4g} $\tau$ (dashed); later spikes are grey crosses." * decided)
    return fig


@styled
def spike_times(t_layers, names=None):
    """Draw how the spike times of each layer are spread.

    Parameters
    ----------
    t_layers : list of (B, N) arrays
        Spike times in units of tau; inf: silent, a share given in the legend.
    names : list of str, optional
        Names of the layers.

    Returns
    -------
    matplotlib.figure.Figure
        A histogram a layer over one time axis, in percent of the layer's neurons, silent ones included.
    """
    t_layers, names = _layers(t_layers, names, (None, None), 1)
    spikes = [t[np.isfinite(t)] for t in t_layers]
    ends = [end for t in spikes if t.size for end in (t.min(), t.max())] or [0, 1]
    bins = np.histogram_bin_edges([min(ends), max(ends)], 60)
    fig, axes = figure(len(names), 1.4 * len(names) + 1, sharex=True)
    for ax, t, name, (color, *_), every in zip(axes, spikes, names, LOOKS * len(names), t_layers, strict=False):
        label = f"{name}: {100 - 100 * t.size / every.size:.1f} % silent"
        if t.size:
            middle = np.median(t)
            ax.axvline(middle, color=BLACK, ls="--", lw=1, label=rf"median of the spikes {middle:.3g} $\tau$")
        ax.stairs(100 * np.histogram(t, bins)[0] / every.size, bins, fill=True, color=color, label=label)
        ax.set(ylabel="neurons (%)", ylim=(0, None if t.size else 1))
        legend(ax)
    axes[-1].set(xlabel=TIME)
    fig.align_ylabels(axes)
    return fig


@styled
def accuracy_in_time(t, accuracy, final=None, chance=None, t_median=None):
    """Draw the accuracy that a network reaches if it must answer by a certain time.

    Parameters
    ----------
    t, accuracy : (n,) array
        Times in units of tau, and the accuracy in [0, 1] of the answers given by then.
    final, chance : float, optional
        Accuracy without a time limit, and of guessing, in [0, 1].
    t_median : float, optional
        Median time of the decisions in units of tau; inf: most samples get none.

    Returns
    -------
    matplotlib.figure.Figure
        Accuracy in percent against the time allowed.
    """
    references = (("final", final), ("chance", chance))
    fig, ax = accuracy_curve(t, accuracy, "t", r"time allowed for a decision ($\tau$)", references)
    if t_median is not None:
        t_median = float(array(t_median, "t_median", (), silent=True))
        said = rf"median decision: {t_median:.3g} $\tau$" if np.isfinite(t_median) else "median decision: never"
        ax.plot([t_median] * 2, [0, 1], "-.", transform=ax.get_xaxis_transform(), color=VERMILLION, label=said)
    legend(ax)
    return fig
