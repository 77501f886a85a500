"""
A neuron without jumps learns from silence
==========================================

Move one weight a little. The spike of a temporal neuron may jump, or be gone; that of a theta neuron moves a little. So a network of theta
neurons can learn from a start at which hardly any neuron fires: its pseudo-spikes, behind the end of the trial, have gradients, too.

Run: python examples/13_no_jumps.py [epochs]          (24 epochs by default, some 20 s)
"""

import sys
from importlib.util import find_spec
from itertools import pairwise

import numpy as np

from pysnn import datasets, losses, metrics
from pysnn.layers.theta import ThetaDense
from pysnn.network import Network
from pysnn.operations import OPERATIONS
from pysnn.optim import Adam, cosine

EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 24
temporal, theta = OPERATIONS["temporal"].pair(), OPERATIONS["theta"].pair()

# %%
# One weight moves
# ----------------
# Five inputs; the weight of the third goes from -3 to 3 in 200,000 steps of 3e-5. The temporal neuron is silent where the weights add up to
# less than 1, and jumps where an inhibitory input comes just in time. The trial of the theta neuron ends at 1.5: later spikes are
# pseudo-spikes.
T_IN, W, T_END = np.array([[0.2, 0.5, 0.8, 1.1, 1.6]]), np.array([1.5, 0.6, 0.0, -0.8, 1.0]), 1.5
places = np.linspace(-3, 3, 200_001)
w = np.tile(W[:, None], len(places))
w[2] = places
with np.errstate(invalid="ignore"):
    t_temporal = np.log(temporal.forward(np.exp(T_IN), w)[0][0])
    t_theta = theta.forward(T_IN, w, T_END, v_init=-1.0)[0][0]
    moved = {"temporal": np.abs(np.diff(t_temporal)), "theta": np.abs(np.diff(t_theta))}
silent = np.isinf(t_temporal).mean()
jump = moved["temporal"][np.maximum(t_temporal[1:], t_temporal[:-1]) < 3].max()       # far from where the time goes to infinity
print(f"temporal neuron: silent in {silent:.0%} of {len(places):,} places, largest jump {jump:.2f}")
print(f"theta neuron: fires in all, moves by at most {moved['theta'].max():.1e} from place to place; "
      f"{np.mean(t_theta >= T_END):.0%} are pseudo-spikes")
assert 0.2 < silent < 0.4 and jump > 0.1 and moved["theta"].max() < 3e-5 and 0.1 < np.mean(t_theta >= T_END) < 0.9

# %%
# A network that starts silent
# ----------------------------
# Points of Yin-Yang as spikes between 0 and 2, trial from 0 to 2.5. The weight of an input at t = 0, the bias, adds to the first voltage.
# With small, inhibitory weights nothing fires in time.
SIZES, END, LATE = (4, 60, 60, 3), 2.5, 2.0
data = datasets.load("yin-yang")
x_val, y_val = datasets.yin_yang_validation()
rng = np.random.default_rng(0)
params = {}
for k, (n, m) in enumerate(pairwise(SIZES), 1):
    drawn = rng.normal(-0.5 / n, 0.25 / np.sqrt(n), (n, m))
    params[f"w{k}"] = np.concatenate([drawn, np.full((1, m), -1.0)]).astype(np.float32)
net = Network([ThetaDense(params, f"w{k}", END, bias=True, v_init=-0.5) for k in range(1, len(SIZES))], params)


def spikes(x):
    """Turn points in [0, 1] into times: large values spike early."""
    return (LATE * (1 - x)).astype(np.float32)


def judge(x, y):
    """Return the accuracy, that of ordinary spikes alone, and the share of silent neurons of each layer."""
    outputs = net.forward(spikes(x))[0]
    in_trial = np.minimum(outputs[-1], END)                               # where nothing has fired by the end, all are tied: a guess
    return metrics.accuracy(outputs[-1], y).expected, metrics.accuracy(in_trial, y).expected, [np.mean(t >= END) for t in outputs]


