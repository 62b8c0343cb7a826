"""What can go wrong, as six kinds. A message says what happened, where, and what to do next."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of ``ops run`` (docs/vocabulary.md); the first four are verdicts."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3
    REFUSED = 4
    FAILED = 5
    USAGE = 64


class OpsError(Exception):
    """Base of all errors that opslib raises on purpose.

    ``next_step`` is one sentence: what the reader can do about it now.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


class UsageError(OpsError):
    """The call itself is wrong (parameter, notebook name, option); nothing was started."""

    exit_code = ExitCode.USAGE


class SettingsError(UsageError):
    """The target description is incomplete or malformed; lists every fault at once."""


class Refused(OpsError):
    """A precondition, an approval or a lock forbids the act; nothing was changed."""

    exit_code = ExitCode.REFUSED


class Unreachable(OpsError):
    """A system could not be looked at (no connection, no permission, too slow): the answer is UNKNOWN.

    ``kind`` is one short word for the sort of failure (``refused``, ``dns``, ``tls``, ``slow`` …), for code
    that must tell them apart; each system's module lists its own.
    """

    exit_code = ExitCode.UNKNOWN

    def __init__(self, message: str, next_step: str = "", kind: str = "") -> None:
        super().__init__(message, next_step)
        self.kind = kind


class StepFailed(OpsError):
    """An effect was begun and did not end as planned; the journal says how far it came."""


class ArchiveError(OpsError):
    """The archive could not be written, or does not verify."""
