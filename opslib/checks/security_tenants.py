"""Nobody sees what is another tenant's, and every way in the catalogue that would allow it is closed."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import security_tenants as probes

FOREIGN = threshold("foreign-rows")
SHOWN = 20
ANYBODY = "anybody"

Finding = tuple[Verdict, str]


def _judge_matrix(reading: Reading) -> Judgement:
    found = [(row, verdict, said) for row in reading.rows for verdict, said in [_cell(row)]]
    amiss = [one for one in found if one[1] is not Verdict.OK]
    order = list(Verdict)
    amiss.sort(key=lambda one: -order.index(one[1]))
    verdict = Verdict.worst([one[1] for one in found])
    foreign = sum((row["foreign"] or 0) if row["identity"] != ANYBODY else (row["visible"] or 0) for row, _, _ in amiss)
    if not amiss:
        relations = len({row["relation"] for row in reading.rows})
        return Judgement(Verdict.OK, f"Nobody sees another's rows in {relations} tables and views.", 0, ())
    said = "; ".join(said for _, _, said in amiss[:4])
    more = f"; {len(amiss) - 4} more" if len(amiss) > 4 else ""
    return Judgement(verdict, f"{said}{more}.", foreign, tuple(row for row, _, _ in amiss[:SHOWN]))


def _cell(row: Row) -> Finding:
    """Return what is amiss with what one identity sees of one relation; denied is as it should be."""
    who, where = row["identity"], row["relation"]
    if row["word"] == "denied" or row["excepted"]:
        return Verdict.OK, ""
    if row["word"] != "seen":
        return Verdict.UNKNOWN, f"{where} as {who}: {row['word']} ({row['why']})"
    many = f"{'at least ' if row['capped'] else ''}{row['visible']}"
    if who == ANYBODY:
        if row["visible"]:
            return Verdict.CRITICAL, f"anybody sees {many} rows of {where}"
        return Verdict.OK, ""
    if row["foreign"] and FOREIGN.judge(row["foreign"]) is Verdict.CRITICAL:
        return Verdict.CRITICAL, f"{who} sees {row['foreign']} rows of other organizations in {where}"
    if row["nobodys"]:
        return Verdict.WARNING, f"{who} sees {row['nobodys']} rows of {where} that are nobody's"
    return Verdict.OK, ""


matrix = Check(
    name="security-tenants",
    title="Nobody sees rows of another organization",
    probe=probes.matrix,
    judge=_judge_matrix,
    remedy=(
        "It is a leak now: begin runbooks/respond-to-security-incident, and close it by a policy in a migration "
        "(runbooks/migrate-database): USING (is_org_member(organization_id)), a view WITH (security_invoker = true). "
        "What everybody may see belongs into OPS_TENANT_EXCEPTIONS, with its reason."
    ),
    threshold=FOREIGN,
    items=(),
)
"""CRITICAL for one foreign row; UNKNOWN for what was too slow or locked. Relations without a tenant's column: not."""


def _judge_rls(reading: Reading) -> Judgement:
    tables = [row for row in reading.rows if row["kind"] in ("table", "foreign table")]
    if not tables:
        return Judgement(Verdict.UNKNOWN, "The exposed schemas have no table.", None, ())
    off = [row for row in tables if not row["rls"] and (row["readers"] or row["writers"]) and not row["excepted"]]
    silent = [row["relation"] for row in tables if row["rls"] and not row["policies"]]
    if off:
        names = ", ".join(_reached(row) for row in off[:4])
        return Judgement(Verdict.CRITICAL, f"Without row level security: {names}.", len(off), tuple(off[:SHOWN]))
    without = f"; {len(silent)} have no policy, so the service role alone sees them" if silent else ""
    said = f"All {len(tables)} tables that the API reaches have row level security{without}."
    return Judgement(Verdict.OK, said, 0, ())


def _reached(row: Row) -> str:
    may = "write" if row["writers"] else "read"
    return f"{row['relation']} ({' and '.join(row['writers'] or row['readers'])} may {may} all of it)"


row_security = Check(
    name="security-rls",
    title="Tables that the API reaches have row level security",
    probe=probes.exposure,
    judge=_judge_rls,
    remedy=(
        "ALTER TABLE … ENABLE ROW LEVEL SECURITY with its policies, in one migration (runbooks/migrate-database). "
        "A table that the API should not have: REVOKE ALL … FROM anon, authenticated, or another schema."
    ),
)
"""CRITICAL where a grant reaches a table without it. On and without a policy is safe: service_role alone sees rows."""


def _judge_views(reading: Reading) -> Judgement:
    views = [row for row in reading.rows if row["kind"] in ("view", "materialised view")]
    bad = [
        row
        for row in views
        if (row["owner_rights"] or row["kind"] == "materialised view") and row["readers"] and not row["excepted"]
    ]
    if bad:
        names = ", ".join(f"{row['relation']} ({', '.join(row['readers'])})" for row in bad[:4])
        said = f"They show rows with their owner's rights, past every policy: {names}."
        return Judgement(Verdict.CRITICAL, said, len(bad), tuple(bad[:SHOWN]))
    said = f"None of {len(views)} views that the API reaches passes by the policies."
    return Judgement(Verdict.OK, said, 0, ())


views = Check(
    name="security-views",
    title="Views do not pass by the policies",
    probe=probes.exposure,
    judge=_judge_views,
    remedy=(
        "ALTER VIEW … SET (security_invoker = true) in a migration (runbooks/migrate-database). A materialised view "
        "knows no policies at all: "
        "REVOKE it from anon and authenticated, and serve it by a function that checks."
    ),
)
"""CRITICAL for a view with its owner's rights, or a materialised view, that anon or authenticated may read."""


def _judge_open(reading: Reading) -> Judgement:
    rows = [row for row in reading.rows if not row["excepted"] and (row["open_reads"] or row["open_writes"])]
    if not rows:
        return Judgement(Verdict.OK, "No policy of the API's roles lets every row pass.", 0, ())
    writes = [row for row in rows if row["open_writes"] and row["writers"]]
    names = ", ".join(f"{row['relation']} ({', '.join({*row['open_reads'], *row['open_writes']})})" for row in rows[:4])
    what = "read and write" if writes else "read"
    said = f"Policies that are true for every row: {names}: who has the role may {what} all of it."
    return Judgement(Verdict.CRITICAL, said, len(rows), tuple(rows[:SHOWN]))


open_policies = Check(
    name="security-open-policies",
    title="No policy is simply true",
    probe=probes.exposure,
    judge=_judge_open,
    remedy=(
        "Replace USING (true) by the condition that was meant, in a migration; where everybody is meant, name the "
        "table with its reason in OPS_TENANT_EXCEPTIONS. Splinter (`supabase db advisors`) does not report a SELECT "
        "policy that is true."
    ),
)
"""CRITICAL for a policy of anon, authenticated or everybody that is true, unless the table is excepted."""
