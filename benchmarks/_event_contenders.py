"""The contenders of benchmarks/event_prop.py, and the process that each lives in.

Each is the same network on pysnn's weights and input times: leaky neurons, tau_m = 2 tau_s, the cross-entropy of the outputs' first spikes.
JAX and PyTorch are in different environments and are imported by the classes that need them, not with this module.
"""

import contextlib
import importlib.metadata
import logging
import os
import time
from functools import partial
from multiprocessing.connection import Connection
from typing import NamedTuple

import numpy as np
from _contenders import seconds

TAU_M, BETA, LR = 2.0, 5.0, 1e-6     # a learning rate so small that the weights, and with them the work, stay as they are
T_MAX, SILENT = 20.0, np.log(1e3)    # peers look for spikes up to T_MAX; a silent output counts in the loss as one at SILENT, as in pysnn


class Contender(NamedTuple):
    """One row of the tables."""

    text: str
    kind: str                # a key of KINDS
    options: dict = {}       # noqa: RUF012


class Job(NamedTuple):
    """What a process needs."""

    contender: Contender
    settings: dict           # of pysnn, other than those of Yin-Yang
    params: dict             # w1, w2
    batches: list            # of (t, y): spike times (B, n_in), labels
    n_events: tuple          # inputs and spikes of the hidden layer in a sample at most, hidden spikes and spikes of the outputs
    threads: int             # a contender that is to have fewer says so


def begin(settings, params=None):
    """Start a training of pysnn, on given weights or on those that the settings draw."""
    from pysnn import training
    run = training.start("eventprop", training.METHODS["eventprop"].settings_for("yin-yang", **settings), 0, {"name": "benchmark"})
    for name, w in (params or {}).items():
        run.nets.net.params[name][...] = w
    return run


class Pysnn:
    """A training step of pysnn, as `training.epochs` makes it: with the encoding, the rescue of silent neurons and bounds of gradients."""

    def __init__(self, job):
        from pysnn import _threads
        _threads.set_threads(job.threads)
        self.job, self.run = job, begin(job.settings | {"lr": LR}, job.params)

    def step(self, k):
        run, (x, y) = self.run, self.job.batches[k % len(self.job.batches)]
        step = run.rule.gradients(run.nets, x, y)
        run.optimiser.update(run.nets.net.params, step.grads, run.nets.settings.lr)
        return step.loss

    def check(self, n):
        """Loss, gradients and spikes of the first n samples, on the weights of the start."""
        run, (x, y) = begin(self.job.settings | {"rescue": 0.0, "max_norm": 0.0}, self.job.params), self.job.batches[0]
        step = run.rule.gradients(run.nets, x[:n], y[:n])
        hidden = round(step.stats["spikes"][0] * n * self.job.params["w1"].shape[1])
        return {"first": -step.y, "hidden": hidden, "loss": step.loss, **step.grads}


class Jaxsnn:
    """Layered EventProp of jaxsnn; the functions that its example calls, compiled before anything is timed."""

    def __init__(self, job):
        logging.disable(logging.WARNING)
        import jax
        import optax
        from jaxsnn.event.encode import spatio_temporal_encode
        from jaxsnn.event.loss import first_spike
        from jaxsnn.event.modules import LIF, Linear, Source
        from jaxsnn.event.modules.lif.lif import LIFParameters
        from jaxsnn.event.topology import Topology
        from jaxsnn.event.training import update
        from jaxsnn.event.types import OptState
        self.jax, (n_in, n_hidden), n_out = jax, job.params["w1"].shape, job.params["w2"].shape[1]
        neuron = LIFParameters(tau_syn=1.0, tau_mem=TAU_M, v_th=1.0, v_reset=job.contender.options["v_reset"])
        net = Topology(t_max=T_MAX, backprop_method="eventprop")
        net.add({"in": Source(n_in), "w1": Linear(pre_weights=job.params["w1"]), "hidden": LIF(n_hidden, job.n_events[0], neuron),
                 "w2": Linear(pre_weights=job.params["w2"]), "out": LIF(n_out, job.n_events[1], neuron)})
        net.connect([("in", "w1"), ("w1", "hidden"), ("hidden", "w2"), ("w2", "out")])
        draw, apply = net.done()
        encode = jax.vmap(partial(spatio_temporal_encode, t_late=1.0, duplication=None, duplicate_neurons=False))
        self.batches = [({"in": encode(jax.numpy.asarray(t))}, jax.numpy.asarray(y)) for t, y in job.batches]

        def loss(params, batch):
            events = apply(batch[0], params)
            first = jax.vmap(first_spike, in_axes=(0, None))(events["out"], n_out)
            t = jax.numpy.where(jax.numpy.isfinite(first), first, SILENT)
            return optax.softmax_cross_entropy_with_integer_labels(-BETA * t, batch[1]).mean(), (first, events["hidden"].internal.sum())

        optimiser, key = optax.adam(LR), jax.random.PRNGKey(0)
        params = draw(key)
        self.start = self.state = OptState(optimiser.init(params), params, key)
        self.update = jax.jit(partial(update, optimiser, loss))
        self.step(0)                                                     # compiles

    def step(self, k):
        self.state, ((loss, _), _) = self.jax.block_until_ready(self.update(self.state, self.batches[k % len(self.batches)]))
        return float(loss)

    def check(self, n):
        """As `Pysnn.check`, for n samples of a batch of n."""
        _, ((loss, (first, hidden)), grads) = self.update(self.start, self.batches[0])
        return {"first": np.asarray(first), "hidden": int(hidden), "loss": float(loss), **{w: np.asarray(grads[w]) for w in ("w1", "w2")}}


