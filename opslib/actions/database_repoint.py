"""The application is led to the server that takes writes: the secret with its DATABASE_URL, and pods that start anew.

Both are one step, as with a rotated key (:mod:`opslib.actions.security_keys_cluster`): pods read their variables when
they start. The address keeps its user, password, database and options; host and port alone are others.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Progress, Settled
from opslib.actions.database_failover import FailoverAction, row_of
from opslib.errors import OpsError, Refused, StepFailed
from opslib.model import Effect, Outcome, Plan, Repeat, Row, Verdict, Verification
from opslib.probes import application_ready
from opslib.probes.application_shapes import WELL
from opslib.probes.database_failover import Parties, server
from opslib.probes.database_servers import PRIMARY
from opslib.probes.questions import question
from opslib.systems.kubernetes_secrets import HeldSecret, Reader
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

VARIABLE = "DATABASE_URL"
MARK = "opslib/database"
"""The annotation of a deployment's template that says for which server, by which run, its pods were started."""
SESSIONS = question("database/failover_sessions")
SEEN_SECONDS, PAUSE = 20.0, 0.5


class RepointApplication(FailoverAction):
    """Sets host and port in every secret by which pods are led to the former primary, and starts these pods anew."""

    name: ClassVar[str] = "repoint-application"
    title: ClassVar[str] = "Lead the application to the new primary"
    does: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    most: ClassVar[int] = 20
    seconds: ClassVar[float] = 4500.0
    reason: ClassVar[str] = (
        "Nothing moves an address when a standby is promoted: the application goes on asking the server that is gone."
    )

    wait_seconds: float = Field(default=600.0, ge=1, le=3600)

    def plan(self, target: PlanTarget) -> Plan:
        """Look where each pod's secret leads; raises Refused for an address that is neither server's."""
        if self.idle:
            return self.nothing()
        found = self.parties(target)
        if target.settings.kubernetes_url is None:
            return self._by_hand(found)
        old, new = (_place(target, row) for row in (found.former, found.successor))
        held = _held(target)
        places = {one.name: _led(one) for one in held}
        if foreign := {name: place for name, place in places.items() if place not in (old, new)}:
            name, place = next(iter(foreign.items()))
            raise Refused(
                f"The secret {name} leads the application to {place}, which is neither {old} nor {new}.",
                "A pooler or a name of its own has to be led by hand; or set OPS_APPLICATION_DATABASE and "
                "OPS_APPLICATION_STANDBY to what the application calls both.",
            )
        if not held:
            raise Refused(f"No secret that pods start with has {VARIABLE}.", "Lead the application by hand.")
        readers = _readers(target, held)
        return self.planned(
            before=dict(sorted(places.items())),
            after={**dict.fromkeys(sorted(places), new), "started anew": sorted(readers)},
            touches=len(held) + len(readers),
            touched="secrets set and deployments started anew",
            verification="Each rollout is over, pods were started for the new address, and the application has "
            "sessions there.",
            undo="None: the former primary is fenced. Switching back is another failover.",
            fingerprint={
                **self.both(found),
                "place": new,
                "secrets": {one.name: one.meta.uid for one in held},
                "readers": {name: one.meta.uid for name, one in sorted(readers.items())},
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Set each secret, mark each deployment, wait for pods; refuses while the new address takes no writes."""
        if not plan.touches:
            return {}
        row = row_of(target, str(plan.fingerprint["successor"]))
        if not row["answers"] or row["standby"]:
            raise Refused(f"{row['address']} takes no writes.", "Nobody is led there.")
        place = str(plan.fingerprint["place"])
        for one in _planned(target, plan):
            key, url = _url(one)
            if url.place != place:
                target.cluster_secrets_writer.set_value(one.name, key, url.at_place(place), one.meta.version)
                progress(f"{one.name} leads to {place}")
        cluster, names, mark = target.cluster_secrets_writer, list(plan.fingerprint["readers"]), _mark(target, plan)
        cluster.restart_all(lambda: cluster.readers_named(names), MARK, mark)
        return {"in_time": cluster.wait_started(names, MARK, mark, self.wait_seconds, progress)}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at secrets, rollouts and pods; then whether the application is served, and from where."""
        if self.idle:
            return Verification(Verdict.OK, "Nothing was to be led.")
        if not plan.touches:
            return _served(target, plan, [])
        place = str(plan.fingerprint["place"])
        astray = [one.name for one in _planned(target, plan) if _led(one) != place]
        if astray:
            return Verification(Verdict.CRITICAL, f"Not led to {place}: {', '.join(astray)}.")
        rows = self._rows(target, plan)
        if late := [row["deployment"] for row in rows if row["rollout"] != "over" or row["started before"]]:
            said = f"The secrets lead to {place}, but {', '.join(late)} has pods that were started before."
            return Verification(Verdict.CRITICAL, said, tuple(rows))
        return _served(target, plan, rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """What was set stays set, and what was started anew is not started once more."""
        if not plan.touches:
            return Settled(Outcome.DONE, "Nothing was to be done.", {})
        return Settled(Outcome.PARTLY, "What is left of it may be done.")

    def _by_hand(self, found: Parties) -> Plan:
        """Return the plan where no cluster is described: a person leads, and the verification waits for it."""
        url = found.successor["address"]
        return self.planned(
            before={},
            after={"led by a person to": url},
            touches=0,
            touched="nothing: no cluster is described (OPS_KUBERNETES_URL)",
            verification="The application has sessions at the new primary, and calls its database healthy.",
            undo="None is needed.",
            fingerprint={**self.both(found), "place": url},
        )

    def _rows(self, target: VerifyTarget, plan: Plan) -> list[dict[str, Any]]:
        mark = _mark(target, plan)
        return [
            {
                "deployment": one.deployment,
                "rollout": "over" if one.over else "under way",
                "pods": len(one.marks),
                "started before": len(one.before(mark)),
            }
            for one in target.cluster_secrets.started(list(plan.fingerprint["readers"]), MARK)
        ]


def _served(target: VerifyTarget, plan: Plan, rows: list[dict[str, Any]]) -> Verification:
    """Ask the application whether it has its database, and the new primary whether it has the application."""
    place, names = plan.fingerprint["place"], list(target.settings.application_names)
    said = f"{sum(row['pods'] for row in rows)} pods were started for {place}" if rows else f"It is led to {place}"
    until = time.monotonic() + SEEN_SECONDS
    try:
        while True:
            health = _health(target)
            where = server(target, str(plan.fingerprint["successor"]))
            found: list[Row] = list(where.ask(SESSIONS, {"names": names})) if names else []
            missing = sorted(set(names) - {str(row["application_name"]) for row in found})
            if (not missing and health in (None, *WELL)) or time.monotonic() > until:
                break
            time.sleep(PAUSE)
    except OpsError as error:
        return Verification(Verdict.UNKNOWN, f"{said}; whether it is served, nobody could see: {error}", tuple(rows))
    shown = (*rows, *({"deployment": None, **row} for row in found))
    if health not in (None, *WELL):
        return Verification(Verdict.CRITICAL, f"{said}; the application says of its database: {health}.", shown)
    if missing or (health is None and not names):
        who = ", ".join(missing) or "the application (OPS_APPLICATION_NAMES)"
        return Verification(Verdict.UNKNOWN, f"{said}; no session of {who} was seen there.", shown)
    sessions = (
        f"it has sessions there ({sum(row['sessions'] for row in found)})" if names else "its sessions have no name"
    )
    word = f"calls its database {health}" if health else "says nothing of its database"
    return Verification(Verdict.OK, f"{said}; {sessions}, and {word}.", shown)


def _health(target: VerifyTarget) -> str | None:
    """Return what the application says of its database, None where it says nothing; raises Unreachable.

    The question makes it ask its database, so that a quiet one has a session there too.
    """
    if target.settings.application_url is None:
        return None
    (ready,) = application_ready.read(target)
    said = ready["parts"].get("database")
    return None if said is None else str(said)


def _place(target: PlanTarget, row: Row) -> str:
    """Return how the application names a server."""
    said = target.settings
    first = row["meant_as"] == PRIMARY
    named = said.application_database if first else said.application_standby
    return named or server(target, str(row["meant_as"])).url.place


def _held(target: PlanTarget) -> list[HeldSecret]:
    return [one for one in target.cluster_secrets.read_by_pods() if one.key_of(VARIABLE)]


def _planned(target: PlanTarget, plan: Plan) -> list[HeldSecret]:
    known = plan.fingerprint["secrets"]
    found = [one for one in _held(target) if one.name in known]
    if {one.name: one.meta.uid for one in found} != known:
        raise StepFailed("A secret that leads the application was made anew since.", "Look who did; then run again.")
    return found


def _readers(target: PlanTarget, held: list[HeldSecret]) -> dict[str, Reader]:
    return {reader.name: reader for one in held for reader in target.cluster_secrets.readers(one.name)}


def _url(one: HeldSecret) -> tuple[str, Any]:
    key = one.key_of(VARIABLE)
    assert key is not None
    url = one.database(key)
    if url is None:
        raise Refused(f"{key} of the secret {one.name} is no text.", "Lead the application by hand.")
    return key, url


def _led(one: HeldSecret) -> str:
    return str(_url(one)[1].place)


def _mark(target: PlanTarget, plan: Plan) -> str:
    return f"{plan.fingerprint['place']}@{target.run}"
