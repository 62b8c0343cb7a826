"""Browsers are told what protects the people who use them, and nobody else's page may call the API as they do."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import security_web as probes
from opslib.probes.supabase_site import origin_of

HSTS = threshold("hsts-age")
LOOSE = ("'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:", "data:")
"""Sources of scripts that let in what should not come in."""
TRUSTING = ("unsafe-url", "no-referrer-when-downgrade")
"""Policies that tell other sites the whole address."""

OTHERS = "Pages of {origins} may call the API with a person's own session"

Finding = tuple[Verdict, str, str]
"""Verdict, header, what is amiss."""


def policy(text: str) -> dict[str, tuple[str, ...]]:
    """Return the directives of a content security policy; the first of a name counts (CSP level 3)."""
    found: dict[str, tuple[str, ...]] = {}
    for part in text.split(";"):
        name, *values = part.split()[:60] or [""]
        if name:
            found.setdefault(name.lower(), tuple(values))
    return found


def findings(rows: tuple[Row, ...]) -> dict[str, list[Finding]]:
    """Return what is amiss by place; a header that is as it should be has a finding that is OK."""
    said: dict[str, list[Finding]] = {}
    for where in dict.fromkeys(row["where"] for row in rows):
        own = [row for row in rows if row["where"] == where]
        said[where] = list(_place(own, where))
    return said


def _place(rows: list[Row], where: str) -> Iterator[Finding]:
    if why := rows[0]["why"]:
        yield Verdict.UNKNOWN, "", why
        return
    if rows[0]["plain"] == "on another machine":
        yield Verdict.CRITICAL, "TLS", "is spoken to without TLS"
    values = {row["header"]: row["value"] for row in rows if row["header"] != "connect to"}
    yield _hsts(values["strict-transport-security"])
    nosniff = values["x-content-type-options"].strip().lower() == "nosniff"
    yield _found(nosniff, "x-content-type-options", "no nosniff: a browser may guess what a file is")
    csp = policy(values["content-security-policy"])
    yield _framed(csp, values)
    yield _referrer(values["referrer-policy"])
    if where == "front end":
        yield _scripts(csp)
        yield from _reached(csp, rows)


def _found(good: bool, header: str, amiss: str, worst: Verdict = Verdict.WARNING) -> Finding:
    return (Verdict.OK, header, "") if good else (worst, header, amiss)


def _hsts(value: str) -> Finding:
    age = re.search(r'max-age\s*=\s*"?(\d{1,12})', value, re.IGNORECASE)
    if age is None:
        return Verdict.WARNING, "strict-transport-security", "no HSTS: the first call may be made without TLS"
    days = int(age[1]) / 86_400
    return HSTS.judge(days), "strict-transport-security", f"HSTS lasts {days:g} days only"


def _framed(csp: Mapping[str, tuple[str, ...]], values: Mapping[str, str]) -> Finding:
    ancestors = csp.get("frame-ancestors")
    framed = ancestors is None and values["x-frame-options"].strip().upper() not in ("DENY", "SAMEORIGIN")
    loose = ancestors is not None and any(one in ("*", "http:", "https:") for one in ancestors)
    return _found(not framed and not loose, "frame-ancestors", "any page may show it in a frame (clickjacking)")


def _referrer(value: str) -> Finding:
    last = value.replace(" ", "").lower().split(",")[-1]
    # Without the header browsers use strict-origin-when-cross-origin, which is fine.
    return _found(last not in TRUSTING, "referrer-policy", f"{last} tells other sites the whole address")


def _scripts(csp: Mapping[str, tuple[str, ...]]) -> Finding:
    name = "content-security-policy"
    if not csp:
        return Verdict.WARNING, name, "there is none: a script that got in may do anything"
    sources = csp.get("script-src", csp.get("default-src"))
    if sources is None:
        return Verdict.WARNING, name, "neither script-src nor default-src: scripts may come from anywhere"
    strict = any(one.startswith(("'nonce-", "'sha256-", "'sha384-", "'sha512-")) for one in sources)
    loose = [one for one in sources if one in LOOSE and not (strict and one == "'unsafe-inline'")]
    return _found(not loose, name, f"script-src allows {' '.join(loose)}")


def _reached(csp: Mapping[str, tuple[str, ...]], rows: list[Row]) -> Iterator[Finding]:
    sources = csp.get("connect-src", csp.get("default-src"))
    if sources is None:
        return
    own = origin_of(rows[0]["address"])
    shut = [row["value"] for row in rows if row["header"] == "connect to" and not reaches(sources, row["value"], own)]
    said = f"connect-src stops what the front end needs: {', '.join(shut)}"
    yield _found(not shut, "connect-src", said, Verdict.CRITICAL)


def reaches(sources: tuple[str, ...], origin: str, own: str) -> bool:
    """Tell whether a list of sources lets a page of ``own`` call ``origin`` (paths are left aside)."""
    return any(_matches(source.lower(), origin, own) for source in sources)


def _matches(source: str, origin: str, own: str) -> bool:
    if source == "'self'":
        return origin == own
    if source.startswith("'"):
        return False
    if source == "*":
        return origin.startswith(("http:", "https:"))
    if source.endswith(":"):
        return origin.startswith(f"{source}//")
    scheme, _, rest = source.rpartition("://")
    host, _, port = rest.partition("/")[0].partition(":")
    parts = urlsplit(origin)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    ports = {port, port or str(usual)}
    fits = port == "*" or str(parts.port or usual) in ports
    return fits and scheme in ("", parts.scheme) and fnmatch.fnmatchcase(parts.hostname or "", host)


def _judge_headers(reading: Reading) -> Judgement:
    said = [(where, *one) for where, found in findings(reading.rows).items() for one in found]
    amiss = [one for one in said if one[1] is not Verdict.OK]
    order = list(Verdict)
    amiss.sort(key=lambda one: -order.index(one[1]))
    verdict = Verdict.worst([one[1] for one in said])
    if not amiss:
        return Judgement(Verdict.OK, f"All {len(said)} of what protects is there.", None, reading.rows)
    words = "; ".join(f"{where}: {text.rstrip('.')}" for where, _, _, text in amiss)
    return Judgement(verdict, f"{words}.", None, reading.rows)


headers = Check(
    name="security-headers",
    title="Answers carry the headers that protect people's browsers",
    probe=probes.headers,
    judge=_judge_headers,
    remedy=(
        "Set them where the front end is served (vercel.json, netlify.toml, _headers) and deploy by "
        "runbooks/deploy-new-version; the API's own by a commit of its. connect-src must name Supabase, the API, "
        "Sentry and nobody else: the product's own policy lacks its API and Sentry. Try a new policy as "
        "Content-Security-Policy-Report-Only first."
    ),
    threshold=HSTS,
)
"""CRITICAL where the policy stops the product itself, or where there is no TLS; what is missing is a WARNING."""


def _only(names: tuple[str, ...], places: tuple[str, ...], fine: str) -> Callable[[Reading], Judgement]:
    """Return the rule for some of the headers alone, of some places: what a line of the guide's checklist asks."""

    def judge(reading: Reading) -> Judgement:
        found = [
            (where, verdict, text)
            for where, own in findings(reading.rows).items()
            for verdict, header, text in own
            if where in places and header in ("", "TLS", *names)
        ]
        rows = tuple(row for row in reading.rows if row["where"] in places and row["header"] in names)
        if not found:
            return Judgement(Verdict.UNKNOWN, f"Nobody looked at {' and '.join(places)}.", None, rows)
        amiss = "; ".join(f"{where}: {text.rstrip('.')}" for where, one, text in found if one is not Verdict.OK)
        return Judgement(Verdict.worst([one for _, one, _ in found]), f"{amiss or fine}.", None, rows)

    return judge


