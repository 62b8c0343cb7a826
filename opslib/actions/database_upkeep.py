"""What the database's actions have in common: the primary, relations by name and identity, patient sessions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from opslib.actions.base import Progress
from opslib.errors import Refused
from opslib.probes.questions import question
from opslib.systems.postgres_exchange import limit_waiting
from opslib.systems.postgres_upkeep import Follower
from opslib.systems.target import ReadTarget, WriteTarget

LOCK_SECONDS = 5.0
"""How long a statement may wait for a table's lock: whoever comes after it waits as well."""

Row = Mapping[str, Any]


def on_primary(target: ReadTarget) -> None:
    """Raise Refused on a standby, where nothing can be changed and little is counted."""
    (seen,) = target.database.ask(question("database/sight"))
    if seen["standby"]:
        raise Refused("This server is a standby: nothing can be changed there.", "Name the primary's address.")


def same_server(target: WriteTarget) -> None:
    """Raise Refused unless the writing address leads to the server and database that were looked at."""
    asked = question("backups/origin")
    with target.admin(target.database_url) as session:
        (found,) = session.ask(asked)
    (looked,) = target.database.ask(asked)
    if any(found[name] != looked[name] for name in ("system_identifier", "database")):
        raise Refused(
            f"DATABASE_URL leads elsewhere than {target.settings.read_database_url.public}.",
            "Correct the target description: both addresses must lead to one database.",
        )


def tables(target: ReadTarget, *relations: str) -> dict[str, Row]:
    """Return how these tables stand, by ``schema.name``; one that is not there is not in it."""
    rows = target.database.ask(question("upkeep/tables"), {"relations": list(relations)})
    return {row["relation"]: row for row in rows}


@contextmanager
def following(target: WriteTarget, *, lock_seconds: float | None = LOCK_SECONDS) -> Iterator[Follower]:
    """Hand out what carries long statements out in the live database; ``lock_seconds`` None waits for any lock."""
    url = target.database_url
    with target.admin(url) as session, target.admin(url) as another:
        if lock_seconds is not None:
            limit_waiting(session, lock_seconds=lock_seconds, statement_seconds=0)
        yield Follower(session, another, question("upkeep/progress"))


def telling(progress: Progress, what: str) -> Any:
    """Return what tells ``progress`` how far a statement is, as PostgreSQL counts it."""

    def tell(row: Row) -> None:
        text = f"{what}: {row['phase']}" if row["phase"] else what
        progress(text, row["done"], row["total"])

    return tell


def moment(value: Any) -> datetime:
    """Return a time that was recorded as text, or is one."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))


def holders(target: ReadTarget) -> Sequence[Row]:
    """Return who keeps dead rows from being removed, the oldest first."""
    return target.database.ask(question("database/xmin_horizon"))
