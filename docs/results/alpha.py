"""Evaluate the public weights of Comsa et al. (arXiv 1907.13223) on MNIST's test images by the alpha neuron, and record it.

Run: python docs/results/alpha.py FOLDER       writes docs/results/alpha.json, in some seconds
FOLDER holds slow_network and fast_network, of tempcoding/networks in https://github.com/google/ihmehimmeli.
Their code (Apache 2.0) says what the numbers of a file are, how a pixel becomes a spike time, and the decay, 0.181769.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

from pysnn import datasets, metrics
from pysnn.kernels import spike_times

SHA256 = {"slow_network": "66494f525c3ebf6b75e8d4a4ba39855593df49e1197f8b67a84d6b433862f435",
          "fast_network": "7bf0a3d518c3426c1fdb40997c975542d5638491c88e6e2412a2d87e96ee599b"}
PAPER = {"slow_network": 0.9796}                                         # the figure that is cited
DECAY = 0.181769


def read(path):
    """Read a network: the threshold, the times of the spikes that each layer gets beside its inputs, and the weights (N_in, N_out)."""
    if (found := hashlib.sha256(path.read_bytes()).hexdigest()) != SHA256[path.name]:
        raise SystemExit(f"{path}: expected the sha256 {SHA256[path.name]}, got {found}")
    numbers = np.array(path.read_text().split()[1:], float)              # the first word names the format
    threshold, n = numbers[0], int(numbers[1])
    sizes, n_more = numbers[2:2 + n].astype(int), int(numbers[2 + n])
    more, at, weights = numbers[3 + n:3 + n + n * n_more].reshape(n, n_more), 3 + n + n * n_more, []
    for n_in, n_out in zip(sizes + n_more, sizes[1:], strict=False):
        weights.append(np.ascontiguousarray(numbers[at:at + n_in * n_out].reshape(n_out, n_in).T))
        at += n_in * n_out
    return threshold, more, weights


def outputs(network, t):
    """Return the output spike times (N, 10) of input spike times (N, 784)."""
    threshold, more, weights = network
    for times, w in zip(more, weights, strict=False):                    # those of the last layer reach nobody
        t, _ = spike_times.alpha_forward(np.concatenate([t, np.broadcast_to(times, (len(t), len(times)))], axis=1), w, threshold, DECAY)
    return t


def main(folder):
    """Evaluate both networks."""
    data, rows = datasets.load("mnist"), []
    pixels = data.x_test.reshape(len(data.x_test), -1)
    t_in = np.where(pixels == 0, np.inf, 1 - pixels / 256)               # brightest first; black never spikes
    for name in SHA256:
        network = read(Path(folder) / name)
        t = np.concatenate([outputs(network, t_in[i:i + 500]) for i in range(0, len(t_in), 500)])
        score = metrics.accuracy(t, data.y_test)
        rows.append({"name": name, "sha256": SHA256[name], "paper": PAPER.get(name), "test": score._asdict(),
                     "n_silent": int(np.isinf(t).all(axis=1).sum()), "median_decision_time": float(np.median(t.min(axis=1)))})
        print(name, score, flush=True)
    from record import write
    write("alpha", {"command": "python docs/results/alpha.py FOLDER", "decay": DECAY, "rows": rows})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
