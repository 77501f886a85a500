"""The gradients of every weight and input of a deep temporal net, by four witnesses; and the faults they must catch."""

from itertools import pairwise

import numpy as np
import pytest

from pysnn import losses, verify
from pysnn.reference import temporal
from pysnn.verify.zoo import FAULTS
from tests.cases.tolerances import tol

INF = np.inf
SIZES = (6, 8, 5, 3)
THRESHOLD = 1.0


@pytest.fixture
def op(temporal_neuron):
    """The temporal neuron of each backend."""
    return temporal_neuron


def random_net(seed, batch=3, two_times=False, silent_input=False):
    """Draw a net whose layers are alive: some neurons fire and some do not, and every layer passes something on."""
    rng = np.random.default_rng(seed)
    z_in = rng.choice([1.0, 6.0], (batch, SIZES[0])) if two_times else np.exp(rng.uniform(0, 2, (batch, SIZES[0])))
    if silent_input:
        z_in[0, 1] = INF
    weights = [rng.normal(1.6 / n, 1.5 / np.sqrt(n), (n, m)) for n, m in pairwise(SIZES)]
    return z_in, *weights


NETS = {"continuous": random_net(540), "two times": random_net(118, two_times=True),
        "silent input": random_net(39, silent_input=True)}       # seeds of nets that are alive, see args


@pytest.fixture(params=list(NETS))
def args(request):
    """One of the nets, asserted to be alive."""
    args = NETS[request.param]
    net = verify.temporal.chain(temporal, THRESHOLD)
    _, (z, _) = net.forward(*args)
    for layer in z[1:]:
        alive = np.isfinite(layer)
        assert 0 < alive.mean() < 1
        assert (alive.any(axis=0) & ~alive.all(axis=0)).any()           # a neuron fires for one sample, not for another
    return args


# ------------------------------------------------------------------------------------------------------- four witnesses

def test_differences(op, args):
    net = verify.temporal.chain(op, THRESHOLD)
    report = verify.gradcheck(net.forward, net.backward, args, trace=net.trace, n=None)
    report.raise_if_failed()
    for row, x in zip(report.rows[::2], args, strict=True):
        assert row.checked + row.at_inf == x.size                       # every input and every weight, none left out


def test_complex_step(op, args):
    verify.temporal.complex_step_check(op, args[0], args[1:], THRESHOLD).raise_if_failed()


def test_shift_identity(op, args):
    net = verify.temporal.chain(op, THRESHOLD)
    assert verify.temporal.shift_identity(net.forward, net.backward, args) < tol("identity")
    assert verify.temporal.shift_identity(op.forward, op.backward, args[:2]) < tol("identity")


def test_homogeneity(op, args):
    net = verify.temporal.chain(op, THRESHOLD)
    z_out, cache = net.forward(*args)
    dz_out = np.where(np.isfinite(z_out), np.random.default_rng(0).normal(size=z_out.shape), 0)
    z, dz = net.layers(dz_out, cache)
    assert len(z) == len(SIZES)
    assert np.abs(dz[0]).max() > 0
    assert verify.temporal.homogeneity(z, dz) < tol("identity")


def test_definition(op, args):
    z = args[0]
    for w in args[1:]:
        z_out, _ = op.forward(z, w, THRESHOLD)
        assert verify.temporal.check_definition(z, w, z_out, THRESHOLD).ok
        z = z_out


@pytest.mark.parametrize("threshold", [0.3, 0.7, 2.0])
def test_other_thresholds(op, threshold):
    rng = np.random.default_rng(4)
    z_in, w = np.exp(rng.uniform(0, 2, (3, 6))), threshold * rng.normal(0.25, 0.6, (6, 5))
    z_out, _ = op.forward(z_in, w, threshold)
    assert 0 < np.isfinite(z_out).mean() < 1
    assert verify.temporal.check_definition(z_in, w, z_out, threshold).ok
    net = verify.temporal.chain(op, threshold)
    verify.gradcheck(net.forward, net.backward, (z_in, w), trace=net.trace, n=None).raise_if_failed()
    verify.temporal.complex_step_check(op, z_in, [w], threshold).raise_if_failed()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_thousands_of_neurons_meet_the_definition(op, dtype):
    rng = np.random.default_rng(6)
    n_fired = n_silent = 0
    for n_in in (1, 2, 5, 20):
        z_in, w = np.exp(rng.uniform(0, 2, (500, n_in))), rng.normal(1 / n_in, 1 / np.sqrt(n_in), (n_in, 4))
        z_in[::2] = np.ceil(z_in[::2])                                  # many equal times
        z_in[rng.random(z_in.shape) < 0.1] = INF
        z_in, w = z_in.astype(dtype), w.astype(dtype)
        z_out, _ = op.forward(z_in, w)
        found = verify.temporal.check_definition(z_in, w, z_out)
        assert found.ok, found
        n_fired, n_silent = n_fired + found.n_fired, n_silent + found.n_silent
    assert min(n_fired, n_silent) > 1000


