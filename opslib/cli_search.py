"""``ops archive search``, ``history`` and ``diff``: find runs, follow one check, hold two runs beside one another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from opslib import places
from opslib.console import answering, print_json, print_rows, say, tell
from opslib.errors import UsageError
from opslib.model import Verdict

MOST = 1000
here_option = click.option("--here", is_flag=True, help="Only this archive, by its own index, though a team has one.")


@click.command("search")
@click.argument("words", nargs=-1)
@click.option("--notebook", default="", metavar="NAME", help="As ops list prints it: diagnostics/database.")
@click.option("--environment", default="", metavar="NAME", help="lab, staging or production.")
@click.option("--verdict", type=click.Choice([str(word) for word in Verdict], case_sensitive=False), help="Of the run.")
@click.option("--name", default="", metavar="NAME", help="A step's or a check's name: database-disk.")
@click.option("--since", default="", metavar="TIME", help="Began then or later: 2026-11-28, or an ISO time (UTC).")
@click.option("--until", default="", metavar="TIME", help="Began before the end of that day, or before that time.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, MOST), help="At most so many runs.")
@here_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def search(words: tuple[str, ...], as_json: bool, limit: int, here: bool, **asked: Any) -> None:
    """Find runs, newest first, in which all WORDS stand: in parameters, checks, steps, notes, or its end.

    Case does not matter; datab* finds all words that begin so. The exit code is 0, also when nothing is found. Where
    OPS_INDEX_URL names a team's index, runs of all its archives are found.
    """
    from opslib.archive.search_wanted import Wanted
    from opslib.archive.team_index import searching
    from opslib.canonical import to_json

    said = {name: value or "" for name, value in asked.items()}
    said |= {"since": _moment("--since", said["since"], 0), "until": _moment("--until", said["until"], 1)}
    with searching(places.archive_folder(), here=here) as index:
        found = index.search(Wanted(words=_words(words), **said), limit)
        _tell(index.notes)
    if as_json:
        print_json({"runs": [to_json(one) for one in found]})
        return
    shown = ("run", "environment", "mode", "state", "verdict")
    for one in found:
        say(" ".join(getattr(one, name) or "-" for name in shown))
        if one.place:
            say(f"    in {one.place}, archive {one.archive[:12]}")
        for line in one.lines[:5]:
            say(f"    {line.kind} {line.name} {line.verdict}".rstrip() + f": {line.text[:160]}")
    tell(f"{len(found)} runs{', the newest; there may be more' if len(found) == limit else ''}")


@click.command("history")
@click.argument("check", required=False)
@click.option("--environment", default="lab", show_default=True, metavar="NAME", help="lab, staging or production.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, MOST), help="At most so many runs.")
@here_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def history(check: str | None, environment: str, limit: int, here: bool, as_json: bool) -> None:
    """Print what CHECK said in its newest runs, oldest first; without CHECK the names of all that were made.

    Where OPS_INDEX_URL names a team's index, runs of all its archives count.
    """
    from opslib.archive.team_index import searching
    from opslib.canonical import to_json

    with searching(places.archive_folder(), here=here) as index:
        names = index.checks(environment) if check is None else []
        seen = index.history(check, environment, limit) if check is not None else []
        _tell(index.notes)
    if check is None:
        print_json({"checks": names}) if as_json else print_rows({"check": name} for name in names)
    elif as_json:
        print_json({"results": [to_json(one) for one in seen]})
    else:
        shown = ("run", "verdict", "value", "unit", "place")
        held = [name for name in shown if name != "place" or any(one.place for one in seen)]
        print_rows({name: _shown(getattr(one, name)) for name in held} for one in seen)


@click.command("diff")
@click.argument("old")
@click.argument("new")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def diff(old: str, new: str, as_json: bool) -> None:
    """Print what differs between the runs OLD and NEW: question, checks and steps, value by value.

    A run is named by its id, its beginning or its last part. The exit code is 0 in either case.
    """
    from opslib.archive import record
    from opslib.archive.differences import differences
    from opslib.archive.store import Archive
    from opslib.canonical import to_json

    store = Archive(places.archive_folder())
    runs = [store.find(given).run for given in (old, new)]
    told = differences(*(record.load(store.folder / "runs" / run) for run in runs))
    if as_json:
        print_json({"old": runs[0], "new": runs[1], "differences": [to_json(one) for one in told]})
        return
    print_rows(
        {"what": f"{one.kind} {one.name} {one.what}".rstrip(), "old": _cut(one.old), "new": _cut(one.new)}
        for one in told
    )
    tell(f"{len(told)} differences from {runs[0]} to {runs[1]}" if told else "No difference but in times.")


def _tell(notes: Sequence[str]) -> None:
    for note in notes:
        tell(note)


def _shown(value: object) -> str:
    return "-" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= 70 else f"{text[:69]}…"


def _words(words: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(part for word in words for part in word.split())
    for word in found:
        if not any(character.isalnum() for character in word):
            raise UsageError(f"{word!r} holds no letter and no digit.", "Give words, as they stand in a report.")
    return found


def _moment(option: str, given: str, days: int) -> str:
    """Return an ISO time in UTC; of a day its beginning, or with ``days`` the beginning of the next."""
    if not given:
        return ""
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise UsageError(f"{option} {given!r} is no time.", "Give a day, 2026-11-28, or an ISO time.") from None
    if len(given) == len("2026-11-28"):
        moment += timedelta(days=days)
    if moment.tzinfo is not None:
        offset = moment.utcoffset() or timedelta()
        moment = moment.replace(tzinfo=None) - offset
    return moment.isoformat()


COMMANDS: tuple[click.Command, ...] = (search, history, diff)
