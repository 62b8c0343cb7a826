"""Whether backups can still be written and fetched: a bucket's policy that denies beats whatever else is allowed."""

from __future__ import annotations

from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import backups_access as probes
from opslib.probes.backups_policy import EVERYBODY


def _judge(reading: Reading) -> Judgement:
    found = [(_need(row), row) for row in reading.rows]
    bad = [said for said, _ in found if said[0] is not Verdict.OK]
    if not bad:
        said = "Listing and reading are let in; nothing in the bucket's policy denies writing to everybody"
        under = sorted({f"{row['denied_by']} ({row['condition']})" for row in reading.rows if row["condition"]})
        return Judgement(Verdict.OK, f"{said}{_under(under)}.", None, reading.rows)
    verdict = Verdict.worst([one for one, _ in bad])
    return Judgement(verdict, "; ".join(dict.fromkeys(text for _, text in bad)) + ".", None, reading.rows)


def _under(names: list[str]) -> str:
    return f"; under a condition it denies: {', '.join(names)}" if names else ""


def _need(row: Row) -> tuple[Verdict, str]:
    need, by = row["need"], row["denied_by"]
    if by and row["to"] == EVERYBODY and not row["condition"]:
        tried = ", and it is refused" if row["refused"] else ""
        return Verdict.CRITICAL, f"{need}: the bucket's policy denies it to everybody ({by}){tried}"
    if row["refused"]:
        said = f"{need}: refused to the reading role"
        if by:
            return Verdict.CRITICAL, f"{said}, as {by} says ({row['condition'] or row['to']})"
        why = row["unread"] or "not by the bucket's policy"
        return Verdict.CRITICAL, f"{said}; {why}: see the role's own policy, the key's, and the organization's"
    if row["unread"]:
        return Verdict.UNKNOWN, f"{need}: {row['unread']}"
    if by and not row["condition"]:
        return Verdict.WARNING, f"{need}: the bucket's policy denies it to {row['to']} ({by}); is that who backs up?"
    return Verdict.OK, ""


access = Check(
    "backup-access",
    "Nobody who backs up or restores is shut out of the bucket",
    probes.access,
    _judge,
    "A Deny beats every Allow, also an administrator's, so no role's policy mends it. Ask who put the statement there "
    "and why: it may be somebody's answer to a break-in. Then disaster/recover-access with statements=found, or with "
    "the statement's name, and decided_by=NAME takes it out and keeps the policy of before as its undo; where the "
    "description has no credentials of the bucket's owner, it says what the owner does and waits for that. Where the "
    "policy denies its own change as well, the account's root user may still delete it. Until then no backup and no "
    "piece of the log arrives, and none can be fetched.",
)
"""Denied to everybody, or refused to us: CRITICAL. A denial to somebody else: WARNING. Under a condition: named."""