def test_gradient_of_the_loss_through_the_net(op):
    """Loss and net together: the composed gradient of every weight and input."""
    args = NETS["continuous"]
    net, y = verify.temporal.chain(op, THRESHOLD), np.array([0, 1, 2])

    def forward(*args):
        z_out, cache = net.forward(*args)
        loss, dz_out = losses.softmax_t(z_out, y, beta=1.0)          # softmax_z would saturate here
        return loss, (dz_out, cache)

    def trace(args, out, cache):
        return net.trace(args, out, cache[1])
    report = verify.gradcheck(forward, lambda d, cache: net.backward(d * cache[0], cache[1]), args, trace=trace, n=None)
    report.raise_if_failed()


# ---------------------------------------------------------------------------------------------------------- bug zoo

def test_zoo_is_described():
    here = {name for name, fault in FAULTS.items() if fault.operation in ("temporal", "softmax_z")}
    assert here == {"xor_causal_set", "softmax_sign", "denominator_all_weights", "unsorted_inputs"}
    for name, fault in FAULTS.items():
        assert fault.name == name and fault.description
        assert fault.source in ("public thread", "public library", "synthetic")
    assert {FAULTS[name].caught_by for name in here} == {"gradcheck", "definition"}


@pytest.mark.parametrize("name", ["xor_causal_set", "unsorted_inputs"])
def test_faults_of_forward_are_caught_by_the_definition(op, args, name):
    faulty = FAULTS[name].inject(op)
    z_out, _ = faulty.forward(args[0], args[1], THRESHOLD)
    assert not verify.temporal.check_definition(args[0], args[1], z_out, THRESHOLD).ok
    shown = verify.compare(lambda *a: faulty.forward(*a)[0], lambda *a: op.forward(*a)[0], args[:2], names=["z_out"])
    assert not shown.ok


def test_xor_gets_every_neuron_wrong_that_fires(op):
    args = NETS["continuous"]
    z_out, _ = op.forward(*args[:2])
    wrong, _ = FAULTS["xor_causal_set"].inject(op).forward(*args[:2])
    assert (wrong != z_out)[np.isfinite(z_out)].all()


def test_wrong_denominator_is_caught_by_gradcheck(op, args):
    faulty = FAULTS["denominator_all_weights"].inject(op)
    report = verify.gradcheck(faulty.forward, faulty.backward, args[:2], n=8)
    assert report.row("z_in").verdict == report.row("w").verdict == "WRONG"
    assert not verify.temporal.complex_step_check(faulty, args[0], args[1:], THRESHOLD).ok
    assert verify.temporal.shift_identity(faulty.forward, faulty.backward, args[:2]) > 0.01
    net = verify.temporal.chain(faulty, THRESHOLD)
    report = verify.gradcheck(net.forward, net.backward, args, trace=net.trace, n=8)
    assert report.row("weights[0]").verdict == report.row("z_in").verdict == "WRONG"


def softmax_z(z, y):
    """A tiny right loss without silent outputs."""
    p = np.exp(-z) / np.exp(-z).sum(axis=1, keepdims=True)
    hot = np.eye(z.shape[1])[y]
    return float(-np.log(p[hot > 0]).mean()), (hot - p) / len(z)


@pytest.mark.parametrize("loss", [softmax_z, losses.softmax_z])
def test_reversed_sign_of_the_loss_is_caught_by_gradcheck(loss):
    z, y = np.exp(np.random.default_rng(7).uniform(0, 2, (4, 3))), np.array([0, 1, 2, 0])

    def check(function):
        return verify.gradcheck(lambda z: function(z, y), lambda d, dz: d * dz, (z,))
    check(loss).raise_if_failed()
    report = check(FAULTS["softmax_sign"].inject(loss))
    assert report.row("z").verdict == "WRONG"
    assert report.row("z").n_wrong == z.size


# -------------------------------------------------------------------------------------------- the witnesses themselves

