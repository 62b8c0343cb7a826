"""What stands in a database dump, told from its bytes alone: pure, total, in bounded memory.

Exit codes, sizes and line counts accept truncated, empty and schema-only dumps (hazards GH-08, GH-11);
this reads every byte once and counts rows. The marks it looks for are those that pg_dump writes; a custom
format dump becomes such text through ``pg_restore --file=-``, which is a full read of the archive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from opslib.actions.backups_sql import SqlText

FAULTS = 10
"""So many faults are told; one is enough to refuse."""

_NAME = rb'(?:"(?:[^"]|"")++"|[A-Za-z_\x80-\xff][\w$\x80-\xff]*)'
_TABLE = rb"(" + _NAME + rb"(?:\." + _NAME + rb")?)"
_COLUMNS = rb'\s*(?:\((?:[^()"]|"(?:[^"]|"")*+")*+\))?\s*'
_COPY = re.compile(rb"COPY\s+" + _TABLE + _COLUMNS + rb"FROM\s+stdin\s*\Z", re.I)
_OVERRIDING = rb"(?:OVERRIDING\s+(?:SYSTEM|USER)\s+VALUE\s+)?"
_INSERT = re.compile(rb"INSERT\s+INTO\s+" + _TABLE + _COLUMNS + _OVERRIDING + rb"(DEFAULT\s+)?VALUES\b", re.I)
_CREATE_TABLE = re.compile(rb"CREATE\s+(?:UNLOGGED\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?" + _TABLE, re.I)
_CREATE_DATABASE = re.compile(rb"CREATE\s+DATABASE\s+(" + _NAME + rb")", re.I)
_CONNECT = re.compile(rb"\\c(?:onnect)?\s+(?:-reuse-previous=on\s+)?(" + _NAME + rb")")
_OUTSIDE = re.compile(
    rb"(?:ALTER\s+SYSTEM|(?:ALTER|CREATE|DROP)\s+(?:DATABASE|ROLE|GROUP|SUBSCRIPTION|TABLESPACE|USER(?!\s+MAPPING)))\b",
    re.I,
)
_WRITTEN = re.compile(
    rb"(?:SET|RESET|BEGIN|COMMIT|CREATE|ALTER|DROP|COMMENT|GRANT|REVOKE|SECURITY\s+LABEL"
    rb"|REFRESH\s+MATERIALIZED\s+VIEW|SELECT(?!.*(?:\(|\bFROM\b|\bINTO\b))"
    rb"|SELECT\s+(?:\*\s+FROM\s+)?pg_catalog\.(?:set_config|setval|lo_\w+|lowrite|pg_restore_\w+_stats)\s*"
    rb"\((?:[^()]|pg_catalog\.lo_create\([^()]*\))*\)"
    rb"(?:\s*FROM\s+pg_catalog\.pg_largeobject_metadata\s+WHERE\s+oid\s*=\s*'')?\s*\Z)(?![\w$])",
    re.I | re.S,
)
"""What pg_dump writes besides COPY and INSERT. Nothing else is run, DO blocks and calls least of all."""

_STRINGS_OFF = re.compile(
    rb"SET\s+(?:SESSION\s+|LOCAL\s+)?standard_conforming_strings\b(?!\s*(?:=|TO)\s*on\s*\Z)", re.I
)
_RESTRICT = re.compile(rb"\\(?:un)?restrict [A-Za-z0-9]{1,200}\s*\Z")
_ROLES = re.compile(
    rb"\b(?:OWNER\s+TO|FOR\s+ROLE|SESSION\s+AUTHORIZATION|AUTHORIZATION)\s+(" + _NAME + rb")\s*(?:\Z|\b)", re.I
)
_GRANTED = re.compile(
    rb"\b(?:TO|FROM)\s+(" + _NAME + rb"(?:\s*,\s*" + _NAME + rb")*)\s*(?:WITH\b|GRANTED\b|USING\b|CASCADE\b|\Z)", re.I
)
_EXTENSION = re.compile(rb"CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?(" + _NAME + rb")", re.I)
_NO_ROLES = frozenset({"public", "current_user", "session_user", "current_role", "default"})


@dataclass(frozen=True)
class Inspection:
    """What a dump holds. ``tables`` maps ``schema.table`` to its number of rows; partitions count for themselves.

    ``faults`` says, in the order found, why it must not be restored as it is; empty when nothing was found.
    ``restrictions`` are the places (offset, bytes) of psql's ``restrict`` commands, see :func:`restricted`.
    """

    tables: Mapping[str, int] = field(default_factory=dict)
    complete: bool = False
    database: str | None = None
    server_version: str | None = None
    dump_version: str | None = None
    schema_only: bool = False
    faults: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    restrictions: tuple[tuple[int, int], ...] = ()

    @property
    def rows(self) -> int:
        """Rows of all tables together."""
        return sum(self.tables.values())


def inspect(chunks: Iterable[bytes], table: str = "") -> Inspection:
    """Return what the plain-text dump in ``chunks`` holds; raises nothing of its own, whatever the bytes are.

    With ``table`` it must be the rows of that table alone, which another dump creates.
    """
    seen = _Seen(table)
    text = SqlText(seen)
    for chunk in chunks:
        text.feed(chunk)
    return seen.inspection(text.finish())


def restricted(chunks: Iterable[bytes], places: Iterable[tuple[int, int]], key: str) -> Iterator[bytes]:
    """Yield the dump under a restriction of our own instead of its own ones at ``places``.

    psql then runs no backslash command before it has seen ``key``, which nobody who wrote the dump knows:
    should it read the text otherwise than :func:`inspect` did, it stops.
    """
    yield f"\\restrict {key}\n".encode()
    left = sorted(places)
    at = 0
    for chunk in chunks:
        for start, length in left:
            first, last = max(start - at, 0), min(start + length - at, len(chunk))
            if first < last:
                chunk = chunk[:first] + b" " * (last - first) + chunk[last:]
        at += len(chunk)
        yield chunk
    yield f"\n\\unrestrict {key}\n".encode()


def form(head: bytes) -> str:
    """Return the format that a file's first bytes show: custom, gzip, plain, or why it is none of them."""
    if head.startswith(b"PGDMP"):
        return "custom"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    for magic, said in ((b"toc.dat\0", "tar format"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"PK\x03\x04", "zip")):
        if head.startswith(magic):
            return f"a {said} file"
    if not head.strip():
        return "an empty file"
    if b"\0" in head:
        return "binary data"
    return "plain"


