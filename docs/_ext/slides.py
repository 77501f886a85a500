"""Slide decks: one Markdown file becomes HTML, PDF and PPTX.

A line of three dashes parts two slides. A line with nothing but a tag, (T3), shows that equation of the derivation pages; a picture is
one of docs/figures. What stands behind a line "Notes:" is for the speaker. The HTML is one file that reads nothing from a network; the
key n shows the notes. PDF and PPTX come from that file in Chromium, which also says where each part lies; without Chromium there is
only the HTML.

Run: python docs/_ext/slides.py FOLDER          writes all decks to a folder; `make docs` writes them to the site
"""

import base64
import html
import io
import re
import shutil
import sys
from pathlib import Path

import mathjax
from equations import filled
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

HERE = Path(__file__).resolve().parent
DECKS = sorted((HERE.parent / "teach/slides").glob("*.md"))
WIDTH, HEIGHT = 1280, 720                            # of a slide, in CSS pixels; a PPTX has 9525 units for each
FONT = "Arial"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync")
BLOCKS = """() => [...document.querySelectorAll('section')].map(slide => {
  const at = slide.getBoundingClientRect(), runs = (node, style) => node.nodeType === 3 ? [[node.data, style]]
    : node.dataset?.tex ? [[node.dataset.tex, 'math']] : node.matches?.('ul, ol') && style !== 'top' ? []
    : [...node.childNodes].flatMap(child => runs(child, {STRONG: 'bold', EM: 'italic', CODE: 'code'}[node.tagName] || style));
  return {notes: slide.querySelector('aside')?.textContent.trim() || '',
    blocks: [...slide.querySelectorAll(':scope > :not(aside), :scope > .text > *')].filter(e => !e.matches('.text')).map(e => {
      const box = e.getBoundingClientRect(), css = getComputedStyle(e);
      return {kind: e.tagName === 'P' && e.querySelector('img') ? 'IMG' : e.tagName, x: box.x - at.x, y: box.y - at.y, w: box.width,
        h: box.height, size: parseFloat(css.fontSize), tex: e.dataset.tex || e.textContent, picture: e.querySelector('img')?.dataset.from,
        lines: (e.matches('ul, ol') ? [...e.children] : [e]).map(line => runs(line, 'plain'))};
    })}; })"""
SIGNS = {r"\vartheta": "ϑ", r"\theta": "θ", r"\tau": "τ", r"\partial": "∂", r"\infty": "∞", r"\le": "≤", r"\ge": "≥", r"\sum": "Σ",
         r"\to": "→", r"\in": "∈", r"\cdot": "·", r"\dots": "…", r"\lfloor": "⌊", r"\rfloor": "⌋", r"\lceil": "⌈", r"\rceil": "⌉",
         r"\ln": "ln", r"\min": "min", r"\phi": "φ", r"\approx": "≈", r"\neq": "≠", r"\ne": "≠", r"\times": "×", r"\Delta": "Δ",
         r"\langle": "⟨", r"\rangle": "⟩", r"\,": " ", r"\;": " ", r"\ ": " ", r"\{": "{", r"\}": "}", r"\notin": "∉",
         r"\mathrm": "", r"\text": "", r"\operatorname": ""}


def page(deck):
    """Make the HTML of a deck.

    Parameters
    ----------
    deck : pathlib.Path
        The Markdown file.

    Returns
    -------
    str
        A page that needs nothing else.
    """
    whole = deck.read_text(encoding="utf-8")
    slides, title = [_slide(text, deck) for text in re.split(r"^---$", filled(whole), flags=re.M)], re.search(r"^# (.+)$", whole, re.M)[1]
    foot = [s.replace("</section>", f"<footer>{html.escape(title)} · {k}</footer>\n</section>") for k, s in enumerate(slides, 1)]
    script = (mathjax.folder() / "mathjax/tex-svg.js").read_text(encoding="utf-8")
    return (HERE / "slides.html").read_text(encoding="utf-8").replace("{{title}}", html.escape(title)).replace(
        "{{slides}}", "\n".join(foot)).replace("{{mathjax}}", script.replace("</script", "<\\/script"))


