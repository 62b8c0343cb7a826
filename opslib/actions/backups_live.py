"""The live database as a restore sees it: its identity, what it is created with, and names made for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opslib.actions.backups_folder import Staged, short
from opslib.actions.backups_rebuild import contents_of
from opslib.actions.base import Progress
from opslib.errors import Refused
from opslib.model import Row, Rows
from opslib.probes.backups_compare import compare
from opslib.probes.backups_manifest import Contents, Privilege, Properties, Setting
from opslib.probes.questions import question
from opslib.systems.postgres_admin import AdminDatabase
from opslib.systems.postgres_databases import Locale
from opslib.systems.postgres_digests import NEWEST, Form
from opslib.systems.postgres_exchange import limit_waiting
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget

LONGEST_NAME = 63
MAINTENANCE = "postgres"
"""The database that every server has; sessions that rename or create others are in it."""


@dataclass(frozen=True)
class Live:
    """The live database. ``oid`` is its identity: it stays with it when it is renamed."""

    name: str
    oid: int
    bytes: int
    server_version: str
    properties: Properties
    settings: tuple[Setting, ...]
    privileges: tuple[Privilege, ...]

    @property
    def locale(self) -> Locale:
        """What a database like it must be created with."""
        said = self.properties
        return Locale(said.encoding, said.provider, said.collate, said.ctype, said.locale, said.rules)

    @property
    def major(self) -> int:
        """Major version of its server."""
        return major(self.server_version)


def look(target: ReadTarget) -> Live:
    """Return the live database of the target, read through a handle that cannot write.

    Raises Refused when it is a standby or its name is one that programs could misread.
    """
    ask = target.database.ask
    (said,) = ask(question("restore/live"))
    if said["standby"]:
        raise Refused(f"{target.settings.read_database_url.public} is a standby.", "Restore on the primary.")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}", said["name"]):
        raise Refused(f"The database's name {said['name']!r} is not plain.", "Restore it by hand.")
    (properties,) = ask(question("backups/properties"))
    return Live(
        name=said["name"],
        oid=said["oid"],
        bytes=said["bytes"],
        server_version=said["server_version"],
        properties=Properties(**properties),
        settings=tuple(Setting(**row) for row in ask(question("backups/settings"))),
        privileges=tuple(Privilege(**row) for row in ask(question("backups/privileges"))),
    )


def databases(target: ReadTarget) -> dict[str, int]:
    """Return the server's databases: name and identity."""
    return {row["name"]: row["oid"] for row in target.database.ask(question("restore/databases"))}


def made(live: str, word: str, run: str) -> str:
    """Return the name that this run gives to a database beside ``live``: ``live_word_run``."""
    suffix = f"_{word}_{short(run)}"
    return live[: LONGEST_NAME - len(suffix)] + suffix


def mark(run: str, step: str) -> str:
    """Return what this run writes on a database that it made or moved."""
    return f"opslib: {step} of run {run}"


def filling(run: str) -> str:
    """Return what this run writes on a database that it has made and not yet filled and compared."""
    return f"opslib: being filled by run {run}"


def marks(run: str) -> frozenset[str]:
    """Return all that this run may have written on the database that it restored."""
    return frozenset({mark(run, "restore-into-new-database"), mark(run, "swap-databases")})


def same(target: WriteTarget, name: str) -> None:
    """Raise Refused unless the writing address leads to the server and database that were looked at."""
    if target.settings.database_url.path != name:
        raise Refused(
            f"DATABASE_URL leads to {target.settings.database_url.path}, but {name} was looked at.",
            "Correct the target description: both addresses must name one database.",
        )
    asked = question("backups/origin")
    with maintenance(target) as session:
        if session.ask(asked)[0]["system_identifier"] != target.database.ask(asked)[0]["system_identifier"]:
            raise Refused(
                f"DATABASE_URL leads to another server than {target.settings.read_database_url.public}.",
                "Correct the target description: both addresses must lead to one server.",
            )


@contextmanager
def maintenance(target: WriteTarget) -> Iterator[AdminDatabase]:
    """Hand out an administrating session beside the live database, with limits on waiting."""
    url = target.database_url.with_path(MAINTENANCE)
    with target.admin(url) as session:
        limit_waiting(session)
        yield session


def contents(
    target: VerifyTarget,
    database: str,
    progress: Progress,
    digests: Form = NEWEST,
    beside: Sequence[Callable[[], None]] = (),
) -> Contents:
    """Return counts and digests of everything in ``database``, read in one snapshot, beside other work."""
    url = target.database_url.with_path(database)
    return contents_of(url, f"opslib:{target.run}", progress, digests, beside)[0]


def differences(staged: Staged, found: Contents, live: Live) -> Rows:
    """Return one row for each difference between the backup and a restored database; none when equal.

    What a dump does not carry (owner, settings, rights of the database) must be the live database's.
    A backup without a manifest is compared by its tables and their rows only.
    """
    if staged.manifest is None:
        return tuple(_counts(staged.tables, found))
    expected = staged.manifest.contents.model_copy(
        update={"properties": live.properties, "settings": live.settings, "privileges": live.privileges}
    )
    return tuple(_without_values(compare(expected, found)))


def major(version: str) -> int:
    """Return the major number of a PostgreSQL version such as ``18.6``; 0 when it does not begin with one."""
    found = re.match(r"\d+", version)
    return int(found[0]) if found else 0


def told(rows: Rows) -> str:
    """Return the first differences in words."""
    few = "; ".join(
        f"{row['kind']} {row['name']}: {row['expected']} expected, {row['found']} found" for row in rows[:5]
    )
    return f"{few} and {len(rows) - 5} more" if len(rows) > 5 else few


def _counts(tables: Mapping[str, int], found: Contents) -> Iterator[Row]:
    for name in sorted({*tables, *found.tables}):
        expected: Any = tables.get(name, "absent")
        there = found.tables.get(name)
        if there is None or (there.kind not in ("foreign", "materialised") and (there.rows or 0) != expected):
            yield {"kind": "rows", "name": name, "expected": expected, "found": there.rows if there else "absent"}


def _without_values(rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        # A database's settings may be secrets.
        yield {**row, "expected": "its value", "found": "another"} if row["kind"] == "setting" else row
