"""Redis or Valkey through redis-py's connection: a session that can only read, and failures told apart.

The commands that may be asked stand in :mod:`opslib.systems.cache_commands`. The client's own time-outs
count each packet anew, so every call here has a wall-clock deadline beside them.
"""

from __future__ import annotations

import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from opslib.errors import Refused, Unreachable
from opslib.redaction import CacheUrl
from opslib.systems.cache_commands import CONTAINERS, Argument, why_refused
from opslib.systems.deadline import deadline, shut

if TYPE_CHECKING:
    from redis.connection import AbstractConnection

Command = tuple[Argument, ...]
BATCH = 2000
"""Commands sent before their answers are read; more would pile up in the server's memory."""


class CacheUnreachable(Unreachable):
    """The cache could not be looked at. ``kind`` is one of the keys of :data:`KINDS`."""


KINDS: dict[str, tuple[str, str]] = {
    "name": ("has a name that does not resolve", "Check DNS and the host in the target description."),
    "refused": ("refuses connections", "Is the server running, and the port right?"),
    "tls": ("has a TLS problem", "Check scheme (redis or rediss), certificate and the host's name in it."),
    "authentication": ("refused user or password", "Check the user in the target description and the server's ACL."),
    "forbidden": ("forbids this user to ask", "Grant this user the command (ACL SETUSER)."),
    "unknown-command": (
        "does not offer this command",
        "A managed service hides it (use its console and parameter group), or the version lacks it.",
    ),
    "loading": ("is loading its data set and answers nobody yet", "Wait, then look again."),
    "no-primary": ("is a replica that lost its primary", "Look at the primary, and at the failover."),
    "cluster": ("is part of a cluster that keeps this key elsewhere", "Name a node, or the cluster's own console."),
    "full": ("has no connection left (maxclients)", "See who holds them; workers may leak connections."),
    "slow": ("gave no answer in time", "Look at the network, at slow commands and at the server's load."),
    "network": ("cannot be reached over the network", "Check route, firewall and VPN."),
    "closed": ("closed the connection", "Is TLS demanded (rediss), or a client being killed? See its log."),
    "wrong-type": ("holds another type of value under this key", "Is the prefix shared with another program?"),
    "other": ("answered with an error", "See its log."),
}
"""Kinds of failure: what is said of the server, and what to do next."""