class InTorch:
    """What the codes in PyTorch share: the weights as leaves, in pysnn's layout, the loss, Adam."""

    def __init__(self, job):
        import torch
        self.torch, self.job, options = torch, job, job.contender.options
        torch.set_num_threads(job.threads)
        few = options.get("samples", len(job.batches[0][1]))
        self.scale = len(job.batches[0][1]) / few                        # of seconds, where a step takes few samples of the batch
        self.batches = [(torch.from_numpy(t[:few]), torch.from_numpy(y[:few])) for t, y in job.batches]
        self.build(options["layer"])
        self.begin()

    def begin(self):
        self.w1, self.w2 = self.leaves = [self.torch.tensor(self.job.params[name], requires_grad=True) for name in ("w1", "w2")]
        self.optimiser = self.torch.optim.Adam(self.leaves, lr=LR)

    def with_weights(self, layer, weight, t):
        return self.torch.func.functional_call(layer, {"weight": weight}, (t,))

    def gradients(self, k):
        (x, y), torch = self.batches[k % len(self.batches)], self.torch
        hidden, first = self.times(x)
        loss = torch.nn.functional.cross_entropy(-BETA * torch.where(first < T_MAX, first, SILENT), y)
        self.optimiser.zero_grad()
        loss.backward()
        return hidden, first, loss

    def seconds(self, k):
        """Seconds of a step on the whole batch: forward and backward are proportional to the samples."""
        began = time.perf_counter()
        self.gradients(k)
        middle = time.perf_counter()
        self.optimiser.step()
        return (middle - began) * self.scale + time.perf_counter() - middle

    def check(self, n):
        """As `Pysnn.check`, for the n samples that a step takes."""
        self.begin()
        hidden, first, loss = self.gradients(0)
        first = first.detach().numpy()
        return {"first": np.where(first < T_MAX, first, np.inf), "hidden": int((hidden < T_MAX).sum()), "loss": loss.item(),
                "w1": self.w1.grad.numpy(), "w2": self.w2.grad.numpy()}


class Adjoint(InTorch):
    """Layers of exact-event-adjoint. The next layer takes each spike of a train as an input of its own, with the same weight."""

    def build(self, layer):
        import exact_event_adjoint
        (n_in, n_hidden), (_, n_out), how = *(w.shape for w in self.job.params.values()), {"tau_m": TAU_M, "tau_s": 1.0, "t_max": T_MAX}
        self.n_spikes = self.job.contender.options.get("n_spikes", 1)
        bound = {"max_spikes": self.n_spikes} if layer == "ExactAdjointMultiSpike" else {}
        self.hidden = getattr(exact_event_adjoint, layer)(n_in, n_hidden, **how, **bound)
        self.out = exact_event_adjoint.ExactAdjointLinear(n_hidden * self.n_spikes, n_out, **how)

    def times(self, x):
        hidden = self.with_weights(self.hidden, self.w1.T / TAU_M, x)    # its current is not divided by tau_m
        if hidden.ndim == 3:                                             # (n, B, K)
            hidden = hidden.transpose(0, 1).flatten(1)
        return hidden, self.with_weights(self.out, self.w2.T.repeat_interleave(self.n_spikes, dim=1) / TAU_M, hidden)


class ExactSnn(InTorch):
    """Layers of exact-snn-nn: (n, B) in and out, weights in units of the largest response, the last column for a bias, here 0."""

    def build(self, layer):
        from exact_snn import event
        shapes = (w.shape for w in self.job.params.values())
        self.layers = [getattr(event, layer)(*shape, tm=TAU_M, ts=1.0, t_max=T_MAX) for shape in shapes]

    def times(self, x):
        t, found = x.T, []
        for layer, w in zip(self.layers, self.leaves, strict=True):
            t = self.with_weights(layer, self.torch.nn.functional.pad(layer.k_peak * w.T, (0, 1)), t)
            found.append(t.T)
        return found


KINDS = {"pysnn": Pysnn, "jaxsnn": Jaxsnn, "exact-event-adjoint": Adjoint, "exact-snn-nn": ExactSnn}
PACKAGES = {"pysnn": (), "jaxsnn": ("jax", "jaxlib", "jaxsnn", "optax"), "exact-event-adjoint": ("torch", "exact-event-adjoint"),
            "exact-snn-nn": ("torch", "exact-snn-nn")}


def serve(descriptor):
    """Make one contender and do what the parent asks."""
    pipe = Connection(descriptor)
    job = pipe.recv()
    job = job._replace(threads=job.contender.options.get("threads", job.threads))
    if hasattr(os, "sched_setaffinity"):                                 # JAX counts the processors that it may use
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:job.threads])
    contender, kind, k = KINDS[job.contender.kind](job), job.contender.kind, 0
    pipe.send({name: importlib.metadata.version(name) for name in PACKAGES[kind]})
    with contextlib.suppress(EOFError):                                  # the parent has died
        for what, n in iter(pipe.recv, None):
            if what == "time":
                pipe.send([seconds(contender, k + i) for i in range(n)])
                k += n
            else:
                pipe.send(contender.check(n))
