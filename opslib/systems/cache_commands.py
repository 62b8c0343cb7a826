"""What may be asked of Redis or Valkey through a reading handle: an explicit list, and nothing else.

Chosen by three rules. It changes nothing on the server. It cannot stall the server's one thread for
long (no KEYS, no blocking command, no SCAN of everything at once). It does not bring stored content
home: sizes, times, counts and key names only. The few commands that could, may be asked in one harmless
shape. Sources: valkey.io/commands and redis.io/commands (flags, categories, complexity).
"""

from __future__ import annotations

import re
from collections.abc import Callable

Argument = str | bytes | int | float

# fmt: off
ALONE = frozenset({
    "PING", "INFO", "DBSIZE", "ROLE", "TIME", "LASTSAVE", "SCAN", "RANDOMKEY", "TYPE", "TTL", "PTTL", "EXISTS",
    "STRLEN", "LLEN", "ZCARD", "SCARD", "HLEN", "XLEN", "XPENDING", "ZCOUNT", "LINDEX", "ZRANGE", "HGET",
})
# fmt: on
"""Commands without sub-commands."""

CONTAINERS: dict[str, frozenset[str]] = {
    "ACL": frozenset({"WHOAMI"}),
    "CLIENT": frozenset({"LIST", "INFO", "ID", "SETNAME"}),
    "COMMAND": frozenset({"LIST", "INFO", "COUNT"}),
    "COMMANDLOG": frozenset({"GET", "LEN"}),
    "CONFIG": frozenset({"GET"}),
    "LATENCY": frozenset({"LATEST", "HISTORY"}),
    "MEMORY": frozenset({"USAGE", "STATS", "DOCTOR"}),
    "OBJECT": frozenset({"ENCODING", "FREQ", "IDLETIME", "REFCOUNT"}),
    "SLOWLOG": frozenset({"GET", "LEN"}),
    "XINFO": frozenset({"GROUPS", "CONSUMERS"}),
}
"""Commands with sub-commands, and which of these may be asked. XINFO STREAM would show entries."""

LARGEST_SCAN = 10_000
"""A SCAN with a greater COUNT is KEYS by another name."""

TIMES = frozenset({"timestamp", "processedOn", "finishedOn", "delay"})
"""The fields of a queue's job that may be read: times in milliseconds, never what the job carries."""


def why_refused(command: tuple[Argument, ...]) -> str | None:
    """Return why a reading handle does not send ``command``, or None when it may be sent."""
    words = [_word(part) for part in command]
    name = words[0].upper() if words and isinstance(command[0], str) else ""
    shape = words[1:]
    if name in CONTAINERS:
        sub = shape[0].upper() if shape else ""
        if sub not in CONTAINERS[name]:
            return f"{name} {sub}".strip() + " is not on the list of commands that only read"
        name, shape = f"{name} {sub}", shape[1:]
    elif name not in ALONE:
        return f"{name or 'an unnamed command'} is not on the list of commands that only read"
    rule = SHAPES.get(name)
    return f"{name} is asked in a shape that is not on the list: {rule[1]}" if rule and not rule[0](shape) else None


def reader_rules() -> tuple[str, ...]:
    """Return the ACL rules of a server's user that may do what the handle may, and no more.

    For ``ACL SETUSER ops_reader on >… ~* resetchannels`` followed by these. A server that lacks one of
    the commands (COMMANDLOG is Valkey's only) refuses that rule by name.
    """
    alone = [f"+{name.lower()}" for name in sorted(ALONE)]
    inside = [f"+{name.lower()}|{sub.lower()}" for name, subs in sorted(CONTAINERS.items()) for sub in sorted(subs)]
    return ("-@all", "+hello", "+auth", "+select", *alone, *inside)


def _word(part: Argument) -> str:
    return part.decode("utf-8", "backslashreplace") if isinstance(part, bytes) else str(part)


def _named_settings(shape: list[str]) -> bool:
    # A pattern would bring requirepass and primaryauth home with the rest.
    return bool(shape) and all(re.fullmatch(r"[a-z-]+", name) and not re.search("pass|auth", name) for name in shape)


def _modest_scan(shape: list[str]) -> bool:
    options = [word.upper() for word in shape]
    counts = [shape[i + 1] for i, word in enumerate(options[:-1]) if word == "COUNT" and i % 2 == 1]
    return bool(shape) and all(count.isdecimal() and int(count) <= LARGEST_SCAN for count in counts)


SHAPES: dict[str, tuple[Callable[[list[str]], bool], str]] = {
    "CONFIG GET": (_named_settings, "settings by their whole name, none that holds a password"),
    "SCAN": (_modest_scan, f"COUNT of at most {LARGEST_SCAN}"),
    "MEMORY USAGE": (lambda shape: len(shape) == 1, "one key, with the server's own number of samples"),
    "LINDEX": (lambda shape: len(shape) == 2 and shape[1] in ("-1", "-2"), "the last or second last entry only"),
    "ZRANGE": (lambda shape: [s.upper() for s in shape[1:]] == ["0", "0", "WITHSCORES"], "first entry with score only"),
    "HGET": (lambda shape: len(shape) == 2 and shape[1] in TIMES, "a job's times only"),
    "CLIENT SETNAME": (lambda shape: len(shape) == 1, "one name"),
}
"""Commands that may be asked in one shape only: the test of what follows the name, and the shape in words."""
