"""The API's name led to another site: the recovery site, or its own again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.dependencies_follow import Followed, Look, everybody, follow, judged
from opslib.errors import Refused, Unreachable
from opslib.guide.thresholds import threshold
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification, now
from opslib.probes import dependencies_records as records
from opslib.probes import dependencies_sites as sites
from opslib.settings_sites import literal
from opslib.systems.names_servers import Told
from opslib.systems.object_errors import StoreError
from opslib.systems.target import PlanTarget, ReadTarget, VerifyTarget, WriteTarget
from opslib.systems.zones import RecordSet

TTL = int(threshold("failover-ttl").warning or 60)
AGAIN = frozenset({"PriorRequestNotComplete", "Throttling", "ThrottlingException"})
"""Refusals of Route 53 after which nothing was changed and the same may be asked again."""
TRIES, TRY_SECONDS = 5, 2.0
UNDO = "The record sets of before stand in the plan and are set again, by the same step the other way round."


class SwitchSite(Action):
    """Leads the API's name (OPS_API_HOST) ``to`` a site (none: it stays).

    One batch deletes what is there and creates the new; a record that moved since the plan makes it fail. Refused
    while the site does not serve when it is asked by the API's name, and while the recovery site's data may be older
    than ``data_minutes`` (0: nobody looks). ``wait_seconds`` is how long the change is followed.
    """

    name: ClassVar[str] = "switch-site"
    title: ClassVar[str] = "Lead the API's name to another site"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "dependencies"
    most: ClassVar[int] = 6
    seconds: ClassVar[float] = 7200.0
    items: ClassVar[tuple[str, ...]] = ("DR-SYS-03",)
    guide: ClassVar[str] = (
        "aws route53 change-resource-record-sets --hosted-zone-id $HOSTED_ZONE_ID --change-batch "
        "file://dns-failover.json"
    )
    reason: ClassVar[str] = (
        "The guide's file does not exist (GH-01), and it saves neither what was there before nor looks at how long "
        "answers are kept (GH-19). The batch is made of what the zone has now, so an address of another kind (AAAA) "
        "does not stay behind; INSYNC is not believed: every name server is asked, then resolvers, then the API."
    )

    to: Literal["none", "recovery", "own"]
    data_minutes: float = Field(default=60.0, ge=0, le=10_080)
    wait_seconds: float = Field(default=900.0, ge=1, le=3600)

    def plan(self, target: PlanTarget) -> Plan:
        """Look at zone, name servers and site; raises Refused for what is not changed here, or a site not ready."""
        if self.to == "none":
            return self._nothing()
        settings = target.settings
        places = sites.places(settings, self.to)
        kept = sites.kept(target)
        if why := records.unfit(kept.zone, settings.api_host, kept.sets, kept.above, not all(map(literal, places))):
            raise Refused(f"{why[0].upper()}{why[1:]}.", "Change it by hand, where it is kept.")
        _delegated(target, kept.zone.name, kept.zone.name_servers)
        before = records.leading(kept.sets)
        told = target.name_servers.ask(sites.authoritative(target, kept.zone), settings.api_host)
        after = _after(settings.api_host, places, before, told)
        limits = records.limits(before, after, told)
        batch = records.changes(before, after)
        return self.planned(
            before=records.said(before),
            after=records.said(after),
            touches=len(batch),
            touched="record sets deleted or created, in one batch",
            verification=_verification(limits),
            undo=UNDO,
            fingerprint={
                "zone": kept.zone.id,
                "name": settings.api_host,
                "before": records.plain_sets(before),
                "after": records.plain_sets(after),
                "keeps": limits["old"],
                "none": limits["none"],
            },
            observed={
                "zone": f"{kept.zone.name} ({', '.join(kept.zone.name_servers)})",
                "name servers say": {one.server.name: one.why or ", ".join(one.addresses) or "nothing" for one in told},
                **self._ready(target, self.to),
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Send the batch, then follow it; raises Refused, with nothing changed, where the records moved meanwhile."""
        if not plan.fingerprint:
            return {"change": None, "at": now().isoformat(), "followed_seconds": 0.0, "drained": None}
        before, after = _sets(plan, "before"), _sets(plan, "after")
        servers = everybody(target)
        change = self._sent(target, plan, before, after, progress)
        seen, seconds = follow(target, servers, _followed(plan, change, after), self.wait_seconds, progress)
        return _values(change, seen, seconds)

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Ask everybody once more, and the API by its name; a change that nobody followed is followed first."""
        if not plan.fingerprint:
            return Verification(Verdict.OK, "The name was to stay where it leads.")
        followed = _followed(plan, values["change"], _sets(plan, "after"))
        wait = 0.0 if values["followed_seconds"] is not None else self.wait_seconds
        seen, seconds = follow(target, everybody(target), followed, wait)
        return judged(target, followed, seen, seconds + (values["followed_seconds"] or 0.0))

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look at the record sets: as planned, as before, or somebody else's.

        A batch that is still under way does no harm: sent again it deletes what is not there any more, and is refused.
        """
        if not plan.fingerprint:
            return Settled(Outcome.NOT_DONE, "The name was to stay where it leads.")
        there = _there(target, plan)
        if records.same(there, _sets(plan, "after")):
            values = {"change": None, "at": now().isoformat(), "followed_seconds": None, "drained": None}
            return Settled(Outcome.DONE, "The record sets are as planned.", values)
        if records.same(there, _sets(plan, "before")):
            return Settled(Outcome.NOT_DONE, "The record sets are as before.")
        return Settled(Outcome.UNKNOWN, f"The record sets are others: {records.said(there)}.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Set the record sets of before again, and follow that; raises Refused where somebody changed them since."""
        if not plan.fingerprint:
            return Verification(Verdict.OK, "The name stayed where it leads.")
        before, after = _sets(plan, "before"), _sets(plan, "after")
        servers, there = everybody(target), _there(target, plan)
        change = None
        if not records.same(there, before):
            if not records.same(there, after):
                raise Refused(f"The record sets were changed since: {records.said(there)}.", "See who did; plan anew.")
            change = self._sent(target, plan, after, before, progress)
        keeps = max((int(one["TTL"]) for one in after if "TTL" in one), default=None)
        left = [value for one in after for value in records.values(one)]
        followed = Followed(change, before, left, keeps)
        seen, seconds = follow(target, servers, followed, self.wait_seconds, progress)
        return judged(target, followed, seen, seconds)

    def _sent(
        self,
        target: WriteTarget,
        plan: Plan,
        before: Sequence[RecordSet],
        after: Sequence[RecordSet],
        progress: Progress,
    ) -> str | None:
        """Send what leads from ``before`` to ``after``; returns the change's id, None where its answer was lost."""
        if not (batch := records.changes(before, after)):
            return None
        if not records.same(there := _there(target, plan), before):
            raise Refused(f"The record sets were changed since: {records.said(there)}.", "See who did; plan anew.")
        zone, comment = str(plan.fingerprint["zone"]), f"opslib:{target.run} {self.name}"
        for left in reversed(range(TRIES)):
            try:
                return target.zones_writer.change(zone, batch, comment)
            except StoreError as error:
                if error.code == "InvalidChangeBatch":
                    why = "Route 53 refused the whole batch: the record sets moved at that moment."
                    raise Refused(why, "Nothing was changed. Look who else changes them; plan anew.") from error
                if error.code in AGAIN and left:
                    progress(f"Route 53 asks to wait ({error.code})")
                    time.sleep(TRY_SECONDS)
                    continue
                if not records.same(_there(target, plan), after):
                    raise
                return None
            except Unreachable:
                # What became of a batch whose answer was lost, the record sets say.
                if not records.same(_there(target, plan), after):
                    raise
                return None
        raise AssertionError("the last try returned or raised")

    def _nothing(self) -> Plan:
        stays = {"the name": "stays where it leads"}
        return self.planned(
            before=stays,
            after=stays,
            touches=0,
            touched="record sets",
            verification="Nothing is looked at: the name is not to be led elsewhere.",
            undo="None is needed.",
        )

    def _ready(self, target: ReadTarget, to: sites.Which) -> dict[str, Any]:
        """Return how the site is, and how old its data; raises Refused where it does not serve."""
        rows = sites.site_rows(target, to)
        if bad := [row for row in rows if row["state"] not in sites.WELL]:
            said = f"The {to} site does not serve at {bad[0]['address'] or 'any address'} ({bad[0]['state']})"
            raise Refused(f"{said}: {bad[0]['why']}", "Bring it up first; the name stays where it is.")
        seen: dict[str, Any] = {"site": {row["address"]: row["state"] for row in rows}, "data": "its own"}
        if to == "recovery":
            seen["data"] = self._fresh(target)
        other: sites.Which = "own" if to == "recovery" else "recovery"
        if target.settings.site if other == "own" else target.settings.recovery_site:
            left = sites.site_rows(target, other)
            seen[f"the {other} site, now"] = {row["address"]: row["state"] for row in left}
        return seen

    def _fresh(self, target: ReadTarget) -> str:
        if not self.data_minutes:
            return "nobody looked how old it is (data_minutes=0)"
        data = sites.data_of(target)
        if data.seconds is None or data.seconds > self.data_minutes * 60:
            age = "nobody knows how old" if data.seconds is None else f"up to {data.seconds / 60:.0f} minutes old"
            raise Refused(
                f"The recovery site's data is {age}: {data.says}.",
                "disaster/recover-database first; or accept that, with a higher data_minutes, or 0.",
            )
        return f"at most {data.seconds:g} s old: {data.says}"


def _delegated(target: ReadTarget, zone: str, given: Sequence[str]) -> None:
    """Raise Refused where everybody is led to other name servers than the zone's: there may be two of one name."""
    whys = []
    for resolver in sites.asked(target.settings):
        found, why = target.name_servers.delegated(resolver, zone)
        if found and found != set(given):
            said = f"{zone} is answered for by {', '.join(sorted(found))}, which are not the name servers of this zone"
            raise Refused(
                f"{said}: a change here would reach nobody.", "Set HOSTED_ZONE_ID to the zone that is in use."
            )
        if found:
            return
        whys.append(why or "no answer")
    why = whys[0] if whys else "no resolver is described"
    raise Unreachable(
        f"Who answers for {zone} is not known: {why}.", "Set OPS_RESOLVER or OPS_PUBLIC_RESOLVERS.", "dns"
    )


def _after(
    host: str, places: Sequence[str], before: Sequence[RecordSet], told: Sequence[Told]
) -> tuple[RecordSet, ...]:
    """Return the record sets wanted: those that are there already, where they lead to the same places."""
    if records.leads_to(before, places):
        return tuple(before)
    known = records.limits(before, (), told)["old"]
    return records.wanted(host, places, TTL if known is None else max(1, min(TTL, known)))


def _verification(limits: Mapping[str, int | None]) -> str:
    old = "an unknown time" if limits["old"] is None else f"{limits['old']} s"
    said = f"Route 53 says INSYNC, every name server of the zone answers so, then every resolver, at the latest {old} "
    said += "later (what is kept of before), and the API is ready at what the name leads to."
    if limits["none"]:
        said += f" That a kind of address is not there may be kept for {limits['none']} s: the other kind leads there."
    return said


def _sets(plan: Plan, which: str) -> tuple[RecordSet, ...]:
    return tuple(plan.fingerprint[which])


def _there(target: WriteTarget, plan: Plan) -> tuple[RecordSet, ...]:
    """Return the record sets that lead somewhere now, as the writing credentials see them."""
    return records.leading(target.zones_writer.at(str(plan.fingerprint["zone"]), str(plan.fingerprint["name"])))


def _followed(plan: Plan, change: str | None, wanted: Sequence[RecordSet]) -> Followed:
    left = [value for one in _sets(plan, "before") for value in records.values(one)]
    return Followed(change, wanted, left, plan.fingerprint["keeps"])


def _values(change: str | None, seen: Look, seconds: float) -> dict[str, Any]:
    return {"change": change, "at": now().isoformat(), "followed_seconds": seconds, "drained": seen.drained}
