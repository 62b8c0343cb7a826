"""A move of production followed to its end, and looked at afterwards."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from opslib.actions.base import Progress
from opslib.errors import Refused, StepFailed
from opslib.model import Plan, Rows, Verdict, Verification, now
from opslib.probes.frontend import front_end
from opslib.probes.frontend_documents import Document, compared, look
from opslib.systems.hosting import Move, ReadOnlyHosting, Stage, Standing
from opslib.systems.target import VerifyTarget

PAUSE_SECONDS = 0.5
LATE_SECONDS = 5.0
"""How much later than its caller gave up a call may arrive."""
STALE_SECONDS = 600
"""A request that is still under way after this was forgotten by the hoster, and holds nobody up any more."""
EDGE_SECONDS = 60.0
"""How long the addresses may lag behind what the hoster says, at most."""


def nobody_else(standing: Standing) -> None:
    """Raise Refused while a request to move production is under way, unless the hoster has forgotten it."""
    move = standing.move
    if move and move.stage is Stage.UNDER_WAY and (now() - move.at).total_seconds() < STALE_SECONDS:
        raise Refused(f"A request to move production to {move.target} is under way.", "Let it come to its end.")


def newer(standing: Standing, plan: Plan) -> Move | None:
    """Return the last request if it came after ``plan`` was made."""
    then, move = plan.fingerprint["last request"], standing.move
    return move if move and (then is None or move.at > datetime.fromisoformat(str(then))) else None


def follow(
    hosting: ReadOnlyHosting, wanted: str, since: datetime | None, seconds: float, progress: Progress
) -> Standing:
    """Wait until production points at ``wanted``; ``since`` is the request before ours.

    Raises StepFailed when the hoster gives up, when somebody asks for something else, or after ``seconds``.
    """
    began = time.monotonic()
    while True:
        standing = hosting.current()
        move = standing.move if standing.move and (since is None or standing.move.at > since) else None
        if move and move.target != wanted:
            raise StepFailed(f"Somebody asked that production point at {move.target} meanwhile.", "Ask who it was.")
        if move and move.stage is Stage.FAILED:
            raise StepFailed(
                f"{hosting.hoster} gave the move of production to {wanted} up.",
                "See at the hoster which addresses moved, and why the others did not.",
            )
        if standing.deployment == wanted and (move is None or move.stage is Stage.DONE):
            return standing
        waited = time.monotonic() - began
        if waited > seconds:
            raise StepFailed(
                f"Production points at {standing.deployment} after {seconds:g} s, not at {wanted}.",
                "See at the hoster what holds it up.",
            )
        progress(f"{hosting.hoster} moves production to {wanted}", waited, seconds)
        time.sleep(PAUSE_SECONDS)


def arrived(hosting: ReadOnlyHosting, plan: Plan, seconds: float) -> Standing:
    """Return how production stands once a request that is newer than ``plan`` shows, or after a while without one.

    A call whose answer was lost may reach the hoster a moment later than the look for it.
    """
    until = time.monotonic() + min(seconds, LATE_SECONDS)
    while True:
        standing = hosting.current()
        same = standing.deployment == plan.fingerprint["current"] and newer(standing, plan) is None
        if not same or time.monotonic() > until:
            return standing
        time.sleep(PAUSE_SECONDS)


def looks(target: VerifyTarget, wanted: str, held: Any, seconds: float, plan: Plan, amiss: str = "") -> Verification:
    """Return whether production points at ``wanted`` and serves it, and whether pushes are held back as ``held`` says.

    ``amiss`` is what was seen before, and is told with a WARNING.
    """
    hosting = target.hosting
    standing = hosting.current()
    if standing.deployment != wanted:
        said = f"Production points at {standing.deployment}, not at {wanted}."
        return Verification(Verdict.CRITICAL, said, _rows(plan, standing))
    production, own = _documents(target, hosting.deployment(wanted).address, min(seconds, EDGE_SECONDS))
    rows = _rows(plan, standing, production, own)
    if production.word in ("absent", "unhealthy"):
        said = f"Production points at {wanted}, but its address {production.why}."
        return Verification(Verdict.CRITICAL, said, rows)
    alike = compared(production, own)
    if alike == "unknown":
        one = production if production.word != "served" else own
        said = f"Production points at {wanted}; what it serves could not be compared: {one.address} is {one.word}"
        return Verification(Verdict.UNKNOWN, f"{said} ({one.why}).", rows)
    if alike == "different":
        said = f"Production points at {wanted}, but serves another document: purge the edge's cache, then look again."
        return Verification(Verdict.CRITICAL, said, rows)
    if standing.pinned != held:
        amiss = amiss or f"later pushes are {'' if standing.pinned else 'not '}held back, other than expected"
    if amiss:
        return Verification(Verdict.WARNING, f"Production points at {wanted} and serves it; {amiss}.", rows)
    return Verification(Verdict.OK, f"Production points at {wanted} and serves its {_what(alike)}.", rows)


def _documents(target: VerifyTarget, address: str, seconds: float) -> tuple[Document, Document]:
    until = time.monotonic() + seconds
    while True:
        production, own = look(target.web, front_end(target)), look(target.web, address)
        if compared(production, own) in ("same", "same files") or time.monotonic() > until:
            return production, own
        if own.word in ("not allowed", "elsewhere"):
            return production, own
        time.sleep(PAUSE_SECONDS)


def _rows(plan: Plan, standing: Standing, production: Document | None = None, own: Document | None = None) -> Rows:
    rows: list[dict[str, Any]] = [
        {"what": "production", "planned from": plan.fingerprint["current"], "now": standing.deployment},
        {"what": "later pushes held back", "planned from": plan.fingerprint["held back"], "now": standing.pinned},
    ]
    if production and own:
        then = plan.observed.get("production's document")
        rows += [
            {"what": "document of production", "planned from": then, "now": production.sha256 or production.word},
            {"what": "document of the deployment", "planned from": None, "now": own.sha256 or own.word},
        ]
    return tuple(rows)


def _what(alike: str) -> str:
    return "document" if alike == "same" else "files"
