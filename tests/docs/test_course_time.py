"""The course's pages on time, costs and neighbours: short, with code that prints what they say, and numbers from code or records.

(H1) to (H4) of the page on plasticity are computed here by another route than on the page.
"""

import importlib
import json
import re
from fractions import Fraction

import numpy as np
import pytest

from pysnn import exercises
from pysnn.evaluation import operations
from pysnn.reference import delays, temporal
from tests.cases import ROOT

FOLDER = ROOT / "docs/course"
NAMES = ("event-prop", "delays-and-jumps", "bridge", "plasticity", "energy-and-hardware", "events", "which-tool", "related-work")
DERIVED = NAMES[:4]                      # those with equations: they link to the table of symbols
by_page = pytest.mark.parametrize("name", NAMES)


def read(name):
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def bridge(name):
    """Return the rows of a network in the record."""
    return next(run["rows"] for run in json.loads((ROOT / "docs/results/bridge.json").read_text())["runs"] if run["name"] == name)


@by_page
def test_a_page_has_exercises_with_answers_and_most_have_code(name):
    text = read(name)
    assert text.startswith("# ") and max(map(len, text.splitlines())) <= 700 and ("```python\n" in text or name in NAMES[-2:])
    tasks, _, answers = text.split("\n## Exercises\n")[1].split("\n## ")[0].partition("<details><summary>Answers</summary>")
    numbers = [re.findall(r"^(\d)\. ", part, re.M) for part in (tasks, answers)]
    assert numbers[0] == numbers[1] == [str(n + 1) for n in range(len(numbers[0]))] and 3 <= len(numbers[0]) <= 7
    assert "</details>" in answers and ("](../notation.md)" in text or name not in DERIVED)
    assert set(re.findall(r"pysnn check --start (\w+)", text)) <= set(exercises.NAMES)


# ---- tables from the records

def bridge_table():
    """What three readings of one network cost."""
    lines = ["| read as | test % | spikes a neuron | additions | multiply-adds |", "|---|---|---|---|---|"]
    for r in bridge("fashion-fast"):
        if r["network"] != "rates, T = 32":
            lines.append(f"| {r['network']} | {100 * r['accuracy']:.2f} | {r['spikes_a_neuron']:.2f} | {r['additions'] / 1e6:.1f} M | "
                         f"{r['multiply_adds'] / 1e6:.1f} M |")
    return lines


def energy_table(rows):
    """Microjoules by the tables, and those of the reads; `rows` as the figure computes them."""
    lines = ["| read as | additions | multiply-adds | 45nm, µJ | the reads alone, µJ | loihi, µJ | truenorth, µJ |",
             "|---|---|---|---|---|---|---|"]
    for name, (adds, macs, arithmetic, reads) in rows.items():
        chips = (f"{1e6 * operations.energy(adds, macs, table):.0f}" for table in ("loihi", "truenorth"))
        lines.append(f"| {name} | {adds / 1e6:.1f} M | {macs / 1e6:.1f} M | {arithmetic:.0f} | {reads:.0f} | {' | '.join(chips)} |")
    return lines


def potentials_table():
    """What the parts of 784-400-10 take as rates over 32 steps, by the table for 45 nm."""
    row = next(r for r in bridge("bridge-dense") if r["network"] == "rates, T = 32")
    accesses = (400 + 10) * 32 * 2
    parts = {"additions": (row["additions"], 0.9), "accesses to potentials": (accesses, 5.0),
             "multiply-adds of the first layer": (row["multiply_adds"], 4.6)}
    return ["| part | how many | pJ each | nJ |", "|---|---|---|---|",
            *(f"| {name} | {n:,.0f} | {each} | {n * each / 1000:.1f} |" for name, (n, each) in parts.items())]


