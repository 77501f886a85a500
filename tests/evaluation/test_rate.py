"""What is measured on rate networks, against counting by hand."""

import numpy as np
import pytest

from pysnn import checkpoint, datasets, training
from pysnn.conventions import Rule
from pysnn.evaluation import comparison, mismatch
from pysnn.evaluation import rate as evaluation_rate
from pysnn.learning import rate
from pysnn.reference import conv, integrate_fire, pool

CONV = "28x28x1-3C3-P2-4C3-A2-12-10"


def nets_of(method, **chosen):
    rule = training.METHODS[method]
    s = rule.settings_for("fashion-sample", model="784-20-10", batch=50, backend="reference", **chosen)
    return rule.build(s, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def sample():
    data = datasets.load("fashion-sample")
    return data.x_test[:60], data.y_test[:60]


@pytest.mark.parametrize("method", ["proxy", "tandem", "surrogate", "conversion"])
def test_evaluate(method, sample):
    x, y = sample
    nets = nets_of(method, n_steps=5)
    e = evaluation_rate.evaluate(nets, x, y, steps=[3, 9, 1, 9])
    found = training.METHODS[method].score(nets, x, y)
    assert (e["accuracy"], e["strict"], e["inclusive"]) == tuple(found)
    assert e["steps"] == [1, 3, 5, 9] and e["accuracy_at"][2] == e["accuracy"] and e["n"] == 60 and e["n_steps"] == 5
    for t, a in zip(e["steps"], e["accuracy_at"], strict=True):
        there = nets._replace(snn=evaluation_rate.with_steps(nets.snn, t))
        assert training.METHODS[method].score(there, x, y).expected == a
    assert nets.snn.config.n_steps == 5                       # the network itself is as it was
    assert e["strict"] <= e["by_potential"] <= e["inclusive"] and e["strict"] <= e["accuracy"] <= e["inclusive"]
    run = nets.snn.run(rate.encode_batch(nets, x), keep_counts=True)
    assert np.allclose(e["spikes"], [c.sum() / 60 for c in run.layer_counts])
    assert np.allclose(e["rates"], [c.mean() / 5 for c in run.layer_counts])
    assert np.allclose(e["additions"], [run.layer_counts[0].sum() * 10 / 60]) and e["multiply_adds"] == [784 * 20, 200]
    assert e["undecided"] == np.mean((run.counts[-1] == 0).all(axis=1)) and np.sum(e["confusion"]) == 60
    relu = evaluation_rate.relu_twin(nets).forward(rate.encode_batch(nets, x))[0][-1]
    assert e["relu"] == np.mean(relu.argmax(axis=1) == y)
    assert e["agreement"] == rate.alike(run.counts[-1], relu).mean()
    assert rate.report(nets, x).get("agreement", e["agreement"]) == pytest.approx(e["agreement"], rel=1e-12)


def test_ties_broken_by_the_potential():
    """Two outputs with equal counts: the one whose potential is higher in the end is right."""
    nets = nets_of("proxy", n_steps=4)
    x, y = datasets.load("fashion-sample").x_test[:200], datasets.load("fashion-sample").y_test[:200]
    run = nets.snn.run(rate.encode_batch(nets, x))
    counts, right = run.counts[-1], 0
    for c, v, label in zip(counts, run.potential, y, strict=True):
        tied = [j for j in range(10) if c[j] == c.max()]
        right += max(tied, key=lambda j, v=v: v[j]) == label
    e = evaluation_rate.evaluate(nets, x, y, steps=[4])
    assert e["by_potential"] == right / 200 and e["strict"] < e["inclusive"]


def test_memory_is_bounded(sample, monkeypatch):
    x, y = sample
    nets = nets_of("proxy", n_steps=3)
    whole = evaluation_rate.evaluate(nets, x, y, steps=[5])
    monkeypatch.setattr(evaluation_rate, "BYTES", 8 * 30 * 7)      # seven samples' counts
    sizes, real = [], type(nets.snn).run
    monkeypatch.setattr(type(nets.snn), "run", lambda self, x, *args, **options: sizes.append(len(x)) or real(self, x, *args, **options))
    pieces = evaluation_rate.evaluate(nets, x, y, steps=[5])
    assert all(np.allclose(pieces[name], whole[name], rtol=1e-12) for name in whole)
    assert max(sizes) == 7


def test_relu_network(sample):
    nets = nets_of("ann")
    e = evaluation_rate.evaluate(nets, *sample)
    assert set(e) == {"n", "accuracy", "strict", "inclusive", "confusion", "multiply_adds"} and e["multiply_adds"] == [15680, 200]


@pytest.mark.parametrize("kind", ["P2", "A2"])
def test_operations_against_counting_one_by_one(rng, kind):
    """Every spike of every step is followed to the weights that it meets; behind max pooling the count is an upper bound."""
    n_steps, theta, model = 6, 0.4, f"7x7x2-3C3-2C3-{kind}-2C3-4"
    w = [rng.normal(mean, 0.4, shape) for mean, shape in ((0.2, (3, 3, 2, 3)), (0.05, (3, 3, 3, 2)), (0, (3, 3, 2, 2)), (0, (18, 4)))]
    x = rng.random((2, 7, 7, 2))
    v, counts, exact = [0.0] * 4, [0.0] * 4, [0, 0, 0]
    for _ in range(n_steps):
        s = x
        for k in range(4):
            if k:
                exact[k - 1] += touched(4 * s if k == 2 and kind == "A2" else s, k, w)      # each brings a quarter: four times that
            current = conv.conv2d_forward(s, w[k], 1, 1)[0] if k < 3 else s.reshape(2, -1) @ w[k]
            s, v[k] = integrate_fire.step(v[k] + 0 * current, current, theta, Rule())
            counts[k] = counts[k] + s
            if k == 1:
                s = pool.max_pool2d_forward(s, 2)[0] if kind == "P2" else pool.avg_pool2d_forward(s, 2)[0]
    assert all(0 < c.mean() < n_steps for c in counts)
    found = evaluation_rate.additions(counts, model, n_steps)
    assert found[0] == exact[0] and found[2] == exact[2] and exact[1] <= found[1] <= 4 * exact[1]
    assert (found[1] == exact[1]) == (kind == "A2")
    assert evaluation_rate.multiply_adds(model) == [touched(np.ones((1, *shape)), k, w) for k, shape in enumerate(
        [(7, 7, 2), (7, 7, 3), (3, 3, 2), (3, 3, 2)])]


def touched(s, k, w):
    """Count, spike by spike, the weights that spikes meet; s says how many there are at each place."""
    n = 0
    for place in np.argwhere(s):
        fan = w[k].shape[-1]
        if w[k].ndim == 4:
            _, row, column, _ = place
            fan *= sum(0 <= row + i < s.shape[1] and 0 <= column + j < s.shape[2] for i in (-1, 0, 1) for j in (-1, 0, 1))
        n += fan * s[tuple(place)]
    return n


def test_widths_of_one():
    assert evaluation_rate.multiply_adds("1x1x2-3C3-4") == [2 * 3, 12]
    assert evaluation_rate.multiply_adds("28x28x1-32C3-10")[0] == (3 * 28 - 2) ** 2 * 32


def test_trace(sample):
    nets = nets_of("proxy", n_steps=6)
    x = rate.encode_batch(nets, sample[0][:1])
    spikes, v = mismatch.trace(nets, x)
    run = nets.snn.run(x, keep_counts=True)
    assert [s.shape for s in spikes] == [(6, 1, 20), (6, 1, 10)] and v.shape == (6, 1, 10)
    assert all(set(np.unique(s)) <= {0, 1} for s in spikes) and (v[-1] == run.potential).all()
    assert all((s.sum(axis=0) == c).all() for s, c in zip(spikes, run.layer_counts, strict=True))
    spikes, _ = mismatch.trace(nets_of("proxy", n_steps=6, readout="potential"), x)
    assert not spikes[-1].any() and spikes[0].any()


@pytest.mark.parametrize("method", ["proxy", "surrogate", "conversion", "ann"])
def test_robustness(method, sample):
    x, y = sample
    rule = training.METHODS[method]
    nets = rule.build(rule.settings_for("fashion-sample", model=CONV, **({} if method == "ann" else {"n_steps": 3})),
                      rng=np.random.default_rng(1))
    before = {name: w.copy() for name, w in nets.net.params.items()}
    found = evaluation_rate.robustness(method, nets, x, y, np.random.default_rng(0))
    assert found["noise"][0] == (0.0, rule.score(nets, x, y).expected) and found["n"] == 60
    assert [b for b, _ in found["bits"]] == list(evaluation_rate.BITS)
    assert all((nets.net.params[name] == w).all() for name, w in before.items())
    assert found == evaluation_rate.robustness(method, nets, x, y, np.random.default_rng(0))


@pytest.mark.parametrize("steps", [[], [0], [1.5], ["2"], [3, 10_001]])
def test_steps_are_checked(steps, sample):
    with pytest.raises(ValueError, match="steps: expected whole numbers from 1 to 10,000, got"):
        evaluation_rate.evaluate(nets_of("proxy", n_steps=3), *sample, steps=steps)


# ---- comparisons

def test_plan():
    jobs = comparison.plan("fashion-sample", ["proxy", "conversion", "ann"], [8, 2], [3, 4],
                           {"model": "784-5-10", "lr": 0.1, "ann.lr": 0.2, "threshold": 2.0})
    assert [(j.name, j.at) for j in jobs] == [
        ("proxy-T8-seed3", (8,)), ("proxy-T8-seed4", (8,)), ("proxy-T2-seed3", (2,)), ("proxy-T2-seed4", (2,)),
        ("conversion-seed3", (2, 8)), ("conversion-seed4", (2, 8)), ("ann-seed3", ()), ("ann-seed4", ())]
    assert [j.settings.lr for j in jobs] == [0.1] * 6 + [0.2] * 2 and jobs[0].settings.threshold == 2.0
    assert [getattr(j.settings, "n_steps", None) for j in jobs] == [8, 8, 2, 2, 8, 8, None, None]


@pytest.mark.parametrize("data", datasets.NAMES)
def test_plan_with_the_default_model_of_compare(data):
    """Flat models on every data set, though what a data set needs may include cropping."""
    n_in, n_out = {"xor": (2, 2), "yin-yang": (4, 3), "cifar10": (3072, 10)}.get(data, (784, 10))
    jobs = comparison.plan(data, comparison.METHODS, [2, 4], [0], {"model": f"{n_in}-200-{n_out}", "epochs": 5})
    assert len(jobs) == 8 and not any(j.settings.crop or j.settings.flip or j.settings.shift for j in jobs)


def test_plan_says_what_is_wrong():
    for chosen, message in (
            ({"conversion.percentile": 99}, "setting 'conversion.percentile': conversion is not among the methods compared, proxy, ann"),
            ({"nonsense.lr": 1}, "setting 'nonsense.lr': nonsense is not among the methods compared, proxy, ann"),
            ({"slope": 1}, "unknown setting 'slope': expected one that proxy or ann has"),
            ({"ann.clip": True}, "unknown setting 'ann.clip': expected one that ann has"),
            ({"n_steps": 9}, "setting 'n_steps': expected the numbers of time steps (--steps) to say that, and once"),
            ({"proxy.n_steps": 9}, "setting 'proxy.n_steps': expected the numbers of time steps (--steps) to say that, and once")):
        with pytest.raises(ValueError) as error:
            comparison.plan("fashion-sample", ["proxy", "ann"], [8], [0], {"model": "784-5-10", **chosen})
        assert str(error.value) == message


def test_a_conversion_serves_other_numbers_of_steps(sample, tmp_path):
    """Its training has none: with more of them asked for, the run that is there goes on."""
    data, chosen = datasets.load("fashion-sample"), {"model": "784-20-10", "epochs": 1, "backend": "reference"}
    train = data.x_train[:300], data.y_train[:300]

    def evaluated(steps):
        job, = comparison.plan("fashion-sample", ["conversion"], steps, [0], chosen)
        run = comparison.begin(job, tmp_path, {"name": "fashion-sample"})
        list(training.epochs(run, train))
        training.save(run, tmp_path / f"{job.name}.npz")
        return run, comparison.evaluate(job, run, tmp_path, sample, "test")["rows"]

    (_, few), (run, more) = evaluated([3, 6]), evaluated([3, 9, 6])
    assert run.epoch == 1 and len(run.records) == 1 and more[:2] == few
    snn = evaluation_rate.with_steps(run.nets.snn, 9)
    assert more[2]["accuracy"] == run.rule.score(run.nets._replace(snn=snn), *sample).expected
    with pytest.raises(checkpoint.CheckpointError, match=r"is of another comparison \(n_steps 3 there, 4 here\)"):
        job, other = comparison.plan("fashion-sample", ["proxy"], [3, 4], [0], chosen)
        training.save(comparison.begin(job, tmp_path, {}), tmp_path / f"{other.name}.npz")
        comparison.begin(other, tmp_path, {})


def test_results_of_other_weights_are_not_taken(sample, tmp_path):
    job, = comparison.plan("fashion-sample", ["proxy"], [3], [0], {"model": "784-20-10", "epochs": 0, "backend": "reference"})
    run = comparison.begin(job, tmp_path, {})
    first = comparison.evaluate(job, run, tmp_path, sample, "test")
    assert comparison.evaluate(job, run, tmp_path, sample, "test") == first
    run.nets.net.params["w2"][...] = np.roll(run.nets.net.params["w2"], 1, axis=1)
    second = comparison.evaluate(job, run, tmp_path, sample, "test")
    assert second["key"]["sha256"] != first["key"]["sha256"] and second["rows"] != first["rows"]
    run.nets.state["n_epochs"] += 1
    assert comparison.evaluate(job, run, tmp_path, sample, "test")["key"]["sha256"] not in (first["key"]["sha256"], second["key"]["sha256"])


def test_conversion_is_evaluated_at_each_number_of_steps(sample, tmp_path):
    data = datasets.load("fashion-sample")
    job, = comparison.plan("fashion-sample", ["conversion"], [2, 7], [0], {"model": "784-20-10", "epochs": 1, "backend": "reference"})
    run = comparison.begin(job, tmp_path, {"name": "fashion-sample"})
    list(training.epochs(run, (data.x_train[:300], data.y_train[:300])))
    rows = comparison.evaluate(job, run, tmp_path, sample, "test")["rows"]
    for row in rows:
        snn = evaluation_rate.with_steps(run.nets.snn, row["n_steps"])
        assert row["accuracy"] == run.rule.score(run.nets._replace(snn=snn), *sample).expected
        assert row["spikes"] == pytest.approx(sum(snn.run(rate.encode_batch(run.nets, sample[0])).n_spikes) / 60)
    assert [row["n_steps"] for row in rows] == [2, 7] and rows[0]["spikes"] < rows[1]["spikes"]


def test_spread_is_students():
    assert comparison.deviation([0.5]) == {"std": None, "ci95": None}
    found = comparison.deviation([0.8, 0.9, 0.85])
    assert found["std"] == pytest.approx(0.05) and found["ci95"] == pytest.approx(4.302652 * 0.05 / 3 ** 0.5, rel=1e-3)
    stats = pytest.importorskip("scipy.stats")
    for n in (2, 3, 5, 10, 31, 32, 50, 200):
        values = np.random.default_rng(n).random(n)
        low, high = stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values))
        assert comparison.deviation(values)["ci95"] == pytest.approx((high - low) / 2, rel=2e-3)


def test_table_and_curves():
    def result(method, seed, *rows):
        rows = [{"n_steps": t, "accuracy": a, "strict": a, "by_potential": a if t else None, "spikes": 5.0 if t else None,
                 "additions": 7.0 if t else None, "multiply_adds": 3} for t, a in rows]
        return {"method": method, "seed": seed, "train_seconds": seed, "rows": rows}

    rows = comparison.table([result("conversion", 1, (8, 0.8), (2, 0.5)), result("conversion", 3, (8, 0.9), (2, 0.6)),
                             result("ann", 0, (None, 1.0))])
    assert [(r["method"], r["n_steps"], r["n_seeds"], r["seconds"]) for r in rows] == [
        ("conversion", 8, 2, 2.0), ("conversion", 2, 2, 2.0), ("ann", None, 1, 0.0)]
    assert rows[0]["accuracy"] == pytest.approx(0.85) and rows[0]["std"] == pytest.approx(0.1 / 2 ** 0.5) and rows[2]["spikes"] is None
    curves, upper = comparison.curves(rows)
    assert list(curves) == ["conversion"] and curves["conversion"][0].tolist() == [2, 8] and list(upper.values()) == [(1.0, 0.0)]
