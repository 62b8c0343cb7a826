"""How long the commands of Redis or Valkey take: the log of slow ones, and the percentiles of each command.

One thread carries out all commands, so a slow one makes everybody wait. Arguments may hold people's data
and are never shown: a command's name and the family of its key are enough to find who sends it.
"""

from __future__ import annotations

import time
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.probes.cache_keys import family
from opslib.systems.cache import ReadOnlyCache
from opslib.systems.target import ReadTarget


def slow_commands(minutes: float = 60.0) -> Probe:
    """The server's log of slow commands of the last ``minutes``, by command and key family; arguments stay there.

    Raises Unreachable when nothing is logged because the log is switched off, or may be.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        cache = target.cache
        entries = cache.ask("SLOWLOG", "GET", 128)
        if not entries:
            _demand_slow_log(cache)
        oldest = int(cache.ask("TIME")[0]) - minutes * 60
        recent = [entry for entry in entries if int(entry[1]) >= oldest]
        positions = _key_positions(cache, {_words(entry[3]) for entry in recent})
        prefixes = (target.settings.cache_prefix, *target.settings.protected_prefixes)
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for _, at, microseconds, arguments, *_rest in recent:
            command, position = positions[_words(arguments)]
            kin = family(str(arguments[position]), prefixes) if 0 < position < len(arguments) else "(no single key)"
            row = rows.setdefault(
                (command, kin),
                {"command": command, "family": kin, "times": 0, "worst": 0.0, "total": 0.0, "newest": 0},
            )
            row["times"] += 1
            row["worst"] = max(row["worst"], int(microseconds) / 1000)
            row["total"] = round(row["total"] + int(microseconds) / 1000, 3)
            row["newest"] = max(row["newest"], int(at))
        for row in rows.values():
            row["newest"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(row["newest"]))
        return sorted(rows.values(), key=lambda row: -row["worst"])

    return Probe(
        name="cache-slow-commands",
        title=f"Slow commands of the last {minutes:g} minutes",
        read=read,
        source="SLOWLOG GET 128 · COMMAND INFO <names> (arguments are not shown)",
        units={"worst": "ms", "total": "ms"},
    )


def _demand_slow_log(cache: ReadOnlyCache) -> None:
    slower, length = cache.setting("slowlog-log-slower-than"), cache.setting("slowlog-max-len")
    if slower is None or int(slower) < 0 or length == "0":
        raise Unreachable(
            f"The slow log is switched off (slowlog-log-slower-than {slower}, slowlog-max-len {length}).",
            "CONFIG SET slowlog-log-slower-than 10000 records what takes over 10 ms.",
        )


def _words(arguments: list[Any]) -> tuple[str, str]:
    return str(arguments[0]).lower(), str(arguments[1]).lower() if len(arguments) > 1 else ""


def _key_positions(cache: ReadOnlyCache, names: set[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, int]]:
    """Return each command's shown name, and where its key stands among its arguments (0: it has no single one)."""
    ordered = sorted(names)
    plain = cache.ask("COMMAND", "INFO", *(first for first, _ in ordered)) if ordered else []
    inner = cache.ask("COMMAND", "INFO", *(f"{first}|{second}" for first, second in ordered)) if ordered else []
    found = {}
    for pair, alone, within in zip(ordered, plain, inner, strict=True):
        known = within or alone
        found[pair] = (known[0].upper().replace("|", " "), int(known[3])) if known else ("(unknown command)", 0)
    return found


def _command_times(target: ReadTarget) -> list[dict[str, Any]]:
    info = target.cache.info("commandstats", "latencystats")
    latency = {name.removeprefix(PERCENTILES): _figures(text) for name, text in info.items() if PERCENTILES in name}
    if not latency:
        raise Unreachable(
            "The server keeps no percentiles of its commands.",
            "Set latency-tracking yes; versions before Redis 7 have none.",
        )
    calls = {name.removeprefix("cmdstat_"): _figures(text) for name, text in info.items() if "cmdstat_" in name}
    whole = sum(figure["usec"] for figure in calls.values()) or 1.0
    rows = [
        {
            "command": name.upper().replace("|", " "),
            "calls": int(calls[name]["calls"]),
            "p50": figure.get("p50", 0) / 1000,
            "p99": figure.get("p99", 0) / 1000,
            "p999": figure.get("p99.9", 0) / 1000,
            "share": round(100 * calls[name]["usec"] / whole, 1),
            "failed": int(calls[name].get("failed_calls", 0) + calls[name].get("rejected_calls", 0)),
        }
        for name, figure in latency.items()
        if name in calls
    ]
    return sorted(rows, key=lambda row: -row["p99"])


PERCENTILES = "latency_percentiles_usec_"


def _figures(text: str) -> dict[str, float]:
    return {name: float(value) for name, _, value in (part.partition("=") for part in text.split(","))}


command_times = Probe(
    name="cache-command-times",
    title="Time in the server by command, since its start",
    read=_command_times,
    source="INFO latencystats · INFO commandstats",
    units={"p50": "ms", "p99": "ms", "p999": "ms", "share": "%"},
)
"""Percentiles of each command's time in the server (without network), since start or CONFIG RESETSTAT.

Raises Unreachable where the server keeps none.
"""
