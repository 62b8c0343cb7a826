"""How long exported logs are asked, in bounded memory: beside zgrep and a script that parses each line, in one run.

    python -m benchmarks.logs --megabytes 2048 --memory 1024

It writes made-up logs (gz, as CloudWatch exports them) of so many megabytes, unpacked, into a temporary folder, the
same for the same size, and takes them away at the end. The peers ask one question each, in one pass: zgrep counts the
lines of one address, the script sums requests by hour, route and status. DuckDB reads once and answers every question.
Where others use the machine, seconds of processors tell more than the clock.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import resource
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from opslib.probes.log_questions import QUESTIONS, Terms, text
from opslib.systems import duck
from opslib.systems.exported_logs import listed, sha256

START = datetime(2026, 11, 29, tzinfo=UTC)
HOURS = 24
STREAMS = 16
ADDRESS = "198.51.100.7"
STEPS = ("lines", "spans", "once", "asked", "examples", "skew", "rejects")
ROUTES = ("/health", "/api/llm/chat", "/api/billing", "/api/auth/login", "/api/cases", "/api/reports")


def main() -> None:
    """Write, measure and print a line for each way: seconds, megabytes a second, memory."""
    parser = argparse.ArgumentParser(description="Time questions of exported logs.")
    parser.add_argument("--megabytes", type=int, default=256, help="of made-up logs, unpacked")
    parser.add_argument("--memory", type=int, default=1024, help="megabytes that DuckDB may take")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="opslib-benchmark-") as place:
        folder = Path(place) / "export"
        size, count = _write(folder, given.megabytes * 1_000_000)
        packed = sum(path.stat().st_size for path in folder.rglob("*.gz"))
        print(f"{count} lines, {size / 1e6:.0f} MB, packed {packed / 1e6:.0f} MB in {STREAMS} files")
        _show("SHA-256 of every file", size, _timed(lambda: [sha256(path) for path in folder.rglob("*.gz")]))
        _show("zgrep, lines of one address", size, _timed(lambda: _zgrep(folder)))
        sums = _show("a script, by hour, route and status", size, _timed(lambda: _parsed(folder)))
        what = f"DuckDB, {len(QUESTIONS) - 1} questions in {given.memory} MB"
        asked = _show(what, size, _timed(lambda: _duck(folder, given.memory, Path(place))))
        rows = asked["rows"]
        same = {(row["slot"], row["route"], row["status"]): row["lines"] for row in rows["requests"]} == dict(sums)
        print(f"the script's figures are DuckDB's: {same}; lines read: {asked['kinds'].get('read', 0)} of {count}")


def _write(folder: Path, most: int) -> tuple[int, int]:
    """Write the streams side by side; returns bytes and lines."""
    sizes = [most // STREAMS] * STREAMS
    with ProcessPoolExecutor(2) as pool:
        done = list(pool.map(_stream, [folder] * STREAMS, range(STREAMS), sizes))
    return sum(one for one, _ in done), sum(one for _, one in done)


def _stream(folder: Path, number: int, most: int) -> tuple[int, int]:
    chance, size, count = random.Random(number), 0, 0  # noqa: S311 - the same lines each time
    place = folder / "task" / f"api-{number}"
    place.mkdir(parents=True)
    every = timedelta(hours=HOURS) / max(1, most // 330)
    at = START
    with gzip.open(place / "000000.gz", "wb", compresslevel=1) as out:
        while size < most:
            batch = []
            for _ in range(1000):
                batch.append(_line(chance, at))
                at = min(at + every, START + timedelta(hours=HOURS) - timedelta(milliseconds=1))
            data = "".join(batch).encode()
            out.write(data)
            size, count = size + len(data), count + len(batch)
    return size, count


def _line(chance: random.Random, at: datetime) -> str:
    status = chance.choice((200, 200, 200, 200, 304, 401, 404, 500))
    said = {
        "level": "error" if status == 500 else "info",
        "message": f"request took {chance.randrange(5000)} ms of {chance.getrandbits(64):016x}",
        "ip": f"198.51.100.{chance.randrange(256)}",
        "userId": f"user-{chance.randrange(5000)}",
        "tenantId": f"tenant-{chance.randrange(50)}",
        "sessionId": f"session-{chance.getrandbits(32):08x}",
        "requestId": f"{chance.getrandbits(64):016x}",
        "method": "GET",
        "path": chance.choice(ROUTES),
        "status": status,
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    }
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z {json.dumps(said)}\n"


def _zgrep(folder: Path) -> int:
    found = shutil.which("zgrep")
    assert found is not None
    paths = [str(path) for path in sorted(folder.rglob("*.gz"))]
    command = [found, "-h", "-c", "-F", f'"ip": "{ADDRESS}"', *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return sum(map(int, done.stdout.split()))


def _parsed(folder: Path) -> Counter[tuple[int, str, str]]:
    sums: Counter[tuple[int, str, str]] = Counter()
    for path in sorted(folder.rglob("*.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                at, _, text_ = line.partition(" ")
                said = json.loads(text_)
                slot = int(datetime.fromisoformat(at).timestamp()) // 3600 * 3_600_000
                sums[slot, said["path"], str(said["status"])] += 1
    return sums


def _duck(folder: Path, megabytes: int, work: Path) -> dict[str, Any]:
    terms = Terms(START, START + timedelta(hours=HOURS), START)
    questions = {name: one.sql for name, one in QUESTIONS.items() if name != "session"}
    return duck.answers(
        duck.Texts({name: text(f"{name}.sql") for name in STEPS}, questions),
        terms.given,
        form="export",
        folder=folder,
        files=[(one.name, one.stream) for one in listed(folder)],
        bounds=duck.Bounds(megabytes * duck.MEGABYTE, folder=work),
    )


def _timed(work: Callable[[], Any]) -> tuple[Any, float, float, float]:
    """Return what ``work`` returns, its seconds, those of processors (ours and of what it started), and the most memory
    in megabytes that any process took so far that was started here."""
    began, busy = time.monotonic(), _busy()
    found = work()
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    return found, time.monotonic() - began, _busy() - busy, memory


def _busy() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def _show(what: str, size: int, measured: tuple[Any, float, float, float]) -> Any:
    found, seconds, busy, memory = measured
    rate = f"{size / 1e6 / busy:7.1f} MB a second of a processor"
    print(f"{what:42} {seconds:7.1f} s, {busy:6.1f} s of processors, {rate}, {memory:5.0f} MB", flush=True)
    return found


if __name__ == "__main__":
    main()
