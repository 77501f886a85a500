"""Figures: what a neuron does, when a network spikes, how it learns and where it errs.

Every function returns a `matplotlib.figure.Figure` and leaves pyplot and your rcParams alone; `save` writes it. Times
are in units of tau. A time of inf is a spike that never comes: silent neurons are drawn or counted, never dropped.
"""

import functools
import os
from pathlib import Path

import numpy as np

from .conventions import NO_SPIKE

try:
    from matplotlib import style
    from matplotlib.colors import ListedColormap, PowerNorm
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, MaxNLocator
except ImportError as error:
    raise ImportError("pysnn.plots needs matplotlib: pip install matplotlib") from error

BLACK, GREY, BLUE, VERMILLION = "#000000", "#767676", "#0072B2", "#D55E00"    # the colours are Okabe and Ito's
LOOKS = ((BLUE, "o", "-"), (VERMILLION, "s", "--"), ("#009E73", "^", "-."), ("#CC79A7", "D", ":"),
         ("#E69F00", "v", "-"), ("#56B4E9", "P", "--"), (BLACK, "*", "-."))    # of the first, second, ... thing shown
STYLE = {"font.size": 10, "axes.titlesize": 10, "xtick.labelsize": 9, "ytick.labelsize": 9, "legend.fontsize": 9,
         "axes.grid": True, "grid.color": "#e4e4e4", "axes.axisbelow": True, "axes.spines.top": False,
         "axes.spines.right": False, "legend.frameon": False, "axes.titlelocation": "left", "figure.titlesize": 10,
         "svg.hashsalt": "pysnn"}
TIME = r"time t ($\tau$)"


def _styled(draw):
    """Let a function draw in this module's style over matplotlib's defaults; the user's rcParams come back."""
    @functools.wraps(draw)
    def wrapped(*args, **kwargs):
        with style.context(STYLE, after_reset=True):
            return draw(*args, **kwargs)
    return wrapped


def _figure(n_rows=1, height=4.5, **options):
    """Make a figure with one column of panels."""
    fig = Figure(figsize=(7, height), dpi=120, layout="constrained")
    return fig, fig.subplots(n_rows, squeeze=False, **options)[:, 0]


def _legend(ax, n_columns=2):
    """Put the legend above the panel, where no data are."""
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=n_columns, borderaxespad=0.2)


def _array(x, name, shape, low=-np.inf, high=np.inf, silent=False):
    """Return floats of this shape (None: any size but 0) in [low, high]; inf passes where `silent` says so."""
    wanted = f"numbers of shape {shape}".replace("None", "any")
    try:
        a = np.asarray(x, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected {wanted}, got {x!r:.60}") from None
    if a.size == 0 or a.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, a.shape, strict=True)):
        raise ValueError(f"{name}: expected {wanted}, got shape {a.shape}")
    bad = a[~((np.isfinite(a) & (a >= low) & (a <= high)) | (silent & (a == NO_SPIKE)))]
    if bad.size:
        raise ValueError(f"{name}: expected numbers from {low:g} to {high:g}{', or inf (no spike)' if silent else ''}, "
                         f"got {bad[0]:g}")
    return a


def _labels(y, name, n_classes, n=None, lowest=0):
    """Return class numbers from `lowest` to n_classes - 1 as integers."""
    a = _array(y, name, (n,), lowest, n_classes - 1)
    if (a % 1).any():
        raise ValueError(f"{name}: expected whole numbers, got {a[a % 1 > 0][0]:g}")
    return a.astype(int)


def _layers(t_layers, names, shape, n_least):
    """Return the spike times and the names of all layers."""
    n = len(t_layers)
    if names is None:
        names = ["input", *(f"hidden {k}" for k in range(1, n - 1)), "output"][:n]
    if n < n_least or len(names) != n:
        raise ValueError(f"t_layers, names: expected {n_least} arrays or more, a name each, got {n} and {len(names)}")
    return [_array(t, f"t_layers[{k}]", shape, silent=True) for k, t in enumerate(t_layers)], list(map(str, names))


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


@_styled
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
    u_in = _array(t_in, "t_in", (None,), silent=True)
    w = _array(w, "w", u_in.shape)
    tau = float(_array(tau, "tau", (), 1e-300))
    u_in, level = u_in / tau, float(_array(threshold, "threshold", (), 1e-300)) / tau
    u_out = _crossing(u_in, w, level) if t_out is None else float(_array(t_out, "t_out", (), silent=True)) / tau
    fires, spikes = np.isfinite(u_out), np.isfinite(u_in)
    causal = fires & (u_in < u_out) if causal is None else _array(causal, "causal", u_in.shape, 0, 1) > 0
    seen = np.concatenate([[0], u_in[spikes], [u_out] if fires else []])
    u = np.union1d(np.linspace(seen.min(), seen.max() + max(1, 0.15 * np.ptp(seen)), 600), seen)
    v = _potential(u, u_in, w)
    fig, (top, bottom) = _figure(2, 5.2, sharex=True, height_ratios=[2, 1])
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
    _legend(top, 3)
    if spikes.any():
        _legend(bottom)
    return fig


