"""What drills showed: times and losses against the guide's promises, and how long ago that was.

A promise that was not measured is UNKNOWN and counts as not met. A loss is judged against the promise and against what
the recovery had stated beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from opslib.guide.promises import PROMISES, Promise, Service, before, chosen, counts
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import count, duration
from opslib.probes.backups_drills import drills

AGE = threshold("drill-age")
SLOWER = threshold("drill-slower")
SCORE = threshold("drill-score")
LEAST_SECONDS = 10.0
"""A recovery that took so much longer than the last one may be slower; less is chance."""
COMMAND = "Drill in the lab: ops drill."
Said = tuple[Verdict, str]


def rto(row: Row) -> Said:
    """Return what is to be said of the recovery time in one exercise's row."""
    promise = PROMISES[row["service"]].rto
    if row["why"]:
        return Verdict.UNKNOWN, f"not drilled: {row['why'].rstrip('.')}"
    took = row["rto_seconds"]
    if row["trouble"]:
        after = f", though users were served after {duration(took)}" if took is not None else ""
        return Verdict.CRITICAL, f"not recovered{after}: {row['trouble'].rstrip('.')}"
    if took is None:
        return Verdict.UNKNOWN, "the time was not measured"
    how = "back" if row["rto_by"] == "traffic" else "never out for users, and all checks OK"
    return promise.judge(took / 60), f"{how} after {duration(took)} (promised {promise.critical:g} min)"


def rpo(row: Row) -> Said | None:
    """Return what is to be said of the loss; None where the guide promises nothing."""
    promise = PROMISES[row["service"]].rpo
    if promise is None:
        return None
    if row["why"]:
        return Verdict.UNKNOWN, "losses were not counted"
    if row["lost"] is None or not row["acknowledged"]:
        return (
            Verdict.UNKNOWN,
            f"losses were not counted: {(row['uncounted'] or 'nothing was acknowledged').rstrip('.')}",
        )
    return _loss(row, promise.critical or 0.0, promise.judge((row["lost_seconds"] or 0.0) / 60))


def _loss(row: Row, promised: float, judged: Verdict) -> Said:
    lost, seconds, stated = row["lost"], row["lost_seconds"], row["stated_seconds"]
    said = f"{count(lost)} of {count(row['acknowledged'])} acknowledged {row['counted']} lost"
    if not lost:
        return Verdict.OK, said
    if seconds is None or not promised:
        return Verdict.CRITICAL, f"{said}, where none may be"
    said += f", those of {duration(seconds)} (promised at most {promised:g} min)"
    if stated is not None and seconds > stated:
        return Verdict.CRITICAL, f"{said}; stated beforehand were {duration(stated)} at most"
    return judged, said if stated is None else f"{said}; {duration(stated)} were stated beforehand"


def verdicts(row: Row) -> list[Verdict]:
    """Return a verdict for each promise of one exercise's service."""
    return [said[0] for said in (rto(row), rpo(row)) if said is not None]


def in_short(rows: Sequence[Row]) -> str:
    """Return one sentence on a whole drill, service by service."""
    return "; ".join(f"{PROMISES[row['service']].title}: {rto(row)[1]}" for row in rows) + "."


def _score(rows: Sequence[Row]) -> tuple[float | None, str]:
    """Return the share of all promises that was met, in percent, and the same in words; None: none was measured."""
    found = {row["service"]: verdicts(row) for row in rows}
    every = [v for name, one in PROMISES.items() for v in found.get(name, _unmeasured(one))]
    met = sum(v in (Verdict.OK, Verdict.WARNING) for v in every)
    missed, unknown = every.count(Verdict.CRITICAL), every.count(Verdict.UNKNOWN)
    said = f"{met} of {len(every)} promises met, {missed} not met, {unknown} not measured"
    return (100 * met / len(every) if met + missed else None), said


def _unmeasured(promise: Promise) -> list[Verdict]:
    return [Verdict.UNKNOWN] * (1 if promise.rpo is None else 2)


