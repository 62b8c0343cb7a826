"""Mandates as files: signed by who gives or revokes them, verified by each run under them, used by one due time each.

``<archive>/mandates/<work>/<principal>.mandate`` with its ``.sig``, ``<principal>.revoked`` with its own, and ``uses/``
with a file for each due time that used them. What is verified is what was read, once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from opslib import files
from opslib.canonical import to_json
from opslib.errors import ArchiveError, OpsError, Refused, UsageError
from opslib.runs import mandate, signed, signers
from opslib.runs.mandate import Mandate
from opslib.runs.saved_plan import RUN
from opslib.runs.signed import Trust, trusted
from opslib.settings import Settings
from opslib.systems import ssh_keygen

FOLDER = "mandates"
"""Below the archive."""
SUFFIXES = {"give": ".mandate", "revoke": ".revoked"}
ENDS = tuple(SUFFIXES.values())
MOST = 50
USED = "%Y%m%dT%H%M%SZ"
WORK = RUN


class Collected(NamedTuple):
    """Mandates and revocations that verify, why others do not, and the files of what was verified, to be kept."""

    mandates: tuple[Mandate, ...]
    refusals: tuple[str, ...]
    copies: tuple[tuple[str, bytes], ...]
    signers: bytes = b""


def verify(statement: bytes, armour: bytes, trust: Trust, moment: datetime | None) -> Mandate:
    """Return the mandate in a statement whose signature held when it was made, and holds at ``moment``.

    A revocation need only have held when it was made: a key that was lost since takes no stop back. Raises Refused.
    """
    try:
        said = mandate.parse(statement)
    except ValueError as error:
        raise Refused(f"The statement {error}.", "Give mandates with: ops mandate PLAN") from None
    if said.kind == "revoke":
        trust, moment = Trust(trust.signers), None
    fingerprint = signed.demand(
        statement, armour, trust, signers.MANDATOR, said.principal, (said.signed_at, moment or said.signed_at)
    )
    return mandate.parse(statement, fingerprint)


def collect(folder: Path, settings: Settings, moment: datetime) -> Collected:
    """Look for mandates in ``folder``; what does not verify becomes a refusal in words. Raises nothing for that."""
    try:
        trust = trusted(settings.allowed_signers, settings.revoked_keys)
    except Refused as error:
        return Collected((), (str(error),), ())
    found, refusals, copies = list[Mandate](), list[str](), dict[str, bytes]()
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names that anybody chose
    except OSError:
        names = []
    # Revocations first: whatever else is put there must not keep them from being looked at.
    ours = sorted((not name.endswith(SUFFIXES["revoke"]), name) for name in names if name.endswith(ENDS))
    for _, name in ours[:MOST]:
        try:
            statement, armour = signed.pair(folder / name, mandate.LARGEST)
            one = verify(statement, armour, trust, moment)
            if name != one.principal + SUFFIXES[one.kind]:
                raise Refused(f"It is by {one.principal}, and must be named {one.principal}{SUFFIXES[one.kind]}.")
        except OpsError as error:
            refusals.append(f"{signed.shown(name)}: {error.message}")
            continue
        found.append(one)
        copies |= {name: statement, f"{name}.sig": armour}
    if copies:
        copies |= trust.kept()
    return Collected(tuple(found), tuple(refusals), tuple(copies.items()), trust.signers)


def sign(one: Mandate, folder: Path, *, key: Path, trust: Trust | None) -> Path:
    """Sign a mandate or its revocation and return its path in ``folder``; with ``trust``, only one that counts.

    Raises UsageError for one that has no form or makes no sense, Refused where the key may not, or one is there.
    """
    try:
        statement = one.encode()
    except ValueError as error:
        raise UsageError(f"The mandate {error}.", "See: ops mandate --help") from None
    path = folder / f"{one.principal}{SUFFIXES[one.kind]}"
    if os.path.lexists(path):
        raise Refused(f"There is one by {one.principal} already: {path}.", "Plan anew for another mandate.")
    armour = ssh_keygen.sign(statement, signers.MANDATOR, key)
    if trust is not None:
        verify(statement, armour, trust, one.signed_at)
    signed.write(path, statement, armour)
    return path


def used(folder: Path) -> frozenset[str]:
    """Return the due times that used the mandates of a folder, as the names of their files have them."""
    uses = folder / "uses"
    return frozenset(path.stem for path in uses.glob("*.use")) if uses.is_dir() else frozenset()


def spend(folder: Path, due: datetime, most: int, known: Collection[str], said: Mapping[str, Any]) -> int:
    """Use the mandates of a folder for a due time, for good; returns how often they were used with it.

    ``known`` are due times that runs say they used them for. Raises Refused when this due time used them already or
    ``most`` did, ArchiveError when it cannot be recorded.
    """
    uses, name = folder / "uses", f"{due:{USED}}"
    try:
        files.make_folder(uses)
        with files.locked(uses / "lock"):
            before = used(folder) | set(known)
            if name in before:
                raise Refused(f"The due time {name} used its mandate already.", "A due time is run once.")
            if len(before) >= most:
                raise Refused(
                    f"The mandate is used up: {len(before)} of {most} due times.", "Plan anew for another one."
                )
            text = json.dumps(to_json(said), sort_keys=True, ensure_ascii=False) + "\n"
            files.write(uses / f"{name}.use", text.encode(), uses / f".{name}.{os.getpid()}.part")
    except OSError as error:
        raise ArchiveError(f"{uses} cannot be used: {error.strerror}.", "Look at the archive.") from error
    return len(before) + 1