def checksum(data: bytes, name: str) -> str:
    """Return the SHA-256 (hex) that a checksum file says of the file ``name``.

    Accepted are ``sha256sum``'s form (digest, file name; several lines) and 64 hex digits alone, which is
    what the product's backup script writes. Raises ValueError when it says nothing of ``name``.
    """
    lines = [line for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
    for line in lines:
        found = re.fullmatch(r"\s*([0-9a-fA-F]{64})(?:\s+\*?(\S.*?))?\s*", line)
        if not found:
            raise ValueError("holds a line that is not a SHA-256 checksum")
        if found[2] is None and len(lines) > 1:
            raise ValueError("holds several checksums without file names")
        if found[2] is None or found[2].rsplit("/", 1)[-1] == name.rsplit("/", 1)[-1]:
            return found[1].lower()
    raise ValueError(f"says nothing of {name.rsplit('/', 1)[-1]}" if lines else "is empty")


def source_database(listing: str) -> str | None:
    """Return the database that a custom format dump was taken of, from ``pg_restore --list``'s header."""
    found = re.search(r"^;\s+dbname: (.+?)\s*$", listing[:4096], re.MULTILINE)
    return found[1] if found else None


class _Seen:
    """Collects an :class:`Inspection` while the lexer reads."""

    def __init__(self, table: str) -> None:
        self.tables: dict[str, int] = {}
        self.created: set[str] = {table} if table else set()
        self.alone = table
        self.sections = 0
        self.table = ""
        self.began = self.ended = False
        self.database: str | None = None
        self.versions: dict[bytes, str] = {}
        self.faults: list[str] = []
        self.roles: set[str] = set()
        self.extensions: set[str] = set()
        self.restrictions: list[tuple[int, int]] = []

    def statement(self, text: bytes, cut: bool) -> bool:
        text = text.strip()
        if self.ended and text:
            self.fault("goes on after its end mark")
        if _OUTSIDE.match(text):
            self.fault(f"changes more than one database's content ({_shown(text[:24])} …)")
        if _STRINGS_OFF.match(text):
            self.fault("switches standard_conforming_strings off")
        word = text[:6].upper()
        if word.startswith(b"COPY"):
            return self._copy(text)
        if word == b"INSERT":
            self._insert(text, cut)
        else:
            self._definition(text)
        return False

    def comment(self, text: bytes) -> None:
        text = text.strip()
        if text == b"PostgreSQL database dump":
            self.began = True
        elif text == b"PostgreSQL database dump complete":
            self.ended = True
        elif text == b"PostgreSQL database cluster dump":
            self.fault("is a dump of a whole cluster, not of one database")
        elif found := re.fullmatch(rb"Dumped (from database version|by pg_dump version) (\d[\w.]{0,20}).*", text):
            self.versions.setdefault(found[1], found[2].decode("ascii", "replace"))

    def command(self, line: bytes, at: int) -> None:
        if _RESTRICT.match(line):
            self.restrictions.append((at, len(line)))
            return
        if found := _CONNECT.match(line):
            self.database = self.database or _name(found[1])
        self.fault(f"holds the psql command {_shown(line.split(None, 1)[0])}")

    def rows(self, count: int) -> None:
        self.tables[self.table] = self.tables.get(self.table, 0) + count

    def fault(self, text: str) -> None:
        if text not in self.faults and len(self.faults) < FAULTS:
            self.faults.append(text)

    def inspection(self, whole: bool) -> Inspection:
        if not self.began:
            self.fault("does not begin like a dump of pg_dump")
        complete = self.began and self.ended and whole
        if self.began and not complete:
            self.fault("is cut off: its end mark is missing")
        if self.alone and self.created != {self.alone}:
            self.fault("creates tables")
        undefined = sorted(set(self.tables) - self.created)
        # An extension makes its own tables, and a dump may carry rows of theirs (pg_cron, PostGIS).
        defined = self.created if self.extensions else set(self.tables)
        if undefined and not self.extensions:
            self.fault(f"has rows of tables that it does not create: {', '.join(undefined[:5])}")
        return Inspection(
            tables={name: self.tables.get(name, 0) for name in sorted(self.created | defined)},
            complete=complete,
            database=self.database,
            server_version=self.versions.get(b"from database version"),
            dump_version=self.versions.get(b"by pg_dump version"),
            schema_only=bool(self.created) and not self.sections,
            faults=tuple(self.faults),
            roles=tuple(sorted(self.roles - _NO_ROLES)),
            extensions=tuple(sorted(self.extensions)),
            restrictions=tuple(self.restrictions),
        )

    def _copy(self, text: bytes) -> bool:
        found = _COPY.match(text)
        if not found:
            self.fault("has a COPY that does not read its rows from the dump itself")
            return False
        self.table = _qualified(found[1])
        self.sections += 1
        self.rows(0)
        return True

    def _insert(self, text: bytes, cut: bool) -> None:
        found = _INSERT.match(text)
        if not found or cut:
            self.fault("has an INSERT whose rows cannot be counted")
            return
        self.table = _qualified(found[1])
        self.sections += 1
        self.rows(1 if found[2] else _groups(text, found.end()))

    def _definition(self, text: bytes) -> None:
        if text and not _WRITTEN.match(text):
            self.fault(f"holds a statement that pg_dump does not write ({_shown(text[:24])} …)")
        if found := _CREATE_TABLE.match(text):
            self.created.add(_qualified(found[1]))
        elif found := _CREATE_DATABASE.match(text):
            self.database = _name(found[1])
        elif found := _EXTENSION.match(text):
            self.extensions.add(_name(found[1]))
        word = text[:8].upper()
        if word.startswith((b"ALTER", b"SET", b"CREATE S")):
            self.roles.update(_name(found[1]) for found in _ROLES.finditer(text))
        if word.startswith((b"GRANT", b"REVOKE", b"CREATE P")) or b"DEFAULT PRIVILEGES" in text[:64].upper():
            for found in _GRANTED.finditer(text):
                self.roles.update(_name(part) for part in re.findall(_NAME, found[1]))


def _groups(text: bytes, start: int) -> int:
    depth = count = 0
    for found in re.compile(rb"[(),]|[^\s(),]+").finditer(text, start):
        depth += (found[0] == b"(") - (found[0] == b")")
        if not depth and found[0] not in (b")", b","):
            break
        count += depth == 1 and found[0] == b"("
    return count


def _name(written: bytes) -> str:
    text = written.decode("utf-8", "replace")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text.lower()


def _qualified(written: bytes) -> str:
    parts = [_name(part) for part in re.findall(_NAME, written)]
    return ".".join(parts if len(parts) > 1 else ["public", *parts])


def _shown(text: bytes) -> str:
    return "".join(c if c.isprintable() else "?" for c in text.decode("ascii", "replace"))[:40]