@_styled
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
    t_decision = t_output.min() if t_decision is None else float(_array(t_decision, "t_decision", (), silent=True))
    decided = int(np.isfinite(t_decision))
    winners = np.flatnonzero((t_output == t_output.min()) & (t_output < NO_SPIKE))
    fig, axes = _figure(len(names), 1.7 * len(names) + 0.9, sharex=True, height_ratios=[1] * (len(names) - 1) + [1.4])
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


@_styled
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
    fig, axes = _figure(len(names), 1.4 * len(names) + 1, sharex=True)
    for ax, t, name, (color, *_), every in zip(axes, spikes, names, LOOKS * len(names), t_layers, strict=False):
        label = f"{name}: {100 - 100 * t.size / every.size:.1f} % silent"
        if t.size:
            middle = np.median(t)
            ax.axvline(middle, color=BLACK, ls="--", lw=1, label=rf"median of the spikes {middle:.3g} $\tau$")
        ax.stairs(100 * np.histogram(t, bins)[0] / every.size, bins, fill=True, color=color, label=label)
        ax.set(ylabel="neurons (%)", ylim=(0, None if t.size else 1))
        _legend(ax)
    axes[-1].set(xlabel=TIME)
    fig.align_ylabels(axes)
    return fig


def _column(records, key, shape=(None,)):
    """Return the epochs whose records hold a key, and the shares they hold in percent."""
    held = [r for r in records if r.get(key) is not None]
    shares = _array([r[key] for r in held], key, shape, 0, 1) if held else np.empty([0] * len(shape))
    return np.array([r["epoch"] for r in held]), 100 * shares


@_styled
def learning_curves(records):
    """Draw the loss, the error and the share of silent neurons, epoch by epoch.

    Parameters
    ----------
    records : list of dict
        Keys epoch, loss and train_accuracy, and where known val_accuracy and silent (one share a layer); accuracies and
        shares are in [0, 1].

    Returns
    -------
    matplotlib.figure.Figure
        Panels over one epoch axis; loss and error on a logarithmic scale where they span more than a factor of 10.
    """
    if not len(records) or any(r.get(key) is None for r in records for key in ("epoch", "loss", "train_accuracy")):
        raise ValueError(f"records: expected dicts with epoch, loss and train_accuracy, got {records!r:.200}")
    loss = np.array([r["loss"] for r in records], dtype=float)
    n_lost = np.sum(~np.isfinite(loss))
    said = f"training, not finite in {n_lost} of {len(loss)} epochs" if n_lost else "training"
    panels = [("loss", [(said, [r["epoch"] for r in records], loss)]), ("error (%)", []), ("silent (%)", [])]
    for key, name in (("train_accuracy", "training"), ("val_accuracy", "validation")):
        epoch, accuracy = _column(records, key)
        if accuracy.size:
            best = accuracy.argmax()
            said = f"{name}, best {100 - accuracy[best]:.2f} % in epoch {epoch[best]}"
            panels[1][1].append((said, epoch, 100 - accuracy))
    epoch, silent = _column(records, "silent", (None, None))
    panels[2][1].extend((f"layer {k + 1}", epoch, share) for k, share in enumerate(silent.T))
    panels = panels[:3 if silent.size else 2]
    fig, axes = _figure(len(panels), 1.8 * len(panels) + 0.6, sharex=True)
    for ax, (ylabel, curves) in zip(axes, panels, strict=True):
        for (label, x, y), (color, marker, line) in zip(curves, LOOKS * len(curves), strict=False):
            ax.plot(x, y, line, marker=marker, color=color, ms=4, markevery=max(1, len(x) // 20), label=label)
        y = np.concatenate([y for _, _, y in curves])
        y = y[np.isfinite(y)]
        if ylabel != "silent (%)" and y.size and 0 < 10 * y.min() < y.max():
            ax.set_yscale("log")
            ax.yaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), major_formatter="{x:g}", minor_formatter="")
        ax.set(ylabel=ylabel)
        _legend(ax, 4 if ylabel == "silent (%)" else 2)
    axes[-1].set(xlabel="epoch")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    fig.align_ylabels(axes)
    return fig


