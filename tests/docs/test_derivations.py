"""The pages of docs/derivations: all have the same parts, what they quote exists, their code runs and prints what they say.

That equations are quoted by code and tests is the business of test_tags.py. Numbers that the pages give outside of their code are
recomputed here or where the equation is tested.
"""

import ast
import dataclasses
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from pysnn import checkpoint, exercises, losses, models, training
from pysnn.conventions import Rule, Surrogate
from pysnn.evaluation import mismatch
from pysnn.learning import proxy
from pysnn.reference import batch_norm, conv, integrate_fire, temporal
from tests.cases import ROOT, pages

PAGES = sorted((ROOT / "docs/derivations").glob("*.md"))
REFERENCES = [page for page in PAGES if page.stem.endswith("-reference")]     # what a lecture page leaves out, such as kernels
FULL = [page for page in PAGES if page.name != "index.md" and page not in REFERENCES]
LECTURE_WORDS = 1500
PARTS = ("The model", "The solution", "Differentiation", "Edge cases, and what happens", "The implementations side by side", "Exercises",
         "Where the equations are quoted")
QUOTE = re.compile(r"^```\{literalinclude\} (\S+)\n((?::.*\n)*)```$", re.M)
TAG = re.compile(r"\([A-Z]\d{1,2}\)")
HELPERS = {"conv.py _taps", "conv.py _product", "batch_norm.py _moments", "batch_norm.py _sum", "conversion.py largest", "ann.py gradients",
           "network.py Network.backward", "spiking.py run", "spiking.py _Neurons.step"}             # quoted, with no equation of their own
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
by_full_page = pytest.mark.parametrize("page", FULL, ids=lambda p: p.stem)


def read(page):
    """Return the text of a page, or of the page of this name."""
    return (page if isinstance(page, Path) else ROOT / f"docs/derivations/{page}.md").read_text(encoding="utf-8")


