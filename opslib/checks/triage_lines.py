"""The lines of a routine, each held against its evidence: what checks found, and what a person signed. Pure.

A line's verdict is the worst of its checks'. Where a person's word is wanted and nobody gave one, or it is too old or
of another commit, the line is UNKNOWN; a word that does not verify is CRITICAL. Nothing is ticked without either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opslib.guide.routines import Line, Routine, line, lines_of
from opslib.guide.routines import routine as routine_of
from opslib.model import Check, Judgement, Probe, Reading, Result, Row, Rows, Verdict
from opslib.pictures.figures import duration

ORDER, OK = list(Verdict), Verdict.OK
LONG, MANY = 150, 3
_SHA = re.compile(r"[0-9a-f]{40}", re.ASCII)
GO = "production-readiness"


@dataclass(frozen=True)
class Lines:
    """The lines of one routine with their evidence: results of a survey by check, and the reading of sign-offs.

    ``commit`` is what words of a commit have to be of; empty where nobody knows it.
    """

    routine: Routine
    results: Mapping[str, Result]
    words: Reading
    commit: str = ""

    def rows(self, of: Line) -> Rows:
        """Return a line's evidence: a row per check, and one for the word where one is wanted."""
        made = [_check(name, self.results.get(name)) for name in of.checks]
        return (*made, *([_word(of, self.words, self.commit)] if of.word != "none" else []))

    def line(self, item: str) -> Check:
        """Return the check of one line; raises UsageError for an item that is on no list."""
        own = line(item)
        return Check(
            name=f"line-{item.lower()}",
            title=own.says,
            probe=Probe(f"evidence-{item.lower()}", f"What shows: {own.says}", lambda target: self._taken(own), SOURCE),
            judge=lambda reading: _judged(own, reading.rows),
            remedy=_next(own, self.rows(own)) or f"See {own.shows}.",
            items=(item,),
        )

    @property
    def all(self) -> Check:
        """The check of the list as a whole: a row per line, worst first."""
        return Check(
            name=f"routine-{self.routine}",
            title="Go or no go" if self.routine == GO else f"The guide's list: {self.routine.replace('-', ' ')}",
            probe=Probe(
                f"lines-{self.routine}",
                "The lines of the list",
                lambda target: [dict(row) for row in self.table()],
                SOURCE,
            ),
            judge=lambda reading: _whole(self, reading.rows),
            remedy="Work off the column next, from the top; then run it again.",
        )

    def table(self) -> Rows:
        """Return a row per line, worst first: verdict, item, line, shown_by (checks, who signed), next, shows."""
        rows = [_row(one, self.rows(one)) for one in lines_of(self.routine)]
        return tuple(sorted(rows, key=lambda row: -ORDER.index(Verdict(row["verdict"]))))

    def _tabled(self, target: object) -> list[dict[str, Any]]:
        return [dict(row) for row in self.table()]

    def _taken(self, own: Line) -> list[dict[str, Any]]:
        return [dict(row) for row in self.rows(own)]


SOURCE = "the checks above by name (guide/routines.tsv), and the sign-offs of this archive"


def lines(routine: str, results: Mapping[str, Result], words: Reading, commit: str = "") -> Lines:
    """Return the lines of a routine; ``commit`` may be short or ``newest``: its 40 digits are then read from results.

    Raises UsageError for a name that is no routine.
    """
    return Lines(routine_of(routine), results, words, commit if _SHA.fullmatch(commit) else _found(results))


def commit_of(deployed: Reading) -> str:
    """Return the commit that the front end was deployed from, by ``probes.triage.deployed``; empty where unknown."""
    found = [str(row["commit"]) for row in deployed.rows if row["commit"]]
    return found[0] if found and _SHA.fullmatch(found[0]) else ""


def _found(results: Mapping[str, Result]) -> str:
    for name in ("delivery-commit-tested", "delivery-commit-reviewed"):
        rows = results[name].reading.rows if name in results else ()
        if rows and _SHA.fullmatch(str(rows[0].get("of"))):
            return str(rows[0]["of"])
    return ""


def _check(name: str, result: Result | None) -> dict[str, Any]:
    if result is None:
        said = {"verdict": "UNKNOWN", "says": "nobody made this check", "at": "", "looked": False, "next": ""}
        return {"what": "check", "name": name, **said}
    return {
        "what": "check",
        "name": name,
        "verdict": result.verdict.value,
        "says": result.summary,
        "at": result.reading.taken_at.isoformat(timespec="seconds"),
        "looked": result.reading.unknown is None,
        "next": result.remedy,
    }


