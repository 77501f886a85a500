"""Figures of any network: how it learns and where it errs."""

import numpy as np

# first _style, which says so if matplotlib is missing
from ._style import BLACK, BLUE, GREY, LOOKS, accuracy_curve, array, figure, labels, legend, styled

# isort: split
from matplotlib.colors import ListedColormap, PowerNorm
from matplotlib.ticker import LogLocator, MaxNLocator


def _column(records, key, shape=(None,), low=0):
    """Return the epochs whose records hold a key, and the shares they hold in percent."""
    held = [r for r in records if r.get(key) is not None]
    shares = array([r[key] for r in held], key, shape, low, 1) if held else np.empty([0] * len(shape))
    return np.array([r["epoch"] for r in held]), 100 * shares


@styled
def learning_curves(records):
    """Draw the loss, the error and, by layer, the share of silent neurons or the rate of spikes, epoch by epoch.

    Parameters
    ----------
    records : list of dict
        Keys epoch, loss and train_accuracy, and where known val_accuracy and, one number a layer, silent (a share) and rates (spikes a
        neuron and step); all but the loss are in [0, 1]. Of regression train_r2 and val_r2 in place of the accuracies; 1 - R2 is drawn.

    Returns
    -------
    matplotlib.figure.Figure
        Panels over one epoch axis; loss and error on a logarithmic scale where they span more than a factor of 10.
    """
    score, ylabel = ("r2", "1 - R2") if len(records) and "train_r2" in records[0] else ("accuracy", "error (%)")
    if not len(records) or any(r.get(key) is None for r in records for key in ("epoch", "loss", f"train_{score}")):
        raise ValueError(f"records: expected dicts with epoch, loss and train_accuracy, got {records!r:.200}")
    loss = np.array([r["loss"] for r in records], dtype=float)
    n_lost = np.sum(~np.isfinite(loss))
    said = f"training, not finite in {n_lost} of {len(loss)} epochs" if n_lost else "training"
    panels = [("loss", [(said, [r["epoch"] for r in records], loss)]), (ylabel, []), ("silent (%)", []), ("spikes (% of steps)", [])]
    for key, name in ((f"train_{score}", "training"), (f"val_{score}", "validation")):
        epoch, error = _column(records, key, low=0 if score == "accuracy" else -np.inf)
        error = 100 - error if score == "accuracy" else 1 - error / 100
        if error.size:
            best = error.argmin()
            said = f"{name}, best {error[best]:.2f} %" if score == "accuracy" else f"{name}, best {error[best]:.3f}"
            panels[1][1].append((f"{said} in epoch {epoch[best]}", epoch, error))
    for key, (_, curves) in (("silent", panels[2]), ("rates", panels[3])):
        epoch, share = _column(records, key, (None, None))
        curves.extend((f"layer {k + 1}", epoch, share) for k, share in enumerate(share.T))
    panels = [panel for panel in panels if panel[1] or panel is panels[1]]
    fig, axes = figure(len(panels), 1.8 * len(panels) + 0.6, sharex=True)
    errors = "loss", panels[1][0]
    for ax, (ylabel, curves) in zip(axes, panels, strict=True):
        for (label, x, y), (color, marker, line) in zip(curves, LOOKS * len(curves), strict=False):
            ax.plot(x, y, line, marker=marker, color=color, ms=4, markevery=max(1, len(x) // 20), label=label)
        y = np.concatenate([y for _, _, y in curves])
        y = y[np.isfinite(y)]
        if ylabel in errors and y.size and 0 < 10 * y.min() < y.max():
            ax.set_yscale("log")
            ax.yaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), major_formatter="{x:g}", minor_formatter="")
        ax.set(ylabel=ylabel)
        legend(ax, 2 if ylabel in errors else 4)
    axes[-1].set(xlabel="epoch")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    fig.align_ylabels(axes)
    return fig


@styled
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
    y_true = labels(y_true, "y_true", n)
    y_pred = labels(y_pred, "y_pred", n, len(y_true), -1)
    counts = np.zeros((n, n + 1), int)
    np.add.at(counts, (y_true, y_pred), 1)        # -1 is the last column
    columns = [*names, "none"] if (y_pred < 0).any() else names
    n_row = counts.sum(1)
    share = counts / np.maximum(n_row, 1)[:, None]
    fig, (ax,) = figure(1, max(3.5, 0.38 * n + 1.3))
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


@styled
def predictions(y, found, names):
    """Draw what a network predicts against the targets of regression.

    Parameters
    ----------
    y, found : (B, k) array
        Targets, and the numbers predicted.
    names : list of str
        Names of the k targets.

    Returns
    -------
    matplotlib.figure.Figure
        A panel a target: a point a sample, the line where both are equal, R2 and the root mean squared error.
    """
    y = array(y, "y", (None, len(names)))
    found = array(found, "found", y.shape)
    fig, axes = figure(len(names), 4.5 * len(names))
    for ax, name, true, value in zip(axes, names, y.T, found.T, strict=True):
        ends = [min(true.min(), value.min()), max(true.max(), value.max())]
        rmse = np.sqrt(np.mean((true - value) ** 2))
        said = f"R2 = {1 - rmse ** 2 / true.var():.3f}, " if np.ptp(true) else ""
        ax.plot(ends, ends, "--", color=BLACK, lw=1, label="equal")
        ax.plot(true, value, "o", color=BLUE, ms=4, alpha=0.6, mew=0, label="samples")
        ax.set(xlabel=f"target {name}", ylabel=f"predicted {name}", title=f"{said}RMSE = {rmse:.4g}")
    return fig


