"""Time a training step of the recipe for images, `fashion-fast` and `cifar-fast`, against PyTorch training the ReLU network alone.

Run: make bench      or: python benchmarks/deep.py [--json FILE] [--threads N] [--quick]

How it measures. As benchmarks/rate.py: a process for each contender, in turns, medians of rounds, ratios within a round, and of a family
only the fastest goes on after the pilot rounds. A step takes a batch of images from memory and ends with new weights: whitening, forward,
loss, backward, Nesterov's momentum; ours also turns and shifts the images and calibrates, PyTorch's does not. `spiking` is a step in
which the spiking network runs T steps, `ReLU` one of the first epochs of the preset `warm`. Bare matrix products of the ReLU network's
size say what a direct convolution could reach; for 3 x 3 windows ours multiplies less often (R13), and can be below that.
"""

import datetime
import os
import sys
import time
from pathlib import Path

import numpy as np

from pysnn import _threads, datasets, training
from pysnn.evaluation import operations
from pysnn.learning import proxy

sys.path.insert(0, str(Path(__file__).parent))     # spawned processes inherit it
import _rate_contenders as others
import rate
from _rate_contenders import Contender, Job
from temporal import RECORDED, THREAD_VARIABLES, machine

CONTENDERS = {
    "spiking": Contender("pysnn, proxy step, T = 4", "proxy", "spiking", {"warm": 0.0}),
    "ReLU": Contender("pysnn, step of the ReLU network alone", "proxy", "ReLU", {"warm": 1.0}),
    **{f"torch{short}": Contender(f"PyTorch, ReLU network, {text}", "recipe", "torch", {"channels_last": last, "compiled": compiled})
       for short, text, last, compiled in (("", "contiguous", False, False), (" last", "channels last", True, False),
                                           (" c", "contiguous, torch.compile", False, True),
                                           (" c last", "channels last, torch.compile", True, True))},
    "products": Contender("bare matrix products of the ReLU network's size", "products-ann", "products", {"own": True}),
}
DATA = {"fashion-fast": "fashion-mnist", "cifar-fast": "cifar10"}
GRADIENT_TOLERANCE = 1e-9
FULL = {"models": {"fashion-fast": 250, "cifar-fast": 250}, "pilot": 1, "rounds": 5, "n_check": 12}
QUICK = {"models": {"fashion-fast:8": 6}, "pilot": 1, "rounds": 2, "n_check": 6}


class Proxy:
    """A training step by pysnn, as `training.epochs` makes it."""

    def __init__(self, job):
        _threads.set_threads(job.threads)
        self.job, self.batches, self.rng, self.n = job, job.batches, np.random.default_rng(1), 0
        self.run = self.begin()

    def begin(self, **chosen):
        settings = proxy.Settings(**self.job.spec | {"warm": self.job.options["warm"]} | chosen)
        run = training.start("proxy", settings, 0, {"name": "benchmark"})
        for own, given in zip((run.nets.net.params, run.nets.state), self.job.weights, strict=True):
            for name, w in given.items():
                own[name][...] = w
        return run

    def step(self, k):
        (x, y), run = self.batches[k % len(self.batches)], self.run
        step = run.rule.gradients(run.nets, x, y, self.rng)
        run.optimiser.update(run.nets.net.params, step.grads, run.nets.settings.lr)
        run.rule.update_running_stats(run.nets, step)
        return step.loss

    def check(self, x, y):
        """Loss and gradients in float64, without augmentation, decay and the biases' own rate."""
        step = self.run.rule.gradients(self.begin(dtype="float64", bias_rate=1.0, weight_decay=0.0).nets, x, y)
        return {"loss": step.loss, **step.grads}


