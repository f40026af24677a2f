"""What a terminal is shown: colours where they are wanted, and a line of progress that is written again.

Without colours nothing but plain text, line feeds and carriage returns is written: no escape code.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from . import pace

BAR = 24
"""Characters of the bar."""
TICK_S = 0.5
"""So often the line is written again while nothing is reported."""

Progress = Callable[[str, float], None]


def colours(stream: TextIO | None) -> bool:
    """Whether a stream is to be coloured: by NO_COLOR, FORCE_COLOR, CLICOLOR and TERM, and what it is."""
    if os.environ.get("NO_COLOR"):
        return False
    if any(os.environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return os.environ.get("CLICOLOR") != "0" and can_rewrite(stream)


def can_rewrite(stream: TextIO | None) -> bool:
    """Whether a line on it can be written again: a terminal that is not TERM=dumb."""
    try:
        return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:  # closed
        return False


@contextmanager
def progress(quiet: bool, verbose: bool = False, ahead: tuple[str, ...] = ()) -> Iterator[Progress]:
    """What is being done, on stderr: a line on a terminal; plain lines if asked for; else nothing.

    Parameters
    ----------
    quiet, verbose : bool
        Quiet wins.
    ahead : tuple of str
        The stages that will be reported, so that the time that is left can be told.
    """
    if quiet or sys.stderr is None or not (verbose or can_rewrite(sys.stderr)):
        yield lambda stage, share: None
    elif verbose:
        yield Lines(sys.stderr, ahead)
    else:
        line = Line(sys.stderr, ahead)
        try:
            yield line
        finally:
            line.close()


class Lines:
    """A plain line for each stage when it begins, with the time so far and the time that is left."""

    def __init__(self, stream: TextIO, ahead: tuple[str, ...] = ()) -> None:
        self._stream, self._watch, self._stage = stream, pace.Watch(time.monotonic(), ahead), ""

    def __call__(self, stage: str, share: float) -> None:
        """Take note of what is reported."""
        now = time.monotonic()
        self._watch.heard(stage, share, now)
        if stage != self._stage:
            self._stage = stage
            left = self._watch.left_s(now)
            told = "" if left is None or left < 1 else f", about {duration(left)} left"
            self._stream.write(f"{duration(self._watch.spent_s(now))}: {stage}{told}\n")
            self._stream.flush()


class Line:
    """One line that is written again in place: stage, share of it, time so far, time that is left."""

    def __init__(self, stream: TextIO, ahead: tuple[str, ...] = ()) -> None:
        self._stream, self._watch, self._width = stream, pace.Watch(time.monotonic(), ahead), 0
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self._ticker.start()

    def __call__(self, stage: str, share: float) -> None:
        """Take note of what is reported."""
        with self._lock:
            self._watch.heard(stage, share, time.monotonic())
            self._write(self._text())

    def close(self) -> None:
        """Take the line away."""
        self._ended.set()
        self._ticker.join()
        self._write("")

    def _tick(self) -> None:
        while not self._ended.wait(TICK_S):
            with self._lock:
                self._write(self._text())

    def _text(self) -> str:
        now, watch = time.monotonic(), self._watch
        left = watch.left_s(now)
        filled = round(BAR * watch.share)
        told = "" if left is None or left < 1 else f", about {duration(left)} left"
        bar = "#" * filled + "." * (BAR - filled)
        return f"{watch.stage or 'starting':26} [{bar}] {duration(watch.spent_s(now))}{told}"

    def _write(self, text: str) -> None:
        """Over what stands there; a terminal that is narrower than the text gets its beginning."""
        text = text[: shutil.get_terminal_size().columns - 1]
        self._stream.write("\r" + text.ljust(self._width) + ("\r" if not text else ""))
        self._stream.flush()
        self._width = len(text)


def duration(seconds: float) -> str:
    """``48 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
