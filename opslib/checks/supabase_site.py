"""“Cannot connect to Supabase”, taken apart: name, address, key, table, browser, clock, each by itself.

A station that could not be asked because one before it failed is UNKNOWN here, never red: the tree shows the order.
"""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import supabase_site as probes

PAUSED = 540
"""Status of a paused project's address (Supabase, "HTTP status codes")."""
GRANT = "42501"
"""SQLSTATE of a missing right: PostgREST answers it with 401 to who is nobody, with 403 to others."""
DOWN = ("PGRST000", "PGRST001", "PGRST002", "PGRST003")
SKEW = threshold("clock-skew")

Finding = tuple[Verdict, str]


def _summed(found: list[Finding], fine: str, value: float | None, reading: Reading) -> Judgement:
    order = list(Verdict)
    amiss = sorted((one for one in found if one[0] is not Verdict.OK), key=lambda one: -order.index(one[0]))
    said = "; ".join(dict.fromkeys(text.rstrip(".") for _, text in amiss)) or fine
    return Judgement(Verdict.worst([verdict for verdict, _ in found]), f"{said}.", value, reading.rows)


def _judge_name(reading: Reading) -> Judgement:
    row = reading.row
    if row["state"] == "a number":
        return Judgement(Verdict.OK, f"{row['host']} needs no name server.", None, reading.rows)
    if row["state"] == "there":
        many = len(row["addresses"])
        return Judgement(Verdict.OK, f"{row['host']} leads to {many} addresses.", many, reading.rows)
    alias = f" (an alias of {row['alias']})" if row["alias"] else ""
    word = "does not exist" if row["state"] == "not there" else "has no address"
    return Judgement(Verdict.CRITICAL, f"{row['host']}{alias} {word}.", 0, reading.rows)


name = Check(
    name="supabase-name",
    title="The name of the project's address resolves",
    probe=probes.name,
    judge=_judge_name,
    remedy=(
        "Compare VITE_SUPABASE_URL with the project's reference (https://REF.supabase.co). A project that was deleted "
        "or long paused has no name any more: look at supabase-project. A name of your own: mend its zone."
    ),
    items=("TRB-SUP-S1", "TRB-SUP-01"),
)
"""UNKNOWN where the name server does not say: that says nothing of the name."""


def _judge_reach(reading: Reading) -> Judgement:
    row = reading.row
    if row["answers"]:
        said = f"{row['address']} answers ({row['status']}) in {row['seconds']:g} s."
        return Judgement(Verdict.OK, said, None, reading.rows)
    return Judgement(Verdict.CRITICAL, f"Nobody answers from here: {row['why'].rstrip('.')}.", None, reading.rows)


reach = Check(
    name="supabase-reach",
    title="Somebody answers at the project's address",
    probe=probes.reach,
    judge=_judge_reach,
    remedy=(
        "Ask from another network too (a telephone): if it answers there, look at this network's proxy and firewall. "
        "dns: see supabase-name. tls: see dependencies-certificates, and the clock. Else see supabase-project and "
        "status.supabase.com."
    ),
    items=("TRB-SUP-S1",),
)
"""CRITICAL where no connection comes about; any HTTP answer is one, for the way is open then."""


def _judge_answers(reading: Reading) -> Judgement:
    settings, health, root, bare = reading.rows
    if PAUSED in (settings["status"], health["status"]):
        said = "540: the project is paused, so nobody looked at the key."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    found = [_key(settings), _service("sign-in", health), _root(root)]
    if bare["status"] == 200:
        found.append((Verdict.WARNING, "It answers without any key too: that the key is taken proves nothing"))
    return _summed(found, f"The public key is accepted ({_answered(root)})", None, reading)


def _key(row: Row) -> Finding:
    if row["status"] == 200:
        return Verdict.OK, ""
    words = f" “{row['said']}”" if row["said"] else ""
    if row["status"] in (401, 403):
        return Verdict.CRITICAL, f"The public key is not accepted: {row['status']}{words}"
    if row["status"] >= 500:
        return Verdict.CRITICAL, f"The sign-in answers {row['status']}{words}"
    return Verdict.UNKNOWN, f"{row['path']} answers {row['status']}{words}, which says nothing of the key"


