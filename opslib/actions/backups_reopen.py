"""Taking out of the bucket's policy what shuts everybody out of the backups: one statement or several, and no other.

Whoever works on backups must not also be able to open the bucket: a break-in on this machine could. So it is done by
credentials of the bucket's owner, which only this step uses and only once it is approved; without them the step says
what the owner does, and waits for that.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.database_failover import NOBODY, PERSON
from opslib.errors import OpsError, Refused
from opslib.model import Effect, Outcome, Plan, Repeat, Row, Verdict, Verification
from opslib.probes.backups_access import access
from opslib.probes.backups_policy import EVERYBODY, held, parsed, parted, same, without
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

NONE, FOUND = "none", "found"
_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"
NAMES = rf"^{_NAME}(,{_NAME}){{0,9}}$"
PAUSE = 1.0
SEE = "See the policy's table in disaster/recover-access, which looks as it stands."
BY_HAND = (
    "aws s3api get-bucket-policy --bucket {bucket} --query Policy --output text > before.json; take {names} out of a "
    "copy, after.json; {put}. before.json is the undo."
)


class ReopenBucket(Action):
    """Takes ``statements`` that deny out of the policy of the bucket of backups (none: it stays as it is).

    ``found`` are those that shut everybody out of what a backup needs, under no condition; any other one is named, by
    its Sid or its digest. ``decided_by``: who says that the bucket may be opened again. ``wait_seconds``: how long S3
    gets until everybody sees it, or the owner, where the description has no credentials of the bucket's owner.
    """

    name: ClassVar[str] = "reopen-bucket"
    title: ClassVar[str] = "Let backups into their bucket again"
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "backups"
    most: ClassVar[int] = 3
    seconds: ClassVar[float] = 5 * 3600.0
    reason: ClassVar[str] = (
        "The guide has no step for a bucket that lets nobody in. A Deny beats every Allow, so no role's policy mends "
        "it; what is taken out is one statement, known by its name and by the whole policy around it."
    )

    statements: str = Field(NONE, max_length=1000, pattern=NAMES)
    decided_by: str = Field(NOBODY, pattern=PERSON)
    wait_seconds: float = Field(default=60.0, ge=0, le=4 * 3600)

    @property
    def effect(self) -> Effect:  # type: ignore[override]
        """Without a statement only a look: nobody has to approve that nothing is done."""
        return Effect.READ if self.statements == NONE else Effect.CHANGE

    def plan(self, target: PlanTarget) -> Plan:
        """Read the policy by the reading credentials; raises Refused for a statement that protects, or is not there."""
        if self.statements == NONE:
            return self._nothing("no statement is named")
        found = held(target)
        if found.unread:
            raise Refused(
                f"{found.unread[0].upper()}{found.unread[1:]}.", "Its owner looks: aws s3api get-bucket-policy."
            )
        names = chosen(parted(found.policy, target.settings), self.statements)
        if not names:
            return self._nothing("nothing in the policy shuts everybody out")
        if self.decided_by == NOBODY:
            raise Refused(
                f"{', '.join(names)}: somebody shut the bucket by that, maybe for a break-in.",
                "Ask who, and why; name who says that it may be opened again: -p decided_by=NAME.",
            )
        left = without(found.policy, names)
        if not target.owns_bucket:
            return self._by_hand(target, names, left)
        if not target.owner_apart:
            raise Refused(
                "OPS_BUCKET_OWNER_AWS_ACCESS_KEY_ID is a key by which backups are written or read here.",
                "Whoever works on backups must not open the bucket: give the owner's key, or none.",
            )
        return self.planned(
            before={"policy": found.policy},
            after={"policy": left or "none"},
            touches=len(names),
            touched="statements taken out of the bucket's policy",
            verification=(
                f"{', '.join(names)} is gone and all else is as before; what told that nobody is let in says that all "
                "are; backups are listed, and one is read."
            ),
            undo="The policy of before stands in this plan as S3 gave it, and is put back as a whole.",
            fingerprint={"bucket": target.settings.backup_bucket, "names": names, **_kept(found.text, left)},
            observed={"decided by": self.decided_by, "by": "the bucket's owner (OPS_BUCKET_OWNER_…)"},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Put the rest of the policy, then wait until it is seen; raises Refused where the policy moved meanwhile."""
        if not plan.touches:
            return {"waited_seconds": self._waited(target, progress) if _theirs(plan) else 0.0}
        before, after = _texts(plan)
        _unmoved(target.bucket_owner.text(), before)
        self._put(target, after)
        return {"waited_seconds": self._waited(target, progress)}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look by the reading credentials: the policy, what told that nobody is let in, a listing and a read."""
        if not plan.fingerprint:
            return Verification(Verdict.OK, f"Nothing was to be done: {plan.touched.removeprefix('nothing: ')}.")
        rows = tuple(access.read(target))
        if still := _shut(rows, plan.fingerprint["names"]):
            if _theirs(plan):
                waited = f"within {values['waited_seconds']:g} s"
                return Verification(
                    Verdict.UNKNOWN, f"Nothing was done here, nor by the owner {waited}: {still}.", rows
                )
            return Verification(Verdict.CRITICAL, f"Somebody is still shut out: {still}.", rows)
        if not _theirs(plan) and not same(held(target).policy, parsed(_texts(plan)[1])):
            said = "Nobody is shut out any more, but the policy is another than planned: see who else changed it."
            return Verification(Verdict.WARNING, said, rows)
        return Verification(Verdict.OK, f"All are let in: {_tried(target)}.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look at the policy as the owner sees it: as planned, as before, or somebody else's."""
        if not plan.touches:
            # Whether the owner has done it meanwhile, the look that follows says.
            return Settled(Outcome.PARTLY, "Nothing is changed by this step: it may wait once more.")
        before, after = _texts(plan)
        there = parsed(target.bucket_owner.text())
        if same(there, parsed(after)):
            return Settled(Outcome.DONE, "The policy is as planned.", {"waited_seconds": 0.0})
        if same(there, parsed(before)):
            return Settled(Outcome.NOT_DONE, "The policy is as before.")
        return Settled(Outcome.UNKNOWN, "The policy is neither as planned nor as before.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Put the policy of before back as it was told; raises Refused where somebody changed it since."""
        if not plan.touches:
            return Verification(Verdict.OK, "The policy was not changed here.")
        before, after = _texts(plan)
        if not same(parsed(target.bucket_owner.text()), parsed(before)):
            _unmoved(target.bucket_owner.text(), after)
            self._put(target, before)
        there = target.bucket_owner.text()
        if not same(parsed(there), parsed(before)):
            return Verification(Verdict.CRITICAL, "The policy is not as it was before.")
        word = "as it was before, letter by letter" if there == before else "as it was before, in other letters"
        return Verification(Verdict.OK, f"The policy is {word}: it shuts out again whom it shut out.")

    def _put(self, target: WriteTarget, text: str) -> None:
        try:
            target.bucket_owner.put(text)
        except Refused:
            raise
        except OpsError:
            # What became of a change whose answer was lost, the policy says.
            if not same(parsed(target.bucket_owner.text()), parsed(text)):
                raise

    def _waited(self, target: WriteTarget, progress: Progress) -> float:
        """Return how many seconds it took until nobody is shut out, ``wait_seconds`` at most."""
        begun = time.monotonic()
        while (gone := time.monotonic() - begun) < self.wait_seconds and not self._open(target):
            progress("waiting until the bucket lets everybody in", gone, self.wait_seconds)
            time.sleep(min(PAUSE, self.wait_seconds))
        return round(gone, 1)

    def _open(self, target: WriteTarget) -> bool:
        try:
            rows = access.read(target)
        except OpsError:
            return False
        return not any(_denied(row) for row in rows)

    def _by_hand(self, target: PlanTarget, names: Sequence[str], left: Mapping[str, Any]) -> Plan:
        """Return the plan of what the owner does; nothing of it is done here, and nothing done is never well."""
        bucket = target.settings.backup_bucket
        put = f"aws s3api put-bucket-policy --bucket {bucket} --policy file://after.json"
        said = BY_HAND.format(
            bucket=bucket,
            names=", ".join(names),
            put=put if left else f"aws s3api delete-bucket-policy --bucket {bucket}",
        )
        return self.planned(
            before={},
            after={},
            touches=0,
            touched="nothing: the description has no credentials of the bucket's owner, who does it",
            verification=f"UNKNOWN until the owner has done it, for whom {self.wait_seconds:g} s are waited.",
            undo="None is needed: nothing is changed here.",
            fingerprint={"bucket": bucket, "names": names, "by": "the owner"},
            observed={"the bucket's owner does, exactly so": said, "what is left then": left or "no policy at all"},
        )

    def _nothing(self, why: str) -> Plan:
        return self.planned(
            before={}, after={}, touches=0, touched=f"nothing: {why}", verification="None.", undo="None is needed."
        )


def chosen(rows: Sequence[Row], statements: str) -> list[str]:
    """Return the names of the statements to take out, of those that deny; raises Refused for one that must stay.

    ``found`` never takes one under a condition, one that is about somebody, or one that protects.
    """
    if statements == FOUND:
        rows = [row for row in rows if row["to"] == EVERYBODY and not row["condition"] and not row["protects"]]
    else:
        names = statements.split(",")
        if missing := [name for name in names if name not in {row["statement"] for row in rows}]:
            there = ", ".join(row["statement"] for row in rows) or "none"
            raise Refused(f"No statement that denies is named {', '.join(missing)}; there are: {there}.", SEE)
        rows = [row for row in rows if row["statement"] in names]
    for row in rows:
        if row["protects"]:
            raise Refused(f"{row['statement']} stays: {row['protects']}.", f"It is not what shuts backups out. {SEE}")
        if row["alike"] > 1:
            raise Refused(f"{row['alike']} statements are named {row['statement']}.", "Its owner parts them first.")
    return sorted({row["statement"] for row in rows})


def _kept(text: str, left: Mapping[str, Any]) -> dict[str, str]:
    """Return what a plan keeps of both policies: the texts, and by which sums one sees that they are still these."""
    after = json.dumps(left) if left else ""
    return {"before": text, "before_sha256": _sum(text), "after": after, "after_sha256": _sum(after)}


def _texts(plan: Plan) -> tuple[str, str]:
    """Return the policy before and after as texts; raises Refused where the record has not kept each letter."""
    said = plan.fingerprint
    for which in ("before", "after"):
        if which in said and _sum(said[which]) != said[f"{which}_sha256"]:
            raise Refused("Something in the policy looked like a secret, and was not recorded.", "Its owner puts it.")
    return str(said.get("before", "")), str(said.get("after", ""))


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _theirs(plan: Plan) -> bool:
    return plan.fingerprint.get("by") == "the owner"


def _unmoved(there: str, expected: str) -> None:
    if not same(parsed(there), parsed(expected)):
        raise Refused("The bucket's policy was changed since it was looked at.", "See who did; then plan anew.")


def _denied(row: Row) -> bool:
    everybody = row["denied_by"] and row["to"] == EVERYBODY and not row["condition"]
    return bool(everybody or row["refused"] or row["unread"])


def _shut(rows: Sequence[Row], names: Sequence[str]) -> str:
    """Return who is still shut out, by what; "" for nobody."""
    bad = [row for row in rows if _denied(row) or row["denied_by"] in names]
    return "; ".join(
        f"{row['need']}: {row['denied_by'] or row['unread'] or 'refused to the reading role'}" for row in bad
    )


def _tried(target: VerifyTarget) -> str:
    """List the backups and read the beginning of the newest object, really; returns what was seen.

    Where there is no backup yet, of a piece of the log that is kept.
    """
    found = target.backups.list(target.settings.backup_prefix)
    if not found and (kept := target.settings.continuous_prefix):
        found = target.backups.list(f"{kept}wal/") or target.backups.list(kept)
    if not found:
        return "the listing answers, and there is no object yet that could be read"
    newest = max(found, key=lambda one: one.modified)
    read = next(iter(target.backups.stream(newest.key, newest.version)), b"")
    return f"{len(found)} objects are listed, and {len(read)} bytes of the newest, {newest.key}, were read"
