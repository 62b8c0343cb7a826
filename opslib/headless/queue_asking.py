"""Asking for a run that a worker carries out: looked at as on the command line, then entered into the ledger.

What is planned is planned by the person who asks: a plan names its requester, who may not approve it, and a queue
cannot tell who wrote into it.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from opslib import files, settings, settings_queue
from opslib.archive.log import RUN_ID, name_of
from opslib.archive.store import Archive
from opslib.archive.summary import LARGEST
from opslib.errors import ExitCode, Refused, SettingsError, Unreachable, UsageError
from opslib.headless import notebooks, origin, runner
from opslib.headless.asked import id_of
from opslib.model import ENVIRONMENTS, now
from opslib.redaction import Redactor
from opslib.systems.queue_ledger import Ledger
from opslib.systems.queue_rows import BROKEN_OFF, WITHDRAWN, Row

T = TypeVar("T")
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}", re.ASCII)
LOOK = 1.0
"""Seconds between two looks whether a run is over."""
PATIENCE = 900.0
"""Seconds that a queue that does not answer is waited for."""
LONGEST_WAIT = 30.0
Tell = Callable[[str], None]


class AskedAlready(Refused):
    """Somebody else asked for this run under the same key."""


def patiently(ask: Callable[[], T], *, seconds: float = PATIENCE, tell: Tell = lambda text: None) -> T:
    """Ask the queue, and again at growing intervals while it does not answer; raises Unreachable after ``seconds``."""
    until, pause = time.monotonic() + seconds, 0.5
    while True:
        try:
            return ask()
        except Unreachable as error:
            if time.monotonic() + pause > until:
                raise
            tell(f"queue: {error.message} Asked again in {pause:g} s.")
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_WAIT)


def archive_id(archive: Path) -> str:
    """Return what tells an archive from another one, the SHA-256 of its log's first entry; empty where none is."""
    try:
        return hashlib.sha256(files.read_plain(archive / name_of(1), LARGEST)).hexdigest()
    except OSError:
        return ""


def install(archive: Path) -> None:
    """Create the queue's tables, and bind the queue to this archive. Raises Refused where it is bound to another one,
    or is on a server that a target's description names.
    """
    url = settings_queue.needed()
    settings_queue.refuse_described(url)
    if not archive_id(archive):
        Archive(archive).append("note", "a queue of runs is installed for this archive")
    with Ledger(url) as ledger:
        ledger.install(archive_id(archive))
    of_archive(url, archive)


def of_archive(url: Any, archive: Path) -> None:
    """Raise Refused unless this archive is the one whose runs the queue carries."""
    with Ledger(url) as ledger:
        bound = ledger.archive()
    if bound != archive_id(archive):
        raise Refused(
            f"The queue at {url.public} is for another archive than {archive}.",
            "All machines share one archive: mount that one, and name it in OPS_ARCHIVE.",
        )


def ask(
    ledger: Ledger,
    name: str,
    given: Sequence[str],
    environment: str,
    *,
    key: str = "",
    run: str = "",
    links: Mapping[str, Any] = MappingProxyType({}),
) -> Row:
    """Have a worker run the notebook ``name``; returns its row, also where the very same was asked for before: that is
    not repeated once it began.

    Raises UsageError for what cannot be run, Refused where ``key`` was used for something else.
    """
    notebook = notebooks.find(name)
    values = notebook.values(given, environment)
    _known(environment)
    runner.without_secrets(notebook, values, Redactor(_secrets(environment)))
    run = run or id_of(notebook, now())
    return _enter(
        ledger,
        Row(
            _key(key or run),
            notebook.name,
            environment,
            run,
            parameters=tuple(given),
            links=links,
            asked_by=_who(),
            changes=notebooks.takes_steps(notebook),
        ),
    )


def ask_to_apply(
    ledger: Ledger, plan: str, environment: str, *, links: Mapping[str, Any] = MappingProxyType({})
) -> Row:
    """Have a worker apply a saved plan (a planning run's id), once; what it needs is looked at by the worker."""
    _known(environment)
    if not RUN_ID.fullmatch(plan) or len(plan) > 140:
        raise UsageError(f"{plan!r} is no planning run's id.", "A queue takes the id, not a file: ops archive list")
    run = f"{plan}-apply"
    row = Row(run, "", environment, run, mode="apply", plan=plan, links=links, asked_by=_who())
    return _enter(ledger, row)


