"""Approvals as files: signed by whoever approves, found and verified by whoever applies.

``<archive>/approvals/<work>/<principal>.approval`` with its ``.sig`` beside it, or the same two beside a plan
that was carried elsewhere. What is verified is what was read, once; the bytes are handed on, never the name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from opslib.errors import OpsError, Refused, UsageError
from opslib.runs import approval, saved_plan, signed, signers
from opslib.runs.approval import Approval, Kind
from opslib.runs.signed import Trust, trusted
from opslib.settings import Settings
from opslib.systems import ssh_keygen

SUFFIX, SIGNATURE = ".approval", ".approval.sig"
MOST_FILES, MOST_APPROVALS, MOST_JUNK = 5000, 50, 20
"""How much of one folder is looked at: its files, its approvals, and what is told of the rest."""


class Collected(NamedTuple):
    """Approvals that verify, why others do not, and (name, content) of each verified file, to be kept."""

    approvals: tuple[Approval, ...]
    refusals: tuple[str, ...]
    copies: tuple[tuple[str, bytes], ...]


def verify(statement: bytes, armour: bytes, trust: Trust, moment: datetime) -> Approval:
    """Return the approval in a statement whose signature holds, both when it was made and at ``moment``.

    Raises Refused that says why it does not count. Which plan it is for, and whether it has expired, is for
    :func:`opslib.runs.approval.decide`.
    """
    try:
        said = approval.parse(statement)
    except ValueError as error:
        raise Refused(f"The statement {error}.", "Make approvals with: ops approve PLAN") from None
    fingerprint = signed.demand(statement, armour, trust, signers.APPROVER, said.principal, (said.signed_at, moment))
    return approval.parse(statement, fingerprint)


def requesters(settings: Settings, os_user: str, allowed: bytes | None = None) -> frozenset[str]:
    """Return every name and key's fingerprint of the person whom the operating system calls ``os_user``.

    The name in the allowed signers is the one that OPS_OPERATORS gives; without it each name whose part before
    the ``@`` is the user's. Whoever shares a key with it is the same person. ``allowed`` is the content of the
    allowed signers' file; None: the one that ``settings`` names, and where that cannot be read no approval counts.
    """
    if allowed is None:
        try:
            allowed = trusted(settings.allowed_signers, None).signers
        except Refused:
            allowed = b""
    known = signers.parse(allowed)
    mapped = settings.operators.get(os_user)
    if mapped is not None:
        return signers.same_person(known, (mapped,))
    names = {name for signer in known for name in signer.principals}
    alike = {name for name in names if name.partition("@")[0].casefold() == os_user.casefold()}
    return signers.same_person(known, {os_user, *alike})


def collect(folders: Iterable[Path], plan: bytes, settings: Settings, moment: datetime) -> Collected:
    """Look for approvals of a plan in ``folders``; whatever does not verify becomes a refusal in words.

    Of several by one name the newest stands. Follows no links, reads no more than an approval can have, and
    raises nothing for what lies there.
    """
    try:
        trust = trusted(settings.allowed_signers, settings.revoked_keys)
    except Refused as error:
        return Collected((), (str(error),), ())
    wanted, refusals = saved_plan.sha256(plan), []
    found: dict[str, tuple[Approval, bytes, bytes]] = {}
    for folder in dict.fromkeys(folders):
        for name, why in _listed(folder):
            try:
                if why:
                    raise Refused(why)
                statement, armour = signed.pair(folder / name, approval.LARGEST)
                one = verify(statement, armour, trust, moment)
                _fitting(one, name, wanted)
            except OpsError as error:
                refusals.append(f"{signed.shown(name)}: {error.message}")
                continue
            before = found.get(one.principal)
            if before is None or before[0].signed_at < one.signed_at:
                found[one.principal] = (one, statement, armour)
    kept = [found[principal] for principal in sorted(found)]
    return Collected(tuple(one for one, _, _ in kept), tuple(refusals), tuple(_copies(kept, trust)))


def _fitting(one: Approval, name: str, wanted: str) -> None:
    if name != one.principal + SUFFIX:
        raise Refused(f"It is by {one.principal} and must be named {one.principal}{SUFFIX}.")
    if one.sha256 != wanted:
        raise Refused(f"It is for another plan: {one.work} with the SHA-256 {one.sha256[:12]}….")


def _copies(kept: list[tuple[Approval, bytes, bytes]], trust: Trust) -> Iterator[tuple[str, bytes]]:
    for one, statement, armour in kept:
        yield one.principal + SUFFIX, statement
        yield one.principal + SIGNATURE, armour
    if kept:
        yield from trust.kept().items()


def _listed(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, why it is none) of what lies in a folder, in order.

    Beside a plan's file anything may lie; elsewhere what is no approval is told.
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, MOST_FILES + 1)]
    except FileNotFoundError:
        return
    except OSError as error:
        yield folder.name, f"The folder cannot be read: {error.strerror}."
        return
    statements = sorted(name for name in names if name.endswith(SUFFIX))
    yield from ((name, "") for name in statements[:MOST_APPROVALS])
    yield from ((name, "There are too many to look at.") for name in statements[MOST_APPROVALS:][:1])
    pairs = {name + ".sig" for name in statements}
    alone = sorted(name for name in names if name.endswith(SIGNATURE) and name not in pairs)
    yield from ((name, "It is a signature without its statement.") for name in alone[:MOST_JUNK])
    if "plan.json" not in names:
        junk = sorted(name for name in names if name not in signed.KEPT and not name.endswith((SUFFIX, SIGNATURE)))
        yield from ((name, "It is no approval.") for name in junk[:MOST_JUNK])
    if len(names) > MOST_FILES:
        yield folder.name, f"The folder holds more than {MOST_FILES} files; not all were looked at."


def approve(
    plan: bytes,
    folder: Path,
    *,
    key: Path,
    principal: str | None,
    kind: Kind,
    reason: str,
    expires: timedelta | None,
    trust: Trust | None,
    unattended: tuple[str, ...],
    requested_by: frozenset[str],
    moment: datetime,
) -> Path:
    """Sign a plan's file with ``key`` and return the statement's path in ``folder``.

    ``principal`` may be None where ``trust`` knows the key under one name; ``expires`` is cut at the plan's own
    end, None is that end. ``requested_by`` is what :func:`requesters` says. Raises UsageError for a wrong
    argument, Refused when it would not count: the plan expired or needs nothing, the key is no approver's, the
    approver asked for the plan, or there is one by that name already (nothing is written then).
    """
    saved, sha = saved_plan.parse(plan), saved_plan.sha256(plan)
    approval.still(saved, sha, saved.environment, moment)
    if not approval.required(saved.steps, saved.environment, unattended):
        raise Refused(f"The plan {saved.run} needs no approval on {saved.environment}.", "Apply it as it is.")
    fingerprint = ssh_keygen.fingerprint(key)
    name = signed.principal(fingerprint, principal, trust, signers.APPROVER, "This key cannot approve")
    end = saved.expires_at if expires is None else min(saved.expires_at, moment + expires)
    one = Approval(kind, saved.run, sha, name, moment, end, reason, fingerprint)
    try:
        statement = one.encode()
    except ValueError as error:
        raise UsageError(
            f"The approval {error}.", "Check the name and the reason (--reason, at most 500 ASCII characters)."
        ) from None
    if why := approval.objection(saved, sha, one, requested_by, moment):
        raise Refused(f"{name}'s approval of {saved.run} would not count: it {why}.", "Ask another approver.")
    path = folder / f"{name}{SUFFIX}"
    if os.path.lexists(path):
        raise Refused(f"There is an approval by {name} already: {path}.", "Remove it to approve again.")
    armour = ssh_keygen.sign(statement, signers.APPROVER, key)
    if trust is not None:
        verify(statement, armour, trust, moment)
    signed.write(path, statement, armour)
    return path
