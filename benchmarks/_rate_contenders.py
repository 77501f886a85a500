"""The contenders of benchmarks/rate.py, their weights, and the process that each lives in; those in PyTorch are in _rate_peers.py."""

import time
from typing import NamedTuple

import numpy as np
from _contenders import peak_mib

from pysnn import _blas, _threads
from pysnn.conventions import Rule

WIDTH, BATCH, STEPS, THRESHOLD, RULE = 128, 100, 15, 1.0, Rule()


class Contender(NamedTuple):
    """One row of the tables."""

    text: str
    kind: str              # pysnn, pysnn-ann, products or products-ann here; spikingjelly, snntorch or ann in _rate_peers
    family: str            # of a family the fastest goes on after the pilot rounds
    options: dict = {}     # noqa: RUF012


def _formats(prefix, text, kind, **options):
    return {f"{prefix}{short}": Contender(f"{text}, {name}", kind, prefix.split()[0], {"channels_last": last, **options})
            for short, name, last in (("", "contiguous", False), (" last", "channels last", True))}


def _products(kind):
    text = "bare matrix products of the same size"
    return {"products": Contender(f"{text}, NumPy's threads", kind, "products"),
            "products own": Contender(f"{text}, one of NumPy's on each of pysnn's threads", kind, "products", {"own": True})}


INFERENCE = {
    "pysnn": Contender("pysnn, streaming", "pysnn", "pysnn"),
    **_formats("jelly s", "SpikingJelly, step by step", "spikingjelly", mode="s"),
    **_formats("jelly m", "SpikingJelly, layer by layer over all steps", "spikingjelly", mode="m"),
    **_formats("jelly c", "SpikingJelly, step by step, its neuron compiled by torch.compile", "spikingjelly", mode="compiled"),
    **_formats("torch snn", "snnTorch, step by step", "snntorch"),
    **_products("products"),
}
TRAINING = {
    "pysnn": Contender("pysnn", "pysnn-ann", "pysnn"),
    **_formats("torch", "PyTorch", "ann"),
    **_products("products-ann"),
}


class Job(NamedTuple):
    """What a process needs."""

    kind: str
    options: dict
    spec: str
    weights: object        # list of Stage for inference, dict of parameters for training
    batches: list          # of (x, y), x (B, H, W, C)
    n_steps: int
    threads: int
    threshold: float = THRESHOLD
    rule: Rule = RULE


def fashion_spec(width):
    """Return the authors' architecture for Fashion-MNIST at any width; theirs is 128."""
    w = width
    return f"28x28x1-{w}C3-{w}C3-P2-{w}C3-P2-{20 * w}-{9 * w}-{2 * w}-10"


