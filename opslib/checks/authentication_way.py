"""The way of a sign-in: does it end, do browsers keep its cookies, and may people be sent back to the front end?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import authentication as probes
from opslib.probes import authentication_way as ways

SIZE = threshold("cookie-size")
HOPS = threshold("hops")
ANYBODYS = ("vercel.app", "netlify.app", "pages.dev", "github.io", "herokuapp.com", "web.app")
"""Domains below which anybody may have a site."""
SESSION = re.compile(r"sess|token|auth|sid\b", re.IGNORECASE)

Finding = tuple[Verdict, str]


def _summed(found: list[Finding], fine: str, value: float | None, reading: Reading) -> Judgement:
    order = list(Verdict)
    amiss = sorted((one for one in found if one[0] is not Verdict.OK), key=lambda one: -order.index(one[0]))
    said = "; ".join(dict.fromkeys(text.rstrip(".") for _, text in amiss)) or fine
    verdict = Verdict.worst([Verdict.OK, *(verdict for verdict, _ in found)])
    return Judgement(verdict, f"{said}.", value, reading.rows)


def _judge_way(reading: Reading) -> Judgement:
    names = list(dict.fromkeys(row["way"] for row in reading.rows))
    last = {row["way"]: row for row in reading.rows}
    found = [_ended(name, last[name]) for name in names]
    found += [
        (Verdict.CRITICAL, f"{row['way']}: {row['address']} leads out of TLS") for row in reading.rows if _bare(row)
    ]
    most = max(row["hop"] for row in reading.rows)
    if not any(row["end"] in ("arrived", "leads elsewhere") and row["status"] != 404 for row in last.values()):
        found.append((Verdict.UNKNOWN, "No way of signing in was found at the front end or the API"))
    return _summed(found, f"Each of {len(names)} ways ends after at most {most} hops", most, reading)


def _bare(row: Row) -> bool:
    return bool(row["end"] == "leaves TLS")


def _ended(name: str, row: Row) -> Finding:
    if row["end"] == "a circle":
        return Verdict.CRITICAL, f"{name}: comes back to {row['address']} after {row['hop']} hops: a circle"
    if row["end"] == "too long":
        return Verdict.CRITICAL, f"{name}: does not end within {row['hop']} hops"
    if row["end"] == "no answer":
        return Verdict.UNKNOWN, f"{name}: {row['to']}"
    if row["status"] is not None and row["status"] >= 500:
        return Verdict.CRITICAL, f"{name}: ends at {row['address']} with {row['status']}"
    if name == "front end" and row["status"] not in (200, None):
        return Verdict.WARNING, f"{name}: {row['address']} answers {row['status']}"
    return HOPS.judge(row["hop"]), f"{name}: {row['hop']} hops until it ends"


way = Check(
    name="authentication-way",
    title="Signing in leads somewhere, and not back to itself",
    probe=ways.way,
    judge=_judge_way,
    remedy=(
        "A circle of redirects: compare the two addresses. http and https or www. and bare: two rules contradict each "
        "other at the hoster, or a proxy ends TLS and the program does not know it (X-Forwarded-Proto). The sign-in "
        "and itself: it does not see the session that it has just made, look at the cookies. Since a deployment "
        "of the front end: runbooks/roll-back-deployment; of the API: disaster/recover-everything with services=api, "
        "back=previous."
    ),
    threshold=HOPS,
    items=("TRB-AUT-00", "TRB-AUT-S1"),
)
"""Without a person's session: a circle that begins after signing in, the other checks find by its causes."""


def _judge_cookies(reading: Reading) -> Judgement:
    if not reading.rows:
        said = "No answer on the way sets a cookie: what is set after signing in nobody sees from here."
        return Judgement(Verdict.UNKNOWN, said, None, ())
    found = [one for row in reading.rows for one in _cookie(row)]
    most = max(row["length"] for row in reading.rows)
    return _summed(found, f"Browsers keep all {len(reading.rows)} cookies", most, reading)


def _cookie(row: Row) -> Iterator[Finding]:
    name = f"{row['cookie']} ({row['set_by']})"
    if row["same_site"] == "none" and not row["secure"]:
        yield Verdict.CRITICAL, f"{name} has SameSite=None without Secure: browsers drop it"
    if row["secure"] and row["plain"]:
        yield Verdict.CRITICAL, f"{name} is Secure and set over plain http: browsers drop it"
    if not row["domain_fits"]:
        yield Verdict.CRITICAL, f"{name} is for the domain {row['domain']}, which its host is not below"
    if SIZE.judge(row["length"]) is Verdict.CRITICAL:
        yield Verdict.CRITICAL, f"{name} has {row['length']} characters: browsers drop it"
    host_only = row["cookie"].startswith("__Host-") and (row["domain"] or row["path"] != "/")
    if (row["cookie"].startswith(("__Host-", "__Secure-")) and not row["secure"]) or host_only:
        yield Verdict.CRITICAL, f"{name} does not keep what its prefix promises: browsers drop it"
    if SESSION.search(row["cookie"]) and not row["http_only"] and not row["cookie"].startswith("sb-"):
        yield Verdict.WARNING, f"{name} can be read by scripts (no HttpOnly)"
    if SESSION.search(row["cookie"]) and not row["secure"] and not row["plain"]:
        yield Verdict.WARNING, f"{name} also goes over plain http (no Secure)"


