"""Tables of schedules for tests, a clock that is told the time, and a start of notebooks that only counts."""

from datetime import UTC, datetime, timedelta

import nbformat

from opslib.headless import schedule_table
from tests.headless import bench

DAY = datetime(2026, 11, 30, tzinfo=UTC)


def at(hour, minute=0, second=0):
    """Return a moment of the tests' day."""
    return DAY + timedelta(hours=hour, minutes=minute, seconds=second)


def table(path, *rows):
    """Write ``rows`` (texts of TOML) to a file and return it."""
    path.write_text("\n".join(f"[[schedule]]\n{row}" for row in rows), encoding="utf-8")
    return path


def row(**more):
    """Return a row of an hourly schedule; values are TOML as text, None leaves a line out."""
    lines = {
        "name": '"hourly"',
        "notebook": '"runbooks/try-things"',
        "cron": '"0 * * * *"',
        "catch_up_minutes": "30",
        **more,
    }
    return "\n".join(f"{name} = {value}" for name, value in lines.items() if value is not None) + "\n"


def schedule(folder, **more):
    """Return the only schedule of such a table; OPS_NOTEBOOKS has to hold its notebook."""
    (one,) = schedule_table.read(table(folder / "schedules.toml", row(**more))).whole()
    return one


def notebook(folder, *sources):
    """Write runbooks/try-things below ``folder``; it changes nothing unless ``sources`` do."""
    return bench.notebook(folder / "notebooks", *sources)


def magic(folder, text):
    """Write a notebook whose code is no Python."""
    made = notebook(folder)
    book = nbformat.read(made.path, as_version=4)
    book.cells[-1].source = text
    nbformat.write(book, made.path)
    return made


class Clock:
    """A clock that shows what it was set to; a pause moves it on."""

    def __init__(self, moment):
        self.moment = moment

    def __call__(self):
        return self.moment

    def pause(self, seconds):
        self.moment += timedelta(seconds=seconds)


class Starts:
    """Stands where runner.run does: notes what it is asked to start, and answers as a good run does."""

    def __init__(self, during=lambda: None, exit_code=0):
        self.started, self.during, self.exit_code = [], during, exit_code

    def __call__(self, name, given, environment, archive, *, mode, run, links, progress):
        self.started.append((links["due"], run))
        self.during()
        return {"run": run, "verdict": "OK", "exit_code": self.exit_code, "state": "finished"}
