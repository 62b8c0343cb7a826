"""What the live document and its files hold besides scripts and styles: images, and the tag that counts visits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

from opslib.errors import OpsError
from opslib.model import Probe
from opslib.probes.frontend_bundle import GZIP, SECONDS, page
from opslib.probes.frontend_loading import address
from opslib.systems.target import ReadTarget

MOST_IMAGES, MOST_FILES = 60, 40
_NAMED = re.compile(r"""["'(`]\s*([^"'`()\s]{1,300}\.(?:png|jpe?g|gif|webp|avif|bmp|tiff?))\s*["')`]""", re.IGNORECASE)
TAGS = {
    "Google": r"googletagmanager\.com|google-analytics\.com",
    "Plausible": r"plausible\.io/js|data-domain=",
    "PostHog": r"posthog",
    "Segment": r"cdn\.segment\.com",
    "Amplitude": r"amplitude\.com",
    "Mixpanel": r"mixpanel\.com",
    "Matomo": r"matomo\.(?:js|php)",
    "Vercel": r"/_vercel/insights|va\.vercel-scripts\.com",
    "Cloudflare": r"static\.cloudflareinsights\.com",
}
"""Services that count visits, by what a document or script that uses them holds."""


class _Document(HTMLParser):
    """The images, scripts and styles that a document names, in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[str] = []
        self.files: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an image's addresses, or a script's or style's."""
        said = {name: value or "" for name, value in attrs}
        if tag in ("img", "source"):
            self.images += [said.get("src", ""), *(one.split()[0] for one in said.get("srcset", "").split(",") if one)]
        elif tag == "script":
            self.files.append(said.get("src", ""))
        elif tag == "link" and {"stylesheet", "modulepreload"} & {*said.get("rel", "").lower().split()}:
            self.files.append(said.get("href", ""))


def _texts(target: ReadTarget) -> Iterator[tuple[str, str, list[str]]]:
    """Yield address, text and images that its tags name: of the document, then of its own scripts and styles."""
    base, answer = page(target.web, address(target))
    parser = _Document()
    parser.feed(answer.text)
    yield base, answer.text, [one for one in parser.images if one]
    for name in [one for one in dict.fromkeys(parser.files) if one][:MOST_FILES]:
        where = urljoin(base, name)
        if urlsplit(where).netloc == urlsplit(base).netloc:
            yield where, target.web.get(where, deadline=SECONDS, headers=GZIP).text, []


def _images(target: ReadTarget) -> list[dict[str, Any]]:
    texts = list(_texts(target))
    base, found = texts[0][0], dict[str, str]()
    for where, text, own in texts:
        for name in (*own, *_NAMED.findall(text)):
            if not name.startswith("data:"):
                found.setdefault(urljoin(where, name), urlsplit(where).path.rpartition("/")[2] or "the page")
    files = {"what": "files", "files": len(texts), "images": len(found)}
    return [files, *(_image(target, base, *one) for one in list(found.items())[:MOST_IMAGES])]


def _image(target: ReadTarget, base: str, where: str, named_by: str) -> dict[str, Any]:
    row = {"what": "image", "image": where.removeprefix(base)[:200], "named_by": named_by, "type": None, "bytes": None}
    if urlsplit(where).netloc != urlsplit(base).netloc:
        return row | {"why": "of another host, not asked"}
    try:
        answer = target.web.get(where, deadline=SECONDS)
    except OpsError as error:
        return row | {"why": error.message}
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if answer.status != 200 or not kind.startswith("image/"):
        return row | {"type": kind, "why": f"answers {answer.status}, {kind or 'no type'}"}
    return row | {"type": kind, "bytes": len(answer.data), "why": ""}


def _analytics(target: ReadTarget) -> list[dict[str, Any]]:
    texts = list(_texts(target))
    return [
        {"service": name, "named_by": [_short(where) for where, text, _ in texts if re.search(pattern, text)]}
        for name, pattern in TAGS.items()
    ]


def _short(where: str) -> str:
    return urlsplit(where).path.rpartition("/")[2] or "the page"


images = Probe(
    "front-end-images",
    "Images that the document, its scripts and its styles name",
    _images,
    source="GET VITE_APP_URL, GET each script, style and image of the same host",
    units={"bytes": "bytes"},
)
"""A row ``files`` (how many texts were read), and one for each image: its type and size, or ``why`` it has none."""

analytics = Probe(
    "front-end-analytics",
    "Services that count visits, as the document and its scripts name them",
    _analytics,
    source="GET VITE_APP_URL, GET each script and style of the same host",
)
"""A row per service that is known here, with the files that name it."""