def _slide(text, deck):
    """Make one slide; a picture that is not wide stands beside the text."""
    shown, _, notes = text.partition("\nNotes:")
    inner, names = _markdown(deck).render(shown), re.findall(r"!\[.*?\]\((.+?)\)", shown)
    if names and _aspect(deck.parent / names[0]) < 1.5:
        heading, _, rest = inner.partition("</h2>")
        picture = re.search(r"<p><img .*?></p>", rest, re.S)[0]
        inner = f'{heading}</h2><div class="text">{rest.replace(picture, "")}</div>{picture}'
    kind = "beside" if 'class="text"' in inner else "title" if shown.lstrip().startswith("# ") else "below"
    return f'<section class="{kind}">\n{inner}<aside>{_markdown(deck).render(notes)}</aside>\n</section>'


def _markdown(deck):
    """Make a reader of Markdown whose formulas keep their TeX, and whose pictures lie in the page."""
    def formula(tex, options):
        tag, ends = ("div", r"\[ \]") if options["display_mode"] else ("span", r"\( \)")
        shown = tex
        if tex.count("\\qquad") > 1 and "\\begin" not in tex:                    # three parts: the last one on a line of its own
            body, label, number = tex.partition("\\tag")
            shown = "\\begin{gathered}" + "\\cr".join(body.rsplit("\\qquad", 1)) + "\\end{gathered}" + label + number
        return f'<{tag} class="math" data-tex="{html.escape(tex.strip())}">{html.escape(ends.replace(" ", shown))}</{tag}>'

    def picture(self, tokens, k, options, env):
        path = (deck.parent / tokens[k].attrs["src"]).resolve()
        data = base64.b64encode(path.read_bytes()).decode()
        return (f'<img alt="{html.escape(tokens[k].content)}" data-from="{path}" '
                f'src="data:image/svg+xml;base64,{data}">').replace(str(path), path.stem)

    reader = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, renderer=formula)
    reader.add_render_rule("math_block", lambda self, tokens, k, *_: formula(tokens[k].content, {"display_mode": True}))
    reader.add_render_rule("image", picture)
    return reader


def _aspect(path):
    """Return width over height of an SVG."""
    _, _, width, height = re.search(r'viewBox="([^"]+)"', path.read_text(encoding="utf-8"))[1].split()
    return float(width) / float(height)


def build(folder, decks=None):
    """Write decks into a folder, as HTML, and where there is Chromium as PDF and PPTX.

    Parameters
    ----------
    folder : str or pathlib.Path
        Where to.
    decks : list of pathlib.Path, optional
        Which; all by default.

    Returns
    -------
    list of pathlib.Path
        The files.
    """
    folder, written = Path(folder).resolve(), []
    folder.mkdir(parents=True, exist_ok=True)
    for deck in decks or DECKS:
        written.append(folder / f"{deck.stem}.html")
        written[-1].write_text(page(deck), encoding="utf-8")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        return written
    from playwright.sync_api import sync_playwright
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=list(FLAGS))
        for path in list(written):
            written += converted(browser, path)
        browser.close()
    return written


def converted(browser, path):
    """Write PDF and PPTX beside the HTML of a deck; return both paths."""
    tab, kinds = opened(browser, path), [path.with_suffix(".pdf"), path.with_suffix(".pptx")]
    tab.pdf(path=kinds[0], prefer_css_page_size=True, print_background=True)
    _powerpoint(tab).save(kinds[1])
    tab.close()
    return kinds


def opened(browser, path):
    """Open a deck in the size of its slides and wait for its formulas."""
    tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=3)
    tab.goto(path.as_uri())
    tab.wait_for_function("() => window.MathJax && MathJax.startup && MathJax.startup.promise")
    tab.evaluate("() => MathJax.startup.promise")
    return tab


