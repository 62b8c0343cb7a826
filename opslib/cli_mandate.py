"""``ops mandate``: let a schedule apply plans like one that was read, so often and so long; or take that back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from opslib import places
from opslib.cli_approve import confirm, described, requesters_of, shown, trust_of
from opslib.console import answering, print_json, say, tell
from opslib.errors import Refused, UsageError
from opslib.model import now

if TYPE_CHECKING:
    from opslib.archive.store import Archive
    from opslib.runs.mandate import Mandate
    from opslib.runs.saved_plan import SavedPlan
    from opslib.runs.signed import Trust


@click.command("mandate")
@click.argument("plan")
@click.option("--days", type=click.IntRange(1, 90), help="How long it lasts.")
@click.option("--uses", type=click.IntRange(1, 2500), help="How many due times may use it.")
@click.option(
    "--step",
    "steps",
    multiple=True,
    metavar="NAME=N",
    help="Let this step touch at most so much. A step that destroys, or that cannot be undone, has to be named.",
)
@click.option("--revoke", is_flag=True, help="Take it back, at once and for good, whoever gave it.")
@click.option("--reason", default="", metavar="TEXT", help="Why; at most 500 ASCII characters.")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    envvar="OPS_APPROVAL_KEY",
    default=Path("~/.ssh/id_ed25519"),
    show_default=True,
    help="Your SSH key; a .pub when the ssh-agent holds it. [OPS_APPROVAL_KEY]",
)
@click.option("--as", "principal", metavar="PRINCIPAL", help="Your name in the allowed signers.")
@click.option("--yes-digest", metavar="PREFIX", help="The digest's first digits, instead of typing them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def give_mandate(
    plan: str,
    days: int | None,
    uses: int | None,
    steps: tuple[str, ...],
    revoke: bool,
    reason: str,
    key: Path,
    principal: str | None,
    yes_digest: str | None,
    as_json: bool,
) -> None:
    """Show a saved plan, and sign that a schedule may apply plans like it with nobody there.

    PLAN is the id of a planning run. It lies in the archive, in mandates/PLAN; name the plan in schedules.toml
    (mandate = "PLAN"). Your key's line in the allowed signers needs the namespace opslib-mandate.
    """
    from opslib.archive.store import Archive
    from opslib.headless.mandated import revoked_text
    from opslib.runs import mandates, saved_plan

    store, moment = Archive(places.archive_folder()), now()
    data = _plan(store, plan)
    saved, sha = saved_plan.parse(data), saved_plan.sha256(data)
    known = described(saved.environment)
    trust = trust_of(known, None)
    if trust is None:
        raise Refused("Nobody's mandate can be verified.", "Set OPS_ALLOWED_SIGNERS in the target description.")
    one = _blank(sha, saved.run, key, principal, trust, reason.strip(), moment)
    if not revoke:
        one = _given(one, days, uses, _most(steps, saved))
        for line in (*shown(saved, sha, moment), *_said(one)):
            tell(line)
        _counts(one, saved, requesters_of(known, saved, trust))
        confirm(sha, yes_digest)
    path = mandates.sign(one, store.folder / mandates.FOLDER / saved.run, key=key, trust=trust)
    if revoke:
        # The log is signed and only grows: with this it stays revoked, though the file be removed.
        store.append("note", f"{revoked_text(saved.run)} by {one.principal}")
    if as_json:
        print_json({"plan": saved.run, "sha256": sha, "by": one.principal, "kind": one.kind, "mandate": str(path)})
    else:
        say(f"{'Revoked' if revoke else 'Mandate given'} by {one.principal}\n  {path}", lines=True)


def _plan(store: Archive, plan: str) -> bytes:
    from opslib import files
    from opslib.runs.saved_plan import LARGEST

    work = store.find(plan).run
    try:
        return files.read_plain(store.folder / "runs" / work / "plan.json", LARGEST)
    except OSError as error:
        raise UsageError(f"The plan of {work} cannot be read.", "Give a planning run's id.") from error


def _blank(
    sha256: str, work: str, key: Path, principal: str | None, trust: Trust, reason: str, moment: datetime
) -> Mandate:
    """Return the word of the key's holder that there is no mandate."""
    from opslib.runs import signers
    from opslib.runs.mandate import Mandate
    from opslib.systems import ssh_keygen

    fingerprint, known = ssh_keygen.fingerprint(key), signers.parse(trust.signers)
    who = signers.principal(known, fingerprint, principal, signers.MANDATOR, "This key cannot give mandates")
    return Mandate("revoke", work, sha256, who, moment, moment, 0, (), reason, fingerprint)


def _given(blank: Mandate, days: int | None, uses: int | None, most: tuple[tuple[str, int], ...]) -> Mandate:
    if days is None or uses is None:
        raise UsageError("How long, and for how many due times?", "Give --days and --uses.")
    return replace(blank, kind="give", expires_at=blank.signed_at + timedelta(days=days), uses=uses, most=most)


def _said(one: Mandate) -> Iterator[str]:
    yield f"Mandate: {one.uses} due times until {one.expires_at:%Y-%m-%d %H:%M} UTC, with nobody there."
    yield from (f"  {step} may touch {most} at most" for step, most in one.most)


def _most(steps: tuple[str, ...], saved: SavedPlan) -> tuple[tuple[str, int], ...]:
    from opslib.runs.mandate import grave

    found: dict[str, int] = {}
    known = sorted(one.step for one in saved.steps)
    for text in steps:
        said = re.fullmatch(r"([a-z0-9-]{1,100})=([1-9][0-9]{0,5})", text, re.ASCII)
        if said is None or said[1] not in known or said[1] in found:
            raise UsageError(f"{text!r} names no step of the plan, or no number.", f"It has: {', '.join(known)}.")
        found[said[1]] = int(said[2])
    if unnamed := [one.step for one in saved.steps if grave(one.plan) and one.step not in found]:
        raise UsageError(
            f"{', '.join(unnamed)} destroys something or cannot be undone, and is not covered unless it is named.",
            f"Say how much it may touch at most: --step {unnamed[0]}=N",
        )
    return tuple(sorted(found.items()))


def _counts(one: Mandate, saved: SavedPlan, requesters: frozenset[str]) -> None:
    from opslib.runs import approval

    approval.still(saved, one.sha256, saved.environment, one.signed_at)
    if why := approval.is_requester(one.approval, approval.names_of_requester(saved, requesters)):
        raise Refused(f"{one.principal}'s mandate of {saved.run} would not count: it {why}.", "Ask somebody else.")
