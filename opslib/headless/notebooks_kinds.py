"""The kinds of text that a notebook may be given: a closed list, each with the whole of what it may look like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from opslib.guide.choices import REPORT, SERVICES, SERVICES_NAMED

_NAMED = r"[a-z0-9][a-z0-9._-]{0,63}@[a-z0-9][a-z0-9-]{0,62}(\.[a-z0-9][a-z0-9-]{0,62}){1,4}"
_USER = rf"([0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}|{_NAMED})"
_FOUR = r"[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?"
_NETWORK = rf"({_FOUR}|[0-9a-f]{{0,4}}(:[0-9a-f]{{0,4}}){{2,7}}(/[0-9]{{1,3}})?)"
_PART = r"[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*"
_PERSON = r"none|[a-z0-9][a-z0-9._-]{0,63}(@[a-z0-9][a-z0-9-]{0,62}(\.[a-z0-9][a-z0-9-]{0,62}){0,4})?"
_STATEMENT = r"(?!(none|found)\b)[A-Za-z0-9][A-Za-z0-9_-]{0,99}"
_CHECK = r"[a-z0-9]+(-[a-z0-9]+)*"
_WORDS = r"[A-Za-z0-9]+(-[A-Za-z0-9]+){2,15}"
_ACTION = rf"[A-Za-z0-9]+(-[A-Za-z0-9]+){{1,15}}(:((?!none\b)({_PERSON}))?(:([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})?)?)?"
_PATH = rf"{_PART}(/\.?{_PART})*"


@dataclass(frozen=True)
class Kind:
    """A sort of text: what it is in words, and the whole of what it may look like."""

    says: str
    form: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What it may look like, made for the kinds only that are asked for."""
        return re.compile(self.form, re.ASCII)


