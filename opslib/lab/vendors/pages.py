"""What a deployment of the lab's front end is made of: a document, its first scripts, and one that comes later.

The scripts are real (a browser runs them) and as large as a small product's; what fills them says nothing.
"""

from __future__ import annotations

import hashlib
from functools import cache

KINDS = {"css": "text/css", "js": "text/javascript"}
SMALLEST = 1000
"""Bytes under which nothing is compressed."""
GOOD = {
    "page_cache": "public, max-age=0, must-revalidate",
    "file_cache": "public, max-age=31536000, immutable",
    "gzip": True,
    "policy": "",
    "keeps_old": True,
    "fallback": False,
    "missing": [],
    "heavy": 0,
    "throws": False,
    "late": 0.0,
    "bundle": "",
}
"""How a site is served when all is well: cache headers, compression, its content security policy (none), whether files
of former deployments are still there, whether the document is served in place of a file that is not there; kinds of
files that are missing, kilobytes (compressed) more in the first script, whether that script fails, seconds that it
takes to reach a browser, and what every file also holds."""
HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:; connect-src 'self' http://127.0.0.1:*; "
    "object-src 'none'; base-uri 'self'; frame-ancestors 'none'",
    "strict-transport-security": "max-age=63072000; includeSubDomains; preload",
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
"""What every answer below /sites carries for browsers."""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ValueCanvas</title>
<meta name="build" content="{sha}">
<link rel="icon" href="data:,">
<script type="module" crossorigin src="./assets/{index}"></script>
<link rel="modulepreload" crossorigin href="./assets/{vendor}">
<link rel="stylesheet" href="./assets/{style}">
</head><body><div id="root"></div></body></html>
"""
_INDEX = """import {{ brand }} from "./{vendor}";
{throws}const root = document.getElementById("root");
root.innerHTML = `<h1>${{brand}}</h1><p>Cases, values and what came of them.</p>`;
import("./{canvas}").then((canvas) => canvas.draw(root));
const build = "{sha}", table = "{filler}";
"""
_VENDOR = 'export const brand = "ValueCanvas";\nexport const table = "{filler}";\n'
_CANVAS = """export const draw = (root) => root.append("The canvas of a case.");
export const table = "{filler}";
"""
_STYLE = "#root {{ font-family: sans-serif; }}\n/* {filler} */\n"
PER_KILOBYTE = 1780
"""Characters of the filler that are about 1 kB when compressed."""


@cache
def files(sha: str, heavy: int = 0, throws: bool = False) -> dict[str, bytes]:
    """Return the files of a deployment by their names, which hold their digests, as a bundler makes them."""
    vendor = _VENDOR.format(filler=_filler("vendor", 90_000)).encode()
    canvas = _CANVAS.format(filler=_filler(sha + "canvas", 40_000)).encode()
    style = _STYLE.format(filler=_filler("style", 6_000)).encode()
    names = {"vendor": _name("vendor", vendor, "js"), "canvas": _name("canvas", canvas, "js")}
    filler = _filler(sha, 24_000 + heavy * PER_KILOBYTE)
    first = 'throw new Error("Component not found: ValueTree");\n' if throws else ""
    index = _INDEX.format(**names, sha=sha, filler=filler, throws=first).encode()
    named = {_name("index", index, "js"): index, names["vendor"]: vendor, names["canvas"]: canvas}
    return {**named, _name("style", style, "css"): style}


def document(sha: str, heavy: int = 0, throws: bool = False) -> str:
    """Return the document of a deployment."""
    named = {name.partition("-")[0]: name for name in files(sha, heavy, throws)}
    return _PAGE.format(sha=sha, **named)


def _name(kind: str, data: bytes, ending: str) -> str:
    return f"{kind}-{hashlib.sha256(data).hexdigest()[:8]}.{ending}"


def _filler(seed: str, length: int) -> str:
    pieces = (hashlib.sha256(f"{seed} {number}".encode()).hexdigest() for number in range(length // 64 + 1))
    return "".join(pieces)[:length]
