"""The five services that the guide promises to recover: how each stands, what is promised, and what recovers it.

Priorities, times and losses are the guide's (DR-OBJ-01 to 05); what it calls recovery it has for two of the five only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opslib.checks import application, cache, cluster, database, frontend, llm
from opslib.guide.recovery import Promise, promises
from opslib.model import Check, Judgement, Probe, Reading, Result, Verdict
from opslib.pictures.figures import duration

HERE = "disaster/recover-everything"


@dataclass(frozen=True)
class Service:
    """What tells how a service stands, by area, the most telling check first; and what brings it back."""

    vital: Check
    others: Mapping[str, tuple[Check, ...]]
    area: str
    recover: str

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every check of it."""
        return (self.vital, *(check for one in self.others.values() for check in one))


def known() -> dict[str, Service]:
    """Return what is known of each service of the guide's table, by the name that it has there."""
    return {
        "Database": Service(
            database.reachable,
            {"database": (database.server, database.core_tables)},
            "database",
            "disaster/recover-database",
        ),
        "API Services": Service(
            application.ready, {"cluster": (cluster.standing("api"),)}, "application", f"{HERE}, services=api"
        ),
        "LLM Services": Service(
            llm.replicas(),
            {"cluster": (cluster.standing("worker"),)},
            "llm",
            "disaster/recover-llm; its workers' pods: services=worker",
        ),
        "Redis Cache": Service(
            cache.reachable, {"cache": (cache.workload, cache.memory)}, "cache", f"{HERE}, services=redis"
        ),
        "Frontend": Service(
            frontend.served, {"frontend": (frontend.live,)}, "frontend", f"{HERE}, deployment=previous"
        ),
    }


def asked() -> dict[str, tuple[Check, ...]]:
    """Return the checks that tell how the services stand, by area, for one survey."""
    found: dict[str, tuple[Check, ...]] = {}
    for one in known().values():
        for area, checks in ((one.area, (one.vital,)), *one.others.items()):
            found[area] = (*found.get(area, ()), *checks)
    return found


def services(results: Mapping[str, Result]) -> Check:
    """Return the check of all five services in the order of recovery, by checks that were made already (by name).

    It looks at nothing itself. What nobody looked at is not known, and UNKNOWN.
    """

    def read(target: object) -> list[dict[str, Any]]:
        every = known()
        return [_row(promise, every[promise.service], results) for promise in promises()]

    return Check(
        name="triage-services",
        title="The five services that the guide promises to recover",
        probe=Probe(
            "triage-services", "Services in the order of recovery", read, "the checks above; the guide's table"
        ),
        judge=_judge,
        remedy="Recover in the order of the table, by what its last column names: what is below rests on the rest.",
        items=tuple(item for promise in promises() for item in promise.items if item.endswith("Q")),
    )


def _row(promise: Promise, service: Service, results: Mapping[str, Result]) -> dict[str, Any]:
    made = [results.get(check.name) for check in service.checks]
    verdicts = [one.verdict if one else Verdict.UNKNOWN for one in made]
    worst = Verdict.worst(verdicts)
    order = list(Verdict)
    said = sorted(
        (one for one in made if one and one.verdict is not Verdict.OK), key=lambda one: -order.index(one.verdict)
    )
    return {
        "priority": f"P{promise.priority}",
        "service": promise.service,
        "state": _state(verdicts),
        "verdict": str(worst),
        "saw": "; ".join(one.summary.rstrip(".") for one in said) or ("all is well" if all(made) else "nobody looked"),
        "back_within": "not promised" if promise.recovery_seconds is None else duration(promise.recovery_seconds),
        "may_lose": "not promised" if promise.loss_seconds is None else _loss(promise.loss_seconds),
        "recovered_by": service.recover,
    }


def _state(verdicts: list[Verdict]) -> str:
    """Return a service's state in a word: its first check alone says that it is out."""
    if verdicts[0] is Verdict.CRITICAL:
        return "out"
    words = {Verdict.CRITICAL: "ill", Verdict.UNKNOWN: "not known", Verdict.WARNING: "strained", Verdict.OK: "well"}
    return words[Verdict.worst(verdicts)]


def _loss(seconds: float) -> str:
    return duration(seconds) if seconds else "nothing"


def _judge(reading: Reading) -> Judgement:
    rows = reading.rows
    amiss = [row for row in rows if row["verdict"] != Verdict.OK]
    said = "; ".join(f"{row['priority']} {row['service']} is {row['state']} ({row['recovered_by']})" for row in amiss)
    verdict = Verdict.worst([Verdict(row["verdict"]) for row in rows])
    return Judgement(verdict, f"{said or f'All {len(rows)} services are well'}.", len(amiss), rows)