class Recipe:
    """A training step of the ReLU network of the recipe in PyTorch, written as its users do."""

    def __init__(self, job):
        torch, options = others.torch, job.options
        torch.set_num_threads(job.threads)
        self.job, self.settings, self.last = job, proxy.Settings(**job.spec), options.get("channels_last", False)
        self.model, self.n = self.settings.model, 0
        self.build(torch.float32)
        self.batches = [(self.images(x), torch.from_numpy(y)) for x, y in job.batches]
        s, biases = self.settings, [w for name, w in self.params.items() if name.startswith("beta")]
        groups = [{"params": [w for name, w in self.params.items() if not name.startswith("beta")]},
                  {"params": biases, "lr": s.lr * s.bias_rate, "weight_decay": s.weight_decay / s.bias_rate}]
        self.optimiser = torch.optim.SGD(groups, s.lr, s.momentum, nesterov=True, weight_decay=s.weight_decay)
        self.forward = torch.compile(self.loss) if options.get("compiled") else self.loss

    def build(self, dtype):
        params, state = self.job.weights
        self.params = {name: self.kernel(w).to(dtype).requires_grad_() for name, w in params.items()}
        self.state = {name: self.kernel(np.asarray(w)).to(dtype) for name, w in state.items() if name != "n_epochs"}
        self.scales = {k: others.torch.full_like(self.params[f"beta{k}"], spec.scale, requires_grad=False)
                       for k, spec in self.numbered() if type(spec).__name__ == "BatchNorm"}

    def numbered(self):
        """Yield specs with the number of the last weight layer."""
        k = 0
        for spec in self.model.specs:
            k += type(spec).__name__ in ("Conv", "Dense")
            yield k, spec

    def kernel(self, w):
        w = others.torch.from_numpy(np.array(w))
        return w.permute(3, 2, 0, 1).contiguous(memory_format=others._format(self.last)) if w.ndim == 4 else w.clone()

    def images(self, x, dtype=np.float32):
        return others.images(x.reshape(len(x), *self.model.shape).astype(dtype) / dtype(255), self.last)

    def loss(self, x, y):
        torch, f = others.torch, others.F
        for k, spec in self.numbered():
            kind = type(spec).__name__
            if kind == "Whiten":
                with torch.no_grad():
                    x = f.conv2d(x, self.state["filter0"], self.state["offset0"])
                    x = torch.cat([x.clamp(min=0), (-x).clamp(min=0)], dim=1)
            elif kind == "Conv":
                x = f.conv2d(x, self.params[f"w{k}"], padding=spec.padding)
            elif kind == "MaxPool":
                x = f.max_pool2d(x, spec.size)
            elif kind == "BatchNorm":
                x = f.batch_norm(x, self.state[f"mean{k}"], self.state[f"var{k}"], self.scales[k], self.params[f"beta{k}"], training=True,
                                 eps=1e-5)
            elif kind == "Neurons":
                x = x.clamp(0, 1)
            elif kind == "AvgPool":
                x = x.mean(dim=(2, 3))
            else:
                x = x @ self.params[f"w{k}"]
        return f.cross_entropy(self.settings.scale * x, y, label_smoothing=self.settings.smoothing)

    def step(self, k):
        loss = self.forward(*self.batches[k % len(self.batches)])
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item()

    def check(self, x, y):
        """Loss and gradients in float64, in pysnn's layout."""
        torch = others.torch
        self.build(torch.float64)
        loss = self.loss(self.images(x, np.float64), torch.from_numpy(y))
        loss.backward()
        return {"loss": loss.item(), **{name: (w.grad.permute(2, 3, 1, 0) if w.ndim == 4 else w.grad).numpy()
                                        for name, w in self.params.items()}}


def serve(pipe, job):
    """Make one contender, of these or of benchmarks/rate.py, and do what the parent asks."""
    others.OURS["proxy"], others.IN_TORCH["recipe"] = Proxy, Recipe
    others.serve(pipe, job)


def images(name, n):
    """Return the name of the data and batches of its training images, of the sample where it has not been fetched and for `--quick`."""
    try:
        data = datasets.load(DATA[name])
    except (KeyError, datasets.DataError):
        data = datasets.load("fashion-sample")
    return data.name, data.x_train, [(data.x_train[i:i + n], data.y_train[i:i + n].astype(np.int64)) for i in (0, n)]


