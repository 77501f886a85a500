"""The interactive pages: built, self-contained, readable; the page on Yin-Yang against the reference."""

import json
import math
import re
import shutil

import numpy as np
import pytest

from pysnn import encode, losses, models
from tests.cases import interactive_pages
from tests.cases.interactive_pages import HERE, PAGES, floats, in_chromium, number, recorded, script, slide, weights
from tests.cases.tolerances import tol

browser = pytest.fixture(scope="module", params=interactive_pages.BROWSERS)(interactive_pages.browser)
visit = pytest.fixture(interactive_pages.visit)
docs = pytest.mark.docs


# what needs no browser

def test_pages_are_built_from_their_sources():
    build = script("build")
    assert set(build.PAGES) == set(PAGES)
    for name in PAGES:
        assert (HERE / f"{name}.html").read_text() == build.page(name), f"{name}.html is not up to date: python docs/interactive/build.py"


@pytest.mark.parametrize("name", PAGES)
def test_pages_hold_all_they_need(name):
    text = (HERE / f"{name}.html").read_text()
    assert len(text) < 1e6
    assert not re.findall(r"<script[^>]+src=|<link[^>]+stylesheet|@import|url\((?!#)|fetch\(|XMLHttpRequest|https?://(?!www\.w3\.org/)",
                          text)
    pages = {f"{page}.html" for page in (*PAGES, "index")}
    for target in re.findall(r'<a [^>]*href="([^"]+)"', text):
        assert target in pages or (HERE / target).with_suffix(".md").exists()


def test_pages_quote_the_tags_of_the_equations():
    for name, tags in (("temporal", "T2 T3 T4 T5 T6 T7 T8"), ("integrate-fire", "I1 I2 I4 I5"), ("yin-yang-model", "L2"),
                       ("leaky-model", "M1 M2 M3 D2 D3 D5")):
        text = (HERE / f"src/{name}.js").read_text()
        assert not [tag for tag in tags.split() if f"({tag})" not in text]


