"""Pages of HTML, one file each: style, script and pictures are inside, nothing else loads or runs."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import jinja2

STATIC = Path(__file__).parent / "static"


def render(template: str, scripts: tuple[str, ...], context: dict[str, Any]) -> str:
    """A page from a template, with the style of all pages, and scripts put together to one.

    Every word of `context` is escaped. The policy of the page allows exactly this style and this script.
    """
    parts = {"style": ("report.css",), "script": scripts}
    texts = {
        name: "".join((STATIC / file).read_text(encoding="utf-8") for file in files)
        for name, files in parts.items()
    }
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(texts['style'])}'; script-src '{_hash(texts['script'])}'"
    )
    return fragment(template, context | texts | {"policy": policy})


def fragment(template: str, context: dict[str, Any]) -> str:
    """A template with its words put in, every one of them escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("damagediff"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(context)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
