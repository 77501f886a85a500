"""The losses on spike times and counts and the costs on weights: against formulas, differences, and what must hold at the edges.

(L1) softmax of -z, (L2) softmax of -beta ln z, (L3) cost of weight sums below the threshold, (L4) squared weights,
(L5) squared distance from one-hot, (L6) softmax of y, (L7) the same against smoothed labels, (L8) any of them with weights of the samples,
(L9) squared distance from targets, (L10) the same of spike times.
"""

from functools import partial

import numpy as np
import pytest

from pysnn import losses
from pysnn.conventions import Z_MAX
from pysnn.learning.temporal import add_costs, rescale
from pysnn.verify.oracle import relu as oracle
from pysnn.verify.suite.losses import DEFINITIONS
from tests.cases.tolerances import tol

INF = np.inf
LOSSES = {"softmax_z": losses.softmax_z, "softmax_t": losses.softmax_t, "softmax_t beta 3": partial(losses.softmax_t, beta=3.0)}


@pytest.fixture(params=LOSSES)
def loss(request):
    """Each loss in turn."""
    return LOSSES[request.param]


def brute_force(loss, z, y):
    """Write (L1) or (L2) down sample by sample; a silent output counts as Z_MAX."""
    total, dz = 0.0, np.zeros_like(z)
    for b in range(len(z)):
        if loss is losses.softmax_z:
            scores = [-v if v < INF else -Z_MAX for v in z[b]]
        else:
            beta = getattr(loss, "keywords", {}).get("beta", 10.0)
            scores = [-beta * np.log(v if v < INF else Z_MAX) for v in z[b]]
        e = np.exp(scores)
        p = e / e.sum()
        total += (np.log(e.sum()) - scores[y[b]]) / len(z)
        for k in range(z.shape[1]):
            slope = 1 if loss is losses.softmax_z else beta / z[b, k]
            dz[b, k] = slope * ((k == y[b]) - p[k]) / len(z) if z[b, k] < INF else 0
    return total, dz


def central(f, x, h=1e-5):
    """Differentiate a scalar function of an array, entry by entry; entries that are inf are left alone."""
    d = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        if np.isfinite(x[i]):
            up, down = x.copy(), x.copy()
            up[i] += h
            down[i] -= h
            d[i] = (f(up) - f(down)) / (2 * h)
    return d


@pytest.fixture
def outputs(rng):
    """Spike times and labels; some outputs silent, among them a label, and ties."""
    z = np.exp(rng.uniform(0, 1.5, (9, 5)))
    z[rng.random(z.shape) < 0.2] = INF
    y = rng.integers(0, 5, 9)
    z[2] = 2.0                                      # all at one time
    z[3, y[3]] = INF                                # the label is silent
    z[4] = INF
    z[4, y[4]] = 1.5                                # only the label fires
    assert 0.1 < np.isinf(z).mean() < 0.5
    return z, y


def test_loss_and_gradient_are_the_formula(loss, outputs):
    wanted, d_wanted = brute_force(loss, *outputs)
    value, dz = loss(*outputs)
    assert isinstance(value, float)
    assert value == pytest.approx(wanted, rel=tol("formula"))
    np.testing.assert_allclose(dz, d_wanted, rtol=tol("formula"), atol=tol("formula"))


def test_gradient_is_that_of_the_loss(loss, outputs):
    z, y = outputs
    _, dz = loss(z, y)
    found = np.array([central(lambda x, b=b: loss(x[None], y[b:b + 1])[0], z[b]) for b in range(len(z))]) / len(z)
    np.testing.assert_allclose(dz, found, rtol=0, atol=tol("central differences") * np.abs(dz).max())
    assert (dz[np.isinf(z)] == 0).all() and dz[np.isfinite(z)].any()


def test_float32_gives_float32(loss, outputs):
    z, y = outputs
    value, dz = loss(z, y)
    value32, dz32 = loss(z.astype(np.float32), y)
    assert dz32.dtype == np.float32 and dz32.flags.c_contiguous
    assert value32 == pytest.approx(value, rel=tol("formula float32"))
    np.testing.assert_allclose(dz32, dz, rtol=0, atol=tol("formula float32") * np.abs(dz).max())


