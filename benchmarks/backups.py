"""How long a backup and a restore take beside PostgreSQL's own programs, on one database of a lab's own.

    python -m benchmarks.backups --megabytes 400 --rounds 3

The peers are pipes of PostgreSQL's own programs, and keep their result on this machine's disk. Ours are the actions as
a run applies them: a backup is taken into the lab's object store, a restore is fetched from it, read whole, restored
and compared with the manifest, row by row. The store is a process on the same cores: our times have it, the peers' not.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measuring import NotMeasured, Place, Ratio, Spent, ratio
from opslib.actions import backups_folder as staging
from opslib.actions.backups import RestoreIntoNewDatabase, StageBackup, TakeBackup
from opslib.actions.backups_rebuild import contents_of
from opslib.actions.base import Action
from opslib.lab.database import find_pg_bin
from opslib.lab.supervisor import Lab
from opslib.model import Plan, Verdict
from opslib.settings import Settings
from opslib.systems.postgres import connect
from opslib.systems.target import ReadTarget, WriteTarget

MEGABYTES = 400
"""Size of the rows as ``pg_dump`` writes them; the database is half as large again."""

LIVE, THEIRS = "benchmark", "benchmark_theirs"
SHARES = {"accounts": 0.35, "events": 0.45, "messages": 0.2}
"""What share of the bytes each large table has: short columns of numbers, JSON, text."""

ROWS = {
    "accounts": (
        115,
        "CREATE TABLE accounts AS SELECT n AS id, n % 50 AS branch, (random() * 1e6)::int AS balance,"
        " rpad('', 84) AS filler FROM generate_series(1, {rows}) AS n",
        "ALTER TABLE accounts ADD PRIMARY KEY (id)",
    ),
    "events": (
        248,
        "CREATE TABLE events AS SELECT n::bigint AS id, n % 5000 AS account, now() - n * interval '1 s' AS at,"
        " jsonb_build_object('path', '/api/' || n % 97, 'status', 200 + n % 4, 'took', round(random()::numeric, 4),"
        " 'session', md5((n / 20)::text), 'agent', 'Mozilla/5.0 (X11; Linux x86_64) ' || n % 13, 'seq', n) AS said"
        " FROM generate_series(1, {rows}) AS n",
        "ALTER TABLE events ADD PRIMARY KEY (id); CREATE INDEX events_account ON events (account)",
    ),
    "messages": (
        350,
        "CREATE TABLE messages AS SELECT n AS id, n % 9000 AS account,"
        " (SELECT string_agg(w, ' ') FROM (SELECT (ARRAY['order','invoice','please','the','a','ticket','customer',"
        "'refund','was','not','delivered','yesterday','thank','you','account','login'])[1 + (random() * 15)::int] AS w"
        " FROM generate_series(1, 50) WHERE n > 0) AS words) AS text FROM generate_series(1, {rows}) AS n",
        "ALTER TABLE messages ADD PRIMARY KEY (id)",
    ),
}
"""Of each table: about how many bytes a row has in a dump, how it is made, and what is made behind its rows."""

SMALL = "CREATE TABLE kinds AS SELECT n AS id, 'kind ' || n AS name FROM generate_series(1, 500) AS n"


@dataclass
class Bench:
    """A lab with one database to save, and a folder for what the peers write."""

    settings: Settings
    folder: Path
    runs: int = 0
    told: dict[str, list[float]] = field(default_factory=dict)
    taken: Mapping[str, Any] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The process environment of the peers: where the server is, and what their lines name."""
        url = self.settings.database_url
        own = {"HERE": self.folder, "BIN": find_pg_bin(), "URL": url.reveal(), "THEIRS": THEIRS}
        own["SERVER"] = url.with_path("postgres").reveal()
        own["INTO"] = url.with_path(THEIRS).reveal()
        return {**os.environ, **{name: str(value) for name, value in own.items()}}

    def pipe(self, line: str) -> Spent:
        """Run a shell's pipe to its end; each of its programs must end well."""
        return self.spent(lambda: self._shell(line))

    def _shell(self, line: str) -> None:
        command = ["bash", "-o", "pipefail", "-euc", line]
        done = subprocess.run(command, env=self.environment, capture_output=True, timeout=1800, check=False)
        if done.returncode:
            raise NotMeasured(f"{line[:60]}: {done.stderr.decode(errors='replace').strip()[-160:]}")

    def spent(self, act: Callable[[], object]) -> Spent:
        """Return what ``act`` took: wall, and CPU of this process and its children (not of server and store)."""
        before, began = _cpu(), time.perf_counter()
        act()
        return Spent(time.perf_counter() - began, _cpu() - before)

    @contextmanager
    def run(self) -> Iterator[tuple[ReadTarget, WriteTarget]]:
        """Hand out the handles of a run of its own."""
        self.runs += 1
        run = f"20261129T010000Z-runbooks-back-up-database-{self.runs:06x}"
        reading, writing = ReadTarget(self.settings.reading(), run), WriteTarget(self.settings, run)
        try:
            yield reading, writing
        finally:
            staging.remove(run)
            reading.close()
            writing.close()

    def apply(self, action: Action, reading: ReadTarget, writing: WriteTarget) -> tuple[Plan, Mapping[str, Any]]:
        """Plan and apply an action, and keep how long that took by its name."""
        began = time.perf_counter()
        plan = action.plan(reading)
        values = action.apply(writing, plan, _quiet)
        self.told.setdefault(action.name, []).append(time.perf_counter() - began)
        return plan, values

    def take(self) -> Spent:
        """Take a backup; that it is read back (verify) is told beside it, and the backup before goes."""
        with self.run() as (reading, writing):
            found: list[tuple[Plan, Mapping[str, Any]]] = []
            spent = self.spent(lambda: found.append(self.apply(TakeBackup(), reading, writing)))
            plan, values = found[0]
            began = time.perf_counter()
            if TakeBackup().verify(writing, plan, values).verdict is not Verdict.OK:  # type: ignore[arg-type]
                raise NotMeasured("the backup is not what was sent")
            self.told.setdefault("read back", []).append(time.perf_counter() - began)
            store, prefix = writing.backup_store, self.settings.backup_prefix
            for item in store.versions(prefix):
                if not item.key.startswith(f"{prefix}{writing.run}-"):
                    store.delete_version(item.key, item.version)
        self.taken = values
        return spent

    def restore(self) -> Spent:
        """Fetch the newest backup, read it whole, restore and compare it; what was restored goes afterwards."""
        with self.run() as (reading, writing):

            def both() -> tuple[Plan, Mapping[str, Any]]:
                _, staged = self.apply(StageBackup(backup=str(self.taken["backup"])), reading, writing)
                return self.apply(RestoreIntoNewDatabase(sha256=staged["sha256"]), reading, writing)

            found: list[tuple[Plan, Mapping[str, Any]]] = []
            spent = self.spent(lambda: found.append(both()))
            RestoreIntoNewDatabase(sha256="0" * 64).undo(writing, found[0][0], found[0][1], _quiet)
        return spent


