"""Architecture and training of your own, in a few lines; and what comes out of a run."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from pysnn import data, estimators, evaluation, figures, layers, models, optim, training
from pysnn.learning import proxy, rate, surrogate, temporal
from tests.cases import tasks

RNG = np.random.default_rng(0)
X, Y = RNG.uniform(0, 1, (60, 4)), np.arange(60) % 3
IMAGES = RNG.integers(0, 256, (40, 12, 12)).astype(np.uint8)
QUICK = {"epochs": 1, "backend": "reference"}       # what makes the tests short

CANNOT = {   # what cannot be done in the lines, and why
    "residual block of several layers": "A model is a list: a connection across neurons needs a layer of your own that holds the layers "
                                        "between, some 30 lines; one around a weight layer takes 7.",
}


class Quick:
    """A learning rule whose settings let a run be short."""

    def __init__(self, rule):
        self.rule = rule

    def __getattr__(self, name):
        return getattr(self.rule, name)

    def settings_for(self, own, **chosen):
        return self.rule.settings_for(own, **{**QUICK, **chosen})


class Writer:
    """Stands for torch.utils.tensorboard.SummaryWriter."""

    def __init__(self):
        self.written = []

    def add_scalar(self, name, value, step):
        self.written.append((name, float(value), step))


SPACE = {"np": np, "data": data, "training": training, "models": models, "layers": layers, "optim": optim, "estimators": estimators,
         "evaluation": evaluation, "figures": figures, "rate": rate, "replace": replace, "copy": copy, "SummaryWriter": Writer,
         "own": data.from_arrays(X, Y), "pictures": data.from_arrays(IMAGES, np.arange(40) % 3),
         **{name: Quick(rule) for name, rule in (("temporal", temporal), ("proxy", proxy), ("surrogate", surrogate))}}
SETTINGS = {   # a method, at most so many lines, and the lines, which make settings
    "depth and width": ("temporal", 1, 'settings = temporal.settings_for(own, model="4-30-20-10-3")'),
    "bias": ("proxy", 1, "settings = proxy.settings_for(own, bias=True)"),
    "T": ("proxy", 1, "settings = proxy.settings_for(own, n_steps=6)"),
    "5x5, stride 2, no padding, temporal": ("temporal", 1, 'settings = temporal.settings_for(pictures, model="12x12x1-4c5s2p0-N-3", '
                                            'code="latency")'),
    "trainable delays": ("temporal", 1, 'settings = temporal.settings_for(own, model="4-20+synaptic-3+axonal")'),
    "5x5, stride 2, no padding, proxy": ("proxy", 1, 'settings = proxy.settings_for(pictures, model="12x12x1-4C5s2p0-3")'),
    "5x5, stride 2, no padding, surrogate": ("surrogate", 1, 'settings = surrogate.settings_for(pictures, model="12x12x1-4C5s2p0-3")'),
    "pooling before the neuron": ("proxy", 1, 'settings = proxy.settings_for(pictures, model="12x12x1-4c3-P2-B-N-3")'),
    "residual block around a weight layer": ("surrogate", 8, """
class Skip(layers.Dense):
    @property
    def w(self):
        return self.params[self.name] + np.eye(20, dtype=np.float32)
class Residual(models.Dense):
    def layer(self, site, params, state):
        return [Skip(params, site.k, site.backend)]
settings = surrogate.settings_for(own, model=[(4,), models.Dense(20), models.Neurons(), Residual(20), models.Neurons(), models.Dense(3)])
"""),
    "leaky neuron": ("surrogate", 1, 'settings = surrogate.settings_for(own, model="4-20d-L0.9-3")'),
    "learnable leak and threshold": ("surrogate", 1, 'settings = surrogate.settings_for(own, model=[(4,), models.Dense(20), '
                                     'models.Leaky(0.9, learn=("beta", "threshold")), models.Dense(3)])'),
    "recurrent layer": ("surrogate", 1, 'settings = surrogate.settings_for(own, model="4-20d-R0.9-3")'),
    "own neuron with a backward pass by hand": ("surrogate", 25, """
class Adaptive(layers.SpikingLayer):
    def __init__(self, config, first):
        self.config, self.first = config, first
    def step(self, state, x):
        v, threshold, _ = (0 * x, 1 + 0 * x, None) if state is None else state
        u = 0.9 * v + x
        s = (u >= threshold).astype(x.dtype)
        return s, (u * (1 - s), 1 + 0.9 * (threshold - 1) + 0.2 * s, u - threshold)
    def forward(self, x, rng=None, statistics=None):
        n, steps, state = self.config.n_steps, [], None
        for current in np.broadcast_to(x, (n, *x.shape)) if self.first else x.reshape(n, -1, x.shape[-1]):
            s, state = self.step(state, current)
            steps.append((s, state[2]))
        s, above = map(np.stack, zip(*steps))
        return s.reshape(-1, s.shape[-1]), (s, above)
    def backward(self, ds, cache, need_dx=True):
        (s, above), du, dv = cache, np.empty_like(cache[0]), 0
        for t in reversed(range(len(s))):
            du[t] = ds.reshape(s.shape)[t] / (1 + np.abs(above[t])) ** 2 + (1 - s[t]) * dv
            dv = 0.9 * du[t]
        return (du.sum(axis=0) if self.first else du.reshape(-1, du.shape[-1])), {}
