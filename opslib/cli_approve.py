"""``ops approve``: read a saved plan, then sign it with the own SSH key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opslib import files, places
from opslib.console import answering, clean, print_json, say, tell
from opslib.errors import SettingsError, UsageError
from opslib.model import Plan, now

if TYPE_CHECKING:
    from opslib.runs.saved_plan import SavedPlan
    from opslib.runs.signed import Trust
    from opslib.settings import Settings

TYPED = 6
"""So many digits of the plan's digest are typed by who has read it."""

WIDEST = 110
_UNITS = {"m": "minutes", "h": "hours"}


@click.command("approve")
@click.argument("plan")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    envvar="OPS_APPROVAL_KEY",
    default=Path("~/.ssh/id_ed25519"),
    show_default=True,
    help="Your SSH key; a .pub when the ssh-agent holds it. [OPS_APPROVAL_KEY]",
)
@click.option(
    "--as", "principal", metavar="PRINCIPAL", help="Your name in the allowed signers, if the key has several."
)
@click.option("--break-glass", is_flag=True, help="Let it be applied on your word alone; marked red in the report.")
@click.option("--reason", default="", metavar="TEXT", help="Why; needed to break the glass.")
@click.option("--expires", metavar="30m|4h", help="Your approval ends after this time; with the plan unless told.")
@click.option(
    "--signers",
    type=click.Path(path_type=Path),
    envvar="OPS_ALLOWED_SIGNERS",
    help="The allowed signers, where the target's description is not at hand. [OPS_ALLOWED_SIGNERS]",
)
@click.option("--yes-digest", metavar="PREFIX", help="The digest's first digits, instead of typing them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def approve(
    plan: str,
    key: Path,
    principal: str | None,
    break_glass: bool,
    reason: str,
    expires: str | None,
    signers: Path | None,
    yes_digest: str | None,
    as_json: bool,
) -> None:
    """Show a saved plan, and sign that it may be applied.

    PLAN is the id of a planning run (ops archive list), its beginning or its last part, or the path of a plan.json.
    The approval is written into the archive, or beside the plan.json; send both of its files back with it.
    """
    from opslib.runs import approvals, saved_plan

    life = None if expires is None else _life(expires)
    if break_glass and not reason.strip():
        raise UsageError("Breaking the glass needs a reason.", "Say it with --reason.")
    data, folder = _find(plan)
    saved, sha = saved_plan.parse(data), saved_plan.sha256(data)
    for line in shown(saved, sha, now()):
        tell(line)
    known = described(saved.environment)
    trust = trust_of(known, signers)
    if trust is None:
        tell("There is no list of allowed signers here: whether your key counts will show when the plan is applied.")
    confirm(sha, yes_digest)
    path = approvals.approve(
        data,
        folder,
        key=key,
        principal=principal,
        kind="break-glass" if break_glass else "approve",
        reason=reason.strip(),
        expires=life,
        trust=trust,
        unattended=known.unattended_actions if known else (),
        requested_by=requesters_of(known, saved, trust),
        moment=now(),
    )
    who = path.name.removesuffix(approvals.SUFFIX)
    if as_json:
        print_json({"plan": saved.run, "sha256": sha, "by": who, "break_glass": break_glass, "approval": str(path)})
    else:
        say(f"{'Glass broken' if break_glass else 'Approved'} by {who}\n  {path}\n  {path}.sig", lines=True)
        tell(_next(saved, data, folder, known) if known else "Send both files back with the plan.")


