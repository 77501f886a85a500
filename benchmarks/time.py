"""Time a training step of networks with time, of leaky neurons, against snnTorch, SpikingJelly and Norse.

Run: make bench      or: python benchmarks/time.py [--json FILE] [--threads N] [--quick]

How it measures. As benchmarks/rate.py: a process for each contender, in turns, medians of rounds, ratios within a round, and of a family
only the fastest goes on after the pilot rounds. A step takes a batch from memory and ends with new weights: forward through all steps,
loss, backward, Adam. `tutorial` is 784-1000-10 on a constant input, as the best-known tutorial of snnTorch has it: T = 25, beta = 0.95,
cross-entropy on the potentials of each step. `speech` has the shape of the Spiking Heidelberg Digits: 700 spike trains, 256 recurrent
neurons, 20 outputs, T = 100, cross-entropy on the mean potential. Peers are written as their users write them, and once more with all
products that need no spike of the same layer taken out of the loop over the steps (hoisted). Where a release has no readout that does not
fire, a loop of two operations a step stands in its place. Each peer's gradient is compared with ours for its own kind of neuron.
"""

import datetime
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pysnn import _threads, datasets, training
from pysnn.conventions import Surrogate
from pysnn.learning import surrogate
from pysnn.models import Dense, Integrate, Leaky, Model

sys.path.insert(0, str(Path(__file__).parent))     # spawned processes inherit it
import _rate_contenders as others
import rate
from _contenders import peak_mib
from _rate_contenders import Contender
from temporal import RECORDED, THREAD_VARIABLES, machine

BETA, LR, GRADIENT_TOLERANCE = 0.95, 5e-4, 1e-9
KINDS = {      # what a peer's neuron is in our words: of the hidden layer, whether the outputs are such neurons, too, comparison, surrogate
    "snntorch": ({"timing": "next", "order": "leak first"}, True, ">", Surrogate("atan", 2.0)),
    "spikingjelly": ({}, False, ">=", Surrogate("atan", 2.0)),
    "norse": ({"reset": "zero", "gain": "1 - beta"}, False, ">", Surrogate("fast_sigmoid", 1.0)),       # and a threshold 1 - beta, and
    # a gradient through its reset
}
CONTENDERS = {
    "pysnn": Contender("pysnn", "time", "pysnn", {"as": "snntorch"}),
    "snn": Contender("snnTorch", "snntorch", "users"),
    "snn hoisted": Contender("snnTorch, products taken out of the loop", "snntorch", "hoisted", {"hoisted": True}),
    "jelly s": Contender("SpikingJelly, step by step", "spikingjelly", "users"),
    "jelly m": Contender("SpikingJelly, layer by layer over all steps", "spikingjelly", "users", {"layers": True}),
    "jelly c": Contender("SpikingJelly, layer by layer, torch.compile", "spikingjelly", "users", {"layers": True, "compiled": True}),
    "jelly hoisted": Contender("SpikingJelly, layer by layer, products taken out of the loop", "spikingjelly", "hoisted",
                               {"layers": True, "hoisted": True}),
    "jelly c hoisted": Contender("SpikingJelly, the same, torch.compile", "spikingjelly", "hoisted",
                                 {"layers": True, "hoisted": True, "compiled": True}),
    "norse": Contender("Norse", "norse", "users"),
    "norse hoisted": Contender("Norse, products taken out of the loop", "norse", "hoisted", {"hoisted": True}),
    "products": Contender("bare matrix products of the step, each once", "time products", "products"),
}
SOME = ("pysnn", "snn", "jelly m", "norse hoisted", "products")           # for --quick
FULL = {"pilot": 2, "rounds": 9, "batch": 128, "rates": (0.01, 0.05), "n_check": 8,
        "growth": {"n_steps": (25, 50, 100, 200), "hidden": (128, 256, 512), "batch": (32, 128, 512), "rate": (0.01, 0.05, 0.2)}}
QUICK = {"pilot": 1, "rounds": 2, "batch": 6, "rates": (0.05,), "n_check": 4, "growth": {"n_steps": (3, 6)}}


class Task(NamedTuple):
    """A network and its input."""

    name: str
    n_steps: int
    sizes: tuple           # inputs, hidden neurons, outputs
    batch: int
    rate: float = 0.0      # share of the inputs that spike in a step; 0: a constant input

    @property
    def recurrent(self):
        """Whether the hidden neurons are recurrent, and the input has a time axis."""
        return self.rate > 0


