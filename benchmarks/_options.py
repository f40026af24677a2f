"""The command line that the benchmarks of speed share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def parser(says: str | None, repeats: int) -> argparse.ArgumentParser:
    """--data, --repeats and --out; `says` is the benchmark's own docstring."""
    made = argparse.ArgumentParser(description=says, formatter_class=argparse.RawTextHelpFormatter)
    made.add_argument(
        "--data", type=Path, required=True, help="folder of pairs: texture for the simulated one"
    )
    made.add_argument("--repeats", type=int, default=repeats, help="rounds; all runs take turns in each")
    made.add_argument("--out", type=Path, help="write the figures as JSON")
    return made


def of_one_size(says: str | None, side_px: int, repeats: int) -> argparse.Namespace:
    """What the command line says, for a benchmark on one pair: with --side."""
    made = parser(says, repeats)
    made.add_argument("--side", type=int, default=side_px, help="of the pair, px")
    return made.parse_args()


def of_sizes(says: str | None, sizes_px: Sequence[int], repeats: int) -> argparse.ArgumentParser:
    """For a benchmark on pairs of several sizes: also --sizes and --pairs."""
    made = parser(says, repeats)
    made.add_argument("--sizes", type=_numbers, default=list(sizes_px), help="sides, px: 1024,2048")
    made.add_argument("--pairs", type=Path, help="folder that keeps the pairs for the next call")
    return made


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]
