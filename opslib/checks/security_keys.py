"""A rotated key: what each store has, which key is used, whether the old one rests, and whether it is refused."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.model import Check, Judgement, Reading, Row, Verdict, Watch
from opslib.probes import security_keys as probes
from opslib.systems.rotated_keys import ROTATED
from opslib.systems.vault import CURRENT, PREVIOUS

WELL = ("healthy", "degraded")
RUNBOOK = "runbooks/rotate-api-keys"
NO_OTHER = "The vault's previous version has today's key: there is no other one yet."


def key_stores(provider: str) -> Check:
    """Return the check that every store which has the provider's key has the vault's current one."""
    variable = ROTATED[provider].variable

    def judge(reading: Reading) -> Judgement:
        rows = tuple(row for row in reading.rows if row["key"] == variable)
        held = [row for row in rows if row["holds"] != probes.NOT_SET]
        odd = [f"{row['store']} has {_word(row)}" for row in held if row["holds"] not in (CURRENT, probes.UNTOLD)]
        if not held:
            return Judgement(Verdict.UNKNOWN, f"No store has {variable}.", None, rows)
        if odd:
            return Judgement(Verdict.WARNING, f"{'; '.join(odd)}.", len(odd), rows)
        well = sum(row["holds"] == CURRENT for row in held)
        more = f"; {', '.join(untold)} does not tell" if (untold := [_at(row) for row in held if _at(row)]) else ""
        return Judgement(Verdict.OK, f"{well} stores have the vault's current {variable}{more}.", 0, rows)

    return Check(
        name=f"key-stores-{provider}",
        title=f"What the stores have of {variable}",
        probe=probes.stores,
        judge=judge,
        remedy="Give them the vault's key: runbooks/deploy-supabase for the functions, this rotation for the others.",
        items=("RUN-KEY-00",),
    )


def key_in_use(provider: str) -> Check:
    """Return the check that the new key is what the application calls the provider with.

    Shown by the provider, where it tells when a key was used last, for a call that the application made while this
    was looked at. Together.ai does not tell: UNKNOWN, until the old key is refused (:func:`new_key_serves`).
    """
    title = ROTATED[provider].title

    def judge(reading: Reading) -> Judgement:
        row = reading.row
        if (ill := _ill(row, title)) is not None:
            return ill
        if not row["told"]:
            said = f"{title} serves the application, and does not tell which key was used"
            return Judgement(Verdict.UNKNOWN, f"{said}.", None, reading.rows)
        if row["old_since"] and not row["same"]:
            return Judgement(Verdict.CRITICAL, f"The old key was used at {row['old_used']}.", None, reading.rows)
        if not row["new_since"]:
            seen = row["new_used"] or "never"
            said = f"{title} serves the application, and says that the new key was used {seen}: it may lag behind"
            return Judgement(Verdict.UNKNOWN, f"{said}.", None, reading.rows)
        said = f"The application's own call was made with version {row['version']}, as {title} says"
        return Judgement(Verdict.OK, f"{said}.", None, reading.rows)

    return Check(
        name=f"key-in-use-{provider}",
        title=f"The application calls {title} with the new key",
        probe=probes.use[provider],
        judge=judge,
        remedy="See which pods were started before, and what else has the key; do not revoke the old one.",
        items=("RUN-KEY-05",),
    )


def new_key_serves(provider: str) -> Check:
    """Return the check of the same name for after the revocation: the old key is refused and the provider serves."""
    title = ROTATED[provider].title

    def judge(reading: Reading) -> Judgement:
        row = reading.row
        if row["same"]:
            return Judgement(Verdict.UNKNOWN, NO_OTHER, None, reading.rows)
        if row["taken"]:
            return Judgement(Verdict.CRITICAL, f"{title} still takes the old key.", None, reading.rows)
        said = f"{title} serves the application and refuses the old key: what serves is the new one"
        return _ill(row, title) or Judgement(Verdict.OK, f"{said}.", None, reading.rows)

    return Check(
        name=f"key-in-use-{provider}",
        title=f"The application calls {title} with the new key",
        probe=probes.previous[provider],
        judge=judge,
        remedy=f"What has the old key fails now: give it the vault's current one ({RUNBOOK} names the stores).",
        items=("RUN-KEY-05",),
    )


def old_key_rests(provider: str, seconds: float = 15.0) -> Watch:
    """Return the watch that the old key is not used, and the provider serves, one look each ``seconds``."""
    title = ROTATED[provider].title

    def decide(samples: Sequence[Reading], last: bool) -> Judgement | None:
        seen = [one for one in samples if one.unknown is None]
        if not seen:
            return Judgement(Verdict.UNKNOWN, "Nobody could look once.", None) if last else None
        first, row, rows = seen[0].row, seen[-1].row, (seen[-1].row,)
        if row["told"] and not row["same"] and row["old_used"] and row["old_used"] > first["asked"]:
            return Judgement(Verdict.CRITICAL, f"The old key was used at {row['old_used']}.", None, rows)
        if not last:
            return None
        if ill := _ill(row, title):
            return ill
        if not row["told"]:
            said = (
                f"The application was served in {len(seen)} looks; {title} does not tell whether the old key was used"
            )
            return Judgement(Verdict.UNKNOWN, f"{said}.", None, rows)
        if not row["old_listed"]:
            return Judgement(Verdict.UNKNOWN, f"{title} does not list the old key: who has it?", None, rows)
        return Judgement(Verdict.OK, f"The old key was not used in {len(seen)} looks.", None, rows)

    return Watch(
        name=f"old-key-{provider}",
        title=f"The old key of {title} is not used",
        probe=probes.use[provider],
        decide=decide,
        seconds=seconds,
        remedy="Find out what uses it before it is revoked: it is none of the stores that are known here.",
        items=("RUN-KEY-06",),
    )


def old_key_refused(provider: str) -> Check:
    """Return the check, of the watch's name, that the old key is refused: then nothing can use it."""
    title = ROTATED[provider].title

    def judge(reading: Reading) -> Judgement:
        taken = reading.row["taken"]
        if reading.row["same"]:
            return Judgement(Verdict.UNKNOWN, NO_OTHER, None, reading.rows)
        said = f"{title} still takes the old key." if taken else f"{title} refuses the old key (401)."
        return Judgement(Verdict.CRITICAL if taken else Verdict.OK, said, None, reading.rows)

    return Check(
        name=f"old-key-{provider}",
        title=f"The old key of {title} is refused",
        probe=probes.previous[provider],
        judge=judge,
        remedy=f"Revoke it at {ROTATED[provider].keys_page}.",
        items=("RUN-KEY-06",),
    )


def _ill(row: Row, title: str) -> Judgement | None:
    """Return what is to be said where the provider does not serve the application, or nobody knows."""
    if row["application"] in WELL:
        return None
    if row["application"].startswith("not told"):
        return Judgement(
            Verdict.UNKNOWN, f"Whether {title} serves the application is {row['application']}", None, (row,)
        )
    return Judgement(Verdict.CRITICAL, f"The application says of {title}: {row['application']}.", None, (row,))


def _at(row: Row) -> str:
    return str(row["store"]) if row["holds"] == probes.UNTOLD else ""


def _word(row: Row) -> str:
    return "the previous one" if row["holds"] == PREVIOUS else "another one"
