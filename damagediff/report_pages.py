"""Pages of HTML, one file each: style, script and pictures are inside, nothing else loads or runs."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import jinja2

STATIC = Path(__file__).parent / "static"


def render(template: str, script: str, context: dict[str, Any]) -> str:
    """A page from a template, with the style of all pages and one script.

    Every word of `context` is escaped. The policy of the page allows exactly this style and this script.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("damagediff"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    parts = {"style": "report.css", "script": script}
    texts = {name: (STATIC / file).read_text(encoding="utf-8") for name, file in parts.items()}
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(texts['style'])}'; script-src '{_hash(texts['script'])}'"
    )
    return environment.get_template(template).render(context | texts | {"policy": policy})


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
