"""How the site is built. From the root of the repository, in an environment with the extra `docs`:

    python -m sphinx -E -W --keep-going -b html docs docs/_build/html          all of it: `make docs`
    PYSNN_DOCS_GALLERY=0 python -m sphinx -W -b html docs docs/_build/html     without running the examples, for a quick look at a page

Nothing on the site is loaded from a network: MathJax is fetched once, at build time (_ext/mathjax.py), there are no web fonts,
and search is Sphinx's own.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import mathjax  # noqa: E402
from repository import linkcode_resolve  # noqa: E402, F401

import pysnn  # noqa: E402

project, author, copyright = "pysnn", "the pysnn authors", "the pysnn authors"
version = release = pysnn.__version__
language = "en"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.linkcode", "sphinx.ext.mathjax", "numpydoc", "sphinx_design",
              "sphinx_copybutton", "sphinx_gallery.gen_gallery", "repository", "docstrings", "command_line", "slides"]
exclude_patterns = ["_build", "results", "teach/slides", "figures/*.py", "golden",
                    "gallery/*.ipynb", "gallery/*.py", "gallery/*.json", "gallery/*.zip"]
default_role = "py:obj"
root_doc = "index"

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist", "attrs_inline", "attrs_block"]
myst_heading_anchors = 4
myst_url_schemes = ["http", "https", "mailto", "ftp", "repository"]       # the last: links that _ext/repository.py has marked
myst_dmath_double_inline = True
suppress_warnings = ["config.cache"]          # the settings of the gallery hold functions

html_theme = "furo"
html_title = "pysnn"
html_static_path = ["_static", str(mathjax.folder())]
html_css_files, html_js_files = ["site.css"], ["site.js"]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"light_css_variables": {"color-brand-primary": "#0b5e8a", "color-brand-content": "#0b5e8a"},
                      "dark_css_variables": {"color-brand-primary": "#6cc0ea", "color-brand-content": "#6cc0ea"},
                      "top_of_page_buttons": []}
pygments_style, pygments_dark_style = "default", "monokai"     # each word of code with a contrast of 4.5
copybutton_prompt_text, copybutton_prompt_is_regexp = r"\$ |>>> ", True

mathjax_path = "mathjax/tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}, "svg": {"fontCache": "global"}}

autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples", "gallery_dirs": "gallery", "filename_pattern": r"/\d\d_", "ignore_pattern": "notebooks",
    "image_scrapers": ("gallery",), "reset_argv": "gallery.arguments", "within_subsection_order": "FileNameSortKey",
    "plot_gallery": os.environ.get("PYSNN_DOCS_GALLERY", "1") != "0", "abort_on_example_error": True, "download_all_examples": False,
    "write_computation_times": False, "capture_repr": (), "show_signature": False,
    "default_thumb_file": str(HERE / "_static/thumbnail.png")}