class ReadOnlyCache:
    """A session on Redis or Valkey that cannot write; opened at the first question, closed by :meth:`close`."""

    def __init__(
        self, url: CacheUrl, application: str, *, connect_seconds: float = 5.0, answer_seconds: float = 5.0
    ) -> None:
        self.url = url
        self._application = re.sub(r"[^!-~]", "-", application)
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._connection: AbstractConnection | None = None

    def ask(self, *command: Argument) -> Any:
        """Send one command and return its answer: text, integer, None or a list of these.

        Raises Refused, before a byte is sent, for a command that is not on the list of those that only
        read; raises CacheUnreachable with the kind of failure.
        """
        return self.ask_many([command])[0]

    def ask_many(self, commands: Iterable[Command]) -> list[Any]:
        """Send several commands at once (a pipeline) and return their answers in order.

        All are checked against the list before the first is sent. An error among the answers is raised
        after the others were read, so that the session stays usable.
        """
        return [_text(answer) for answer in self._exchange(list(commands))]

    def info(self, *sections: str) -> dict[str, str]:
        """Return the figures of INFO's ``sections`` (``memory``, ``stats`` …) as text by their names."""
        answers = self.ask_many(("INFO", section) for section in sections)
        lines = (line.partition(":") for answer in answers for line in str(answer).splitlines())
        return {name: value for name, colon, value in lines if colon and not name.startswith("#")}

    def setting(self, name: str) -> str | None:
        """Return one CONFIG setting, None when this server has none of that name; managed services forbid it."""
        pair = self.ask("CONFIG", "GET", name)
        return str(pair[1]) if pair else None

    def scan(self, prefix: str = "", *, count: int = BATCH // 2, type_name: str | None = None) -> Iterator[list[bytes]]:
        """Walk the keys in batches (SCAN): raw bytes, fit for asking back; see :func:`shown`.

        A key may come twice while the server rehashes; keys that come and go meanwhile may be missed.
        """
        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", prefix) + "*"
        options: tuple[Argument, ...] = ("MATCH", pattern) if prefix else ()
        options += ("TYPE", type_name) if type_name else ()
        cursor: Argument = 0
        while True:
            cursor, keys = self._exchange([("SCAN", cursor, *options, "COUNT", count)])[0]
            yield list(keys)
            if int(cursor) == 0:
                return

    def timed_pings(self, times: int) -> tuple[str, list[float]]:
        """Return what PING is answered with, and the seconds of each of ``times`` round trips after connecting."""
        self._connect()
        seconds, answer = [], ""
        for _ in range(times):
            start = time.perf_counter()
            answer = str(self.ask("PING"))
            seconds.append(time.perf_counter() - start)
        return answer, seconds

    def close(self) -> None:
        """Close the session; the next question opens a new one."""
        if self._connection is not None:
            self._connection.disconnect()  # type: ignore[no-untyped-call]
            self._connection = None

    def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        for command in commands:
            if reason := self._why_refused(command):
                raise Refused(f"This session on the cache does not send this: {reason}.", "Use a runbook's step.")
        answers: list[Any] = []
        for start in range(0, len(commands), BATCH):
            answers += self._round_trip(commands[start : start + BATCH])
        return answers

    def _why_refused(self, command: Command) -> str | None:
        return why_refused(command)

    def _round_trip(self, commands: Sequence[Command]) -> list[Any]:
        connection = self._connect()
        where = f"The cache at {self.url.public}"
        try:
            with deadline(self._answer_seconds, where, lambda: _cut(connection)):
                connection.send_packed_command(connection.pack_commands(commands))  # type: ignore[no-untyped-call]
                answers = [_answer(connection) for _ in commands]
        except Exception as error:
            self.close()
            raise _unreachable(error, self.url, _name(commands[0])) from error
        except BaseException:
            # An answer left unread would be taken for the next question's.
            self.close()
            raise
        for command, answer in zip(commands, answers, strict=True):
            if isinstance(answer, Exception):
                raise _unreachable(answer, self.url, _name(command)) from answer
        return answers

    def _connect(self) -> AbstractConnection:
        if self._connection is not None and not _usable(self._connection):
            self.close()
        if self._connection is None:
            self._connection = connect(self.url, self._application, self._connect_seconds, self._answer_seconds)
        return self._connection


def connect(url: CacheUrl, application: str, connect_seconds: float, answer_seconds: float) -> AbstractConnection:
    """Open a connection named ``application``; raises CacheUnreachable with the kind of failure.

    Name look-up, TCP, TLS and log-in together get ``connect_seconds``. A name look-up can't be
    interrupted, so all of it runs in a thread that is left behind when it is too slow.
    """
    import redis.connection  # noqa: F401 - loading the library is no part of the server's time

    outcome: queue.SimpleQueue[AbstractConnection | Exception] = queue.SimpleQueue()

    def work() -> None:
        try:
            outcome.put(_opened(url, application, connect_seconds, answer_seconds))
        except Exception as error:
            outcome.put(error)

    threading.Thread(target=work, name="cache-connect", daemon=True).start()
    try:
        opened = outcome.get(timeout=connect_seconds + 0.2)
    except queue.Empty:
        opened = TimeoutError(f"not connected within {connect_seconds:g} s")
    if isinstance(opened, Exception):
        raise _unreachable(opened, url, "connect") from opened
    return opened


def shown(key: bytes, limit: int = 100) -> str:
    r"""Return a key for people: odd bytes and control characters as ``\x..``, cut after ``limit`` characters."""
    text = key.decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _opened(url: CacheUrl, application: str, connect_seconds: float, answer_seconds: float) -> AbstractConnection:
    from redis.connection import Connection, parse_url

    options: dict[str, Any] = dict(parse_url(url.reveal()))  # type: ignore[no-untyped-call]
    kind = options.pop("connection_class", Connection)
    limits = {"socket_connect_timeout": connect_seconds, "socket_timeout": answer_seconds}
    # RESP2 and no driver_info: nothing is sent but the log-in and what is asked.
    connection: AbstractConnection = kind(**{**options, **limits, "protocol": 2, "driver_info": None})
    connection.connect()  # type: ignore[no-untyped-call]
    connection.send_command("CLIENT", "SETNAME", application)  # type: ignore[no-untyped-call]
    answer = _answer(connection)
    # A user who may not name the session may still read.
    if isinstance(answer, Exception) and _kind(answer) not in ("forbidden", "unknown-command"):
        raise answer
    return connection


def _answer(connection: AbstractConnection) -> Any:
    from redis.exceptions import ConnectionError as Lost
    from redis.exceptions import ResponseError

    try:
        return connection.read_response(disconnect_on_error=False)
    except ResponseError as error:
        return error
    except Lost as error:
        # redis-py counts LOADING, NOAUTH and WRONGPASS as lost connections; they are answers.
        if error.status_code is None:
            raise
        return error


def _usable(connection: AbstractConnection) -> bool:
    """Tell whether the session still stands; a server closes idle ones (its setting ``timeout``)."""
    try:
        return not connection.can_read(0)
    except Exception:
        return False


def _cut(connection: AbstractConnection) -> None:
    if (wire := connection._get_socket()) is not None:
        shut(wire.fileno())


def _name(command: Command) -> str:
    words = [str(word).upper() for word in command[:2]]
    return " ".join(words if words[0] in CONTAINERS else words[:1])


def _text(answer: Any) -> Any:
    if isinstance(answer, bytes):
        return answer.decode("utf-8", "backslashreplace")
    return [_text(part) for part in answer] if isinstance(answer, list) else answer


_SAID: tuple[tuple[str, str], ...] = (
    (r"^(NOAUTH|WRONGPASS)|invalid username-password|invalid password|no password is set", "authentication"),
    (r"^NOPERM|no permissions", "forbidden"),
    (r"unknown (sub)?command", "unknown-command"),
    (r"^LOADING|loading the dataset", "loading"),
    (r"^MASTERDOWN|Link with (MASTER|PRIMARY) is down", "no-primary"),
    (r"^(MOVED|ASK|CLUSTERDOWN|CROSSSLOT)", "cluster"),
    (r"max number of clients", "full"),
    (r"WRONGTYPE", "wrong-type"),
    (r"(?i)closed by server|reset by peer|broken pipe|protected mode", "closed"),
)


def _unreachable(error: Exception, url: CacheUrl, asked: str) -> Unreachable:
    kind = _kind(error)
    said, next_step = KINDS[kind]
    detail = "" if kind in ("slow", "name", "refused") else f": {_first_line(error)}"
    return CacheUnreachable(f"The cache at {url.public} {said} ({asked}{detail}).", next_step, kind)


def _kind(error: BaseException) -> str:
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, socket.gaierror):
            return "name"
        if isinstance(link, ssl.SSLError):
            return "tls"
        if isinstance(link, ConnectionRefusedError):
            return "refused"
        if isinstance(link, (TimeoutError, Unreachable)):
            return "slow"
        if isinstance(link, OSError):
            return "closed" if isinstance(link, ConnectionError) else "network"
        link = link.__cause__ or link.__context__
    text = f"{getattr(error, 'status_code', None) or ''} {_first_line(error)}".strip()
    return next((kind for pattern, kind in _SAID if re.search(pattern, text)), "other")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0].rstrip(".")