def test_the_sign_pulls_the_label_forward(loss):
    """A gradient step makes the label earlier and the rest later; a public code has the sign reversed."""
    _, dz = loss(np.array([[2.0, 1.5, 3.0]]), np.array([0]))
    assert dz[0, 0] > 0 and (dz[0, 1:] < 0).all()


def test_ties_share(loss):
    value, dz = loss(np.full((1, 4), 2.0), np.array([1]))
    assert value == pytest.approx(np.log(4), rel=tol("formula"))
    np.testing.assert_allclose(dz[0] / dz[0, 1], [-1 / 3, 1, -1 / 3, -1 / 3], rtol=tol("formula"))


def test_silent_label_leaves_the_others_their_gradient(loss):
    z = np.array([[INF, 1.5, INF, 2.0]])
    value, dz = loss(z, np.array([0]))
    assert np.isfinite(value) and value > 0
    assert dz[0, 0] == dz[0, 2] == 0
    assert (dz[0, [1, 3]] < 0).all()                # they are pushed back


def test_all_silent_is_wrong_and_finite(loss):
    value, dz = loss(np.full((3, 10), INF), np.array([0, 5, 9]))
    assert value == pytest.approx(np.log(10), rel=tol("formula"))
    assert not dz.any()


@pytest.mark.parametrize("z", [[[1e-30, 1e30]], [[1e30, 1e-30]], [[1.0, INF]], [[700.0, 1.0]], [[1e-30, INF]]], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_times_neither_overflow_nor_give_nan(loss, z, dtype):
    for label in (0, 1):
        value, dz = loss(np.array(z, dtype), np.array([label]))
        assert np.isfinite(value) and not np.isnan(dz).any()


def test_a_spike_later_than_z_max_counts_as_what_it_is(loss):
    """Z_MAX is for silence alone: a spike at 2 Z_MAX costs more, and its gradient is that of the loss."""
    late, y = np.array([[2 * Z_MAX, 1.0]]), np.array([0])
    value, dz = loss(late, y)
    assert value > loss(np.array([[INF, 1.0]]), y)[0]
    found = central(lambda z: loss(z, y)[0], late, h=1e-3)
    np.testing.assert_allclose(dz, found, rtol=0, atol=tol("central differences") * 10 * np.abs(dz).max())
    assert dz[0, 0] > 0


@pytest.mark.parametrize("dtype, latest", [(np.float32, 5e3), (np.float32, 5e37), (np.float64, 1e6), (np.float64, 1e307)])
def test_a_silent_output_is_later_than_any_spike(loss, dtype, latest):
    """The label is silent and another output fires, however late: a wrong decision costs; the gradient is that of the loss."""
    z = np.array([[INF, latest, INF]], dtype)
    value, dz = loss(z, np.array([0]))
    assert np.isfinite(value) and value > loss(z, np.array([1]))[0] + 0.5 and not dz[0, [0, 2]].any() and np.isfinite(dz).all()


@pytest.mark.parametrize("name", ["softmax_z", "softmax_t"])
def test_late_spikes_beside_silence_by_the_oracle_and_the_definition(name):
    z = np.array([[INF, 1023.0, 999.0], [1024.0, INF, INF], [999.0, INF, 2.0], [INF, 2.0**40, 1.0], [INF] * 3])
    labels = np.array([0, 1, 1, 2, 0])
    value, dz = getattr(losses, name)(z, labels)
    exact_value, exact_dz = getattr(oracle, name)(z, labels)
    np.testing.assert_allclose([value, DEFINITIONS[name](z, labels)], float(exact_value), rtol=1e-12)
    np.testing.assert_allclose(dz, exact_dz.astype(float), rtol=1e-12, atol=1e-300)


def test_the_time_of_a_silent_output_is_constant_around_a_late_spike(loss):
    y = np.array([2])
    _, dz = loss(np.array([[1500.0, INF, 1499.0]]), y)
    found = central(lambda z: loss(np.array([[z[0], INF, z[1]]]), y)[0], np.array([1500.0, 1499.0]), h=1e-3)
    np.testing.assert_allclose(dz[0, [0, 2]], found, rtol=0, atol=tol("central differences") * 10 * np.abs(dz).max())


def test_loss_on_times_does_not_see_a_shift(rng):
    """(L2): all spikes later by ln 4, same loss; sum_k z_k dL/dz_k = 0."""
    z, y = np.exp(rng.uniform(0, 1, (6, 4))), rng.integers(0, 4, 6)
    value, dz = losses.softmax_t(z, y)
    later, d_later = losses.softmax_t(4 * z, y)
    assert later == pytest.approx(value, rel=tol("formula"))
    np.testing.assert_allclose(4 * d_later, dz, rtol=tol("identity"), atol=tol("formula"))
    np.testing.assert_allclose((z * dz).sum(axis=1), 0, atol=tol("formula") * 10)
    assert abs(losses.softmax_z(4 * z, y)[0] - losses.softmax_z(z, y)[0]) > 0.1        # (L1) does


@pytest.mark.parametrize("args, error, message", [
    ((np.ones(3), np.array([0])), ValueError, "z: expected 2 dimensions"),
    ((np.ones((2, 3), int), np.array([0, 1])), TypeError, "z: expected float32 or float64"),
    (([[1.0]], np.array([0])), TypeError, "z: expected a NumPy array, got list"),
    ((np.ones((0, 3)), np.array([], int)), ValueError, "z: expected at least one element"),
    ((np.ones((2, 3)), np.array([0, 1, 2])), TypeError, "y: expected 2 integer labels"),
    ((np.ones((2, 3)), np.array([0.0, 1.0])), TypeError, "y: expected 2 integer labels, got .*float64"),
    ((np.ones((2, 3)), [0, 1]), TypeError, "y: expected 2 integer labels, got list"),
    ((np.ones((2, 3)), np.array([0, 3])), ValueError, "y: expected labels 0 to 2, got 0 to 3"),
    ((np.ones((2, 3)), np.array([-1, 0])), ValueError, "y: expected labels 0 to 2, got -1 to 0"),
])
def test_losses_refuse(loss, args, error, message):
    with pytest.raises(error, match=message):
        loss(*args)


@pytest.mark.parametrize("beta", [0, -1.0, np.nan, INF, "10"])
def test_beta_must_be_positive(beta):
    with pytest.raises(ValueError, match="beta: expected a positive number"):
        losses.softmax_t(np.ones((1, 2)), np.array([0]), beta)


# ---------------------------------------------------------------------------------------------- losses on counts

COUNT_LOSSES = {"mse": losses.mse, "cross_entropy": losses.cross_entropy}


def by_hand(loss, y, labels):
    """Write (L5) or (L6) down output by output."""
    n_batch, n = y.shape
    total, dy = 0.0, np.zeros_like(y)
    for b, row in enumerate(y):
        for k in range(n):
            hot = float(k == labels[b])
            if loss is losses.mse:
                total += (row[k] - hot) ** 2 / (n_batch * n)
                dy[b, k] = 2 * (row[k] - hot) / (n_batch * n)
            else:
                p = 1 / sum(np.exp(other - row[k]) for other in row)
                total -= hot * np.log(p) / n_batch
                dy[b, k] = (p - hot) / n_batch
    return total, dy


@pytest.fixture(params=COUNT_LOSSES)
def count_loss(request):
    """Each loss on counts in turn."""
    return COUNT_LOSSES[request.param]


@pytest.mark.parametrize("kind", ["counts", "rates", "potentials"])
def test_count_losses_are_the_formula_and_their_gradient(count_loss, kind, rng):
    y = {"counts": rng.integers(0, 16, (7, 5)) * 1.0, "rates": rng.random((7, 5)), "potentials": rng.normal(0, 3, (7, 5))}[kind]
    labels = rng.integers(0, 5, 7)
    wanted, d_wanted = by_hand(count_loss, y, labels)
    value, dy = count_loss(y, labels)
    assert isinstance(value, float) and value == pytest.approx(wanted, rel=tol("formula"))
    np.testing.assert_allclose(dy, d_wanted, rtol=tol("formula"), atol=tol("formula"))
    found = central(lambda x: count_loss(x, labels)[0], y)
    np.testing.assert_allclose(dy, found, rtol=0, atol=tol("central differences") * np.abs(dy).max())
    value32, dy32 = count_loss(y.astype(np.float32), labels)
    assert dy32.dtype == np.float32 and dy32.flags.c_contiguous
    assert value32 == pytest.approx(value, rel=tol("formula float32"))
    np.testing.assert_allclose(dy32, dy, rtol=0, atol=tol("formula float32") * np.abs(dy).max())


def test_count_losses_worked_by_hand():
    """Counts 2, 0 and label 0: mse ((2 - 1)^2 + 0)/2; silence costs mse 1/n, cross-entropy ln n."""
    value, dy = losses.mse(np.array([[2.0, 0.0]]), np.array([0]))
    assert value == 0.5 and dy.tolist() == [[1.0, 0.0]]
    assert losses.mse(np.zeros((3, 10)), np.array([0, 5, 9]))[0] == pytest.approx(0.1)
    value, dy = losses.cross_entropy(np.zeros((1, 4)), np.array([2]))
    assert value == pytest.approx(np.log(4)) and dy.tolist() == [[0.25, 0.25, -0.75, 0.25]]


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.75])
def test_smoothed_labels_are_the_formula_and_their_gradient(smoothing, rng):
    """(L7): each output has a share of the target, the label the rest."""
    y, labels = rng.normal(0, 3, (7, 5)), rng.integers(0, 5, 7)
    p = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    target = (1 - smoothing) * np.eye(5)[labels] + smoothing / 5
    value, dy = losses.cross_entropy(y, labels, smoothing)
    assert isinstance(value, float) and value == pytest.approx(-(target * np.log(p)).sum() / 7, rel=tol("formula"))
    np.testing.assert_allclose(dy, (p - target) / 7, rtol=0, atol=tol("formula"))
    found = central(lambda x: losses.cross_entropy(x, labels, smoothing)[0], y)
    np.testing.assert_allclose(dy, found, rtol=0, atol=tol("central differences") * np.abs(dy).max())
    value32, dy32 = losses.cross_entropy(y.astype(np.float32), labels, smoothing)
    assert dy32.dtype == np.float32 and value32 == pytest.approx(value, rel=tol("formula float32"))
    if smoothing == 0:
        assert losses.cross_entropy(y, labels)[0] == value and (losses.cross_entropy(y, labels)[1] == dy).all()