def shown(saved: SavedPlan, sha256: str, moment: datetime) -> Iterator[str]:
    """Yield a saved plan as lines for reading, without any character that a terminal would act on."""
    minutes = int((saved.expires_at - moment).total_seconds() // 60)
    left = f"in {minutes} minutes" if minutes >= 0 else "EXPIRED"
    rows = {
        "plan": saved.run,
        "notebook": saved.notebook,
        "environment": saved.environment,
        "asked by": f"{saved.requester} ({saved.requested_by}), {_when(saved.created_at)}",
        "expires": f"{_when(saved.expires_at)} ({left})",
        **{f"  {name}": _short(value) for name, value in saved.parameters.items()},
    }
    width = max(map(len, rows)) + 2
    yield from (clean(f"{name:<{width}}{value}") for name, value in rows.items())
    for number, step in enumerate(saved.steps, start=1):
        yield ""
        yield from (clean(line) for line in _step(number, step.step, step.plan))
    yield ""
    yield from (clean(f"Needs: {line}") for line in saved.missing)
    yield f"Digest of the plan (SHA-256): {sha256[:12]}"


def _step(number: int, key: str, plan: Plan) -> Iterator[str]:
    count = "an unknown number of" if plan.touches is None else str(plan.touches)
    yield f"{number}. {plan.title} ({plan.action}, step {key})"
    yield f"   {plan.effect}, {plan.repeat}; touches {count} {plan.touched}; digest {plan.digest[:12]}"
    yield from (f"   with {name} = {_short(value)}" for name, value in plan.parameters.items())
    for name in dict.fromkeys((*plan.before, *plan.after)):
        before, after = plan.before.get(name), plan.after.get(name)
        if before != after:
            yield f"   {name}: {_short(before)} -> {_short(after)}"
    yield from (f"   not known yet: {text}" for text in plan.unknown)
    yield f"   verified by: {plan.verification}"
    yield f"   undo: {plan.undo}"


def _short(value: Any) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _life(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,3})([mh])", text, re.ASCII)
    if not found:
        raise UsageError(f"{text!r} is no length of time.", "Write minutes or hours, such as 30m or 4h.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _next(saved: SavedPlan, data: bytes, folder: Path, known: Settings) -> str:
    """Return what is still missing before the plan can be applied, or how it is."""
    from opslib.errors import Refused
    from opslib.runs import approval, approvals
    from opslib.runs.saved_plan import sha256
    from opslib.runs.undoing import to_apply

    found = approvals.collect([folder], data, known, now())
    try:
        approval.decide(
            saved,
            sha256(data),
            found.approvals,
            environment=known.environment,
            requesters=approvals.requesters(known, saved.requested_by.rpartition("@")[0]),
            unattended=known.unattended_actions,
            moment=now(),
            refusals=found.refusals,
        )
    except Refused as error:
        return f"Not enough yet. {error.message}"
    return f"Enough. Apply it with: {to_apply(saved)}"


def _find(plan: str) -> tuple[bytes, Path]:
    """Return a plan's bytes and the folder that its approvals belong in; never inside a run, which gets sealed."""
    from opslib.archive.store import Archive
    from opslib.runs.saved_plan import LARGEST
    from opslib.runs.steps import work_of

    path = Path(plan).absolute()
    if not path.is_file():
        store = Archive(places.archive_folder())
        path = store.folder / "runs" / work_of(store.find(plan).run) / "plan.json"
    try:
        data = files.read_plain(path, LARGEST)
    except OSError as error:
        raise UsageError(f"The plan {path} cannot be read.", "Give a planning run's id, or its plan.json.") from error
    run = path.parent
    in_archive = run.parent.name == "runs" and (run / "run.json").exists()
    return data, run.parents[1] / "approvals" / work_of(run.name) if in_archive else run


def described(environment: str) -> Settings | None:
    """Return the target's description; None where a signer's own machine has none: who reads it checks again."""
    from opslib import settings

    try:
        return settings.load(environment)
    except SettingsError:
        tell(f"The target description of {environment} is not here, or not complete.")
        return None


def trust_of(known: Settings | None, signers: Path | None) -> Trust | None:
    """Return the lists of keys, where a description or ``signers`` names them."""
    from opslib.runs.signed import trusted

    allowed = signers or (known.allowed_signers if known else None)
    return None if allowed is None else trusted(allowed, known.revoked_keys if known else None)


def requesters_of(known: Settings | None, saved: SavedPlan, trust: Trust | None) -> frozenset[str]:
    """Return every name and key of who asked for a plan, as far as that is known here."""
    from opslib.runs.approvals import requesters

    if known is None or trust is None:
        return frozenset()
    return requesters(known, saved.requested_by.rpartition("@")[0], trust.signers)


def confirm(sha256: str, given: str | None) -> None:
    """Return once the first digits of a plan's digest were typed; raises UsageError for others."""
    if given is None:
        try:
            given = click.prompt(f"Type the first {TYPED} digits to approve exactly this", err=True, default="")
        except click.Abort:
            given = ""
    if len(given) < TYPED or not sha256.startswith(given.lower()):
        raise UsageError(
            "Not approved: those are not the first digits of this plan's digest.", "Read the plan, then try again."
        )
