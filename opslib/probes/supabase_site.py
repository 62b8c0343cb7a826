"""The way from a browser to a row, station by station: name, address, key, table, preflight, clock.

The guide's own test is one of these questions: ``curl "$VITE_SUPABASE_URL/rest/v1/" -H "apikey: …"`` (ENV-VER-03).
Its answer alone tells a 401 of the gateway (key), a 401 or 403 of the database (grant) and a 200 with an empty list
(row level security hides all) apart as little as a browser does; here each is looked at by itself.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from opslib.errors import OpsError, Unreachable
from opslib.model import Probe, now
from opslib.probes.questions import question
from opslib.systems.target import ReadTarget
from opslib.systems.web_exchange import Answer

HEALTH, SETTINGS, ROOT = "/auth/v1/health", "/auth/v1/settings", "/rest/v1/"
LOCAL = "localhost"
LONGEST = 160
"""Characters of the gateway's own words that a row repeats."""


def _name(target: ReadTarget) -> list[dict[str, Any]]:
    host = (urlsplit(target.supabase_site.base).hostname or "").lower()
    row: dict[str, Any] = {"host": host, "state": "a number", "addresses": [], "alias": ""}
    if host == LOCAL or _number(host):
        return [row]
    found = target.names.look_up(host)
    state = "there" if found.addresses else "no address" if found.exists else "not there"
    return [row | {"state": state, "addresses": list(found.addresses[:8]), "alias": found.alias or ""}]


def _number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _reach(target: ReadTarget) -> list[dict[str, Any]]:
    """Ask without a key: whatever is answered, the way there is open."""
    site = target.supabase_site
    row: dict[str, Any] = {"address": site.base, "answers": False, "kind": "", "status": None, "seconds": None}
    try:
        answer = site.get(HEALTH, key=False)
    except Unreachable as error:
        return [row | {"kind": error.kind, "why": error.message}]
    return [row | {"answers": True, "status": answer.status, "seconds": round(answer.seconds, 3), "why": ""}]


def _answers(target: ReadTarget) -> list[dict[str, Any]]:
    site = target.supabase_site
    rows = [_answer(site.get(path), path, "public") for path in (SETTINGS, HEALTH, ROOT)]
    return [*rows, _answer(site.get(SETTINGS, key=False), SETTINGS, "none")]


def _answer(answer: Answer, path: str, key: str) -> dict[str, Any]:
    code, words = _said(answer)
    seconds = round(answer.seconds, 3)
    return {"path": path, "key": key, "status": answer.status, "code": code, "said": words, "seconds": seconds}


def _said(answer: Answer) -> tuple[str, str]:
    """Return an error's code and the gateway's or PostgREST's own words; nothing of a success."""
    if 200 <= answer.status < 300:
        return "", ""
    try:
        body = json.loads(answer.text)
    except ValueError:
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    code, words = body.get("code") or body.get("error_code"), body.get("message") or body.get("msg")
    return (code[:20] if isinstance(code, str) else ""), (words[:LONGEST] if isinstance(words, str) else "")


def _tables(target: ReadTarget) -> list[dict[str, Any]]:
    settings = target.settings
    wanted = dict.fromkeys((*settings.public_tables, *settings.member_tables))
    found = target.database.ask(question("supabase/tables"), {"tables": list(wanted)})
    return [_table(target, row) for row in found]


def _table(target: ReadTarget, row: dict[str, Any]) -> dict[str, Any]:
    """Return what the catalogue says of a table, beside what its address answers to who has the public key alone."""
    who = "everybody" if row["table"] in target.settings.public_tables else "members"
    asked = {"status": None, "code": "", "rows": None, "why": ""}
    try:
        answer = target.supabase_site.get(f"{ROOT}{row['table']}?select=*&limit=1")
    except OpsError as error:
        return {**row, "read_by": who, **asked, "why": str(error)}
    code, words = _said(answer)
    return {**row, "read_by": who, "status": answer.status, "code": code, "rows": _count(answer), "why": words}


def _count(answer: Answer) -> int | None:
    if not 200 <= answer.status < 300:
        return None
    try:
        body = json.loads(answer.text)
    except ValueError:
        return None
    return len(body) if isinstance(body, list) else None