@_styled
def confusion(y_true, y_pred, classes):
    """Draw how often each class was taken for each other.

    Parameters
    ----------
    y_true, y_pred : (B,) array of int
        Class numbers; -1 in y_pred: no decision (every output silent), a column of its own.
    classes : list of str
        Names of the classes.

    Returns
    -------
    matplotlib.figure.Figure
        Counts, shaded by their share of the row, and the recall of each class.
    """
    n, names = len(classes), [str(name) for name in classes]
    y_true = _labels(y_true, "y_true", n)
    y_pred = _labels(y_pred, "y_pred", n, len(y_true), -1)
    counts = np.zeros((n, n + 1), int)
    np.add.at(counts, (y_true, y_pred), 1)        # -1 is the last column
    columns = [*names, "none"] if (y_pred < 0).any() else names
    n_row = counts.sum(1)
    share = counts / np.maximum(n_row, 1)[:, None]
    fig, (ax,) = _figure(1, max(3.5, 0.38 * n + 1.3))
    ax.imshow(share[:, :len(columns)], cmap="Blues", norm=PowerNorm(0.4, 0, 1), aspect="auto")
    for row, column in np.ndindex(n, len(columns)):
        color = "white" if share[row, column] > 0.25 else BLACK if counts[row, column] else GREY
        ax.text(column, row, counts[row, column], ha="center", va="center", color=color, fontsize=9)
    tilt = {"rotation": 40, "ha": "right"} if sum(map(len, columns)) > 50 else {}
    ax.set_xticks(range(len(columns)), columns, **tilt)
    ax.set_yticks(range(n), names)
    right = ax.secondary_yaxis("right")
    right.set_yticks(range(n), [f"{100 * share[k, k]:.1f} %" if n_row[k] else "no sample" for k in range(n)])
    right.set(ylabel="recall")
    ax.set(xlabel="predicted class", ylabel="true class", title=f"{np.trace(counts)} of {len(y_true)} right")
    ax.grid(False)
    return fig


