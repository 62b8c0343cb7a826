"""The real picomatch, in the version that dorny/paths-filter v3 is built with, of which the tests have one by npm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent / "npm"
needed = pytest.mark.skipif(
    not ((FOLDER / "node_modules/picomatch").is_dir() and shutil.which("node")) and not os.environ.get("CI"),
    reason="picomatch is not here: make test gets it by npm",
)
_ASK = """
const picomatch = require("picomatch");
const [patterns, paths] = JSON.parse(require("fs").readFileSync(0, "utf8"));
const said = patterns.map((pattern) => {
  const fits = picomatch(pattern, { dot: true });
  return paths.map((path) => fits(path));
});
process.stdout.write(JSON.stringify(said));
"""


def says(patterns: list[str], paths: list[str]) -> list[list[bool]]:
    """Return, for each pattern, whether each path fits it, as paths-filter asks."""
    done = subprocess.run(
        [shutil.which("node") or "node", "-e", _ASK],
        cwd=FOLDER,
        input=json.dumps([patterns, paths]),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: list[list[bool]] = json.loads(done.stdout)
    return found
