"""Vendors' public status pages: what they say of what the product needs, or why they could not be read.

A page that cannot be read says nothing of its vendor: each failure is an Unreachable, never a "down".
"""

from __future__ import annotations

import codecs
import json
from contextlib import suppress
from dataclasses import replace
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from pydantic import ValidationError

from opslib.errors import SettingsError, Unreachable
from opslib.model import now
from opslib.settings_dependencies import Dependencies
from opslib.systems.api import Api
from opslib.systems.api_errors import Vendor, told
from opslib.systems.status_page_forms import Page, read
from opslib.systems.web_exchange import Answer

LOOK_SECONDS = 15.0
"""How long one page may take with all its tries and waits."""

NEXT = "Open the page in a browser; a feed that cannot be read says nothing of the vendor."
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
"""Byte order marks and what they say of the rest; without one it is UTF-8."""


class StatusPages:
    """The feeds of a target description, by vendor; nothing but GET is sent, and no credential."""

    def __init__(self, settings: Dependencies) -> None:
        self._addresses = settings.pages()
        self._opened: dict[str, Api] = {}

    @property
    def vendors(self) -> tuple[str, ...]:
        """The vendors whose page is described."""
        return tuple(self._addresses)

    def page(self, vendor: str, seconds: float = LOOK_SECONDS) -> Page:
        """Return what the page of ``vendor`` says.

        Raises SettingsError where none is described, and Unreachable (kinds of the vendors' APIs) where it cannot be
        read: its form is found by its shape, and one that is none of the known is malformed.
        """
        address = self._addresses.get(vendor)
        if address is None:
            raise SettingsError(f"OPS_STATUS_PAGES names no page of {vendor}.", "Add it to the target description.")
        parts = urlsplit(address)
        about = Vendor(f"The status page of {vendor}", "OPS_STATUS_PAGES", scheme="")
        api = self._opened.setdefault(vendor, Api(about, f"{parts.scheme}://{parts.netloc}", None, seconds=seconds))
        try:
            answer = api.raw(*filter(None, parts.path.split("/")), accept="application/json")
            return _read(about, f"GET {address}", answer)
        except Unreachable as error:
            raise Unreachable(error.message, NEXT, error.kind) from error

    def close(self) -> None:
        """Close every connection."""
        while self._opened:
            self._opened.popitem()[1].close()


def _read(about: Vendor, asked: str, answer: Answer) -> Page:
    try:
        said = json.loads(_text(answer.data))
    except (ValueError, RecursionError):
        raise told(about, "malformed", asked, f"{answer.status}, no JSON") from None
    try:
        page = read(said)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        amiss = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in faults[:3])
        raise told(about, "malformed", asked, amiss) from None
    if page is None:
        raise told(about, "malformed", asked, "none of the known forms of a status page")
    return replace(page, age=_age(answer))


def _text(data: bytes) -> str:
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name)
    return data.decode()


def _age(answer: Answer) -> float:
    """Return how old the answer is, by what a cache on the way says and by when it was made."""
    age = answer.headers.get("age", "")
    ages = [float(age)] if age.isdecimal() and len(age) < 12 else []
    # A moment without a zone, or none at all, says nothing.
    with suppress(KeyError, ValueError, TypeError):
        ages.append((now() - parsedate_to_datetime(answer.headers["date"])).total_seconds())
    return max(0.0, *ages) if ages else 0.0