def backup(place: Place, megabytes: int = MEGABYTES) -> list[Ratio]:
    """A backup with its manifest, digests of every row and checksums, beside pipes that have none or one of these."""
    with bench(place.folder, megabytes) as here:
        found = place.alternating(
            {
                "ours": here.take,
                "pipe": lambda: here.pipe('"$BIN"/pg_dump "$URL" | zstd -q -1 | sha256sum'),
                "custom": lambda: here.pipe('"$BIN"/pg_dump -Fc "$URL" >"$HERE"/custom.dump'),
            }
        )
        more = f"ours into the store; read back in {_median(here.told['read back']):.2f} s more"
    return [
        ratio("to pg_dump | zstd -1 | sha256sum", 1.1, found["ours"], found["pipe"], more),
        ratio("to pg_dump -Fc", 0.4, found["ours"], found["custom"], more),
    ]


def restore(place: Place, megabytes: int = MEGABYTES) -> list[Ratio]:
    """A restore out of the store that is verified against the manifest, beside one from the disk that is not."""
    with bench(place.folder, megabytes) as here:
        here.take()
        here.pipe('"$BIN"/pg_dump -Fc "$URL" >"$HERE"/custom.dump')
        empty = (
            '"$BIN"/psql -qX "$SERVER" -c "DROP DATABASE IF EXISTS $THEIRS WITH (FORCE)" -c "CREATE DATABASE $THEIRS"'
        )
        here.pipe(empty)

        def theirs() -> Spent:
            here.pipe(empty)
            return here.pipe('"$BIN"/pg_restore -j2 -d "$INTO" "$HERE"/custom.dump')

        found = place.alternating({"ours": here.restore, "theirs": theirs})
        _same_rows(here)
        steps = (StageBackup.name, RestoreIntoNewDatabase.name)
        parts = " + ".join(f"{name} {_median(here.told[name]):.2f}" for name in steps)
    return [ratio("verified, to an unverified pg_restore -j2", 1.1, found["ours"], found["theirs"], f"ours ({parts})")]


