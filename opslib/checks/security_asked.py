"""What logs answered, judged: an answer is as good as its lines, and a silent pod is nobody's "nothing happened"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from opslib.guide.thresholds import threshold
from opslib.model import UNKNOWN_UNTIL, Check, Judgement, Reading, Verdict
from opslib.probes import security_asked as probes
from opslib.probes.log_questions import QUESTIONS

SKEW_MS = 60_000
FEWEST_HOURS = 4
"""Hours before the window that a usual hour can be told from."""
LOST = ("unread", "undated", "rejected")
ASK_AGAIN = "Every row stands in the run's evidence; ask again with an address, an account or a shorter window."


def lines(lines: Any, vouched: Any, skew: Any) -> Check:
    """Return the check that there were lines in the window, and that each of them could be read.

    None is UNKNOWN, a file that breaks off as well; lines that could not be read are a WARNING, and so are files for
    which nothing vouches, and a stream whose lines say moments more than a minute apart from those they were given.
    """

    def judge(reading: Reading) -> Judgement:
        if not reading.rows:
            return Judgement(Verdict.UNKNOWN, "Nobody knows how many lines there were.")
        (row,) = reading.rows
        lost = {name: row.get(name, 0) for name in LOST if row.get(name, 0)}
        told = "; ".join(f"{count} {name}" for name, count in lost.items())
        said = f"{row['read']} lines were read" + (f"; NOT READ: {told}" if lost else "")
        said += f"; {row['doubled']} stood in two files and count once" if row.get("doubled") else ""
        if row.get("broken_files"):
            said += f"; these files break off and were not read: {', '.join(row['broken_files'][:3])}"
            return Judgement(Verdict.UNKNOWN, f"{said}.", row["read"], reading.rows)
        if not row["read"]:
            return Judgement(Verdict.UNKNOWN, f"No line of the window could be read ({told or 'there is none'}).", 0)
        if first := "first seen" in str(vouched):
            said += "; nothing vouches for the files before this run"
        off = [one for one in skew if one["most_ms"] > SKEW_MS]
        if off:
            said += f"; {off[0]['stream']} says moments up to {off[0]['most_ms'] / 1000:.0f} s from those it was given"
        verdict = Verdict.WARNING if lost or first or off else Verdict.OK
        return Judgement(verdict, f"{said}.", row["read"], reading.rows)

    return Check(
        name="log-lines",
        title="The window has lines, and all of them can be read",
        probe=probes.of_step("log-lines", "What became of the lines", lines, lambda value: [value] if value else []),
        judge=judge,
        remedy="Look at the lines themselves: the step's files name stream and reason. Take the export anew where a "
        "file breaks off; give its manifest next time, so that it is held against what it was.",
        items=("RUN-SEC-05",),
    )


def streams(streams: Any, most_minutes: int) -> Check:
    """Return the check that no pod or stream was silent for longer than ``most_minutes`` within the window."""

    def judge(reading: Reading) -> Judgement:
        if not reading.rows:
            return Judgement(Verdict.UNKNOWN, "No stream is known, so nobody knows which was silent.")
        silent = tuple(row for row in reading.rows if not row["lines"] or row["silent_minutes"] > most_minutes)
        if silent:
            one = silent[0]
            when = "the whole window" if not one["lines"] else f"{one['silent_minutes']} min from {one['silent_from']}"
            said = f"{len(silent)} of {len(reading.rows)} streams were silent, {one['stream']} for {when}"
            return Judgement(Verdict.UNKNOWN, f"{said}: what happened there then, nobody knows.", len(silent), silent)
        lacking = tuple(row for row in reading.rows if row["lacks"])
        if lacking:
            said = f"{len(lacking)} of {len(reading.rows)} may lack something: {lacking[0]['stream']}: "
            return Judgement(Verdict.WARNING, f"{said}{lacking[0]['lacks']}.", 0, lacking)
        return Judgement(Verdict.OK, f"{len(reading.rows)} streams, none silent for so long.", 0, reading.rows)

    return Check(
        name="log-streams",
        title=f"No stream was silent for more than {most_minutes} minutes",
        probe=probes.of_step("log-streams", "When each stream said something", streams, lambda rows: rows),
        judge=judge,
        remedy="Look in the other store for that time: pods' logs are lost with the pod, CloudWatch's come by an agent "
        "that may have stopped. A quiet pod is told from a silent one by its health checks.",
        items=("RUN-SEC-05",),
    )


def answer(name: str, answers: Any, lines: Any) -> Check:
    """Return the check that a question was answered: what was found is shown, and not judged.

    That nothing was found counts only where every line of the window was read.
    """

    def judge(reading: Reading) -> Judgement:
        if not reading.rows:
            return _nothing(lines)
        said, count = answers[name], answers[name]["count"]
        shown = f"{count} rows" + (f", the first {len(reading.rows)} shown" if count > len(reading.rows) else "")
        if said["limit"]:
            return Judgement(Verdict.WARNING, f"{shown}; NOT WHOLE: {said['limit']}.", count, reading.rows)
        return Judgement(Verdict.OK, f"{shown}.", count, reading.rows)

    return Check(
        name=f"log-{name}",
        title=QUESTIONS[name].title,
        probe=probes.answered(name, answers),
        judge=judge,
        remedy=ASK_AGAIN,
        items=("RUN-SEC-05",),
    )


def sign_ins(failed: Any, answers: Any, lines: Any) -> Check:
    """Return the check that no address tried to sign in again and again, of the sums by address and account."""
    limit = threshold("sign-ins-failed")

    def judge(reading: Reading) -> Judgement:
        if answers["sign-ins"]["unknown"]:
            return Judgement(Verdict.UNKNOWN, f"{answers['sign-ins']['unknown']}.")
        if not reading.rows:
            return _nothing(lines)
        by: dict[Any, int] = {}
        for row in reading.rows:
            by[row["address"]] = by.get(row["address"], 0) + row["failed"]
        worst = max(by, key=lambda one: by[one])
        came_in = [row for row in reading.rows if row["address"] == worst and row["succeeded"]]
        verdict = limit.judge(by[worst])
        said = f"At most {by[worst]} failed from one address ({worst})"
        if verdict is not Verdict.OK and came_in:
            verdict, said = Verdict.CRITICAL, f"{said}, which came in as {came_in[0]['account']}"
        if answers["sign-ins"]["limit"]:
            verdict = Verdict.worst([verdict, Verdict.WARNING])
        return Judgement(verdict, f"{said}.", by[worst], reading.rows)

    return Check(
        name="log-sign-ins",
        title="Nobody tried to sign in again and again",
        probe=probes.of_step("log-failed-sign-ins", QUESTIONS["sign-ins"].title, failed, lambda rows: rows),
        judge=judge,
        remedy="runbooks/respond-to-security-incident: block the address, end that account's sessions.",
        threshold=limit,
        items=("RUN-SEC-05",),
    )


def volume(hours: Any, window: Any, answers: Any) -> Check:
    """Return the check that no whole hour of the window had many times the requests of a usual hour before it."""
    limit = threshold("hourly-volume")

    def judge(reading: Reading) -> Judgement:
        if why := answers["volume"]["unknown"] or answers["volume"]["limit"]:
            return Judgement(Verdict.UNKNOWN, f"{why}.")
        before = [row["lines"] for row in reading.rows if window["before"] <= row["slot"] < _hour(window["start"])]
        within = [row for row in reading.rows if row["slot"] >= window["start"]]
        if len(before) < FEWEST_HOURS or not within:
            said = f"{len(before)} hours before the window and {len(within)} of it have requests"
            return Judgement(Verdict.UNKNOWN, f"{said}: too few to tell what is usual.")
        usual, most = median(before), max(within, key=lambda row: row["lines"])
        times = most["lines"] / usual
        said = (
            f"{most['lines']} requests in the hour from {most['slot']}, {times:.1f} times the {usual:g} of a usual one"
        )
        return Judgement(limit.judge(times), f"{said}.", round(times, 2), _worst(within))

    return Check(
        name="log-volume",
        title="No hour had an unusual volume",
        probe=probes.hours(hours),
        judge=judge,
        remedy="Ask again with that hour as the window: who accessed what says whose it was.",
        threshold=limit,
        items=("RUN-SEC-05",),
    )


def _worst(rows: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    return tuple(sorted(rows, key=lambda row: -row["lines"])[:20])


def _hour(moment: str) -> str:
    """Return the beginning of a moment's hour, as text that sorts like it: an hour cut in two is in neither part."""
    return f"{moment[:13]}:00:00"


def _nothing(lines: Any) -> Judgement:
    """Judge that nothing was found: it counts where there were lines, and every one of them was read."""
    if isinstance(lines, str) and lines.startswith(UNKNOWN_UNTIL):
        return Judgement(Verdict.UNKNOWN, "It is known once the logs are asked.")
    read = lines.get("read", 0) if lines else 0
    lost = sum(lines.get(name, 0) for name in LOST) + len(lines.get("broken_files", ())) if lines else 0
    if not read:
        return Judgement(Verdict.UNKNOWN, "Nothing was found, and there was no line to find it in.", 0)
    if lost:
        said = f"Nothing was found in {read} lines; {lost} could not be read, and it may stand there."
        return Judgement(Verdict.UNKNOWN, said, 0)
    return Judgement(Verdict.OK, f"Nothing of this in {read} lines.", 0)