def measured(name, n, sizes, threads, quick):
    """Time the contenders on one model; return a section of the record, and versions."""
    data, x_train, batches = images(name, n)
    settings = proxy.settings_for("fashion-mnist" if "fashion" in data else data, model=name, batch=n, init="kaiming")
    nets = training.start("proxy", settings, 0, {"name": data}).nets
    training.METHODS["proxy"].begin(nets, x_train[:3000])
    chosen, model = {name: value for name, value in settings.plain().items() if name != "warm"}, settings.model
    kept = ({k: w.copy() for k, w in nets.net.params.items()}, {k: np.array(w) for k, w in nets.state.items()})
    first, *layers = [token for token in (f"{model.shapes[0][0]}x{model.shapes[0][1]}x{model.shapes[0][2]}",
                                          *(f"{s.n}C3" if type(s).__name__ == "Conv" else "P2" if type(s).__name__ == "MaxPool" else ""
                                            for s in model.specs)) if token]
    jobs = {}
    for contender, c in CONTENDERS.items():
        if c.options.get("compiled") and quick:
            continue
        given = ("-".join((first, *layers)), {}) if c.kind == "products-ann" else (chosen, kept)
        jobs[contender] = Job(c.kind, c.options, *given, batches, settings.n_steps, threads)
    pipes, processes, versions = rate.start(jobs, serve)
    noise = np.random.default_rng(0)                                     # and no copies: no ties in a maximum
    x = noise.integers(0, 256, (sizes["n_check"], *batches[0][0].shape[1:])).astype(np.uint8)
    checks, y = [], batches[0][1][:sizes["n_check"]]
    for peer in (p for p in pipes if p.startswith("torch") and " c" not in p):
        ours, theirs = (rate.answer(pipes, who, "check", x, y) for who in ("ReLU", peer))
        worst = {key: float(np.linalg.norm(ours[key] - theirs[key]) / np.linalg.norm(theirs[key])) for key in theirs}
        checks.append({"peer": peer, "worst": max(worst.values())})
        assert checks[-1]["worst"] < GRADIENT_TOLERANCE, f"pysnn and {peer} differ: {worst}"
    rate.stop(pipes, processes)                                          # they hold float64 now
    pipes, processes, _ = rate.start(jobs, serve)
    seconds, left = rate.measure(pipes, {c: CONTENDERS[c].family for c in jobs}, sizes["pilot"], sizes["rounds"], 0.0 if quick else 0.2)
    peaks = {c: rate.answer(pipes, c, "memory") for c in pipes}
    rate.stop(pipes, processes)
    peer, rows = rate.rows_of(seconds, left, CONTENDERS, ("torch",))
    macs = operations.multiply_adds(model)
    return {"model": str(model), "data": data, "batch": n, "n_steps": settings.n_steps, "multiply_adds": macs, "peer": peer,
            "steps_an_epoch": -(-len(x_train) // n), "rows": [row | peaks[row["name"]] for row in rows], "checks": checks,
            "limit": limits(rows, macs, settings.n_steps)}, versions


def limits(rows, macs, n_steps):
    """Return seconds of a step at the rate of the bare products: of the ReLU network, and with the spiking forward pass."""
    products = next(row["s"] for row in rows if row["name"] == "products")
    relu = 3 * sum(macs) - macs[0]                                       # the image needs no gradient
    return {"ReLU": products, "spiking": products * (relu + n_steps * sum(macs[1:])) / relu}


def run(threads=2, quick=False):
    """Measure everything; return the record."""
    began, environment = time.perf_counter(), {k: v for k, v in os.environ.items() if k.startswith(RECORDED)}
    sizes, where, sections, versions = (QUICK if quick else FULL), machine(), [], {}
    os.environ.update(dict.fromkeys((*THREAD_VARIABLES, "NUMBA_NUM_THREADS"), str(threads)))     # for the processes to come
    for name, n in sizes["models"].items():
        section, more = measured(name, n, sizes, threads, quick)
        sections.append(section)
        versions |= more
    return {"what": "a training step of the recipe for images", "command": "make bench", "date": datetime.date.today().isoformat(),
            "machine": where, "cpu": f"{where['cpu']}, {where['cores']} cores", "environment": environment,
            "versions": training.versions() | versions, "threads": threads, "pilot": sizes["pilot"], "rounds": sizes["rounds"],
            "sections": sections, "seconds": time.perf_counter() - began}


def show(record):
    """Print the tables."""
    for section in record["sections"]:
        print(f"\n{section['model']}, batch {section['batch']}, T = {section['n_steps']}, float32, {record['threads']} threads, "
              f"{section['data']}, {section['steps_an_epoch']} steps an epoch")
        rate.table(section)
        print("at the rate of the bare products: " + ", ".join(f"{name} {s:.3f} s" for name, s in section["limit"].items()))
        print("gradients, largest difference: " + ", ".join(f"{c['peer']} {c['worst']:.0e}" for c in section["checks"]))
    if record["machine"]["load"] > 0.3:
        print(f"\nWARNING: other programs were running (load {record['machine']['load']:.1f}): these figures are not to be quoted")


if __name__ == "__main__":
    rate.command(__doc__, "deep.py", ("torch",), run, show)