def _service(what: str, row: Row) -> Finding:
    if row["status"] < 500:
        return Verdict.OK, ""
    return Verdict.CRITICAL, f"The {what} answers {row['status']} {row['said']}".rstrip()


def _root(row: Row) -> Finding:
    # Supabase may answer the root to the service key only: 401, 403, 404 there say "reachable, not allowed".
    if row["status"] >= 500 or row["code"] in DOWN:
        return Verdict.CRITICAL, f"The REST interface answers {row['status']} {row['code']} {row['said']}".rstrip()
    return Verdict.OK, ""


def _answered(root: Row) -> str:
    if root["status"] == 200:
        return "and the guide's own question, /rest/v1/, with 200"
    return f"the guide's own question, /rest/v1/, gives {root['status']}: it is for the service key only"


apikey = Check(
    name="supabase-apikey",
    title="The project accepts the public key",
    probe=probes.answers,
    judge=_judge_answers,
    remedy=(
        "401: the key is of another project, misspelt, or the project's keys were rotated or switched off: see "
        "supabase-keys, take the present one from the project's pages into vault and description, then deploy anew "
        "(runbooks/deploy-new-version sets it for the build): a build keeps the key that it was made with. 5xx: see "
        "supabase-services."
    ),
    items=("ENV-VER-03", "TRB-SUP-S2", "TRB-SUP-01"),
)
"""CRITICAL for 401 and 403 of the gateway, and for a service that fails; UNKNOWN while the project is paused."""


def _judge_tables(reading: Reading) -> Judgement:
    if not reading.rows:
        said = "OPS_PUBLIC_TABLES and OPS_MEMBER_TABLES name no table."
        return Judgement(Verdict.UNKNOWN, said, None, ())
    rows = tuple({**row, "finding": _table(row)[1] or "as meant"} for row in reading.rows)
    found = [(verdict, f"{row['table']}: {text}") for row in reading.rows for verdict, text in [_table(row)]]
    bad = sum(verdict is Verdict.CRITICAL for verdict, _ in found)
    judged = _summed(found, f"All {len(rows)} tables answer as meant", bad, reading)
    return Judgement(judged.verdict, judged.summary, judged.value, rows)


def _table(row: Row) -> Finding:
    """Return what is amiss with one table: the catalogue says why, the answer says that it is so."""
    if not row["there"]:
        return Verdict.CRITICAL, "is not in schema public"
    if row["read_by"] == "members":
        return _for_members(row)
    if not row["anybody_may"]:
        return Verdict.CRITICAL, "no grant: anon may not SELECT, so everybody gets 401 with 42501"
    if row["rls"] and not row["anybody_policies"]:
        said = "hidden by row level security: no policy lets anon see a row, so the answer is 200 with an empty list"
        return Verdict.CRITICAL, said
    return _asked(row)


def _for_members(row: Row) -> Finding:
    if not row["members_may"]:
        return Verdict.CRITICAL, "no grant: authenticated may not SELECT, so who signed in gets 403"
    if row["rls"] and not row["members_policies"]:
        said = "hidden by row level security: no policy lets authenticated see a row (200 with an empty list)"
        return Verdict.CRITICAL, said
    if row["rows"]:
        return Verdict.CRITICAL, "shows rows to who has the public key alone"
    if row["status"] == 200 or row["code"] == GRANT:
        return Verdict.OK, ""
    return _asked(row)


def _asked(row: Row) -> Finding:
    if row["status"] is None or row["status"] == PAUSED:
        return Verdict.UNKNOWN, row["why"] or "the project is paused"
    if row["status"] == 404:
        return Verdict.CRITICAL, f"the API does not serve it ({row['code']}): reload its schema cache"
    if row["status"] in (401, 403):
        return Verdict.UNKNOWN, "the key is not accepted, so nobody saw the table"
    if row["status"] != 200:
        return Verdict.CRITICAL, f"answers {row['status']} {row['code']}".rstrip()
    if row["rows"]:
        return Verdict.OK, ""
    if row["about_rows"]:
        return Verdict.CRITICAL, "200 with an empty list, though it has rows: a policy hides all of them"
    return Verdict.UNKNOWN, "is empty, so an empty answer proves nothing"