class Job(NamedTuple):
    """What a process needs."""

    kind: str
    options: dict
    task: Task
    params: dict           # w1, b1, w2, b2, and w_rec1
    batches: list          # of (x, y); x (B, n) or (B, T, n)
    threads: int


def settings_of(task, kind, **more):
    """Return the settings of `surrogate` for a task, with a peer's kind of neurons."""
    how, fires, comparison, smooth = KINDS[kind]
    out = Leaky(BETA, **how) if fires else Integrate(BETA)
    out = Integrate(BETA) if task.recurrent else out
    model = Model((task.sizes[0],), (Dense(task.sizes[1]), Leaky(BETA, task.recurrent, **how), Dense(task.sizes[2]), out))
    more = {"dtype": "float32", "lr": LR, "batch": task.batch, "threshold": 1 - BETA if kind == "norse" else 1.0} | more
    given, over = ("steps", "mean") if task.recurrent else ("constant", "each")
    return surrogate.Settings(model, n_steps=task.n_steps, readout="potential", input=given, over=over, on="counts", fire=comparison,
                              bias=True, detach_reset=kind != "norse", surrogate=smooth.kind, slope=smooth.slope, **more)


class Ours:
    """A training step by pysnn, as `training.epochs` makes it."""

    def __init__(self, job):
        _threads.set_threads(job.threads)
        self.job, self.batches = job, job.batches
        self.run = self.begin(job.options["as"])

    def begin(self, kind, **more):
        run = training.start("surrogate", settings_of(self.job.task, kind, **more), 0, {"name": "benchmark"})
        for name, w in self.job.params.items():
            run.nets.net.params[name][...] = w
        return run

    def step(self, k):
        (x, y), run = self.batches[k % len(self.batches)], self.run
        step = run.rule.gradients(run.nets, x, y, None)
        run.optimiser.update(run.nets.net.params, step.grads, LR)
        return step.loss

    def check(self, kind, x, y):
        """Loss, gradients and share of spikes in float64, for a peer's kind of neurons."""
        run = self.begin(kind, dtype="float64")
        step = run.rule.gradients(run.nets, x, y)
        layers = run.nets.snn.forward(x.swapaxes(0, 1).astype(np.float64) if self.job.task.recurrent else x.astype(np.float64))[0]
        return {"loss": step.loss, "rate": float(layers[1].mean()), **step.grads}


class Products:
    """The matrix products of a step, as few as there can be: a constant input once, trains of spikes as dense matrices."""

    def __init__(self, job):
        _threads.set_threads(job.threads)
        task, rng = job.task, np.random.default_rng(0)
        n, hidden, out = task.sizes
        rows = task.batch * task.n_steps
        shapes = [(rows if task.recurrent else task.batch, n, hidden), (rows, hidden, out)]
        self.loops = [(task.batch, hidden, hidden)] * (task.n_steps if task.recurrent else 0)
        self.arrays = {shape: [rng.normal(size=shape[i:i + 2]).astype(np.float32) for i in (0, 1)] for shape in {*shapes, *self.loops}}
        self.shapes, self.first = shapes, shapes[0]

    def step(self, k):
        from pysnn._blas import matmul
        for shape in (*self.shapes, *self.loops):
            a, b = self.arrays[shape]
            y = matmul(a, b)
            if shape in self.shapes:
                matmul(a.T, y)
            if shape != self.first:
                matmul(y, b.T)
        if self.loops:
            rows = np.zeros((len(self.loops) * self.loops[0][0], self.loops[0][1]), np.float32)
            matmul(rows.T, rows)