def _word(of: Line, words: Reading, commit: str) -> dict[str, Any]:
    """Return how a line's word stands: who gave the newest one that counts, or why none does."""
    one = f" --of {commit or 'COMMIT'}" if of.of_commit else ""
    typed = f"ops sign-off {of.item}{one} --says …"
    typed += f" --environment {words.environment}" if words.environment != "lab" else ""
    row = {"what": "word", "name": "", "verdict": "UNKNOWN", "at": "", "looked": True, "next": typed}
    if words.unknown is not None:
        return row | {"says": f"sign-offs could not be read: {words.unknown}", "looked": False}
    own = [one for one in words.rows if one["item"] == of.item]
    if refused := [one for one in own if one["kind"] == "refused"]:
        said = f"{len(refused)} of what lies there is no sign-off: {refused[0]['why']}"
        return row | {"verdict": "CRITICAL", "says": said, "next": f"Remove what is none from sign-offs/{of.item}."}
    if unverified := [one for one in own if one["kind"] == "unverified"]:
        return row | {"says": f"No sign-off can be verified: {unverified[0]['why']}", "looked": False}
    heard = sorted((one for one in own if one["kind"] == "word"), key=lambda one: str(one["signed_at"]))
    if not heard:
        return row | {"says": "nobody has said so"}
    counting = [one for one in heard if one["of"] == commit and commit] if of.of_commit else heard
    if not counting:
        other = (
            f"of {heard[-1]['of'][:12]}, not of {commit[:12]}"
            if commit
            else "and of which commit this is, is not known"
        )
        return row | {"name": heard[-1]["by"], "says": f"signed off {other}"}
    return row | _counted(of, counting[-1], words.taken_at)


def _counted(of: Line, one: Row, now: datetime) -> dict[str, Any]:
    at = datetime.fromisoformat(str(one["signed_at"]))
    said = {"name": one["by"], "at": at.isoformat(timespec="seconds")}
    if of.days is not None and now - at > of.days:
        age = duration((now - at).total_seconds())
        return {**said, "says": f"the newest sign-off is {age} old, and counted for {of.holds}"}
    return {**said, "verdict": "OK", "says": one["says"], "next": ""}


def _judged(of: Line, rows: Rows) -> Judgement:
    verdict = _verdict(of, rows)
    order = sorted(rows, key=lambda row: -ORDER.index(Verdict(row["verdict"])))
    shown = tuple(_shown(row) for row in rows if row["what"] == "check" or _wanted(of, rows))
    if verdict is Verdict.OK:
        said = "; ".join(text for text in (_evidence(rows), _signed(rows)) if text)
    else:
        # A person's word stands in for what a check could not tell, and so does its lack.
        last = [row for row in order if row["verdict"] == verdict]
        said = "; ".join(f"{row['name'] or 'sign-off'}: {str(row['says']).rstrip('.')}" for row in last)
    return Judgement(verdict, f"{said.rstrip('.')}.", None, shown)


def _shown(row: Row) -> dict[str, Any]:
    by = f"sign-off by {row['name']}" if row["name"] else "sign-off"
    said = row["name"] if row["what"] == "check" else by
    return {"shown_by": said, **{name: row[name] for name in ("verdict", "says", "at")}}


def _verdict(of: Line, rows: Rows) -> Verdict:
    made = [row for row in rows if row["what"] == "check"]
    found = Verdict.worst([Verdict(row["verdict"]) for row in made]) if made else Verdict.OK
    if of.word == "none":
        return found if made else Verdict.UNKNOWN
    (word,) = (Verdict(row["verdict"]) for row in rows if row["what"] == "word")
    if of.word != "else" or word is Verdict.CRITICAL:
        return Verdict.worst([found, word])
    # It stands in where a check looked and cannot tell, not where nobody could look.
    open_ = [row for row in made if row["verdict"] == Verdict.UNKNOWN]
    if not open_ or not all(row["looked"] for row in open_):
        return found
    rest = [Verdict(row["verdict"]) for row in made if row["verdict"] != Verdict.UNKNOWN]
    return Verdict.worst([*rest, word])