class AdaptiveNeurons(models.Neurons):
    neurons = ("if",)
    def layer(self, site, params, state): return [Adaptive(site.config, site.first)]
settings = surrogate.settings_for(own, model=[(4,), models.Dense(20), AdaptiveNeurons(), models.Dense(3)])
"""),
    "own surrogate, integrate-and-fire": ("surrogate", 3, """
def bell(x, slope):
    return slope * np.exp(-(slope * x) ** 2)
settings = surrogate.settings_for(own, surrogate=bell)
"""),
    "own surrogate, leaky": ("surrogate", 3, """
def bell(x, slope):
    return slope * np.exp(-(slope * x) ** 2)
settings = surrogate.settings_for(own, model="4-20d-R0.9-3", surrogate=bell)
"""),
    "own loss": ("surrogate", 5, """
def absolute(y, labels):
    off = y - np.eye(3)[labels]
    return np.abs(off).mean(), np.sign(off) / off.size
settings = surrogate.settings_for(own, loss=absolute)
"""),
    "own encoding": ("temporal", 5, """
def twice(x, late):
    return late ** np.concatenate([x, 1 - x], axis=1)
settings = temporal.settings_for(own, code=twice, model="8-20-3")
"""),
    "own optimiser": ("surrogate", 10, """
class Signs:
    def __init__(self, params):
        self.state = {f"v/{name}": np.zeros_like(w) for name, w in params.items()}
    def update(self, params, grads, lr):
        for name, dw in grads.items():
            v = self.state[f"v/{name}"]
            v += 0.1 * (dw - v)
            params[name] -= lr * np.sign(v)
settings = surrogate.settings_for(own, optimiser=Signs)
"""),
    "own schedule": ("temporal", 3, """
def warm(step, n_steps, lr, lr_end):
    return lr * min(1, (step + 1) / (0.1 * n_steps))
settings = temporal.settings_for(own, schedule=warm)
"""),
    "freeze a layer": ("temporal", 1, 'settings = temporal.settings_for(own, freeze="w1")'),
    "weight decay by layer": ("surrogate", 2, 'settings = surrogate.settings_for(own, weight_decay={"w1": 1e-3, "w2": 1e-4})'),
    "weight decay by layer, temporal": ("temporal", 2, 'settings = temporal.settings_for(own, l2={"w1": 1e-3})'),
    "spike-count penalty": ("surrogate", 1, "settings = surrogate.settings_for(own, spike_cost=0.1, max_spikes=2.0)"),
    "own augmentation": ("temporal", 3, """
def noise(x, rng):
    return np.clip(x + rng.normal(0, 0.02, x.shape), 0, 1)
settings = temporal.settings_for(own, augment=noise)
"""),
    "early stopping": ("temporal", 1, "settings = temporal.settings_for(own, epochs=9, patience=2)"),
    "own metric": ("temporal", 2, "settings = temporal.settings_for(own, metric=lambda z, labels: -np.median(z.argmin(axis=1)))"),
}
RUN = ("""settings = temporal.settings_for(own)
run = training.start("temporal", settings, data=own)
rest = list(training.epochs(run, *data.held_out(own)))
""")
AFTER = {   # at most so many lines behind a trained run, the lines, and what must be so then
    "fine-tune a shipped network": (4, """
old = training.load("fashion-mnist")
few = data.from_arrays(np.pad(pictures.x_train, ((0, 0), (8, 8), (8, 8))), pictures.y_train)
run = training.start("temporal", replace(old.nets.settings, model=old.nets.settings.model.with_outputs(3), epochs=1), weights=old)
list(training.epochs(run, *data.held_out(few)))
""", "run.nets.net.params['w2'].shape == (800, 3) and 0 < abs(run.nets.net.params['w1'] - old.nets.net.params['w1']).max() < 0.1"),
    "more epochs after the end": (1, "more = list(training.epochs(run, *data.held_out(own), more=2))",
                                  "[r['epoch'] for r in more] == [2, 3] and more[0]['lr'] == more[1]['lr'] == rest[-1]['lr']"),
    "gradients by layer before clipping": (3, """
for record in run.records:
    before, after = record["grad_norm"], record["clipped_norm"]
""", "len(before) == 2 and all(a >= b > 0 for a, b in zip(before, after))"),
    "log to TensorBoard": (6, """
