"""What a reading session on PostgreSQL may be asked: one statement that reads, calling nothing that acts.

A read-only transaction forbids writes to tables, and no more: it lets a session lock, notify, end other
sessions, change its own settings and move replication slots (PostgreSQL manual, "SET TRANSACTION"), and a second
statement could end it. This is the first net; the transaction and the role's missing rights stand behind it.
"""

from __future__ import annotations

import re
from functools import lru_cache

_TOKEN = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?\*/)
  | (?P<odd>[uU]&["'])
  | (?P<text>[eE]'(?:\\.|''|[^'\\])*'|'(?:''|[^'])*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
  | "(?P<quoted>(?:""|[^"])*)"
  | (?P<word>[^\W\d][\w$]*)
  | (?P<other>\d[\w.]*|\s+|.)
    """,
    re.VERBOSE | re.DOTALL,
)

BEGINS = frozenset({"select", "with", "show", "values", "table"})
"""How a statement begins that may be asked. EXPLAIN is none of them: with ANALYZE it carries out."""

WRITES = frozenset({"insert", "update", "delete", "merge", "into", "share"})
"""Words that write or lock inside of such a statement: in WITH, in SELECT INTO, in FOR UPDATE and FOR SHARE."""

ACTS = re.compile(
    r"(pg_)?(try_)?advisory_\w+|pg_(try_)?advisory\w*"
    r"|pg_(terminate|cancel)_backend|pg_notify|set_config|setval|nextval|setseed|set_limit"
    r"|lo_\w+|lowrite|loread|dblink\w*|currtid2|txid_current|pg_current_xact_id"
    # These carry out the statement that they are given as text.
    r"|(query|table|schema|database|cursor)_to_xml\w*|ts_(stat|rewrite)"
    r"|pg_logical_\w+|pg_replication_(slot|origin)_\w+|pg_(create|drop|copy|sync)_\w+"
    r"|pg_(clear|restore|import|promote|reload|rotate|switch|backup|file|log|read)(_\w+)?"
    r"|pg_stat_(reset|clear|force)\w*|pg_stat_statements_reset|pg_wal_replay_(pause|resume)|pg_export_snapshot"
    r"|pg_buffercache_evict\w*|brin_\w*summarize_\w+|gin_clean_pending_list|binary_upgrade_\w+"
    r"|pg_(stop_making_pinned_objects|nextoid|extension_config_dump)"
)
"""Functions of PostgreSQL that do something, whatever the transaction is."""


@lru_cache(maxsize=512)
def why_refused(statement: str) -> str | None:
    """Return why a reading session does not ask ``statement``, or None when it may be asked."""
    words, end = [], False
    for token in _TOKEN.finditer(statement):
        kind, text = token.lastgroup, token[0]
        if kind == "comment":
            if "/*" in text[2:] and text.startswith("/*"):
                return "it has a comment inside a comment"
            continue
        if text.isspace():
            continue
        if end:
            return "it is more than one statement"
        if kind == "odd" or text in ("'", '"'):
            return "it has a text or a name that is not plain"
        end = text == ";"
        if token["word"] and text.lower() in WRITES:
            return f"it says {text.upper()}"
        name = (token["quoted"] if token["quoted"] is not None else token["word"] or "").lower()
        if ACTS.fullmatch(name):
            return f"{name} does more than read"
        words.append(text.lower())
    begins = next((word for word in words if word != "("), "")
    return None if begins in BEGINS else f"it begins with {begins[:20].upper() or 'nothing'}"
