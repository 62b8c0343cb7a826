"""Plants for the canary run: a secret in every encoding that we can think of, and an own way to look for it.

The search knows nothing of :mod:`opslib.redaction`: it looks for the secret's core, fourteen letters and digits
that no other text has, in everything that can become of them.
"""

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

CORE = "cAnary7Kiwi9Qz"
SECRET = f'x"<&{CORE}%41+/=ä\\ {CORE}>y'


def ansi(text):
    return "\x1b[1;31m".join(text)


def each(text, form):
    return "".join(form.format(ord(letter)) for letter in text)


def b64(text, before=0, coding=base64.b64encode):
    return coding(b"~" * before + text.encode() + b"~~").decode()


ENCODINGS = {
    "raw": lambda s: s,
    "url": lambda s: quote(s, safe=""),
    "url-lower": lambda s: quote(s, safe="").lower().replace(CORE.lower(), CORE),
    "url-plus": quote_plus,
    "url-all": lambda s: "".join(f"%{byte:02X}" for byte in s.encode()),
    "url-url": lambda s: quote(quote(s, safe=""), safe=""),
    "json": json.dumps,
    "json-json": lambda s: json.dumps(json.dumps(s)),
    "json-all": lambda s: each(s, "\\u{:04x}"),
    "html": html.escape,
    "html-half": lambda s: s.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    "html-decimal": lambda s: each(s, "&#{};"),
    "html-hex": lambda s: each(s, "&#x{:X};"),
    "html-json": lambda s: html.escape(json.dumps(s)),
    "repr": repr,
    "bytes": lambda s: repr(s.encode()),
    "ansi": ansi,
    "base64-0": b64,
    "base64-1": lambda s: b64(s, 1),
    "base64-2": lambda s: b64(s, 2),
    "base64-url": lambda s: b64(s, 1, base64.urlsafe_b64encode),
    "base64-lines": lambda s: "\n".join(re.findall(".{1,16}", b64(s))),
    "base64-base64": lambda s: b64(b64("....................." + s)),
    "hex": lambda s: s.encode().hex(),
    "utf-16": lambda s: "\0".join(s) + "\0",
}


def plants(channel, leave=()):
    """Return one labelled plant per encoding."""
    return [f"<<{channel}:{name}:{code(SECRET)}" for name, code in ENCODINGS.items() if name not in leave]


def traces(data):
    """Return which traces of the secret's core stand in ``data``."""
    # The zeros first, and not by the pattern: of a database's files they are the greater part.
    bare = re.sub(rb"(?:\x1b|\\u001b)\[[0-9;]*m", b"", data.replace(b"\0", b"").replace(b"\\u0000", b""))
    needles = {"raw": CORE.encode(), "half": CORE[:10].encode(), "hex": CORE.encode().hex().encode()}
    for name in ("url-all", "json-all", "html-decimal", "html-hex"):
        needles[name] = ENCODINGS[name](CORE).encode()
        needles[f"{name} in JSON"] = json.dumps(needles[name].decode())[1:-1].encode()
        needles[f"{name} in HTML"] = html.escape(needles[name].decode()).encode()
    once = {f"base64 at {n}": base64.b64encode(b"~" * n + CORE.encode())[n + 1 : n + 17] for n in range(3)}
    needles |= once
    for name, core in once.items():
        needles |= {f"{name} again at {n}": base64.b64encode(b"~" * n + core)[n + 1 : n + 17] for n in range(3)}
    found = {name for name, needle in needles.items() if needle in data or needle in bare}
    joined = bare.replace(b"\n", b"").replace(b"\\n", b"")
    return found | {f"{name}, in lines" for name, needle in needles.items() if needle in joined}