def layers_of(spec):
    """Return the weight layers of a spec as dicts: shape of the weights, shape of the output before pooling, whether pooling follows."""
    first, *tokens = spec.split("-")
    shape, found = tuple(int(n) for n in first.split("x")), []
    for token in tokens:
        if token == "P2":
            found[-1]["pool"] = "max"
            shape = (shape[0] // 2, shape[1] // 2, shape[2])
        elif token.endswith("C3"):
            n = int(token[:-2])
            found.append({"w": (3, 3, shape[-1], n), "out": (*shape[:2], n), "pool": ""})
            shape = found[-1]["out"]
        else:
            found.append({"w": (int(np.prod(shape)), int(token)), "out": (int(token),), "pool": ""})
            shape = found[-1]["out"]
    return found


def multiply_adds(spec):
    """Return the multiply-adds of each weight layer for one image and one pass."""
    return [int(np.prod(layer["w"]) * np.prod(layer["out"][:-1])) for layer in layers_of(spec)]


# ----------------------------------------------------------------------------------------------------------------- weights

def draw(layer, rng):
    """Draw weights from U(+-1/sqrt(fan_in))."""
    bound = 1 / np.sqrt(np.prod(layer["w"][:-1]))
    return rng.uniform(-bound, bound, layer["w"]).astype(np.float32)


def random_params(spec, seed=0):
    """Return parameters of the ReLU network, named as in pysnn.models: w1, gamma1, beta1, ..."""
    rng, params = np.random.default_rng(seed), {}
    for k, layer in enumerate(layers_of(spec), 1):
        params[f"w{k}"] = draw(layer, rng)
        if len(layer["w"]) == 4:
            params[f"gamma{k}"] = np.ones(layer["w"][-1], np.float32)
            params[f"beta{k}"] = np.zeros(layer["w"][-1], np.float32)
    return params


def calibrated(spec, activity, x, n_steps=STEPS, seed=0):
    """Draw weights and scale them, layer by layer, until each fires about as often as asked on these images.

    spec: architecture. activity: spikes a step and neuron. x: (B, H, W, C) images, few. A convolution is normalised channel by channel as
    BatchNorm would and then scaled by one gamma, with beta = 0 (folded into w and b); a dense layer is scaled. "Synthetic": no training.
    Returns stages and the activity of each.
    """
    from pysnn.reference.spiking import Stage
    rng, stages, found, seen = np.random.default_rng(seed), [], [], [x]
    for layer in layers_of(spec):
        w, b = draw(layer, rng), None
        if w.ndim == 4:
            currents = [convolve(s, w) for s in seen]
            all_currents = np.stack(currents).reshape(-1, w.shape[-1])
            mean, scale = all_currents.mean(axis=0), 1 / (all_currents.std(axis=0) + 1e-5)
            currents = [(c - mean) * scale for c in currents]
        else:
            currents = [s.reshape(len(s), -1) @ w for s in seen]
            mean, scale = 0.0, 1 / np.float32(np.std(currents) + 1e-5)
            currents = [c * scale for c in currents]
        gamma = scaled(currents, activity, n_steps)
        w *= (scale * gamma).astype(np.float32)
        if w.ndim == 4:
            b = (-mean * scale * gamma).astype(np.float32)
        seen = fire(currents, gamma, n_steps)
        stages.append(Stage(w, b, layer["pool"]))
        found.append(float(np.mean(seen)))
        if layer["pool"]:
            h, w = (n // 2 * 2 for n in seen[0].shape[1:3])
            seen = [np.maximum.reduce([s[:, i:h:2, j:w:2] for i in (0, 1) for j in (0, 1)]) for s in seen]
    return stages, found


def convolve(x, w):
    """Correlate (B, H, W, C) with (3, 3, C, C_out), padding 1."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), (3, 3), (1, 2))
    rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, w[..., 0].size)
    return _blas.matmul(rows, w.reshape(rows.shape[1], -1)).reshape(*x.shape[:3], -1)


def fire(currents, gamma, n_steps):
    """Return the spikes of each step for currents of each step, or one current for all."""
    v, spikes = np.zeros_like(currents[0]), []
    for t in range(n_steps):
        v += np.float32(gamma) * currents[t if len(currents) > 1 else 0]
        spikes.append((v >= THRESHOLD).astype(np.float32))
        v -= np.float32(THRESHOLD) * spikes[-1]
    return spikes


def scaled(currents, activity, n_steps):
    """Return the factor that makes these currents give this activity, by bisection."""
    low, high = np.log(1e-3), np.log(1e3)
    for _ in range(16):
        middle = (low + high) / 2
        low, high = (middle, high) if np.mean(fire(currents, np.exp(middle), n_steps)) < activity else (low, middle)
    return np.float32(np.exp((low + high) / 2))


# -------------------------------------------------------------------------------------------------------------- contenders

def engine():
    """Return the module of the streaming engine: Numba's, or the reference where Numba is missing."""
    try:
        from pysnn.kernels import spiking
    except ImportError:
        from pysnn.reference import spiking
    return spiking


class Pysnn:
    """Inference of the spiking net by pysnn: counts of the output."""

    def __init__(self, job):
        _threads.set_threads(job.threads)
        self.job, self.engine = job, engine()

    def step(self, k):
        return self.check(self.job.batches[k % len(self.job.batches)][0])["counts"]

    def check(self, x):
        found = self.engine.run(self.job.weights, x, self.job.n_steps, threshold=self.job.threshold, rule=self.job.rule)
        return {"counts": found.counts[-1], "n_spikes": [float(n) for n in found.n_spikes]}


class PysnnAnn:
    """Forward and backward of the ReLU network by pysnn, BatchNorm in training mode, cross-entropy."""

    def __init__(self, job):
        from pysnn import models
        _threads.set_threads(job.threads)
        self.job, self.net, self.batches = job, models.build(job.spec, "relu", job.weights), job.batches

    def gradients(self, x, y):
        from pysnn import losses
        outputs, caches = self.net.forward(x, statistics="batch")
        loss, dy = losses.cross_entropy(outputs[-1], y)
        return {"loss": float(loss), **self.net.backward(dy, caches)[1]}

    def step(self, k):
        return self.gradients(*self.batches[k % len(self.batches)])["loss"]

    def check(self, x, y):
        """Loss and gradients on other images, in float64: in float32 a rounding moves a unit across its kink now and then."""
        from pysnn import models
        self.net = models.build(self.job.spec, "relu", {name: w.astype(np.float64) for name, w in self.job.weights.items()})
        return self.gradients(x.astype(np.float64), y)


class Products:
    """The multiply-adds of one batch as bare matrix products, some images at a time, and nothing else.

    Inference: every layer n_steps times, the first once. Training: forward, then gradients of weights and inputs, but of no image.
    """

    def __init__(self, job, some=8):
        _threads.set_threads(job.threads)
        rng, self.work, n = np.random.default_rng(0), [], len(job.batches[0][0])
        self.threads, self.own = job.threads, job.options.get("own", False)
        for k, layer in enumerate(layers_of(job.spec)):
            n_in, places = int(np.prod(layer["w"][:-1])), int(np.prod(layer["out"][:-1]))
            rows = min(n, some) * places if places > 1 else n
            repeats = n * places / rows * (1 if k == 0 or job.kind == "products-ann" else job.n_steps)
            a, w, dy = (rng.random(s, np.float32) for s in ((rows, n_in), (n_in, layer["w"][-1]), (rows, layer["w"][-1])))
            self.add(a, w, repeats)
            if job.kind == "products-ann":
                self.add(a.T, dy, repeats)
                if k:
                    self.add(dy, w.T, repeats)

    def add(self, a, b, repeats):
        outs = [np.empty((a.shape[0], b.shape[1]), np.float32) for _ in range(self.threads if self.own else 1)]
        self.work.append((a, b, outs, max(1, round(repeats))))

    def step(self, k):
        for a, b, outs, repeats in self.work:
            if not self.own:
                multiply(a, b, outs[0], repeats)
            elif repeats < self.threads:
                _blas.matmul(a, b)
            else:
                with _blas.one_thread():
                    shares = [repeats // self.threads + (i < repeats % self.threads) for i in range(self.threads)]
                    _threads.spread(lambda out, n, a=a, b=b: multiply(a, b, out, n), list(zip(outs, shares, strict=True)))


def multiply(a, b, out, repeats):
    """Multiply a by b, again and again."""
    for _ in range(repeats):
        np.matmul(a, b, out=out)


def serve(pipe, job):
    """Make one contender and do what the parent asks."""
    kinds, found = {"pysnn": Pysnn, "pysnn-ann": PysnnAnn, "products": Products, "products-ann": Products}, {}
    if job.kind == "pysnn":
        found = {"engine": engine().__name__}
    elif job.kind not in kinds:
        import _rate_peers
        kinds, found = _rate_peers.KINDS, _rate_peers.versions()
    imported = peak_mib()
    contender, k = kinds[job.kind](job), 0
    pipe.send(found)
    for what, *args in iter(pipe.recv, None):
        if what == "time":
            times = []
            for _ in range(args[0]):
                began = time.perf_counter()
                contender.step(k)
                times.append(time.perf_counter() - began)
                k += 1
            pipe.send(times)
        elif what == "check":
            pipe.send(contender.check(*args))
        else:
            pipe.send({"peak_mib": peak_mib(), "imports_mib": imported})
