"""The slide decks: every deck builds, has its slides and the equations of the pages, and nothing leaves its slide."""

import importlib
import io
import re
import subprocess
import sys
import zipfile

import pytest

from tests.cases import ROOT, interactive_pages

SLIDES = sorted((ROOT / "docs/teach/slides").glob("*.md"))
PARTS = """() => [...document.querySelectorAll('section')].map(slide => { const at = slide.getBoundingClientRect(),
    foot = slide.querySelector('footer').getBoundingClientRect().top, seen = [...slide.querySelectorAll(
      ':scope > :not(aside, footer), .text > *, li, table, img, mjx-container > svg')].map(e => e.getBoundingClientRect());
  return {down: Math.max(...seen.map(r => r.bottom)) - foot, right: Math.max(...seen.map(r => r.right)) - at.right,
    wrong: slide.querySelectorAll('[data-mjx-error]').length,
    unseen: [...slide.querySelectorAll('img')].filter(i => !i.naturalWidth).length,
    raw: [...slide.querySelectorAll('.math')].filter(e => !e.querySelector('mjx-container')).length}; })"""
browser = pytest.fixture(scope="module")(interactive_pages.browser)


@pytest.fixture
def builder(monkeypatch):
    """The module that builds the decks."""
    monkeypatch.syspath_prepend(ROOT / "docs/_ext")
    yield importlib.import_module
    for name in ("slides", "equations", "mathjax"):
        sys.modules.pop(name, None)


def test_equations_come_from_the_pages_by_their_tag(builder):
    equations = builder("equations")
    known = equations.equations()
    folders = (ROOT / "docs" / folder for folder in ("derivations", "course"))
    pages = {page: page.read_text(encoding="utf-8") for folder in folders for page in folder.glob("*.md")}
    assert len(known) == sum(text.count("\\tag{") for text in pages.values())
    for tag, (formula, page) in known.items():
        assert formula in pages[page] and f"\\tag{{{tag}}}" in pages[page] and "\\tag" not in formula
    assert equations.filled("a\n\n(T3)\n\n(T3) b") == f"a\n\n$$\n{known['T3'][0]} \\tag{{T3}}\n$$\n\n(T3) b"
    with pytest.raises(ValueError, match=r"expected the tag of an equation of docs/derivations or docs/course, got \(T9{2}\)"):
        equations.filled("(T" + "99)")


@pytest.mark.parametrize("deck", SLIDES, ids=lambda deck: deck.stem)
def test_decks_copy_no_equation(deck):
    text = deck.read_text(encoding="utf-8")
    assert "\\tag" not in text and len(re.findall(r"^\([A-Z]\d+\)$", text, re.M)) >= 8
    for name in re.findall(r"\]\((\S+\.svg)\)", text):
        assert (deck.parent / name).is_file() and (deck.parent / name).with_suffix(".png").is_file()


@pytest.mark.docs
def test_decks_build_and_fit(builder, browser, tmp_path):
    slides, known = builder("slides"), builder("equations").equations()
    html = []
    for deck in SLIDES:
        html.append(tmp_path / f"{deck.stem}.html")
        html[-1].write_text(slides.page(deck), encoding="utf-8")
    for deck, path in zip(SLIDES, html, strict=True):
        text = deck.read_text(encoding="utf-8")
        wanted = re.findall(r"^\(([A-Z]\d+)\)$", text, re.M)
        asked = []
        tab = slides.opened(browser, path)
        tab.on("request", lambda request, asked=asked: asked.append(request.url))
        for width, height in ((1280, 720), (1024, 768), (390, 844)):
            tab.set_viewport_size({"width": width, "height": height})
            tab.reload()
            tab.wait_for_function("() => window.MathJax && MathJax.startup && MathJax.startup.promise")
            tab.evaluate("() => MathJax.startup.promise")
            parts = tab.evaluate(PARTS)
            assert len(parts) == len(re.split(r"^---$", text, flags=re.M))
            for k, part in enumerate(parts, 1):
                good = part["down"] <= 1 and part["right"] <= 0 and not part["wrong"] + part["unseen"] + part["raw"]
                assert good, (deck.stem, width, k, part)
        assert not [url for url in asked if url.split(":")[0] not in ("file", "data")]
        shown = tab.eval_on_selector_all("div.math", "all => all.map(e => e.dataset.tex)")
        tagged = {re.search(r"\\tag\{(\w+)\}", tex)[1]: re.sub(r"\s*\\tag\{\w+\}", "", tex) for tex in shown if "\\tag" in tex}
        assert list(tagged) == wanted and all(tagged[tag] == known[tag][0] for tag in wanted)
        wide = '<div style="width:99rem">wide</div>'
        tab.evaluate("wide => document.querySelector('section').insertAdjacentHTML('beforeend', wide)", wide)
        assert tab.evaluate(PARTS)[0]["right"] > 0                # the measure sees what it should


@pytest.mark.docs
@pytest.mark.parametrize("deck", SLIDES, ids=lambda deck: deck.stem)
def test_pdf_and_powerpoint(builder, browser, tmp_path, deck):
    pptx, slides = pytest.importorskip("pptx"), builder("slides")
    html = tmp_path / "deck.html"
    html.write_text(slides.page(deck), encoding="utf-8")
    pdf, powerpoint = slides.converted(browser, html)
    n = len(re.split(r"^---$", deck.read_text(encoding="utf-8"), flags=re.M))
    assert len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes())) == n
    show = pptx.Presentation(io.BytesIO(powerpoint.read_bytes()))
    assert len(show.slides) == n and zipfile.is_zipfile(powerpoint)
    formulas = []
    for slide in show.slides:
        assert slide.has_notes_slide and slide.notes_slide.notes_text_frame.text and slide.shapes.title.text_frame.text
        for shape in slide.shapes:
            assert 0 <= shape.left and 0 <= shape.top and shape.left + shape.width <= show.slide_width + 9525
            assert shape.top + shape.height <= show.slide_height
            if shape.has_text_frame:
                assert not re.search(r"[\\$]", shape.text_frame.text), shape.text_frame.text
            elif "\\" in (label := shape._element.nvPicPr.cNvPr.get("descr", "")):
                formulas.append(label)
    assert sum("\\tag" in label for label in formulas) == len(re.findall(r"^\([A-Z]\d+\)$", deck.read_text(encoding="utf-8"), re.M))


@pytest.mark.docs
def test_the_command_writes_all_kinds_into_a_folder_here(tmp_path):
    done = subprocess.run([sys.executable, ROOT / "docs/_ext/slides.py", "decks"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    written = {path.name for path in (tmp_path / "decks").iterdir()}
    assert written == {f"{deck.stem}.{kind}" for deck in SLIDES for kind in ("html", "pdf", "pptx")}
