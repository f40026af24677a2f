"""The documentation site, built by `make docs` into build/site.

Sphinx reads the repository's own Markdown files where they lie, so that a link that works there works here.
Nothing is fetched, neither while building nor by the pages: no fonts, scripts or pictures from elsewhere.

Sphinx with MyST and Furo, because Material for MkDocs ended its maintenance in November 2026, MkDocs 1 has
had no release since August 2024, and these three are maintained, free (BSD, MIT) and plain Python.
"""

from __future__ import annotations

from html import escape
from typing import Any

from latex2mathml.converter import convert

import damagediff

project = "damagediff"
author = "the damagediff authors"
version = release = damagediff.__version__

extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["docs/**.md", "*.md", "sample_images/README.md", "reports/README.md"]
exclude_patterns = [".*", "build", "reports/[!R]*", "**/node_modules"]
myst_enable_extensions = ["dollarmath"]
myst_dmath_allow_space = False
myst_heading_anchors = 3
myst_fence_as_directive = ["math"]
# What is typed into a terminal must stay as it is: -- and "...".
smartquotes = False
highlight_language = "none"

html_theme = "furo"
html_title = f"damagediff {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["_site"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
# They would be fetched from the pages, which a browser forbids when the site is opened from a folder.
html_show_search_summary = False
html_math_renderer = "mathml"
html_theme_options = {"navigation_with_keys": False}


def _formula(self: Any, node: Any) -> None:
    """A formula as MathML, which browsers draw by themselves; alttext is read to those who cannot see it."""
    from docutils import nodes

    display = "block" if node.tagname == "math_block" else "inline"
    markup = convert(node.astext(), display=display)
    markup = markup.replace("<math ", f'<math alttext="{escape(node.astext())}" ', 1)
    self.body.append(f'<div class="formula">{markup}</div>' if display == "block" else markup)
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", inline_renderers=(_formula, None), block_renderers=(_formula, None))
