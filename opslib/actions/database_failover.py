"""What the steps of a failover have in common, and the first: the server that loses takes no write any more.

The order is what keeps two servers from taking writes: fenced, then promoted, then the application is led there, then
proven by a write, then the former primary follows. Each step sees for itself that the one before still holds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Progress, Settled
from opslib.actions.database_way import OneWay, Way
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.model import Outcome, Plan, Repeat, Row, Verdict, Verification, now
from opslib.probes.database_failover import BY_EVIDENCE, Loser, Parties, lost, more_of, parties
from opslib.probes.database_servers import PRIMARY, servers
from opslib.redaction import DatabaseUrl
from opslib.settings import Settings
from opslib.systems.postgres_fencing import close_server
from opslib.systems.postgres_promotion import may_promote
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

NOBODY = "none"
PERSON = r"^(none|[a-z0-9][a-z0-9._-]{0,63}(@[a-z0-9][a-z0-9-]{0,62}(\.[a-z0-9][a-z0-9-]{0,62}){0,4})?)$"
"""A person by name, as the allowed signers have it, or nobody."""
NO_UNDO = "None: what both servers wrote since cannot be brought together. Switching back is another failover."
FETCH_SECONDS = 10.0
"""How long a standby gets to fetch the rest of the log from a primary that was closed."""


class FailoverAction(OneWay):
    """A step of a failover; with another ``way`` it does nothing, and nobody has to approve that.

    ``lose`` names the server that loses by its name in the description; by evidence it is the one that does not serve.
    """

    own: ClassVar[Way] = "failover"
    items: ClassVar[tuple[str, ...]] = ("DR-DBF-03",)
    guide: ClassVar[str] = "Failover to replica (if needed): contact Supabase support for managed failover"

    way: Way = "look"
    lose: Loser = BY_EVIDENCE

    def parties(self, target: PlanTarget) -> Parties:
        """Return who loses and who takes over, as both servers are now; raises Refused where nobody could."""
        return parties(list(servers.read(target)), self.lose)

    def both(self, found: Parties) -> dict[str, Any]:
        """Return what a plan remembers of the two: their names in the description, and the database that they hold."""
        return {
            "former": found.former["meant_as"],
            "successor": found.successor["meant_as"],
            "system": found.successor["system_identifier"],
        }


def row_of(target: PlanTarget, meant_as: str) -> Row:
    """Return what the server of that name says of itself now, or that it does not answer."""
    return next(row for row in servers.read(target) if row["meant_as"] == meant_as)


def url_of(settings: Settings, meant_as: str) -> DatabaseUrl:
    """Return a server's address as its owner; raises Refused where the standby's is not described."""
    url = settings.database_url if meant_as == PRIMARY else settings.standby_database_url
    if url is None:
        raise Refused("OPS_STANDBY_DATABASE_URL is not set: nobody here may promote that server.", "Describe it.")
    return url


def still_fenced(target: VerifyTarget, plan: Plan) -> None:
    """Raise Refused unless the former primary takes no writes; what cannot be looked at is no reason to go on."""
    former = row_of(target, str(plan.fingerprint["former"]))
    if former["answers"] and not former["standby"]:
        raise Refused(f"{former['address']} takes writes.", "Nothing is promoted beside it: fence it first.")
    if target.fence_agent.described:
        plug = target.fence_agent.plug(str(former["meant_as"]))
        if target.fence_agent.state(plug) != "off" and not (former["answers"] and former["standby"]):
            raise Refused(f"The fence agent says that {plug} is on.", "Fence it first.")


class FencePrimary(FailoverAction):
    """Closes the server that loses to every session, if it answers, and has the fence agent switch it off.

    ``fenced_by``: who switched it off by hand, where no agent is described. ``decided_by``: who decided on a failover
    that the evidence does not support.
    """

    name: ClassVar[str] = "fence-primary"
    title: ClassVar[str] = "Fence the former primary"
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 600.0
    reason: ClassVar[str] = (
        "The guide promotes without a word on the server that is lost. It may come back by itself, as the primary that "
        "it was, and take writes that nobody will find (hazard GH-15 leaves five minutes for all of it)."
    )

    decided_by: str = Field(NOBODY, pattern=PERSON)
    fenced_by: str = Field(NOBODY, pattern=PERSON)

    def plan(self, target: PlanTarget) -> Plan:
        """Look at both servers; raises Refused where the evidence supports no failover, or nobody could fence."""
        if self.idle:
            return self.nothing()
        found = self.parties(target)
        former, successor = found.former, found.successor
        if found.against and self.decided_by == NOBODY:
            raise Refused(
                f"The evidence supports no failover: {'; '.join(found.against)}.",
                "Look again in half a minute. Where a person knows more than the servers say: -p decided_by=NAME.",
            )
        if not target.may_promote:
            raise Refused("OPS_STANDBY_DATABASE_URL is not set: nobody here may promote.", "Describe it first.")
        agent = target.fence_agent
        plug = agent.plug(str(former["meant_as"])) if agent.described else None
        if plug is None and not former["answers"] and self.fenced_by == NOBODY:
            raise Refused(
                f"{former['address']} does not answer, and no fence agent is described: nobody here can keep it from "
                "coming back.",
                "Switch it off by hand, see that it is off, and name who did: -p fenced_by=NAME.",
            )
        settled = not former["answers"] and successor["standby"] and successor["receiver"] != "streaming"
        more = more_of(target, successor)
        return self.planned(
            before={"server": former["address"], "answers": former["answers"], "meant as": former["meant_as"]},
            after={"takes over": successor["address"], "takes no write": former["address"]},
            touches=1,
            touched="servers switched off" if plug else "servers closed",
            verification="It lets no session in, and the fence agent says that it is off."
            if plug
            else "It lets no session in; that it is off, a person says.",
            undo=NO_UNDO,
            # That the standby receives more would show that the primary lives.
            fingerprint={**self.both(found), "plug": plug, "received": more["received_bytes"] if settled else None},
            observed={
                "lost": lost(found, more, now()),
                "against it": "; ".join(found.against) or "nothing",
                "decided by": self.decided_by,
                "the agent says": agent.state(plug) if plug else f"no agent is described; by hand: {self.fenced_by}",
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Close it, let the successor fetch the rest, switch it off; raises StepFailed where neither could be done.

        Refuses before that where the successor could not be promoted: nobody would take writes then.
        """
        if not plan.touches:
            return {}
        former, plug = str(plan.fingerprint["former"]), plan.fingerprint["plug"]
        with target.admin(url_of(target.settings, str(plan.fingerprint["successor"]))) as session:
            if not may_promote(session):
                raise Refused(f"The role of {session.url.public} may not promote it.", "Grant it pg_promote first.")
        progress("closing it to sessions")
        lsn, why = _closed(target, former)
        missing = None
        if lsn is not None:
            progress("the rest of its log is fetched")
            missing = _fetched(target, str(plan.fingerprint["successor"]), lsn)
        elif plug is None and self.fenced_by == NOBODY:
            raise StepFailed(f"It could not be closed: {why}", "Switch it off by hand, and name who did (fenced_by).")
        if plug is not None:
            progress("switching it off")
            target.fence_agent_writer.off(str(plug))
        return {"closed at": lsn, "not closed": why, "missing bytes": missing, "off": plug is not None}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Try to get in, and ask the agent."""
        if not plan.touches:
            return Verification(Verdict.OK, "Nothing was to be fenced.")
        row = row_of(target, str(plan.fingerprint["former"]))
        rows = ({name: row.get(name) for name in ("address", "answers", "kind", "reason", "standby")},)
        if row["answers"]:
            return Verification(Verdict.CRITICAL, f"{row['address']} lets sessions in. Promote nothing.", rows)
        closed = "It was closed to sessions as well. " if values["closed at"] else ""
        if plug := plan.fingerprint["plug"]:
            if target.fence_agent.state(str(plug)) != "off":
                return Verification(Verdict.CRITICAL, f"The fence agent says that {plug} is on. Promote nothing.", rows)
            return Verification(Verdict.OK, f"The fence agent says that {plug} is off. {closed}{_rest(values)}", rows)
        if closed:
            said = f"{row['address']} lets nobody in, restarted or not. No agent says that it is off. {_rest(values)}"
            return Verification(Verdict.OK, said, rows)
        other = row_of(target, str(plan.fingerprint["successor"]))
        if other["answers"] and other["receiver"] == "streaming":
            said = f"{other['address']} still streams from {row['address']}: it is not off, whatever was said."
            return Verification(Verdict.CRITICAL, said, rows)
        said = f"{row['address']} answers neither us nor its standby. That it is off, {self.fenced_by} says."
        return Verification(Verdict.OK, said, rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Each part of it may be done once more."""
        if not plan.touches:
            return Settled(Outcome.DONE, "Nothing was to be done.", {})
        return Settled(Outcome.PARTLY, "It may be closed and switched off once more.")


