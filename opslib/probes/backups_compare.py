"""What of a database's contents differs from a manifest's: pure rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from opslib.model import Row, Rows
from opslib.probes.backups_manifest import Contents, LargeObjects, Sequence, Table


def compare(manifest: Contents, other: Contents) -> Rows:
    """Return one row ``{kind, name, expected, found}`` for each difference; no rows when ``other`` is equal."""
    return tuple(_differences(manifest, other))


def _differences(left: Contents, right: Contents) -> Iterator[Row]:
    yield from _compare("form of digests", {"": left.digests}, {"": right.digests})
    yield from _compare("property", left.properties.model_dump(), right.properties.model_dump())
    yield from _compare("setting", _settings(left), _settings(right))
    yield from _compare("privilege", _privileges(left), _privileges(right))
    yield from _compare("extension", left.extensions, right.extensions)
    yield from _tables(left.tables, right.tables)
    yield from _sequences(left.sequences, right.sequences)
    for kind in sorted({*left.objects, *right.objects}):
        yield from _compare(kind, left.objects.get(kind, {}), right.objects.get(kind, {}))
    yield from _large_objects(left.large_objects, right.large_objects)


def _compare(kind: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Row]:
    for name in sorted({*left, *right}):
        expected, found = left.get(name, "absent"), right.get(name, "absent")
        if expected != found:
            yield _row(kind, name, expected, found)


def _tables(left: Mapping[str, Table], right: Mapping[str, Table]) -> Iterator[Row]:
    for name in sorted({*left, *right}):
        expected, found = left.get(name), right.get(name)
        if expected is None or found is None:
            yield _row("table", name, expected.kind if expected else "absent", found.kind if found else "absent")
        elif (expected.kind, expected.populated) != (found.kind, found.populated):
            yield _row("table", name, _kind(expected), _kind(found))
        elif expected.rows != found.rows:
            yield _row("rows", name, expected.rows, found.rows)
        elif (expected.sum, expected.xor) != (found.sum, found.xor):
            yield _row("content", name, f"{expected.sum}/{expected.xor}", f"{found.sum}/{found.xor}")


def _sequences(left: Mapping[str, Sequence], right: Mapping[str, Sequence]) -> Iterator[Row]:
    """Sequences stand outside transactions: a dump may have them further on than the snapshot, never back."""
    for name in sorted({*left, *right}):
        expected, found = left.get(name), right.get(name)
        if expected is None or found is None or expected.increment != found.increment:
            yield _row("sequence", name, expected or "absent", found or "absent")
        elif expected.last is not None:
            ahead = 0 if found.last is None else (found.last - expected.last) * (1 if found.increment > 0 else -1)
            if found.last is None or ahead < 0:
                yield _row("sequence", name, expected.last, found.last)


def _large_objects(left: LargeObjects, right: LargeObjects) -> Iterator[Row]:
    if left.count != right.count:
        yield _row("large objects", "count", left.count, right.count)
    elif None not in (left.sum, right.sum) and (left.sum, left.xor) != (right.sum, right.xor):
        yield _row("large objects", "content", f"{left.sum}/{left.xor}", f"{right.sum}/{right.xor}")


def _settings(contents: Contents) -> dict[str, str]:
    return {f"{item.name} {item.role}".strip(): item.masked().value for item in contents.settings}


def _privileges(contents: Contents) -> dict[str, bool]:
    return {f"{item.privilege} {item.role or 'public'}": item.grantable for item in contents.privileges}


def _kind(table: Table) -> str:
    return table.kind if table.populated else f"{table.kind}, not populated"


def _row(kind: str, name: str, expected: Any, found: Any) -> Row:
    return {"kind": kind, "name": name, "expected": _plain(expected), "found": _plain(found)}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)
