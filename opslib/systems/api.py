"""A vendor's JSON API: addresses built from parts, a credential that no message shows, and failures told apart.

:class:`Api` asks with GET alone, and asks again where a vendor says to wait or failed in passing, all within one
deadline. :class:`WritingApi` also sends what changes something, once: only an answer that says that nothing was
done (429) is followed by another try. What an effect without an answer did, the action's ``settle`` looks up.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlencode

from pydantic import BaseModel, TypeAdapter, ValidationError

from opslib.errors import SettingsError, Unreachable, UsageError
from opslib.redaction import Redactor, Secret
from opslib.systems.api_errors import RETRIED, Vendor, fault, told, wait_of
from opslib.systems.web import Asker, Reader, Writer
from opslib.systems.web_exchange import Answer, Method

ATTEMPTS = 4
LOOK_SECONDS = 20.0
"""How long one question may take with all its tries and waits."""
ACT_SECONDS = 60.0
"""How long one call that changes something may take, waits before it included."""

NOTHING_DONE = frozenset({"limited"})
"""Kinds after which even a call that changes something is made once more."""

Query = Mapping[str, str | int | tuple[str, ...] | None]
T = TypeVar("T")


class Shape(BaseModel):
    """A part of a vendor's answer, as far as it is used: names as the vendor writes them, all else left alone."""

    model_config = {"frozen": True, "extra": "ignore", "hide_input_in_errors": True, "populate_by_name": True}


class Api:
    """Questions to one vendor at ``base``; ``token`` is sent as the vendor wants it, ``headers`` with each call.

    Close with :meth:`close`.
    """

    def __init__(
        self,
        vendor: Vendor,
        base: str,
        token: Secret | None,
        *,
        ca: Path | None = None,
        seconds: float = LOOK_SECONDS,
        reader: Reader | None = None,
        headers: Mapping[str, str | Secret] | None = None,
    ) -> None:
        self.vendor, self.base, self.seconds = vendor, base.rstrip("/"), seconds
        if token is None and vendor.scheme:
            raise SettingsError(f"{vendor.token} is not in the target description.", f"{vendor.name} wants it.")
        self._headers: dict[str, str | Secret] = {
            **vendor.headers,
            **(headers or {}),
            "accept": vendor.headers.get("accept", "application/json"),
        }
        if vendor.scheme and token is not None:
            self._headers["authorization"] = Secret(f"{vendor.scheme} {token.reveal()}")
        self._reader = reader or Reader(ca=ca)

    def get(self, shape: type[T], *path: str, query: Query | None = None) -> T:
        """Return what is at ``path`` (parts, each quoted), read as ``shape``.

        Raises Unreachable with a kind of :data:`opslib.systems.api_errors.KINDS` or of the web's own.
        """
        url = self.url(*path, query=query)
        return self.read(shape, f"GET {self.url(*path)}", self._asked(url))

    def text(self, *path: str, query: Query | None = None) -> str:
        """Return the text at ``path``; raises as :meth:`get`."""
        return self._asked(self.url(*path, query=query)).text

    def pour(self, take: Callable[[bytes], None], *path: str, query: Query | None, seconds: float) -> None:
        """Hand the text at ``path`` to ``take`` piece by piece, within ``seconds``; raises as :meth:`get`.

        It is asked for again only where no piece was taken yet; else what broke off has the kind ``cut``.
        """
        url, taken = self.url(*path, query=query), [0]

        def counted(piece: bytes) -> None:
            taken[0] += len(piece)
            take(piece)

        def ask(left: float) -> Answer:
            try:
                return self._reader.pour(url, counted, deadline=left, headers={**self._headers, "accept": "*/*"})
            except Unreachable as error:
                if taken[0]:
                    error.kind = "cut"
                raise

        self._tried(ask, f"GET {url.partition('?')[0]}", seconds, RETRIED)

    def raw(self, *path: str, accept: str) -> Answer:
        """Return the answer (2xx) at ``path`` in the media type ``accept``; raises as :meth:`get`."""
        return self._asked(self.url(*path), accept)

    def url(self, *path: str, query: Query | None = None) -> str:
        """Return the address of ``path``; a part can hold no slash of its own.

        In the query None is left out, and a tuple stands there as often as it has values.
        """
        if wrong := [part for part in path if part in ("", ".", "..")]:
            raise UsageError(f"{wrong[0]!r} names nothing at {self.vendor.name}.", "Name what is meant.")
        parts = "/".join(quote(part, safe="") for part in path) + self.vendor.tail
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return f"{self.base}/{parts}" + (f"?{urlencode(given, doseq=True)}" if given else "")

    def read(self, shape: type[T], asked: str, answer: Answer) -> T:
        """Return the body of ``answer`` as ``shape``; raises Unreachable (malformed) that names what is amiss."""
        try:
            found: T = _adapter(cast("Any", shape)).validate_python(json.loads(answer.text))
        except ValidationError as error:
            said = error.errors(include_input=False, include_url=False, include_context=False)
            amiss = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in said[:3])
            raise told(self.vendor, "malformed", asked, amiss) from None
        except ValueError:
            kind = answer.headers.get("content-type", "no content type").partition(";")[0]
            raise told(self.vendor, "malformed", asked, f"{answer.status}, {kind}, no JSON") from None
        return found

    def close(self) -> None:
        """Close every connection."""
        self._reader.close()

    def _asked(self, url: str, accept: str | None = None) -> Answer:
        headers = self._headers if accept is None else {**self._headers, "accept": accept}

        def ask(left: float) -> Answer:
            return self._reader.get(url, deadline=left, headers=headers)

        return self._tried(ask, f"GET {url.partition('?')[0]}", self.seconds, RETRIED)

    def _tried(self, ask: Callable[[float], Answer], shown: str, seconds: float, again: frozenset[str]) -> Answer:
        """Return the first success of ``ask`` within ``seconds``; another try is made after the kinds ``again``."""
        until = time.monotonic() + seconds
        for attempt in count():
            answer: Answer | None = None
            try:
                answer = ask(max(0.1, until - time.monotonic()))
                error = fault(self.vendor, shown, answer)
            except Unreachable as failure:
                error = failure
            if error is None and answer is not None:
                return answer
            assert error is not None
            wait = wait_of(answer, attempt)
            if error.kind not in again or attempt + 1 == ATTEMPTS or time.monotonic() + wait >= until:
                if error.kind == "limited":
                    error.next_step = f"It asks to wait {wait:.0f} s. {error.next_step}"
                raise error
            time.sleep(wait)
        raise AssertionError("counts for ever")


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    # Once for each shape: to make one, or a page's model that nobody holds any more, takes longer than to read most
    # answers with it.
    return TypeAdapter(shape)


