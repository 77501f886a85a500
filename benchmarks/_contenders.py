"""The contenders of benchmarks/temporal.py, and the process that each lives in.

They are pysnn, what others would write in PyTorch, and the best we can write with its autograd. PyTorch is imported by `load_torch`, in
the processes that need it, and not with this module.
"""

import resource
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pysnn import _blas, losses, operations, optim
from pysnn.learning import temporal

MODEL, BATCH, LATE, LR = "784-800-10", 128, 6.0, 1e-4
INF = float("inf")


class Contender(NamedTuple):
    """One row of the table."""

    text: str
    kind: str              # pysnn, numpy or blas; in PyTorch usual, temporal, relu or products
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


# ------------------------------------------------------------------------------------------------------------- in PyTorch

def load_torch():
    """Import PyTorch, which the rest of this file calls `torch`."""
    global torch
    import torch


def usual_layer(z, w, threshold=1.0):
    """The usual formulation: sort, gather the weights, two cumulative sums, first valid prefix; tensors of (B, N_in, N_out).

    z: (B, N_in), inf means no spike. w: (N_in, N_out). Returns z_out (B, N_out), inf where silent.
    """
    z_sorted, order = z.sort(dim=1)
    comes = torch.isfinite(z_sorted)
    z_next = torch.nn.functional.pad(z_sorted.detach()[:, 1:], (0, 1), value=INF)[:, :, None]
    w_sorted = w[order]
    a = w_sorted.cumsum(dim=1) - threshold
    sum_wz = (w_sorted * torch.where(comes, z_sorted, 0.0)[:, :, None]).cumsum(dim=1)
    with torch.no_grad():
        valid = (a > 0) & (sum_wz <= a * z_next) & comes[:, :, None]
        first, fires = valid.to(torch.uint8).argmax(dim=1, keepdim=True), valid.any(dim=1)
    a, sum_wz = a.gather(1, first)[:, 0], sum_wz.gather(1, first)[:, 0]
    return torch.where(fires, sum_wz / torch.where(fires, a, 1.0), INF)


def masked_layer(z, w, threshold=1.0):
    """As `usual_layer`, but autograd sees masked sums over the causal set only; faster for few outputs."""
    with torch.no_grad():
        z_sorted, order = z.sort(dim=1)
        comes = torch.isfinite(z_sorted)
        z_next = torch.nn.functional.pad(z_sorted[:, 1:], (0, 1), value=INF)
        w_sorted = torch.nn.functional.embedding(order, w)
        a = w_sorted.cumsum(dim=1) - threshold
        sum_wz = (w_sorted * torch.where(comes, z_sorted, 0.0)[:, :, None]).cumsum(dim=1)
        valid = (a > 0) & (sum_wz <= a * z_next[:, :, None]) & comes[:, :, None]
        first, fires = valid.to(torch.uint8).argmax(dim=1), valid.any(dim=1)
        causal = (z[:, :, None] < z_next.gather(1, first)[:, None, :]).to(w.dtype)
    w_causal = causal * w
    a = w_causal.sum(dim=1) - threshold
    sum_wz = torch.bmm(torch.where(torch.isfinite(z), z, 0.0)[:, None, :], w_causal)[:, 0]
    return torch.where(fires, sum_wz / torch.where(fires, a, 1.0), INF)


def two_times_layer(z, w, early, late, threshold=1.0):
    """For inputs that all fire, at one of two times: one matrix product forward, one backward."""
    sum_early = (z == early).to(w.dtype) @ w
    a_early, a_all = sum_early - threshold, w.sum(dim=0) - threshold
    sum_wz = (early - late) * sum_early + late * w.sum(dim=0)
    first = (a_early > 0) & (early * sum_early <= late * a_early)
    fires = first | (a_all > 0)
    a = torch.where(first, a_early, a_all)
    return torch.where(fires, torch.where(first, early * sum_early, sum_wz) / torch.where(fires, a, 1.0), INF)


def softmax_t(z, y, beta=10.0, z_max=1e3):
    """Cross-entropy of softmax(-beta ln z); a silent output counts as z_max and receives no gradient."""
    return torch.nn.functional.cross_entropy(-beta * torch.log(torch.where(torch.isfinite(z), z, z_max)), y)


def adam(params, kind, lr):
    """Adam in one of the ways that PyTorch offers: default, foreach or fused."""
    return torch.optim.Adam(params, lr=lr, **({} if kind == "default" else {kind: True}))