def _preflights(target: ReadTarget) -> list[dict[str, Any]]:
    address = target.settings.front_end_url
    if address is None:
        raise Unreachable("VITE_APP_URL is not in the target description.", "Name where users open the front end.")
    origin = origin_of(address)
    return [
        _preflight(path, origin, target.supabase_site.preflight(path, origin))
        for path in (f"{ROOT}{target.settings.public_tables[0]}" if target.settings.public_tables else ROOT, HEALTH)
    ]


def _preflight(path: str, origin: str, answer: Answer) -> dict[str, Any]:
    allowed = answer.headers.get("access-control-allow-origin", "")
    named = {word.strip().lower() for word in answer.headers.get("access-control-allow-headers", "").split(",")}
    return {
        "path": path,
        "origin": origin,
        "status": answer.status,
        "allows": allowed[:LONGEST],
        "origin_allowed": allowed in ("*", origin),
        "headers_allowed": "*" in named or {"apikey", "authorization"} <= named,
        "credentials": answer.headers.get("access-control-allow-credentials", ""),
    }


def origin_of(address: str) -> str:
    """Return the origin of an address, as a browser writes it: scheme, host, and the port that is not the scheme's."""
    parts = urlsplit(address)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    port = f":{parts.port}" if parts.port not in (None, usual) else ""
    return f"{parts.scheme}://{(parts.hostname or '').lower()}{port}"


def _clocks(target: ReadTarget) -> list[dict[str, Any]]:
    return [*_gateway_clock(target), *_database_clock(target)]


def _gateway_clock(target: ReadTarget) -> Iterator[dict[str, Any]]:
    before = now()
    answer = target.supabase_site.get(HEALTH, key=False)
    middle = before + (now() - before) / 2
    try:
        told = parsedate_to_datetime(answer.headers.get("date", ""))
    except (TypeError, ValueError):
        yield {"clock": "the project's address", "ahead": None, "why": "It sends no Date header that can be read."}
        return
    # A Date header has whole seconds, cut off.
    yield {"clock": "the project's address", "ahead": round((told - middle).total_seconds() + 0.5, 1), "why": ""}


def _database_clock(target: ReadTarget) -> Iterator[dict[str, Any]]:
    try:
        before = now()
        (row,) = target.database.ask(question("supabase/clock"))
        middle = before + (now() - before) / 2
    except OpsError as error:
        yield {"clock": "the database", "ahead": None, "why": str(error)}
        return
    yield {"clock": "the database", "ahead": round((row["moment"] - middle).total_seconds(), 1), "why": ""}


name = Probe(
    "supabase-name", "The name of the project's address", _name, source="A and AAAA of the host of $VITE_SUPABASE_URL"
)
"""One row; UNKNOWN where the name server does not say. A number has no name to resolve."""

reach = Probe(
    "supabase-reach",
    "The project's address",
    _reach,
    source=f"GET $VITE_SUPABASE_URL{HEALTH}, without a key",
    units={"seconds": "s"},
)
"""One row: whether anything answers, and else what failed (name, connection, TLS, time)."""

answers = Probe(
    "supabase-answers",
    "What the project answers to its public key, and to none",
    _answers,
    source=f"GET $VITE_SUPABASE_URL{SETTINGS}, {HEALTH}, {ROOT} -H apikey: $VITE_SUPABASE_ANON_KEY",
    units={"seconds": "s"},
)
"""One row a question. The last is asked without a key."""

tables = Probe(
    "supabase-tables",
    "What the API lets be seen of each table",
    _tables,
    source=f"GET $VITE_SUPABASE_URL{ROOT}TABLE?select=*&limit=1; sql/supabase/tables.sql",
)
"""One row a table of OPS_PUBLIC_TABLES and OPS_MEMBER_TABLES: grants and policies, and what is answered."""

preflights = Probe(
    "supabase-preflights",
    "Whether a browser may call the project from the front end",
    _preflights,
    source=f"OPTIONS $VITE_SUPABASE_URL{ROOT}TABLE, {HEALTH} -H Origin: $VITE_APP_URL",
)
"""One row an address: which origin and which headers it allows."""

clocks = Probe(
    "supabase-clocks",
    "Clocks beside this machine's",
    _clocks,
    source=f"Date of GET $VITE_SUPABASE_URL{HEALTH}; sql/supabase/clock.sql",
    units={"ahead": "s"},
)
"""One row a clock: by how many seconds it is ahead of this machine's; a browser's clock nobody sees from here."""
