"""The PyTorch side of benchmarks/rate.py: the same spiking network in SpikingJelly and in snnTorch, and the ReLU network in PyTorch.

All are built from pysnn's arrays, so that spikes and gradients can be compared. A neuron fires at V + X >= threshold and is reset in the
same step; in snnTorch at V > threshold, and at the next step before the current comes: the same trains but for V == threshold.
"""

import importlib.metadata

import numpy as np
import torch
from torch.nn import functional as F

FRAMEWORKS = ("spikingjelly", "snntorch")


def converted(stages, shape):
    """Turn pysnn's stages into PyTorch's layout.

    stages: (w, b, pool) with w (kh, kw, C_in, C_out) or (N_in, N_out), rows of the first dense one in order H, W, C. shape: (H, W, C) of
    the image. Returns a list of (weight, bias or None, pool): (C_out, C_in, kh, kw) or (N_out, N_in), columns in order C, H, W.
    """
    found = []
    for w, b, pool in stages:
        if w.ndim == 4:
            weight, shape = w.transpose(3, 2, 0, 1), (*shape[:2], w.shape[3])
        else:
            weight = w.reshape(*shape, -1).transpose(3, 2, 0, 1).reshape(w.shape[1], -1) if len(shape) == 3 else w.T
            shape = (w.shape[1],)
        found.append((torch.tensor(np.ascontiguousarray(weight)), None if b is None else torch.tensor(b), pool))
        if pool:
            shape = (shape[0] // 2, shape[1] // 2, shape[2])
    return found


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

    @torch.inference_mode()
    def counts(self, x, n_spikes=None):
        """Count the output's spikes: (B, n_out); add the spikes of each layer to a list if one is given."""
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
        from _rate_contenders import layers_of
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
        found, shape = {"loss": self.gradients(images(x, self.last).double(), torch.from_numpy(y))}, self.shape
        for name, w in self.tensors.items():
            dw = w.grad.numpy()
            found[name] = dw.transpose(2, 3, 1, 0) if w.ndim == 4 else dw.T if w.ndim == 2 else dw
        for name, pool in zip(self.names, self.pools, strict=True):
            if self.tensors[name].ndim == 4:
                shape = (*shape[:2], len(self.tensors[name]))
                shape = (shape[0] // 2, shape[1] // 2, shape[2]) if pool else shape
            else:                                                        # the first dense layer: rows from C, H, W to H, W, C
                found[name] = found[name].reshape(shape[2], *shape[:2], -1).transpose(1, 2, 0, 3).reshape(found[name].shape)
                break
        return found


KINDS = {"spikingjelly": Spiking, "snntorch": Spiking, "ann": Ann}


def versions():
    """What the figures depend on."""
    return {"torch": torch.__version__, "torch_blas": "MKL" if torch.backends.mkl.is_available() else "other",
            "torch_cpu": torch.backends.cpu.get_cpu_capability(), **{name: importlib.metadata.version(name) for name in FRAMEWORKS}}