class AskingApi(Api):
    """Also asks what a vendor wants asked by POST though nothing changes; for the executor's declared calls."""

    def __init__(self, vendor: Vendor, base: str, token: Secret | None) -> None:
        self._asker = Asker()
        super().__init__(vendor, base, token, reader=self._asker)

    def ask(self, shape: type[T], *path: str) -> T:
        """Return what ``path`` answers to POST without a body, read as ``shape``; raises as :meth:`get`."""
        url = self.url(*path)

        def ask(left: float) -> Answer:
            return self._asker.post(url, b"", "application/json", deadline=left, headers=self._headers)

        return self.read(shape, f"POST {url}", self._tried(ask, f"POST {url}", self.seconds, RETRIED))


class WritingApi(Api):
    """Also sends what changes something."""

    def __init__(
        self,
        vendor: Vendor,
        base: str,
        token: Secret | None,
        *,
        ca: Path | None = None,
        headers: Mapping[str, str | Secret] | None = None,
    ) -> None:
        self._writer = Writer(ca=ca)
        super().__init__(vendor, base, token, reader=self._writer, headers=headers)

    def send(
        self,
        method: Method,
        *path: str,
        query: Query | None = None,
        body: Any = None,
        kind: str = "application/json",
        hide: Secret | None = None,
    ) -> Answer:
        """Return the answer (2xx) to ``body`` sent as JSON (bytes: as they are, of media type ``kind``; None: without).

        Raises Unreachable as :meth:`get`; ``hide`` is a value of the body that no message repeats, whatever is said.

        Whether anything was changed where there was no answer, or a 5xx, has to be looked up.
        """
        url = self.url(*path, query=query)
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = self._headers if content is None else {**self._headers, "content-type": kind}

        def ask(left: float) -> Answer:
            return self._writer.send(method, url, content, deadline=left, headers=headers)

        try:
            return self._tried(ask, f"{method} {self.url(*path)}", ACT_SECONDS, NOTHING_DONE)
        except Unreachable as error:
            if hide is None:
                raise
            clean = Redactor([hide]).text
            raise Unreachable(clean(error.message), clean(error.next_step), error.kind) from None
