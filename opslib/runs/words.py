"""People's words of a game day: a short text that says who did or saw what, and when. Pure.

A word is signed by whose it is (:mod:`opslib.runs.witness`), so nobody speaks for somebody else. It has one form; what
is spelled otherwise is none.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, get_args

from opslib.guide.promises import PROMISES
from opslib.model import Environment

Moment = Literal[
    "injected",
    "alerted",
    "acknowledged",
    "opened",
    "mitigated",
    "resolved",
    "aborted",
    "observed",
    "action",
    "done",
]
"""What a word is of. ``injected``: the fault was made; ``alerted``: an alert reached a person; ``acknowledged``:
somebody took it on; ``opened``: a runbook was opened; ``mitigated``: users are served; ``resolved``: all is steady;
``aborted``: the exercise was broken off; ``observed``: something worth keeping; ``action``: what somebody will do until
when; ``done``: that it was done."""

MOMENTS: tuple[Moment, ...] = get_args(Moment)
ENVIRONMENTS: tuple[Environment, ...] = get_args(Environment)
LARGEST = 4096
"""No statement has more bytes."""

SKEW = timedelta(minutes=2)
"""How far a person's clock may be ahead."""

DAY = r"(?=.{1,63}\n)[a-z0-9]+(?:-[a-z0-9]+)*"
PRINCIPAL = r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,79}"
SAYS = r"[!-~](?:[ -~]{0,498}[!-~])?"
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
_STATEMENT = re.compile(
    "# opslib word 1\n"
    f"# environment (?P<environment>{'|'.join(ENVIRONMENTS)})\n"
    f"# day (?P<day>{DAY})\n"
    f"# by (?P<by>{PRINCIPAL})\n"
    f"# time (?P<signed_at>{TIME})\n"
    f"# service (?P<service>{'|'.join(PROMISES)}|all)\n"
    f"# moment (?P<moment>{'|'.join(MOMENTS)})\n"
    f"# at (?P<at>{TIME}) within (?P<within>[0-9]{{1,5}}) s\n"
    "(?:# runbook (?P<runbook>[a-z]+/[a-z]+(?:-[a-z]+)*)\n)?"
    f"(?:# owner (?P<owner>{PRINCIPAL}) due (?P<due>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})\n)?"
    "(?:# of (?P<of>[0-9a-f]{12})\n)?"
    f"(?:# says (?P<says>{SAYS})\n)?",
    re.ASCII,
)


@dataclass(frozen=True)
class Word:
    """What a person says of one target's game day.

    ``at`` is when it happened, give or take ``within`` seconds; ``service`` may be ``all``. ``runbook`` is of
    ``opened``; ``owner`` and ``due`` are of an ``action``, ``of`` names the action that is ``done``.
    """

    environment: Environment
    day: str
    by: str
    signed_at: datetime
    service: str
    moment: Moment
    at: datetime
    within: int
    runbook: str = ""
    owner: str = ""
    due: date | None = None
    of: str = ""
    says: str = ""

    def encode(self) -> bytes:
        """Return the statement, the text that is signed; raises ValueError when a field has no form in it."""
        lines = [
            "opslib word 1",
            f"environment {self.environment}",
            f"day {self.day}",
            f"by {self.by}",
            f"time {written(self.signed_at)}",
            f"service {self.service}",
            f"moment {self.moment}",
            f"at {written(self.at)} within {self.within} s",
            *([f"runbook {self.runbook}"] if self.runbook else []),
            *([f"owner {self.owner} due {self.due}"] if self.owner or self.due else []),
            *([f"of {self.of}"] if self.of else []),
            *([f"says {self.says}"] if self.says else []),
        ]
        data = "".join(f"# {line}\n" for line in lines).encode("ascii", "replace")
        if parse(data) != self:
            raise ValueError("has a field that cannot be written")
        return data

    @property
    def id(self) -> str:
        """The first digits of its digest, by which another word refers to it."""
        return hashlib.sha256(self.encode()).hexdigest()[:12]


def parse(statement: bytes) -> Word:
    """Return the word in a statement; raises ValueError, which says why, for anything but the exact form."""
    found = _STATEMENT.fullmatch(statement.decode("ascii", "replace")) if len(statement) <= LARGEST else None
    if found is None:
        raise ValueError("is not in the form of a word")
    said = {name: text or "" for name, text in found.groupdict().items()}
    word = Word(
        environment=next(one for one in ENVIRONMENTS if one == said["environment"]),
        day=said["day"],
        by=said["by"],
        signed_at=datetime.fromisoformat(said["signed_at"]),
        service=said["service"],
        moment=next(one for one in MOMENTS if one == said["moment"]),
        at=datetime.fromisoformat(said["at"]),
        within=int(said["within"]),
        runbook=said["runbook"],
        owner=said["owner"],
        due=date.fromisoformat(said["due"]) if said["due"] else None,
        of=said["of"],
        says=said["says"],
    )
    if why := _odd(word):
        raise ValueError(why)
    return word


def _odd(word: Word) -> str:
    """Return what makes no sense in a word, or nothing."""
    if word.at > word.signed_at + SKEW:
        return "tells of what had not happened yet when it was signed"
    if bool(word.owner) is not (word.moment == "action"):
        return "needs an owner and a day when it is due, as an action and only then"
    if bool(word.of) is not (word.moment == "done"):
        return "needs the action that it is of, as done and only then"
    if bool(word.runbook) is not (word.moment == "opened"):
        return "needs the runbook that was opened, as opened and only then"
    if word.moment in ("aborted", "observed", "action") and not word.says:
        return f"says nothing: {word.moment} needs words"
    return ""


def written(moment: datetime) -> str:
    """Return a moment as statements have it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
