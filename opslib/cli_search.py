"""``ops archive search`` and ``ops archive diff``: find runs by what stands in them, hold two beside one another."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import click

from opslib import places
from opslib.console import answering, print_json, print_rows, say, tell
from opslib.errors import UsageError
from opslib.model import Verdict

MOST = 1000


@click.command("search")
@click.argument("words", nargs=-1)
@click.option("--notebook", default="", metavar="NAME", help="As ops list prints it: diagnostics/database.")
@click.option("--environment", default="", metavar="NAME", help="lab, staging or production.")
@click.option("--verdict", type=click.Choice([str(word) for word in Verdict], case_sensitive=False), help="Of the run.")
@click.option("--name", default="", metavar="NAME", help="A step's or a check's name: database-disk.")
@click.option("--since", default="", metavar="TIME", help="Began then or later: 2026-11-28, or an ISO time (UTC).")
@click.option("--until", default="", metavar="TIME", help="Began before the end of that day, or before that time.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, MOST), help="At most so many runs.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def search(words: tuple[str, ...], as_json: bool, limit: int, **asked: Any) -> None:
    """Find runs, newest first, in which all WORDS stand: in parameters, checks, steps, notes, or its end.

    Case does not matter; datab* finds all words that begin so. The exit code is 0, also when nothing is found.
    """
    from opslib.archive.search_index import opened
    from opslib.archive.search_wanted import Wanted
    from opslib.canonical import to_json

    said = {name: value or "" for name, value in asked.items()}
    said |= {"since": _moment("--since", said["since"], 0), "until": _moment("--until", said["until"], 1)}
    with opened(places.archive_folder()) as index:
        found = index.search(Wanted(words=_words(words), **said), limit)
    if as_json:
        print_json({"runs": [to_json(one) for one in found]})
        return
    shown = ("run", "environment", "mode", "state", "verdict")
    for one in found:
        say(" ".join(getattr(one, name) or "-" for name in shown))
        for line in one.lines[:5]:
            say(f"    {line.kind} {line.name} {line.verdict}".rstrip() + f": {line.text[:160]}")
    tell(f"{len(found)} runs{', the newest; there may be more' if len(found) == limit else ''}")


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


COMMANDS: tuple[click.Command, ...] = (search, diff)