# %%
# The loop. The first spike should be the label's, and it should come early: the second part of the loss pulls it into the trial.
BATCH, LR, BETA, EARLY = 50, 1e-2, 10.0, 0.3
adam, n_batches = Adam(params), len(data.x_train) // BATCH
history = [judge(x_val, y_val)]
for epoch in range(EPOCHS):
    for k, some in enumerate(rng.permutation(len(data.x_train)).reshape(n_batches, BATCH)):
        outputs, caches = net.forward(spikes(data.x_train[some]))
        t, y = outputs[-1], data.y_train[some]
        z = np.exp(t)
        dt = losses.softmax_t(z, y, BETA)[1] * z
        label = np.arange(BATCH), y
        dt[label] += EARLY / END * np.exp(t[label] / END) / BATCH           # of EARLY (exp(t/END) - 1), mean of the labels' spikes
        adam.update(params, net.backward(dt, caches)[1], cosine(epoch * n_batches + k, EPOCHS * n_batches, LR, LR / 100))
    history.append(judge(x_val, y_val))
    if epoch % 4 == 3 or epoch == EPOCHS - 1:
        every, ordinary, quiet = history[-1]
        print(f"epoch {epoch + 1:3d}   validation {every:.1%}, by spikes in the trial {ordinary:.1%}   silent: "
              + ", ".join(f"{q:.0%}" for q in quiet))

# %%
# The test points, once.
start, (accuracy, by_spikes, quiet) = history[0], judge(data.x_test, data.y_test)
print(f"silent before training: {', '.join(f'{q:.1%}' for q in start[2])} of the neurons of each layer")
print(f"test accuracy {accuracy:.1%}, by spikes in the trial alone {by_spikes:.1%} (before training {start[1]:.1%})")
assert min(start[2]) > 0.99 and start[1] < 0.4
assert EPOCHS < 24 or (accuracy > 0.96 and by_spikes > 0.95)

# %%
# Pictures
# --------
if find_spec("matplotlib"):
    from matplotlib.figure import Figure

    from pysnn import plots

    fig = Figure(figsize=(11, 4.2), dpi=110, layout="constrained")
    left, right = fig.subplots(1, 2)
    thin = slice(None, None, 100)
    jumps = np.flatnonzero(moved["temporal"] > 0.05)                      # a line must not bridge a jump
    left.plot(*(np.insert(x, jumps + 1, np.nan) for x in (places, t_temporal)), color="#D55E00", lw=2.5, label="temporal neuron")
    left.plot(places[thin], t_theta[thin], color="#0072B2", lw=2.5, label="theta neuron")
    left.axvspan(-3, places[np.isinf(t_temporal)].max(), color="0.85", lw=0)
    left.text(-2.9, 3.2, "temporal neuron\nsilent", va="bottom")
    left.axhline(T_END, color="0.3", ls="--", lw=1)
    left.text(2.95, T_END + 0.05, "end of the trial; above: pseudo-spikes", ha="right", fontsize=9)
    left.set(xlabel="weight of the third input", ylabel="time of the first spike", ylim=(0.7, 4), xlim=(-3, 3), title="One weight moves")
    left.legend(loc="upper right", frameon=False)
    epochs = np.arange(len(history))
    right.plot(epochs, [100 * every for every, _, _ in history], color="#0072B2", lw=2.5, label="accuracy, all spikes")
    right.plot(epochs, [100 * ordinary for _, ordinary, _ in history], color="#009E73", ls="--", lw=2.5, label="spikes in the trial alone")
    for layer, shade in enumerate(("0.2", "0.45", "0.7")):
        right.plot(epochs, [100 * quiet[layer] for _, _, quiet in history], color=shade, ls=":", lw=2,
                   label=f"silent, {('hidden layer 1', 'hidden layer 2', 'outputs')[layer]}")
    right.set(xlabel="epoch", ylabel="percent", ylim=(0, 103), title="Yin-Yang from a silent start (validation)")
    right.legend(loc="lower right", frameon=False, fontsize=9)
    print(plots.save(fig, "figures/13-no-jumps.png"))