def test_smoothed_labels_worked_by_hand():
    """Two outputs ln 3 and 0, p = 3/4 and 1/4; smoothing 1/2 makes the target 3/4 and 1/4 as well: no gradient is left."""
    value, dy = losses.cross_entropy(np.array([[np.log(3.0), 0.0]]), np.array([0]), 0.5)
    assert value == pytest.approx(np.log(4) - 0.75 * np.log(3)) and np.abs(dy).max() < tol("formula")


@pytest.mark.parametrize("smoothing", [1.0, -0.1, np.nan, "0.1", np.zeros(2), None])
def test_smoothing_is_refused(smoothing):
    with pytest.raises(ValueError, match="smoothing: expected a number from 0 to below 1, got"):
        losses.cross_entropy(np.ones((1, 2)), np.array([0]), smoothing)


def test_count_losses_leave_their_arguments_alone_and_do_not_overflow(count_loss):
    y = np.array([[1e4, -1e4, 0.0], [3.0, 2.0, 1.0]])
    before = y.copy()
    value, dy = count_loss(y, np.array([1, 0]))
    np.testing.assert_array_equal(y, before)
    assert np.isfinite(value) and np.isfinite(dy).all() and dy[0, 1] < 0 < dy[0, 0]


@pytest.mark.parametrize("args, error, message", [
    ((np.ones(3), np.array([0])), ValueError, "y: expected 2 dimensions"),
    ((np.ones((2, 3), int), np.array([0, 1])), TypeError, "y: expected float32 or float64"),
    ((np.ones((2, 3)), np.array([0, 1, 2])), TypeError, "labels: expected 2 integer labels"),
    ((np.ones((2, 3)), np.array([0, 3])), ValueError, "labels: expected labels 0 to 2, got 0 to 3"),
    ((np.ones((2, 3)), np.eye(3)[:2]), TypeError, "labels: expected 2 integer labels"),
])
def test_count_losses_refuse(count_loss, args, error, message):
    with pytest.raises(error, match=message):
        count_loss(*args)