def _same_rows(here: Bench) -> None:
    """Refuse a comparison with a restore that has other rows than what was saved."""
    saved, theirs = (
        contents_of(here.settings.database_url.with_path(name), "opslib:benchmark", _quiet)[0].tables
        for name in (LIVE, THEIRS)
    )
    if saved != theirs:
        raise NotMeasured("what pg_restore restored has other rows")


@contextmanager
def bench(folder: Path, megabytes: int) -> Iterator[Bench]:
    """Hand out a lab in ``folder`` with a database of that size in it; both go afterwards."""
    os.environ |= {"LAB_STANDBY": "0", "LAB_LOAD_PER_SECOND": "0"}
    # Where root has no user namespaces, PostgreSQL runs as nobody, who must be able to pass.
    folder.chmod(0o711)
    lab = Lab(folder / "backups")
    try:
        lab.up(2000)
        said = lab.settings()
        with connect(said.database_url, "opslib:benchmark") as session:
            session.execute(f"CREATE DATABASE {LIVE} TEMPLATE template0")
        addresses = {name: getattr(said, name).with_path(LIVE) for name in ("database_url", "read_database_url")}
        own = {**addresses, "backup_prefix": f"{LIVE}/", "core_tables": ("public.accounts",), "backup_lock_days": 0}
        here = Bench(said.model_copy(update=own), folder)
        with connect(here.settings.database_url, "opslib:benchmark") as session:
            for name, (width, rows, behind) in ROWS.items():
                session.execute(rows.replace("{rows}", str(int(megabytes * 1e6 * SHARES[name] / width))))
                session.execute(behind)
            session.execute(SMALL)
            session.execute("VACUUM ANALYZE")
            session.execute("CHECKPOINT")
        yield here
    finally:
        lab.down()


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _quiet(text: str, done: float | None = None, total: float | None = None) -> None:
    """Tell nobody."""


def main() -> None:
    """Measure both and print one line per ratio."""
    parser = argparse.ArgumentParser(description="Time backups and restores.")
    parser.add_argument("--megabytes", type=int, default=MEGABYTES, help="bytes of the rows in a dump, in MB")
    parser.add_argument("--rounds", type=int, default=3, choices=range(1, 31), metavar="N")
    given = parser.parse_args()
    for measure in (backup, restore):
        with tempfile.TemporaryDirectory(prefix="opslib-benchmark-", ignore_cleanup_errors=True) as folder:
            for one in measure(Place(Path(folder), given.rounds), given.megabytes):
                sys.stdout.write(f"{measure.__name__} {one.what}: {one.value:.3f} (at most {one.most:g})  {one.of}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