writer = SummaryWriter()
for record in training.epochs(run, *data.held_out(own), more=2):
    for name, value in record.items():
        if np.isscalar(value):
            writer.add_scalar(name, value, record["epoch"])
""", "('loss', run.records[2]['loss'], 3) in writer.written"),
    "copy a run": (1, "other = copy.deepcopy(run)", "(other.nets.net.params['w1'] == run.nets.net.params['w1']).all()"),
    "hidden spike times": (2, """
z, _ = run.nets.net.forward(temporal.encode_batch(run.nets, own.x_test))
times = np.log(z[0])
""", "times.shape == (12, 100) and np.isfinite(times).any()"),
    "robustness to jitter": (1, "jitter = evaluation.robustness(run.nets, *own.test, np.random.default_rng(0))['jitter']",
                             "len(jitter) > 2"),
    "checkpoint back into an estimator": (1, "again = estimators.TemporalClassifier.from_checkpoint(run)",
                                          "(again.predict(X) == run.rule.decide(temporal.predict(run.nets, own.scaled(X)))).all()"),
}


@pytest.mark.parametrize("task", SETTINGS)
def test_settings(task):
    """The lines make settings, and with these a network trains."""
    method, most, code = SETTINGS[task]
    space = tasks.run(task, most, code, dict(SPACE))
    settings = space["settings"]
    own = space["pictures" if len(settings.model.shape) == 3 else "own"]
    run = training.start(method, settings)
    before = {name: w.copy() for name, w in run.nets.net.params.items()}
    records = list(training.epochs(run, *data.held_out(own)))
    moved = {name for name, w in run.nets.net.params.items() if (w != before[name]).any()}
    assert np.isfinite(records[-1]["loss"]) and moved == before.keys() - {settings.freeze}
    assert "early" not in task or run.epoch < 9 or records[-1]["best_epoch"] > 6
    assert "metric" not in task or records[0]["val_metric"] <= 0


@pytest.mark.parametrize("task", AFTER)
def test_after(task):
    most, code, wanted = AFTER[task]
    space = tasks.run("begin", 3, RUN, dict(SPACE))
    space = tasks.run(task, most, code, space | {"X": X})
    assert eval(wanted, space)


def test_own_learning_rule():
    """The losses with all weights moved a little, and moved back, say how they should move."""
    space = tasks.run("own learning rule", 30, """
def gradients(nets, x, y, rng):
    inputs, params = rate.encode_batch(nets, x, rng), nets.net.params
    before = {name: w.copy() for name, w in params.items()}
    shift = {name: (0.05 * rng.standard_normal(w.shape)).astype(w.dtype) for name, w in params.items()}
    losses = []
    for sign in (1, -1, 0):
        for name, w in params.items():
            w[...] = before[name] + sign * shift[name]
        counts = nets.snn.run(inputs).counts[-1]
        losses.append(rate.loss_and_grad(nets.settings, counts, y)[0])
    slope = (losses[0] - losses[1]) / 0.1
    return rate.step(nets, (losses[2], counts), {name: np.float32(slope) * d for name, d in shift.items()}, {})
rule = surrogate.METHOD._replace(name="perturbed", gradients=gradients)
run = training.start(rule, rule.settings_for(own, epochs=20, batch=44, lr=0.02, backend="reference"))
records = list(training.epochs(run, *data.held_out(own)))
""", dict(SPACE))
    losses = [record["loss"] for record in space["records"]]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


def test_records_as_a_frame():
    pytest.importorskip("pandas")
    space = tasks.run("begin", 3, RUN, dict(SPACE))
    tasks.run("records as DataFrame", 1, "frame = run.to_frame()", space)
    assert space["frame"].epoch.tolist() == [1] and {"loss", "silent_1", "silent_2", "val_accuracy"} < set(space["frame"].columns)


def test_pickle_a_run():
    space = tasks.run("begin", 3, RUN, {**SPACE, "pickle": pickle})
    tasks.run("pickle", 1, "other = pickle.loads(pickle.dumps(run))", space)
    assert space["other"].records == space["run"].records


def test_film_and_accuracy_against_steps(tmp_path, monkeypatch):
    pytest.importorskip("PIL.Image")
    monkeypatch.chdir(tmp_path)
    space = tasks.run("begin", 3, RUN.replace("temporal", "proxy").replace("(own)\nrun", "(own, n_steps=3)\nrun"), dict(SPACE))
    tasks.run("film", 2, 'figures.film(run, own, sample=3).save("film.gif", "pillow")', space)
    tasks.run("accuracy against T", 1, "curve = evaluation.rate.evaluate(run.nets, *own.test, steps=(1, 2))", space)
    assert (tmp_path / "film.gif").stat().st_size > 1000 and len(space["curve"]["accuracy_at"]) == 3


def test_what_cannot_be_done_says_why():
    assert all(reason.endswith(".") and len(reason) > 40 for reason in CANNOT.values())
