"""Whether the API's name leads to an API that serves, for everybody; and whether the recovery site could take over."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Rows, Verdict
from opslib.probes import dependencies_sites as probes

TTL = threshold("failover-ttl")
OURS = ("slow", "dns", "other", "limited", "not allowed", "absent")
"""States that may be our own way's fault, or say nothing of readiness."""
Finding = tuple[Verdict, str]


def _judge_name(reading: Reading) -> Judgement:
    zone, *others = reading.rows
    found = [*_zone(zone), *(one for row in others for one in _answer(row))]
    found += _unasked(others)
    worst = Verdict.worst([Verdict.OK, *(verdict for verdict, _ in found)])
    said = [text for verdict, text in found if verdict is worst] + [
        text for verdict, text in found if verdict is not worst
    ]
    fine = f"{len(others)} servers say the same, and the API is ready there"
    return Judgement(worst, f"{'; '.join(dict.fromkeys(said)) or fine}.", zone["ttl"], reading.rows)


def _zone(row: Row) -> list[Finding]:
    found: list[Finding] = []
    if not row["there"]:
        return [(Verdict.CRITICAL, f"there is no record of it in the zone {row['asked']}")]
    if row["why"]:
        found.append((Verdict.WARNING, f"it could not be led elsewhere from here: {row['why']}"))
    if row["site"] == "elsewhere":
        found.append((Verdict.CRITICAL, f"it leads to {', '.join(row['addresses'])}, which is neither site"))
    if row["site"] == "recovery":
        found.append((Verdict.WARNING, "it leads to the recovery site"))
    if row["ttl"] is not None and TTL.judge(row["ttl"]) is not Verdict.OK:
        found.append((Verdict.WARNING, f"answers may be kept for {row['ttl']} s: a failover would take as long"))
    return found


def _answer(row: Row) -> list[Finding]:
    who = f"the {row['role']} {row['asked']}"
    if row["why"]:
        return [(Verdict.UNKNOWN, f"{who}: {row['why']}")]
    found: list[Finding] = []
    if not row["agrees"]:
        # A resolver may answer as before for as long as the answer may be kept; who keeps the zone may not.
        verdict = Verdict.CRITICAL if row["role"] == probes.NAME_SERVER else Verdict.WARNING
        found.append((verdict, f"{who} answers {', '.join(row['addresses']) or 'nothing'}, not what the zone has"))
    for state in filter(None, row["ready"].split(", ")):
        if state not in probes.WELL:
            said = f"at an address that {who} gives, the API is not ready ({state})"
            found.append((Verdict.UNKNOWN if state in OURS else Verdict.CRITICAL, said))
    return found


def _unasked(rows: list[Row]) -> list[Finding]:
    roles = {row["role"] for row in rows}
    return [
        (Verdict.UNKNOWN, f"no {one} was asked") for one in (probes.NAME_SERVER, probes.RESOLVER) if one not in roles
    ]


def _judge_recovery(reading: Reading) -> Judgement:
    rows: Rows = tuple(row for row in reading.rows if row["site"] == "recovery")
    bad = [row for row in rows if row["state"] not in probes.WELL]
    seconds, says = rows[0]["data_seconds"], rows[0]["data"]
    if bad:
        known = [row for row in bad if row["state"] not in (*OURS, "not told")]
        worst = Verdict.CRITICAL if known else Verdict.UNKNOWN
        row = (known or bad)[0]
        return Judgement(worst, f"{row['address'] or 'It'} is {row['state']}: {row['why']}", None, reading.rows)
    if seconds is None:
        return Judgement(Verdict.UNKNOWN, f"How old its data is, nobody knows: {says}.", None, reading.rows)
    said = f"It is ready at each of its addresses ({len(rows)}); its data is at most {seconds:g} s old: {says}."
    return Judgement(Verdict.OK, said, seconds, reading.rows)


api_name = Check(
    name="dependencies-api-name",
    title="The API's name leads everybody to an API that serves",
    probe=probes.answers,
    judge=_judge_name,
    remedy=(
        "CRITICAL: disaster/recover-everything leads the name to a site that serves (its step saves the record sets of "
        "before, and the undo brings them back). A name server that says otherwise than the zone: wait a minute, then "
        "AWS. WARNING: resolvers follow as their kept answers run out; a lower TTL has to be set before it is needed."
    ),
    threshold=TTL,
    items=("DR-SYS-02",),
)
"""CRITICAL: no record, a dead place, or a name server that says otherwise. UNKNOWN: somebody could not be asked."""

recovery_site = Check(
    name="dependencies-recovery-site",
    title="The recovery site is ready, and its data is known",
    probe=probes.sites,
    judge=_judge_recovery,
    remedy=(
        "Mend it before it is needed: it is asked by the API's name at its own addresses, so its certificate has to "
        "fit that name. How old its data is: disaster/recover-database, or OPS_RECOVERY_DATA in the description."
    ),
    items=("DR-SYS-03",),
)
"""CRITICAL where it does not serve; UNKNOWN where nobody knows, or it is not described."""