@pytest.mark.parametrize("theme", [':root {', ':root[data-theme="dark"] {'])
def test_words_can_be_read(theme):
    """Contrast of at least 4.5 (WCAG 2, AA) of all colours that write on all that lie behind."""
    block = (HERE / "src/page.css").read_text().split(theme, 1)[1].split("}")[0]
    colors = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))

    def luminance(color):
        x = np.array([int(color[k:k + 2], 16) for k in (1, 3, 5)]) / 255
        return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    for front in ("ink", "soft", "up", "down", "out"):
        for back in ("card", "page"):
            low, high = sorted((luminance(colors[front]), luminance(colors[back])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, f"{front} on {back}"
    low, high = sorted((luminance(colors["ink"]), luminance(colors["mark"])))
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_recording_is_what_the_reference_says():
    data, evaluate = recorded(), script("record_yin_yang").loss_and_accuracy
    x = floats(data["x"], -1, 2)
    x, y = np.hstack([x, 1 - x]), np.array([int(label) for label in data["y"]])
    accuracy = [frame["accuracy"] for frame in data["frames"]]
    assert len(data["frames"]) > 40 and [f["update"] for f in data["frames"]] == sorted({f["update"] for f in data["frames"]})
    assert accuracy[0] < 0.5 and accuracy[-1] > 0.97
    for k in (0, 8, len(accuracy) - 1):
        loss, found = evaluate(weights(data["frames"][k]), x, y)
        assert found == accuracy[k] and loss == pytest.approx(data["frames"][k]["loss"], rel=tol("identity"))


@docs
def test_recorder_writes_what_it_trains(tmp_path):
    record = script("record_yin_yang")
    record.main(epochs=2, n_train=200, out=tmp_path / "data.js")
    data = recorded(tmp_path / "data.js")
    assert [f["update"] for f in data["frames"]] == record.frames(2, 10) == [0, 2, 5, 10, 15, 20]
    assert data["frames"][-1]["loss"] < data["frames"][0]["loss"] and set(data) == set(recorded())
    for (update, trained), frame in zip(record.train(epochs=2, n_train=200), data["frames"], strict=True):
        assert update == frame["update"] and all((trained[name] == w).all() for name, w in weights(frame).items())


# every page

@docs
@pytest.mark.parametrize("name", PAGES)
def test_nothing_overflows(visit, name):
    page = visit(name)
    for width in (1280, 768, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wide = page.evaluate("""() => [...document.querySelectorAll("main *")].filter((e) => { const box = e.getBoundingClientRect();
            return box.width && (box.right > innerWidth + 1 || box.left < -1); }).map((e) => e.outerHTML.slice(0, 80))""")
        assert not wide


@in_chromium                                 # Firefox takes no colour scheme from Playwright
@docs
@pytest.mark.parametrize("name", PAGES)
def test_a_dark_system_is_followed(visit, name):
    back = visit(name, scheme="dark").evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", back))) < 200


@docs
@pytest.mark.parametrize("name", PAGES)
def test_theme_can_be_chosen_and_stays(visit, name):
    page = visit(name)
    chosen = []
    for _ in range(3):
        page.click("#theme")
        chosen.append(page.evaluate("""() => [document.documentElement.dataset.choice, document.documentElement.dataset.theme,
            /rgb.2\\d\\d/.test(getComputedStyle(document.body).backgroundColor)]"""))
    assert chosen == [["light", "light", True], ["dark", "dark", False], ["auto", "light", True]]
    page.click("#theme")
    page.click("#theme")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@in_chromium
@docs
@pytest.mark.parametrize("name", PAGES)
def test_buttons_are_large_and_everything_has_a_name(visit, name):
    page = visit(name, 390)
    small = page.evaluate("""() => [...document.querySelectorAll("button, summary")].filter((e) => e.getBoundingClientRect().height < 40 ||
        e.getBoundingClientRect().width < 34).map((e) => e.outerHTML)""")
    nameless = page.evaluate("""() => [...document.querySelectorAll("button, input, [tabindex]")].filter((e) =>
        !(e.getAttribute("aria-label") || e.textContent.trim() || (e.labels && e.labels.length))).map((e) => e.outerHTML)""")
    assert not small and not nameless


@in_chromium
@docs
def test_links_into_the_site_are_links_on_the_site_alone(visit, tmp_path):
    assert visit("neuron").locator("a.site, .site-only").count() == 0
    shutil.copy(HERE / "neuron.html", tmp_path)
    assert visit("neuron", folder=tmp_path).locator("a.site").get_attribute("href") == "../derivations/temporal.html"


# Yin-Yang

def network(frame):
    return models.build("4-40-3", "temporal", weights(frame), bias=True, backend="reference")


@docs
def test_loss_and_accuracy_are_the_recorded_ones(visit):
    page, data = visit("yin-yang"), recorded()
    got = page.evaluate("FRAMES.filter((_, k) => k % 5 === 0).map((f) => [score(f).loss, score(f).accuracy])")
    ref = [[f["loss"], f["accuracy"]] for f in data["frames"][::5]]
    np.testing.assert_allclose(got, ref, rtol=tol("identity"))
    assert page.evaluate("decode(DATA.frames[3].w2).length") == 123


@docs
def test_scrubbing_changes_the_picture(visit):
    page, data = visit("yin-yang"), recorded()
    page.click("#points button[value=none]")
    last, pictures, said = len(data["frames"]) - 1, set(), set()
    for frame in (0, 10, last):
        slide(page, "frame", frame)
        assert page.inner_text("#update") == f"{data['frames'][frame]['update']:,}"
        assert page.inner_text("#accuracy") == f"{100 * data['frames'][frame]['accuracy']:.1f} %"
        pictures.add(page.evaluate("document.getElementById('map').toDataURL()"))
        said.add(page.get_attribute("#race", "data-z"))
    assert len(pictures) == len(said) == 3
    page.wait_for_function("document.getElementById('map').dataset.n === '216'")
    found = page.evaluate("Array.from(FRAMES[state.frame][216].kind)")
    x, y = np.meshgrid((np.arange(216) + 0.5) / 216, 1 - (np.arange(216) + 0.5) / 216)
    some = np.random.default_rng(0).choice(216 * 216, 300, replace=False)
    x = np.stack([x.ravel()[some], y.ravel()[some]], axis=1)
    z = network(data["frames"][last]).forward(encode.latency(np.hstack([x, 1 - x]), 6.0))[0][-1]
    assert (z.argmin(axis=1) == np.array(found)[some]).all()                   # float64 on both sides: no tie among 300 points
    page.click("#play")
    page.wait_for_function("state.frame >= 2 && state.frame < 20")
    page.click("#play")
    assert page.inner_text("#play") == "Play"
    at = number(page, "frame")
    page.click("#forth")
    assert number(page, "frame") == at + 1


@docs
@pytest.mark.parametrize("frame", [0, 12, -1])
def test_a_clicked_point_shows_its_spike_times(visit, frame):
    page, data = visit("yin-yang"), recorded()
    slide(page, "frame", frame % len(data["frames"]))
    box = page.locator("#map").bounding_box()
    for x, y in ((0.3, 0.8), (0.52, 0.47), (0.75, 0.5)):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + (1 - y) * box["height"])
        found = page.evaluate("[state.x, state.y]")
        assert found == pytest.approx([x, y], abs=0.003)
        point = np.array([[found[0], found[1], 1 - found[0], 1 - found[1]]])
        z = network(data["frames"][frame]).forward(encode.latency(point, 6.0))[0][-1][0]
        got = [math.inf if v == "inf" else v for v in json.loads(page.get_attribute("#race", "data-z"))]
        assert got == pytest.approx(z.tolist(), rel=tol("identity"))
        assert page.inner_text("#verdict b") == ("yin", "yang", "dot")[int(z.argmin())]
    before = page.evaluate("state.x")
    page.locator("#map").focus()
    page.keyboard.press("Shift+ArrowLeft")
    assert page.evaluate("state.x") == pytest.approx(before - 0.1)


@docs
def test_loss_of_one_point_is_the_reference(visit):
    z = np.array([[2.0, 3.0, np.inf], [1500.0, np.inf, np.inf], [np.inf] * 3])
    got = visit("yin-yang").evaluate("(z) => z.map((row) => [0, 1, 2].map((label) => loss(row, label)))", z.tolist())
    ref = [[losses.softmax_t(z[b:b + 1], np.array([k]), 10.0)[0] for k in range(3)] for b in range(3)]
    np.testing.assert_allclose(got, ref, rtol=tol("identity"))
