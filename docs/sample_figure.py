"""Makes docs/sample_figure.png from the figure of `damagediff demo`: smaller, fewer colours.

python docs/sample_figure.py [reports/demo/figure.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

WIDTH_PX = 1400


def main() -> None:
    """Shrink and write."""
    root = Path(__file__).resolve().parents[1]
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else root / "reports" / "demo" / "figure.png"
    with Image.open(source) as figure:
        small = figure.convert("RGB").resize((WIDTH_PX, round(figure.height * WIDTH_PX / figure.width)))
    few = small.quantize(192, dither=Image.Dither.FLOYDSTEINBERG)
    few.save(root / "docs" / "sample_figure.png", optimize=True)


if __name__ == "__main__":
    main()
