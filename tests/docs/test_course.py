"""The pages of docs/course: short, linked, with exercises and hints; their code prints what they say, and their numbers are recomputed.

Equations that have their home here: (M1), (M2), (M3) of the leaky neuron, (C1) to (C5) of encoding.
"""

import importlib.util
import itertools
import json
import re

import numpy as np
import pytest

from pysnn import encode, exercises
from pysnn.conventions import Rule, Surrogate
from pysnn.reference import integrate_fire, leaky
from tests.cases import ROOT, pages

FOLDER = ROOT / "docs/course"
PAGES = sorted(page for page in FOLDER.glob("*.md") if page.name != "index.md")
WORDS = 1500
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)


def read(name):
    """Return the text of a page."""
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def rows(name, head):
    """Return the rows of the table of a page whose first cell is `head`, as lists of cells without the marks of formulas."""
    table = next(t for t in re.findall(r"(?:^\|.*\n)+", read(name), re.M) if t.startswith(f"| {head} |"))
    return [[cell.strip().strip("$* ") for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


# ---- every page

@by_page
def test_a_page_is_short_and_stands_in_the_list(page):
    assert len(page.read_text().split()) <= WORDS
    index = read("index")
    assert f"]({page.name})" in index and page.stem in index.split("```{toctree}")[1].split()


@by_page
def test_code_prints_what_the_page_says(page):
    pages.run_code(page)


@by_page
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#:\s]+)(#[^)]+)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which does not exist"
        assert not anchor or anchor[1:] in pages.anchors(page.parent / target), f"{page.name}: {target} has no heading {anchor}"


def test_a_page_begins_with_what_it_needs_and_ends_with_the_next():
    """The pages follow one another as the list of the course has them; the last one leads out of it."""
    order = [line for line in read("index").split("```{toctree}")[1].split("```")[0].split("\n") if line and line[0] != ":"]
    assert sorted(order) == [page.stem for page in PAGES]
    for name, following in itertools.zip_longest(order, [f"{after}.md" for after in order[1:]], fillvalue="../teach/index.md"):
        beginning, end = read(name).partition("\n## ")[0], read(name).split("## Where the equations")[0].rstrip().splitlines()[-1]
        assert re.search(r"^\*Before this page:\* .+\.$", beginning, re.M), name
        assert end.startswith("*Next:* ") and re.search(r"\]\(([^)]+)\)", end)[1] == following, name


@by_page
def test_formulas_can_be_set_by_every_reader(page):
    text = page.read_text()
    assert text.count("$") % 2 == 0 and not [b for b in re.findall(r"\$\$(.+?)\$\$", text, re.S) if "\\\\" in b]


@pytest.mark.parametrize("name", ["leaky-neuron", "encoding", "recurrence-and-surrogates"])
def test_exercises_have_hints_and_answers(name):
    text = read(name).split("\n## Exercises\n")[1].split("\n## ")[0]
    parts = re.split(r"<details><summary>(?:Hints|Answers)</summary>", text)
    assert [re.findall(r"^(\d)\. ", part, re.M) for part in parts] == [["1", "2", "3", "4", "5"]] * 3
    named = re.findall(r"pysnn check --start (\w+)", text)
    assert named and set(named) <= set(exercises.NAMES) and "worked example" in read(name) and "](../notation.md)" in read(name)


# ---- the leaky neuron

def test_the_exact_step_solves_the_circuit():
    """(M2) is the solution of (M1) after a step: against many small Euler steps, and its units."""
    tau, dt, r_i, v, n = 20.0, 10.0, 30.0, 4.0, 200_000
    beta = np.exp(-dt / tau)
    fine = v
    for _ in range(n):
        fine += dt / n / tau * (-fine + r_i)                                   # (M1)
    assert beta * v + (1 - beta) * r_i == pytest.approx(fine, rel=1e-5)        # (M2)
    assert beta ** 2 == pytest.approx(np.exp(-2 * dt / tau), rel=1e-14)
    assert 100e6 * 200e-12 == pytest.approx(20e-3) and 100e6 * 0.3e-9 == pytest.approx(30e-3)
    x = np.array([0.1, 0.3, 0.5])
    for part, ratio in zip(x, (1 - x) / np.exp(-x), strict=True):
        assert f"{ratio:.3f} at {part}" in read("leaky-neuron") and (ratio < 0.9) == (part == 0.5)


def closed_form(r_i, tau, theta, t_ref=0.0):
    """(M3)."""
    return 1 / (t_ref + tau * np.log(r_i / (r_i - theta)))


def test_the_rate_is_that_of_the_circuit():
    """(M3) against the exact steps, 20,000 to a time constant; its limits; rounded up to whole steps it is (D5)."""
    theta, tau, r_i = 15.0, 20.0, np.array([[16.0, 20.0, 30.0, 90.0]])
    rule = Rule("zero", gain="1 - beta")
    for steps in (20_000, 2):
        first = leaky.forward(np.repeat(r_i[None], 3 * steps, axis=0), np.exp(-1 / steps), theta, rule=rule)[0].argmax(axis=0)[0] + 1
        assert (first == np.ceil(steps / tau / closed_form(r_i, tau, theta)[0])).all()
    assert closed_form(1e6, tau, theta, 2.0) == pytest.approx(0.5, rel=1e-3)
    assert closed_form(3000.0, tau, theta) == pytest.approx((200 - 0.5) / tau, rel=1e-4)
    z = encode.leaky_latency(r_i / 100, 0.15)
    assert tau * np.log(z) == pytest.approx(1 / closed_form(r_i, tau, theta), rel=1e-12)


def test_numbers_of_the_leaky_neuron():
    text, tau, theta, r_i = read("leaky-neuron"), 20.0, 15.0, 30.0
    assert f"= {tau * np.log(2):.2f}$ ms between spikes, {1000 * closed_form(r_i, tau, theta):.0f} spikes per second" in text
    assert f"$t_{{\\mathrm{{ref}}}} = 2$ ms, {1000 * closed_form(r_i, tau, theta, 2.0):.0f}." in text
    for beta in (np.exp(-0.05), 0.95):                                         # steps of 1 ms
        assert leaky.forward(np.full((20, 1, 1), r_i), beta, theta, rule=Rule("zero", gain="1 - beta"))[0].argmax() + 1 == 14
    table, period = rows("leaky-neuron", "$t$ (ms)"), tau * np.log(2)
    exact = [(1 - np.exp(-0.5)) * r_i, (1 - np.exp(-1)) * r_i]
    for k, (t, curve, before, s, euler, s_euler) in enumerate(table):
        since = float(t) - period * np.floor(float(t) / period)
        assert float(curve) == pytest.approx(r_i * (1 - np.exp(-since / tau)), abs=0.006)
        assert float(before) == pytest.approx(exact[k % 2], abs=0.006) and s == str(k % 2) and (euler, s_euler) == ("15", "1")
    assert 50 * 0.4 == 2 * 10 and 10 / 50 == 0.2                               # exercise 1: R I is twice the threshold


# ---- encoding

def test_encodings_are_those_of_the_page(rng):
    """(C1), (C3), (C4), (C5) as written, against pysnn.encode; (C2) is an integrate-and-fire neuron."""
    x, n_steps = rng.random((3, 4)), 30
    t_max = np.log(6.0)
    np.testing.assert_allclose(encode.latency(x, 6.0), np.exp(t_max * (1 - x)), rtol=1e-14)                            # (C1)
    h = 1e-6
    slope = (encode.latency(x[:, :1] * 0.9 + h, 6.0) - encode.latency(x[:, :1] * 0.9, 6.0)) / h
    np.testing.assert_allclose(slope, -encode.latency(x[:, :1] * 0.9, 6.0) * t_max, rtol=1e-5)
    spikes, left, _ = integrate_fire.forward(np.repeat(x[None], n_steps, axis=0))
    assert (spikes.sum(axis=0) == np.floor(n_steps * x)).all() and np.allclose(left, n_steps * x % 1)                   # (C2)
    u = np.random.default_rng(5).random((3, n_steps, 4))
    assert (encode.poisson(x, np.random.default_rng(5), n_steps) == (u < x[:, None])).all()                            # (C3)
    m = 6
    middles, sigma = (np.arange(m) - 0.5) / (m - 2), 2 / 3 / (m - 2)
    wanted = np.exp(-(x[..., None] - middles) ** 2 / (2 * sigma ** 2)).reshape(3, -1)
    np.testing.assert_allclose(encode.population(x, m), wanted, rtol=1e-12)                                           # (C4)
    signal = np.cumsum(rng.normal(0, 0.1, (1, 60, 1)), axis=1)
    up, down = np.moveaxis(encode.delta(signal, 0.15)[0], 1, 0)
    level = signal[0, 0, 0]
    for t in range(1, 60):                                                                                             # (C5)
        assert (up[t], down[t]) == (signal[0, t, 0] - level >= 0.15, level - signal[0, t, 0] >= 0.15)
        level += 0.15 * (up[t] - down[t])
    assert up.sum() > 1 and down.sum() > 1


def test_spread_of_poisson_counts():
    x, n_steps = 0.375, 8
    counts = encode.poisson(np.full((200_000, 1), x), np.random.default_rng(1), n_steps).sum(axis=1)
    assert counts.mean() == pytest.approx(n_steps * x, abs=0.02) and counts.var() == pytest.approx(n_steps * x * (1 - x), rel=0.02)
    assert f"= {np.sqrt(n_steps * x * (1 - x)):.2f}$" in read("encoding")
    assert np.sqrt(0.25 / 100) == 0.05 and np.sqrt(0.25 / 2500) == 0.01


def test_numbers_of_encoding():
    text, x = read("encoding"), np.full((8, 1), 0.375)
    spikes, _, cache = integrate_fire.forward(x)
    assert (np.flatnonzero(spikes) + 1).tolist() == [3, 6, 8] and "in the steps 3, 6 and 8" in text
    sums = [f"**{u:.4g}**" if s else f"{u:.4g}" for u, s in zip(cache.u.ravel(), spikes.ravel(), strict=True)]
    assert f"subtraction is {', '.join(sums)}." in text
    assert integrate_fire.forward(x, rule=Rule(fire=">"))[0].sum() == 2
    z = 6 ** 0.625
    assert f"= {z:.3f}$" in text and f"= {np.log(z):.3f}\\,\\tau$" in text and f"that is {4 * np.log(z):.2f} steps" in text
    spikes, left, cache = integrate_fire.forward(np.full((5, 1), 0.7))
    assert (np.flatnonzero(spikes) + 1).tolist() == [2, 3, 5] and left == pytest.approx(0.5)
    assert "0.7, 1.4, 1.1, 0.8, 1.5" in text and np.allclose(cache.u.ravel(), [0.7, 1.4, 1.1, 0.8, 1.5])


# ---- recurrence and surrogates

X, W = np.array([1.25, 0.8125, 0.875]), np.array([[-0.5]])


def layer(x, w=W, dspikes=(0.0, 0.0, 1.0), detach=True):
    """Return spikes, potentials and gradients of the worked example."""
    spikes, _, cache = leaky.forward(np.array(x).reshape(3, 1, 1), 0.75, w_rec=np.asarray(w, float))
    grads = leaky.backward(np.array(dspikes).reshape(3, 1, 1), cache, surrogate=Surrogate("triangle", 1.0), detach_reset=detach)
    return spikes.ravel(), leaky.potentials(cache).ravel(), grads.dcurrent.ravel(), grads.dw_rec.item()


def test_numbers_of_the_recurrent_example():
    spikes, u, dx, dw = layer(X)
    table = rows("recurrence-and-surrogates", "$t$")
    assert [row[3] for row in table] == [f"{s:g}" for s in spikes]
    assert [float(row[2].split("=")[-1]) for row in table] == u.tolist()
    assert [float(row[5]) for row in table] == np.maximum(0, 1 - np.abs(u - 1)).tolist()
    assert [float(row[4]) for row in table] == (u - spikes).tolist()
    back = re.findall(r"^\| ([321]) \| (.*) \| (.*) \| (.*) \|$", read("recurrence-and-surrogates").split("Backward, detached")[1], re.M)
    assert [float(cells[3].split("=")[-1].strip("$ ")) for cells in back] == dx[::-1].tolist()
    assert [float(cells[2].split("=")[-1].strip("$ ")) for cells in back] == [0, *(0.75 * dx[:0:-1])] and dw == 0.375


def test_answers_on_recurrence():
    spikes, u, dx, _ = layer(X, 0 * W)
    assert u.tolist() == [1.25, 1, 0.875] and spikes.tolist() == [1, 1, 0] and dx.tolist() == [0.4921875, 0.65625, 0.875]
    inside = [layer([x, *X[1:]])[0][2] for x in (0.999, 1.0, 1.9166, 1.9167)]
    assert inside == [0, 1, 1, 0] and layer([0.999, *X[1:]])[0].tolist() == [0, 1, 0] and layer([1.9167, *X[1:]])[0].tolist() == [1, 1, 0]
    assert layer(X, dspikes=(1.0, 1.0, 1.0))[2:] == (pytest.approx([1.078125, 0.875, 0.75], abs=0), 0.875)


def test_what_is_said_of_slopes_is_recorded():
    """Within 2 points from slope 3 to 30 on the manifolds; far apart on the sounds."""
    spec = importlib.util.spec_from_file_location("slopes", ROOT / "docs/results/slopes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table = module.table(json.loads((ROOT / "docs/results/slopes.json").read_text())["results"])
    manifolds, sounds = (table[data, "fast_sigmoid", True] for data in ("randman", "sound"))
    decade = [manifolds[slope] for slope in (3.0, 10.0, 30.0)]
    assert max(decade) - min(decade) < 0.0205 and len(manifolds) == 5 and len({kind for _, kind, _ in table}) == 4
    best = [max(row.values()) for (data, _, detached), row in table.items() if data == "randman" and detached]
    assert len(best) == 4 and max(best) - min(best) < 0.03
    triangle = table["randman", "triangle", True]
    assert f"triangle falls by {100 * (triangle[3.0] - triangle[30.0]):.0f} points" in read("recurrence-and-surrogates")
    others = max(max(row.values()) for (data, kind, detached), row in table.items()
                 if (data, detached) == ("sound", True) and kind != "fast_sigmoid")
    assert f"gets beyond {others:.0%}".replace("%", " %") in read("recurrence-and-surrogates")
    assert f"has {sounds[1.0]:.0%} at slope 1 and {sounds[3.0]:.0%} at slope 3".replace("%", " %") in read("recurrence-and-surrogates")