def figure(name, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(str(ROOT / "docs/figures"))
    return importlib.import_module(name)


def shown(page, name):
    return re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", read(page), re.S)[1].strip().splitlines()


def test_tables_are_rebuilt_from_the_record(monkeypatch):
    assert shown("bridge", "bridge") == bridge_table()
    assert shown("energy-and-hardware", "energy") == energy_table(figure("energy", monkeypatch).rows())
    assert shown("energy-and-hardware", "potentials") == potentials_table()


def test_what_the_pages_say_of_the_record(monkeypatch):
    rows, deep = ({r["network"]: r for r in bridge(name)} for name in ("fashion-fast", "bridge-mnist"))
    eight, first, relu = rows["rates, T = 8"], rows["first spikes"], rows["ReLU"]
    assert abs(eight["accuracy"] - relu["accuracy"]) < 0.001 and 2.5 < eight["additions"] / first["additions"] < 3
    assert first["accuracy"] == relu["accuracy"] and deep["rates, T = 8"]["accuracy"] < deep["rates, T = 4"]["accuracy"]
    energy = figure("energy", monkeypatch).rows()
    both = {name: arithmetic + reads for name, (*_, arithmetic, reads) in energy.items()}
    assert 0.4 < energy["rates, T = 16"][2] / energy["ReLU"][2] < 0.55 and both["rates, T = 16"] > both["ReLU"] > 2 * both["first spikes"]
    assert operations.ENERGY["45nm"][:2] == (0.9, 4.6) and operations.ENERGY["loihi"].addition > 5 * 4.6
    nanojoules = [float(line.split("|")[-2]) for line in potentials_table()[2:]]
    assert nanojoules == sorted(nanojoules)


# ---- numbers of the pages

def test_one_leaky_neuron_in_fractions():
    """Everything on the page on EventProp that is a fraction."""
    w, theta, u = Fraction(2), Fraction(3, 8), Fraction(3, 4)
    assert w * (u - u ** 2) == theta
    current, kappa = w * u ** 2, u - u ** 2
    slope = (current - theta) / 2
    assert (current, slope, kappa) == (Fraction(9, 8), Fraction(3, 8), Fraction(3, 16)) and -kappa / slope == Fraction(-1, 2)
    p = -2 / (current - theta)
    assert (p, p * u, p * kappa, w * (p * kappa - p * u / 2)) == (Fraction(-8, 3), -2, Fraction(-1, 2), 1)
    assert f"{-2 * np.log(0.75):.6f}" in read("event-prop")
    no_leak = Fraction(13, 16)
    assert w * (1 - no_leak) == theta and -(1 - no_leak) / (w * no_leak) == Fraction(-3, 26) and f"{-3 / 26:.6f}" in read("event-prop")
    assert 4 < w * no_leak / slope < 5
    assert (u - u ** 2) / ((2 * current - 2 * theta) / 2) == Fraction(1, 4)                  # exercise 1: twice the slope


def test_jumps_of_the_page():
    def z_out(z2, w2):
        return temporal.forward(np.array([[1.0, z2, 4.0]]), np.array([[2.0], [w2], [1.0]]))[0].item()
    assert z_out(2.5, -1.5) == 2 and z_out(2 - 1e-9, -1.5) == pytest.approx(6)
    for w2, far in ((-1.01, True), (-1.0, True), (-0.99, False), (-0.1, False)):             # exercise 2
        assert (abs(z_out(2 - 1e-9, w2) - 2) > 1) == far
    t = 1 + np.log(3.5)
    assert f"{t:.6f}" in read("delays-and-jumps") and f"{np.log((0.8 * np.e + 0.6 * np.e ** 2) / 0.4):.6f}" in read("delays-and-jumps")
    assert f"{np.pi / 2 - np.arctan(2):.6f}" in read("delays-and-jumps")


def test_plasticity_by_hand():
    """(H1) by pairs, (H2) and (H3) online, (H4): the numbers of the page, and those of a random train."""
    def pairs(pre, post):
        return sum((Fraction(1, 2) ** (t - s) if t > s else -Fraction(1, 2) * Fraction(1, 4) ** (s - t) if t < s else 0)
                   for s in pre for t in post)
    assert pairs([1, 4], [3]) == Fraction(1, 8) and pairs([0, 1], [2]) == Fraction(3, 4)
    rng = np.random.default_rng(0)
    pre, post = (np.flatnonzero(rng.random(40) < 0.3) for _ in range(2))
    assert len(np.intersect1d(pre, post)) > 1
    trains = [np.isin(np.arange(40), times)[:, None] * 1.0 for times in (pre, post)]
    dw, x, _ = exercises.get("stdp").functions["stdp"](*trains, 1.0, 0.5, 0.5, 0.25)
    assert dw.item() == pytest.approx(float(pairs(pre.tolist(), post.tolist())), rel=1e-12)
    assert x.item() == pytest.approx(sum(0.5 ** (39 - s) for s in pre.tolist()), rel=1e-12)
    marks = Fraction(1, 4), Fraction(3, 4) * Fraction(1, 4) - Fraction(1, 8)
    assert marks[1] == Fraction(1, 16) and marks[0] == 4 * marks[1]
    assert len({m.name for m in exercises.get("stdp").mistakes}) == 14
    assert len({m.name for m in exercises.get("event_prop_spike").mistakes}) == 22
    assert len({m.name for m in exercises.get("delay_backward").mistakes}) == 18


@pytest.mark.slow
def test_mean_change_of_independent_trains():
    """Exercise 2 on plasticity, on long random trains."""
    rng, rates = np.random.default_rng(0), (0.2, 0.3)
    trains = [(rng.random((3000, 40)) < r) * 1.0 for r in rates]
    dw = exercises.get("stdp").functions["stdp"](*trains, 1.0, 0.5, 0.5, 0.25)[0] / 3000
    assert dw.mean() == pytest.approx(0.2 * 0.3 * (1.0 * 0.5 / 0.5 - 0.5 * 0.25 / 0.75), rel=0.05)


def test_two_dots_and_two_ears():
    """(H5), (H6) by hand, and exercises 1 and 2 on event data."""
    left, right = (np.isin(np.arange(8), steps)[:, None] * 1.0 for steps in ((1, 4), (3, 6)))
    places = np.arange(-7, 8)
    counts = exercises.get("localise").functions["coincidences"](left, right, places)
    assert {d: n for d, n in zip(places.tolist(), counts.tolist(), strict=True) if n} == {2: 2, 5: 1, -1: 1}
    assert exercises.get("localise").functions["direction"](left[None], right[None], places) == 2
    z = np.exp([[0.0, 1, 2, 3], [3.0, 2, 1, 0]])
    by_weights, _ = temporal.forward(z, np.array([[0.9], [0.6], [0.3], [0.1]]))
    by_delays, _ = delays.forward(z, np.full((4, 1), 0.4), np.array([[3.0], [2], [1], [0]]))
    found = [f"{t:.2f}" for t in np.log(np.concatenate([by_weights, by_delays])).ravel()]
    assert found == ["1.62", "3.26", "3.98", "4.84"] and all(f"{t} ms" in read("events") for t in found)
    assert round(100_000 / (128 * 128 * 1000), 3) == 0.006 and round(128 * 128 * 25 / 1000) == 410
    assert len({m.name for m in exercises.get("localise").mistakes}) == 20


def test_captions(monkeypatch):
    adjoint, delay, plasticity, three = (figure(name, monkeypatch) for name in ("adjoint", "delay", "plasticity", "three_readings"))
    assert adjoint.forward() == pytest.approx((-2 * np.log(0.75), 1, -0.5), rel=1e-12)
    p, q = adjoint.adjoint(np.array([0.0, adjoint.forward()[0]]))
    assert np.allclose(p, [-2, -8 / 3]) and np.allclose(q, [-0.5, 0])
    assert [round(delay.neuron(d)[1], 2) for d in (0.0, 2.0)] == [0.33, 0.78] and "from 0.33 to 0.78" in " ".join(delay.CAPTION.split())
    last = plasticity.online()[2][-1]
    pairs = sum(plasticity.window(np.array(t - s)) for s in plasticity.PRE for t in plasticity.POST)
    assert last == pytest.approx(pairs, rel=1e-12)
    u = np.linspace(-0.5, 1.5, 401)
    relu, charge, rate = three.readings(u)
    assert np.allclose(relu, charge, atol=1e-12) and (rate <= relu + 1e-9).all() and (relu - rate).max() == pytest.approx(0.25, abs=0.01)
    ears = figure("two_ears", monkeypatch)
    assert ears.DELAYS[ears.counts().argmax()] == -10 and "d = -10" in ears.CAPTION
    assert abs(np.diff([spikes.sum() for spikes in ears.ears()[:2]])) < 0.05 * ears.ears()[0].sum()
