"""How long an archive takes: verified whole, beside sha256sum over the same files, and one more run added.

    python -m benchmarks.archive --runs 10000 --megabytes 2048

It makes an archive of that size in a temporary folder, with entries signed as the program signs them but
without waiting for the disk at each, then measures. Nothing outside that folder is touched.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from opslib import sshsig
from opslib.archive import log, seal
from opslib.archive.keys import NAMESPACE
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.canonical import to_json
from opslib.redaction import Redactor
from opslib.runs.journal import Journal

ADDED = 20
START = datetime(2020, 1, 1, tzinfo=UTC)


def main() -> None:
    """Measure and print one line per figure."""
    parser = argparse.ArgumentParser(description="Time the archive.")
    parser.add_argument("--runs", type=int, default=200, help="runs in the archive")
    parser.add_argument("--megabytes", type=int, default=40, help="bytes of all runs together, in MB")
    parser.add_argument("--folder", type=Path, help="where to make it (default: a temporary folder)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="opslib-benchmark-", dir=given.folder) as folder:
        place = Path(folder)
        key = place / "key"
        key.write_bytes(sshsig.generate())
        key.chmod(0o600)
        archive = Archive(place / "archive", key)
        say("made", timed(lambda: make(archive, key, given.runs, given.megabytes * 1_000_000)), f"{given.runs} runs")
        adding(archive, given.runs)
        checking(archive.folder)


def say(what: str, seconds: float, note: str = "") -> None:
    """Print one figure."""
    sys.stdout.write(f"{what:<36} {seconds * 1000:>12.1f} ms  {note}\n")
    sys.stdout.flush()


def timed(act: Callable[[], object]) -> float:
    """Return how many seconds ``act`` took by the wall clock."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def asked(number: int) -> dict[str, object]:
    """Return the content of a run.json."""
    started = START + timedelta(minutes=number)
    return {
        "run": f"{started:%Y%m%dT%H%M%SZ}-diagnostics-database-{number:06x}",
        "notebook": "diagnostics/database",
        "environment": "lab",
        "mode": "run",
        "requested_by": "ada@ops-1",
        "started_at": started.isoformat(),
    }


@cache
def journal() -> bytes:
    """Return a journal of 20 lines; writing one waits for the disk at each line, so all runs get a copy."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        lines = Journal(path, Redactor())
        for number in range(20):
            lines.append("note", text=f"line {number} " + "x" * 200, cell="look")
        lines.close()
        return path.read_bytes()


def fill(folder: Path, size: int) -> None:
    """Write what a run leaves, about ``size`` bytes; the report has most of them."""
    (folder / "journal.jsonl").write_bytes(journal())
    (folder / "notebook.ipynb").write_text('{"cells": []}')
    (folder / "evidence").mkdir(exist_ok=True)
    (folder / "evidence" / "take-backup.json").write_text('{"size": 12}\n')
    said = {"run": folder.name, "state": "finished", "verdict": "OK", "exit_code": 0, "seconds": 1.5}
    (folder / "result.json").write_text(json.dumps(said))
    left = size - sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    (folder / "report.html").write_bytes(os.urandom(max(left, 100)))


def make(archive: Archive, key: Path, runs: int, size: int) -> None:
    """Fill an archive as the program would, but without a flush to the disk for each file."""
    archive.append("note", "made by a benchmark")
    signer = sshsig.Signer(key)
    seq = archive.log.newest()
    last = (archive.folder / log.name_of(seq)).read_bytes()

    def append(event: str, run: str, path: str) -> None:
        nonlocal seq, last
        sums = ((hashlib.sha256(last).hexdigest(), log.name_of(seq)), (seal.sha256(archive.folder / path), path))
        seq += 1
        last = log.Entry(seq, event, run, "2020-01-01T00:00:00.000000Z", "", "", sums).encode()
        (archive.folder / log.name_of(seq)).write_bytes(last)
        (archive.folder / log.signature_of(seq)).write_bytes(signer.sign(last, NAMESPACE))

    for number in range(runs):
        said = asked(number)
        run = str(said["run"])
        folder = archive.folder / "runs" / run
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps(to_json(said)))
        append("open", run, f"runs/{run}/run.json")
        fill(folder, size // max(runs, 1))
        sums = {path: seal.sha256(folder / path) for path, entry in seal.walk(folder) if entry.is_file()}
        (folder / seal.MANIFEST).write_bytes(seal.Scan(sums, ()).manifest())
        append("close", run, f"runs/{run}/{seal.MANIFEST}")
    archive.index()


def adding(archive: Archive, runs: int) -> None:
    """Measure opening and closing further runs, their own content of 20 kB apart."""
    took = []
    for number in range(runs, runs + ADDED):
        said = asked(number)
        opened = timed(lambda said=said: archive.open(said))  # type: ignore[misc]
        fill(archive.folder / "runs" / str(said["run"]), 20_000)
        took.append(opened + timed(lambda said=said: archive.close(str(said["run"]), Redactor())))  # type: ignore[misc]
    say(
        "a run added (open and close)", statistics.median(took), f"median of {ADDED}; slowest {max(took) * 1000:.1f} ms"
    )


def checking(folder: Path) -> None:
    """Measure verifying the archive whole, and sha256sum over the same files in the same minute."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    names = "".join(f"{path}\0" for path in files).encode()
    argv = ["/usr/bin/xargs", "-0", "sha256sum"]
    peer = timed(lambda: subprocess.run(argv, input=names, stdout=subprocess.DEVNULL, check=True))
    started = time.perf_counter()
    report = verify(folder)
    took = time.perf_counter() - started
    if not report.ok:
        raise SystemExit(str(report))
    say("verified whole", took, f"{report.entries} entries, {report.files} files, {size / 1e6:.0f} MB")
    say("sha256sum of the same files", peer, f"verifying takes {took / peer:.1f} times as long")


if __name__ == "__main__":
    main()
