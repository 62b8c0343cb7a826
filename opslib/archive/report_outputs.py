"""A notebook cell's outputs as safe HTML: ours drawn from their JSON, everything else strained.

Nothing of a stored HTML reaches the page unless it is on a short list of elements; images are checked
and put into the page; terminal text loses its escape sequences.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from opslib.pictures import gate
from opslib.runs.display import MIME, html_of
from opslib.runs.markup import Html, join, plain, shorten, tag, visible

Said = Mapping[str, Any]
MOST_IMAGE: Final = 90_000
MOST_TEXT: Final = 12_000
MOST_HTML: Final = 60_000

_PLAIN: Final = (
    "table thead tbody tfoot tr th td caption p br b strong i em code pre ul ol li div span h4 h5 h6 dl dt dd"
)
_TAGS: Final = set(_PLAIN.split())
_ATTRIBUTES: Final = {"th": {"scope", "colspan", "rowspan"}, "td": {"colspan", "rowspan"}}


def text_at(value: Any) -> str:
    """Return a notebook's text field, which is a string or a list of them."""
    if isinstance(value, list):
        return "".join(str(part) for part in value)
    return value if isinstance(value, str) else ""


def of_ours(output: Said) -> tuple[str, Said] | None:
    """Return kind and value when ``output`` is one of our values."""
    data = output.get("data")
    said = data.get(MIME) if isinstance(data, dict) else None
    if isinstance(said, dict) and isinstance(said.get("value"), dict):
        return str(said.get("kind")), said["value"]
    return None


def rendered(output: Said) -> Html:
    """Return one output of a notebook cell as safe HTML."""
    kind = output.get("output_type")
    if kind == "stream":
        return _text(text_at(output.get("text")), "stderr" if output.get("name") == "stderr" else "stdout")
    if kind == "error":
        return _error(output)
    if ours := of_ours(output):
        return Html(html_of(*ours))
    data = output.get("data")
    return (
        _data(data) if isinstance(data, dict) else tag("p", "An output of no known form is left out.", class_="quiet")
    )


def _data(data: Said) -> Html:
    if "image/svg+xml" in data:
        return _drawing(text_at(data["image/svg+xml"]))
    for mime in ("image/png", "image/jpeg"):
        if mime in data:
            return image(mime, text_at(data[mime]), text_at(data.get("text/plain")))
    if "text/html" in data:
        return html(text_at(data["text/html"]))
    return _text(text_at(data.get("text/plain")), "output")


def _drawing(svg: str) -> Html:
    try:
        return tag("div", Html(gate.checked(svg)), class_="ops-scroll ops-drawing", tabindex="0")
    except gate.Unsafe as error:
        return tag("p", f"A drawing is withheld: it {error}.", class_="quiet")


def image(mime: str, encoded: str, alternative: str) -> Html:
    """Return an image as a data address when it is what it says and small enough; else why it is withheld."""
    try:
        data = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    png = data.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR") and data.rstrip(b"\0")[-8:-4] == b"IEND"
    jpeg = data.startswith(b"\xff\xd8\xff") and data.rstrip(b"\0").endswith(b"\xff\xd9")
    if not (png if mime == "image/png" else jpeg):
        return tag("p", "An image is withheld: it does not decode.", class_="quiet")
    if len(data) > MOST_IMAGE:
        return tag("p", f"An image of {len(data)} bytes is left out here; the notebook has it.", class_="quiet")
    address = f"data:{mime};base64,{base64.b64encode(data).decode()}"
    return tag("img", src=address, alt=shorten(alternative, 300) or "image")


def html(text: str) -> Html:
    """Return foreign HTML strained to plain structure: no style, link, handler, form, frame or script."""
    import nh3

    if len(text) > MOST_HTML:
        return tag("p", "An output is left out here for its size; the notebook has it.", class_="quiet")
    clean = nh3.clean(
        text.encode("utf-8", "replace").decode(),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=set(),
        link_rel=None,
        strip_comments=True,
    )
    return tag(
        "div", Html(visible(clean)), class_="foreign ops-scroll", tabindex="0", role="group", aria_label="output"
    )


def _error(output: Said) -> Html:
    name, message = text_at(output.get("ename")), plain(text_at(output.get("evalue")))
    trace = plain(text_at([f"{line}\n" for line in output.get("traceback") or [] if isinstance(line, str)]))
    said = tag("p", tag("strong", name or "Error", ": "), shorten(message, 2000))
    # A short trace only says the same again.
    long = trace.count("\n") > 3
    folded = tag("details", tag("summary", "Traceback"), tag("pre", _cut(trace))) if long else None
    return tag("div", said, folded, class_="error")


def _text(text: str, name: str) -> Html:
    if not text.strip():
        return Html()
    label = tag("p", "standard error", class_="quiet") if name == "stderr" else None
    return join([label, tag("pre", _cut(plain(text)), class_="stream", tabindex="0", aria_label=name)])


def _cut(text: str) -> str:
    text = text.rstrip("\n")
    if len(text) <= MOST_TEXT:
        return text
    return f"… {len(text) - MOST_TEXT} characters before this are in the notebook\n{text[-MOST_TEXT:]}"
