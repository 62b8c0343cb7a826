"""Asserts on the parsed page that it can neither run, load nor disguise anything."""

import re
from html.parser import HTMLParser

from opslib.archive import report

_DRAWING = """
    circle defs desc ellipse g line lineargradient path pattern polygon polyline rect stop svg text title tspan"""
DRAWING = frozenset(_DRAWING.split())
_PAGE = """
    a b blockquote body br caption code dd del details div dl dt em figcaption figure footer h1 h2 h3 h4 h5 h6
    head header hr html i img li main meta nav ol p pre section span strong style summary table tbody td tfoot th
    thead title tr ul"""
PAGE = frozenset(_PAGE.split())
_ATTRIBUTES = """
    alt aria-hidden aria-label aria-labelledby charset class colspan content cx cy d data-name fill fill-opacity
    font-family font-size font-weight height href http-equiv id lang name opacity open points preserveaspectratio
    r rel role rowspan rx scope src start stroke stroke-dasharray stroke-linecap stroke-linejoin stroke-opacity
    stroke-width tabindex text-anchor title transform viewbox width x x1 x2 xmlns y y1 y2"""
ATTRIBUTES = frozenset(_ATTRIBUTES.split())
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


class Page(HTMLParser):
    """Every element of a page with its attributes, in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.styles, self._inside = [], [], None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, [(name, value or "") for name, value in attrs]))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside == "style":
            self.styles.append(data)

    def handle_decl(self, decl):
        assert decl == "doctype html"

    def handle_comment(self, data):
        raise AssertionError(f"a comment on the page: {data[:60]!r}")

    def handle_pi(self, data):
        raise AssertionError(f"a processing instruction on the page: {data[:60]!r}")


def assert_harmless(text):
    page = Page(text)
    assert {tag for tag, _ in page.elements} <= PAGE | DRAWING
    assert [tag for tag, _ in page.elements].count("h1") == 1
    ids = [value for _, attrs in page.elements for name, value in attrs if name == "id"]
    assert len(ids) == len(set(ids))
    for tag, attrs in page.elements:
        assert {name for name, _ in attrs} <= ATTRIBUTES, (tag, attrs)
        for name, value in attrs:
            _assert_attribute(tag, name, value, dict(attrs), ids)
    assert len(page.styles) == 1
    assert page.styles[0].count("url(") == page.styles[0].count("@import") == 0
    assert not HIDDEN.search(text), "a hidden character is on the page"
    names = [tag for tag, _ in page.elements]
    assert names[:3] == ["html", "head", "meta"], "the policy stands before everything that it is for"
    metas = [dict(attrs) for tag, attrs in page.elements if tag == "meta"]
    assert metas[0] == {"http-equiv": "Content-Security-Policy", "content": report.policy(page.styles[0])}
    assert [meta for meta in metas[1:] if "http-equiv" in meta] == []


def _assert_attribute(tag, name, value, attrs, ids):
    if name == "href":
        assert tag == "a"
        if value.startswith("#"):
            assert value[1:] in ids, value
        else:
            assert re.fullmatch(r"\.\./[0-9]{8}T[0-9]{6}Z[a-z0-9-]+/report\.html", value), value
    if name == "src":
        assert tag == "img"
        assert re.match(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+$", value)
    if tag in DRAWING and name not in ("title", "aria-label"):
        assert "url(" not in value or re.fullmatch(r"url\(#pic-[\w-]+\)", value)
