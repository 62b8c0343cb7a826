"""Where each migration stands: the folder's files held against the database's history and its objects.

Pure: takes what was read and says, version by version, applied, pending, or what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from opslib.model import Row
from opslib.probes.database_migration_files import File, Folder
from opslib.probes.database_migration_text import Statement, plain
from opslib.probes.database_migration_things import Thing, makes, mentioned

APPLIED, PENDING, ABSENT = "applied", "pending", "missing here"
HALF, LATE, EDITED, TWICE = "half applied", "out of order", "edited since", "named twice"
WRONG = "wrong name"

_MARK = re.compile(r"-- opslib: ([0-9a-f]{64}) by run ([A-Za-z0-9-]{1,200})\n")


@dataclass(frozen=True)
class Version:
    """One version: its state, and in ``note`` what was seen. ``compared``: the recorded statements were the file's.

    ``looked`` says whether anything of a pending file could be looked for in the database.
    """

    version: str
    name: str
    state: str
    file: File | None
    note: str = ""
    compared: bool = False
    looked: bool = True


def mark(sha256: str, run: str) -> str:
    """Return the line that a run of ours puts before the first recorded statement; a comment for all others."""
    return f"-- opslib: {sha256} by run {run}\n"


def marked(row: Row) -> tuple[str, str] | None:
    """Return digest and run of a recorded version that a run of ours applied, or None."""
    first = (row["statements"] or [""])[0] or ""
    found = _MARK.match(first)
    return (found[1], found[2]) if found else None


def sought(folder: Folder, history: Sequence[Row]) -> tuple[Thing, ...]:
    """Return the objects that must be looked up before :func:`stand` can say anything of half-applied versions."""
    applied = {row["version"] for row in history}
    things = {
        thing for version, file in folder.migrations.items() for thing in _telling(folder, applied, version, file)
    }
    return tuple(sorted(things))


def stand(folder: Folder, history: Sequence[Row], there: Collection[Thing]) -> tuple[Version, ...]:
    """Return every version of the folder and of the history, in order; ``there`` are the things that exist."""
    rows = {row["version"]: row for row in history}
    newest = max(rows, default="")
    found = []
    for version in sorted({*folder.migrations, *rows}):
        file, row = folder.migrations.get(version), rows.get(version)
        if file is None:
            assert row is not None
            found.append(Version(version, row["name"] or "", ABSENT, None, "recorded, and no file of it is here"))
        elif version in folder.twice:
            found.append(Version(version, file.name, TWICE, file, "two files have this version"))
        elif row is not None:
            found.append(_applied(file, row, _telling(folder, rows, version, file), there))
        else:
            found.append(_pending(file, newest, _telling(folder, rows, version, file), there))
    return tuple(found)


def pending(versions: Iterable[Version]) -> tuple[File, ...]:
    """Return the files that are pending and nothing else, in order."""
    return tuple(one.file for one in versions if one.state == PENDING and one.file)


def _applied(file: File, row: Row, things: Sequence[Thing], there: Collection[Thing]) -> Version:
    missing = [str(thing) for thing in things if thing not in there]
    if missing:
        said = f"recorded, but {', '.join(missing[:3])} {'is' if len(missing) == 1 else 'are'} not there"
        return Version(file.version, file.name, HALF, file, said)
    same = _same(file, row)
    if same is False:
        return Version(file.version, file.name, EDITED, file, "the recorded statements are others", True)
    note = "" if same else "its statements are not recorded"
    return Version(file.version, file.name, APPLIED, file, note, same is not None)


def _pending(file: File, newest: str, things: Sequence[Thing], there: Collection[Thing]) -> Version:
    found = [str(thing) for thing in things if thing in there]
    if found:
        said = f"not recorded, but {', '.join(found[:3])} {'is' if len(found) == 1 else 'are'} there already"
        return Version(file.version, file.name, HALF, file, said)
    if file.version < newest:
        return Version(file.version, file.name, LATE, file, f"older than {newest}, which is applied")
    note = "" if things else "it makes nothing that could be looked for"
    return Version(file.version, file.name, PENDING, file, note, looked=bool(things))


def _same(file: File, row: Row) -> bool | None:
    if not row["statements"]:
        return None
    try:
        return plain(";\n".join(row["statements"])) == tuple(one.words for one in file.statements)
    except ValueError:
        return None


def _telling(folder: Folder, applied: Collection[str] | Mapping[str, Row], version: str, file: File) -> list[Thing]:
    """Return the things of a file whose being there tells whether it was applied.

    Not those that may be there anyway (IF NOT EXISTS), and not those that a later applied file, or for a pending
    one it or an earlier pending file, may take away or rename.
    """
    done = version in applied
    others = _later(folder, applied, version) if done else _earlier(folder, applied, version)
    return [
        thing
        for thing in dict.fromkeys(thing for one in file.statements for thing in makes(one))
        if (done or not thing.tolerant) and not mentioned(thing, others)
    ]


def _later(folder: Folder, applied: Collection[str], version: str) -> tuple[Statement, ...]:
    return tuple(_statements(folder, (one for one in folder.migrations if one in applied and one >= version)))


def _earlier(folder: Folder, applied: Collection[str], version: str) -> tuple[Statement, ...]:
    return tuple(_statements(folder, (one for one in folder.migrations if one not in applied and one <= version)))


def _statements(folder: Folder, versions: Iterable[str]) -> Iterator[Statement]:
    for version in versions:
        yield from folder.migrations[version].statements
