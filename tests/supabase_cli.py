"""The real Supabase CLI, of which the tests have one by npm, on one of the lab's databases."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).resolve().parent / "npm/node_modules/@supabase/cli-linux-x64/bin/supabase"
needed = pytest.mark.skipif(
    not PROGRAM.exists() and not os.environ.get("CI"), reason="the Supabase CLI is not here: make test gets it by npm"
)


class Cli:
    """The CLI with the database at ``url``, below ``folder``, which holds the project's folder ``supabase``."""

    def __init__(self, url: Any, folder: Path) -> None:
        self.folder, self._url = folder, url.reveal()
        self._home = folder / "home"
        self._home.mkdir()

    def __call__(self, *words: str, code: int = 0) -> str:
        """Return what it printed; ``code`` is how it must end."""
        done = self._run([*words, f"--remote={self._url}", "--workdir", str(self.folder), "--yes"])
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def rows(self, *words: str) -> list[dict[str, Any]]:
        """Return the rows that it answers with."""
        done = self._run([*words, f"--remote={self._url}", "--workdir", str(self.folder), "--output-format", "json"])
        assert done.returncode == 0, done.stdout + done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
        return found

    def help(self, *words: str) -> str:
        """Return what it says it can do."""
        return self._run([*words, "--help"]).stdout

    def _run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        quiet = {"SUPABASE_TELEMETRY_DISABLED": "1", "DO_NOT_TRACK": "1", "HOME": str(self._home)}
        command = [str(PROGRAM), *words, "--agent", "no"]
        return subprocess.run(
            command, env=quiet | {"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=120, check=False
        )
