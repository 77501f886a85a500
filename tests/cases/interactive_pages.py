"""What the tests of the interactive pages share: a browser, a visit to a page, and the recording of the page on Yin-Yang."""

import base64
import importlib.util
import json
import os
import shutil

import numpy as np
import pytest

from tests.cases import ROOT

HERE = ROOT / "docs/interactive"
PAGES = ("neuron", "yin-yang", "integrate-and-fire", "leaky")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
BROWSERS = {                                 # the commands that start it, what Playwright is told; a stock Firefox speaks WebDriver BiDi
    "chromium": (("chromium", "chromium-browser", "google-chrome"), {"args": QUIET}),
    "firefox": (("firefox-esr", "firefox"), {"channel": "moz-firefox"})}

in_chromium = pytest.mark.parametrize("browser", ["chromium"], indirect=True)


def script(name):
    """Load a script of docs/interactive as a module."""
    spec = importlib.util.spec_from_file_location(f"interactive_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recorded(path=HERE / "src/yin-yang-data.js"):
    """Read what record_yin_yang.py wrote."""
    text = path.read_text()
    return json.loads(text[text.index("{"):text.rindex("}") + 1])


def floats(text, *shape):
    """Read an array that record_yin_yang.py wrote."""
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float64).reshape(shape)


def weights(frame):
    """Return the weights of a recorded moment."""
    return {"w1": floats(frame["w1"], 5, 40), "w2": floats(frame["w2"], 41, 3)}


def slide(page, name, value):
    """Set a slider, as a reader does."""
    page.evaluate("""([id, value]) => { const field = document.getElementById(id); field.value = value;
        field.dispatchEvent(new Event("input", {bubbles: true})); }""", [name, value])


def number(page, *names):
    """Return the value of a slider, or a list of the values of several."""
    values = page.evaluate("(ids) => ids.map((id) => document.getElementById(id).valueAsNumber)", names)
    return values if len(names) > 1 else values[0]


def missing(what):
    """Skip where something is not installed; fail where CI=true demands it."""
    (pytest.fail if os.environ.get("CI", "").lower() == "true" else pytest.skip)(f"{what} is not installed")


def browser(request):
    """Start Chromium, or what the fixture's parameter names, without a window; each file of tests makes this its fixture, and `visit`."""
    if importlib.util.find_spec("playwright") is None:
        missing("Playwright")
    name = getattr(request, "param", "chromium")
    commands, options = BROWSERS[name]
    found = next(filter(None, map(shutil.which, commands)), None)
    if not found:
        missing(name.title())
    from playwright.sync_api import sync_playwright
    with sync_playwright() as play:
        browser = getattr(play, name).launch(executable_path=found, **options)
        yield browser
        browser.close()


def visit(browser):
    """Return a function that opens a page from its file; the test fails if the page complained, or asked for anything but itself."""
    contexts, trouble = [], []

    def visit(name, width=1280, height=900, scheme="light", state="", folder=HERE, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        url = (folder / f"{name}.html").as_uri()
        page.on("console", lambda said: trouble.append(f"{name}: {said.type}: {said.text}"))
        page.on("pageerror", lambda error: trouble.append(f"{name}: {error}"))
        page.on("request", lambda asked: trouble.append(f"{name}: asked for {asked.url[:200]}")
                if asked.url.split("#")[0] != url and not asked.url.startswith("data:") else None)
        page.goto(url + state)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not trouble
