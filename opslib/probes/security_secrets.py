"""Secrets where everybody can read them: in what the front end serves, and in the files that git keeps.

What is served is fetched as anybody would, and looked through by the executor, which knows the secrets; no reading
holds one. The guide's own `vercel env add VITE_TOGETHER_API_KEY` puts a key into every browser (GH-04).
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urljoin, urlsplit

from opslib.errors import OpsError, Unreachable
from opslib.model import Probe
from opslib.redaction import Secret
from opslib.systems.env_file import read
from opslib.systems.env_variables import key_of, leaks
from opslib.systems.publishable import client_prefix, secret_by_name, secrets_in
from opslib.systems.target import PlanTarget, ReadTarget
from opslib.systems.vault import placeholder

SECONDS = 10.0
MOST_FILES = 150
HEAD = "HEAD"
_MAP = re.compile(r"//[#@] sourceMappingURL=(?!data:)(\S{1,300})\s*$")
_PIECE = re.compile(
    r"""["'`](\.{1,2}/[A-Za-z0-9_./-]{1,150}\.m?js|/?assets/[A-Za-z0-9_./-]{1,150}\.(?:m?js|css))["'`]"""
)
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*|sb_publishable_[A-Za-z0-9_-]+")
_ENV = re.compile(r"\.env(\.[A-Za-z0-9_.-]+)?")
_TEMPLATES = ("example", "sample", "template", "dist", "defaults")
_SECRET_NAME = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|PRIVATE")


class _Files(HTMLParser):
    """Collects the scripts and styles of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        link = said.get("src") if tag == "script" else said.get("href") if tag == "link" else None
        if link and (tag == "script" or said.get("rel") in ("stylesheet", "modulepreload", "preload")):
            self.found.append(link)


def _bundle(target: PlanTarget) -> list[dict[str, Any]]:
    address = target.settings.front_end_url
    if address is None:
        raise Unreachable("VITE_APP_URL is not in the target description.", "Name where users open it.", "unset")
    base = f"{address.rstrip('/')}/"
    first = target.web.get(base, deadline=SECONDS)
    if first.status != 200:
        raise Unreachable(f"The front end answers {first.status}.", "Look at diagnostics/frontend.", "unhealthy")
    parser = _Files()
    parser.feed(first.text)
    content: dict[str, bytes] = {"index.html": first.data}
    waiting, seen, others = [urljoin(base, one) for one in parser.found], set[str](), set[str]()
    while waiting and len(seen) < MOST_FILES:
        url = waiting.pop(0).partition("#")[0]
        if url in seen or urlsplit(url).netloc != urlsplit(base).netloc:
            others |= {url} - seen
            continue
        seen.add(url)
        answer = target.web.get(url, deadline=SECONDS)
        if answer.status == 200 and "html" not in answer.headers.get("content-type", ""):
            content[urlsplit(url).path.removeprefix(urlsplit(base).path)] = answer.data
            waiting += _named(answer.text, url, base)
    return [*_looked_through(target, content), *_left(len({*waiting} - seen - others), len(others))]


def _named(text: str, url: str, base: str) -> list[str]:
    """Return what a script names further: pieces that are loaded later, and its source map."""
    pieces = [urljoin(url if one.startswith(".") else base, one) for one in _PIECE.findall(text)[:MOST_FILES]]
    found = _MAP.search(text)
    return [*pieces, *([urljoin(url, found[1])] if found else [])]


def _looked_through(target: PlanTarget, content: dict[str, bytes]) -> list[dict[str, Any]]:
    known, untold = _known(target)
    rows = []
    for name, data in content.items():
        plain = _without_public(data.decode("utf-8", "replace"))
        said = secrets_in({name: plain.encode()}, known, [])
        kinds = [one.partition(": ")[2] for one in said]
        rows.append({"file": name, "bytes": len(data), "secrets": kinds, "map": name.endswith(".map"), "why": ""})
    if untold:
        rows.append({"file": "", "bytes": 0, "secrets": [], "map": False, "why": untold})
    return rows


def _left(waiting: int, others: int) -> list[dict[str, Any]]:
    said = f"{waiting} more files were not fetched." if waiting else ""
    row = {"file": f"({others} files of other hosts)", "bytes": 0, "secrets": [], "map": False, "why": said}
    return [row] if said or others else []


def _known(target: PlanTarget) -> tuple[list[Secret], str]:
    """Return the secrets of the description and of the vault, and why the vault's could not be had."""
    found = target.hidden()
    try:
        for stage in ("AWSCURRENT", "AWSPREVIOUS"):
            version = target.vault.stage(stage)
            found += version.others("SUPABASE_URL", "SUPABASE_ANON_KEY") if version else []
    except OpsError as error:
        return found, f"The vault's secrets were not looked for: {error}"
    return found, ""


def _without_public(text: str) -> str:
    """Return the text without keys that are meant for everybody: tokens of the role anon, publishable keys."""
    return _TOKEN.sub(lambda found: "" if key_of(found[0]).get("role") == "anon" else found[0], text)


def _tracked(target: ReadTarget) -> list[dict[str, Any]]:
    checkout = target.checkout
    commit = checkout.commit(HEAD)
    entries = [one for one in checkout.entries(commit) if _ENV.fullmatch(PurePosixPath(one.path).name)]
    content = checkout.contents([one.identity for one in entries])
    return [_env_file(one.path, content[one.identity], commit) for one in entries]


def _env_file(path: str, data: bytes, commit: str) -> dict[str, Any]:
    """Return names alone: which of them hold what looks like a secret, and which a build would make public."""
    values = read(data).values
    real = {name: value for name, value in values.items() if value and not placeholder(value)}
    server = {name: value for name, value in real.items() if not client_prefix(name)}
    named = [name for name, value in server.items() if _SECRET_NAME.search(name) or _has_password(value)]
    return {
        "file": path,
        "commit": commit[:12],
        "template": PurePosixPath(path).name.rpartition(".")[2] in _TEMPLATES,
        "variables": len(values),
        "secrets": sorted({*named, *(name for name, value in real.items() if leaks(name, value))}),
        "public": sorted(name for name in values if secret_by_name(name)),
    }


def _has_password(value: str) -> bool:
    try:
        return bool(urlsplit(value).password)
    except ValueError:
        return False


bundle = Probe(
    "security-bundle",
    "Secrets in what the front end serves",
    _bundle,
    source="GET $VITE_APP_URL and the scripts, styles and source maps that it names",
    by_executor=True,
)
"""One row a file: kinds of secrets in it, by comparison with those that are known and by their looks; never a value."""

tracked = Probe(
    "security-tracked-env",
    "Env files that git keeps",
    _tracked,
    source="git ls-tree -r HEAD, .env*; names and looks of values",
)
"""One row an env file of the newest commit: names that hold what looks like a secret; no value."""
