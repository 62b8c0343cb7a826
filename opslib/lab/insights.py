"""Logs Insights in the lab: the commands that the house's queries use, carried out over the events that moto has.

moto takes any query and answers it with raw events. This one reads the query as the documentation says, and refuses
what it does not know; it shares no line with what asks DuckDB, so that one engine can be held against the other. What
it is not: AWS. It proves that a query is of the grammar below and asks what its title says, over fields that JSON
lines have; not that AWS takes it, nor how fast or at what cost.

Source: CloudWatch Logs User Guide, "Logs Insights language query syntax" (fields, filter, stats, sort, display, limit;
bin, coalesce, ispresent, toMillis; JSON fields are found by themselves).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from opslib.lab.insights_grammar import WORDS, Command, Malformed, commands

Event = Mapping[str, Any]
Row = dict[str, Any]
Value = Callable[[Row], Any]
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def carried_out(query: str, events: Iterable[Event], limit: int) -> list[list[dict[str, str]]]:
    """Return the answer as GetQueryResults has it; events have ``timestamp`` (ms), ``message``, ``stream``."""
    rows = [_row(event) for event in events]
    shown, most = ["@timestamp", "@message"], limit
    for command in commands(query):
        verb = command.name().lower()
        if verb == "fields":
            shown = _fields(command, rows)
        elif verb == "filter":
            test = _either(command)
            rows = [row for row in rows if test(row)]
        elif verb == "stats":
            rows, shown = _stats(command, rows)
        elif verb == "display":
            shown = [command.name()]
            while command.takes(","):
                shown.append(command.name())
        elif verb == "sort":
            rows = _sorted(command, rows)
        elif verb == "limit":
            most = min(most, int(command.next()[1]))
        else:
            raise Malformed(f"{verb!r} is no command")
        if not command.over:
            raise Malformed(f"unexpected {command.next()[1]!r}")
    return [
        [{"field": name, "value": _text(row[name])} for name in shown if row.get(name) is not None]
        for row in rows[:most]
    ]


def _row(event: Event) -> Row:
    row: Row = {"@timestamp": event["timestamp"], "@message": event["message"], "@logStream": event["stream"]}
    try:
        said = json.loads(event["message"])
    except ValueError:
        return row
    if isinstance(said, dict):
        row.update({name: value for name, value in said.items() if value is not None})
    return row


def _fields(command: Command, rows: list[Row]) -> list[str]:
    names = []
    while True:
        began = command.at
        value = _value(command)
        name = command.name() if command.takes("as") else command.since(began)
        names.append(name)
        for row in rows:
            row[name] = value(row)
        if not command.takes(","):
            return names


def _value(command: Command) -> Value:
    kind, word = command.next()
    if kind == "text":
        return lambda row: word[1:-1]
    if kind == "number":
        number = float(word) if "." in word else int(word)
        return lambda row: number
    if kind != "name" or word.lower() in WORDS:
        raise Malformed(f"{word!r} is no value")
    if not command.takes("("):
        return lambda row: row.get(word)
    return _called(command, word)


def _called(command: Command, function: str) -> Value:
    if function == "bin":
        kind, span = command.next()
        command.must(")")
        if kind != "span" or span[-1] not in UNITS:
            raise Malformed(f"{span!r} is no length of time")
        length = int(span[:-1]) * UNITS[span[-1]] * 1000
        return lambda row: _moment(row["@timestamp"] // length * length)
    arguments = [_value(command)]
    while command.takes(","):
        arguments.append(_value(command))
    command.must(")")
    if function == "coalesce":
        return lambda row: next((found for one in arguments if (found := one(row)) is not None), None)
    if function == "ispresent" and len(arguments) == 1:
        return lambda row: arguments[0](row) is not None
    if function == "toMillis" and len(arguments) == 1:
        return lambda row: arguments[0](row)
    raise Malformed(f"there is no function {function} of {len(arguments)}")


def _either(command: Command) -> Value:
    tests = [_both(command)]
    while command.takes("or"):
        tests.append(_both(command))
    return lambda row: any(test(row) for test in tests)


def _both(command: Command) -> Value:
    tests = [_test(command)]
    while command.takes("and"):
        tests.append(_test(command))
    return lambda row: all(test(row) for test in tests)


def _test(command: Command) -> Value:
    if command.takes("not"):
        test = _test(command)
        return lambda row: not test(row)
    if command.takes("("):
        test = _either(command)
        command.must(")")
        return test
    left = _value(command)
    if command.takes("in"):
        return _within(command, left)
    if command.sees("=", "!=", "<", "<=", ">", ">="):
        return _compared(left, command.next()[1], _value(command))
    return left


def _within(command: Command, left: Value) -> Value:
    command.must("[")
    words = [_value(command)({})]
    while command.takes(","):
        words.append(_value(command)({}))
    command.must("]")
    return lambda row: left(row) in words


def _compared(left: Value, sign: str, right: Value) -> Value:
    def test(row: Row) -> bool:
        one, other = left(row), right(row)
        if one is None or other is None:
            return False
        if isinstance(one, str) or isinstance(other, str):
            one, other = str(one), str(other)
        return bool(
            {
                "=": one == other,
                "!=": one != other,
                "<": one < other,
                "<=": one <= other,
                ">": one > other,
                ">=": one >= other,
            }[sign]
        )

    return test


def _stats(command: Command, rows: list[Row]) -> tuple[list[Row], list[str]]:
    figures: dict[str, Callable[[list[Row]], Any]] = {}
    while True:
        began = command.at
        figure = _figure(command)
        name = command.name() if command.takes("as") else command.since(began)
        figures[name] = figure
        if not command.takes(","):
            break
    keys: dict[str, Value] = {}
    if command.takes("by"):
        while True:
            began = command.at
            value = _value(command)
            keys[command.since(began)] = value
            if not command.takes(","):
                break
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(value(row) for value in keys.values()), []).append(row)
    made = [
        {**dict(zip(keys, group, strict=True)), **{name: figure(of) for name, figure in figures.items()}}
        for group, of in groups.items()
    ]
    return made, [*keys, *figures]


def _figure(command: Command) -> Callable[[list[Row]], Any]:
    function = command.name()
    command.must("(")
    if function == "count" and command.takes("*"):
        command.must(")")
        return len
    value = _value(command)
    command.must(")")
    if function not in ("min", "max"):
        raise Malformed(f"there is no figure {function}")
    pick = min if function == "min" else max
    return lambda rows: pick((found for row in rows if (found := value(row)) is not None), default=None)


def _sorted(command: Command, rows: list[Row]) -> list[Row]:
    name = command.name()
    down = command.takes("desc")
    if not down:
        command.takes("asc")
    there = [row for row in rows if row.get(name) is not None]
    return sorted(there, key=lambda row: row[name], reverse=down) + [row for row in rows if row.get(name) is None]


def _moment(value: int) -> str:
    return f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M:%S}.{value % 1000:03d}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)