class Peer:
    """What the peers share: parameters as leaves, the loss, Adam."""

    def __init__(self, job):
        self.torch, self.job, self.task, options = others.torch, job, job.task, job.options
        self.torch.set_num_threads(job.threads)
        self.hoisted, self.layers = options.get("hoisted", False), options.get("layers", False)
        self.build(self.torch.float32)
        self.batches = [self.tensors(x, y) for x, y in job.batches]
        self.optimiser = self.torch.optim.Adam(self.leaves.values(), lr=LR)
        self.run = self.torch.compile(self.loss) if options.get("compiled") else self.loss
        for k in range(4 if options.get("compiled") else 0):                 # it compiles more than once
            self.step(k)

    def build(self, dtype):
        self.dtype = dtype
        self.leaves = {name: self.torch.tensor(w.T, dtype=dtype, requires_grad=True) for name, w in self.job.params.items()}    # (out, in)
        self.make()

    def tensors(self, x, y):
        x = self.torch.tensor(np.ascontiguousarray(x.swapaxes(0, 1) if self.task.recurrent else x), dtype=self.dtype)
        return x, self.torch.tensor(y)

    def dense(self, x, k):
        return self.torch.nn.functional.linear(x, self.leaves[f"w{k}"], self.leaves[f"b{k}"])

    def loss(self, x, y):
        steps = self.potentials(x)
        cross_entropy = self.torch.nn.functional.cross_entropy
        if self.task.recurrent:
            return cross_entropy(steps.mean(dim=0), y)
        return sum(cross_entropy(v, y) for v in steps) / len(steps)

    def readout(self, current):
        """A leaky readout that does not fire; all steps of its current are there."""
        v, out = 0.0, []
        for x in current:
            v = BETA * v + x
            out.append(v)
        return self.torch.stack(out)

    def inputs(self, x):
        """Currents of the hidden neurons, step by step: at once, or each when it is its turn."""
        if self.hoisted:
            first = self.dense(x, 1)
            return iter(first) if self.task.recurrent else (first for _ in range(self.task.n_steps))
        return (self.dense(x[t] if self.task.recurrent else x, 1) for t in range(self.task.n_steps))

    def outputs(self, spikes):
        """Currents of the outputs of all steps, from a list of spikes."""
        if self.hoisted:
            return self.dense(self.torch.stack(spikes), 2)
        return self.torch.stack([self.dense(s, 2) for s in spikes])

    def step(self, k):
        loss = self.run(*self.batches[k % len(self.batches)])
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item()

    def check(self, x, y):
        """Loss and gradients in float64."""
        self.build(self.torch.float64)
        loss = self.loss(*self.tensors(x, y))
        loss.backward()
        return {"loss": loss.item(), **{name: w.grad.numpy().T for name, w in self.leaves.items()}}