def _accuracy_curve(x, accuracy, name, xlabel, references):
    """Draw accuracy against x, with horizontal lines at the references, pairs of a name and a share or None."""
    x = _array(x, name, (None,))
    accuracy = 100 * _array(accuracy, "accuracy", x.shape, 0, 1)
    order = np.argsort(x, kind="stable")
    fig, (ax,) = _figure()
    ax.plot(x[order], accuracy[order], "o-", color=BLUE, ms=4, markevery=max(1, len(x) // 25), label="accuracy")
    for (said, share), line in zip(references, ("--", ":"), strict=False):
        if share is not None:
            percent = 100 * _array(share, said, (), 0, 1)
            ax.axhline(percent, color=BLACK, ls=line, lw=1.2, label=f"{said}: {percent:.2f} %")
    ax.set(xlabel=xlabel, ylabel="accuracy (%)")
    return fig, ax


@_styled
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
    fig, ax = _accuracy_curve(t, accuracy, "t", r"time allowed for a decision ($\tau$)", references)
    if t_median is not None:
        t_median = float(_array(t_median, "t_median", (), silent=True))
        said = rf"median decision: {t_median:.3g} $\tau$" if np.isfinite(t_median) else "median decision: never"
        ax.plot([t_median] * 2, [0, 1], "-.", transform=ax.get_xaxis_transform(), color=VERMILLION, label=said)
    _legend(ax)
    return fig


@_styled
def robustness(levels, accuracy, xlabel, reference=None):
    """Draw the accuracy under a disturbance of growing strength.

    Parameters
    ----------
    levels, accuracy : (n,) array
        Strengths of the disturbance, and the accuracy in [0, 1] under each.
    xlabel : str
        What the disturbance is, with its unit.
    reference : float, optional
        Accuracy in [0, 1] to compare with, such as the undisturbed one.

    Returns
    -------
    matplotlib.figure.Figure
        Accuracy in percent against the strength.
    """
    fig, ax = _accuracy_curve(levels, accuracy, "levels", xlabel, [("reference", reference)])
    _legend(ax)
    return fig


@_styled
def weights(w, shape, n=40):
    """Draw what the first neurons of the first layer look for, each as a small image of its weights.

    Parameters
    ----------
    w : (N_in, N_out) array
        Weights.
    shape : (H, W) or (H, W, C) tuple of int
        Shape of the input with N_in = H * W * C; the channels (red, green, blue) stand one below the other.
    n : int, default 40
        How many neurons, at most.

    Returns
    -------
    matplotlib.figure.Figure
        Ten neurons a row; one colour scale, symmetric about 0, which leaves out the largest 0.2 % of the weights.
    """
    w = _array(w, "w", (None, None))
    shape = tuple(int(size) for size in shape)
    if len(shape) not in (2, 3) or np.prod(shape) != len(w) or n < 1:
        raise ValueError(f"shape, n: expected (H, W) or (H, W, C) of product {len(w)}, and n >= 1, got {shape} and {n}")
    n = min(n, w.shape[1])
    columns, rows = min(n, 10), -(-n // 10)
    height, width, n_channels = (*shape, 1)[:3]
    gap = 1 + max(height, width) // 16
    tall, wide = n_channels * (height + 1) - 1 + gap, width + gap
    image = np.full((rows * tall, columns * wide), np.nan)
    for j, (row, column) in enumerate(np.ndindex(rows, columns)):
        for c in range(n_channels if j < n else 0):
            y, x = row * tall + c * (height + 1), column * wide
            image[y:y + height, x:x + width] = w[:, j].reshape(height, width, n_channels)[:, :, c]
    limit = np.quantile(np.abs(w[:, :n]), 0.998) or np.abs(w[:, :n]).max() or 1.0
    fig, (ax,) = _figure(1, np.clip(6 * image.shape[0] / image.shape[1] + 0.9, 2.5, 9))
    shown = ax.imshow(image, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    clipped = np.abs(w[:, :n]).max() > limit
    scale = ax.inset_axes([1.02, 0, 0.025, 1])
    fig.colorbar(shown, scale, label="weight w", extend="both" if clipped else "neither")
    ax.set_xticks(np.arange(columns) * wide + (width - 1) / 2, [f"+{k}" for k in range(columns)])
    ax.set_yticks(np.arange(rows) * tall + (tall - gap - 1) / 2, np.arange(rows) * 10)
    below = "" if n_channels == 1 else f", {n_channels} channels below each other"
    ax.set(xlabel="neuron: number at the left plus number here", ylabel="neuron",
           title=f"{n} of {w.shape[1]} neurons{below}")
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return fig


@_styled
def decision_regions(predict, x, y, classes, n=200):
    """Draw which class each point of the plane is given, and test points over it.

    Parameters
    ----------
    predict : callable
        Takes a (B, d) float64 array and returns B class numbers; -1: no decision (every output silent), left white.
    x : (M, d) array
        Test points: d = 2 columns x, y, or d = 4 columns x, y, 1 - x, 1 - y.
    y : (M,) array of int
        Their true classes.
    classes : list of str
        Names of the classes.
    n : int, default 200
        The plane is predicted on n * n points.

    Returns
    -------
    matplotlib.figure.Figure
        Pale regions; points with the colour and marker of their true class, crossed where misjudged.
    """
    x = _array(x, "x", (None, 2 if np.shape(x)[1:] == (2,) else 4))
    y = _labels(y, "y", len(classes), len(x))
    low, high = x[:, :2].min(0), x[:, :2].max(0)
    pad = 0.03 * np.maximum(high - low, 1e-9)
    sides = np.linspace(low - pad, high + pad, n)
    plane = np.stack(np.meshgrid(*sides.T), -1).reshape(-1, 2)
    plane = np.ascontiguousarray(np.hstack([plane, 1 - plane])[:, :x.shape[1]])
    region = _labels(predict(plane), "predict(plane)", len(classes), n * n, -1).reshape(n, n)
    wrong = _labels(predict(x), "predict(x)", len(classes), len(x), -1) != y
    looks = (LOOKS * len(classes))[:len(classes)]
    fig, (ax,) = _figure(1, 4.7)
    ax.pcolormesh(*sides.T, region, cmap=ListedColormap(["white", *(color for color, _, _ in looks)]), vmin=-1,
                  vmax=len(classes) - 1, alpha=0.25, shading="nearest", rasterized=True)
    for k in range(len(classes)):
        if 0 < (region == k).mean() < 1:
            ax.contour(*sides.T, region == k, [0.5], colors=GREY, linewidths=1)
        color, marker, _ = looks[k]
        said = f"{classes[k]} ({(y == k).sum()} points)"
        ax.plot(*x[y == k, :2].T, marker, color=color, mec="white", mew=0.4, ms=5, label=said)
    ax.plot(*x[wrong, :2].T, "x", color=BLACK, ms=7, mew=1.3, label=f"misjudged ({wrong.sum()} of {len(y)})")
    if (region < 0).any():
        ax.plot([], [], "s", color="white", mec=GREY, label="no decision (white)")
    ax.set(xlabel="x", ylabel="y", aspect="equal")
    ax.grid(False)
    fig.legend(loc="outside right upper")
    return fig


@_styled
def save(fig, path):
    """Write a figure: all of it or nothing, in the format that the file name ends in.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        Any figure of this module.
    path : str or path
        Where to, ending in .png, .svg or .pdf; folders are made as needed.

    Returns
    -------
    pathlib.Path
        The file, the same bytes for the same figure and matplotlib.
    """
    path = Path(path)
    kind = path.suffix.lower()[1:]
    undated = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    if kind not in undated:
        raise ValueError(f"path: expected a name ending in .png, .svg or .pdf, got {path.name!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        fig.savefig(part, format=kind, metadata=undated[kind], bbox_inches="tight", pad_inches=0.08)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path
