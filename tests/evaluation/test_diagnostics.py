"""Diagnostics on networks made by hand, where each answer is known, and what rates tend to as the number of steps grows."""

import functools
import json
from itertools import combinations

import numpy as np
import pytest

from pysnn.conventions import Rule
from pysnn.evaluation import diagnostics, mismatch
from pysnn.layers import NeuronConfig, stages
from pysnn.learning import ann, conversion, proxy, rate, surrogate, tandem
from pysnn.reference import integrate_fire
from pysnn.reference.spiking import Stage
from tests.cases import ROOT
from tests.cases.tolerances import tol

EXACT = {"dtype": "float64", "backend": "reference", "v_init": 0.0}
NET = {"model": "6x6x2-3C3-P2-4C3-6-3", "bias": True, "dtype": "float64", "backend": "reference", "n_steps": 16}


def by_hand(*weights, rule=surrogate, **chosen):
    """Build a dense network with given weights."""
    model = "-".join(str(n) for n in (len(weights[0]), *(w.shape[1] for w in weights)))
    params = {f"w{k}": np.array(w, np.float64) for k, w in enumerate(weights, 1)}
    return rule.build(rule.Settings(model=model, **{**EXACT, **chosen}), params)


def drawn(rule=proxy, seed=3, **chosen):
    """Draw a small network with convolutions whose normalisations are not trivial."""
    nets = rule.build(rule.Settings(**{**NET, **chosen}), rng=np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    for name, w in nets.net.params.items():
        if name[:2] in ("ga", "be"):
            w += rng.uniform(0.1, 0.3, w.shape)
    return nets


def samples(n=8, shape=(6, 6, 2)):
    return np.random.default_rng(1).random((n, *shape)), np.arange(n) % 3


DERIVATIONS = ROOT / "docs/derivations"
PAGE, PROXY_PAGE = DERIVATIONS / "mismatch.md", DERIVATIONS / "proxy.md"


# ---- what each rule computes

def one_path(rule, w1, **chosen):
    """Return the gradient of w1 and w2 of one input, one hidden neuron, one output, in units of the error c; and the count."""
    nets = by_hand(np.array([[w1]]), np.array([[0.375]]), rule=rule, n_steps=16, loss="mse", on="rates", **chosen)
    step = rule.gradients(nets, np.ones((1, 1)), np.zeros(1, int))
    n = step.y[0, 0]
    c = 2 / 16 * (n / 16 - 1)                                                        # (P1)
    assert step.loss == (n / 16 - 1) ** 2
    return [float(step.grads[name][0, 0] / c) for name in ("w1", "w2")], n


def table(page, heading):
    """Read the numbers of the rows of a table that begins with a heading, by the text of their first column."""
    rows = page.read_text(encoding="utf-8").split(heading)[1].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {name: [float(cell) for cell in rest] for name, *rest in cells}


def test_example_of_the_page():
    """(P2), (P3), (P4): a hidden neuron at its bound. And exercise 1, where it is not."""
    count, w, h = (lambda w1, w2: 16 * min(w1, 1) * w2), (1.5, 0.375), 2 ** -10                    # as if a rate were not rounded
    slopes = [(count(w[0] + h, w[1]) - count(*w)) / h, (count(w[0], w[1] + h) - count(*w)) / h]
    rows = {"the rate as it is, $y = T \\min(w_1, 1)\\,w_2$, divided by $T$": [slope / 16 for slope in slopes]}
    rows["proxy, with the ceiling"], n = one_path(proxy, 1.5, clip=True)
    rows["proxy, without"], _ = one_path(proxy, 1.5, clip=False)
    rows["tandem, divided by $T$"] = [d / 16 for d in one_path(tandem, 1.5)[0]]
    assert n == 6 and table(PROXY_PAGE, "| | $\\mathrm{d}w_1$ | $\\mathrm{d}w_2$ |") == rows
    for rule, factor, chosen in ((proxy, 1, {"clip": True}), (proxy, 1, {"clip": False}), (tandem, 16, {})):
        found, n = one_path(rule, 0.5, **chosen)
        assert n == 3 and [d / factor for d in found] == [0.375, 0.5]


def test_each_output_spike_gets_the_same_error():
    """(P5) One layer: the current is constant, so its weights get the sum over the steps."""
    nets, (x, y) = by_hand(np.random.default_rng(0).standard_normal((5, 3)), n_steps=9, on="rates"), samples(6, (5,))
    step = surrogate.gradients(nets, x, y)
    _, c = rate.loss_and_grad(nets.settings, step.y, y)
    _, _, cache = integrate_fire.forward(np.stack([x @ nets.net.params["w1"]] * 9))
    dcurrent, _ = integrate_fire.backward(np.stack([c] * 9), cache, detach_reset=nets.settings.detach_reset)
    np.testing.assert_allclose(step.grads["w1"], x.T @ dcurrent.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("percentile", [100.0, 90.0])
def test_rates_of_a_conversion_are_activations_divided_by_their_scales(percentile):
    """(P6), (P7): if rates were exact, layer by layer."""
    nets, (x, _) = drawn(conversion, percentile=percentile), samples(20)
    conversion.end_epoch(nets, x)
    outputs, _ = nets.net.forward(x)
    activations = [outputs[2], outputs[6], outputs[9], outputs[10]]
    r = x[None]
    for k, (stage, a) in enumerate(zip(stages(nets.snn.folded_layers()), activations, strict=True), 1):
        scale = nets.state[f"scale{k}"]
        top = np.sort(a.ravel())[::-1][int((1 - percentile / 100) * a.size + 1e-9)]
        assert scale == pytest.approx(top)
        r = mismatch._current(stage, r, "reference")
        r = np.maximum(r, 0) if k < 4 else r
        np.testing.assert_allclose(r[0], a / scale, rtol=1e-9, atol=1e-12)
        r = mismatch._pooled(stage, r)


# ---- three sources of mismatch

@pytest.mark.parametrize("threshold", [1.0, 2.0])
def test_reset_to_zero(threshold):
    """(P8) a = 0.9 thresholds: a spike every second step, rate 0.5, where subtraction tends to 0.9."""
    nets = by_hand(np.array([[0.9 * threshold]]), reset="zero", n_steps=1000, threshold=threshold)
    (row,), end = mismatch.mismatch(nets, np.ones((1, 1)))
    assert row["total"] == pytest.approx(0.4) and row["reset"] == pytest.approx(0.4, abs=2e-3)
    assert row["saturation"] == row["pooling"] == 0 and row["rest"] < 2e-3
    assert end["none"]["difference"] == pytest.approx(0.4) and end["reset"]["difference"] < 2e-3


def test_what_the_reset_to_zero_throws_away(rng):
    """(P8) N/T = a/threshold + (V_0 - V_T)/(threshold T) - the mean of what was beyond the threshold, for any currents."""
    current, theta = rng.uniform(-0.5, 1.5, (40, 6)), 0.8
    for reset, lost in (("zero", 1), ("subtract", 0)):
        spikes, v, cache = integrate_fire.forward(current, theta, 0.3, Rule(reset))
        beyond = (spikes * (cache.u - theta)).mean(axis=0) / theta
        assert (beyond > 0.05).all()
        np.testing.assert_allclose(spikes.mean(axis=0), current.mean(axis=0) / theta + (0.3 - v) / (theta * 40) - lost * beyond, rtol=1e-9)


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_saturation(reset):
    """(P9) a = 2, threshold 1: a spike in each step, where two would be needed."""
    (row,), _ = mismatch.mismatch(by_hand(np.array([[2.0]]), reset=reset, n_steps=8), np.ones((1, 1)))
    assert row == {"total": 1, "reset": 0, "saturation": 1, "pooling": 0, "rest": 0}


def test_saturation_where_the_threshold_has_to_be_exceeded():
    """(P9) ceil(U) - 1 spikes: by subtraction one is still due after the last step; to zero one is lost in each."""
    for reset, found, left in (("subtract", 7 / 8, 1 / 8), ("zero", 0, 1 / 8)):
        (row,), _ = mismatch.mismatch(by_hand(np.array([[2.0]]), reset=reset, fire=">", n_steps=8), np.ones((1, 1)))
        assert row == {"total": 1, "reset": 0, "saturation": found, "pooling": 0, "rest": left}


def test_maximum_of_spikes_is_an_or():
    """(P10) Four units that fire in every fourth step, one after the other, pool to a spike in each step; the largest rate is 1/4."""
    stage, f = Stage(np.zeros((3, 3, 1, 1)), None, "max"), NeuronConfig(n_steps=16)
    current = np.full((16, 1, 2, 2, 1), 0.25)
    current[0, 0, :, :, 0] += [[0, 0.25], [0.5, 0.75]]
    spikes = mismatch._fire(stage, current, f, (), True)
    assert spikes.shape == (16, 1, 1, 1, 1) and spikes.mean() == 1
    assert mismatch._fire(stage, current, f, ("pooling",), True).mean() == 0.25
    together = np.full((16, 1, 2, 2, 1), 0.25)
    assert mismatch._fire(stage, together, f, (), True).mean() == 0.25


def test_maximum_of_independent_spikes(rng):
    """(P10) Exercise 3: 1 - (1 - 0.5) (1 - 0.5) (1 - 0.2) = 0.8."""
    spikes = rng.random((100_000, 3)) < [0.5, 0.5, 0.2]
    assert spikes.max(axis=1).mean() == pytest.approx(0.8, abs=0.01)


def test_pooling_in_a_network():
    """(P10) Rates 1/2 and 1/3 pool to 2/3: spikes at 2, 3, 4 and 6 of 6 steps."""
    nets = surrogate.build(surrogate.Settings(model="2x2x1-1C3-P2-1", n_steps=12, **EXACT), rng=np.random.default_rng(0))
    p = nets.net.params
    p["w1"][...], p["w2"][...] = 0, 1
    p["w1"][1, 1], p["gamma1"][...], p["beta1"][...] = np.sqrt(1 + 1e-5), 1, 1e-9                # fold: the image itself, rounded up
    x = np.array([[1 / 3, 0.0], [0.0, 0.5]]).reshape(1, 2, 2, 1)
    layers, end = mismatch.mismatch(nets, x)
    assert layers[0]["total"] == pytest.approx(1 / 6, abs=1e-6) and layers[0]["pooling"] == pytest.approx(1 / 6)
    assert layers[0]["reset"] == layers[0]["saturation"] == 0 and layers[0]["rest"] < 1e-6
    assert layers[1]["total"] < 0.1, "fed with the same spikes, the next layer is not to blame"
    assert end["none"]["difference"] == pytest.approx(1 / 6, abs=1e-6) and end["pooling"]["difference"] < 1e-6


def test_every_layer_as_it_is_agrees_with_the_engine():
    for chosen in ({}, {"reset": "zero"}, {"readout": "potential"}, {"model": "6x6x2-3C3-A2-6-3", "fire": ">"}):
        nets, (x, _) = drawn(**chosen), samples()
        run = nets.snn.run(x, keep_counts=True)
        spikes, v = mismatch.trace(nets, x)
        for s, counts in list(zip(spikes, run.layer_counts, strict=True))[:None if nets.snn.config.output else -1]:
            np.testing.assert_array_equal(s.sum(axis=0), counts)
        np.testing.assert_allclose(v[-1], run.potential, rtol=1e-12, atol=1e-12)


def test_pieces_make_no_difference(monkeypatch):
    nets, (x, _) = drawn(reset="zero"), samples(7)
    calls = (mismatch.mismatch, diagnostics.agreement, diagnostics.activity)
    found = [call(nets, x) for call in calls]
    for module in (mismatch, rate):
        monkeypatch.setattr(module, "PIECE", 3)
    again = [call(nets, x) for call in calls]
    assert len(np.unique(found[0].layers[0]["reset"])) == 1 and found[0].layers[0]["pooling"] > 0
    for a, b in zip(numbers(found), numbers(again), strict=True):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-12)


def numbers(thing):
    """List the numbers in nested lists and dicts."""
    if isinstance(thing, dict):
        thing = thing.values()
    return [thing] if isinstance(thing, float) else [n for part in thing for n in numbers(part)]


# ---- the limit of many steps

STEPS = (32, 64, 128, 256, 512, 1024)


@functools.cache
def differences(**chosen):
    """Return the difference from the clipped twin by number of steps and layer."""
    found = []
    for n_steps in STEPS:
        nets = drawn(**{"model": "6x6x2-3C3-A2-4C3-6-3", "n_steps": n_steps, **chosen})
        found.append([row["difference"] for row in diagnostics.agreement(nets, samples(4)[0])])
    return np.array(found)


def test_rates_tend_to_the_clipped_relu_as_one_over_the_steps():
    """(P11) Reset by subtraction and average pooling."""
    off = differences()
    slopes = np.polyfit(np.log(STEPS), np.log(off), 1)[0]
    np.testing.assert_allclose(slopes[:3], -1, atol=0.2)
    assert off[-1][:3].max() < 0.01


@pytest.mark.parametrize("chosen", [{"reset": "zero"}, {"model": "6x6x2-3C3-P2-4C3-6-3"}], ids=str)
def test_other_networks_keep_an_error(chosen):
    off = differences(**chosen)
    assert off[-1][1] > 0.02 and off[-1][1] > 0.6 * off[0][1] and off[-1][1] > 10 * differences()[-1][1]


def test_difference_of_one_neuron_is_what_its_potential_says():
    """(P11) N/T = a/threshold + (V_0 - V_T)/(threshold T), exactly."""
    for n_steps in (7, 50):
        nets = by_hand(np.array([[0.3, 1.1]]), n_steps=n_steps, threshold=1.3, v_init=0.5)
        run = nets.snn.run(np.ones((1, 1)))
        ref = np.array([[0.3, 1.1]]) / 1.3 + (0.65 - run.potential) / (1.3 * n_steps)
        np.testing.assert_allclose(run.counts[-1] / n_steps, ref, rtol=1e-12)


# ---- agreement

def test_a_threshold_above_one_shrinks_the_signal_layer_by_layer():
    """Spikes are 1, activations are not: without normalisation a rate is the activation divided by the threshold once a layer."""
    rng = np.random.default_rng(0)
    nets = by_hand(*(rng.uniform(0.1, 0.4, (6, 6)) for _ in range(3)), rule=proxy, threshold=2.0, n_steps=4000, clip=False)
    rows = diagnostics.agreement(nets, rng.random((5, 6)))
    np.testing.assert_allclose([row["slope"] for row in rows], [1, 1 / 2, 1 / 4], rtol=0.01)
    assert all(row["correlation"] > 0.99 for row in rows)
    np.testing.assert_allclose([row["rate"] / row["activation"] for row in rows], [1, 1 / 2, 1 / 4], rtol=0.01)


def test_agreement_by_its_definition():
    nets, (x, _) = drawn(), samples()
    counts = nets.snn.run(x, keep_counts=True).layer_counts
    outputs, _ = nets.net.forward(x)
    pairs = [(counts[0] / 16, outputs[2]), (counts[3] / 16, np.maximum(outputs[-1], 0))]
    rows = diagnostics.agreement(nets, x)
    for row, (r, a) in zip([rows[0], rows[3]], pairs, strict=True):
        r, a = r.ravel(), a.ravel()
        assert row["correlation"] == pytest.approx(np.corrcoef(r, a)[0, 1])
        assert row["slope"] == pytest.approx(np.linalg.lstsq(a[:, None], r, rcond=None)[0][0])
        assert row["difference"] == pytest.approx(np.abs(r - a).mean())


@pytest.mark.parametrize("readout", ["spikes", "potential"])
def test_a_conversion_agrees_in_the_units_of_its_network(readout):
    """(P6), (P7): rates times scale, of every layer, are the activations."""
    nets, (x, _) = drawn(conversion, model="6x6x2-6C3-A2-8-3", percentile=100.0, n_steps=1000, readout=readout, bias=True), samples()
    conversion.end_epoch(nets, x)
    for row in diagnostics.agreement(nets, x):
        assert row["slope"] == pytest.approx(1, abs=0.01) and row["correlation"] > 0.999
        assert row["difference"] < 0.01 * max(row["activation"], 1)
    end = mismatch.mismatch(nets, x).end
    assert end["none"]["difference"] < 0.01 and end["none"]["decisions"] == 1


# ---- angles

def test_angle():
    assert diagnostics.angle(np.array([1.0, 0]), np.array([0, 3.0])) == pytest.approx(90)
    assert diagnostics.angle(np.array([1.0, 1]), np.array([-2.0, -2])) == pytest.approx(180)
    assert np.isnan(diagnostics.angle(np.zeros(2), np.ones(2)))


def test_without_hidden_layers_proxy_and_tandem_are_parallel():
    """(P2), (P4): there is nothing between the weights and the readout, but the factor T."""
    nets, (x, y) = by_hand(np.random.default_rng(0).standard_normal((5, 3)), rule=proxy, n_steps=9), samples(12, (5,))
    found = diagnostics.gradient_angles(nets, x, y)
    assert set(found) == set(combinations(["proxy", "tandem", "surrogate", "relu", "limit"], 2))
    assert found["proxy", "tandem"]["w1"] < 1e-4 < found["proxy", "surrogate"]["w1"]
    assert found["proxy", "surrogate"]["all"] == found["proxy", "surrogate"]["w1"]


def test_with_many_steps_the_proxy_gradient_is_that_of_the_limit():
    """(P2), (P3): average pooling, reset by subtraction, threshold 1, outputs between 0 and 1: nothing is left to tell them apart."""
    nets, (x, y) = drawn(model="6x6x2-3C3-A2-4C3-6-3", n_steps=1000), samples()
    nets.net.params["w4"] *= 0.3
    nets.net.params["b4"][...] = 0.5
    outputs, _ = nets.net.forward(x)
    assert outputs[-1].min() > 0.05 and outputs[-1].max() < 0.95
    found = diagnostics.gradient_angles(nets, x, y)
    assert max(found["proxy", "limit"].values()) < 1 and found["proxy", "surrogate"]["all"] > 5
    assert max(found["proxy", "tandem"].values()) < 10


@pytest.mark.parametrize("readout", ["spikes", "potential"])
@pytest.mark.parametrize("limit", [True, False])
def test_errors_of_networks_without_spikes(limit, readout, rng):
    """Threshold 0.7: against differences of the folded layers, one after the other, min(max(a, 0)/threshold, 1) or max(a, 0)."""
    theta, (x, y) = 0.7, samples()
    nets = drawn(surrogate, model="6x6x2-3C3-P2-4C3-A2-6-3", threshold=theta, readout=readout, gamma=1.5)
    hidden = []

    def loss():
        r, weighted = x[None], stages(nets.snn.folded_layers())
        for stage in weighted[:-1]:
            r = np.maximum(mismatch._current(stage, r, "reference"), 0)
            r = np.minimum(r / theta, 1) if limit else r
            hidden.append(r)
            r = mismatch._pooled(stage, r)
        out = mismatch._current(weighted[-1], r, "reference")[0]
        return rate.loss_and_grad(nets.settings, 16 * (out / theta if readout == "spikes" else out), y)[0]

    got = diagnostics._own_error(nets, x, y, limit)
    loss()
    assert min(h.min() for h in hidden) == 0 and (not limit or all(0 < (h == 1).mean() < 0.5 for h in hidden[:2]))
    for name, w in nets.net.params.items():
        for i in rng.choice(w.size, min(5, w.size), replace=False):
            flat, was = w.reshape(-1), w.reshape(-1)[i]
            flat[i] = was + 1e-6
            above = loss()
            flat[i] = was - 1e-6
            below = loss()
            flat[i] = was
            assert got[name].reshape(-1)[i] == pytest.approx((above - below) / 2e-6, abs=tol("frozen offsets") * np.abs(got[name]).max())


@pytest.mark.parametrize("rule", [proxy, tandem, surrogate])
def test_angles_are_of_one_network_for_any_method(rule):
    """The same parameters and settings give the same angles, whichever method's networks they come from; and nothing is changed."""
    chosen = {"v_init": 0.5, "loss": "mse", "on": "rates"}
    ref, nets, (x, y) = drawn(**chosen), drawn(rule, **chosen), samples()
    nets.net.params.update({name: w.copy() for name, w in ref.net.params.items()})
    was = {name: w.copy() for name, w in {**nets.net.params, **nets.state}.items()}
    got, wanted = diagnostics.gradient_angles(nets, x, y), diagnostics.gradient_angles(ref, x, y)
    np.testing.assert_array_equal(numbers(got), numbers(wanted))
    assert all((w == was[name]).all() for name, w in {**nets.net.params, **nets.state}.items())
    assert got != diagnostics.gradient_angles(nets, x, y, n_steps=4)


def test_refusals():
    x, y = samples()
    plain = ann.build(ann.Settings(**{k: v for k, v in NET.items() if k != "n_steps"}), rng=np.random.default_rng(0))
    for call in (diagnostics.agreement, mismatch.mismatch, diagnostics.activity):
        with pytest.raises(ValueError, match="spikes"):
            call(plain, x)
    for nets in (plain, drawn(conversion)):
        with pytest.raises(ValueError, match="proxy, tandem or surrogate"):
            diagnostics.gradient_angles(nets, x, y)
    with pytest.raises(ValueError, match="nonsense"):
        diagnostics.gradient_angles(drawn(), x, y, nonsense=1)


# ---- activity, ties

def test_activity():
    nets = by_hand(np.array([[1.0, 0.5, 0.25, -1.0]]), np.ones((4, 1)), n_steps=4)
    hidden, out = diagnostics.activity(nets, np.ones((2, 1)))
    assert hidden == {"rate": 1.75 / 4, "silent": 0.25, "saturated": 0.25, "never": 0.25}
    assert out == {"rate": 1.0, "silent": 0.0, "saturated": 1.0, "never": 0.0}
    assert len(diagnostics.activity(by_hand(np.ones((1, 2)), np.ones((2, 1)), readout="potential"), np.ones((2, 1)))) == 1


def test_ties_of_a_silent_network():
    labels = np.repeat(np.arange(10), 7)
    found = diagnostics.tie_policies(np.zeros((70, 10)), labels, np.eye(10)[labels])
    assert found == pytest.approx({"expected": 0.1, "strict": 0, "inclusive": 1, "first": 0.1, "last": 0.1, "potential": 1, "tied": 1})
    uneven = diagnostics.tie_policies(np.zeros((4, 10)), np.array([0, 0, 0, 9]))
    assert uneven == pytest.approx({"expected": 0.1, "strict": 0, "inclusive": 1, "first": 0.75, "last": 0.25, "tied": 1})


@pytest.fixture(scope="module")
def record():
    """Give the record of docs/results/angles.py."""
    return json.loads((PAGE.parents[1] / "results/gradient-angles.json").read_text())


def test_measured_angles_are_those_of_the_record(record):
    found = table(PAGE, "| epoch | validation % |")
    for row in record["rows"]:
        pairs = ("proxy tandem", "proxy surrogate", "tandem surrogate", "proxy limit", "proxy relu", "relu limit")
        assert found[str(row["epoch"])] == [round(100 * row["validation"]["expected"], 1), *(row["batches"][p]["all"][1] for p in pairs)]


def test_measured_ceiling_is_that_of_the_record():
    text, runs = PROXY_PAGE.read_text(encoding="utf-8"), json.loads((PAGE.parents[1] / "results/ceiling.json").read_text())["runs"]
    assert len(runs) == 12
    for k in range(0, 12, 3):
        some = runs[k:k + 3]
        assert len({(run["name"], run["clip"]) for run in some}) == 1 and [run["seed"] for run in some] == [0, 1, 2]
        first, last = (" ".join(str(round(100 * run["records"][e]["val_accuracy"], 1)) for run in some) for e in (0, -1))
        rates = " ".join(f"{run['records'][-1]['rates'][2]:.2f}" for run in some)
        name = f"{some[0]['name'].removeprefix('gamma ')}, {'with' if some[0]['clip'] else 'without'}"
        assert f"| {name} | {first} | {last} | {rates} |" in text


def test_measured_mismatch_is_that_of_the_record(record):
    last, found = record["rows"][-1], table(PAGE, "| layer | total |")
    for k, row in enumerate(last["mismatch"], 1):
        assert found[str(k)] == [round(row[name], 3) for name in ("total", "saturation", "pooling", "rest")] and row["reset"] == 0
    assert table(PAGE, "| replaced | difference |") == {name: [round(row["difference"], 3), round(row["decisions"], 2)]
                                                        for name, row in last["end"].items() if name != "reset"}
    assert [round(100 * row["activity"][2]["never"]) for row in record["rows"]] == [15, 39, 37, 37]


def test_ties_by_hand():
    y = np.array([[2.0, 2, 0], [1, 3, 1], [0, 1, 1], [4, 4, 4]])
    v = np.array([[0.1, 0.2, 0.9], [0.9, 0, 0], [0, 0.5, 0.5], [0.3, 0.3, 0.1]])
    found = diagnostics.tie_policies(y, np.array([1, 1, 1, 2]), v)
    assert found == pytest.approx({"expected": (1 / 2 + 1 + 1 / 2 + 1 / 3) / 4, "strict": 1 / 4, "inclusive": 1, "first": 2 / 4,
                                   "last": 3 / 4, "potential": (1 + 1 + 1 / 2) / 4, "tied": 3 / 4})