class SnnTorch(Peer):
    """Neurons step by step; the outputs of the tutorial are neurons that fire, too."""

    def make(self):
        import snntorch
        beta = self.torch.tensor(BETA, dtype=self.dtype)
        spike = {"spike_grad": self.atan} if self.dtype == self.torch.float64 else {}     # theirs computes in float32
        if self.task.recurrent:
            self.hidden = snntorch.RLeaky(beta=beta, linear_features=self.task.sizes[1], **spike)
            with self.torch.no_grad():
                self.hidden.recurrent.bias.zero_()
            self.hidden.recurrent.bias.requires_grad_(False)
            del self.hidden.recurrent._parameters["weight"]           # one of ours takes its place
            self.hidden.recurrent.to(self.dtype)
            self.out = snntorch.Leaky(beta=beta, reset_mechanism="none", **spike)
        else:
            self.hidden, self.out = (snntorch.Leaky(beta=beta, **spike) for _ in range(2))

    def atan(self, x):
        torch = self.torch

        class Atan(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return (x > 0).to(x.dtype)

            @staticmethod
            def backward(ctx, grad):
                x, = ctx.saved_tensors
                return grad / (1 + (torch.pi * x) ** 2)
        return Atan.apply(x)

    def potentials(self, x):
        out, spikes = [], []
        if self.task.recurrent:
            self.hidden.recurrent.weight = self.leaves["w_rec1"]
            spk, mem = self.hidden.init_rleaky()
        else:
            mem = self.hidden.init_leaky()
        mem_out = self.out.init_leaky()
        for current in self.inputs(x):
            spk, mem = self.hidden(current, spk, mem) if self.task.recurrent else self.hidden(current, mem)
            if self.hoisted:
                spikes.append(spk)
                continue
            _, mem_out = self.out(self.dense(spk, 2), mem_out)
            out.append(mem_out)
        for current in self.outputs(spikes) if self.hoisted else ():
            _, mem_out = self.out(current, mem_out)
            out.append(mem_out)
        return self.torch.stack(out)


class SpikingJelly(Peer):
    """Neurons step by step, or layer by layer with an axis of time."""

    def make(self):
        from spikingjelly.activation_based import neuron
        from spikingjelly.activation_based import surrogate as smooth
        self.hidden = neuron.LIFNode(tau=1 / (1 - BETA), decay_input=False, v_reset=None, detach_reset=True,
                                     surrogate_function=smooth.ATan(), step_mode="m" if self.layers and not self.task.recurrent else "s")

    def potentials(self, x):
        self.hidden.reset()
        if not self.task.recurrent and self.layers:
            n = self.task.n_steps
            current = self.dense(x, 1).expand(n, -1, -1) if self.hoisted else self.dense(x.expand(n, *x.shape), 1)
            return self.readout(self.dense(self.hidden(current), 2))
        spikes, first = [], None
        if self.layers and not self.hoisted:
            first = self.dense(x, 1)
        for current in self.inputs(x) if first is None else first:
            if self.task.recurrent and spikes:
                current = current + self.torch.nn.functional.linear(spikes[-1], self.leaves["w_rec1"])
            spikes.append(self.hidden(current))
        return self.readout(self.dense(self.torch.stack(spikes), 2) if self.layers else self.outputs(spikes))


class Norse(Peer):
    """Its neuron without a synaptic current, step by step."""

    def make(self):
        from norse.torch import LIFBoxCell
        from norse.torch.functional.lif_box import LIFBoxParameters
        number = lambda v: self.torch.tensor(v, dtype=self.dtype)                 # noqa: E731
        p = number((1 - BETA) / 0.001), number(0.0), number(1 - BETA), number(0.0), "super", number(100.0)
        self.hidden = LIFBoxCell(LIFBoxParameters(*p))

    def potentials(self, x):
        spikes, state = [], None
        for current in self.inputs(x):
            if self.task.recurrent and spikes:
                current = current + self.torch.nn.functional.linear(spikes[-1], self.leaves["w_rec1"])
            s, state = self.hidden(current, state)
            spikes.append(s)
        return self.readout(self.outputs(spikes))


def serve(pipe, job):
    """Make one contender and do what the parent asks."""
    others.OURS |= {"time": Ours, "time products": Products}
    others.IN_TORCH |= {"snntorch": SnnTorch, "spikingjelly": SpikingJelly, "norse": Norse}
    others.serve(pipe, job)


def drawn(task, n_batches=2, seed=0):
    """Return weights such that some neurons fire and some do not, and batches of inputs."""
    rng = np.random.default_rng(seed)
    n, hidden, out = task.sizes
    spread = 0.25 / np.sqrt(n * task.rate) if task.recurrent else np.sqrt(1 / (3 * n))
    params = {"w1": rng.normal(0, spread, (n, hidden)), "b1": np.zeros(hidden), "b2": np.zeros(out),
              "w2": rng.normal(0, np.sqrt(1 / (3 * hidden)), (hidden, out))}
    params |= {"w_rec1": rng.normal(0, 0.5 / np.sqrt(hidden), (hidden, hidden))} if task.recurrent else {}
    y = [rng.integers(0, out, task.batch) for _ in range(n_batches)]
    if task.recurrent:
        x = [(rng.random((task.batch, task.n_steps, n)) < task.rate).astype(np.uint8) for _ in y]
    else:
        images = datasets.load("fashion-sample").x_train[:n_batches * task.batch].reshape(n_batches, task.batch, -1)
        x = list((images / np.float32(255)).astype(np.float32))
    return {name: w.astype(np.float32) for name, w in params.items()}, list(zip(x, y, strict=True))


def measured(task, sizes, threads, quick):
    """Time the contenders on one task; return a section of the record, and versions."""
    params, batches = drawn(task)
    slow = ("compiled",) if task.recurrent else ()                       # a loop of 100 steps compiles for many minutes
    jobs = {name: Job(c.kind, c.options, task, params, batches, threads) for name, c in CONTENDERS.items()
            if (name in SOME if quick else not any(c.options.get(word) for word in slow))}
    pipes, processes, versions = rate.start(jobs, serve)
    families = {name: CONTENDERS[name].family for name in jobs}
    seconds, left = rate.measure(pipes, families, sizes["pilot"], sizes["rounds"], 0.0 if quick else 0.2)
    peaks = {c: rate.answer(pipes, c, "memory") for c in pipes}
    x, y = batches[0][0][:sizes["n_check"]], batches[0][1][:sizes["n_check"]]
    checks = []
    for peer in (p for p in pipes if CONTENDERS[p].kind in KINDS and not CONTENDERS[p].options.get("compiled")):
        kind = CONTENDERS[peer].kind
        ours, theirs = rate.answer(pipes, "pysnn", "check", kind, x, y), rate.answer(pipes, peer, "check", x, y)
        worst = {key: float(np.linalg.norm(ours[key] - theirs[key]) / np.linalg.norm(theirs[key])) for key in theirs}
        checks.append({"peer": peer, "rate": ours["rate"], "worst": max(worst.values())})
        assert checks[-1]["worst"] < GRADIENT_TOLERANCE, f"pysnn and {peer} differ: {worst}"
    rate.stop(pipes, processes)
    peer, rows = rate.rows_of(seconds, left, CONTENDERS, ("users",))
    hoisted, _ = rate.rows_of(seconds, left, CONTENDERS, ("hoisted",))
    ours = seconds["pysnn"][:len(seconds[hoisted])]
    return {**task._asdict(), "peer": peer, "hoisted": hoisted, "times_faster": float(np.median(seconds[peer][:len(ours)] / ours)),
            "times_faster_hoisted": float(np.median(seconds[hoisted] / ours)), "bytes_needed": surrogate.bytes_needed(
                settings_of(task, "snntorch")), "rows": [row | peaks[row["name"]] for row in rows], "checks": checks,
            "limit": limit(task, rows)}, versions


def limit(task, rows):
    """Return what a step takes at least: the bare products, and the bytes of what must be written and read again, at 10 GB a second."""
    n, hidden, out = task.sizes
    kept = 4 * task.n_steps * task.batch * (2 * hidden + 2 * out)        # potentials and spikes of the hidden layer, twice the outputs
    moved = 4 * kept + 7 * 4 * (n * hidden + hidden * out + hidden ** 2 * task.recurrent)      # written, read, their gradients; Adam
    return {"products_s": next(row["s"] for row in rows if row["name"] == "products"), "bytes": moved, "bytes_s": moved / 1e10}


def growth(sizes, threads):
    """Time our step as one size after the other grows."""
    _threads.set_threads(threads)
    rows, base = [], Task("speech", 100, (700, 256, 20), sizes["batch"], 0.03)
    for axis, values in sizes["growth"].items():
        for value in values:
            task = base._replace(**{axis: value}) if axis != "hidden" else base._replace(sizes=(700, value, 20))
            params, batches = drawn(task)
            ours = Ours(Job("time", {"as": "snntorch"}, task, params, batches, threads))
            ours.step(0)
            times = []
            for k in range(5):
                began = time.perf_counter()
                ours.step(k)
                times.append(time.perf_counter() - began)
            rows.append({"axis": axis, "value": value, "s": float(np.median(times)), "peak_mib": peak_mib()})
    return rows


def run(threads=2, quick=False):
    """Measure everything; return the record."""
    began, environment = time.perf_counter(), {k: v for k, v in os.environ.items() if k.startswith(RECORDED)}
    sizes, where, sections, versions = (QUICK if quick else FULL), machine(), [], {}
    os.environ.update(dict.fromkeys((*THREAD_VARIABLES, "NUMBA_NUM_THREADS"), str(threads)))     # for the processes to come
    tasks = [Task("tutorial", 3 if quick else 25, (784, 20 if quick else 1000, 10), sizes["batch"]),
             *(Task("speech", 6 if quick else 100, (700, 16 if quick else 256, 20), sizes["batch"], r) for r in sizes["rates"])]
    for task in tasks:
        section, more = measured(task, sizes, threads, quick)
        sections.append(section)
        versions |= more
        show_section(section, threads)
    return {"what": "a training step of leaky networks through time", "command": "make bench", "date": datetime.date.today().isoformat(),
            "machine": where, "cpu": f"{where['cpu']}, {where['cores']} cores", "environment": environment,
            "versions": training.versions() | versions, "threads": threads, "pilot": sizes["pilot"], "rounds": sizes["rounds"],
            "sections": sections, "growth": growth(sizes, threads), "seconds": time.perf_counter() - began}


def show_section(s, threads):
    """Print the table of a task."""
    given = f"{s['rate']:.0%} of the inputs spike" if s["rate"] else "constant input"
    print(f"\n{s['name']}: {'-'.join(map(str, s['sizes']))}, T = {s['n_steps']}, batch {s['batch']}, {given}, float32, {threads} threads")
    rate.table(s)
    print(f"pysnn is {s['times_faster']:.1f} times as fast as {s['peer']}, {s['times_faster_hoisted']:.1f} times as {s['hoisted']}")
    print(f"limit: products {1e3 * s['limit']['products_s']:.1f} ms, bytes {1e3 * s['limit']['bytes_s']:.1f} ms")
    print("gradients, largest difference: " + ", ".join(f"{c['peer']} {c['worst']:.0e} (rate {c['rate']:.2f})" for c in s["checks"]),
          flush=True)


def show(record):
    """Print how our step grows, and a warning where the machine was busy."""
    for g in record["growth"]:
        print(f"{g['axis']:8s} {g['value']:<6g} {1e3 * g['s']:8.1f} ms {g['peak_mib']:7.0f} MiB")
    if record["machine"]["load"] > 0.3:
        print(f"\nWARNING: other programs were running (load {record['machine']['load']:.1f}): these figures are not to be quoted")


if __name__ == "__main__":
    rate.command(__doc__, "time.py", ("torch", "spikingjelly", "snntorch", "norse"), run, show)
