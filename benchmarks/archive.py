"""How long an archive takes: pages, search, one more run; verified whole, gone on with; what a push has to look at.

    python -m benchmarks.archive --runs 100000 --megabytes 400

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
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import cast

from opslib import sshsig
from opslib.archive import log, push, seal, verify_run
from opslib.archive.holds import fates
from opslib.archive.index import older_pages
from opslib.archive.keys import NAMESPACE
from opslib.archive.search_index import FILE, SearchIndex, opened
from opslib.archive.search_wanted import Wanted
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.archive.verify_progress import Progress
from opslib.canonical import to_json
from opslib.redaction import Redactor
from opslib.runs.journal import FIRST, Journal
from opslib.systems.sealed_store import SealedStore, Several

ADDED = 20
_used = 0.0
START = datetime(2020, 1, 1, tzinfo=UTC)


def main() -> None:
    """Measure and print one line per figure."""
    parser = argparse.ArgumentParser(description="Time the archive.")
    parser.add_argument("--runs", type=int, default=200, help="runs in the archive")
    parser.add_argument("--megabytes", type=int, default=40, help="bytes of all runs together, in MB")
    parser.add_argument(
        "--light", action="store_true", help="unsigned entries and three files a run: pages and plans only"
    )
    parser.add_argument("--folder", type=Path, help="where to make it (default: a temporary folder)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="opslib-benchmark-", dir=given.folder) as folder:
        place = Path(folder)
        key = place / "key"
        key.write_bytes(sshsig.generate())
        key.chmod(0o600)
        archive = Archive(place / "archive", key)
        os.environ["XDG_STATE_HOME"] = str(place / "state")
        if given.light:
            say("made", timed(lambda: questions(archive.folder, given.runs)), f"{given.runs} runs")
            paging(archive, given.runs)
            return
        say("made", timed(lambda: make(archive, key, given.runs, given.megabytes * 1_000_000)), f"{given.runs} runs")
        paging(archive, given.runs)
        adding(archive, given.runs)
        searching(archive.folder)
        planning(archive)
        checking(archive.folder)


def say(what: str, seconds: float, note: str = "") -> None:
    """Print one figure, and how much of the processor it took since the one before: a busy machine shows in that."""
    global _used
    used, _used = time.process_time() - _used, time.process_time()
    sys.stdout.write(f"{what:<42} {seconds * 1000:>12.1f} ms {used:>9.1f} s CPU  {note}\n")
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


def questions(folder: Path, runs: int) -> None:
    """Make the folders of so many open runs, each with its run.json alone."""
    (folder / "running").mkdir(parents=True)
    for number in range(runs):
        said = asked(number)
        place = folder / "runs" / str(said["run"])
        place.mkdir(parents=True)
        (place / "run.json").write_text(json.dumps(said))


def paging(archive: Archive, runs: int) -> None:
    """Measure writing all pages of the index, and the pages that one run changes."""
    say("all index pages written anew", timed(archive.index), f"{older_pages(runs) + 1} pages")
    newest = str(asked(runs - 1)["run"])
    say("pages after one run", statistics.median(timed(lambda: archive.index(newest)) for _ in range(5)), "median of 5")


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


def searching(folder: Path) -> None:
    """Measure making the search's index of the whole archive, and three searches in it."""
    (folder / FILE).unlink(missing_ok=True)
    say("index of the search made", timed(lambda: SearchIndex(folder).close()))
    with opened(folder) as index:
        for what, wanted in (
            ("one word", Wanted(words=("benchmark",))),
            ("notebook and verdict", Wanted(notebook="diagnostics/database", verdict="OK")),
            ("a day", Wanted(since="2020-01-02T00:00:00Z", until="2020-01-03T00:00:00Z")),
        ):
            say(f"search: {what}", statistics.median(timed(lambda w=wanted: index.search(w)) for _ in range(5)))  # type: ignore[misc]


class Empty:
    """A store that holds nothing and answers at once: what is timed is the work on this side."""

    def objects(self, prefix: str, after: str = "") -> Iterator[Several]:
        """Return no object."""
        return iter(())


