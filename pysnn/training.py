"""The one loop. A run is plain data; `epochs` goes on from wherever it stands and yields a record an epoch."""

import time
from dataclasses import dataclass, field

import numpy as np

from . import metrics, optim


@dataclass
class Run:
    """All that a training run is made of; a checkpoint keeps it, and going on from one gives the same bits as never having stopped."""

    rule: object                 # a module of pysnn.learning
    nets: tuple
    optimiser: object
    rng: np.random.Generator
    seed: int
    data: dict = field(default_factory=dict)      # which data, for the checkpoint
    epoch: int = 0
    records: list = field(default_factory=list)


def start(rule, settings, seed=0, data=None):
    """Begin a run: draw the weights and set the optimiser to zero.

    Parameters
    ----------
    rule : module
        One of pysnn.learning.
    settings : dataclass
        Its settings.
    seed : int
        Everything random follows from it.
    data : dict, optional
        What to remember about the data: name, validation split.

    Returns
    -------
    Run
        The run, at epoch 0.
    """
    rng = np.random.default_rng(seed)
    nets = rule.build(settings, rng=rng)
    return Run(rule, nets, optim.OPTIMISERS[settings.optimiser](nets.net.params), rng, seed, data or {})


def epochs(run, train, validation=None, progress=None):
    """Train until the settings' number of epochs is reached.

    Parameters
    ----------
    run : Run
        Changed in place.
    train : (x, y)
        Training samples and labels.
    validation : (x, y), optional
        Held-out samples and labels, scored after each epoch.
    progress : callable, optional
        Wraps the range of an epoch's batches, as tqdm does.

    Yields
    ------
    dict
        The epoch's record: loss and train_accuracy (both while training, with dropped spikes), val_accuracy, val_strict, val_inclusive,
        silent, never, margin and dead_gradient by layer, n_silent (samples without any output spike while training), lr, seconds.

    Raises
    ------
    ValueError
        If there are no samples, or the loss is not finite.
    """
    x, y = train
    s = run.nets.settings
    if len(x) == 0 or len(x) != len(y):
        raise ValueError(f"train: expected as many labels as samples, and some, got {len(x)} and {len(y)}")
    schedule = optim.SCHEDULES[s.schedule]
    n_batches = -(-len(x) // s.batch)
    while run.epoch < s.epochs:
        began = time.perf_counter()
        order = run.rng.permutation(len(x))
        sums, n_silent = _Means(), 0
        for k in progress(range(n_batches)) if progress else range(n_batches):
            some = order[k * s.batch:(k + 1) * s.batch]
            step = run.rule.gradients(run.nets, x[some], y[some], run.rng)
            if not np.isfinite(step.loss):
                raise ValueError(f"the loss became {step.loss} in epoch {run.epoch + 1}, batch {k + 1}: try a smaller lr")
            lr = schedule(run.epoch * n_batches + k, s.epochs * n_batches, s.lr, s.lr_end)
            run.optimiser.update(run.nets.net.params, step.grads, lr)
            sums.add(len(some), loss=step.loss, train_accuracy=metrics.accuracy(step.z_out, y[some]).expected,
                     dead_gradient=np.array(step.stats["dead_gradient"]))
            n_silent += int(np.isinf(step.z_out).all(axis=1).sum())
        run.epoch += 1
        record = {"epoch": run.epoch, **sums.means(), "n_silent": n_silent, "lr": lr}
        x_seen, y_seen = validation if validation is not None else (x[:1000], y[:1000])
        record |= run.rule.report(run.nets, x_seen[:1000])
        if validation is not None:
            found = run.rule.score(run.nets, x_seen, y_seen)
            record |= {"val_accuracy": found.expected, "val_strict": found.strict, "val_inclusive": found.inclusive}
        record["seconds"] = time.perf_counter() - began
        run.records.append(record)
        yield record


class _Means:
    """Running means, weighted by batch size."""

    def __init__(self):
        self.n, self.sums = 0, {}

    def add(self, n, **values):
        self.n += n
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0) + n * value

    def means(self):
        return {name: (value / self.n).tolist() if isinstance(value, np.ndarray) else value / self.n for name, value in self.sums.items()}
