"""Run folders as the runner leaves them, written with the real journal and the real display: a fixture's material."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from opslib.canonical import to_json
from opslib.model import Effect, Evidence, Plan, Reading, Repeat, Result, StepStatus, Threshold, Verdict, Verification
from opslib.pictures.charts import Bar, Limit, Part, bar_list, budget_bar, line_chart
from opslib.pictures.svg import heading, picture
from opslib.redaction import Redactor
from opslib.runs import display
from opslib.runs.journal import Journal
from opslib.runs.saved_plan import PlannedStep, SavedPlan

TAKEN = datetime(2026, 11, 23, 13, 6, 14, 250_000, tzinfo=UTC)


class Story:
    """Writes one run's folder, cell by cell: the journal's lines and the notebook's cells together."""

    def __init__(self, folder: Path, notebook: str, *, mode: str = "run", **run: object) -> None:
        folder.mkdir(parents=True)
        self.folder, self.cells, self.cell = folder, [], None
        self.run = {
            "run": folder.name,
            "notebook": notebook,
            "title": "Database",
            "notebook_sha256": "7c" * 32,
            "environment": "lab",
            "target": {
                "environment": "lab",
                "read_database_url": "postgresql://127.0.0.1:54321/valuecanvas",
                "read_cache_url": "redis://127.0.0.1:6390/0",
                "backup_bucket": "valuecanvas-backups",
                "core_tables": "auth.users, public.users, public.organizations, public.cases",
                "rpo_hours": "1.0",
            },
            "parameters": {"environment": "lab", "most_rows": 20},
            "mode": mode,
            "how": "headless",
            "requested_by": "maria@ops-1",
            "started_at": to_json(TAKEN),
            "versions": {"opslib": "0.1.0", "python": "3.11.2", "papermill": "2.7.0"},
            "commit": "4f0c2a9d1b7e8f6a5c3d2e1f0a9b8c7d6e5f4a3b",
            **run,
        }
        (folder / "run.json").write_text(json.dumps(self.run))
        self.journal = Journal(folder / "journal.jsonl", Redactor(), cell=lambda: self.cell)
        self.journal.append("opened", run=folder.name)

    def text(self, cell: str, source: str) -> None:
        self.cells.append({"cell_type": "markdown", "id": cell, "metadata": {}, "source": source})

    def code(self, cell: str, source: str, *values, outputs=(), status="ok", seconds=0.08) -> None:
        self.cell = cell
        self.journal.append("cell-started")
        for value in values:
            self._journal(value)
        if status != "cut":
            self.journal.append("cell-finished", seconds=seconds, status=status)
        shown = [output(display.bundle(value)) for value in values] if status != "cut" else []
        self.cells.append(code_cell(cell, source, [*shown, *outputs]))
        self.cell = None

    def _journal(self, value) -> None:
        if isinstance(value, Reading):
            self.journal.append("reading", reading=value)
        elif isinstance(value, Result):
            self.journal.append("result", result=value)
        elif isinstance(value, display.Note):
            self.journal.append("note", text=value.text)
        elif isinstance(value, Evidence):
            plan = value.plan
            self.journal.append("planned", step=self.cell, plan=plan, digest=plan.digest)
            if value.status is StepStatus.APPLIED:
                self.journal.append("intent", step=self.cell, action=plan.action, digest=plan.digest)
                self.journal.append("applied", step=self.cell, values=value.values, seconds=value.seconds)
                self.journal.append("verified", step=self.cell, verification=value.verification)

    def close(self, state="finished", verdict=Verdict.OK, reason="", exit_code=0, seconds=4.2) -> Path:
        self.journal.append("closed", state=state, verdict=verdict)
        result = {
            "run": self.folder.name,
            "state": state,
            "verdict": verdict.value,
            "exit_code": exit_code,
            "started_at": self.run["started_at"],
            "finished_at": "2026-11-23T13:06:18.450000Z",
            "seconds": seconds,
            "reason": reason,
            "counts": {},
            "steps": 0,
        }
        (self.folder / "result.json").write_text(json.dumps(result))
        return self.leave()

    def leave(self) -> Path:
        """Write the notebook, but no end: the run was cut off here."""
        self.journal.close()
        notebook = {"cells": self.cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (self.folder / "notebook.ipynb").write_text(json.dumps(notebook))
        return self.folder


def output(data: dict) -> dict:
    return {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1}


def code_cell(cell: str, source: str, outputs: list) -> dict:
    return {
        "cell_type": "code",
        "id": cell,
        "metadata": {"opslib": {"journal": [1]}},
        "source": source,
        "execution_count": 1,
        "outputs": outputs,
    }


def reading(title="Largest tables", count=14, **said) -> Reading:
    rows = tuple(
        {
            "schema": "public" if i % 3 else "auth",
            "table": f"case_documents_{i:02}",
            "total": 734_003_200 // (i * i),
            "live_rows": 1_250_000 // i,
            "dead_rows": 18_400 // i,
            "dead_share": 100 / (i + 7),
            "last_autovacuum": TAKEN if i % 4 else None,
        }
        for i in range(1, count + 1)
    )
    units = {"total": "bytes", "dead_share": "%"}
    base = Reading("database/tables", title, "lab", TAKEN, 0.0123, rows, "database/tables.sql", units)
    return replace(base, **said)


def result(verdict=Verdict.OK, **said) -> Result:
    base = Result(
        check="database/connection-use",
        title="Connection use",
        verdict=verdict,
        summary="84 of 100 connections are in use; 62 of them idle.",
        reading=reading("Connections by state", 5),
        value=84.0,
        threshold=Threshold(80, 90, "%", "guide MON-DB-02T, MON-DB-02A"),
        rows=({"state": "idle", "application": "api", "connections": 62, "oldest": 5400.0},),
        remedy="Look for the pool that keeps idle sessions, then run runbooks/maintain-database.",
        items=("MON-DB-02T", "MON-DB-02A"),
    )
    return replace(base, **said)


def plan(**said) -> Plan:
    base = Plan(
        action="take-backup",
        title="Take a backup of the database",
        effect=Effect.CHANGE,
        repeat=Repeat.REPEATABLE,
        parameters={"database": "valuecanvas", "compression": "zstd:3"},
        before={"backups": 11, "newest": "2026-11-22T02:00:04Z"},
        after={"backups": 12, "newest": "now"},
        touches=1,
        touched="object in valuecanvas-backups",
        verification="The dump is restored into a scratch database and its core tables are counted.",
        undo="Delete the object backups/valuecanvas-20261123.dump.",
        guide="pg_dump $DATABASE_URL > backup_$(date +%Y%m%d).sql\naws s3 cp backup.sql s3://valuecanvas-backups/",
        reason="A dump that nobody restored is no backup; and the password would stand in the process list.",
        items=("BAK-DB-01",),
        fingerprint={"backups": 11},
    )
    return replace(base, **said)


def evidence(status=StepStatus.APPLIED, **said) -> Evidence:
    base = Evidence(
        action="take-backup",
        title="Take a backup of the database",
        status=status,
        plan=plan(),
        values={"key": "backups/valuecanvas-20261123.dump", "bytes": 48_300_112, "sha256": "ab" * 32},
        verification=Verification(
            Verdict.OK,
            "Restored; all 4 core tables hold as many rows as the source.",
            ({"table": "public.users", "source": 1200, "restored": 1200},),
        ),
        seconds=12.3,
    )
    return replace(base, **said)


def drawing():
    return picture(
        "Connection budget",
        "84 of 100 connections are in use, 62 of them idle; the warning is at 80.",
        budget_bar(
            [Part("active", 22), Part("idle", 62, texture="hatch"), Part("reserved", 3, texture="dots")],
            total=100,
            limits=[Limit(80, "warning 80"), Limit(90, "critical 90")],
        ),
        heading("By application"),
        bar_list([Bar("api", 51), Bar("worker", 20, texture="hatch"), Bar("dashboard", 13)]),
        line_chart([41, 44, None, 60, 71, 84, 80], "12:06", "13:06", limits=[Limit(80, "warning")]),
    )


def diagnostics(folder: Path) -> Path:
    """A run of a diagnostics notebook with some twenty cells, as wide and long as real ones are."""
    story = Story(folder, "diagnostics/database")
    story.text(
        "what-this-is",
        "# Database\n\nLook here when pages are slow or errors name PostgreSQL.\n\n"
        "| | |\n|---|---|\n| Changes | nothing |\n| Takes | 10 seconds |\n| Undo | nothing to undo |\n\n"
        "See [the manual](https://www.postgresql.org/docs/current/monitoring-stats.html).",
    )
    story.code("parameters", 'environment: str = "lab"  # target: lab, staging or production')
    story.code("begin", "from opslib import begin, checks, pictures, probes\n\nrun = begin(environment)", seconds=1.31)
    names = ["sizes", "indexes", "locks", "vacuum", "statements", "replication", "settings", "sequences"]
    verdicts = [Verdict.OK, Verdict.WARNING, Verdict.OK, Verdict.CRITICAL, Verdict.OK, Verdict.UNKNOWN, Verdict.OK]
    for i, name in enumerate(names):
        story.text(
            f"about-{name}", f"## {name.title()}\n\nA sentence of the guide about *{name}*, and `pg_stat` views."
        )
        story.code(f"read-{name}", f"run.read(probes.database.{name})", reading(f"{name.title()} of tables", 6 + i * 3))
        verdict = verdicts[i % len(verdicts)]
        said = {"check": f"database/{name}", "title": f"{name.title()} in bounds", "verdict": verdict}
        story.code(f"check-{name}", f"run.check(checks.database.{name})", result(**said), seconds=0.02 * i)
    story.text("about-budget", "## Connection budget\n\nThe pools together must leave room for an operator.")
    story.code(
        "connection-budget",
        "pictures.connection_budget(run.read(probes.database.connections))",
        *[reading()],
        seconds=0.3,
    )
    story.cells[-1]["outputs"] = [output(display.bundle(drawing()))]
    story.code("away", "run.read(probes.cache.memory)", reading("Cache memory", unknown="Redis refuses connections."))
    story.code("remark", 'run.note("Pool of the worker restarted at 13:05.")', display.Note("Pool restarted at 13:05."))
    story.code(
        "finish", "run.finish()", outputs=[output(display.bundle(display.Summary(run=folder.name, verdict="CRITICAL")))]
    )
    return story.close(verdict=Verdict.CRITICAL, exit_code=2)


def failed(folder: Path) -> Path:
    """A runbook: one step applied, one refused its verification, the run failed."""
    story = Story(folder, "runbooks/back-up-database", title="Back up the database")
    story.text("what-this-is", "# Back up the database\n\nTakes a dump, proves it, keeps it.")
    story.code("look", "run.require(checks.backups.room)", result(check="backups/room", title="Room for a dump"))
    story.code("take-backup", "run.step(actions.TakeBackup())", evidence(), seconds=12.4)
    story.cell = "drop-old-backups"
    story.journal.append("cell-started")
    bad = plan(action="drop-backups", title="Drop backups older than 30 days", effect=Effect.DESTRUCTIVE, touches=3)
    story.journal.append("planned", step="drop-old-backups", plan=bad, digest=bad.digest)
    story.journal.append("intent", step="drop-old-backups", action="drop-backups", digest=bad.digest)
    story.journal.append("applied", step="drop-old-backups", values={}, seconds=2.1)
    looked = Verification(Verdict.CRITICAL, "One object is still there: it is locked until 2026-12-01.")
    story.journal.append("verified", step="drop-old-backups", verification=looked)
    message = "drop-backups was applied, but its verification says CRITICAL: one object is still there."
    story.journal.append("failed", step="drop-old-backups", message=message, next_step="Undo: restore the versions.")
    story.journal.append("cell-finished", seconds=2.3, status="error")
    error = {"output_type": "error", "ename": "StepFailed", "evalue": message, "traceback": [f"StepFailed: {message}"]}
    story.cells.append(code_cell("drop-old-backups", "run.step(actions.DropBackups())", [error]))
    story.cells.append(code_cell("finish", "run.finish()", []))
    story.cell = None
    return story.close("failed", Verdict.CRITICAL, f"StepFailed in cell drop-old-backups: {message}", 5, 15.2)


def interrupted(folder: Path) -> Path:
    """A run that was killed in the middle of a step: an intent without outcome, a torn last line, no result."""
    story = Story(folder, "runbooks/maintain-database", title="Maintain the database")
    story.text("what-this-is", "# Maintain the database")
    story.code("look", "run.check(checks.database.dead_rows)", result(check="database/dead", title="Dead rows"))
    story.cell = "vacuum-tables"
    story.journal.append("cell-started")
    vacuum = plan(action="vacuum-tables", title="Vacuum two tables", touches=None, touched="tables")
    story.journal.append("planned", step="vacuum-tables", plan=vacuum, digest=vacuum.digest)
    story.journal.append("intent", step="vacuum-tables", action="vacuum-tables", digest=vacuum.digest)
    story.cells.append(code_cell("vacuum-tables", "run.step(actions.VacuumTables())", []))
    story.cells.append(code_cell("finish", "run.finish()", []))
    story.leave()
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"cell":"vacuum-tables","event":"appl')
    return folder


def saved(run: str, *, missing=("approvals of two others than maria@valuecanvas",), steps=None) -> SavedPlan:
    """A saved plan of two steps, the second of which waits for what the first will make."""
    swap = plan(
        action="swap-databases",
        title="Swap the restored database in",
        effect=Effect.DESTRUCTIVE,
        repeat=Repeat.ONCE,
        parameters={"database": "valuecanvas", "staged": "unknown until step stage-backup"},
        before={"valuecanvas": "oid 16384", "bytes": 734_003_200},
        after={"valuecanvas": "unknown until step stage-backup", "bytes": 731_003_200},
        touches=2,
        touched="databases",
        guide="DROP DATABASE valuecanvas;\npg_restore -d valuecanvas backup.dump",
        reason="A drop before the restore is proven leaves nothing to go back to.",
        unknown=("the staged database's oid, until stage-backup",),
        observed={"sessions": 14, "seconds": 3.2},
    )
    planned = (PlannedStep("take-backup", plan()), PlannedStep("swap-databases", swap)) if steps is None else steps
    return SavedPlan(
        run=run,
        notebook="runbooks/restore-database",
        notebook_sha256="7c" * 32,
        code_sha256="5e" * 32,
        environment="production",
        target="d4" * 32,
        parameters={"environment": "production"},
        requested_by="maria@ops-1",
        requester="maria@valuecanvas",
        created_at=TAKEN,
        expires_at=TAKEN + timedelta(hours=1),
        steps=planned,
        missing=tuple(missing),
    )


def planned(folder: Path, **said) -> Path:
    """A planning run of a runbook, with its saved plan."""
    story = Story(folder, "runbooks/restore-database", mode="plan", title="Restore the database", work=folder.name)
    plans = saved(folder.name, **said)
    story.text("what-this-is", "# Restore the database\n\nBrings a proven backup back.")
    story.code("look", "run.require(checks.backups.room)", result(check="backups/room", title="Room for a dump"))
    for step in plans.steps:
        would = evidence(StepStatus.PLANNED, plan=step.plan, verification=None, values={}, seconds=0.0)
        story.code(step.step, "run.step(actions.One())", would)
    (folder / "plan.json").write_bytes(plans.encode())
    return story.close(verdict=Verdict.OK)
