"""Links from pages to files of the repository, made to work on the site as they do on a code host.

A page says `[the kernel](../pysnn/kernels/temporal.py)`. On the site this becomes a link to

- the page of the gallery, if the file is an example;
- the page itself, if the file is a self-contained HTML page;
- a page with the source, highlighted, with line numbers, if the file is text;
- the file, for everything else (records, notebooks, archives).

The [source] links of the API reference lead to the same source pages.
"""

import importlib
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

ROOT = Path(__file__).resolve().parents[2]
SCHEME = "repository:"
TEXT = {".py", ".yml", ".cfg", ".toml", ".md", ""}
PAGES = {"README.md": "index", "CONTRIBUTING.md": "contributing", "CHANGELOG.md": "changelog"}
MAX_BYTES = 200_000


class FileLinks(SphinxTransform):
    """Mark links to files of the repository that get a page of their own; the others stay downloads."""

    default_priority = 800           # before doctree-read (880), at which downloads are collected

    def apply(self, **kwargs):
        """Replace each such link."""
        for node in list(self.document.findall(addnodes.download_reference)):
            _, absolute = self.env.relfn2path(node["reftarget"], self.env.docname)
            path = Path(absolute).resolve()
            if not path.is_relative_to(ROOT) or not path.is_file():
                continue
            if path.suffix in TEXT or path.suffix == ".html":
                node.replace_self(_marked(node, path))
        for node in list(self.document.findall(addnodes.pending_xref)):          # a .md file outside docs/ looks like a page, and is none
            path = Path(str(node.get("reftarget")) + ".md")
            if node.get("refdomain") == "doc" and path.is_absolute() and path.is_file() and path.is_relative_to(ROOT):
                node.replace_self(_marked(node, path))


def _marked(node, path):
    """Return a link that `finish` will complete."""
    return nodes.reference("", "", *node.children, refuri=SCHEME + path.relative_to(ROOT).as_posix(), internal=True)


def linkcode_resolve(domain, info):
    """Give the [source] link of a documented object: file and line.

    Parameters
    ----------
    domain : str
        Only "py" is known.
    info : dict
        Names of module and object.

    Returns
    -------
    str or None
        A link for this extension to finish.
    """
    if domain != "py" or not info["module"]:
        return None
    thing = importlib.import_module(info["module"])
    for name in info["fullname"].split("."):
        thing = getattr(thing, name, None)
    try:
        path = Path(inspect.getsourcefile(inspect.unwrap(thing))).resolve()
        line = inspect.getsourcelines(inspect.unwrap(thing))[1]
    except (TypeError, OSError):
        return None
    return f"{SCHEME}{path.relative_to(ROOT).as_posix()}#L-{line}" if path.is_relative_to(ROOT) else None


def _target(path, env):
    """Say where on the site a file of the repository is shown, as a page name or a file name."""
    gallery = f"gallery/{Path(path).stem}"
    if path.startswith("examples/") and gallery in env.found_docs:
        return gallery + ".html"
    if path in PAGES:
        return PAGES[path] + ".html"
    if path.endswith(".html"):
        return path.removeprefix("docs/")
    return f"source/{path}.html"


def list_findings(app, docname, source):
    """Put the pages of single findings below their overview, whose text stays plain Markdown for readers of the repository."""
    if docname == "findings/README":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n[a-z]*\n```\n"


def keep_states(app, docname, source):
    """Mark links to a state of a self-contained page, `neuron.html#t=0,1&w=2,1`: of a link to a file, MyST keeps the file alone."""
    here = (ROOT / "docs" / docname).parent

    def marked(link):
        path = (here / link[1]).resolve()
        return f"]({SCHEME}{path.relative_to(ROOT).as_posix()}#{link[2]})" if path.is_file() else link[0]
    source[0] = re.sub(r"\]\(([\w./-]+\.html)#([^()\s]*=[^()\s]*)\)", marked, source[0])


