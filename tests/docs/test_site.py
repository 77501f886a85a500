"""The site: pages whose code runs, pages that are complete; with marker docs the built site, in a browser, too.

A build without warnings, links that lead somewhere, nothing from a network, formulas that render, nothing wider than the screen.
"""

import contextlib
import importlib.util
import os
import pkgutil
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

import pysnn
from pysnn import exercises
from tests.cases import ROOT, interactive_pages

DOCS = ROOT / "docs"
LOADING = dict.fromkeys(("script", "img", "iframe", "source", "video", "audio", "embed"), "src") | {"object": "data"}
NAVIGATION = {"canonical", "prev", "next", "search", "index", "author", "copyright", "help", "contents"}
EIGHT = ("index.html", "derivations/temporal.html", "derivations/integrate-and-fire.html", "notation.html", "results.html",
         "gallery/02_yin_yang.html", "api/operations.html", "howto/train-on-your-data.html")


def words(text):
    """Reduce a printed text to its words."""
    return re.sub(r"\s+", " ", re.sub(r"[-+]?\d[\d.]*(e[-+]?\d+)?", "#", text)).strip()


def run_page(name, capsys):
    """Run the code of a page in order; what it prints must read like the text blocks, numbers aside."""
    page = (DOCS / "howto" / name).read_text(encoding="utf-8")
    space, printed = {"__name__": "page"}, ""
    for kind, text in re.findall(r"```(python|text)\n(.*?)```", page, flags=re.S):
        if kind == "python":
            exec(compile(text, f"<{name}>", "exec"), space)
            printed = capsys.readouterr().out
        else:
            assert words(printed) == words(text), printed
    return space


def test_write_an_operation_page(capsys):
    pytest.importorskip("numba")
    space = run_page("write-an-operation.md", capsys)
    assert not space["report"].ok and space["comparison"].ok and set(space["grads"]) == {"w1", "a1", "w2"}


def test_sequences_page(capsys):
    space = run_page("sequences.md", capsys)
    assert space["data"].kind == "sequence" and space["spikes"].sum() == 3


