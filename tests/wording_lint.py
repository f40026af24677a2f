"""A vocabulary check on the tool's own words; ``python tests/wording_lint.py report.html`` checks a page.

What others said is no fault of the tool: elements that carry ``data-quoted`` (claims, titles, credits, names
and fields of files, reviewers' notes, scales of grades) are left out with all that they hold.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
NEVER = {
    "harm": r"destr(oy\w*|uction\w*)|damag(e|es|ed|ing)|devastat\w*|ruin(s|ed)?|wreck\w*|demolish\w*"
    r"|casualt\w*|victims?|killed|dead|deaths?",
    "certainty": r"prove[snd]?|proof|proven|confirm(s|ed|ing)?|certainly|undoubtedly|undeniabl\w*|obviously"
    r"|evidently|no doubt|clearly shows?",
    "weapon": r"bomb\w*|missiles?|rockets?|drones?|uavs?|artillery|mortars?|shell(s|ing|ed)|munitions?"
    r"|weapon\w*|explo(de|ded|sion|sive)\w*|blast\w*|air ?strikes?|gunfire|warheads?|grenades?",
    "act": r"attack\w*|strikes?|struck|bombard\w*|raid(s|ed)?|invasion|invade\w*|assault\w*|massacre\w*",
    "intent": r"deliberate\w*|intention\w*|intent|intended|on purpose|target(s|ed|ing)|aimed at|war crimes?"
    r"|responsib\w+ for|perpetrat\w*|culprits?|blame\w*",
    "party": r"army|armies|militar\w+|soldiers?|troops|militias?|militants?|rebels?|insurgents?|terroris\w+"
    r"|armed forces|air force|regime|government|enem(y|ies)|idf|hamas|hezbollah|wagner|taliban|isis|nato"
    r"|russian?s?|ukrain\w+|israel\w*|palestin\w+|armenian?s?|azerbaijan\w*|syrian?s?|turkish|turkey|american?s?"
    r"|iranian?s?|chinese|sudanese",
    "moment": rf"(on|at) \d{{4}}-\d\d-\d\d|on (the )?\d{{1,2}}(st|nd|rd|th)? (of )?({MONTHS})\w*"
    rf"|on ({MONTHS})\w* \d{{1,2}}",
}
"""What the tool never says of what the pictures show, by kind."""
PATTERNS = {kind: re.compile(rf"\b({words})\b", re.IGNORECASE) for kind, words in NEVER.items()}
ALLOWED = (
    "show no grades of damage to buildings",
    "leads, not proof",
    "damaged or not readable",
    "a damaged …",
    "its blocks are damaged; those after the damage were not read",
    "OpenTimestamps proof",
    'confirm("',
    "--accept-damaged",
    "a damaged font",
    "DAMAGED FILE ACCEPTED",
    "Use a damaged image",
    "…: damaged: …",
    "DAMAGED file, accepted by the user",
    "what is decoded after damage may be wrong",
)
"""What needs such a word to say what is not claimed, says it of a file, or is no word but code."""
STATES_OF_FILES = {"damaged"}
"""Whole texts that are the name of a state of a file (`provenance.Integrity`), not of what is shown in it."""
VOID = {"meta", "img", "input", "br", "hr", "link", "rect", "use"}
SPOKEN = ("alt", "aria-label", "aria-valuetext", "title", "placeholder", "content", "value")


@dataclass(frozen=True)
class Fault:
    """One word that the tool must not say."""

    kind: str
    word: str
    around: str


def faults(text: str) -> list[Fault]:
    """What a text of the tool says that it must not."""
    text = " ".join(text.split())
    if text in STATES_OF_FILES:
        return []
    for phrase in ALLOWED:
        text = text.replace(phrase, "")
    return [
        Fault(kind, match[0], text[max(0, match.start() - 40) : match.end() + 40])
        for kind, pattern in PATTERNS.items()
        for match in pattern.finditer(text)
    ]


class Own(HTMLParser):
    """The words of a page that nobody else said: of text, of attributes that are read out, of the script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.quoted: list[str] = []
        self._open: list[bool] = []
        self._style = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        inside = (bool(self._open) and self._open[-1]) or "data-quoted" in given
        words = [given[name] or "" for name in SPOKEN if name in given]
        (self.quoted if inside else self.said).extend(words)
        if tag not in VOID:
            self._open.append(inside)
        self._style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self._open.pop()
        self._style = False

    def handle_data(self, data: str) -> None:
        if not self._style:
            (self.quoted if self._open and self._open[-1] else self.said).append(data)


def of_page(html: str) -> list[Fault]:
    """What a page says that it must not, outside quotations."""
    return faults(" ".join(Own(html).said))


def sentences(module: ast.Module) -> Iterator[str]:
    """Every text in a module that is no docstring; of an f-string the parts that are written out, joined."""
    documented = {
        id(node.value)
        for node in ast.walk(module)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    parts = {id(part) for node in ast.walk(module) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(module):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(p.value) if isinstance(p, ast.Constant) else "…" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in documented | parts:
                yield node.value


if __name__ == "__main__":
    found = [fault for name in sys.argv[1:] for fault in of_page(Path(name).read_text(encoding="utf-8"))]
    for fault in found:
        print(f"{fault.kind}: {fault.word}: ... {fault.around} ...")
    sys.exit(bool(found))