def wait(ledger: Ledger, keys: Sequence[str], *, tell: Tell = lambda text: None) -> list[Row]:
    """Wait until these runs are over, and return their rows in this order. A queue that is away is waited for."""
    while True:
        found = {row.key: row for row in patiently(lambda: ledger.rows(keys), tell=tell)}
        left = [key for key in keys if key not in found or not found[key].over]
        if not left:
            return [found[key] for key in keys]
        waiting = sum(1 for key in left if key in found and found[key].state == "waiting")
        tell(f"queue: {len(keys) - len(left)} of {len(keys)} over, {waiting} wait for a worker")
        time.sleep(LOOK)


def result(row: Row, archive: Path) -> dict[str, Any]:
    """Return what a run came to as :func:`runner.run` does; raises Refused where it never began."""
    folder = archive / "runs" / row.run
    try:
        said = json.loads(files.read_plain(folder / "result.json", LARGEST))
    except (OSError, ValueError) as error:
        if row.state == WITHDRAWN:
            raise Refused(
                f"{row.key} was withdrawn from the queue.", "Ask for it again, if it is still wanted."
            ) from error
        raise Refused(f"{row.key} did not run: {row.why or row.state}", "See: ops queue list") from error
    more = {"reason": row.why} if row.state == BROKEN_OFF else {}
    report = {"notebook": row.notebook, "environment": row.environment, "report": str(folder / "report.html")}
    return {"mode": "run", "reason": "", **said, **more, **report}


def exit_code(row: Row) -> int:
    """Return the exit code of a run that is over."""
    return int(ExitCode.FAILED) if row.exit_code is None else row.exit_code


def start(
    name: str,
    given: Sequence[str],
    environment: str,
    archive: Path,
    *,
    mode: str,
    run: str,
    links: Mapping[str, Any],
    progress: Tell,
) -> dict[str, Any]:
    """Do as :func:`runner.run` by a worker, for a due time of a schedule: asked for once, and waited for."""
    if mode != "run":
        raise UsageError("A queue does not plan.", "Plan without it.")
    url = settings_queue.needed()
    of_archive(url, archive)
    with Ledger(url) as ledger:
        key = f"schedule/{links['schedule']}/{links['due']}"
        row = patiently(lambda: ask(ledger, name, given, environment, key=key, run=run, links=links), tell=progress)
        (row,) = wait(ledger, [row.key], tell=progress)
    return result(row, archive)


def still_going(schedule: str) -> set[str]:
    """Return the due times of a schedule whose runs were asked for and are not over, as their texts."""
    with Ledger(settings_queue.needed()) as ledger:
        keys = patiently(lambda: ledger.open(f"schedule/{schedule}/"))
    return {key.rpartition("/")[2] for key in keys}


def _enter(ledger: Ledger, row: Row) -> Row:
    if ledger.add(row):
        return row
    found = ledger.look(row.key)
    same = ("notebook", "environment", "parameters", "mode", "plan")
    if found is None or any(getattr(found, name) != getattr(row, name) for name in same):
        raise Refused(f"The key {row.key} was used for another run.", "Choose another key.")
    if "schedule" in row.links and found.run != row.run:
        raise AskedAlready(f"{row.key} was asked for by {found.asked_by}, as run {found.run}.", "See: ops queue list")
    # What was refused before it began (an approval was missing), or withdrawn, may be asked for again.
    return replace(row, run=found.run) if ledger.ask_again(row) else found


def _key(key: str) -> str:
    if not KEY.fullmatch(key):
        raise UsageError(f"{key!r} cannot be a key.", "It has at most 200 letters, digits and . _ : / -")
    return key


def _known(environment: str) -> None:
    if environment not in ENVIRONMENTS:
        raise UsageError(f"There is no environment {environment!r}.", f"Choose one of: {', '.join(ENVIRONMENTS)}.")


def _secrets(environment: str) -> tuple[Any, ...]:
    """Return the target's secrets where it is described here; the worker looks again, where it always is."""
    try:
        return settings.load(environment).secrets()
    except SettingsError:
        return ()


def _who() -> str:
    return f"{origin.who()}@{origin.where()}"