cookies = Check(
    name="authentication-cookies",
    title="Browsers keep the cookies that are set on the way",
    probe=ways.cookies,
    judge=_judge_cookies,
    remedy=(
        "Mend the flags where the cookie is set. SameSite=None needs Secure; Secure needs https to the browser, also "
        "behind a proxy that ends TLS; Domain is the host's own or one above it; what is larger than 4096 bytes is "
        "dropped silently (tokens with many claims: split them, or keep them on the server). Since the "
        "API's newest version: disaster/recover-everything with services=api, back=previous."
    ),
    threshold=SIZE,
    items=("TRB-AUT-02",),
)
"""CRITICAL for what a browser would drop: the next page does not know who signed in, and sends back to the login."""


def _judge_redirects(reading: Reading) -> Judgement:
    site, listed = reading.rows[0], reading.rows[1:]
    front = site["front_end"]
    patterns = [row["pattern"] for row in listed]
    found = [*_site(site), *(one for row in listed for one in _pattern(row))]
    if not allowed(front, site["pattern"], patterns):
        found.append(
            (Verdict.CRITICAL, f"{front} is in no pattern of the list: people are sent to the site URL instead")
        )
    return _summed(found, f"People may be sent back to {front}", len(listed), reading)


def allowed(address: str, site: str, patterns: list[str]) -> bool:
    """Tell whether the sign-in sends people back to ``address``: it is the site's own host, or fits a pattern."""
    same = urlsplit(address)[:2] == urlsplit(site)[:2] and bool(site)
    return same or any(_glob(one).fullmatch(text) for one in patterns for text in (address, f"{address}/"))


def _glob(pattern: str) -> re.Pattern[str]:
    """Return a pattern of the list as an expression: ``*`` and ``?`` stop at dots and slashes, ``**`` does not."""
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    words = {"**": ".*", "*": "[^./]*", "?": "[^./]"}
    return re.compile("".join(words.get(part) or re.escape(part) for part in parts))


def _site(row: Row) -> Iterator[Finding]:
    parts = urlsplit(row["pattern"])
    if not parts.hostname:
        yield Verdict.CRITICAL, "The site URL is not set, or no address"
    elif not row["lab"] and _local(parts.hostname):
        yield Verdict.CRITICAL, f"The site URL is {row['pattern']}: people are sent to their own machines"
    elif parts.scheme == "http" and not _local(parts.hostname):
        yield Verdict.CRITICAL, f"The site URL is plain http: {row['pattern']}"
    elif parts[:2] != urlsplit(row["front_end"])[:2]:
        yield Verdict.WARNING, f"The site URL is {row['pattern']}, and the front end {row['front_end']}"


def _pattern(row: Row) -> Iterator[Finding]:
    pattern = row["pattern"]
    host = pattern.partition("://")[2].partition("/")[0].partition(":")[0].lower()
    if host in ("*", "**", "") or host.startswith("**"):
        yield Verdict.CRITICAL, f"The pattern {pattern} sends tokens to whoever asks"
    elif any(host in (f"*.{one}", f"*-*.{one}") or (host.startswith("*.") and host.endswith(one)) for one in ANYBODYS):
        yield Verdict.CRITICAL, f"The pattern {pattern} holds for sites of anybody"
    elif not row["lab"] and _local(host):
        yield Verdict.WARNING, f"The pattern {pattern} is a developer's"


def _local(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


redirects = Check(
    name="authentication-redirects",
    title="People may be sent back to the front end, and to nobody else",
    probe=probes.redirects,
    judge=_judge_redirects,
    remedy=(
        "Correct it in the project's pages (Authentication, URL Configuration): the site URL is the front end's own "
        "address with https; the list has one pattern for each address that people come back to, previews by a "
        "pattern of your own team (https://*-TEAM.vercel.app/**), never *.vercel.app."
    ),
    items=("TRB-AUT-04",),
)
"""CRITICAL where the front end is not allowed, the site URL leads away, or a pattern lets anybody have the tokens."""