@pytest.mark.slow
def test_train_on_your_data_page(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    space = run_page("train-on-your-data.md", capsys)
    assert space["score"].expected > 0.95 and Path("runs/waves.npz").is_file()
    x, shapes = space["waves"](500)
    times = space["temporal"].predict(space["again"].nets, space["own"].scaled(x))
    assert np.mean(np.array(space["own"].classes)[times.argmin(axis=1)] == shapes) > 0.95


def test_train_on_sequences_page(capsys):
    space = run_page("train-on-sequences.md", capsys)
    assert space["score"].expected > 0.97 and space["validation"][0].lengths.min() < space["validation"][0].lengths.max()


@pytest.mark.slow
def test_fine_tuning_page(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    space = run_page("fine-tuning.md", capsys)
    tuned, scratch = (space["records"][-1]["val_accuracy"], space["scratch"].records[-1]["val_accuracy"])
    assert tuned >= scratch and space["score"] > 0.6


def test_own_layer_and_loop_page(capsys):
    space = run_page("own-layer-and-loop.md", capsys)
    assert (space["params"]["g1"] != 1).any() and space["record"]["val_accuracy"] > 0.6
    written = []
    space["log"](type("Writer", (), {"add_scalar": lambda self, *row: written.append(row)})(), space["record"])
    assert ("loss", space["record"]["loss"], 3) in written


def test_api_pages_name_every_public_module():
    """All but the command line, the twins of the reference, and what lies inside a package that shows it."""
    named = set(re.findall(r"automodule:: (\S+)", "".join(p.read_text() for p in (DOCS / "api").glob("*.md"))))
    inside = ("pysnn.cli", "pysnn.kernels", "pysnn.cuda", "pysnn.datasets.", "pysnn.estimators.", "pysnn.exercises.", "pysnn.plots.",
              "pysnn.learning.method", "pysnn.learning.run", "pysnn.evaluation.temporal", "pysnn.pytest_plugin", "pysnn.verify.frameworks.",
              "pysnn.verify.conformance.subjects.", "pysnn.verify.golden.", "pysnn.verify.suite.", "pysnn.verify.report.",
              "pysnn.verify.plugin", "pysnn.verify.zoo.")
    public = {m.name for m in pkgutil.walk_packages(pysnn.__path__, "pysnn.", onerror=lambda name: None)
              if not m.ispkg and not any(part.startswith("_") for part in m.name.split(".")) and not m.name.startswith(inside)}
    assert public - named == set()
    assert {name for name in named if importlib.util.find_spec(name) is None} == set()


def test_command_line_page_names_every_verb(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(DOCS / "_ext")
    import command_line
    shown = re.findall(r"^```\{command-help\} ?(\w*)$", (DOCS / "api/command-line.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert shown == list(command_line.helps())


def test_exercises_page_names_every_exercise():
    page = (DOCS / "exercises.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` .*\]\((\S+\.ipynb)\) \|$", page, re.MULTILINE)
    assert [name for name, _ in rows] == list(exercises.NAMES)
    assert [name for name, notebook in rows if not (DOCS / notebook).is_file() or name not in notebook] == []


def test_no_words_are_lost_as_a_comment():
    """MyST takes a line that begins with % for a comment: the words of the line would be missing from the page."""
    lost = [path.name for path in DOCS.rglob("*.md") if "_build" not in path.parts
            and re.search(r"^\s*%", re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S), re.M)]
    assert not lost


def test_docstrings_become_markup(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "_ext")
    import docstrings
    assert docstrings.translated(["Sum of |w_i| is x**2; see `a_` and docs/notation.md."]) == [
        r"Sum of \|w_i\| is x\*\*2; see `a_` and :doc:`/notation`."]
    lines = ["Text.", "", "    a |b|", "    c", "", "More.", "", "Parameters", "----------", "w_ : float", "    Its |size|."]
    assert docstrings.translated(lines) == ["Text.", "", "::", "", *lines[2:10], r"    Its \|size\|."]


@pytest.mark.parametrize("script, said", [(None, "install npm"), ("echo broken >&2; exit 1", "failed: broken"),
                                          ("echo other > mathjax-3.2.2.tgz", "expected MathJax 3.2.2 with SHA-256")])
def test_mathjax_comes_whole_or_not_at_all(script, said, monkeypatch, tmp_path):
    errors = pytest.importorskip("sphinx.errors")
    monkeypatch.syspath_prepend(DOCS / "_ext")
    import mathjax
    if script:
        (tmp_path / "npm").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYSNN_DATA", str(tmp_path / "cache"))
    with pytest.raises(errors.ExtensionError, match=said) as found:
        mathjax.folder()
    assert "\n" not in str(found.value) and not list((tmp_path / "cache").rglob("*.js"))


def test_benchmark_page_names_machine_and_command_of_each_record():
    spec = importlib.util.spec_from_file_location("benchmarks_page", DOCS / "_ext/benchmarks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.page()
    for record in module.records():
        assert record["command"] in made and record["cpu"] in made and record["date"] in made
    assert (DOCS / "benchmarks.md").read_text(encoding="utf-8") == made, "run python docs/_ext/benchmarks.py"
    assert (DOCS / "scaling.md").read_text(encoding="utf-8") == module.page(DOCS / "scaling.md", module.scaling), "the same"


class Page(HTMLParser):
    """What a page holds: ids, links, and what a browser loads for it."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.loads = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs[key] for key in ("id", "name") if attrs.get(key)}
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        if tag == "link" and attrs.get("href") and not set(attrs.get("rel", "").split()) & NAVIGATION:
            self.loads.append(attrs["href"])
        if attrs.get(LOADING.get(tag)):
            self.loads.append(attrs[LOADING[tag]])


@pytest.fixture(scope="module")
def site():
    """The built site: PYSNN_SITE, where `make docs` has put it, or built here."""
    if os.environ.get("PYSNN_SITE"):
        return Path(os.environ["PYSNN_SITE"]).resolve()
    pytest.importorskip("sphinx")
    target = DOCS / "_build/html"
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "-W", "--keep-going", "-b", "html", DOCS, target]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-5000:]
    return target


@pytest.fixture(scope="module")
def pages(site):
    found = {path.relative_to(site).as_posix(): Page(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts}
    assert len(found) > 30
    return found


@pytest.mark.docs
def test_links_inside_the_site_lead_somewhere(site, pages):
    dead = []
    for name, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = ((site / name).parent / unquote(parts.path)).resolve() if parts.path else (site / name).resolve()
            target = target / "index.html" if target.is_dir() else target
            inside = target.relative_to(site).as_posix() if target.is_relative_to(site) else None
            state = "=" in parts.fragment and target.parent.name == "interactive"
            known = inside in pages and (not parts.fragment or state or unquote(parts.fragment) in pages[inside].ids)
            if not (target.is_file() and (known or target.suffix != ".html")):
                dead.append(f"{name}: {link}")
    assert not dead


@pytest.mark.docs
@pytest.mark.parametrize("name", ["teach/exact-spike-times", "teach/exact-spike-times-lab", "interactive/index"])
def test_links_keep_the_state_of_an_interactive_page(name, pages):
    (state,) = re.findall(r"neuron\.html(#t=[^)]+)\)", (DOCS / f"{name}.md").read_text(encoding="utf-8"))
    assert sum(link.endswith(f"neuron.html{state}") for link in pages[f"{name}.html"].links) == 1


@pytest.mark.docs
def test_nothing_is_loaded_from_a_network(site, pages):
    outside = [f"{name}: {url}" for name, page in pages.items() for url in page.loads
               if urlsplit(url).scheme not in ("", "data") or urlsplit(url).netloc]
    in_styles = re.compile(r"(?:url\(|@import)\s*['\"]?\s*((?:https?:)?//[^'\")\s]+)")
    for path in [*site.rglob("*.css"), *site.rglob("*.html")]:
        outside += [f"{path.name}: {url}" for url in in_styles.findall(path.read_text(encoding="utf-8"))]
    assert not outside


@pytest.mark.docs
def test_search_index_and_what_is_on_the_site(site, pages):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert index.startswith("Search.setIndex(") and "derivations/temporal" in index and "causal" in index
    values = [value for name in pages if name.startswith("api/")
              for value in re.findall(r'<span class="p"><span class="pre">=</span>.*?</dt>', (site / name).read_text(encoding="utf-8"))]
    assert len(values) > 10 and max(map(len, values)) < 10_000 and not [value for value in values if "&lt;function" in value]
    assert (site / "_static/mathjax/tex-svg.js").stat().st_size > 1e6 and (site / "_static/mathjax/LICENSE").is_file()
    assert {*EIGHT, "search.html", "benchmarks.html", "exercises.html", "interactive/index.html"} <= set(pages)


browser = pytest.fixture(scope="module")(interactive_pages.browser)

# What is wider than the screen counts, unless it lies in a box that fits and scrolls by itself: a formula, a table, code.
FACTS = """() => { const root = document.querySelector('article') || document.body, right = e => e.getBoundingClientRect().right;
  const boxed = e => { for (let p = e.parentElement; p && p !== root; p = p.parentElement)
    if (getComputedStyle(p).overflowX !== 'visible' && right(p) <= innerWidth + 1) return true; return false; };
  return ({
    over: [...root.querySelectorAll('*')].filter(e => right(e) > innerWidth + 1 && !e.closest('mjx-assistive-mml, svg') && !boxed(e))
        .map(e => e.outerHTML.slice(0, 80)),
    page: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    displayed: document.querySelectorAll('div.math').length,
    scrolling: [...document.querySelectorAll('div.math')].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent),
    formulas: document.querySelectorAll('mjx-container svg').length,
    raw: [...document.querySelectorAll('.math')].filter(e => !e.querySelector('mjx-container')).map(e => e.textContent.slice(0, 60)),
    wrong: [...document.querySelectorAll('[data-mjx-error]')].map(e => e.getAttribute('data-mjx-error')),
    ground: getComputedStyle(document.body).backgroundColor,
    unseen: [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)}); }"""

# Of the words outside drawings: markup that nothing has translated, and words with a contrast below 4.5 to what lies behind them.
WORDS = """() => { const found = {markup: [], faint: []}, parts = color => color.match(/[\\d.]+/g).map(Number);
  const light = rgb => [0.2126, 0.7152, 0.0722].reduce((sum, part, k) => sum + part * (rgb[k] <= 10 ? rgb[k] / 3294.6 :
    ((rgb[k] / 255 + 0.055) / 1.055) ** 2.4), 0.05);
  const walk = document.createTreeWalker(document.querySelector('article') || document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim(), element = walk.currentNode.parentElement, style = getComputedStyle(element);
    if (!text || !element.getClientRects().length || style.visibility === 'hidden' || element.closest('svg, mjx-container, .math, script'))
      continue;
    if (/\\$|\\{[a-z:-]+\\}`|\\\\(frac|sum|partial|theta)/.test(text) && !element.closest('code, pre'))
      found.markup.push(text.slice(0, 60));
    let behind = element, ground = [255, 255, 255];
    for (; behind; behind = behind.parentElement) {
      const color = parts(getComputedStyle(behind).backgroundColor);
      if ((color[3] ?? 1) > 0.5) { ground = color; break; }
    }
    const [low, high] = [light(parts(style.color)), light(ground)].sort((a, b) => a - b);
    if (high / low < 4.5) found.faint.push(`${style.color} on ${ground}: ${text.slice(0, 40)}`);
  }
  return found; }"""


@contextlib.contextmanager
def opened(browser, scheme, width):
    """Open a page in one colour scheme and width; hand back the errors of its console and what it asks of a network."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 844})
    page, told = context.new_page(), []
    page.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: None if request.url.startswith(("file:", "data:", "blob:")) else told.append(request.url))
    yield page, told
    context.close()


def seen(page, path):
    """Open a page, wait for its formulas, and return what is seen; nothing may be too wide, raw or missing."""
    page.goto(path.as_uri())
    if page.evaluate("() => Boolean(document.querySelector('.math'))"):
        page.wait_for_function("() => window.MathJax && MathJax.startup && MathJax.startup.promise")
        page.evaluate("() => MathJax.startup.promise")
        page.wait_for_function("() => document.body.dataset.formulas === 'fit' || !document.querySelector('script[src*=\"site.js\"]')")
    facts = page.evaluate(FACTS)
    assert not facts["over"] and facts["page"] <= 0, f"{path} is too wide: {facts['page']} px, {facts['over'][:5]}"
    assert not facts["raw"] and not facts["wrong"] and not facts["unseen"], (path, facts)
    return facts


@pytest.mark.docs
@pytest.mark.parametrize("scheme, width", [("light", 1600), ("light", 1400), ("light", 1280), ("light", 1050), ("light", 390),
                                           ("dark", 1280), ("dark", 390)])
def test_pages_fit_and_formulas_render(site, browser, scheme, width):
    with opened(browser, scheme, width) as (page, told):
        for name in EIGHT:
            facts = seen(page, site / name)
            assert facts["formulas"] > 20 or not name.startswith("derivations"), (name, facts)
            ground = [int(part) for part in re.findall(r"\d+", facts["ground"])[:3]]
            assert (sum(ground) > 600) == (scheme == "light"), (name, facts["ground"])
        assert not told
        page.evaluate("""() => document.querySelector('article').insertAdjacentHTML('beforeend',
            '<div style="width: 3000px">wide</div><div class="math">x</div>')""")
        facts = page.evaluate(FACTS)
        assert len(facts["over"]) == 1 and "3000px" in facts["over"][0] and facts["raw"] == ["x"]      # the measure sees what it should


@pytest.mark.docs
def test_every_page_fits_a_phone_and_can_be_read(site, pages, browser):
    """In light and in dark. Nearly all displayed formulas fit, broken or a little smaller; the others scroll by themselves."""
    displayed, scrolling, unread = 0, [], []
    with opened(browser, "light", 390) as (page, told):
        for name in pages:
            if not name.startswith("source/"):
                facts = seen(page, site / name)
                displayed += facts["displayed"]
                scrolling += [(name, formula) for formula in facts["scrolling"]]
                page.add_style_tag(content="* { transition: none !important; }")
                for scheme in ("dark", "light"):
                    page.emulate_media(color_scheme=scheme)
                    found = page.evaluate(WORDS)
                    unread += [(name, scheme, kind, set(found[kind])) for kind in found if found[kind]]
        assert not told and not unread, unread
        page.evaluate("""() => document.querySelector('article, main').insertAdjacentHTML('beforeend',
            '<p style="color: #888; background: #fff">the cost, $x$</p>')""")
        found = page.evaluate(WORDS)
        assert found["markup"] == ["the cost, $x$"] and len(found["faint"]) == 1       # the measure sees what it should
    assert displayed > 150 and len(scrolling) < 0.06 * displayed, scrolling


@pytest.mark.docs
def test_no_line_begins_with_the_punctuation_behind_a_formula(site, browser):
    with opened(browser, "light", 390) as (page, _):
        for name in ("derivations/temporal.html", "derivations/proxy.html"):
            seen(page, site / name)
            below = page.evaluate("""() => [...document.querySelectorAll('.tied')].filter(e => e.getClientRects().length).map(e => {
                const end = document.createRange(); end.selectNodeContents(e.lastChild);
                return end.getBoundingClientRect().top - e.querySelector('mjx-container').getBoundingClientRect().bottom; })""")
            assert len(below) > 20 and max(below) < 0, name


@pytest.mark.docs
def test_search_finds_a_page_without_a_server(site, browser):
    with opened(browser, "light", 1280) as (page, told):
        page.goto((site / "search.html").as_uri() + "?q=causal")
        page.wait_for_selector("#search-results li a", timeout=20_000)
        found = page.eval_on_selector_all("#search-results li a", "links => links.map(link => link.getAttribute('href'))")
        assert any("derivations/temporal" in link for link in found)
        assert not [url for url in told if url.startswith("http")]      # excerpts below the titles need a server, the results do not