def remember(app, doctree):
    """Note which files a page links to."""
    paths = {node["refuri"].removeprefix(SCHEME).partition("#")[0] for node in doctree.findall(nodes.reference)
             if node.get("refuri", "").startswith(SCHEME)}
    linked = getattr(app.env, "repository_files", {})
    linked[app.env.docname] = paths
    app.env.repository_files = linked


def forget(app, env, docname):
    """Drop what a page linked to before it is read again."""
    getattr(env, "repository_files", {}).pop(docname, None)


def merge(app, env, docnames, other):
    """Take over what another process has read."""
    mine = getattr(env, "repository_files", {})
    mine.update({name: files for name, files in getattr(other, "repository_files", {}).items() if name in docnames})
    env.repository_files = mine


def finish(app, doctree, docname):
    """Turn the marked links into relative ones, and leave the lines of formulas to the formulas: \\tag and a wrapped split do not mix."""
    for node in doctree.findall(nodes.math_block):
        if "\\tag" in node.astext() and not (node.get("no-wrap") or node.get("nowrap")):
            node["no-wrap"] = True
            node[:] = [nodes.Text(f"\\[{node.astext()}\\]")]
    up = "../" * docname.count("/")
    for node in doctree.findall(nodes.reference):
        if node.get("refuri", "").startswith(SCHEME):
            path, _, anchor = node["refuri"].removeprefix(SCHEME).partition("#")
            node["refuri"] = up + _target(path, app.env) + (f"#{anchor}" if anchor else "")
            node["internal"] = True


def source_pages(app):
    """Yield a page for each source file that is linked to, for Sphinx to write.

    Parameters
    ----------
    app : sphinx.application.Sphinx
        The build.

    Yields
    ------
    tuple
        Name of the page, what the template fills in, name of the template.
    """
    if app.builder.format != "html":
        return
    linked = set().union(*getattr(app.env, "repository_files", {}).values())
    for path in sorted(linked):
        name = _target(path, app.env).removesuffix(".html")
        if not name.startswith("source/"):
            continue
        text = (ROOT / path).read_text(encoding="utf-8")
        if len(text) > MAX_BYTES:
            raise ValueError(f"expected a source of at most {MAX_BYTES} characters, got {path} with {len(text)}")
        try:
            lexer = get_lexer_for_filename(path).aliases[0]
        except ClassNotFound:
            lexer = "bash"
        code = app.builder.highlighter.highlight_block(text, lexer, linenos="inline", lineanchors="L", location=path)
        yield name, {"title": path, "body": f"<h1>{path}</h1>\n{code}"}, "page.html"


def copy_html(app, error):
    """Copy the self-contained pages into the site, beside their index."""
    if error or app.builder.format != "html":
        return
    target = Path(app.outdir) / "interactive"
    target.mkdir(exist_ok=True)
    for path in sorted((ROOT / "docs/interactive").iterdir()):
        if path.suffix in {".html", ".js", ".css", ".json", ".svg", ".png"}:
            (target / path.name).write_bytes(path.read_bytes())


def write_wheel(app, error):
    """Build the wheel that the pages for students name; without it, for instance without a network, the build goes on."""
    if error or app.builder.format != "html":
        return
    shutil.rmtree(ROOT / "build/lib", ignore_errors=True)              # what an earlier build has left would go into the wheel, too
    target = str(Path(app.outdir) / "teach/wheel")
    shutil.rmtree(target, ignore_errors=True)                          # and no wheel of an earlier version stays
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", target, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        logging.getLogger(__name__).info("no wheel for teach/: %s", done.stderr.strip()[-200:])


def setup(app):
    """Register the transform and the events."""
    app.add_transform(FileLinks)
    app.connect("source-read", list_findings)
    app.connect("source-read", keep_states)
    app.connect("doctree-read", remember, priority=900)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("doctree-resolved", finish)
    app.connect("html-collect-pages", source_pages)
    app.connect("build-finished", copy_html)
    app.connect("build-finished", write_wheel)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "version": "1"}
