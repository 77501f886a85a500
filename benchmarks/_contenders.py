"""The contenders of benchmarks/temporal.py and the process that each lives in; those written in PyTorch are in _peers.py."""

import resource
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pysnn import _blas, losses, operations, optim
from pysnn.learning import temporal

MODEL, BATCH, LATE, LR = "784-800-10", 128, 6.0, 1e-4


class Contender(NamedTuple):
    """One row of the table."""

    text: str
    kind: str              # pysnn, numpy or blas here; usual, temporal, relu or products in _peers
    inputs: str            # binary, latency, distinct or images
    options: dict = {}     # noqa: RUF012


CONTENDERS = {
    "a binary": Contender("pysnn, two input times", "pysnn", "binary"),
    "a binary dropped": Contender("pysnn, two input times, spikes dropped as in training", "pysnn", "binary", {"drop": True}),
    "a latency": Contender("pysnn, continuous input times", "pysnn", "latency"),
    "a distinct": Contender("pysnn, 784 distinct input times (worst case)", "pysnn", "distinct"),
    "b": Contender("PyTorch, usual formulation (from 8 samples x 16)", "usual", "binary", {"layers": "usual", "adam": "default"}),
    "b' default": Contender("PyTorch, our best, two input times only", "temporal", "binary", {"layers": "two-valued", "adam": "default"}),
    "b' fused": Contender("  the same, fused Adam", "temporal", "binary", {"layers": "two-valued", "adam": "fused"}),
    "c default": Contender("PyTorch ReLU network, Adam by default", "relu", "images", {"adam": "default"}),
    "c foreach": Contender("  foreach Adam", "relu", "images", {"adam": "foreach"}),
    "c fused": Contender("  fused Adam", "relu", "images", {"adam": "fused"}),
    "d pysnn": Contender("bare matrix products of the ReLU network, pysnn", "blas", "images"),
    "d numpy": Contender("  NumPy", "numpy", "images"),
    "d torch": Contender("  PyTorch", "products", "images"),
}


class Job(NamedTuple):
    """What a process needs."""

    kind: str
    options: dict
    batches: list          # of (z or x, y)
    params: dict
    sizes: tuple
    threads: int
    late: float = LATE
    lr: float = LR


class Pysnn:
    """A training step of pysnn, costs and rescaling as in the preset; as learning.temporal.gradients, but for encoding and statistics."""

    def __init__(self, job):
        self.settings = temporal.Settings(**({} if job.options.get("drop") else {"drop_in": 0.0, "drop_hidden": 0.0}))
        self.net = temporal.build(self.settings, {name: w.copy() for name, w in job.params.items()}).net
        self.batches, self.lr = job.batches, job.lr
        self.rng = np.random.default_rng(0) if job.options.get("drop") else None
        self.optimiser = optim.Adam(self.net.params)

    def step(self, k):
        z, y = self.batches[k % len(self.batches)]
        outputs, caches = self.net.forward(z, self.rng)
        loss, dz = losses.softmax_t(outputs[-1], y, self.settings.beta)
        _, grads = self.net.backward(dz, caches)
        for name, dw in grads.items():
            temporal.rescale(dw, self.settings.max_norm)
            loss += temporal.add_costs(dw, self.net.params[name], self.settings.weight_sum, self.settings.l2)
        self.optimiser.update(self.net.params, grads, self.lr)
        return loss


class Products:
    """The five matrix products of the ReLU network's step, and nothing else."""

    def __init__(self, job):
        self.matmul = _blas.matmul if job.kind == "blas" else np.matmul
        self.x, (self.w1, self.w2) = [x for x, _ in job.batches], job.params.values()

    def step(self, k):
        x = self.x[k % len(self.x)]
        h = self.matmul(x, self.w1)
        dy = self.matmul(h, self.w2)
        dh = self.matmul(dy, self.w2.T)
        return self.matmul(x.T, dh), self.matmul(h.T, dy)


def peak_mib():
    """Peak resident memory of this process. Not from getrusage where /proc is there: its figure survives exec and may be the parent's."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def seconds(contender, k):
    """Time one step, unless the contender knows better."""
    if hasattr(contender, "seconds"):
        return contender.seconds(k)
    began = time.perf_counter()
    contender.step(k)
    return time.perf_counter() - began


def serve(pipe, job):
    """Make one contender and do what the parent asks."""
    kinds, found = {"pysnn": Pysnn, "blas": Products, "numpy": Products}, {}
    if job.kind == "pysnn":
        operations.backend_of("temporal")                                        # loads Numba
    elif job.kind not in kinds:
        import _peers
        kinds, found = _peers.KINDS, _peers.versions()
    imported = peak_mib()
    contender, k = kinds[job.kind](job), 0
    peak = contender.peak(peak_mib) if hasattr(contender, "peak") else None
    pipe.send(found)
    for what, *args in iter(pipe.recv, None):
        if what == "time":
            pipe.send([seconds(contender, k + i) for i in range(args[0] + 1)][1:])
            k += args[0] + 1
        elif what == "check":
            pipe.send(contender.check(*args))
        else:
            pipe.send({"peak_mib": peak or peak_mib(), "imports_mib": imported})
