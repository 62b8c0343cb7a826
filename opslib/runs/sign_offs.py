"""Sign-offs: what a person says of one line of the guide's lists, where no machine can know. Pure.

A sign-off is a word (:mod:`opslib.runs.words`) of another form, signed in the same namespace by whose it is. It names
the target, the line's guide item, and the commit where the line is of one; for how long it counts says the table
(:mod:`opslib.guide.routines`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from opslib.model import Environment
from opslib.runs.witness import Form
from opslib.runs.words import ENVIRONMENTS, LARGEST, PRINCIPAL, SAYS, TIME, written

FOLDER = "sign-offs"
"""Below the archive, with a folder for each item."""

COMMIT = r"[0-9a-f]{40}"
_STATEMENT = re.compile(
    "# opslib sign-off 1\n"
    f"# environment (?P<environment>{'|'.join(ENVIRONMENTS)})\n"
    "# item (?P<item>[A-Z]{2,4}-[A-Z]{2,4}-[0-9]{2})\n"
    f"# by (?P<by>{PRINCIPAL})\n"
    f"# time (?P<signed_at>{TIME})\n"
    f"(?:# of (?P<of>{COMMIT})\n)?"
    f"# says (?P<says>{SAYS})\n",
    re.ASCII,
)


@dataclass(frozen=True)
class SignOff:
    """What a person says of a line: ``says`` in their own words, ``of`` one commit where the line is of one."""

    environment: Environment
    item: str
    by: str
    signed_at: datetime
    says: str
    of: str = ""

    def encode(self) -> bytes:
        """Return the statement, the text that is signed; raises ValueError when a field has no form in it."""
        lines = [
            "opslib sign-off 1",
            f"environment {self.environment}",
            f"item {self.item}",
            f"by {self.by}",
            f"time {written(self.signed_at)}",
            *([f"of {self.of}"] if self.of else []),
            f"says {self.says}",
        ]
        data = "".join(f"# {line}\n" for line in lines).encode("ascii", "replace")
        if parse(data) != self:
            raise ValueError("has a field that cannot be written")
        return data

    @property
    def id(self) -> str:
        """The first digits of its digest."""
        return hashlib.sha256(self.encode()).hexdigest()[:12]


def parse(statement: bytes) -> SignOff:
    """Return the sign-off in a statement; raises ValueError, which says why, for anything but the exact form."""
    found = _STATEMENT.fullmatch(statement.decode("ascii", "replace")) if len(statement) <= LARGEST else None
    if found is None:
        raise ValueError("is not in the form of a sign-off")
    return SignOff(
        environment=next(one for one in ENVIRONMENTS if one == found["environment"]),
        item=found["item"],
        by=found["by"],
        signed_at=datetime.fromisoformat(found["signed_at"]),
        says=found["says"],
        of=found["of"] or "",
    )


FORM = Form(parse, "ops sign-off ITEM --says …")
