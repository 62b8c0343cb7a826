"""Materialised views brought up to date while they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from opslib.actions.base import Action, Progress
from opslib.actions.database_upkeep import following, on_primary, same_server, telling
from opslib.errors import Refused
from opslib.model import Effect, Plan, Repeat, Verdict, Verification
from opslib.probes.questions import question
from opslib.systems.postgres_upkeep import refresh_view
from opslib.systems.target import ReadTarget, VerifyTarget, WriteTarget

UNFIT = "not refreshed: no unique index over plain columns, so readers would be locked out"
EMPTY = "not refreshed: never filled, so readers would be locked out"


class RefreshViews(Action):
    """``REFRESH MATERIALIZED VIEW CONCURRENTLY`` of each view that allows it; the others are named, not locked."""

    name: ClassVar[str] = "refresh-views"
    title: ClassVar[str] = "Refresh the materialised views"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    most: ClassVar[int] = 20
    seconds: ClassVar[float] = 2 * 3600.0
    items: ClassVar[tuple[str, ...]] = ("MNT-DB-02",)
    guide: ClassVar[str] = "SELECT refresh_agent_performance_metrics();"
    reason: ClassVar[str] = (
        "The function is not in the schema in force, and where an archived migration creates it, it fails: REFRESH "
        "… CONCURRENTLY needs a unique index (GH-22). Without CONCURRENTLY nobody can read the view the while. So each "
        "view is refreshed as it is there, and only if it may be read meanwhile."
    )

    def plan(self, target: ReadTarget) -> Plan:
        """Name each view, and why one is left out."""
        on_primary(target)
        rows = target.database.ask(question("database/materialised_views"))
        goes = [row for row in rows if row["has_unique_index"] and row["filled"]]
        word = {row["view"]: UNFIT if row["filled"] else EMPTY for row in rows if row not in goes}
        return self.planned(
            before={row["view"]: "as of its last refresh" for row in goes} | word,
            after={row["view"]: "as of this step" for row in goes} | word,
            touches=len(goes),
            touched="views refreshed",
            verification="Each is filled, and the server has carried out its refresh.",
            undo="None is needed: a view holds only what its tables say.",
            fingerprint={"views": [[row["view"], row["oid"]] for row in goes]},
            observed={row["view"]: {"rows, about": row["rows_estimate"]} for row in rows},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Refresh one after another; raises Refused when one is not the view that was planned with."""
        same_server(target)
        planned = {str(view): int(oid) for view, oid in plan.fingerprint["views"]}
        there = {row["view"]: row for row in target.database.ask(question("database/materialised_views"))}
        gone = [view for view, oid in planned.items() if view not in there or there[view]["oid"] != oid]
        if gone:
            raise Refused(f"{', '.join(gone)} is not the view that was planned with.", "Plan again.")
        with following(target) as follower:
            for number, view in enumerate(planned):
                progress(f"Refreshing {view}", number, len(planned))
                follower.carry_out(
                    refresh_view(there[view]["schema"], there[view]["name"]),
                    what=f"refresh {view}",
                    seconds=self.seconds,
                    tell=telling(progress, view),
                )
        return {"refreshed": list(planned), "left out": sorted(set(plan.after) - set(planned))}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look that each is filled; those that had to be left out are told."""
        there = {row["view"]: row for row in target.database.ask(question("database/materialised_views"))}
        empty = [view for view in values["refreshed"] if view not in there or not there[view]["filled"]]
        if empty:
            return Verification(Verdict.CRITICAL, f"Not filled: {', '.join(empty)}.")
        count, left = len(values["refreshed"]), values["left out"]
        said = f"{count} views refreshed" if count else "There is no materialised view that could be refreshed"
        return Verification(Verdict.OK, f"{said}; left out: {', '.join(left)}." if left else f"{said}.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Do nothing: the view holds what its tables say."""
        return Verification(Verdict.OK, "Nothing is to be brought back: the views hold what their tables say.")
