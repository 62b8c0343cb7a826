"""What an SVG may contain before it goes into a page: an allow-list, applied after parsing.

The parser is the standard library's expat, with every document type and entity refused, so nothing is
expanded or fetched. What is not on the lists is refused as a whole, never repaired: a picture of ours
that fails here was tampered with.
"""

from __future__ import annotations

import re
from typing import Any, Final, NoReturn
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
from xml.parsers import expat

from opslib.pictures.svg import Node, element

MOST_BYTES: Final = 200_000
MOST_ELEMENTS: Final = 4_000
MOST_DEPTH: Final = 40
NAMESPACE: Final = "http://www.w3.org/2000/svg"

_ELEMENTS: Final = """svg g rect line path polyline polygon circle ellipse text tspan title desc defs pattern
    linearGradient stop"""
ELEMENTS: Final = frozenset(_ELEMENTS.split())
_ATTRIBUTES: Final = """x y x1 y1 x2 y2 cx cy r rx ry dx dy d points width height viewBox preserveAspectRatio
    transform offset role aria-label aria-hidden fill fill-opacity fill-rule stroke
    stroke-width stroke-opacity stroke-dasharray stroke-linecap stroke-linejoin opacity
    stop-color stop-opacity font-size font-family font-weight font-style text-anchor
    dominant-baseline id patternUnits patternContentUnits patternTransform gradientUnits
    gradientTransform"""
ATTRIBUTES: Final = frozenset(_ATTRIBUTES.split())
_PAINT: Final = re.compile(r"url\(#([A-Za-z][A-Za-z0-9_-]{0,60})\)")
_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,60}")
_VALUE: Final = re.compile(r"[^\x00-\x1f<>&\\{};:@]*")


class Unsafe(ValueError):
    """The drawing holds something that a picture must not hold; the message names it."""


def checked(svg: str, ids: str = "pic-") -> str:
    """Return ``svg`` rebuilt from allowed elements and attributes only; raises Unsafe otherwise.

    ``ids`` goes before every id, so that a drawing's ids can't stand for one of the page's.
    """
    if len(svg) > MOST_BYTES:
        raise Unsafe(f"is larger than {MOST_BYTES} characters")
    root = _parsed(svg)
    if root.tag != f"{NAMESPACE} svg" and root.tag != "svg":
        raise Unsafe("is not an SVG drawing")
    if sum(1 for _ in root.iter()) > MOST_ELEMENTS:
        raise Unsafe(f"has more than {MOST_ELEMENTS} elements")
    return _rebuilt(root, ids, 0).markup


def _parsed(svg: str) -> Element:
    builder = TreeBuilder()
    parser = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler = lambda name, attributes: builder.start(name, attributes) and None
    parser.EndElementHandler = lambda name: builder.end(name) and None
    parser.CharacterDataHandler = builder.data

    def refuse(*_: Any) -> NoReturn:
        raise Unsafe("has a document type, an entity or a processing instruction")

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.ProcessingInstructionHandler = refuse
    try:
        parser.Parse(svg.encode("utf-8", "replace"), True)
        return builder.close()
    except (expat.ExpatError, ParseError, AssertionError) as error:
        raise Unsafe(f"is not well-formed ({error})") from None


def _rebuilt(node: Element, ids: str, depth: int) -> Node:
    name = node.tag.removeprefix(f"{NAMESPACE} ")
    if name not in ELEMENTS or (name == "svg") != (depth == 0):
        raise Unsafe(f"holds the element {name[:40]!r}")
    if depth > MOST_DEPTH:
        raise Unsafe(f"is nested deeper than {MOST_DEPTH}")
    given: dict[str, str | None] = {k.replace("-", "_"): _value(k, v, ids) for k, v in node.attrib.items()}
    if name == "svg":
        given = {"xmlns": NAMESPACE, **given, "role": "img", "width": "100%", "height": None}
    children: list[Node | str] = [node.text or ""]
    for child in node:
        children += [_rebuilt(child, ids, depth + 1), child.tail or ""]
    return element(name, *(child for child in children if not isinstance(child, str) or child.strip()), **given)


def _value(name: str, value: str, ids: str) -> str:
    if name not in ATTRIBUTES:
        raise Unsafe(f"holds the attribute {name[:40]!r}")
    if name == "id":
        if not _ID.fullmatch(value):
            raise Unsafe("holds a malformed id")
        return ids + value
    if paint := _PAINT.fullmatch(value):
        return f"url(#{ids}{paint[1]})"
    if name == "aria-label":
        return value
    if not _VALUE.fullmatch(value) or "url" in value.lower():
        raise Unsafe(f"holds a value of {name!r} that is none")
    return value