class Temporal:
    """A training step of the temporal net by autograd; layers "usual", or "two-valued" for the hidden and masked for the output layer."""

    def __init__(self, job):
        torch.set_num_threads(job.threads)
        self.usual, self.times = job.options["layers"] == "usual", (1.0, job.late)
        self.batches = [(torch.from_numpy(z), torch.from_numpy(y)) for z, y in job.batches]
        self.w = [torch.from_numpy(w).clone().requires_grad_() for w in job.params.values()]
        self.optimiser = adam(self.w, job.options["adam"], job.lr)

    def forward(self, z, weights):
        for k, w in enumerate(weights):
            z = usual_layer(z, w) if self.usual else masked_layer(z, w) if k else two_times_layer(z, w, *self.times)
        return z

    def step(self, k):
        z, y = self.batches[k % len(self.batches)]
        self.optimiser.zero_grad()
        loss = softmax_t(self.forward(z, self.w), y)
        loss.backward()
        self.optimiser.step()
        return loss.item()

    def check(self, z, y, params):
        """z_out and the gradients of the mean loss on other arrays, float32 or float64."""
        weights = [torch.from_numpy(w).clone().requires_grad_() for w in params.values()]
        z_out = self.forward(torch.from_numpy(z), weights)
        softmax_t(z_out, torch.from_numpy(y)).backward()
        return {"z_out": z_out.detach().numpy(), **{name: w.grad.numpy() for name, w in zip(params, weights, strict=True)}}


class Usual(Temporal):
    """The usual formulation, on a few samples; `seconds` extrapolates forward and backward to the batch, linearly."""

    def few(self, k, n):
        z, y = self.batches[k % len(self.batches)]
        self.optimiser.zero_grad()
        softmax_t(self.forward(z[:n], self.w), y[:n]).backward()

    def seconds(self, k, n=8):
        """Seconds that a step on the whole batch would take."""
        began = time.perf_counter()
        self.few(k, n)
        middle = time.perf_counter()
        self.optimiser.step()
        return (middle - began) * len(self.batches[0][0]) / n + time.perf_counter() - middle

    def peak(self, peak_mib, few=(4, 12)):
        """Peak memory in MiB that a step on the whole batch would take."""
        seen = []
        for n in few:
            self.few(0, n)
            seen.append(peak_mib())
        return seen[0] + (seen[1] - seen[0]) / (few[1] - few[0]) * (len(self.batches[0][0]) - few[0])


class Relu:
    """A training step of the ReLU network of the same shape: cross-entropy, Adam."""

    def __init__(self, job):
        torch.set_num_threads(job.threads)
        torch.manual_seed(0)
        (n_in, n_hidden), (_, n_out) = (w.shape for w in job.params.values())
        self.net = torch.nn.Sequential(torch.nn.Linear(n_in, n_hidden), torch.nn.ReLU(), torch.nn.Linear(n_hidden, n_out))
        self.batches = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in job.batches]
        self.optimiser = adam(self.net.parameters(), job.options["adam"], job.lr)

    def step(self, k):
        x, y = self.batches[k % len(self.batches)]
        self.optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(self.net(x), y)
        loss.backward()
        self.optimiser.step()
        return loss.item()


class TorchProducts:
    """The same five products in PyTorch."""

    def __init__(self, job):
        torch.set_num_threads(job.threads)
        self.x = [torch.from_numpy(x) for x, _ in job.batches]
        self.w1, self.w2 = (torch.from_numpy(w) for w in job.params.values())

    def step(self, k):
        x = self.x[k % len(self.x)]
        h = x @ self.w1
        dy = h @ self.w2
        dh = dy @ self.w2.T
        return x.T @ dh, h.T @ dy


OURS = {"pysnn": Pysnn, "blas": Products, "numpy": Products}
IN_TORCH = {"temporal": Temporal, "usual": Usual, "relu": Relu, "products": TorchProducts}


def torch_versions():
    """What the figures of PyTorch depend on."""
    return {"torch": torch.__version__, "torch_blas": "MKL" if torch.backends.mkl.is_available() else "other",
            "torch_cpu": torch.backends.cpu.get_cpu_capability()}


# -------------------------------------------------------------------------------------------------------------- processes

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
    versions = {}
    if job.kind == "pysnn":
        operations.backend_of("temporal")                                        # loads Numba
    elif job.kind in IN_TORCH:
        load_torch()
        versions = torch_versions()
    imported = peak_mib()
    contender, k = (OURS | IN_TORCH)[job.kind](job), 0
    peak = contender.peak(peak_mib) if hasattr(contender, "peak") else None
    pipe.send(versions)
    for what, *args in iter(pipe.recv, None):
        if what == "time":
            pipe.send([seconds(contender, k + i) for i in range(args[0] + 1)][1:])
            k += args[0] + 1
        elif what == "check":
            pipe.send(contender.check(*args))
        else:
            pipe.send({"peak_mib": peak or peak_mib(), "imports_mib": imported})