KINDS: dict[str, Kind] = {
    "name": Kind(
        "a name of lower-case letters, digits and single hyphens, at most 63 characters",
        r"(?=.{1,63}\Z)[a-z0-9]+(-[a-z0-9]+)*",
    ),
    "backup": Kind(
        "latest, a backup's name or a dump's key: letters, digits, - and _, parted by single dots and slashes, "
        "at most 300 characters",
        r"(?=.{1,300}\Z)[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*",
    ),
    "cache-key": Kind(
        "a key's beginning: names of letters, digits, - and _, parted by single colons, at most 100 characters",
        r"(?=.{1,100}\Z)[A-Za-z0-9_][A-Za-z0-9_-]*(:[A-Za-z0-9_-]+)*",
    ),
    "key-family": Kind(
        "a key family with its last colon, such as llm:cache: or llm:cache:meta-llama/Llama-3-8b: names of letters, "
        "digits, - and _, parted by single colons, dots and slashes, at most 100 characters",
        r"(?=.{1,100}\Z)[A-Za-z0-9_][A-Za-z0-9_-]*([:./][A-Za-z0-9_-]+)*:",
    ),
    "table": Kind(
        "a table with its schema, such as public.cases: letters, digits and _",
        r"[A-Za-z_][A-Za-z0-9_]{0,62}\.[A-Za-z_][A-Za-z0-9_]{0,62}",
    ),
    "due-table": Kind(
        "due, or a table with its schema, such as public.cases: letters, digits and _",
        r"due|[A-Za-z_][A-Za-z0-9_]{0,62}\.[A-Za-z_][A-Za-z0-9_]{0,62}",
    ),
    "statements": Kind(
        "none, found, or up to 10 statements of a policy by commas without blanks, each by its Sid or its digest, as "
        "the policy's table names them: letters, digits, - and _",
        rf"(?=.{{1,1000}}\Z)(none|found|{_STATEMENT}(,{_STATEMENT}){{0,9}})",
    ),
    "slot": Kind("most, or a replication slot: lower-case letters, digits and _", r"[a-z0-9_]{1,63}"),
    "damaged-table": Kind(
        "none, or a table with its schema, such as public.cases: letters, digits and _",
        r"none|[A-Za-z_][A-Za-z0-9_]{0,62}\.[A-Za-z_][A-Za-z0-9_]{0,62}",
    ),
    "deployment": Kind(
        "previous, none, or a deployment's id: letters, digits, - and _, at most 64 characters",
        r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}",
    ),
    "drill": Kind(
        "latest, or a drill's id, such as 20261129T110000Z-drill-a1b2c3",
        r"latest|[0-9]{8}T[0-9]{6}Z-drill-[0-9a-f]{6}",
    ),
    "columns": Kind(
        "one to eight columns, such as user_id,status: letters, digits and _, parted by commas without blanks",
        r"[A-Za-z_][A-Za-z0-9_]{0,62}(,[A-Za-z_][A-Za-z0-9_]{0,62}){0,7}",
    ),
    "users": Kind(
        "none, or up to 25 users by commas without blanks, each by id or by e-mail address in lower case",
        rf"(?=.{{1,1000}}\Z)(none|{_USER}(,{_USER}){{0,24}})",
    ),
    "networks": Kind(
        "none, or up to 25 addresses or ranges by commas without blanks, such as 203.0.113.9 or 2001:db8:4::/48",
        rf"(?=.{{1,1000}}\Z)(none|{_NETWORK}(,{_NETWORK}){{0,24}})",
    ),
    "workflow-file": Kind(
        "a workflow's file name, such as deploy-production.yml: letters, digits, - and _, parted by single dots",
        r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}(\.[A-Za-z0-9_-]+){0,3}\.ya?ml",
    ),
    "branch": Kind(
        "a branch or tag, such as main or release/2026-11: letters, digits, - and _, parted by single dots and "
        "slashes, at most 100 characters",
        r"(?=.{1,100}\Z)[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*",
    ),
    "commit": Kind("newest, or a commit's 40 digits", r"newest|[0-9a-f]{40}"),
    "input": Kind(
        "a workflow input's name: letters, digits, - and _",
        r"[A-Za-z_][A-Za-z0-9_-]{0,60}",
    ),
    "paths": Kind(
        "none, or up to 25 paths from the repository's root by commas without blanks, such as src/main.ts,package.json",
        rf"(?=.{{1,1000}}\Z)(none|{_PATH}(,{_PATH}){{0,24}})",
    ),
    "moment": Kind(
        "none, or a moment in UTC, such as 2026-11-29T10:00:00.123456Z",
        r"none|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z",
    ),
    "reason": Kind(
        "none, or a reason in three words and more, by hyphens without blanks, such as the-dump-fails-as-well",
        rf"(?=.{{1,120}}\Z)(none|{_WORDS})",
    ),
    "reasons": Kind(
        "none, or up to 8 reasons by commas without blanks, each in three words and more by hyphens",
        rf"(?=.{{1,1000}}\Z)(none|{_WORDS}(,{_WORDS}){{0,7}})",
    ),
    "agreed-actions": Kind(
        "none, or up to 12 actions by commas without blanks, each in two words and more by hyphens, with who owns it "
        "and until which day by colons, such as add-an-alert-on-lag:ann:2026-12-15",
        rf"(?=.{{1,2000}}\Z)(none|{_ACTION}(,{_ACTION}){{0,11}})",
    ),
    "checks": Kind(
        "none, or up to 20 checks by commas without blanks, such as database-connections,database-disk",
        rf"(?=.{{1,1000}}\Z){_CHECK}(,(?!none\b){_CHECK}){{0,19}}",
    ),
    "check": Kind(
        "none, or a check's name, such as database-connections: lower-case letters, digits and single hyphens",
        r"(?=.{1,63}\Z)[a-z0-9]+(-[a-z0-9]+)*",
    ),
    "services": Kind(f"none, or by commas without blanks: {', '.join(SERVICES_NAMED)}", SERVICES),
    "person": Kind(
        "none, or a person as the allowed signers have it, such as ann or ann@valuecanvas: lower-case letters, digits, "
        "dots, - and _",
        _PERSON,
    ),
    "people": Kind(
        "none, or up to 12 people by commas without blanks, as the allowed signers have them",
        rf"(?=.{{1,1000}}\Z)({_PERSON})(,(?!none\b)({_PERSON})){{0,11}}",
    ),
    "game-day": Kind(
        "latest, or a game day's name, such as 2026-q4: lower-case letters, digits and single hyphens",
        r"(?=.{1,63}\Z)[a-z0-9]+(-[a-z0-9]+)*",
    ),
    "incident": Kind(
        "none, or an incident's name, such as INC-2026-1129: capital letters and digits, parted by single hyphens",
        r"(?=.{1,60}\Z)(none|[A-Z][A-Z0-9]*(-[A-Z0-9]+)*)",
    ),
    "report": Kind(
        "none, or an issue report's parts by commas without blanks, each with a reference, such as "
        "stack:VC-7,steps:issue-12,environment:chrome-131-macos,network:n-a,sentry:n-a",
        REPORT,
    ),
    "manifest": Kind(
        "none, newest, or the SHA-256 of a manifest, as the report of the run that made it shows it",
        r"none|newest|[0-9a-f]{64}",
    ),
    "log-subject": Kind(
        "none, or an account, tenant, request or session as logs name it: letters, digits and . _ : @ -, at most 128",
        r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}",
    ),
    "log-address": Kind(
        "none, or an address as logs name it, such as 203.0.113.9 or 2001:db8::9, in lower case",
        r"none|[0-9a-f:][0-9a-f.:]{1,44}",
    ),
    "migrations": Kind("all, or a migration's version of 14 digits, such as 20260401090000", r"all|[0-9]{14}"),
}
"""The kinds of text. There is none for addresses to ask: a run asks only what the target's description names."""
