"""The contenders of benchmarks/rate.py, their weights, and the process that each lives in.

The same spiking network is here in pysnn, in SpikingJelly and in snnTorch, and the ReLU network in pysnn and in PyTorch. All are built from
pysnn's arrays, so that spikes and gradients can be compared. A neuron fires at V + X >= threshold and is reset in the same step; in
snnTorch at V > threshold, and at the next step before the current comes: the same trains but for V == threshold. PyTorch is imported by
`load_torch`, in the processes that need it, and not with this module.
"""

import importlib.metadata
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
    kind: str              # pysnn, pysnn-ann, products or products-ann; in PyTorch spikingjelly, snntorch or ann
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
    shape, layers = tuple(int(n) for n in first.split("x")), []
    for token in tokens:
        if token == "P2":
            layers[-1]["pool"] = "max"
            shape = (shape[0] // 2, shape[1] // 2, shape[2])
        elif token.endswith("C3"):
            n = int(token[:-2])
            layers.append({"w": (3, 3, shape[-1], n), "out": (*shape[:2], n), "pool": ""})
            shape = layers[-1]["out"]
        else:
            layers.append({"w": (int(np.prod(shape)), int(token)), "out": (int(token),), "pool": ""})
            shape = layers[-1]["out"]
    return layers


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
    rng, stages, activities, seen = np.random.default_rng(seed), [], [], [x]
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
        activities.append(float(np.mean(seen)))
        if layer["pool"]:
            h, w = (n // 2 * 2 for n in seen[0].shape[1:3])
            seen = [np.maximum.reduce([s[:, i:h:2, j:w:2] for i in (0, 1) for j in (0, 1)]) for s in seen]
    return stages, activities


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
        run = self.engine.run(self.job.weights, x, self.job.n_steps, threshold=self.job.threshold, rule=self.job.rule)
        return {"counts": run.counts[-1], "n_spikes": [float(n) for n in run.n_spikes]}


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


# ------------------------------------------------------------------------------------------------------------- in PyTorch

def load_torch():
    """Import PyTorch, which the rest of this file calls `torch`, and its functions, `F`."""
    global torch, F
    import torch
    from torch.nn import functional as F


def converted(stages, shape):
    """Turn pysnn's stages into PyTorch's layout.

    stages: (w, b, pool) with w (kh, kw, C_in, C_out) or (N_in, N_out), rows of the first dense one in order H, W, C. shape: (H, W, C) of
    the image. Returns a list of (weight, bias or None, pool): (C_out, C_in, kh, kw) or (N_out, N_in), columns in order C, H, W.
    """
    parts = []
    for w, b, pool, *_ in stages:
        if w.ndim == 4:
            weight, shape = w.transpose(3, 2, 0, 1), (*shape[:2], w.shape[3])
        else:
            weight = w.reshape(*shape, -1).transpose(3, 2, 0, 1).reshape(w.shape[1], -1) if len(shape) == 3 else w.T
            shape = (w.shape[1],)
        parts.append((torch.tensor(np.ascontiguousarray(weight)), None if b is None else torch.tensor(b), pool))
        if pool:
            shape = (shape[0] // 2, shape[1] // 2, shape[2])
    return parts


def images(x, channels_last=False):
    """Turn (B, H, W, C) into a tensor (B, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))).to(memory_format=_format(channels_last))


def _format(channels_last):
    return torch.channels_last if channels_last else torch.contiguous_format


def integrate(threshold, rule, mode="s"):
    """Make an integrate-and-fire layer of SpikingJelly."""
    from spikingjelly.activation_based import neuron, surrogate
    assert rule.timing == "same" and rule.fire == ">=", rule
    return neuron.IFNode(v_threshold=float(threshold), v_reset=0.0 if rule.reset == "zero" else None,
                         surrogate_function=surrogate.ATan(), step_mode=mode)


class Jelly:
    """One IFNode a layer, or its explicit-state step compiled: `reset()`, then a call a step (or one for all steps)."""

    def __init__(self, threshold, rule, mode):
        self.node = integrate(threshold, rule, "m" if mode == "m" else "s")
        self.reset, self.call = self.node.reset, self.node
        if mode == "compiled":
            self.reset, self.call, self.compiled = self.forget, self.compiled_step, compiled_if(threshold, self.node)

    def forget(self):
        self.v = None

    def compiled_step(self, x):
        spikes, self.v = self.compiled(x, torch.zeros_like(x) if self.v is None else self.v)
        return spikes


def compiled_if(threshold, node, kept={}):  # noqa: B006
    """Return SpikingJelly's step compiled by torch.compile: one function for all layers."""
    key = threshold, node.v_reset
    if key not in kept:
        from spikingjelly.activation_based import functional
        torch._dynamo.config.recompile_limit = 64
        surrogate, v_reset = node.surrogate_function, node.v_reset
        kept[key] = torch.compile(lambda x, v: functional.if_step(x, v, float(threshold), v_reset, surrogate, True))
    return kept[key]


class Snntorch:
    """One Leaky layer without leak."""

    def __init__(self, threshold, rule):
        import snntorch
        self.node = snntorch.Leaky(beta=1.0, threshold=float(threshold), reset_mechanism=rule.reset)
        self.reset()

    def reset(self):
        self.v = None

    def call(self, x):
        spikes, self.v = self.node(x, torch.zeros_like(x) if self.v is None else self.v)
        return spikes


class Spiking:
    """Inference of the spiking net: spike counts of the output. The first current is computed once."""

    def __init__(self, job):
        torch.set_num_threads(job.threads)
        self.last, self.n_steps, self.mode = job.options.get("channels_last", False), job.n_steps, job.options.get("mode", "s")
        self.batches = [images(x, self.last) for x, _ in job.batches]
        self.layers = [(w.to(memory_format=_format(self.last)) if w.ndim == 4 else w, b, pool)
                       for w, b, pool in converted(job.weights, job.batches[0][0].shape[1:])]
        if job.kind == "snntorch":
            self.neurons = [Snntorch(job.threshold, job.rule) for _ in self.layers]
        else:
            self.neurons = [Jelly(job.threshold, job.rule, self.mode) for _ in self.layers]

    def current(self, k, x):
        """Compute the current of layer k from the spikes of the layer before, pooled there."""
        w, b, _ = self.layers[k]
        if k and self.layers[k - 1][2]:
            x = (F.max_pool2d if self.layers[k - 1][2] == "max" else F.avg_pool2d)(x, 2)
        return F.conv2d(x, w, b, padding=1) if w.ndim == 4 else F.linear(x.flatten(1), w, b)

    def trains(self, x):
        """Yield step and layer and spikes (B, ...), steps outside; or, in mode m, one entry a layer with all steps (T, B, ...)."""
        for neuron in self.neurons:
            neuron.reset()
        first = self.current(0, x)
        if self.mode == "m":
            spikes = self.neurons[0].call(first.expand(self.n_steps, *first.shape))
            yield 0, 0, spikes
            for k in range(1, len(self.layers)):
                current = self.current(k, spikes.flatten(0, 1))
                spikes = self.neurons[k].call(current.unflatten(0, (self.n_steps, -1)))
                yield 0, k, spikes
            return
        for t in range(self.n_steps):
            spikes = first
            for k, neuron in enumerate(self.neurons):
                spikes = neuron.call(self.current(k, spikes) if k else first)
                yield t, k, spikes

    def counts(self, x, n_spikes=None):
        """Count the output's spikes: (B, n_out); add the spikes of each layer to a list if one is given."""
        with torch.inference_mode():
            return self.counted(x, n_spikes)

    def counted(self, x, n_spikes):
        total = 0
        for _, k, spikes in self.trains(x):
            if n_spikes is not None:
                n_spikes[k] += float(spikes.sum(dtype=torch.float64))
            if k == len(self.layers) - 1:
                total = total + (spikes.sum(dim=0) if self.mode == "m" else spikes)
        return total.numpy()

    def step(self, k):
        return self.counts(self.batches[k % len(self.batches)])

    def check(self, x):
        """Counts and total spikes of each layer on other images."""
        n_spikes = [0.0] * len(self.layers)
        return {"counts": self.counts(images(x, self.last), n_spikes), "n_spikes": n_spikes}


class Ann:
    """Forward and backward of the ReLU network: BatchNorm in training mode after each convolution, max-pooling, cross-entropy."""

    def __init__(self, job):
        torch.set_num_threads(job.threads)
        self.last = job.options.get("channels_last", False)
        self.batches = [(images(x, self.last), torch.from_numpy(y)) for x, y in job.batches]
        self.shape = job.batches[0][0].shape[1:]
        self.pools = [layer["pool"] for layer in layers_of(job.spec)]
        self.names = [name for name in job.weights if name[0] == "w"]
        stages = [(job.weights[name], None, pool) for name, pool in zip(self.names, self.pools, strict=True)]
        self.tensors = {name: w for name, (w, _, _) in zip(self.names, converted(stages, self.shape), strict=True)}
        self.tensors |= {name: torch.from_numpy(v).clone() for name, v in job.weights.items() if name[0] != "w"}
        for name, w in self.tensors.items():
            self.tensors[name] = (w.to(memory_format=_format(self.last)) if w.ndim == 4 else w).requires_grad_()

    def loss(self, x, y):
        for k, (name, pool) in enumerate(zip(self.names, self.pools, strict=True), 1):
            w = self.tensors[name]
            if w.ndim == 4:
                x = F.batch_norm(F.conv2d(x, w, padding=1), None, None, self.tensors[f"gamma{k}"], self.tensors[f"beta{k}"], training=True)
            else:
                x = F.linear(x.flatten(1), w)
            x = F.relu(x) if k < len(self.names) else x
            x = F.max_pool2d(x, 2) if pool else x
        return F.cross_entropy(x, y)

    def gradients(self, x, y):
        for w in self.tensors.values():
            w.grad = None
        loss = self.loss(x, y)
        loss.backward()
        return loss.item()

    def step(self, k):
        return self.gradients(*self.batches[k % len(self.batches)])

    def check(self, x, y):
        """Loss and gradients on other images, in pysnn's layout and in float64."""
        self.tensors = {name: w.detach().double().requires_grad_() for name, w in self.tensors.items()}
        grads, shape = {"loss": self.gradients(images(x, self.last).double(), torch.from_numpy(y))}, self.shape
        for name, w in self.tensors.items():
            dw = w.grad.numpy()
            grads[name] = dw.transpose(2, 3, 1, 0) if w.ndim == 4 else dw.T if w.ndim == 2 else dw
        for name, pool in zip(self.names, self.pools, strict=True):
            if self.tensors[name].ndim == 4:
                shape = (*shape[:2], len(self.tensors[name]))
                shape = (shape[0] // 2, shape[1] // 2, shape[2]) if pool else shape
            else:                                                        # the first dense layer: rows from C, H, W to H, W, C
                grads[name] = grads[name].reshape(shape[2], *shape[:2], -1).transpose(1, 2, 0, 3).reshape(grads[name].shape)
                break
        return grads


OURS = {"pysnn": Pysnn, "pysnn-ann": PysnnAnn, "products": Products, "products-ann": Products}
IN_TORCH = {"spikingjelly": Spiking, "snntorch": Spiking, "ann": Ann}


def torch_versions():
    """What the figures of PyTorch depend on."""
    return {"torch": torch.__version__, "torch_blas": "MKL" if torch.backends.mkl.is_available() else "other",
            "torch_cpu": torch.backends.cpu.get_cpu_capability(),
            **{name: importlib.metadata.version(name) for name in ("spikingjelly", "snntorch")}}


# -------------------------------------------------------------------------------------------------------------- processes

def serve(pipe, job):
    """Make one contender and do what the parent asks."""
    versions = {}
    if job.kind == "pysnn":
        versions = {"engine": engine().__name__}
    elif job.kind in IN_TORCH:
        load_torch()
        versions = torch_versions()
    imported = peak_mib()
    contender, k = (OURS | IN_TORCH)[job.kind](job), 0
    pipe.send(versions)
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