@styled
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
    fig, ax = accuracy_curve(levels, accuracy, "levels", xlabel, [("reference", reference)])
    legend(ax)
    return fig


@styled
def weights(w, shape, n=40, name="neuron"):
    """Draw what the first neurons of the first layer look for, each as a small image of its weights.

    Parameters
    ----------
    w : (N_in, N_out) array
        Weights.
    shape : (H, W) or (H, W, C) tuple of int
        Shape of the input with N_in = H * W * C; the channels (red, green, blue) stand one below the other.
    n : int, default 40
        How many neurons, at most.
    name : str
        What one of them is called.

    Returns
    -------
    matplotlib.figure.Figure
        Ten neurons a row; one colour scale, symmetric about 0, which leaves out the largest 0.2 % of the weights.
    """
    w = array(w, "w", (None, None))
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
    fig, (ax,) = figure(1, np.clip(6 * image.shape[0] / image.shape[1] + 0.9, 2.5, 9))
    shown = ax.imshow(image, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    clipped = np.abs(w[:, :n]).max() > limit
    scale = ax.inset_axes([1.02, 0, 0.025, 1])
    fig.colorbar(shown, scale, label="weight w", extend="both" if clipped else "neither")
    ax.set_xticks(np.arange(columns) * wide + (width - 1) / 2, [f"+{k}" for k in range(columns)])
    ax.set_yticks(np.arange(rows) * tall + (tall - gap - 1) / 2, np.arange(rows) * 10)
    below = "" if n_channels == 1 else f", {n_channels} channels below each other"
    ax.set(xlabel=f"{name}: number at the left plus number here", ylabel=name, title=f"{n} of {w.shape[1]} {name}s{below}")
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return fig


@styled
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
    x = array(x, "x", (None, 2 if np.shape(x)[1:] == (2,) else 4))
    y = labels(y, "y", len(classes), len(x))
    low, high = x[:, :2].min(0), x[:, :2].max(0)
    pad = 0.03 * np.maximum(high - low, 1e-9)
    sides = np.linspace(low - pad, high + pad, n)
    plane = np.stack(np.meshgrid(*sides.T), -1).reshape(-1, 2)
    plane = np.ascontiguousarray(np.hstack([plane, 1 - plane])[:, :x.shape[1]])
    region = labels(predict(plane), "predict(plane)", len(classes), n * n, -1).reshape(n, n)
    wrong = labels(predict(x), "predict(x)", len(classes), len(x), -1) != y
    looks = (LOOKS * len(classes))[:len(classes)]
    fig, (ax,) = figure(1, 4.7)
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


@styled
def settings(points, names):
    """Draw accuracy over one setting, or over two.

    Parameters
    ----------
    points : list of tuple
        A value of each setting, the mean accuracy in [0, 1], and half its 95 % interval, 0 for none.
    names : sequence of str
        One or two names of settings.

    Returns
    -------
    matplotlib.figure.Figure
        One setting: accuracy in percent, with intervals. Two: a field for each pair of values, the accuracy in it; if there are none for
        half of the pairs, as of numbers drawn at random, a coloured point for each.
    """
    if not points or len(names) not in (1, 2) or any(len(point) != len(names) + 2 for point in points):
        raise ValueError(f"points: expected at least one, each {len(names)} values, a mean and an interval, got {points!r:.80}")
    mean = 100 * array([point[-2] for point in points], "accuracy", (None,), 0, 1)
    half = 100 * array([point[-1] for point in points], "interval", (None,), 0)
    kinds = [sorted({point[k] for point in points}, key=lambda value: (isinstance(value, str), value)) for k in range(len(names))]
    at = np.array([[kind.index(value) for kind, value in zip(kinds, point, strict=False)] for point in points])
    fig, (ax,) = figure()
    if len(names) == 1:
        ax.errorbar(at[:, 0], mean, half, fmt="o", color=BLUE, ms=5, capsize=3)
        ax.set(xlabel=names[0] + " (bars: 95 % interval of the mean)" * bool(half.any()), ylabel="validation accuracy (%)")
        ax.set_xticks(range(len(kinds[0])), [_tick(value) for value in kinds[0]])
        return fig
    if len(set(map(tuple, at))) <= len(kinds[0]) * len(kinds[1]) / 2:
        shown = ax.scatter(*([point[k] for point in points] for k in (0, 1)), c=mean, cmap="viridis", s=40)
        for axis, kind in ((ax.xaxis, kinds[0]), (ax.yaxis, kinds[1])):
            if not isinstance(kind[-1], str) and kind[0] > 0 and kind[-1] > 30 * kind[0]:
                (ax.set_xscale if axis is ax.xaxis else ax.set_yscale)("log")
    else:
        field = np.full((len(kinds[1]), len(kinds[0])), np.nan)
        field[at[:, 1], at[:, 0]] = mean
        shown = ax.imshow(field, origin="lower", aspect="auto", cmap="viridis")
        ax.grid(False)
        middle = (mean.min() + mean.max()) / 2
        for (i, j), value, width in zip(at, mean, half, strict=True):
            ax.text(i, j, f"{value:.1f}" + f"\n± {width:.1f}" * bool(width), ha="center", va="center",
                    color=BLACK if value > middle else "white", fontsize=8)
        ax.set_xticks(range(len(kinds[0])), [_tick(value) for value in kinds[0]])
        ax.set_yticks(range(len(kinds[1])), [_tick(value) for value in kinds[1]])
    ax.set(xlabel=names[0], ylabel=names[1])
    fig.colorbar(shown, label="validation accuracy (%)")
    return fig


def _tick(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)