def _powerpoint(tab):
    """Make a presentation: each part of a slide where Chromium has put it, words as words, formulas and tables as pictures."""
    from pptx import Presentation
    from pptx.util import Emu
    show = Presentation()
    show.slide_width, show.slide_height = Emu(9525 * WIDTH), Emu(9525 * HEIGHT)
    for k, measured in enumerate(tab.evaluate(BLOCKS)):
        slide = show.slides.add_slide(show.slide_layouts[5])
        slide.notes_slide.notes_text_frame.text = measured["notes"]
        for n, block in enumerate(measured["blocks"]):
            place = [Emu(int(9525 * block[side])) for side in "xywh"]
            if block["kind"] in ("DIV", "TABLE"):
                part = tab.locator("section").nth(k).locator("> :not(aside, .text), > .text > *").nth(n)
                shape = slide.shapes.add_picture(io.BytesIO(part.screenshot()), *place)
                shape._element.nvPicPr.cNvPr.set("descr", block["tex"].strip())
            elif block["kind"] == "IMG":
                _place_figure(slide, block, place)
            else:
                title = block["kind"] in ("H1", "H2")
                _write(slide.shapes.title if title else slide.shapes.add_textbox(*place), place, block)
    return show


def _place_figure(slide, block, place):
    """Put the PNG of a figure into the middle of its box."""
    path = HERE.parent / f"figures/{block['picture']}.png"
    shape = slide.shapes.add_picture(str(path), place[0], place[1])
    scale = min(place[2] / shape.width, place[3] / shape.height)
    shape.width, shape.height = int(scale * shape.width), int(scale * shape.height)
    shape.left, shape.top = place[0] + (place[2] - shape.width) // 2, place[1] + (place[3] - shape.height) // 2


def _write(shape, place, block):
    """Write the lines of a block into a box, with bullets where it is a list."""
    from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
    from pptx.oxml import parse_xml
    from pptx.util import Pt
    shape.left, shape.top, shape.width, shape.height = place
    frame = shape.text_frame
    frame.word_wrap, frame.vertical_anchor = True, MSO_ANCHOR.TOP
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
    code = block["kind"] == "PRE"
    for k, line in enumerate([[[text, "code"]] for text in block["tex"].rstrip().split("\n")] if code else block["lines"]):
        paragraph = frame.paragraphs[0] if k == 0 else frame.add_paragraph()
        paragraph.alignment = PP_ALIGN.LEFT
        if block["kind"] in ("UL", "OL"):
            properties = paragraph._p.get_or_add_pPr()
            properties.set("marL", "342900")
            properties.set("indent", "-342900")
            bullet = '<a:buAutoNum type="arabicPeriod"' if block["kind"] == "OL" else '<a:buChar char="•"'
            properties.append(parse_xml(f'{bullet} xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"/>'))
            paragraph.space_after = Pt(6)
        for text, style in (run for part in line for run in _runs(*part)):
            run = paragraph.add_run()
            run.text, run.font.size = text, Pt(0.75 * block["size"])
            run.font.name = "Courier New" if style == "code" else FONT
            run.font.bold, run.font.italic = style == "bold" or block["kind"] in ("H1", "H2"), style in ("math", "italic")
            if style in ("sub", "super"):
                run.font._element.set("baseline", "-25000" if style == "sub" else "30000")


def _runs(text, style):
    """Split words or an inline formula into runs of one style."""
    if style != "math":
        return [(text if style == "code" else re.sub(r"\s+", " ", text), style)]
    text = re.sub(r"\\frac(\{[^{}]*\}|\w)(\{[^{}]*\}|\w)", lambda m: "/".join(part.strip("{}") for part in m.groups()), text)
    text = re.sub(r"\\(?:[a-zA-Z]+|.)", lambda m: SIGNS.get(m[0], m[0]), text)
    found = []
    for mark, part in re.findall(r"([_^]?)(\{[^{}]*\}|.)", text):
        found.append((part.strip("{}") if mark else part.replace("-", "\u2212"), {"_": "sub", "^": "super"}.get(mark, "math")))
    return found


def write_to_site(app, error):
    """Write the decks beside the pages that name them."""
    if not error and app.builder.format == "html":
        build(Path(app.outdir) / "teach/slides")


def setup(app):
    """Build the decks with the site."""
    app.connect("build-finished", write_to_site)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "version": "1"}


if __name__ == "__main__":
    for name in build(*sys.argv[1:2] or ["slides"]):
        print(name)
