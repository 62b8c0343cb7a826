"""What a credential looks like whose value nobody told us: rules for the providers of the operated product.

Our own rules come first; those of the detect-secrets library add the providers that we don't use
(docs/decisions/0007-secret-patterns.md). A rule is tried only where one of its ``hints`` stands, so that
five megabytes take a fraction of a second.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

ALLOWED = frozenset({"AKIA" + "IOSFODNN7EXAMPLE", "wJalrXUtnFEMI" + "/K7MDENG/bPxRfiCYEXAMPLEKEY"})
"""Strings, exactly, that look like credentials and are none: vendors print them in their manuals."""


SHORTEST = 16
"""No rule finds anything in a shorter text."""


def _any(text: str) -> bool:
    return True


@dataclass(frozen=True)
class Rule:
    """One form of credential, which is tried from ``before`` characters before each hint on.

    Group 1, where the pattern has one, is the credential, else the whole match. ``fold``: hints in any case.
    ``holds`` has the last word on what was found.
    """

    name: str
    hints: tuple[str, ...]
    form: str
    fold: bool = False
    before: int | None = None
    holds: Callable[[str], bool] = _any
    flags: int = 0

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """``form``, made at its first hint: most are never met, and to make all takes long."""
        return re.compile(self.form, self.flags)


@dataclass(frozen=True)
class Found:
    """Where a text holds what looks like a credential, and after which rule; never the text itself."""

    rule: str
    start: int
    end: int


def find(text: str) -> list[Found]:
    """Return everything in ``text`` that looks like a credential, in no order; may overlap."""
    if len(text) < SHORTEST:
        return []
    exact, folded = _sieves()
    in_any_case = text.replace("\u0130", "i").lower()
    return [*_found(text, text, exact), *_found(text, in_any_case, folded)]


def _found(text: str, searched: str, sieve: _Sieve) -> Iterator[Found]:
    for begin in sieve.beginnings.finditer(searched):
        at = begin.start()
        for hint, rule in sieve.rules[begin[0]]:
            if searched.startswith(hint, at) and (hit := _at(rule, text, at)):
                yield hit


def _at(rule: Rule, text: str, at: int) -> Found | None:
    if rule.before is None:
        match = rule.pattern.match(text, at)
    else:
        match = rule.pattern.search(text, max(0, at - rule.before), at + 400)
    if match is None:
        return None
    group = 1 if rule.pattern.groups else 0
    if match[group] in ALLOWED or not rule.holds(match[group]):
        return None
    return Found(rule.name, *match.span(group))


_ALONE = r"(?<![A-Za-z0-9])"
_PLACEHOLDER = (
    r"(?!\$|<|\{|\[|\*|%\(|\.\.|…|«|&lt;|-|"
    r"(?i:(?:your|my|the|new|old|some|secure|db|user|redis|strong)?[_-]?(?:pass(?:word|wd)?|pwd|pw|secret|token|key|x{3,}|redacted)"
    r"(?:_?here)?[@'\"\s]))"
)
_IS = r"[\"']?\s{0,3}(?:=>|:=|[=:])\s{0,3}[\"'`]?"


def _own(name: str, *prefixes: str, then: str) -> Rule:
    """Return a rule for tokens that say by their first letters what they are."""
    return Rule(name, prefixes, f"{_ALONE}(?:{'|'.join(map(re.escape, prefixes))})(?:{then})")


def _named(name: str, *words: str, value: str) -> Rule:
    """Return a rule for tokens without a form of their own, which are told by the name that they are set to."""
    pattern = rf"[ \w.-]{{0,24}}{_IS}({value})(?![A-Za-z0-9_+/=-])"
    said = "|".join(map(re.escape, words))
    return Rule(name, words, f"(?i:{said})(?:{pattern})", fold=True, holds=_has_digit)


def _has_digit(text: str) -> bool:
    return any(letter.isdigit() for letter in text)


def _mixed(text: str) -> bool:
    return _has_digit(text) and any(c.isupper() for c in text) and any(c.islower() for c in text)


def _user_and_password(text: str) -> bool:
    try:
        said = base64.b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        return False
    return ":" in said[1:] and said.isprintable()


_AWS_ID = r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"
_AWS_IDS = ("AKIA", "ASIA", "ABIA", "ACCA")
_KEY_BEGIN = r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_KEY_END = r"-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"

_GITLAB = (
    *("glpat-", "gldt-", "glft-", "glsoat-", "glrt-", "glptt-", "glcbt-", "glimt-", "glagent-", "gloas-"),
    "GR1348941",
)

OWN: tuple[Rule, ...] = (
    Rule(
        "password in an address",
        ("://",),
        rf"://([^\s/@:\"'<>«»\\?#]{{0,100}}:{_PLACEHOLDER}[^\s@/\"'<>«»\\]{{1,200}})@[A-Za-z0-9\[]",
    ),
    Rule("Sentry DSN", ("://",), r"://([0-9a-f]{32}(?::[0-9a-f]{32})?)@[A-Za-z0-9.-]+(?::\d+)?/\d+"),
    Rule(
        "bearer token",
        ("bearer",),
        rf"{_ALONE}(?i:bearer)[\s:]{{1,3}}[\"']?([A-Za-z0-9._~+/=-]{{16,}})",
        fold=True,
        holds=_has_digit,
    ),
    Rule(
        "basic authentication",
        ("basic ",),
        rf"{_ALONE}(?i:basic)\s+([A-Za-z0-9+/]{{8,}}={{0,2}})(?![A-Za-z0-9+/=])",
        fold=True,
        holds=_user_and_password,
    ),
    Rule("AWS access key id", _AWS_IDS, _ALONE + _AWS_ID),
    Rule(
        "AWS secret key beside its id",
        _AWS_IDS,
        rf"{_AWS_ID}[\s\S]{{1,160}}?(?<![A-Za-z0-9/+])([A-Za-z0-9/+]{{40}})(?![A-Za-z0-9/+=])",
        holds=_mixed,
    ),
    _named("AWS secret key", "secret_access_key", "secretaccesskey", "aws_secret", value=r"[A-Za-z0-9/+]{40}"),
    Rule("JSON web token", ("eyJ",), r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}", flags=re.ASCII),
    _own("OpenAI key", "sk-", then=r"(?:proj|svcacct|admin|None|ant|or-v1|lf)-[A-Za-z0-9_-]{20,}|[A-Za-z0-9]{20,}"),
    _own("Together.ai key", "tgp_v1_", then=r"[A-Za-z0-9_-]{30,}"),
    _named("Together.ai key", "together", value=r"[0-9a-f]{64}"),
    _own("Supabase token", "sbp_", "sb_secret_", then=r"(?:oauth_)?[0-9a-f]{40}|[A-Za-z0-9_-]{20,}"),
    _own("Vercel token", "vcp_", "vci_", "vca_", "vcr_", "vck_", "vercel_blob_rw_", then=r"[A-Za-z0-9_]{24,}"),
    _named("Vercel token", "vercel", value=r"[A-Za-z0-9]{24}"),
    _own("Netlify token", "nfp_", "nfc_", "nfo_", "nfu_", "nfb_", then=r"[A-Za-z0-9]{36,}"),
    _named("Netlify token", "netlify", value=r"[A-Za-z0-9_-]{40,46}"),
    _own("Cloudflare token", "cfut_", "cfat_", "cfk_", then=r"[A-Za-z0-9]{40,}"),
    _named("Cloudflare token", "cloudflare", "cf_api", value=r"[A-Za-z0-9_-]{40}|[0-9a-f]{37}"),
    Rule("Cloudflare token", ("x-auth-key",), r"(?i:x-auth-key)[\"']?: ?[\"']?([0-9a-f]{37})\b", fold=True),
    _own("Cloudflare origin key", "v1.0-", then=r"[0-9a-f]{24}-[0-9a-f]{146}"),
    _own("Slack token", "xox", then=r"[abeoprs][.-][\w.-]{10,}"),
    _own("Slack token", "xapp-", then=r"\d-[A-Z0-9]{8,}-\d+-[0-9a-f]{16,}"),
    Rule(
        "Slack webhook",
        ("hooks.slack.com/",),
        r"hooks\.slack\.com/((?:services|workflows|triggers)/[A-Z0-9]{8,}/[A-Za-z0-9/_-]{20,})",
    ),
    _named("PagerDuty key", "pagerduty", "routing_key", "pd_api", value=r"[0-9A-Za-z]{32}|[0-9A-Za-z_+-]{20}"),
    Rule("PagerDuty key", ("token token=",), r"(?i:token token)=[\"']?([\w+-]{18,40})", fold=True),
    _own("GitHub token", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", then=r"[A-Za-z0-9]{36,}"),
    _own("GitHub token", "github_pat_", then=r"[A-Za-z0-9_]{60,}"),
    # The library's pattern for these has a group round their first letters only.
    _own("GitLab token", *_GITLAB, then=r"[A-Za-z0-9_-]{20,}"),
    _own("npm token", "npm_", then=r"[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
    _own("Stripe key", "sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_", then=r"[A-Za-z0-9+/=]{20,}"),
    _own("Sentry token", "sntrys_", "sntryu_", then=r"[A-Za-z0-9+/=_]{40,}"),
    _own("Google key", "AIza", "GOCSPX-", "ya29.", then=r"[A-Za-z0-9_-]{28,}"),
    _own("Hugging Face token", "hf_", then=r"[A-Za-z0-9]{34}(?![A-Za-z0-9])"),
    _own("Vault token", "hvs.", then=r"[A-Za-z0-9_-]{24,}"),
    Rule("private key", ("-----BEGIN ",), rf"{_KEY_BEGIN}[\s\S]{{40,20000}}?(?:{_KEY_END}|\Z)"),
    Rule(
        "password of redis-cli",
        ("redis-cli",),
        rf"redis-cli\b[^\n|;&]{{0,200}}?\s(?:-a|--pass)[\s=]+[\"']?({_PLACEHOLDER}[^\s\"']{{6,}})",
    ),
    Rule(
        "password in a variable",
        ("PGPASSWORD", "REDISCLI_AUTH"),
        rf"(?:PGPASSWORD|REDISCLI_AUTH)[\"']?[=:]\s?[\"']?({_PLACEHOLDER}[^\s\"']{{6,}})",
    ),
    Rule(
        "password in SQL",
        ("password",),
        rf"{_ALONE}(?i:password)\s+'({_PLACEHOLDER}[^'\n]{{6,}})'",
        fold=True,
        holds=_has_digit,
    ),
)


@dataclass(frozen=True)
class _Sieve:
    """Finds where hints begin in one look for all of them; ``rules`` are the rules of each hint by its first letter.

    Only that letter is taken, the rest is looked at: a hint may begin within another one.
    """

    beginnings: re.Pattern[str]
    rules: dict[str, list[tuple[str, Rule]]]


@cache
def _sieves() -> tuple[_Sieve, _Sieve]:
    return _sieve(fold=False), _sieve(fold=True)


def _sieve(*, fold: bool) -> _Sieve:
    by_letter: dict[str, list[tuple[str, Rule]]] = {}
    for rule in rules():
        for hint in rule.hints if rule.fold == fold else ():
            by_letter.setdefault(hint[0], []).append((hint, rule))
    said = (
        f"{re.escape(letter)}(?={'|'.join(sorted({re.escape(hint[1:]) for hint, _ in hints}))})"
        for letter, hints in by_letter.items()
    )
    return _Sieve(re.compile("|".join(said)), by_letter)


@cache
def rules() -> tuple[Rule, ...]:
    """Return all rules: ours, then those of the library, which is imported at the first call."""
    from opslib.redaction_library import theirs

    return (*OWN, *theirs())


def prepare() -> None:
    """Make all of them: for a process that forks one for each run."""
    for rule in rules():
        _ = rule.pattern
    _sieves()
