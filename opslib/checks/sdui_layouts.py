"""Stored pages against the product's source: versions, schema, registry, markup, and whose they are.

What a browser makes of a page behind the log-in is not seen from here; what browsers report, Sentry knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import sdui as probes

REF, NEWEST = "main", 500
MOST_SAID, MOST_ROWS = 3, 20
REGISTER = (
    "Register the component in src/sdui/registry.tsx, by a commit, and deploy it (runbooks/deploy-new-version), or "
    "take back the deployment that dropped it (runbooks/roll-back-deployment). Whoever makes the pages must name what "
    "is deployed."
)


def _pages(reading: Reading) -> list[Row]:
    return [row for row in reading.rows if row["what"] == "page"]


def _nothing(reading: Reading) -> Judgement | None:
    if _pages(reading):
        return None
    said = "The newest sessions, workflows and cases hold no page: there is nothing to judge."
    return Judgement(Verdict.UNKNOWN, said, None, reading.rows[:1])


def _where(pages: Iterable[Row]) -> tuple[Row, ...]:
    shown = ("held_by", "row", "moment", "version", "components")
    return tuple({name: row[name] for name in shown} for row in list(pages)[:MOST_ROWS])


def _at(reading: Reading) -> str:
    first = reading.rows[0]
    return f"{first['ref']} ({first['commit']})"


def _judge_version(reading: Reading) -> Judgement:
    if nothing := _nothing(reading):
        return nothing
    pages, limit = _pages(reading), reading.rows[0]["supported"]
    newer = [row for row in pages if isinstance(row["version"], int) and row["version"] > limit]
    coerced = [row for row in pages if row["coerced"]]
    if newer:
        said = f"{len(newer)} of {len(pages)} pages are newer than version {limit}, which {_at(reading)} supports"
        return Judgement(Verdict.CRITICAL, f"{said}: they are shown as if they were older.", len(newer), _where(newer))
    if coerced:
        names = sorted({name for row in coerced for name in row["coerced"]})
        said = f"{len(coerced)} pages ask {', '.join(names[:MOST_SAID])} for a version that it does not know"
        return Judgement(Verdict.WARNING, f"{said}: it is shown as it is.", len(coerced), _where(coerced))
    return Judgement(Verdict.OK, f"All {len(pages)} pages are of version {limit} or older.", 0, reading.rows[:1])


def _judge_schema(reading: Reading) -> Judgement:
    if nothing := _nothing(reading):
        return nothing
    pages = _pages(reading)
    wrong = [row for row in pages if row["errors"]]
    if wrong:
        counted = Counter(text for row in wrong for text in row["errors"])
        said = "; ".join(f"{text} ({number} ×)" for text, number in counted.most_common(MOST_SAID))
        rows = tuple({"error": text, "pages": number} for text, number in counted.most_common(MOST_ROWS))
        return Judgement(Verdict.CRITICAL, f"{len(wrong)} of {len(pages)} pages are refused: {said}.", len(wrong), rows)
    return Judgement(Verdict.OK, f"All {len(pages)} pages are as the schema has them.", 0, _where(pages[:5]))


def _judge_registry(reading: Reading) -> Judgement:
    if nothing := _nothing(reading):
        return nothing
    pages = _pages(reading)
    lost = Counter(name for row in pages for name in row["unknown"])
    lacking = Counter(said for row in pages for said in row["lacking"])
    used = Counter(name for row in pages for name in row["components"])
    rows = [{"component": name, "pages": number, "registered": name not in lost} for name, number in used.items()]
    rows.sort(key=lambda row: (bool(row["registered"]), -int(str(row["pages"]))))
    if lost:
        said = ", ".join(f"{name} ({number} pages)" for name, number in lost.most_common(MOST_SAID))
        return Judgement(
            Verdict.CRITICAL, f"Not registered at {_at(reading)}: {said}.", len(lost), tuple(rows[:MOST_ROWS])
        )
    if lacking:
        said = "; ".join(name for name, _ in lacking.most_common(MOST_SAID))
        return Judgement(
            Verdict.WARNING, f"Demanded properties are missing: {said}.", len(lacking), tuple(rows[:MOST_ROWS])
        )
    known = len(reading.rows[0]["components"])
    said = f"All {len(used)} components that {len(pages)} pages name are among the {known} registered"
    return Judgement(Verdict.OK, f"{said} at {_at(reading)}.", 0, tuple(rows[:MOST_ROWS]))


def _judge_markup(reading: Reading) -> Judgement:
    if nothing := _nothing(reading):
        return nothing
    pages = _pages(reading)
    marked = [row for row in pages if row["markup"]]
    if marked:
        names = sorted({name for row in marked for name in row["markup"]})
        said = f"{len(marked)} pages hold markup that a sanitizer takes out, in {', '.join(names[:MOST_SAID])}"
        return Judgement(
            Verdict.WARNING, f"{said}; what is left of it only a browser shows.", len(marked), _where(marked)
        )
    said = f"None of {len(pages)} pages holds a script, a frame, a form or a handler for a sanitizer to take out"
    return Judgement(Verdict.OK, f"{said}; what else its own rules take out is not seen.", 0)


def _judge_tenant(reading: Reading) -> Judgement:
    if nothing := _nothing(reading):
        return nothing
    pages = _pages(reading)
    others = [row for row in pages if row["own_tenant"] is False]
    unnamed = [row for row in pages if row["own_tenant"] is None]
    if others:
        said = f"{len(others)} of {len(pages)} pages name another organization than the one they belong to"
        return Judgement(Verdict.CRITICAL, f"{said}: their data stays empty.", len(others), _where(others))
    if unnamed:
        said = f"{len(unnamed)} of {len(pages)} pages name no organization: their data has no tenant to be read for"
        return Judgement(Verdict.WARNING, f"{said}.", len(unnamed), _where(unnamed))
    return Judgement(Verdict.OK, f"All {len(pages)} pages name the organization that they belong to.", 0)


def _made(
    name: str, title: str, judge: Callable[[Reading], Judgement], remedy: str, items: tuple[str, ...]
) -> Callable[..., Check]:
    def made(ref: str = REF, newest: int = NEWEST) -> Check:
        return Check(name, title, probes.layouts(ref, newest), judge, remedy, None, items)

    made.__doc__ = f"Return the check: {title[0].lower()}{title[1:]}; UNKNOWN where no page is stored."
    return made


version = _made(
    "sdui-version",
    "Stored pages are not newer than what is deployed",
    _judge_version,
    "A newer version is clamped with a warning that nobody reads. Deploy the front end that supports it "
    "(runbooks/deploy-new-version), or have the server make pages of the older version until then.",
    ("TRB-SDU-02",),
)
schema = _made(
    "sdui-schema",
    "Stored pages are as their schema has them (SDUI_001)",
    _judge_schema,
    "Mend what makes the pages (the agent's prompt or template), then let the session make its page anew; a page that "
    "is refused leaves the canvas blank. The path says where in the page. A deployment alone rewrites no stored page.",
    ("TRB-ERR-05", "TRB-SDU-02", "TRB-SDU-S1"),
)
registry = _made(
    "sdui-registry",
    "Every component that stored pages name is registered (SDUI_002)",
    _judge_registry,
    REGISTER,
    ("TRB-ERR-06", "TRB-SDU-01", "TRB-SDU-S2"),
)
markup = _made(
    "sdui-markup",
    "Stored pages hold nothing that a sanitizer takes out",
    _judge_markup,
    "Let what makes the pages send text and properties instead of markup. If markup came from a user, treat it as an "
    "attack: runbooks/respond-to-security-incident.",
    ("TRB-SDU-03",),
)
tenant = _made(
    "sdui-tenant",
    "Stored pages name the organization that they belong to",
    _judge_tenant,
    "Set organizationId where the page is made, from the session's own row. Row level security shows nothing of "
    "another organization, without any error. A deployment alone rewrites no stored page.",
    ("TRB-SDU-00",),
)


def _judge_unseen(reading: Reading) -> Judgement:
    row = reading.row
    if not row["sessions"]:
        return Judgement(Verdict.UNKNOWN, "There is no session to look at.", None, (row,))
    if not row["row_security"]:
        said = "Row level security is off for agent_sessions: everybody is shown everything"
        return Judgement(Verdict.CRITICAL, f"{said}.", None, (row,))
    if row["unseen_now"]:
        who = ", ".join(row["membership"])
        said = f"{row['unseen_now']} sessions that go on show their own user nothing, who is {who} in the organization"
        return Judgement(Verdict.CRITICAL, f"{said}.", row["unseen_now"], (row,))
    said = f"Whoever has one of the {row['going']} sessions that go on is an active member of its organization"
    left = f"; {row['unseen']} ended ones are of users who are none now" if row["unseen"] else ""
    return Judgement(Verdict.OK, f"{said}{left}.", 0, (row,))


def unseen(newest: int = NEWEST) -> Check:
    """Return the check that who has a session may see its rows: an empty answer of row level security is no error."""
    return Check(
        name="sdui-unseen",
        title="Row level security shows users the rows of their own sessions",
        probe=probes.unseen(newest),
        judge=_judge_unseen,
        remedy="Set the membership to active again if it should be (organization_members), and have the user log in "
        "anew. An invited or suspended member gets 200 and an empty list for everything.",
        items=("TRB-SDU-00",),
    )
