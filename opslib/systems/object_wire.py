"""Answers of AWS that broke off are no answers.

Python's HTTP client takes the end of the connection for the end of the headers: of an answer that was cut
there, a status 200 is left with no version, no lock, no length and no body. And the AWS library tells its
HTTP client not to count: an answer that was cut behind its headers has an empty body. Either way a listing would
be empty, and an object of nothing whole. Here both are a broken connection, which the library asks again.
"""

from __future__ import annotations

from functools import cache, partial
from http.client import HTTPResponse, RemoteDisconnected
from typing import Any


class _Headers:
    """The readable side of a connection, on which the headers must end with an empty line."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._inside = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def readline(self, *limit: int) -> bytes:
        line: bytes = self._file.readline(*limit)
        if line.startswith(b"HTTP/"):
            # After "go on" comes the answer itself, with headers of its own.
            self._inside = True
        elif self._inside and line in (b"\r\n", b"\n"):
            self._inside = False
        elif self._inside and not line.endswith(b"\n"):
            raise RemoteDisconnected("The connection ended inside the headers of an answer")
        return line


class _Whole:
    """Makes a connection read its answers' headers through :class:`_Headers`."""

    _kind: Any = HTTPResponse

    @property
    def response_class(self) -> Any:
        return partial(_opened, self._kind)

    @response_class.setter
    def response_class(self, kind: Any) -> None:
        self._kind = kind.args[0] if isinstance(kind, partial) and kind.func is _opened else kind


class _Counted:
    """Makes a pool of connections hold a body against the length that its headers said, and wants one to be said."""

    def urlopen(self, *arguments: Any, **more: Any) -> Any:
        from urllib3.exceptions import ProtocolError

        answer = super().urlopen(*arguments, **more | {"enforce_content_length": True})  # type: ignore[misc]
        if answer.length_remaining is None and not answer.chunked:
            # Its end would be wherever the connection ends. AWS always says one; who answers here is not AWS.
            answer.close()
            raise ProtocolError("An answer that does not say how long it is")
        return answer


def demand_whole_answers(client: Any) -> None:
    """Make a client of the AWS library take half an answer for a connection that broke."""
    # The client's own, shared with no other; the library offers no public way in.
    client._endpoint.http_session._pool_classes_by_scheme.update(_pools())


@cache
def _pools() -> dict[str, type]:
    from botocore import awsrequest

    class Plain(_Whole, awsrequest.AWSHTTPConnection):  # type: ignore[misc]
        pass

    class Encrypted(_Whole, awsrequest.AWSHTTPSConnection):  # type: ignore[misc]
        pass

    class PlainPool(_Counted, awsrequest.AWSHTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(_Counted, awsrequest.AWSHTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


def _opened(kind: Any, *arguments: Any, **more: Any) -> Any:
    response = kind(*arguments, **more)
    response.fp = _Headers(response.fp)
    return response
