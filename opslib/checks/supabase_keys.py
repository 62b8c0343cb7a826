"""The project's keys are what their names say, and the project keeps nobody out who has to reach it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import supabase_keys as probes
from opslib.systems.supabase_keys import ANON, SERVICE

DAYS = threshold("supabase-key-days")
ISSUERS = ("supabase", "")
"""Who signs a project's keys; a key of the newer form says nothing."""
MEANT = {ANON: "anon", SERVICE: "service_role"}
"""The role of which a variable's key must be."""

Finding = tuple[Verdict, str]


def _judge_keys(reading: Reading) -> Judgement:
    rows = {row["variable"]: row for row in reading.rows}
    found = [one for row in reading.rows for one in _key(row)]
    if _swapped(rows):
        found.insert(0, (Verdict.CRITICAL, "The two keys are swapped: browsers get the one that passes every policy"))
    elif any(row["same_as_other"] for row in reading.rows):
        found.insert(0, (Verdict.CRITICAL, "Both variables hold one key"))
    order = list(Verdict)
    amiss = sorted((one for one in found if one[0] is not Verdict.OK), key=lambda one: -order.index(one[0]))
    verdict = Verdict.worst([verdict for verdict, _ in found])
    fine = f"The keys are {' and '.join(row['role'] or row['form'] for row in reading.rows)} of {rows[ANON]['meant']}"
    said = "; ".join(text for _, text in amiss) or fine
    least = min((row["days_left"] for row in reading.rows if row["days_left"] is not None), default=None)
    return Judgement(verdict, f"{said}.", least, reading.rows)


def _swapped(rows: dict[str, Row]) -> bool:
    return (rows[ANON]["role"], rows[SERVICE]["role"]) == ("service_role", "anon")


def _key(row: Row) -> Iterator[Finding]:
    name = row["variable"]
    if not row["set"]:
        # The service key need not be here at all; without the public one nothing can be said of the front end.
        yield (Verdict.UNKNOWN if name == ANON else Verdict.OK), f"{name} is not in the target description"
        return
    role = MEANT[name]
    if row["form"] not in ("token", "publishable", "secret"):
        yield Verdict.CRITICAL, f"{name} is {row['form']}"
        return
    if row["role"] != role:
        danger = ": it passes every policy" if name == ANON and row["role"] == "service_role" else ""
        yield Verdict.CRITICAL, f"{name} is a key of {row['role'] or 'no role'}, not of {role}{danger}"
    if row["form"] != "token":
        yield Verdict.OK, ""
        return
    yield from _token(row)


def _token(row: Row) -> Iterator[Finding]:
    name = row["variable"]
    if not row["meant"]:
        yield Verdict.UNKNOWN, f"Of which project {name} should be is not known: set SUPABASE_PROJECT_REF"
    elif row["project"] != row["meant"]:
        yield Verdict.CRITICAL, f"{name} is of the project {row['project'] or '(none)'}, not of {row['meant']}"
    if row["issuer"] not in ISSUERS:
        yield Verdict.CRITICAL, f"{name} was issued by {row['issuer']}, not by supabase"
    if row["days_left"] is None:
        yield Verdict.WARNING, f"{name} does not say until when it counts"
    elif row["days_left"] <= 0:
        yield Verdict.CRITICAL, f"{name} expired {-row['days_left']:g} days ago"
    else:
        yield DAYS.judge(row["days_left"]), f"{name} expires in {row['days_left']:g} days"
    if row["taken"] is False:
        yield Verdict.CRITICAL, f"{name} is of the older form, which the project does not take any more"
    if row["signature"] == "does not fit":
        yield Verdict.CRITICAL, f"{name} was not signed with JWT_SECRET: one of the two is old, or of another project"


keys = Check(
    name="supabase-keys",
    title="The project's keys are what their names say",
    probe=probes.keys,
    judge=_judge_keys,
    remedy=(
        "Take both keys anew from the project's pages (Settings, API keys). A service key that browsers got is "
        "known to everybody: rotate it at once (runbooks/rotate-api-keys), then set the public one at the hoster and "
        "deploy. Not signed with JWT_SECRET: compare it with the project's, everywhere where it is set."
    ),
    threshold=DAYS,
    items=("TRB-SUP-01", "TRB-SUP-S2"),
)
"""Roles, project, issuer, expiry and signature; CRITICAL for swapped keys. Decoded by the executor, shown nowhere."""


def judge_network(reading: Reading) -> Judgement:
    """Judge bans and restrictions; whose addresses they are nobody knows here, so they are a WARNING to be read."""
    untold = [row["why"] for row in reading.rows if row["why"]]
    banned = [row["address"] for row in reading.rows if row["what"] == "ban" and row["address"]]
    allowed = [row["address"] for row in reading.rows if row["what"] == "allowed" and row["address"]]
    told = any(row["what"] == "allowed" for row in reading.rows)
    found: list[Finding] = [(Verdict.UNKNOWN, why.rstrip(".")) for why in untold]
    if banned:
        said = f"{len(banned)} addresses are banned from the database: {', '.join(banned[:3])}"
        found.append((Verdict.WARNING, said))
    if told and not allowed:
        found.append((Verdict.CRITICAL, "No range at all may reach the database"))
    elif told and not all(_everybody(allowed, version) for version in (4, 6)):
        found.append((Verdict.WARNING, f"Only {', '.join(allowed[:3])} may reach the database"))
    if any(row["state"] for row in reading.rows):
        found.append((Verdict.WARNING, "The restrictions are stored and not applied yet"))
    verdict = Verdict.worst([Verdict.OK, *(verdict for verdict, _ in found)])
    fine = "No address is banned, and every one may reach the database"
    return Judgement(verdict, f"{'; '.join(text for _, text in found) or fine}.", len(banned), reading.rows)


def _everybody(allowed: list[str], version: int) -> bool:
    for text in allowed:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            continue
        if network.version == version and network.prefixlen == 0:
            return True
    return False


network = Check(
    name="supabase-network",
    title="The project keeps nobody out who has to reach it",
    probe=probes.network,
    judge=judge_network,
    remedy=(
        "Compare the addresses with those of the API's pods, of the jobs and your own. A ban follows wrong "
        "passwords of the database: find who tries them, mend the password there, then lift it on "
        "the project's pages (Settings, Database, Banned IPs). Restrictions hold for the database "
        "alone, not for the REST interface."
    ),
    items=("TRB-SUP-S1",),
)
"""WARNING for bans and restrictions, for nobody here knows whose addresses they are; CRITICAL where none may."""
