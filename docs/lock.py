"""Pins every package, with its hashes, for the environments of `make demo` and `make test`.

python docs/lock.py   (needs uv: `pip install uv`, and the package index that pip is set up with)

One resolution for Python 3.11 and newer on all systems, markers where versions differ. No index is named.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEST, BASE = ROOT / "requirements-test.lock", ROOT / "requirements.lock"
HEAD = "# Made by docs/lock.py from setup.cfg. Checked by: pip install --require-hashes -r {name}\n"


def compiled(target: Path, *more: str) -> None:
    """Write one lock: the dependencies of setup.cfg, and what builds the package itself."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--generate-hashes", "--upgrade"]
    command += ["--python-version", "3.11", "--no-header", "--no-annotate", "--no-emit-index-url"]
    command += ["--output-file", str(target), *more, "setup.cfg", "-"]
    subprocess.run(command, cwd=ROOT, input="setuptools>=70.1\n", text=True, check=True, capture_output=True)
    target.write_text(HEAD.format(name=target.name) + target.read_text(encoding="utf-8"), encoding="utf-8")


if __name__ == "__main__":
    compiled(TEST, "--extra", "test", "--extra", "docs")
    compiled(BASE, "--constraint", TEST.name)  # the same versions in both
