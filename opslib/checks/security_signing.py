"""The keys that sign a Supabase project's tokens: whether one signs that anybody can check, and who has the secret."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from opslib.model import Check, Judgement, Reading, Row, Verdict, Watch
from opslib.probes import security_signing as probes
from opslib.systems.supabase_keyring import BEFORE, IN_USE, SHARED, STANDBY

RUNBOOK = "runbooks/rotate-signing-keys"


def _judge_keys(reading: Reading) -> Judgement:
    rows = reading.rows
    if not rows:
        said = "The project signs with its older JWT secret alone: rotating that signs everybody out"
        return Judgement(Verdict.WARNING, f"{said}.", None, rows)
    current = [row for row in rows if row["status"] == IN_USE]
    if len(current) != 1:
        return Judgement(Verdict.CRITICAL, f"{len(current)} keys are in use.", None, rows)
    row = current[0]
    more = "".join(f"; {word}" for word in (_trusted(rows), _next(rows)) if word)
    said = f"{row['key']} ({row['algorithm']}) signs since {_day(row['since'])}{more}"
    if row["algorithm"] == SHARED:
        return Judgement(Verdict.WARNING, f"{said}. It is a secret that whoever checks tokens must have.", None, rows)
    if not row["published"]:
        return Judgement(Verdict.CRITICAL, f"{said}. Its public half is not in the set: nobody can check.", None, rows)
    return Judgement(Verdict.OK, f"{said}.", None, rows)


keys = Check(
    name="signing-keys",
    title="One key signs tokens, and anybody can check with its public half",
    probe=probes.signing,
    judge=_judge_keys,
    remedy=f"{RUNBOOK} brings another key into use; a project that has none yet: {probes.MIGRATE}",
    items=("RUN-KEY-00",),
)
"""WARNING for a shared secret or none but the older one; CRITICAL where the key in use cannot be checked with."""


def token_verifiers(ready: bool) -> Check:
    """Return the check that nobody has to check tokens with the shared secret; ``ready``: a person looked at all.

    Where a key with a public half signs already, whoever checks with the secret refuses today's tokens: none does.
    """

    def judge(reading: Reading) -> Judgement:
        found = [row["who"] for row in reading.rows if row["who"]]
        if not found:
            return Judgement(Verdict.OK, "No store that is known here holds the shared secret.", 0, reading.rows)
        said = f"The shared secret is in: {'; '.join(found[:4])}"
        if not reading.rows[0]["shared"]:
            more = "a key with a public half signs already, so what checks with the secret refuses every token today"
            return Judgement(Verdict.OK, f"{said}. It is idle: {more}.", len(found), reading.rows)
        if ready:
            return Judgement(Verdict.OK, f"{said}. A person said that nobody checks with it.", len(found), reading.rows)
        more = "What checks tokens with it refuses those of the new key"
        return Judgement(Verdict.CRITICAL, f"{said}. {more}.", len(found), reading.rows)

    return Check(
        name="token-verifiers",
        title="Who checks tokens does it with the project's public keys",
        probe=probes.verifiers,
        judge=judge,
        remedy=(
            "Let each check with $VITE_SUPABASE_URL/auth/v1/.well-known/jwks.json, and functions without verify_jwt; "
            "deploy; then run with verifiers_ready=true."
        ),
        items=("RUN-KEY-00",),
    )


def standby_published(minutes: float, seconds: float = 30.0) -> Watch:
    """Return the watch that a standby key is in the public set, one look each ``seconds``, until it is ``minutes`` old.

    Who checks tokens keeps the set for a while: a key that signs before it is known everywhere is refused there.
    """

    def decide(samples: Sequence[Reading], last: bool) -> Judgement | None:
        seen = [one for one in samples if one.unknown is None]
        if not seen:
            return Judgement(Verdict.UNKNOWN, "Nobody could look once.", None) if last else None
        row = next((row for row in seen[-1].rows if row["status"] == STANDBY), None)
        if row is None:
            return _came(seen[-1].rows, minutes, last)
        age = seen[-1].taken_at - datetime.fromisoformat(row["made"])
        if row["published"] and age >= timedelta(minutes=minutes):
            said = f"{row['key']} is in the public set, and was made {age.total_seconds() / 60:.1f} minutes ago."
            return Judgement(Verdict.OK, said, None, (row,))
        if not last:
            return None
        why = "is not in the public set" if not row["published"] else f"is younger than {minutes:g} minutes"
        return Judgement(Verdict.CRITICAL, f"The standby key {row['key']} {why}.", None, (row,))

    return Watch(
        name="standby-key",
        title="Whoever checks tokens can know the next key",
        probe=probes.signing,
        decide=decide,
        seconds=seconds,
        remedy="Wait: the set is kept for ten minutes at Supabase, and for ten more by its libraries. Then run again.",
        items=("RUN-KEY-00",),
    )


def _came(rows: Sequence[Row], minutes: float, last: bool) -> Judgement | None:
    """Judge where there is no standby key: a run that is gone on with may find that it signs already."""
    for row in rows:
        known = datetime.fromisoformat(row["since"]) - datetime.fromisoformat(row["made"])
        if row["status"] == IN_USE and row["published"] and known and known >= timedelta(minutes=minutes):
            said = f"{row['key']} signs already, and was known for {known.total_seconds() / 60:.1f} minutes before."
            return Judgement(Verdict.OK, said, None, (row,))
    return Judgement(Verdict.CRITICAL, "There is no standby key.", None, tuple(rows)) if last else None


def _trusted(rows: Sequence[Row]) -> str:
    found = [f"{row['key']}{' (the older secret)' if row['older'] else ''}" for row in rows if row["status"] == BEFORE]
    return f"still trusted: {', '.join(found)}" if found else ""


def _next(rows: Sequence[Row]) -> str:
    found = [str(row["key"]) for row in rows if row["status"] == STANDBY]
    return f"next: {', '.join(found)}" if found else ""


def _day(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"
