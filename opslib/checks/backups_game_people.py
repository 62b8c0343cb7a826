"""Whether a game day was one: signed words, two who differ, what was agreed on, and what came of the last one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

from opslib.checks.backups_drills import LEAST_SECONDS
from opslib.checks.backups_game_day import NOBODY, on
from opslib.guide import game_day as days
from opslib.guide.promises import PROMISES
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes.backups_game_day import game_days

AGE, SLOWER = threshold("game-day-age"), threshold("game-day-slower")
LATE_HOURS = 24.0
"""What is signed later than this after it happened is told from memory."""
COMPARED = (("injected", "alerted"), ("alerted", "acknowledged"), ("acknowledged", "opened"), ("injected", "mitigated"))


def age() -> Check:
    """How long ago people last exercised a recovery of this target."""

    def judge(reading: Reading) -> Judgement:
        known = days.days(reading.rows)
        begun = [seen.at for day in known for seen in _injected(days.chosen(reading.rows, day))]
        if not begun:
            return Judgement(Verdict.UNKNOWN, "No game day of this target is in this archive.")
        value = (reading.taken_at - max(begun)).total_seconds() / 86_400
        return Judgement(
            AGE.judge(value), f"{known[-1]}, the newest of {len(known)}, was {value:.0f} days ago.", round(value, 2)
        )

    return Check(
        "game-day-age",
        "People exercised a recovery not long ago",
        game_days,
        judge,
        "Agree on a day: choose services, who breaks, who is on call, and when it is broken off.",
        AGE,
    )


def _injected(rows: Sequence[Row]) -> list[days.Seen]:
    courses = [days.course(rows, name) for name in days.services(rows)]
    return [course["injected"] for course in courses if "injected" in course]


def words(day: str = "latest") -> Check:
    """Whether each word is signed by whose it is, and soon after what it tells of."""

    def judge(reading: Reading, rows: list[Row]) -> Judgement:
        if why := next((row["why"] for row in rows if row["kind"] == "unverified"), ""):
            return Judgement(Verdict.UNKNOWN, f"No word can be verified: {why}")
        heard = days.words(rows)
        if refused := [row["why"] for row in rows if row["kind"] == "refused"]:
            return Judgement(
                Verdict.CRITICAL, f"{len(refused)} of {len(refused) + len(heard)} words do not count: {refused[0]}"
            )
        if not heard:
            return Judgement(Verdict.UNKNOWN, f"Nobody says anything of {rows[0]['day']}.", 0.0)
        people = sorted({row["by"] for row in heard})
        table = tuple(
            {name: row[name] for name in ("at", "within", "by", "service", "moment", "says")} for row in heard
        )
        said = f"{len(heard)} words by {', '.join(people)}, each signed by whose it is"
        late = [row for row in heard if _hours(row) > LATE_HOURS]
        if late:
            said += f"; {len(late)} of them were told from memory, more than {LATE_HOURS:g} hours later"
        ended = [row for row in heard if row["moment"] == "aborted"]
        said += "".join(f"; {row['by']} broke it off: {row['says'].rstrip('.')}" for row in ended)
        return Judgement(Verdict.WARNING if late or ended else Verdict.OK, f"{said}.", float(len(heard)), table)

    return Check(
        "game-day-words",
        "People's words are signed, each by whose it is",
        game_days,
        on(day, judge),
        f"{NOBODY} Whose key counts says OPS_ALLOWED_SIGNERS (namespace opslib-witness). Remove what is no word.",
    )


def _hours(row: Row) -> float:
    return (days.when(row["signed_at"]) - days.when(row["at"])).total_seconds() / 3600


def people(expected: str = "none", day: str = "latest") -> Check:
    """Whether those who were to take part said something, and who broke it is not who took it on.

    ``expected`` are their names by commas, as the allowed signers have them.
    """
    wanted = [] if expected == "none" else expected.split(",")

    def judge(reading: Reading, rows: list[Row]) -> Judgement:
        spoke = Counter(row["by"] for row in days.words(rows))
        table = [
            {"person": name, "words": spoke[name], "expected": name in wanted} for name in sorted({*spoke, *wanted})
        ]
        alone = sorted({name for service in days.services(rows) for name in _alone(rows, service)})
        if alone:
            said = f"{', '.join(alone)} broke it and answered it as well: who knows what is broken need not find out"
            return Judgement(Verdict.WARNING, f"{said}.", None, tuple(table))
        if silent := [name for name in wanted if not spoke[name]]:
            return Judgement(Verdict.WARNING, f"{', '.join(silent)} took part and says nothing.", None, tuple(table))
        if not spoke:
            return Judgement(Verdict.UNKNOWN, "Nobody says that they took part.")
        return Judgement(
            Verdict.OK, f"{len(spoke)} people took part; who broke it did not answer it.", None, tuple(table)
        )

    return Check(
        "game-day-people",
        "Who broke it is another than who answered, and everybody speaks",
        game_days,
        on(day, judge),
        f"One breaks, another is on call and does not know what comes. {NOBODY}",
    )


def _alone(rows: Sequence[Row], service: str) -> set[str]:
    """Return who both broke a service and answered; names of accounts and of signers are held apart."""
    said = {row["moment"]: set[str]() for row in days.words(rows)}
    for row in days.words(rows):
        if row["service"] in (service, "all"):
            said[row["moment"]].add(row["by"])
    answered = said.get("acknowledged", set()) | said.get("opened", set())
    found = said.get("injected", set()) & answered
    course = days.course(rows, service)
    opened = course.get("opened")
    if opened is not None and opened.source == "run" and course["injected"].by == opened.by:
        found.add(opened.by)
    return found


def actions(day: str = "latest") -> Check:
    """What was agreed on until this day, and whether it was done: an exercise from which nothing follows was none."""

    def judge(reading: Reading, rows: list[Row]) -> Judgement:
        known = days.days(reading.rows)
        until = known[: known.index(rows[0]["day"]) + 1]
        every = [row for row in reading.rows if row["day"] in until]
        done = {row["of"]: row["by"] for row in days.words(reading.rows, "done")}
        table = [_action(row, done, reading.taken_at.date()) for row in days.words(every, "action")]
        late = [row for row in table if row["state"] == "overdue"]
        new = [row for row in table if row["day"] == rows[0]["day"]]
        left = sum(row["state"] == "open" for row in table)
        said = f"{len(new)} agreed on this day; {left} open, {len(late)} overdue in all"
        if late:
            said += f": {', '.join(sorted({row['owner'] for row in late}))}"
        missing = not new and "; nobody wrote down what is to change"
        verdict = Verdict.WARNING if late or missing else Verdict.OK
        return Judgement(verdict, f"{said}{missing or ''}.", float(len(late)), tuple(table))

    return Check(
        "game-day-actions",
        "What was agreed on is done, or not yet due",
        game_days,
        on(day, judge),
        "ops witness DAY action --owner NAME --due DATE --says …; when it is done: ops witness DAY done --of ACTION.",
    )


def _action(row: Row, done: dict[str, str], today: date) -> dict[str, Any]:
    due = date.fromisoformat(str(row["due"])[:10])
    state = f"done ({done[row['id']]})" if row["id"] in done else "overdue" if due < today else "open"
    names = ("day", "id", "owner", "due", "says")
    return {**{name: row[name] for name in names}, "state": state}


def compared(day: str = "latest") -> Check:
    """People's times against those of the game day before that exercised the same service."""

    def judge(reading: Reading, rows: list[Row]) -> Judgement:
        known = days.days(reading.rows)
        earlier = [days.chosen(reading.rows, name) for name in known[: known.index(rows[0]["day"])]]
        table = [line for name in days.services(rows) for line in _beside(rows, earlier, name)]
        if not table:
            return Judgement(Verdict.OK, "The first game day of these services here: there is none to compare it with.")
        slower = [line for line in table if _is_slower(line)]
        said = ", ".join(f"{line['service']}, {line['what']}: {line['slower']:.0f} % slower" for line in slower)
        before = ", ".join(sorted({line["day_before"] for line in table}))
        return Judgement(
            Verdict.WARNING if slower else Verdict.OK,
            f"Compared with {before}: {said or 'nothing is slower'}.",
            None,
            tuple(table),
        )

    return Check(
        "game-day-compared",
        "People are not much slower than on the last game day",
        game_days,
        on(day, judge),
        "See whether the last day's actions were done, and who was on call for the first time.",
        SLOWER,
    )


def _beside(rows: Sequence[Row], earlier: Sequence[list[Row]], service: str) -> list[dict[str, Any]]:
    before = next((one for one in reversed(earlier) if service in days.services(one)), None)
    if before is None:
        return []
    now, then = days.course(rows, service), days.course(before, service)
    lines = []
    for first, last in COMPARED:
        new, old = days.span(now, first, last), days.span(then, first, last)
        if new is None or old is None:
            continue
        slower = 100 * (new.seconds - old.seconds) / old.seconds if old.seconds else None
        lines.append(
            {
                "service": next(one.title for name, one in PROMISES.items() if name == service),
                "what": f"{first} to {last}",
                "day_before": before[0]["day"],
                "before_seconds": round(old.seconds, 1),
                "now_seconds": round(new.seconds, 1),
                "uncertain_seconds": round(new.within + old.within, 1),
                "slower": None if slower is None else round(slower, 1),
            }
        )
    return lines


def _is_slower(line: dict[str, Any]) -> bool:
    longer = line["now_seconds"] - line["before_seconds"] - line["uncertain_seconds"]
    if line["slower"] is None or longer < LEAST_SECONDS:
        return False
    return SLOWER.judge(line["slower"]) is not Verdict.OK