_SET = (
    "Set it where the front end is served (vercel.json, netlify.toml, _headers) and deploy by "
    "runbooks/deploy-new-version; the API's own by a commit of its."
)
content_policy = Check(
    name="security-csp",
    title="The front end has a content security policy that lets in what it needs and nothing else",
    probe=probes.headers,
    judge=_only(
        ("content-security-policy", "frame-ancestors", "connect-src"),
        ("front end",),
        "The policy lets no foreign script in, and the front end reaches what it needs",
    ),
    remedy=f"{_SET} Try a new policy as Content-Security-Policy-Report-Only first.",
)
transport = Check(
    name="security-hsts",
    title="Browsers are told to come by HTTPS only",
    probe=probes.headers,
    judge=_only(("strict-transport-security",), ("front end", "API"), "Front end and API tell browsers so for a year"),
    remedy=_SET,
    threshold=HSTS,
)


def _judge_cors(reading: Reading) -> Judgement:
    found = [(row, *_origin(row)) for row in reading.rows]
    amiss = [(verdict, said) for _, verdict, said in found if verdict is not Verdict.OK]
    order = list(Verdict)
    amiss.sort(key=lambda one: -order.index(one[0]))
    if not amiss:
        said = f"{reading.rows[0]['origin']} may call the API, and none of the others that were tried."
        return Judgement(Verdict.OK, said, 0, reading.rows)
    verdict = Verdict.worst([verdict for verdict, _ in amiss])
    others = list(
        dict.fromkeys(row["origin"] for row, one, said in found if one is Verdict.CRITICAL and said == OTHERS)
    )
    words = "; ".join(dict.fromkeys(said.format(origins=", ".join(others)) for _, said in amiss))
    return Judgement(verdict, f"{words}.", len(amiss), reading.rows)


def _origin(row: Row) -> tuple[Verdict, str]:
    open_ = row["allows"] == "*" or row["allows"] == row["origin"]
    if row["status"] >= 500:
        return Verdict.UNKNOWN, f"The API answers {row['status']}, which says nothing of who may call"
    if row["case"] == "own":
        good = row["allows"] == row["origin"] or (row["allows"] == "*" and not row["credentials"])
        said = f"{row['origin']}, the front end itself, may not call the API ({row['asked']})"
        if row["allows"] == "*" and row["credentials"]:
            return Verdict.CRITICAL, "It allows * with credentials: browsers refuse that, other clients do not"
        return (Verdict.OK, "") if good else (Verdict.CRITICAL, said)
    if not open_:
        return Verdict.OK, ""
    if row["credentials"]:
        return Verdict.CRITICAL, OTHERS
    return Verdict.WARNING, f"Pages of others may read what the API says to anybody ({row['allows']})"


cors = Check(
    name="security-cors",
    title="Only the front end may call the API from a browser",
    probe=probes.cors,
    judge=_judge_cors,
    remedy=(
        "CORS_ALLOWED_ORIGINS must be a list of whole origins that are compared as a whole: no reflection, no "
        "`startsWith` or `endsWith`, no null. Since the API's newest version: disaster/recover-everything with "
        "services=api, back=previous; else a commit. Then end sessions that may have been used from elsewhere "
        "(runbooks/respond-to-security-incident)."
    ),
)
"""By behaviour: CRITICAL where another origin is allowed with credentials, or the front end is not allowed."""