def _row(of: Line, rows: Rows) -> dict[str, Any]:
    return {
        "verdict": _verdict(of, rows).value,
        "item": of.item,
        "line": of.says,
        "shown_by": _shown_by(of, rows),
        "next": _next(of, rows),
        "shows": of.shows,
    }


def _wanted(of: Line, rows: Rows) -> bool:
    """Tell whether a line's word matters: one that stands in for a check does only where that cannot tell."""
    found = [row["verdict"] for row in rows if row["what"] == "check"]
    refused = any(row["verdict"] == Verdict.CRITICAL for row in rows if row["what"] == "word")
    return of.word != "else" or Verdict.UNKNOWN in found or refused


def _shown_by(of: Line, rows: Rows) -> str:
    made, signed = _brief(rows) or "no machine can know", _signed_by(rows) if _wanted(of, rows) else ""
    # Where a word stands in for a check, the word is what ticks the line.
    said = (signed, made) if of.word == "else" and _verdict(of, rows) is OK else (made, signed)
    return "; ".join(text for text in said if text)


def _brief(rows: Rows) -> str:
    """Return what the checks say, in a cell's width: the worst of them in words, or how many are OK since when."""
    made = [row for row in rows if row["what"] == "check"]
    amiss = sorted((row for row in made if row["verdict"] != OK), key=lambda row: -ORDER.index(Verdict(row["verdict"])))
    if amiss:
        more = f" (and {len(amiss) - 1} more)" if amiss[1:] else ""
        return f"{amiss[0]['name']}{more}: {str(amiss[0]['says']).rstrip('.')}"
    at = max((row["at"] for row in made), default="")
    one = "check says" if len(made) == 1 else "checks say"
    return f"{len(made)} {one} OK at {at[11:16]} UTC" if made else ""


def _evidence(rows: Rows) -> str:
    """Return what the checks of a line that is OK say: each in words, or by name where they are many."""
    made = [row for row in rows if row["what"] == "check" and row["verdict"] == OK]
    if not made:
        return ""
    named = ", ".join(row["name"] for row in made)
    said = "; ".join(f"{row['name']}: {_short(row['says'])}" for row in made)
    at = max(row["at"] for row in made)
    return f"{said if len(made) <= MANY else f'{len(made)} OK: {named}'} (looked at {at[11:19]} UTC)"


def _signed(rows: Rows) -> str:
    word = next((row for row in rows if row["what"] == "word" and row["verdict"] == Verdict.OK), None)
    return f"{word['name']} signed at {word['at'][:16]}: {word['says']}" if word else ""


def _signed_by(rows: Rows) -> str:
    word = next((row for row in rows if row["what"] == "word"), None)
    if word is None:
        return ""
    who = f"{word['name']}, {word['at'][:10]}: " if word["at"] else f"{word['name']}: " if word["name"] else ""
    return f"{who}{_short(word['says'])}"


def _next(of: Line, rows: Rows) -> str:
    """Return what to do about a line that is not OK: of what is worst, and of a check before a word."""
    verdict = _verdict(of, rows)
    if verdict is Verdict.OK:
        return ""
    said = [row for row in rows if row["verdict"] == verdict and row["next"]]
    if of.word == "else" and verdict is Verdict.UNKNOWN:
        said.sort(key=lambda row: row["what"] != "word")
    return str(said[0]["next"]) if said else f"See {of.shows}."


def _short(text: str) -> str:
    text = str(text).rstrip(".")
    return text if len(text) <= LONG else f"{text[: LONG - 1].rstrip()}…"


def _whole(said: Lines, rows: Rows) -> Judgement:
    verdict = Verdict.worst([Verdict(row["verdict"]) for row in rows])
    open_ = [row for row in rows if row["verdict"] != OK]
    named = "; ".join(f"{row['line']} ({row['verdict']})" for row in open_)
    ticked = f"{len(rows) - len(open_)} of {len(rows)} lines are ticked"
    shown = tuple({name: value for name, value in row.items() if name != "item"} for row in rows)
    if said.routine != GO:
        return Judgement(verdict, f"{ticked}{f', not: {named}' if open_ else ''}.", None, shown)
    of = said.commit[:12] or "a commit that nobody knows"
    if verdict is OK:
        return Judgement(verdict, f"GO for {of}: {ticked}.", None, shown)
    go = "GO with a warning" if verdict is Verdict.WARNING else "NO-GO"
    return Judgement(verdict, f"{go} for {of}: {ticked}; not: {named}.", None, shown)
