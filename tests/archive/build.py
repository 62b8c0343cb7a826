"""Small archives for the tests, made by the archive itself."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opslib import sshsig
from opslib.archive import keys, log
from opslib.archive.store import Archive
from opslib.redaction import Redactor, Secret
from opslib.runs.journal import Journal

ROOT = Path(__file__).resolve().parents[2]
SECRET = Secret("correct-horse-battery-staple")


def asked(number: int, notebook: str = "diagnostics/database", **said: Any) -> dict[str, Any]:
    """The content of a run.json; higher numbers started later."""
    start = f"2026-11-{1 + number // 1440:02d}T{number // 60 % 24:02d}:{number % 60:02d}:00Z"
    stamp = start.replace("-", "").replace(":", "")
    return {
        "run": f"{stamp}-{notebook.replace('/', '-')}-{number:06x}",
        "notebook": notebook,
        "notebook_sha256": "0" * 64,
        "environment": "lab",
        "target": {"database": "postgresql://127.0.0.1/valuecanvas"},
        "parameters": {},
        "mode": "run",
        "how": "headless",
        "requested_by": "ada@ops-1",
        "started_at": start,
        "versions": {"opslib": "0.1.0"},
        "commit": None,
    } | said


def result(run: str, verdict: str = "OK", **said: Any) -> dict[str, Any]:
    """The content of a result.json."""
    return {
        "run": run,
        "state": "finished",
        "verdict": verdict,
        "exit_code": 0,
        "started_at": "2026-11-01T00:00:00Z",
        "finished_at": "2026-11-01T00:00:12Z",
        "seconds": 12.3,
        "reason": "",
        "counts": {"OK": 1, "WARNING": 0, "UNKNOWN": 0, "CRITICAL": 0},
        "steps": 0,
    } | said


def fill(folder: Path, verdict: str = "OK", lines: int = 3) -> None:
    """Write what a run leaves: journal, notebook, evidence, report, result."""
    journal = Journal(folder / "journal.jsonl", Redactor())
    journal.append("opened", run=folder.name)
    for number in range(lines):
        journal.append("note", text=f"line {number}", cell="look")
    journal.append("closed", state="finished", verdict=verdict)
    journal.close()
    (folder / "notebook.ipynb").write_text('{"cells": []}')
    (folder / "evidence" / "take-backup.json").write_text('{"size": 12}\n')
    (folder / "report.html").write_text(f"<!DOCTYPE html><title>{folder.name}</title>\n")
    fill_result(folder, verdict)


def fill_result(folder: Path, verdict: str) -> None:
    """Write the run's result.json."""
    (folder / "result.json").write_text(json.dumps(result(folder.name, verdict)))


def opened_and_closed(archive: Archive, run: dict[str, Any], more: Callable[[Path], object]) -> None:
    """Open, fill and close the run of a run.json; ``more`` adds to its folder."""
    folder = archive.open(run)
    fill(folder)
    more(folder)
    archive.close(run["run"], Redactor([SECRET]))


def sealed(archive: Archive, number: int, verdict: str = "OK", **said: Any) -> str:
    """Open, fill and close one run; returns its id."""
    run = asked(number, **said)
    folder = archive.open(run)
    fill(folder, verdict)
    archive.close(run["run"], Redactor([SECRET]))
    return str(run["run"])


def child(script: str, *args: object, **options: Any) -> subprocess.Popen[str]:
    """Start a Python process that can import this project and these helpers."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def forked(act: Callable[[], str], wait: bool = False) -> tuple[int, str]:
    """Do ``act`` in a process of its own; returns its id and what ``act`` returned. With ``wait`` it lives on."""
    reader, writer = os.pipe()
    process = os.fork()
    if not process:
        try:
            os.write(writer, act().encode())
            os.close(writer)
            time.sleep(600 if wait else 0)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        answer = said.read()
    if not wait:
        os.waitpid(process, 0)
    return process, answer


def killed(folder: Path, number: int, journal: str = "") -> str:
    """Open a run in a process that is killed with it open, after writing ``journal``; returns its id."""

    def act() -> str:
        place = Archive(folder).open(asked(number))
        if journal:
            (place / "journal.jsonl").write_text(journal)
        return place.name

    process, run = forked(act, wait=True)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return run


def shell(folder: Path, *heads: str, signers: Path | None = None) -> tuple[int, str]:
    """Return exit code and output of the packaged verify.sh for an archive."""
    script = ROOT / "opslib" / "archive" / "verify.sh"
    trust = ["-s", signers] if signers else []
    done = subprocess.run(
        ["/bin/sh", script, *trust, folder, *heads], capture_output=True, text=True, errors="replace", check=False
    )
    assert done.stderr == "", done.stderr
    return done.returncode, done.stdout


def rechain(folder: Path, start: int = 1, key: Path | None = None) -> None:
    """Do what the owner of the folder can: make every entry from ``start`` on name its files as they are now.

    With ``key`` every such entry is signed anew, as only who holds it can.
    """
    for seq in sorted(log.Log(folder).numbers()):
        if seq < start:
            continue
        path = folder / log.name_of(seq)
        entry = log.parse(path.read_bytes())
        sums = tuple((_sha(folder / file) if (folder / file).is_file() else sha, file) for sha, file in entry.sums)
        path.write_bytes(log.Entry(**{**entry.__dict__, "sums": sums}).encode())
        if key:
            signature = sshsig.sign(path.read_bytes(), keys.NAMESPACE, key)
            (folder / log.signature_of(seq)).write_bytes(signature)


def sha256(data: bytes) -> str:
    """The SHA-256 of some bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def _sha(path: Path) -> str:
    from opslib.archive import seal

    return seal.sha256(path)
