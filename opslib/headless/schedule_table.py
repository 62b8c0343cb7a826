"""The table of schedules, ``schedules.toml``: which notebook runs when, and what may be late.

A row is read into :class:`Schedule`. Every fault of every row is told at once; a row without faults can be run while
another one has some. What changes something is only planned (``plan = true``), or runs under a mandate.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, ValidationError
from pydantic import field_validator as checked

from opslib import files
from opslib.errors import UsageError
from opslib.headless import notebooks, schedule_recipients, schedule_times
from opslib.headless.schedule_recipients import Destination, Recipient
from opslib.model import Environment
from opslib.places import schedules_file
from opslib.redaction import Redactor
from opslib.runs.saved_plan import RUN

LARGEST = 256 * 1024
EXAMPLE = "See docs/schedules.md and schedules.example.toml."
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)]
Minutes = Annotated[int, Field(strict=True, ge=0, le=7 * 24 * 60)]
Told = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._#@-]{0,79}$")]


class Schedule(BaseModel):
    """One row: a notebook, what it is given, when it is due, and how late it may be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    notebook: StrictStr
    environment: Environment = "lab"
    parameters: dict[str, StrictBool | StrictInt | StrictFloat | StrictStr] = Field({})
    plan: StrictBool = False
    mandate: Annotated[str, Field(pattern=f"^({RUN})?$", max_length=150)] = ""
    cron: StrictStr
    zone: StrictStr = "UTC"
    overlap: Literal["skip", "wait"] = "skip"
    wait_minutes: Minutes = 0
    catch_up_minutes: Minutes = 0
    grace_minutes: Annotated[int, Field(strict=True, ge=1, le=24 * 60)] = 5
    tell: tuple[Told, ...] = ()

    @checked("name")
    @classmethod
    def _own(cls, name: str) -> str:
        if name.partition("-")[0] == "tell":
            raise ValueError("lines and units of that name are those of ops schedule tell")
        return name

    @checked("cron")
    @classmethod
    def _due(cls, cron: str) -> str:
        if why := schedule_times.fault(cron):
            raise ValueError(why)
        return cron

    @checked("zone")
    @classmethod
    def _zone(cls, zone: str) -> str:
        if not schedule_times.known(zone):
            raise ValueError("it is no name of the IANA time zone database, such as Europe/Berlin or UTC")
        return zone

    @property
    def grace(self) -> timedelta:
        """What starts later than this after its due time is late."""
        return timedelta(minutes=self.grace_minutes)

    @property
    def catch_up(self) -> timedelta:
        """How long after its due time a run that nobody started may still begin; never less than the grace."""
        return max(timedelta(minutes=self.catch_up_minutes), self.grace)

    @property
    def texts(self) -> tuple[str, ...]:
        """The parameters as ``ops run -p`` takes them."""
        return tuple(_texts(self.parameters))


@dataclass(frozen=True)
class Table:
    """The rows that can be run, and of each other row, by its name or place, all its faults."""

    path: Path
    rows: tuple[Schedule, ...]
    faults: dict[str, tuple[str, ...]]
    recipients: dict[str, Recipient] = field(default_factory=dict)

    def told(self, schedule: Schedule) -> tuple[Destination, ...]:
        """Return where a schedule's news goes, each destination once."""
        return schedule_recipients.destinations(schedule.tell, self.recipients, schedule.environment)

    def row(self, name: str) -> Schedule:
        """Return the row ``name``; raises UsageError where there is none or it has faults."""
        if name in self.faults:
            raise UsageError(f"{self.path}: {_told(name, self.faults[name])}.", EXAMPLE)
        found = [row for row in self.rows if row.name == name]
        if not found:
            names = ", ".join(row.name for row in self.rows) or "none"
            raise UsageError(f"There is no schedule {name!r} in {self.path}.", f"There are: {names}.")
        return found[0]

    def whole(self) -> tuple[Schedule, ...]:
        """Return all rows; raises UsageError that lists every fault of the table."""
        if self.faults:
            said = "\n".join(f"  {_told(name, faults)}" for name, faults in self.faults.items())
            raise UsageError(f"{self.path} has faults:\n{said}", EXAMPLE)
        return self.rows