def test_example_worked_by_hand(op):
    """The test vector of the derivation: t = [0, 1, 2], w = [.8, .6, -.3]."""
    z_in, w = np.exp([[0.0, 1.0, 2.0]]), np.array([[0.8], [0.6], [-0.3]])
    z_out, _ = op.forward(z_in, w)
    np.testing.assert_allclose(z_out, 6.077422742688569, rtol=tol("worked example"))
    v = verify.temporal.membrane(np.array([[0.0, 1.0, 1.8045807151057172, INF]]), z_in, w)[0, :, 0]
    np.testing.assert_allclose(v, [0, 0.8 * (1 - np.exp(-1)), 1, 1.1], rtol=tol("worked example"))
    assert verify.temporal.causal_sets(z_in, z_out)[0, :, 0].tolist() == [True, True, False]


def test_an_input_far_behind_the_spike_overflows_nothing(op):
    """Outside the causal set z_in may be as large as numbers go, and the margin as small; the gradient is 0, without a warning."""
    z_in, w = np.array([[1.0, 1e300, INF]]), np.array([[1.0 + 2.0**-50], [0.5], [0.5]])
    z_out, cache = op.forward(z_in, w)
    dz_in, dw = op.backward(np.ones_like(z_out), cache)
    assert z_out[0, 0] == pytest.approx(2.0**50) and dz_in[0, 0] > 1e15 and dw[0, 0] < -1e30
    assert (dz_in[0, 1:] == 0).all() and (dw[1:] == 0).all()


@pytest.mark.parametrize("change", [lambda z: z * 1.000001, lambda z: z / 1.000001, lambda z: np.full_like(z, INF),
                                    lambda z: z * np.nan, lambda z: -z])
def test_definition_finds_wrong_spike_times(op, change):
    z_in, w, *_ = NETS["continuous"]
    z_out, _ = op.forward(z_in, w)
    assert not verify.temporal.check_definition(z_in, w, change(z_out)).ok


def test_definition_finds_a_spike_too_many_and_a_second_crossing():
    z_in, w = np.array([[1.0, 4.0, 5.0]]), np.array([[2.0], [-3.0], [4.0]])     # crosses at 2, and again in the end
    second = (2 - 12 + 20) / (3 - 1.0)
    assert verify.temporal.check_definition(z_in, w, np.array([[2.0]])).ok
    found = verify.temporal.check_definition(z_in, w, np.array([[second]]))
    assert found.at_spike < 1e-15 and found.before > 0.1 and not found.ok
    assert not verify.temporal.check_definition(z_in, 0.1 * w, np.array([[2.0]])).ok


def test_near_threshold_marks_only_what_rounding_may_decide():
    z_in = np.array([[1.0, 2.0, 3.0]])
    w = np.array([[0.1, 0.1, 2.0, 3.0, 0.5], [0.2, 0.2, -1.0, -2.0, 0.1], [0.7, 0.7001, 0.0, 1e-3, 0.1]])
    # sum of weights 1 up to rounding | clearly above | V(next) is 1 exactly | V(next) clearly above | far below
    assert verify.temporal.near_threshold(z_in, w).tolist() == [[True, False, True, False, False]]
    assert not verify.temporal.near_threshold(z_in.astype(np.float32), (w * 1.00001).astype(np.float32))[0, 0]
    inf = np.full((1, 3), INF)
    assert not verify.temporal.near_threshold(inf, w).any()


def test_frozen_net_is_the_net_at_its_own_point(op, args):
    net = verify.temporal.chain(op, THRESHOLD)
    z_out, (z, _) = net.forward(*args)
    sets = [verify.temporal.causal_sets(a, b) for a, b in pairwise(z)]
    frozen = verify.temporal.frozen_net(sets, THRESHOLD)
    verify.compare(frozen, lambda *a: z_out, args, rtol=tol("identity")).raise_if_failed()
    silent = ~np.isfinite(z_out)
    assert (frozen(*args)[silent] == INF).all()


def test_homogeneity_and_shift_find_a_wrong_layer(op, args):
    net = verify.temporal.chain(op, THRESHOLD)
    z_out, cache = net.forward(*args)
    z, dz = net.layers(np.where(np.isfinite(z_out), 1.0, 0.0), cache)
    dz[1] = dz[1] * 1.001
    assert verify.temporal.homogeneity(z, dz) > 1e-5
    assert np.isnan(verify.temporal.shift_identity(op.forward, op.backward, (np.ones((1, 2)), np.full((2, 1), 0.1))))