# ---------------------------------------------------------------------------------------------- losses on targets

@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("of_times", [False, True])
def test_losses_on_targets_are_the_formula_and_their_gradient(of_times, weighted, rng):
    """(L9), (L10), and with weights (L8)."""
    loss = partial(losses.squared_t, t_zero=1.2, t_unit=0.4) if of_times else losses.squared
    y = np.exp(rng.uniform(0, 2, (7, 3))) if of_times else rng.normal(0, 2, (7, 3))
    y[[0, 3], [1, 2]] = INF if of_times else 0.0
    target, weight = rng.normal(size=(7, 3)), rng.uniform(0, 2, 7) if weighted else None
    values = (1.2 - np.log(np.where(np.isinf(y), Z_MAX, y))) / 0.4 if of_times else y
    each = [sum((v - q) ** 2 for v, q in zip(row, goal, strict=True)) / 21 for row, goal in zip(values, target, strict=True)]
    value, dy = loss(y, target, weight=weight)
    assert isinstance(value, float) and value == pytest.approx(np.dot(each, np.ones(7) if weight is None else weight), rel=tol("formula"))
    found = central(lambda x: loss(x, target, weight=weight)[0], y)
    np.testing.assert_allclose(dy, found, rtol=0, atol=tol("central differences") * np.abs(dy).max())
    assert (dy[np.isinf(y)] == 0).all() and (dy[np.isfinite(y)] != 0).all()
    value32, dy32 = loss(y.astype(np.float32), target, weight=weight)
    assert dy32.dtype == np.float32 and value32 == pytest.approx(value, rel=tol("formula float32"))
    np.testing.assert_allclose(dy32, dy, rtol=0, atol=tol("formula float32") * np.abs(dy).max())


