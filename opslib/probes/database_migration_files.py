"""The product's folder of migrations and rollbacks, read as it is on the disk; nothing of it is executed here.

The names are those of the platform's command line: ``migrations/<14 digits>_name.sql``, and the pairs of it,
``rollbacks/<14 digits>_name.sql``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from opslib import files
from opslib.errors import Unreachable
from opslib.probes.database_migration_text import Statement, destroys, refused, split
from opslib.settings import ReadSettings

LARGEST = 5_000_000
"""Bytes of one file at most; more is data, which belongs into no migration."""

_NAME = re.compile(r"(?P<version>[0-9]{14})_(?P<name>[A-Za-z0-9_-]{1,100})\.sql", re.ASCII)
_PLACEHOLDER = re.compile(r"\b(TODO|FIXME|TEMPLATE|REPLACE_ME|YYYYMMDD\w*)\b")


@dataclass(frozen=True)
class File:
    """One file: its text, and what it says. ``fault`` is why it cannot be executed here, or None."""

    version: str
    name: str
    text: str = field(repr=False)
    sha256: str
    statements: tuple[Statement, ...] = field(repr=False)
    fault: str | None = None

    @property
    def destroys(self) -> str | None:
        """What it may destroy, with the line; None when it only adds."""
        found = ((statement, destroys(statement)) for statement in self.statements)
        return next((f"line {statement.line}: {why}" for statement, why in found if why), None)


@dataclass(frozen=True)
class Folder:
    """The files by version, in order; ``wrong`` are names that the platform skips in silence, ``twice`` versions."""

    migrations: Mapping[str, File]
    rollbacks: Mapping[str, File]
    wrong: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()

    def why_no_rollback(self, version: str) -> str | None:
        """Return why a version cannot be rolled back by a file, or None when there is one that says something."""
        found = self.rollbacks.get(version)
        if found is None:
            return f"there is no file rollbacks/{version}_….sql"
        if not found.statements:
            return f"rollbacks/{version}_{found.name}.sql is empty"
        if _PLACEHOLDER.search(found.text):
            return f"rollbacks/{version}_{found.name}.sql is a template"
        return f"rollbacks/{version}_{found.name}.sql: {found.fault}" if found.fault else None


def read(settings: ReadSettings) -> Folder:
    """Return what is in the folder; raises Unreachable where there is none, or it cannot be read whole."""
    if settings.migrations is None:
        raise Unreachable(
            "Where the migrations are is not described.",
            "Set OPS_MIGRATIONS to the folder that holds migrations/ and rollbacks/ (the product's supabase/).",
            "missing",
        )
    folder = Path(settings.migrations)
    if not (folder / "migrations").is_dir():
        raise Unreachable(
            f"There is no folder {folder}/migrations.", "Correct OPS_MIGRATIONS, or check the product out.", "missing"
        )
    migrations, wrong, twice = _files(folder / "migrations")
    rollbacks, odd, double = _files(folder / "rollbacks")
    wrong = tuple(f"migrations/{name}" for name in wrong) + tuple(f"rollbacks/{name}" for name in odd)
    return Folder(migrations, rollbacks, wrong, twice + double)


def parse(version: str, name: str, text: str) -> File:
    """Return a file's content with what it says; one that cannot be split has a fault and no statements."""
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    try:
        statements = split(text)
    except ValueError as error:
        return File(version, name, text, sha256, (), str(error))
    faults = (f"line {one.line}: {why}" for one in statements if (why := refused(one)))
    return File(version, name, text, sha256, statements, next(faults, None))


def _files(folder: Path) -> tuple[dict[str, File], tuple[str, ...], tuple[str, ...]]:
    found: dict[str, File] = {}
    wrong, twice = [], []
    for path in sorted(folder.glob("*.sql")) if folder.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match is None:
            wrong.append(path.name)
        elif match["version"] in found:
            twice.append(match["version"])
        else:
            found[match["version"]] = parse(match["version"], match["name"], _text(path))
    return found, tuple(wrong), tuple(dict.fromkeys(twice))


def _text(path: Path) -> str:
    try:
        return files.read_plain(path, LARGEST).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)
        raise Unreachable(f"{path} cannot be read: {why}.", "Look at the file.", "forbidden") from error
