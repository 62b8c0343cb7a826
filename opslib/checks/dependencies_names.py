"""The names that the product uses lead somewhere, and their hosts show certificates that are believed and will last."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import dependencies_names as probes

DAYS_LEFT = threshold("certificate-days")

Finding = tuple[Verdict, str]


def _summed(found: Sequence[Finding], fine: str, value: float | None, reading: Reading) -> Judgement:
    order = list(Verdict)
    amiss = sorted((one for one in found if one[0] is not Verdict.OK), key=lambda one: -order.index(one[0]))
    said = "; ".join(text for _, text in amiss) or fine
    verdict = Verdict.worst([verdict for verdict, _ in found])
    return Judgement(verdict, f"{said.rstrip('.')}.", value, reading.rows)


def _judge_names(reading: Reading) -> Judgement:
    found = [one for row in reading.rows if (one := _name(row))]
    if not found:
        said = "Every address in the description is a number: there is no name to look up."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    lost = sum(verdict is Verdict.CRITICAL for verdict, _ in found)
    return _summed(found, f"All {len(found)} names lead to an address", lost, reading)


def _name(row: Row) -> Finding | None:
    if row["state"] == "no name":
        return None
    if row["state"] == "not told":
        return Verdict.UNKNOWN, str(row["why"])
    if row["state"] == "there":
        return Verdict.OK, ""
    if row["state"] == "not there" and row["alias"]:
        said = f"{row['host']} is an alias of {row['alias']}, which does not exist: whoever registers that gets it"
        return Verdict.CRITICAL, said
    said = "does not exist" if row["state"] == "not there" else "has no address"
    return Verdict.CRITICAL, f"{row['host']} ({row['used']}) {said}"


def _judge_certificates(reading: Reading) -> Judgement:
    found = [one for row in reading.rows if (one := _certificate(row))]
    if not found:
        return Judgement(Verdict.UNKNOWN, "No host is spoken to over TLS: there is no certificate.", None, reading.rows)
    days = [row["days"] for row in reading.rows if row["days"] is not None]
    least = min(days, default=None)
    fine = f"Certificates that are believed: {len(found)}; the first ends in {least:g} days" if days else ""
    return _summed(found, fine, least, reading)


def _certificate(row: Row) -> Finding | None:
    host = f"{row['host']} ({row['used']})"
    if row["state"] == "plain, on this machine":
        return None
    if row["state"] == "plain":
        return Verdict.CRITICAL, f"{host} is spoken to without TLS"
    if row["state"] == "not told":
        return Verdict.UNKNOWN, str(row["why"])
    if row["state"] == "not trusted":
        return Verdict.CRITICAL, f"{host} is not believed: {row['why']} ({_until(row)})"
    warning, critical = limits(row["lifetime"])
    if row["days"] < critical:
        return Verdict.CRITICAL, f"{host} ends in {row['days']:g} days"
    return (Verdict.WARNING, f"{host} ends in {row['days']:g} days") if row["days"] < warning else (Verdict.OK, "")


def limits(lifetime: float) -> tuple[float, float]:
    """Return the days left below which a certificate of that lifetime (in days) is a WARNING and CRITICAL."""
    return min(DAYS_LEFT.warning or 0.0, lifetime / 3), min(DAYS_LEFT.critical or 0.0, lifetime / 6)


def _until(row: Row) -> str:
    return f"until {row['ends'][:10]}, for {', '.join(row['names']) or 'no name'}"


names = Check(
    name="dependencies-names",
    title="The names that the product uses lead to an address",
    probe=probes.names,
    judge=_judge_names,
    remedy=(
        "CRITICAL: look at the zone where the name is kept; users and servers stop finding the host as their kept "
        "answers run out (the column ttl). A model provider's: disaster/recover-llm meanwhile. UNKNOWN: the name "
        "server failed, which says nothing of the name."
    ),
    items=("IMP-HOST-01", "IMP-HOST-02"),
)
"""CRITICAL for a name that does not exist or has no address; UNKNOWN where the name server does not say."""

certificates = Check(
    name="dependencies-certificates",
    title="The certificates are believed, fit their names and will last",
    probe=probes.certificates,
    judge=_judge_certificates,
    remedy=(
        "Renew it where it is kept: at the hoster for the front end, at the load balancer or cert-manager for the API. "
        "“unable to get local issuer”: an intermediate certificate is missing in what is served, or this machine lacks "
        "the authority. “Hostname mismatch”: the host serves somebody else's."
    ),
    threshold=DAYS_LEFT,
    items=("IMP-HOST-01", "IMP-HOST-02"),
)
"""CRITICAL for one that is not believed, is about to end, or is not there; UNKNOWN where there was no handshake."""