tables = Check(
    name="supabase-tables",
    title="Tables can be read by whom they are meant for",
    probe=probes.tables,
    judge=_judge_tables,
    remedy=(
        "A missing grant: GRANT SELECT in a migration. A missing policy: CREATE POLICY in a migration, never "
        "`DISABLE ROW LEVEL SECURITY`. Write it; runbooks/migrate-database applies it; which rows members of other "
        "organizations see: diagnostics/security. Not served: NOTIFY pgrst, 'reload schema'."
    ),
    items=("TRB-SUP-04",),
)
"""Tells a missing grant (401, 403), a hiding policy (200, empty) and an empty table apart."""


def _judge_preflights(reading: Reading) -> Judgement:
    found = [_preflight(row) for row in reading.rows]
    refused = sum(verdict is Verdict.CRITICAL for verdict, _ in found)
    return _summed(found, f"A page of {reading.rows[0]['origin']} may call the project", refused, reading)


def _preflight(row: Row) -> Finding:
    if row["status"] == PAUSED:
        return Verdict.UNKNOWN, "540: the project is paused, so its preflights say nothing"
    if not 200 <= row["status"] < 300:
        return Verdict.CRITICAL, f"{row['path']} answers the preflight with {row['status']}: browsers stop there"
    if not row["origin_allowed"]:
        return Verdict.CRITICAL, f"{row['path']} does not allow {row['origin']} (it says {row['allows'] or 'nothing'})"
    if not row["headers_allowed"]:
        return Verdict.CRITICAL, f"{row['path']} does not allow the headers apikey and authorization"
    return Verdict.OK, ""


preflights = Check(
    name="supabase-cors",
    title="A browser may call the project from the front end",
    probe=probes.preflights,
    judge=_judge_preflights,
    remedy=(
        "Supabase's own address allows every origin and has no setting for it, so what refuses stands before it: a "
        "domain of your own, a proxy, a firewall's answer. A 4xx or 5xx without these headers also reads as a CORS "
        "error in a browser: look at the status first. The functions answer preflights themselves."
    ),
    items=("TRB-SUP-03",),
)
"""By behaviour: the guide says "verify CORS settings", of which a Supabase project has none."""


def _judge_clocks(reading: Reading) -> Judgement:
    found = [_clock(row) for row in reading.rows]
    seen = [abs(row["ahead"]) for row in reading.rows if row["ahead"] is not None]
    worst = max(seen, default=None)
    if len(seen) > 1 and all(SKEW.judge(one) is not Verdict.OK for one in seen):
        found = [*found, (Verdict.WARNING, "All are: look at this machine's own clock first")]
    fine = f"No clock is more than {worst:g} s from this machine's" if worst is not None else ""
    return _summed(found, fine, worst, reading)


def _clock(row: Row) -> Finding:
    if row["ahead"] is None:
        return Verdict.UNKNOWN, f"{row['clock']}: {row['why']}"
    verdict = SKEW.judge(abs(row["ahead"]))
    way = "ahead of" if row["ahead"] > 0 else "behind"
    return verdict, f"The clock of {row['clock']} is {abs(row['ahead']):g} s {way} this machine's"


clocks = Check(
    name="supabase-clock",
    title="The clocks agree",
    probe=probes.clocks,
    judge=_judge_clocks,
    remedy=(
        "Mend the clock that is wrong (timedatectl, chrony). A token counts from iat to exp by the clock of whoever "
        "checks it: a wrong one refuses good tokens, and signs people out. A browser's clock nobody sees from here: "
        "ask the person who is affected."
    ),
    threshold=SKEW,
    items=("TRB-SUP-S2",),
)
"""How far the project's and the database's clocks are from this machine's."""
