"""What goes wrong with PostgreSQL, told apart by what to do about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from opslib.errors import OpsError, StepFailed, Unreachable
from opslib.redaction import DatabaseUrl

if TYPE_CHECKING:
    import psycopg

BROKEN = ("08", "57P")
"""How the SQLSTATEs begin that come with the end of a connection: connection exceptions, a server that stops."""

IN_DOUBT = "It may have been carried out: look at the server before you try again."

_KINDS: tuple[tuple[str, str, str, str], ...] = (
    (
        "fenced",
        r"could not access file .opslib_fenced",
        "lets nobody in since another server took over from it",
        "disaster/recover-database lets it follow that one; see docs/production.md for a look at its rows.",
    ),
    (
        "authentication",
        r"28P01|password authentication failed",
        "refused the password",
        "Check the target description.",
    ),
    (
        "forbidden-host",
        r"28000|no pg_hba.conf entry",
        "refuses this user or host",
        "Check pg_hba.conf, or the project's network bans.",
    ),
    (
        "full",
        r"53300|too many (clients|connections)|connection slots are reserved",
        "has no connection left",
        "Look with a role that may use reserved ones.",
    ),
    (
        "recovering",
        r"57P03|starting up|in recovery mode|shutting down|not yet accepting connections",
        "is starting or recovering",
        "Wait, then look again.",
    ),
    (
        "shut",
        r"not currently accepting connections",
        "takes no connections for this database",
        "Somebody shut it: look in pg_database for datallowconn, and who works on it.",
    ),
    (
        "no-database",
        r"3D000|database .* does not exist",
        "has no such database",
        "Check the database name in the target description.",
    ),
    ("locked", r"55P03|lock timeout", "holds a lock that this question waits for", "Look at the blocking tree first."),
    (
        "slow",
        r"57014|statement timeout",
        "took longer than the statement time-out",
        "Look at load and blocking tree first.",
    ),
    ("forbidden", r"42501|permission denied", "forbids this role to look", "Grant it pg_monitor and pg_read_all_data."),
    (
        "missing",
        r"42P01|42703|42883|does not exist",
        "lacks an object that this question needs",
        "See diagnostics/database, objects.",
    ),
    ("read-only", r"25006|read-only transaction", "is read-only", "This session may only read."),
    (
        "dns",
        r"could not translate host name|Name or service not known|getaddrinfo|failed to resolve host",
        "has a name that does not resolve",
        "Check DNS.",
    ),
    ("refused", r"Connection refused", "refuses connections", "Is the server running, and the port right?"),
    (
        "slow",
        r"timeout expired|timed out",
        "did not answer in time",
        "Check network, firewall and the server's load.",
    ),
    ("tls", r"(?i)\bssl\b|certificate", "has a TLS problem", "Check sslmode and the certificate."),
)
"""Kind of failure, what it looks like (SQLSTATE or message), what is said of the server, what to do next."""


def unreachable(error: psycopg.Error, url: DatabaseUrl, question: str) -> OpsError:
    """Return why the server could not be asked, as Unreachable with one of the kinds above."""
    text = f"{error.sqlstate or ''} {error}"
    for kind, pattern, said, next_step in _KINDS:
        if re.search(pattern, text):
            detail = _first_line(error)
            return Unreachable(f"PostgreSQL at {url.public} {said} ({question}: {detail}).", next_step, kind)
    message = f"PostgreSQL at {url.public} failed at {question}: {_first_line(error)}."
    return Unreachable(message, "See its log.", "other")


def failed(error: psycopg.Error, url: DatabaseUrl, what: str) -> OpsError:
    """Return a server's refusal as StepFailed, with its first line and SQLSTATE.

    Says that the statement had no effect only where the server said so: when the connection broke, it may have.
    """
    line = _first_line(error)
    if error.sqlstate is None or error.sqlstate.startswith(BROKEN):
        return StepFailed(
            f"The connection to PostgreSQL at {url.public} broke before it confirmed to {what}: {line}.", IN_DOUBT
        )
    return StepFailed(
        f"PostgreSQL at {url.public} refused to {what}: {line} ({error.sqlstate}).",
        "Read the message; the statement had no effect.",
    )


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]
