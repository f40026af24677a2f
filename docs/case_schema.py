"""Writes docs/case.schema.json from the tables of `case_file`."""

from __future__ import annotations

import json
from pathlib import Path

from damagediff import case_file


def text() -> str:
    """The schema as it should be."""
    return json.dumps(case_file.schema(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("case.schema.json").write_text(text(), encoding="utf-8")
