"""The front end's production pointed at an older deployment, and what is live afterwards compared with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.frontend_following import arrived, follow, looks, newer, nobody_else
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.probes.frontend import front_end
from opslib.probes.frontend_documents import Document, look
from opslib.probes.frontend_targets import obstacle, previous
from opslib.systems.hosting import Deployment, ReadOnlyHosting, Stage, Standing
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

PREVIOUS, NOWHERE = "previous", "none"
BACK = "as they were when it was built: what was set or rotated since is not in it"
LEFT = "as they are now: no rollback takes them back"


class RollBackFrontEnd(Action):
    """Points production at ``deployment``: an id, ``previous`` for the newest one that was live before, or ``none``.

    One call, then followed to its end for at most ``wait_seconds``. Nothing is built; undone by the way forward.
    """

    name: ClassVar[str] = "roll-back-front-end"
    title: ClassVar[str] = "Roll the front end back"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "delivery"
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 2 * 3600.0
    items: ClassVar[tuple[str, ...]] = ("RUN-RBK-02",)
    guide: ClassVar[str] = "vercel rollback <deployment-url>"
    reason: ClassVar[str] = (
        "The guide's command takes any address and says nothing of what comes back and what does not (GH-05): the old "
        "build has the environment variables of its time, rotated keys among them, and meets today's database; at "
        "Vercel no later push goes live until something is promoted. Here the target must have been live before, "
        "nobody may have deployed in between, and what users get afterwards is compared with the deployment itself."
    )

    deployment: str = Field(default=PREVIOUS, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    wait_seconds: float = Field(default=300.0, ge=0.1, le=3600)

    def plan(self, target: PlanTarget) -> Plan:
        """Find both deployments; raises Refused where production cannot, or must not, go back to that one."""
        if self.deployment == NOWHERE:
            return self._nothing()
        hosting, address = target.hosting, front_end(target)
        standing = hosting.current()
        nobody_else(standing)
        if standing.deployment is None:
            raise Refused("Production points at no deployment, so there is nothing to go back from.", "Deploy first.")
        here, there = self._both(hosting, standing.deployment)
        own, production = look(target.web, there.address), look(target.web, address)
        _is_served(there, own)
        before = {"production": here.id, "commit": here.commit, "later pushes": _pushes(standing.pinned)}
        held = True if hosting.pins else standing.pinned
        after = {
            "production": there.id,
            "commit": there.commit,
            "later pushes": _pushes(held) + ("" if held else ", and the next one takes this rollback back"),
        }
        return self.planned(
            before={**before, "variables and scheduled jobs": "as built", "data, migrations, functions": "as they are"},
            after={**after, "variables and scheduled jobs": BACK, "data, migrations, functions": LEFT},
            touches=1,
            touched="project's production addresses",
            verification="The hoster says that production points at the older deployment, and whether later pushes are "
            "held back; the document at the front end's address is the one at that deployment's own address.",
            undo=f"Production is pointed at {here.id} again, and that is verified as well. Refused once somebody else "
            "has deployed.",
            fingerprint={
                "hoster": hosting.hoster,
                "project": hosting.project,
                "current": here.id,
                "target": there.id,
                "held back": standing.pinned,
                "last request": standing.move.at.isoformat() if standing.move else None,
            },
            observed={
                "built": there.created.isoformat(timespec="seconds"),
                "production's document": production.sha256 or production.word,
                "the deployment's document": own.sha256 or own.word,
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Ask once and follow; raises Refused before that where somebody deployed, or the target is gone."""
        if not plan.touches:
            return {}
        hosting, wanted = target.hosting_writer, str(plan.fingerprint["target"])
        standing = hosting.current()
        if standing.deployment == wanted and newer(standing, plan):
            return _values(standing)
        nobody_else(standing)
        since = newer(standing, plan)
        if standing.deployment != plan.fingerprint["current"] or (since and since.target != wanted):
            raise Refused(
                f"Somebody deployed meanwhile: production points at {standing.deployment}, not at "
                f"{plan.fingerprint['current']} as planned.",
                "Look what went live, and whether it mends what was wrong; then plan again.",
            )
        _, there = self._both(hosting, str(standing.deployment), wanted)
        progress(f"asking {hosting.hoster} for {there.id}")
        asked = standing.move.at if standing.move else None
        hosting.roll_back(there.id)
        return _values(follow(hosting, wanted, asked, self.wait_seconds, progress))

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Ask the hoster and both addresses; the edge may take a moment."""
        if not plan.touches:
            return Verification(Verdict.OK, "It was not asked for: production stays where it is.")
        wanted, before = str(plan.fingerprint["target"]), plan.fingerprint
        held = True if target.hosting.pins else before["held back"]
        left = values.get("from")
        amiss = "" if left in (None, before["current"]) else f"production was at {left} when it moved, not as planned"
        return looks(target, wanted, held, self.wait_seconds, plan, amiss)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Ask where production points, and what became of a request that is newer than the plan."""
        if not plan.touches:
            return Settled(Outcome.DONE, "Nothing was to be done.", {})
        hosting, wanted = target.hosting_writer, str(plan.fingerprint["target"])
        standing = arrived(hosting, plan, self.wait_seconds)
        asked = newer(standing, plan)
        if asked and asked.target == wanted and asked.stage is Stage.UNDER_WAY:
            try:
                follow(hosting, wanted, None, self.wait_seconds, progress)
            except StepFailed as error:
                progress(error.message)
            standing = hosting.current()
            asked = newer(standing, plan)
        if asked and asked.stage is Stage.UNDER_WAY:
            return Settled(Outcome.UNKNOWN, f"{hosting.hoster} is still moving production to {asked.target}.")
        if standing.deployment == wanted:
            return Settled(Outcome.DONE, f"Production points at {wanted}.", _values(standing))
        if asked and asked.target == wanted and standing.deployment == plan.fingerprint["current"]:
            why = f"{hosting.hoster} gave the move to {wanted} up; some addresses may have moved."
            return Settled(Outcome.PARTLY, f"{why} It may be asked again.")
        if asked is None and standing.deployment == plan.fingerprint["current"]:
            return Settled(Outcome.NOT_DONE, f"Production points at {standing.deployment}, as before.")
        return Settled(Outcome.UNKNOWN, f"Production points at {standing.deployment}: somebody else deployed.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Point production at what was live before; raises Refused where somebody deployed since."""
        hosting, back, held = target.hosting_writer, str(plan.fingerprint["current"]), plan.fingerprint["held back"]
        standing = hosting.current()
        nobody_else(standing)
        if standing.deployment not in (back, plan.fingerprint["target"]):
            raise Refused(
                f"Production points at {standing.deployment}: somebody deployed since the rollback.",
                "That undo would take it back too. Decide what shall be live, and promote that.",
            )
        if standing.deployment != back:
            # What was held back before stays so: a promotion would let the next push go live.
            ask = hosting.roll_back if held else hosting.promote
            ask(back)
            follow(hosting, back, standing.move.at if standing.move else None, self.wait_seconds, progress)
        return looks(target, back, held, self.wait_seconds, plan)

    def _nothing(self) -> Plan:
        """Return the plan of nothing, which asks no hoster."""
        return self.planned(
            before={"production": "as it is"},
            after={"production": "as it is"},
            touches=0,
            touched="project's production addresses",
            verification="None: it is not asked for.",
            undo="None is needed.",
        )

    def _both(self, hosting: ReadOnlyHosting, live: str, wanted: str = "") -> tuple[Deployment, Deployment]:
        """Return the live deployment and the target; raises Refused where production cannot go back to it."""
        listed = hosting.deployments()
        here = _find(hosting, listed, live, "The live deployment")
        wanted = wanted or self.deployment
        if wanted == PREVIOUS:
            there = previous(listed, live)
            if there is None:
                raise Refused("No older deployment is left that was live before.", "Deploy a mended commit instead.")
            return here, there
        there = _find(hosting, listed, wanted, "The deployment")
        if why := obstacle(there, live):
            raise Refused(f"{there.id} {why}.", "Choose another: the run lists what production could go back to.")
        return here, there


def _find(hosting: ReadOnlyHosting, listed: list[Deployment], id: str, what: str) -> Deployment:
    found = next((one for one in listed if one.id == id), None)
    if found is not None:
        return found
    try:
        return hosting.deployment(id)
    except Unreachable as error:
        if error.kind != "missing":
            raise
        raise Refused(f"{what} {id} is not there: deleted, or another project's.", "Choose one that is kept.") from None


def _is_served(there: Deployment, own: Document) -> None:
    if own.word in ("absent", "unhealthy"):
        raise Refused(
            f"{there.id} is said to be ready, but its own address {own.why}: production would do so too.",
            "Choose another deployment.",
        )


def _pushes(held: bool | None) -> str:
    if held is None:
        return "not told"
    return "are held back until something is promoted" if held else "go live"


def _values(standing: Standing) -> dict[str, Any]:
    move = standing.move
    return {
        "deployment": standing.deployment,
        "from": move.source if move and move.target == standing.deployment else None,
        "asked": move.at.isoformat() if move else None,
    }
