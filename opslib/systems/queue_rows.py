"""What the queue's ledger holds: its tables, and one requested run as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString

WAITING, TAKEN, ENDED, BROKEN_OFF, WITHDRAWN = STATES = ("waiting", "taken", "ended", "broken off", "withdrawn")
"""Where a requested run stands. ``broken off``: it may have changed something, and a person goes on with it."""

PUT_OFF = ("full", "changing")
"""Why a waiting run is not taken yet: its target has as many runs as it may, or one that changes it."""

GOING = "SELECT count(*) AS runs FROM opslib_queue.asked WHERE state IN ('waiting', 'taken') AND environment = ANY(%s)"
"""How many requested runs of these environments are not over."""
SCHEMA: LiteralString = """
CREATE SCHEMA IF NOT EXISTS opslib_queue;
CREATE TABLE IF NOT EXISTS opslib_queue.asked (
    key text PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 200),
    notebook text NOT NULL,
    parameters jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(parameters) = 'array'),
    environment text NOT NULL,
    mode text NOT NULL,
    plan text NOT NULL DEFAULT '',
    links jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(links) = 'object'),
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'taken', 'ended', 'broken off', 'withdrawn')),
    run text NOT NULL UNIQUE,
    attempt integer NOT NULL DEFAULT 1,
    changes boolean NOT NULL DEFAULT true,
    worker text NOT NULL DEFAULT '',
    moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    verdict text NOT NULL DEFAULT '',
    exit_code integer,
    why text NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS asked_going ON opslib_queue.asked (environment, moved_at)
    WHERE state IN ('waiting', 'taken');
CREATE TABLE IF NOT EXISTS opslib_queue.attempts (
    key text NOT NULL REFERENCES opslib_queue.asked,
    attempt integer NOT NULL,
    run text NOT NULL,
    worker text NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    became text NOT NULL DEFAULT '',
    PRIMARY KEY (key, attempt)
);
CREATE TABLE IF NOT EXISTS opslib_queue.about (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    archive text NOT NULL
);
"""


@dataclass(frozen=True)
class Row:
    """One requested run. ``parameters`` are texts ``name=value``; ``silent`` is seconds since its last sign of life."""

    key: str
    notebook: str
    environment: str
    run: str
    mode: str = "run"
    parameters: tuple[str, ...] = ()
    plan: str = ""
    links: Mapping[str, Any] = field(default_factory=dict)
    asked_by: str = ""
    asked_at: datetime | None = None
    state: str = WAITING
    attempt: int = 1
    changes: bool = True
    worker: str = ""
    silent: float = 0.0
    verdict: str = ""
    exit_code: int | None = None
    why: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self.state not in (WAITING, TAKEN)

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Row:
        """Return a row as the database tells it."""
        own = {name: said[name] for name in cls.__dataclass_fields__ if name in said}
        return cls(**{**own, "parameters": tuple(map(str, said["parameters"]))})