def _on(drill: str, judge: Callable[[Reading, list[Row]], Judgement]) -> Callable[[Reading], Judgement]:
    """Return the rule of a check on one drill: UNKNOWN where there is none, CRITICAL where it cannot be believed."""

    def judged(reading: Reading) -> Judgement:
        rows = chosen(reading.rows, drill)
        if not rows:
            what = "No drill of this target is" if drill == "latest" else f"The drill {drill} is not"
            return Judgement(Verdict.UNKNOWN, f"{what} in this archive.")
        if why := next((row["damage"] for row in rows if row["damage"]), ""):
            return Judgement(Verdict.CRITICAL, f"{rows[0]['drill']} {why}.")
        if strange := sorted({said for row in rows for said in row["unsealed"]}):
            return Judgement(Verdict.CRITICAL, f"A run that it rests on {'; '.join(strange)}.")
        return judge(reading, rows)

    return judged


def _age(reading: Reading) -> Judgement:
    rows: list[dict[str, Any]] = []
    for name, promise in PROMISES.items():
        drilled = [row for row in reading.rows if row["service"] == name and counts(row)]
        newest = max((datetime.fromisoformat(str(row["began_at"])) for row in drilled), default=None)
        days = None if newest is None else round((reading.taken_at - newest).total_seconds() / 86_400, 2)
        rows.append({"service": promise.title, "last drilled": newest, "days": days})
    known = [row["days"] for row in rows if row["days"] is not None]
    never = [row["service"] for row in rows if row["days"] is None]
    if not known:
        return Judgement(Verdict.UNKNOWN, "No service of this target was ever drilled, as far as this archive knows.")
    oldest = max(known)
    said = f"The service whose drill is longest ago was drilled {oldest:.1f} days ago"
    said += f"; never drilled: {', '.join(never)}" if never else ""
    found = Verdict.worst([AGE.judge(oldest), *([Verdict.UNKNOWN] if never else [])])
    return Judgement(found, f"{said}.", oldest, tuple(rows))


age = Check(
    "drill-age",
    "Each service was drilled within the quarter",
    drills,
    _age,
    f"{COMMAND} On another target people lead a drill, by the runbooks themselves. disaster/recovery-drill shows it.",
    AGE,
    ("MNT-MO-05",),
)
"""By the service whose drill is longest ago; one that was never drilled is UNKNOWN. The guide has it in a monthly list
and says quarterly: quarterly counts."""


def record(drill: str = "latest") -> Check:
    """Whether a drill's record and every run that it names are what was sealed."""

    def judge(reading: Reading, rows: list[Row]) -> Judgement:
        runs = [{"service": PROMISES[row["service"]].title, **run} for row in rows for run in row["runs"]]
        said = f"{rows[0]['drill']} and the {len(runs)} runs that it began are what was sealed"
        said += f"; led by {rows[0]['led_by']}"
        if rows[0]["found"]:
            said += f". {' '.join(rows[0]['found']).rstrip('.')}"
        if left := [row["service"] for row in rows if not row["mended"]]:
            return Judgement(Verdict.CRITICAL, f"{said}. The lab was not mended afterwards: {', '.join(left)}.")
        if rows[0]["state"] != "finished":
            return Judgement(Verdict.WARNING, f"{said}. It was stopped before its end.")
        return Judgement(Verdict.OK, f"{said}.", rows=tuple(runs))

    return Check(
        "drill-record",
        "The drill's record is what was sealed",
        drills,
        _on(drill, judge),
        "Believe none of its figures; see what was changed: ops archive verify. Then drill again.",
    )