def read(path: Path | None = None) -> Table:
    """Read the table; raises UsageError where it is missing or no TOML. Faults of rows stand in what is returned."""
    path = path or schedules_file()
    try:
        said = tomllib.loads(files.read_plain(path, LARGEST).decode())
    except FileNotFoundError as error:
        raise UsageError(f"There is no table of schedules: {path}.", f"{EXAMPLE} OPS_SCHEDULES names it.") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", EXAMPLE) from error
    given = said.pop("schedule", [])
    recipients, faults = schedule_recipients.read(said.pop("tell", {}))
    if said:
        faults["the table"] = (f"{', '.join(said)}: only [[schedule]] and [tell.NAME] are known",)
    if not isinstance(given, list):
        return Table(path, (), {**faults, "the rows": ("a row begins with [[schedule]], in double brackets",)})
    rows: list[Schedule] = []
    names = [one.get("name") if isinstance(one, dict) else None for one in given]
    for number, (one, name) in enumerate(zip(given, names, strict=True), 1):
        row, wrong = _row(one)
        wrong += [f"name: {names.count(name)} rows have it"] if name is not None and names.count(name) > 1 else []
        if wrong or row is None:
            called = name if isinstance(name, str) and name not in faults else f"row {number}"
            faults[called] = tuple(wrong)
        else:
            rows.append(row)
            # It runs all the same: that nobody hears of it is told by whoever looks at the table.
            nobody = [one for one in row.tell if one not in recipients and f"tell.{one}" not in faults]
            faults |= {f"tell.{one}": (f"{row.name} is to tell it, and there is no such table",) for one in nobody}
    return Table(path, tuple(rows), faults, recipients)


def _row(given: Any) -> tuple[Schedule | None, list[str]]:
    if not isinstance(given, dict):
        return None, ["a row begins with [[schedule]], in double brackets"]
    row, faults = None, []
    try:
        row = Schedule(**given)
    except ValidationError as error:
        # No fault repeats a value: it may be a secret in the wrong place.
        faults = [f"{'.'.join(map(str, one['loc'][:2]))}: {one['msg']}" for one in error.errors(include_input=False)]
    if given.get("plan") and given.get("mandate"):
        faults.append("mandate: with plan = true nothing is applied")
    if given.get("wait_minutes") and given.get("overlap", "skip") == "skip":
        faults.append('wait_minutes: is for overlap = "wait"')
    if given.get("overlap") == "wait" and not given.get("wait_minutes"):
        faults.append('wait_minutes: overlap = "wait" needs a bound, in minutes')
    return row, list(dict.fromkeys([*faults, *_of_notebook(given)]))


def _of_notebook(given: dict[str, Any]) -> list[str]:
    """Return what is wrong with the notebook and what it is given, also where other parts of the row have faults."""
    name, parameters = given.get("notebook"), given.get("parameters", {})
    if not isinstance(name, str):
        return []
    try:
        notebook = notebooks.find(name)
    except UsageError as error:
        return [f"notebook: {error}"]
    faults = []
    if not (given.get("plan") or given.get("mandate")) and notebooks.takes_steps(notebook):
        faults.append(
            f"notebook: {notebook.name} changes its target; schedule its planning (plan = true), or name the plan that "
            "has a mandate (mandate = …, docs/approvals.md)"
        )
    if isinstance(parameters, dict):
        try:
            notebook.values(_texts(parameters), str(given.get("environment", "lab")))
        except UsageError as error:
            faults.append(f"parameters: {error}")
        shown = [word for word, value in parameters.items() if Redactor().suspicious(str(value))]
        faults += [f"parameters: what looks like a credential stands in {', '.join(shown)}"] if shown else []
    return faults


def _texts(parameters: dict[str, Any]) -> list[str]:
    return [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in parameters.items()]


def _told(name: str, faults: tuple[str, ...]) -> str:
    return f"{name}: {'; '.join(fault.rstrip('.') for fault in faults)}"
