"""Results of checks, sign-offs and earlier runs as a routine sees them, made up for tests."""

from datetime import UTC, datetime, timedelta

from opslib.guide.routines import lines_of
from opslib.model import Reading, Result, Verdict

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
COMMIT = "5f0d0f6a7b1c4e3d9a8b7c6d5e4f3a2b1c0d9e8f"
OTHER = "1" * 40


def reading(rows=(), unknown=None, probe="probe"):
    return Reading(probe, "A reading", "lab", NOW, 0.1, tuple(rows), unknown=unknown)


def result(check, verdict="OK", says="It is well.", looked=True):
    taken = reading(unknown=None if looked else "nobody answered")
    return Result(check, f"The check {check}", Verdict(verdict), says, taken, remedy=f"Mend {check}.")


def results(routine, **changed):
    """Return a result of every check that a routine's lines name, OK unless it is changed (``_`` for ``-``)."""
    names = {name for line in lines_of(routine) for name in line.checks}
    made = {name: result(name) for name in names}
    for name, said in changed.items():
        key = name.replace("_", "-")
        if said is None:
            del made[key]
        else:
            made[key] = result(key, **said) if isinstance(said, dict) else result(key, said)
    return made


def word(item, days=0.5, of="", by="ben@valuecanvas", says="I looked, and it is so"):
    at = NOW - timedelta(days=days)
    return {"item": item, "kind": "word", "id": "a" * 12, "by": by, "signed_at": at.isoformat(), "of": of, "says": says}


def words(*rows, unknown=None):
    return reading(rows, unknown, "sign-offs")


def signed(routine, of=COMMIT):
    """Return a sign-off of every line of a routine that wants one."""
    return words(
        *(word(line.item, of=of if line.of_commit else "") for line in lines_of(routine) if line.word != "none")
    )


def run(hours, lines=None, verdict="OK", state="finished", untrusted=""):
    """Return an earlier run of a routine, so many hours ago."""
    at = NOW - timedelta(hours=hours)
    name = f"{at:%Y%m%dT%H%M%SZ}-routines-daily-a1b2c3"
    said = {"run": name, "started_at": at.isoformat(), "state": state, "verdict": verdict, "untrusted": untrusted}
    return {**said, "report": f"runs/{name}/report.html", "lines": lines or {}}


def deployed(hours, commit=COMMIT, unknown=None):
    """Return the reading of what was deployed so many hours ago."""
    at = (NOW - timedelta(hours=hours)).isoformat()
    rows = [{"what": "front end", "version": "dpl_1", "commit": commit, "at": at, "why": ""}]
    return reading([] if unknown else rows, unknown, "deployed")