def test_losses_on_targets_worked_by_hand():
    """A spike at t = 1 with t_zero 1.5 and t_unit 0.25 means 2; one at t_zero means 0; the gradient moves a spike to its target."""
    z = np.exp([[1.0, 1.5]])
    np.testing.assert_allclose(losses.values_t(z), [[2.0, 0.0]], atol=1e-12)
    value, dz = losses.squared_t(z, np.array([[1.0, 0.0]]))
    assert value == pytest.approx(0.5) and dz[0, 0] == pytest.approx(-4 / np.e) and abs(dz[0, 1]) < 1e-12
    later = z - 1e-3 * dz                                   # a smaller number is a later spike
    assert later[0, 0] > z[0, 0] and losses.squared_t(later, np.array([[1.0, 0.0]]))[0] < value
    assert losses.squared(np.array([[3.0]]), np.array([1])) == (4.0, 4.0)


@pytest.mark.parametrize("target, error, message", [
    (np.zeros((2, 3)), TypeError, r"target: expected numbers of shape \(2, 2\), got an array of shape \(2, 3\)"),
    (np.array([[0.0, np.nan], [0.0, 0.0]]), ValueError, "target: expected finite numbers, got nan in row 0, column 1"),
    (np.zeros(2), TypeError, "target: expected numbers"), ("ab", TypeError, "target: expected numbers"),
])
def test_losses_on_targets_refuse(target, error, message):
    for loss in (losses.squared, losses.squared_t):
        with pytest.raises(error, match=message):
            loss(np.ones((2, 2)), target)


# ---------------------------------------------------------------------------------------------- costs on weights

@pytest.fixture
def weights(rng):
    """Weights whose sums lie on both sides of 1, none of them close to it."""
    w = rng.normal(0, 0.3, (8, 6))
    return w + (np.array([-1.0, 0.5, 0.9, 1.1, 2.0, 7.0]) - w.sum(axis=0)) / 8


@pytest.mark.parametrize("weight_sum, l2", [(0.0, 0.0), (1.0, 0.0), (100.0, 0.0), (0.0, 1e-3), (2.5, 0.125)])
def test_costs_and_their_gradients(weights, rng, weight_sum, l2):
    """(L3), (L4): what the cost says, what it adds to a gradient, and that the one is the derivative of the other."""
    before = rng.normal(size=weights.shape)
    dw = before.copy()
    cost = add_costs(dw, weights, weight_sum, l2)
    wanted = weight_sum * sum(max(0, 1 - s) for s in weights.sum(axis=0)) + l2 * sum(v * v for v in weights.flat)
    assert cost == pytest.approx(wanted, rel=tol("formula"))
    found = central(lambda w: add_costs(np.zeros_like(w), w, weight_sum, l2), weights)
    np.testing.assert_allclose(dw - before, found, atol=tol("central differences") * max(1, weight_sum))