def service(name: Service, drill: str = "latest") -> Check:
    """One service's recovery time and loss in a drill, against what the guide promises of both."""
    promise = PROMISES[name]

    def judge(reading: Reading, rows: list[Row]) -> Judgement:
        row = next((one for one in rows if one["service"] == name), None)
        if row is None:
            return Judgement(Verdict.UNKNOWN, f"{promise.title}: not part of this drill.")
        time, loss = rto(row), rpo(row)
        said = f"{promise.title}: {time[1]}; {loss[1] if loss else _unpromised(row)}."
        found = Verdict.worst([time[0], *([loss[0]] if loss else [])])
        took = row["rto_seconds"]
        return Judgement(found, said, None if took is None else round(took / 60, 3), (_shown(row),))

    return Check(
        f"drill-{name}",
        f"{promise.title}: recovered in time, and nothing lost beyond the promise",
        drills,
        _on(drill, judge),
        f"See where the time went in the picture, and the runs that the record names. {COMMAND}",
        promise.rto,
        promise.items,
    )


def _unpromised(row: Row) -> str:
    if row["lost"] is None:
        return "no loss is promised against, and none was counted"
    return f"{count(row['lost'])} of {count(row['acknowledged'])} acknowledged {row['counted']} lost, none is promised"


def _shown(row: Row) -> dict[str, Any]:
    names = ("fault", "notebook", "out_seconds", "detected_seconds", "acknowledged_seconds", "mitigated_seconds")
    counts = {"writes_acknowledged": row["acknowledged"], "writes_lost": row["lost"]}
    losses = {"lost_time_seconds": row["lost_seconds"], "stated_loss_seconds": row["stated_seconds"]}
    return {name: row[name] for name in (*names, "resolved_seconds", "tries", "failed")} | counts | losses


def score(drill: str = "latest") -> Check:
    """How many of the guide's promises a drill met; one that was not measured is not met."""

    def judge(reading: Reading, rows: list[Row]) -> Judgement:
        value, said = _score(rows)
        if value is None:
            return Judgement(Verdict.UNKNOWN, f"{said}.", None)
        return Judgement(SCORE.judge(value), f"{said}.", round(value, 1))

    return Check(
        "drill-score",
        "The promises of the guide's table were met",
        drills,
        _on(drill, judge),
        f"What was not measured counts as not met: see the services above. {COMMAND}",
        SCORE,
    )


def compared(drill: str = "latest") -> Check:
    """Each service's recovery time against that in the drill before."""

    def judge(reading: Reading, rows: list[Row]) -> Judgement:
        known = before(reading.rows, rows[0]["drill"])
        earlier = {row["service"]: known[row["service"]] for row in rows if row["service"] in known}
        if not earlier:
            return Judgement(Verdict.OK, "The first drill of these services here: there is none to compare it with.")
        table = [_beside(row, earlier.get(row["service"])) for row in rows]
        slower = [line for line in table if _is_slower(line)]
        said = f"Compared with {', '.join(sorted({str(row['drill']) for row in earlier.values()}))}: "
        said += ", ".join(f"{line['service']} is {line['slower']:.0f} % slower" for line in slower) or "none is slower"
        return Judgement(Verdict.WARNING if slower else Verdict.OK, f"{said}.", None, tuple(table))

    return Check(
        "drill-compared",
        "No service took much longer than in the last drill",
        drills,
        _on(drill, judge),
        "See what changed in between: the two reports, and diagnostics/triage, changes.",
        SLOWER,
    )


def _beside(row: Row, earlier: Row | None) -> dict[str, Any]:
    now, then = row["rto_seconds"], earlier["rto_seconds"] if earlier else None
    slower = 100 * (now - then) / then if now is not None and then else None
    return {
        "service": PROMISES[row["service"]].title,
        "rto_before": then,
        "rto_now": now,
        "slower": slower,
        "lost_before": earlier["lost"] if earlier else None,
        "lost_now": row["lost"],
    }


def _is_slower(line: Row) -> bool:
    if line["slower"] is None or line["rto_now"] - line["rto_before"] < LEAST_SECONDS:
        return False
    return SLOWER.judge(line["slower"]) is not Verdict.OK