def excerpt(path, options):
    """Return the lines of a source that a quotation shows; refuse an option whose text is not there."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if name := options.pop("pyobject", None):
        body, node = ast.parse("\n".join(lines)).body, None
        for part in name.split("."):
            node = next((n for n in body if getattr(n, "name", None) == part), None)
            assert node is not None, f"{path.name} has no {name}"
            body = node.body if isinstance(node, ast.ClassDef) else []
        lines = lines[min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1:node.end_lineno]
    if start := options.pop("start-at", None):
        assert any(start in line for line in lines), f"{path.name}, {name}: no line with {start!r}"
        lines = lines[next(i for i, line in enumerate(lines) if start in line):]
    assert set(options) <= {"language", "dedent"}, f"unknown options {sorted(options)}"
    return textwrap.dedent("\n".join(lines))


def quotations(page):
    """List what a page quotes: file, name, text."""
    found = []
    for target, options in QUOTE.findall(read(page)):
        path = (page.parent / target).resolve()
        assert path.is_file(), f"{page.name} quotes {target}, which does not exist"
        pairs = dict(line[1:].partition(":")[::2] for line in options.splitlines())
        given = {key: value.strip() for key, value in pairs.items()}
        found.append((path, given["pyobject"], excerpt(path, given)))
    return found


@by_full_page
def test_each_page_has_the_same_parts(page):
    headings = re.findall(r"^## (.+)$", read(page), re.M)
    places = [next((i for i, h in enumerate(headings) if h.startswith(part)), None) for part in PARTS]
    assert None not in places and places == sorted(places), f"{page.name}: expected {PARTS} in this order, found {headings}"
    assert "worked example" in read(page), f"{page.name} has no worked example"


@by_full_page
def test_each_page_has_exercises_with_answers(page):
    tasks, _, answers = read(page).split("\n## Exercises\n")[1].split("\n## ")[0].partition("<details><summary>Answers</summary>")
    numbers = [re.findall(r"^(\d)\. ", part, re.M) for part in (tasks, answers)]
    assert numbers[0] == numbers[1] == [str(n + 1) for n in range(len(numbers[0]))] and 3 <= len(numbers[0]) <= 7
    assert "*Code.*" in tasks, f"{page.name}: expected an exercise in code"


@pytest.mark.parametrize("page", REFERENCES, ids=lambda p: p.stem)
def test_a_lecture_page_is_short_and_names_its_reference_page(page):
    lecture = page.with_name(page.name.replace("-reference", ""))
    assert len(read(lecture).split()) <= LECTURE_WORDS < len(read(page).split())
    assert f"]({page.name})" in read(lecture) and f"]({lecture.name})" in read(page)


def test_the_temporal_neuron_has_a_reference_page():
    assert [page.stem for page in REFERENCES] == ["temporal-reference"]


@by_page
def test_exercises_named_by_a_page_exist(page):
    named = {*re.findall(r"pysnn check --start (\w+)", read(page)), *re.findall(r"pysnn check (\w+)\.py", read(page))}
    assert named <= set(exercises.NAMES), f"{page.name} names exercises that do not exist: {sorted(named - set(exercises.NAMES))}"


def test_every_exercise_is_named_by_a_page():
    text = "".join(read(page) for page in [*PAGES, *sorted((ROOT / "docs/course").glob("*.md"))])
    assert not [name for name in exercises.NAMES if f"`{name}`" not in text and f"--start {name}`" not in text]


@by_page
def test_quoted_code_is_there_and_says_which_equation_it_is(page):
    found = quotations(page)
    assert found and read(page).count("{literalinclude}") == len(found)
    silent = {f"{path.name} {name}" for path, name, text in found if not TAG.search(text)} - HELPERS
    assert not silent, f"{page.name} quotes code without a tag: {silent}"


@by_full_page
def test_what_exists_three_times_is_quoted_three_times(page):
    """Behind a quotation of the reference stand those of its twins, on the page or on its reference page."""
    both = [page, *(other for other in REFERENCES if other.stem == f"{page.stem}-reference")]
    files = {str(path.relative_to(ROOT)) for part in both for path, *_ in quotations(part)}
    for name in sorted(files):
        for folder in ("kernels", "cuda"):
            twin = name.replace("reference", folder)
            if name.startswith("pysnn/reference/") and (ROOT / twin).is_file() and not name.endswith("spiking.py"):
                assert twin in files, f"{page.name} quotes {name} and not {twin}"


@by_page
def test_code_of_the_pages_prints_what_they_say(page):
    assert pages.run_code(page) or page.name == "index.md"


@by_page
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#:\s]+)(#[^)]+)?\)", read(page)):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which does not exist"
        if anchor:
            assert anchor[1:] in pages.anchors(page.parent / target), f"{page.name}: {target} has no heading {anchor}"
    assert "](../notation.md)" in read(page), f"{page.name} does not link to the one table of symbols"


@by_page
def test_formulas_can_be_set_by_every_reader(page):
    """A double backslash in a displayed formula makes Sphinx wrap it where no tag is allowed; all brackets are closed."""
    blocks = re.findall(r"\$\$(.+?)\$\$", read(page), re.S)
    for block in blocks:
        assert "\\\\" not in block, f"{page.name}: write \\cr for a new line in {block}"
        assert block.count("{") == block.count("}") and len(re.findall(r"\\left\b", block)) == len(re.findall(r"\\right\b", block))
    assert read(page).count("$") % 2 == 0


def test_every_page_is_in_the_list():
    index = read("index")
    contents = index.split("```{toctree}")[1].split("```")[0].split()
    assert {page.stem for page in [*FULL, *REFERENCES]} <= set(contents)
    assert all(f"]({page.name})" in index for page in [*FULL, *REFERENCES])


# ---- numbers of the pages

def test_kinks_and_jumps():
    """Exercise 4 of the reference page on the temporal neuron."""
    for seed, kinks, jumps in ((0, 464, 23), (1, 477, 17)):
        rng, found = np.random.default_rng(seed), [0, 0]
        for _ in range(1000):
            z, w = np.exp(rng.uniform(0, 2, 20)), rng.normal(0.1, 0.5, 20)
            z_out, cache = temporal.forward(z[None], w[:, None])
            late = np.flatnonzero((z >= cache.z_bound[0, 0]) & (w < 0)) if z_out[0, 0] < np.inf else []
            if len(late):
                moved = np.where(np.arange(20) == late[0], z_out[0, 0] * (1 - 1e-9), z)
                far = not abs(temporal.forward(moved[None], w[:, None])[0][0, 0] - z_out[0, 0]) < 1e-4 * z_out[0, 0]
                assert far == (cache.margin[0, 0] + w[late[0]] <= 0)
                found[far] += 1
        assert found == [kinks, jumps] and f"{jumps} jumps beside {kinks}" in read("temporal-reference")


def test_attached_reset_to_zero():
    """Exercise 5 on the integrate-and-fire neuron."""
    _, _, cache = integrate_fire.forward(np.full((2, 1), 0.75), rule=Rule("zero"))
    found = [integrate_fire.backward(np.ones((2, 1)), cache, None, Surrogate("triangle", 1.0), detach)[0][0, 0] for detach in (True, False)]
    assert found == [1.25, 0.96875]


def test_convolution_with_a_stride():
    """Exercise 2 on convolution."""
    x, w = np.arange(1.0, 10).reshape(1, 3, 3, 1), np.arange(1.0, 5).reshape(2, 2, 1, 1)
    y, cache = conv.conv2d_forward(x, w, stride=2, padding=1)
    dx, _ = conv.conv2d_backward(np.ones_like(y), cache)
    assert y.ravel().tolist() == [4, 18, 36, 77] and dx.ravel().tolist() == [4, 3, 4, 2, 1, 2, 4, 3, 4]


def test_size_of_the_papers_network():
    """Exercise 3 on convolution: parameters, and products an image."""
    params = models.rate_params("fashion-proxy", np.random.default_rng(0), False, "uniform", np.float32, 1.0)
    places = {4: iter((28 * 28, 28 * 28, 14 * 14)), 2: iter((1, 1, 1, 1))}
    products = sum(w.size * next(places[w.ndim]) for name, w in sorted(params.items()) if name.startswith("w"))
    assert sum(w.size for w in params.values()) == 19_599_744 and products == 164_712_960
    text = read("convolution-and-pooling").replace("{,}", ",")
    assert "19,599,744" in text and "164,712,960" in text


def test_variance_by_two_ways():
    """Exercise 5 on batch normalisation."""
    x = (1000 + 0.01 * np.random.default_rng(0).standard_normal(1_000_000)).astype(np.float32)
    mean, true = x.mean(dtype=np.float32), x.var(dtype=np.float64)
    assert abs(np.square(x).mean(dtype=np.float32) - mean * mean - true) > true > 0.99e-4
    assert np.square(x - mean).mean(dtype=np.float32) == pytest.approx(true, rel=1e-4)
    total = np.cumsum(x, dtype=np.float32)[-1]
    assert np.spacing(total) == 64 and 8 < abs(total / 1e6 - 1000) < 10
    one_by_one = total / np.float32(1e6)
    assert np.cumsum(np.square(x - one_by_one), dtype=np.float32)[-1] / 1e6 > 1e5 * true


def test_merging_of_blocks(rng):
    """The mean and the variance of blocks give those of all; exercise 3 on batch normalisation."""
    x = rng.normal(3, 2, 100)
    blocks = [x[:10], x[10:17], x[17:]]
    mean = sum(len(q) / 100 * q.mean() for q in blocks)
    var = sum(len(q) / 100 * (q.var() + (q.mean() - mean) ** 2) for q in blocks)
    np.testing.assert_allclose([mean, var], [x.mean(), x.var()], rtol=1e-12)


def test_normalisation_of_three_numbers():
    """Exercise 1 on batch normalisation."""
    _, cache = batch_norm.batch_norm_forward(np.array([[0.0], [0], [3]]), np.ones(1), np.zeros(1), eps=2.0)
    dx, dgamma, dbeta = batch_norm.batch_norm_backward(np.array([[0.0], [0], [1]]), cache)
    np.testing.assert_allclose(dx.ravel(), [-1 / 12, -1 / 12, 1 / 6], rtol=1e-12)
    assert dgamma == dbeta == 1


def two_layers(w1, w2, surrogate, detach=True):
    """Return counts of the output and both gradients, in units of c, of the example on surrogate gradients."""
    s1, _, below = integrate_fire.forward(np.full((2, 1), w1))
    s2, _, above = integrate_fire.forward(s1 * w2)
    dx2, _ = integrate_fire.backward(np.ones((2, 1)), above, None, surrogate, detach)
    dx1, _ = integrate_fire.backward(dx2 * w2, below, None, surrogate, detach)
    return s2.sum(), dx1.sum(), (s1 * dx2).sum()


def test_numbers_on_surrogate_gradients():
    triangle = Surrogate("triangle", 1.0)
    assert two_layers(0.75, 0.5, triangle) == (0, 0.4375, 0.5) and two_layers(0.75, 0.5, triangle, False)[1] == 0.34375
    assert two_layers(0.75, 1.0, triangle) == (1, 1.75, 1) and two_layers(0.75, 0.0, triangle)[1] == 0
    slopes = [f"{two_layers(0.75, 0.5, Surrogate('atan', k))[1]:.2f}" for k in (1.0, 2.0, 8.0)]
    assert f"is {', '.join(slopes)} for" in read("surrogate-gradients")
    for kind, k in (("atan", 2.0), ("fast_sigmoid", 25.0), ("sigmoid", 4.0), ("triangle", 1.0)):
        assert integrate_fire.surrogate_grad(np.zeros(1), Surrogate(kind, k)) == 1
    default = Surrogate().slope
    assert [integrate_fire.surrogate_grad(np.zeros(1), Surrogate(kind, default)) for kind in ("triangle", "sigmoid")] == [2, 0.5]


def test_pool_of_four_with_random_starts(rng):
    """Exercise 4 on mismatch: 1 - 0.7^4."""
    spikes, _, _ = integrate_fire.forward(np.full((500, 1000, 4), 0.3), 1.0, rng.random((1000, 4)))
    assert spikes.max(axis=-1).mean() == pytest.approx(1 - 0.7 ** 4, abs=0.03)
    spikes, _, _ = integrate_fire.forward(np.full((500, 4), 0.3))
    assert spikes.max(axis=-1).mean() == pytest.approx(0.3, abs=0.005)
    train = integrate_fire.forward(np.full((20, 1), 3.0), 10.0)[0][:, 0]
    assert train.sum() == 6 and (np.max([np.roll(train, phase) for phase in range(4)], axis=0) == 1).all()


def test_shift_with_a_silent_output():
    """(L2): the sum over the outputs of z times the gradient."""
    z, fired = np.array([[2.0, np.inf, 3.0]]), [0, 2]
    for label in (0, 1):
        p = np.where(np.isinf(z[0]), losses.Z_MAX, z[0]) ** -2.0
        dz = losses.softmax_t(z, np.array([label]), beta=2.0)[1][0]
        assert dz[1] == 0 and z[0, fired] @ dz[fired] == pytest.approx(2 * ((label in fired) - p[fired].sum() / p.sum()), rel=1e-9)
    dz = losses.softmax_t(z[:, fired], np.array([0]), beta=2.0)[1][0]
    assert z[0, fired] @ dz == pytest.approx(0, abs=1e-12)


def test_steps_of_the_shipped_network():
    """Exercise 5 on mismatch can be done as it is written; three images."""
    run = training.load(checkpoint.find("fashion-proxy"))
    call = "proxy.build(dataclasses.replace(run.nets.settings, n_steps=8), run.nets.net.params, state=run.nets.state)"
    assert f"`nets = {call}`" in read("mismatch")
    nets = eval(call, {"proxy": proxy, "dataclasses": dataclasses, "run": run})
    assert nets.settings.n_steps == 8 and run.nets.settings.n_steps == 15
    assert len(mismatch.mismatch(nets, np.zeros((1, 28, 28), np.uint8)).layers) == 7