def test_weight_sum_cost_pulls_every_weight_of_a_lacking_neuron(weights):
    dw = np.zeros_like(weights)
    add_costs(dw, weights, 3.0, 0.0)
    assert (dw[:, :3] == -3).all() and (dw[:, 3:] == 0).all()


def test_weight_sum_cost_ends_exactly_at_the_threshold():
    w = np.full((4, 1), 0.25)
    dw = np.zeros_like(w)
    assert add_costs(dw, w, 5.0, 0.0) == 0 and not dw.any()


def test_costs_keep_the_dtype(weights):
    w = weights.astype(np.float32)
    dw = np.zeros_like(w)
    assert isinstance(add_costs(dw, w, 1.0, 0.1), float) and dw.dtype == np.float32


@pytest.mark.parametrize("bound, norm", [(0.0, 5.0), (10.0, 5.0), (5.0, 5.0), (2.0, 2.0)])
def test_rescale_bounds_the_norm_and_keeps_the_direction(bound, norm):
    dw = np.array([[3.0, 0.0], [0.0, -4.0]])
    rescale(dw, bound)
    assert np.linalg.norm(dw) == pytest.approx(norm, rel=tol("formula"))
    np.testing.assert_allclose(dw / norm, [[0.6, 0], [0, -0.8]], rtol=tol("formula"))


def test_rescale_leaves_a_zero_gradient_alone():
    dw = np.zeros((2, 2), np.float32)
    rescale(dw, 1.0)
    assert not dw.any() and dw.dtype == np.float32


WEIGHED = {**LOSSES, "mse": losses.mse, "cross_entropy": losses.cross_entropy, "smoothed": partial(losses.cross_entropy, smoothing=0.1)}


@pytest.mark.parametrize("name", WEIGHED)
def test_weights_of_samples_are_the_formula_and_their_gradient(name, rng):
    """(L8): whole weights are repeated samples; the gradient is that of the weighted mean, by differences."""
    loss, y, labels, weight = WEIGHED[name], rng.uniform(1, 5, (6, 4)), rng.integers(0, 4, 6), np.array([0, 1, 2, 3, 1, 1.0])
    if name.startswith("softmax"):
        y[2, 1] = y[3, labels[3]] = INF
    again = np.repeat(np.arange(6), weight.astype(int))
    value, dy = loss(y, labels, weight=weight)
    repeated, drepeated = loss(y[again], labels[again])
    assert value == pytest.approx(repeated * len(again) / 6, rel=tol("formula"))
    np.testing.assert_allclose(dy[again], drepeated * weight[again][:, None] * len(again) / 6, rtol=0, atol=tol("formula"))
    assert (dy[0] == 0).all() and np.abs(dy).max() > 0
    found = central(lambda x: loss(x, labels, weight=weight)[0], y)
    np.testing.assert_allclose(dy, found, rtol=0, atol=tol("central differences") * np.abs(dy).max())
    once, donce = loss(y, labels, weight=np.ones(6))
    assert once == loss(y, labels)[0] and (donce == loss(y, labels)[1]).all()
    assert loss(y.astype(np.float32), labels, weight=weight)[1].dtype == np.float32


@pytest.mark.parametrize("weight, kind, words", [
    ([1.0] * 2, TypeError, "weight: expected 2 numbers, one a sample, got list"),
    (np.ones(3), TypeError, r"weight: expected 2 numbers, one a sample, got an array of shape \(3,\)"),
    (np.array([1, -1.0]), ValueError, "weight: expected finite numbers, none below 0, got -1 in sample 1"),
    (np.array([np.nan, 1.0]), ValueError, "weight: expected finite numbers, none below 0, got nan in sample 0"),
    (np.array([1, np.inf]), ValueError, "weight: expected finite numbers, none below 0, got inf in sample 1"),
])
def test_weights_of_samples_are_refused(weight, kind, words):
    with pytest.raises(kind, match=words):
        losses.mse(np.ones((2, 3)), np.array([0, 1]), weight)
