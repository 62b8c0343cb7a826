"""The members of a wave: environments, or the rows of a table, each looked at as ``ops run`` would."""

from __future__ import annotations

import csv
import io
import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from opslib import files
from opslib.archive.waves import MOST, Member, Wave
from opslib.canonical import to_json
from opslib.errors import UsageError
from opslib.headless import notebooks, origin
from opslib.headless.asked import id_of
from opslib.headless.notebooks import Notebook
from opslib.model import ENVIRONMENTS
from opslib.redaction import Redactor

LARGEST = 4 * 1024 * 1024
_SIZE = re.compile(r"[1-9][0-9]{0,4}|[1-9][0-9]?%|100%", re.ASCII)


def rows(
    table: Path | None, environments: Sequence[str], parameters: Sequence[str]
) -> list[tuple[str, tuple[str, ...]]]:
    """Return (environment, parameters) of each member: one per row of the table, or one per environment.

    The table is a CSV file whose first row names parameters, and ``environment`` where not all have the same. What
    ``parameters`` says holds for every member. Raises UsageError for a table that cannot be read.
    """
    if table is None:
        return [(one, tuple(parameters)) for one in environments]
    try:
        reader = csv.DictReader(io.StringIO(files.read_plain(table, LARGEST).decode("utf-8-sig")), strict=True)
        found = list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(
            f"{table} cannot be read: {error}.", "It is a CSV file in UTF-8, with a row of names."
        ) from error
    names = reader.fieldnames or []
    if len(set(names)) != len(names) or not all(names):
        raise UsageError(f"{table}: a column has no name, or two have the same.", "Its first row names parameters.")
    if ("environment" in names) == bool(environments) or len(environments) > 1:
        raise UsageError(f"{table}: nobody says where each row runs.", "By a column environment, or one --environment.")
    if torn := [number for number, row in enumerate(found, 2) if None in row or None in row.values()]:
        raise UsageError(f"{table}: row {torn[0]} has not as many fields as the first.", "Mend it, then try again.")
    own = [name for name in names if name != "environment"]
    return [
        (row.get("environment") or environments[0], (*parameters, *(f"{name}={row[name]}" for name in own)))
        for row in found
    ]


def wave(
    name: str,
    members: Sequence[tuple[str, tuple[str, ...]]],
    moment: datetime,
    *,
    mode: str = "run",
    ramp: Sequence[str] = (),
    stop_at: str = "1",
    by_queue: bool = False,
) -> Wave:
    """Return the wave of a notebook over these members; raises UsageError that lists every fault of all of them."""
    notebook = notebooks.find(name)
    faults = [f"--ramp: {one!r} is no number and no percentage" for one in ramp if not _SIZE.fullmatch(one)]
    faults += limit_faults(stop_at)
    if by_queue and mode == "plan":
        faults.append("--queue: a queue does not plan; plan here, and have what is approved applied by it")
    if not 1 <= len(members) <= MOST:
        faults.append(f"a wave has 1 to {MOST} members, this one {len(members)}")
    if len(set(members)) != len(members):
        faults.append("two members are the same")
    faults += [f"{number}: {fault}" for number, one in enumerate(members, 1) for fault in _faults(notebook, *one)]
    if faults:
        lines = "".join(f"\n  {fault}" for fault in faults[:50])
        raise UsageError(f"The wave of {name} has {len(faults)} faults:{lines}\n", "Nothing was started.")
    return Wave(
        id=f"{moment:%Y%m%dT%H%M%SZ}-wave-{secrets.token_hex(3)}",
        notebook=notebook.name,
        notebook_sha256=notebook.sha256,
        mode=mode,
        ramp=tuple(ramp),
        stop_at=stop_at,
        by_queue=by_queue,
        asked_by=f"{origin.who()}@{origin.where()}",
        asked_at=to_json(moment),
        members=tuple(
            Member(number, environment, parameters, id_of(notebook, moment))
            for number, (environment, parameters) in enumerate(members, 1)
        ),
    )


def limit_faults(stop_at: str) -> list[str]:
    """Return what is wrong with a number of errors, or nothing."""
    return [] if _SIZE.fullmatch(stop_at) else [f"--stop-at: {stop_at!r} is no number and no percentage"]


def _faults(notebook: Notebook, environment: str, parameters: tuple[str, ...]) -> list[str]:
    if environment not in ENVIRONMENTS:
        return [f"there is no environment {environment!r}"]
    try:
        notebook.values(parameters, environment)
    except UsageError as error:
        return [error.message]
    shown = [one.partition("=")[0] for one in parameters if Redactor().suspicious(one.partition("=")[2])]
    return [f"what looks like a credential stands in {', '.join(shown)}"] if shown else []