def planning(archive: Archive) -> None:
    """Measure what a push looks at here: the whole log, and what is behind the hint of the last one."""
    folder, last, empty = archive.folder, archive.log.newest(), cast(SealedStore, Empty())
    prefix = push.prefix_of(folder)
    say("push planned without a hint", timed(lambda: push.lacking(folder, empty, prefix, last)), f"{last} entries")
    (folder / push.HINT).write_text(str(last - 2 * ADDED))
    say("push planned with a hint", timed(lambda: push.lacking(folder, empty, prefix, last)), f"{2 * ADDED} entries")
    say("what the log says of holds and removals", timed(lambda: fates(archive.log)))


def checking(folder: Path) -> None:
    """Tell how long verifying the archive whole takes, and sha256sum over the same files in the same minute."""
    took, peer, about = compared(folder)
    say("verified whole", took, about)
    say("sha256sum of the same files", peer, f"verifying takes {took / peer:.1f} times as long")
    went_on = Progress(folder, resume=True)
    again = timed(lambda: verify(folder, progress=went_on))
    went_on.close(done=True)
    say("gone on with at its end", again, f"{went_on.skipped} runs not read again; the log and its signatures are")


RECORDS = 100_000


def figures(place: Path, runs: int, megabytes: int, rounds: int) -> tuple[float, float, float]:
    """Make an archive of that size at ``place`` and return the seconds of verifying it, of sha256sum, and of a record.

    The first two in turn, as medians; what is read or imported once counts for neither. A record is a line of a long
    journal of which number, chain and form are looked at.
    """
    place.mkdir()
    key = place / "key"
    key.write_bytes(sshsig.generate())
    key.chmod(0o600)
    os.environ["XDG_STATE_HOME"] = str(place / "state")
    archive = Archive(place / "archive", key)
    make(archive, key, runs, megabytes * 1_000_000)
    found = [compared(archive.folder)[:2] for _ in range(rounds + 1)][1:]
    took, peer = (statistics.median(one) for one in zip(*found, strict=True))
    journal = place / "journal.jsonl"
    journal.write_bytes(b"".join(chained(RECORDS)))
    of_record = statistics.median(timed(lambda: followed(journal)) for _ in range(rounds)) / RECORDS
    return took, peer, of_record


def chained(count: int) -> Iterator[bytes]:
    """Yield the lines of a journal of so many records, 370 bytes each."""
    prev = FIRST
    for seq in range(1, count + 1):
        said = {"at": "2026-12-01T08:00:00.000000Z", "cell": "look", "event": "note", "prev": prev, "seq": seq}
        raw = json.dumps(said | {"text": f"line {seq} " + "x" * 200}, separators=(",", ":"), sort_keys=True).encode()
        prev = hashlib.sha256(raw).hexdigest()
        yield raw + b"\n"


def followed(journal: Path) -> None:
    """Verify a journal's chain, and stop where it does not hold."""
    if found := verify_run.journal(journal, "journal.jsonl", cut_off=False):
        raise SystemExit(str(found[0]))


def compared(folder: Path) -> tuple[float, float, str]:
    """Return the seconds of verifying an archive and of sha256sum over its files, and what it holds, in words."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    names = "".join(f"{path}\0" for path in files).encode()
    argv = ["/usr/bin/xargs", "-0", "sha256sum"]
    peer = timed(lambda: subprocess.run(argv, input=names, stdout=subprocess.DEVNULL, check=True))
    progress = Progress(folder)
    started = time.perf_counter()
    report = verify(folder, progress=progress)
    took = time.perf_counter() - started
    progress.close(done=False)
    if not report.ok:
        raise SystemExit(str(report))
    rate = f"{len(report.sealed) / took:.0f} runs/s, {report.files / took:.0f} files/s, {size / took / 1e6:.1f} MB/s"
    return took, peer, f"{report.entries} entries, {report.files} files, {size / 1e6:.0f} MB: {rate}"


if __name__ == "__main__":
    main()
