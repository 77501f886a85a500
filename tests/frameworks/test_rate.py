"""pysnn against SpikingJelly: the integrate-and-fire neuron bit for bit, its surrogate gradients, and the authors' network spike by spike.

Nothing here knows an equation of ours: trains come from their neurons, gradients from autograd. Run by `make test-frameworks`.
"""

import importlib

import numpy as np
import pytest

from pysnn import datasets
from pysnn.conventions import Rule, Surrogate
from tests.cases import ROOT
from tests.cases.installed import needed

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]

GRADIENT = 1e-10       # relative to the largest entry, float64: 15 steps of a few roundings each
ROUNDING = 0.5         # how far rounding may move a membrane, in eps times the sum of the magnitudes that have entered it, steps times up
                       # to 1152 products; errors mostly cancel: 0.13 is the most that decided a spike (printed by the test)
BENCHMARKS = str(ROOT / "benchmarks")


@pytest.fixture(scope="module")
def torch():
    return needed("torch")


@pytest.fixture(scope="module")
def jelly():
    """SpikingJelly's neurons and surrogates."""
    needed("spikingjelly.activation_based.neuron")
    return importlib.import_module("spikingjelly.activation_based")


@pytest.fixture(params=["reference", "kernels"])
def neuron(request):
    """The integrate-and-fire neuron, once by each backend."""
    if request.param == "kernels":
        needed("numba")
    return importlib.import_module(f"pysnn.{request.param}.integrate_fire")


def node(jelly, threshold, reset, mode="m", surrogate=None, detach=False):
    """Make SpikingJelly's neuron for a rule of ours."""
    return jelly.neuron.IFNode(v_threshold=threshold, v_reset=0.0 if reset == "zero" else None, step_mode=mode, detach_reset=detach,
                               surrogate_function=surrogate or jelly.surrogate.Sigmoid(), store_v_seq=False)


# ---------------------------------------------------------------------------------------------------------------- spike trains

@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_trains_are_equal_bit_for_bit(torch, jelly, neuron, dtype, reset, mode):
    """Random currents, and multiples of tenths that meet the thresholds exactly or but for rounding; over a million spikes."""
    rng, n_spikes = np.random.default_rng(4), 0
    for threshold in (0.3, 0.7, 1.0, 2.0):
        random = rng.normal(0.3 * threshold, threshold, (20, 40, 900)).astype(dtype)
        tenths = (rng.integers(-3, round(10 * threshold) + 3, (20, 40, 900)) * 0.1).astype(dtype)
        current = np.concatenate([random, tenths], axis=2)
        got, v_final, _ = neuron.forward(current, threshold, 0.0, Rule(reset=reset))
        theirs, x = node(jelly, threshold, reset, mode), torch.from_numpy(current)
        with torch.no_grad():
            ref = theirs(x) if mode == "m" else torch.stack([theirs(x_t) for x_t in x])
        np.testing.assert_array_equal(got, ref.numpy())
        np.testing.assert_array_equal(v_final, theirs.v.numpy())
        assert got.dtype == v_final.dtype == dtype and 0.1 < got.mean() < 0.9
        on = np.abs(current[0] - dtype(threshold)) <= 2 * np.finfo(dtype).eps
        assert on.sum() > 100 and got[0][on].any()                       # first currents that are the threshold, up to rounding
        n_spikes += int(got.sum())
    assert n_spikes >= 1_000_000


# -------------------------------------------------------------------------------------------------------------------- gradients

@pytest.mark.parametrize("kind, slope, name", [("atan", 2.0, "ATan"), ("sigmoid", 4.0, "Sigmoid")])
@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("threshold", [1.0, 0.7])
def test_surrogate_gradients(torch, jelly, neuron, threshold, reset, detach, kind, slope, name):
    rng = np.random.default_rng(8)
    current, v_init = rng.normal(0.3, 0.8, (15, 30, 50)), rng.normal(0, 0.5, (30, 50))
    spikes, v_final, cache = neuron.forward(current, threshold, v_init, Rule(reset=reset))
    dspikes, dv_final = rng.normal(size=spikes.shape), rng.normal(size=v_final.shape)
    assert 0.1 < spikes.mean() < 0.9
    dcurrent, dv_init = neuron.backward(dspikes, cache, dv_final, Surrogate(kind, slope), detach)

    theirs = node(jelly, threshold, reset, "s", getattr(jelly.surrogate, name)(alpha=slope), detach)
    x, v = (torch.from_numpy(a).requires_grad_() for a in (current, v_init))
    theirs.v = v
    out = torch.stack([theirs(x_t) for x_t in x])
    ((out * torch.from_numpy(dspikes)).sum() + (theirs.v * torch.from_numpy(dv_final)).sum()).backward()
    np.testing.assert_array_equal(spikes, out.detach().numpy())
    for got, ref in ((dcurrent, x.grad.numpy()), (dv_init, v.grad.numpy())):
        assert np.abs(got - ref).max() <= GRADIENT * np.abs(ref).max()
    other = neuron.backward(dspikes, cache, dv_final, Surrogate(kind, slope), not detach)[0]
    assert np.abs(other - dcurrent).max() > 1e-3 * np.abs(dcurrent).max()                              # the four conventions are four