def _rest(values: Mapping[str, Any]) -> str:
    if values["missing bytes"] is None:
        return "What it took last and never sent is lost."
    if values["missing bytes"]:
        return f"{values['missing bytes']} bytes of its log were not fetched, and are lost."
    return "All of its log was fetched before: nothing is lost."


def _closed(target: WriteTarget, meant_as: str) -> tuple[str | None, str | None]:
    """Close a server; return how far its log has come, or why that could not be done."""
    try:
        with target.admin(url_of(target.settings, meant_as), past_bar=True) as session:
            return close_server(session), None
    except (Unreachable, StepFailed) as error:
        return None, error.message


def _fetched(target: WriteTarget, successor: str, lsn: str) -> int | None:
    """Wait until the successor has the log up to ``lsn``; return the bytes that it lacks, None where nobody knows."""
    until, row = time.monotonic() + FETCH_SECONDS, row_of(target, successor)
    high, low = (int(part, 16) for part in lsn.split("/"))
    end = (high << 32) + low
    while row["answers"] and row["standby"] and row["received_bytes"] < end and time.monotonic() < until:
        time.sleep(0.2)
        row = row_of(target, successor)
    if not row["answers"] or not row["standby"]:
        # One that takes writes already went another way; one that is silent says nothing.
        return None
    return max(0, end - int(row["received_bytes"]))
