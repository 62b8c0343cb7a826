"""Nobody may write what is another tenant's: judged by the policies in the catalogue, for nothing is written to try it.

PostgreSQL lets a write pass where one permissive policy and all restrictive ones do (CREATE POLICY): a new row by WITH
CHECK, one that is changed by USING and WITH CHECK, one that is deleted by USING; where WITH CHECK lacks, USING counts.
What an expression joins by OR, what a function in it really asks, what triggers refuse, and what functions with their
owner's rights write, is not seen here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Literal

from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import security_tenants as probes

SHOWN = 20
Asks = Literal["nobody", "person", "elsewhere", "tenant"]
"""Whom an expression asks for: nobody; who writes, and not whose the row is; what only other tables' policies or a
function know; or whose the row is, of who writes it. In this order they let less pass."""
ORDER: tuple[Asks, ...] = ("nobody", "person", "elsewhere", "tenant")

Finding = tuple[Verdict, str]
_TEXT = re.compile(r"'(?:[^']|'')*'")
_ANYBODY = re.compile(r"(?:\(\s*SELECT auth\.uid\(\)[^()]*\)|\bauth\.uid\(\)) IS NOT NULL|\bauth\.role\(\)")
"""Whoever signed in: that is no question of who it is."""
_WHO = re.compile(r"\bauth\.\w+\(|\bcurrent_setting\(")
_CALL = re.compile(r"\b([a-z_][\w.]*)\(")
_PLAIN = frozenset(
    ["coalesce", "nullif", "lower", "upper", "length", "char_length", "btrim", "md5", "now", "greatest", "least"]
)
"""Functions that know nobody, whatever they are given."""


def asks(expression: str, table: str, column: str) -> Asks:
    """Return whom a policy's expression asks for, as PostgreSQL writes it (``pg_get_expr``).

    There a column of the table itself stands bare or behind the table's name, and those of others, in a question of its
    own, behind theirs. A function that is given the tenant's column is taken to know who asks.
    """
    text = _ANYBODY.sub("true", _TEXT.sub("''", expression))
    own = rf'(?<![\w".])(?:"?{re.escape(table)}"?\.)?"?{re.escape(column)}"?(?![\w"(])'
    given = [name for name in re.findall(rf"\b([\w.]+)\(\s*{own}", text) if name not in _PLAIN]
    if given or (_WHO.search(text) and re.search(own, text)):
        return "tenant"
    if _WHO.search(text):
        return "person"
    known = {name for name in _CALL.findall(text) if name not in _PLAIN}
    return "elsewhere" if known or re.search(r"\bSELECT\b", text) else "nobody"


def findings(rows: Sequence[Row]) -> tuple[Finding, ...]:
    """Return what is amiss with the policies of one table for one role and one command."""
    row = rows[0]
    who, what = row["role"], row["relation"]
    (reached, reaching), (left, leaving) = (_asked(rows, which) for which in ("using", "with_check"))
    if row["command"] == "INSERT":
        return _said(left, f"{who} may put rows into any organization's {what} ({leaving})", Verdict.WARNING)
    verb = {"UPDATE": "change", "DELETE": "delete"}[row["command"]]
    # Who may reach only own rows by being their person does no other organization harm.
    found = _said(reached, f"{who} may {verb} any organization's rows of {what} ({reaching})", Verdict.OK)
    if row["command"] == "DELETE" or found:
        return found
    return _said(left, f"{who} may move own rows of {what} to any organization ({leaving})", Verdict.WARNING)


def _said(asked: Asks, what: str, person: Verdict) -> tuple[Finding, ...]:
    verdict = {"nobody": Verdict.CRITICAL, "person": person, "elsewhere": Verdict.UNKNOWN, "tenant": Verdict.OK}[asked]
    hedge = {
        "person": ": who writes is asked for, and not whose the row is",
        "elsewhere": " for all that the catalogue says: another table's policies, or a function, decide",
    }
    return () if verdict is Verdict.OK else ((verdict, f"{what}{hedge.get(asked, '')}"),)


def _asked(rows: Sequence[Row], which: Literal["using", "with_check"]) -> tuple[Asks, str]:
    """Return the least that policies ask for, and which of them do.

    Of permissive ones one suffices to pass, restrictive ones must all hold (PostgreSQL, CREATE POLICY). A policy
    without the expression lets nothing pass, and keeps nothing out.
    """
    passing, most = dict[str, int](), 0
    for row in rows:
        expression = row["using"] if which == "using" or row["with_check"] is None else row["with_check"]
        if expression is None:
            continue
        asked = ORDER.index(asks(expression, row["name"], row["tenant_column"]))
        if row["permissive"]:
            passing[row["policy"]] = asked
        else:
            most = max(most, asked)
    least = min(passing.values(), default=len(ORDER) - 1)
    return ORDER[max(least, most)], ", ".join(name for name, asked in passing.items() if asked == least)


def _founds(row: Row) -> bool:
    """Tell whether a policy is about making a new organization, which is nobody's yet."""
    return bool(row["tenant_column"] == "id" and row["command"] == "INSERT")


def _judge(reading: Reading) -> Judgement:
    judged = [row for row in reading.rows if row["tenant_column"] and not _founds(row)]
    found: list[tuple[Finding, Row]] = []
    for _, one in groupby(judged, key=lambda row: (row["relation"], row["role"], row["command"])):
        rows = list(one)
        shown = {name: rows[0][name] for name in ("relation", "role", "command")}
        expressions = {name: " · ".join(filter(None, (row[name] for row in rows))) for name in ("using", "with_check")}
        found += [(finding, shown | {"finding": finding[1]} | expressions) for finding in findings(rows)]
    found.sort(key=lambda one: -list(Verdict).index(one[0][0]))
    tables = len({row["relation"] for row in judged})
    more = len({row["relation"] for row in reading.rows if not row["tenant_column"]})
    aside = f"; {more} without a tenant's column are not judged" if more else ""
    if not reading.rows:
        said = "No policy lets a role of the API write anything; tables without row level security are judged apart."
        return Judgement(Verdict.OK, said, 0, ())
    if found:
        words = "; ".join(dict.fromkeys(said for (_, said), _ in found[:4]))
        further = f"; {len(found) - 4} more" if len(found) > 4 else ""
        rows_shown = tuple(row for _, row in found[:SHOWN])
        return Judgement(found[0][0][0], f"{words}{further}{aside}.", len(found), rows_shown)
    said = f"The policies of {tables} tables that the API's roles may write ask whose a row is{aside}"
    return Judgement(Verdict.OK, f"{said}; nothing was written.", 0, ())


writes = Check(
    name="security-writes",
    title="Nobody may write into another organization",
    probe=probes.writes,
    judge=_judge,
    remedy=(
        "Give the policy WITH CHECK (is_org_member(organization_id)), and USING the same for changes, in a migration "
        "(runbooks/migrate-database); see what was written meanwhile in the audit log. Nothing was tried here: what "
        "functions, triggers and an OR let through, only an attempt on the restored copy of a drill shows."
    ),
)
"""CRITICAL where a policy asks for nobody; WARNING where it asks who writes, and not whose the row will be; UNKNOWN
where only another table's policies or a function can tell.

OPS_TENANT_EXCEPTIONS are for those who see, and excuse no write."""
