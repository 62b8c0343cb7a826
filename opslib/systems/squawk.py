"""``squawk``, the linter of PostgreSQL migrations: started with fixed arguments, reads a text, writes nothing.

It needs no network and no database, and knows neither the size of a table nor what is in it. Rules and levels:
squawkhq.com/docs. A finding's line counts from 1 here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from opslib.errors import Unreachable

ARGUMENTS = ("--reporter", "json", "--assume-in-transaction")
"""What it always gets; the rules that count are chosen by who judges, so that none is left out unseen."""

SECONDS = 20.0
_INSTALL = "Install it: pip install squawk-cli"


@dataclass(frozen=True)
class Finding:
    """One thing that the linter says: rule, line, and its own words."""

    rule: str
    line: int
    message: str


def find() -> Path:
    """Return where ``squawk`` is, beside this Python or on the PATH; raises Unreachable when it is in neither."""
    beside = Path(sys.executable).parent / "squawk"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("squawk")
    if found is None:
        raise Unreachable("squawk, which lints migrations, is not installed.", _INSTALL, "missing")
    return Path(found).absolute()


def lint(text: str, server_version: int) -> tuple[Finding, ...]:
    """Return what squawk says of a migration for that major version of the server.

    Raises Unreachable when it is not installed, does not end in time, or says what is no answer.
    """
    try:
        done = subprocess.run(
            [str(find()), *ARGUMENTS, f"--pg-version={int(server_version)}.0"],
            input=text.encode(),
            env={"LANG": "C", "HOME": "/nonexistent"},
            cwd="/",
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        said = json.loads(done.stdout)
        return tuple(Finding(str(one["rule_name"]), int(one["line"]) + 1, _words(one)) for one in said)
    except subprocess.TimeoutExpired:
        raise Unreachable(
            f"squawk did not end within {SECONDS:g} s.", "Look at the file that it reads.", "slow"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unreachable(f"squawk gave no answer ({type(error).__name__}).", _INSTALL, "other") from error


def _words(one: dict[str, object]) -> str:
    return " ".join(str(one[name]) for name in ("message", "help") if one.get(name))