# ----------------------------------------------------------------------------------------------------------- the authors' network

@pytest.fixture(scope="module")
def contenders(torch):
    """The contenders of the benchmark: what is compared here is what is timed there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        found = importlib.import_module("_rate_contenders")
        found.load_torch()
        yield found


def network(contenders, width, n, n_steps, threshold, reset):
    """Return the job of a network with calibrated weights on real images of the shipped sample, and the images."""
    x = datasets.load("fashion-sample").x_test[:n].reshape(n, 28, 28, 1).astype(np.float32) / np.float32(255)
    spec = contenders.fashion_spec(width)
    stages, _ = contenders.calibrated(spec, 0.2, x[:4], n_steps)
    stages = [s._replace(w=s.w * np.float32(threshold), b=None if s.b is None else s.b * np.float32(threshold)) for s in stages]
    return contenders.Job("spikingjelly", {}, spec, stages, [(x, None)], n_steps, 2, threshold, Rule(reset=reset)), x


class Exact:
    """The membrane of one layer in float64, driven by float32 spikes of one trajectory, and how far rounding can have moved it."""

    def __init__(self, torch, stage, pool):
        w, b, _ = stage
        self.torch, self.pool = torch, pool
        self.w, self.b, self.w_abs = w.double(), 0 if b is None else b.double(), w.abs()
        self.b_abs = 0 if b is None else b.abs()
        self.v = self.passed = 0
        self.seen = None, None, None                                     # the image is the same at every step

    def apply(self, x, w):
        F = self.torch.nn.functional
        x = F.max_pool2d(x, 2) if self.pool else x
        return F.conv2d(x, w, padding=1) if w.ndim == 4 else F.linear(x.flatten(1), w)

    def add(self, spikes_in):
        """Integrate one step: return V and the magnitude that has gone into it since its last reset."""
        shape = (1, -1, 1, 1) if self.w.ndim == 4 else (1, -1)
        b, b_abs = (v if isinstance(v, int) else v.reshape(shape) for v in (self.b, self.b_abs))
        if self.seen[0] is not spikes_in:
            self.seen = spikes_in, self.apply(spikes_in.double(), self.w) + b, self.apply(spikes_in, self.w_abs) + b_abs
        self.v, self.passed = self.v + self.seen[1], self.passed + self.seen[2]
        return self.v

    def reset(self, spikes, threshold, rule):
        """To zero is exact and forgets; a subtraction rounds, too."""
        if rule.reset == "zero":
            self.v, self.passed = self.v * (1 - spikes), self.passed * (1 - spikes)
        else:
            self.v, self.passed = self.v - threshold * spikes, self.passed + threshold * spikes


def as_ours(spikes):
    """(B, C, H, W) to (B, H, W, C), NumPy."""
    return np.ascontiguousarray(spikes.numpy().transpose(0, 2, 3, 1) if spikes.ndim == 4 else spikes.numpy())


@pytest.mark.parametrize("threshold, reset, n", [(1.0, "subtract", 24), (2.0, "zero", 8)])
def test_network_spike_by_spike(torch, jelly, contenders, threshold, reset, n, capsys):
    """Width 128, T = 15: every difference from SpikingJelly is a membrane within rounding of the threshold.

    First layer by layer: each of ours gets the spikes that SpikingJelly's layer before emitted, and where a train differs our membrane
    takes over theirs, so that every difference is its own. Then the whole: an image's counts can differ at a layer only where one of
    its neurons, there or before (a spike that comes a step late need not change a count), came within rounding of the threshold.
    """
    job, x = network(contenders, 128, n, 15, threshold, reset)
    limit, names = ROUNDING * np.finfo(np.float32).eps, [f"layer {k}" for k in range(1, len(job.weights) + 1)]
    theirs = contenders.Spiking(job)
    engine, layer = contenders.engine(), Layers(job)
    pools = ["", *(s.pool for s in job.weights[:-1])]
    exact = [Exact(torch, stage, pool) for stage, pool in zip(theirs.layers, pools, strict=True)]
    v, own, worst, counts, near = {}, [0] * len(names), 0.0, [0] * len(names), np.full((len(names), len(x)), np.inf)
    before = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    with torch.inference_mode():
        inputs = before
        for _, k, spikes in theirs.trains(before):
            inputs = before if k == 0 else inputs
            current = layer.current(k, as_ours(inputs))
            mine, v[k] = layer.step(v.get(k, 0.0), current)
            ref, potential = as_ours(spikes), exact[k].add(inputs)
            distance = as_ours((potential - threshold).abs() / (exact[k].passed + threshold))
            near[k] = np.minimum(near[k], distance.reshape(len(x), -1).min(axis=1))
            differs = mine != ref
            if differs.any():
                own[k] += int(differs.sum())
                worst = max(worst, float(distance[differs].max()))
                v[k] = np.where(differs, as_ours(theirs.neurons[k].node.v), v[k])
            exact[k].reset(spikes, threshold, job.rule)
            counts[k] = counts[k] + ref
            inputs = spikes
    assert all(0.02 < c.mean() / job.n_steps < 0.6 for c in counts), "a dead net says nothing"
    assert worst <= limit, f"a train differs where V is {worst / np.finfo(np.float32).eps:.1f} eps from the threshold"

    whole = engine.run(job.weights, x, job.n_steps, threshold=threshold, rule=job.rule, keep_counts=True)
    first = np.full(len(x), len(names))
    for k in reversed(range(len(names))):
        differs = (whole.layer_counts[k] != counts[k]).reshape(len(x), -1).any(axis=1)
        first[differs] = k
    for k in range(len(names)):
        assert (near[:k + 1, first == k] <= limit).any(axis=0).all(), f"{names[k]}: counts differ, and up to here nobody was near threshold"
    np.testing.assert_array_equal(whole.counts[-1], whole.layer_counts[-1])
    off = whole.counts[-1] != counts[-1]
    for got, ref in zip(whole.layer_counts, counts, strict=True):        # what follows from a difference does not tilt the whole
        assert abs(got.sum(dtype=float) - ref.sum(dtype=float)) <= 1e-3 * ref.sum() + np.sqrt(ref.sum())
    with capsys.disabled():
        n_spikes = sum(int(c.sum()) for c in counts)
        print(f"\n{engine.__name__}, threshold {threshold:g}, reset {reset}: {n_spikes} spikes; own differences by layer {own}, at most "
              f"{worst / np.finfo(np.float32).eps:.2f} eps from the threshold (images with a neuron within {ROUNDING}, by layer: "
              f"{(near <= limit).sum(axis=1).tolist()});\n  images by first layer that differs (last: none) "
              f"{np.bincount(first, minlength=len(names) + 1).tolist()}; output counts that differ: {int(off.sum())} of {off.size}")


class Layers:
    """Ours, a layer and a step at a time: currents from spikes, spikes from currents."""

    def __init__(self, job):
        self.job = job
        try:
            from pysnn.kernels import conv, integrate_fire
        except ImportError:
            from pysnn.reference import conv, integrate_fire
        from pysnn.reference import dense, pool
        self.conv, self.integrate_fire, self.dense, self.pool = conv, integrate_fire, dense, pool

    def current(self, k, s):
        """Compute the current of layer k from the spikes of the layer before."""
        stages = self.job.weights
        s = self.pool.max_pool2d_forward(s, 2)[0] if k and stages[k - 1].pool else s
        w, b, *_ = stages[k]
        y = self.conv.conv2d_forward(s, w, 1, 1)[0] if w.ndim == 4 else self.dense.dense_forward(s.reshape(len(s), -1), w)[0]
        return y if b is None else y + b

    def step(self, v, current):
        return self.integrate_fire.step(v, current, self.job.threshold, self.job.rule)
