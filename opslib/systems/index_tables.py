"""What the team's index of archived runs holds in PostgreSQL: its tables, and one run as a value.

A run's number is the microsecond at which it ended, times 1024, and the number of its archive: so numbers of all
archives are in the order of time, and none comes twice. Every run has its day among its words; a search looks at some
days at a time, the newest first, and so stops where it has enough, and reads little where nothing fits. Source: the
PostgreSQL manual, chapter "GIN Indexes".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

VERSION = 2
ARCHIVES = 1024
"""So many archives has one index; a run's number modulo this is its archive's."""
DAY = 86_400 * 1_000_000 * ARCHIVES
"""So many numbers has a day."""

SCHEMA: LiteralString = """
CREATE SCHEMA IF NOT EXISTS opslib_index;
CREATE TABLE opslib_index.about (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL
);
CREATE TABLE opslib_index.archives (
    number smallint GENERATED ALWAYS AS IDENTITY (MINVALUE 0 MAXVALUE 1023) PRIMARY KEY,
    archive text NOT NULL UNIQUE CHECK (archive ~ '^[0-9a-f]{64}$'),
    place text NOT NULL,
    seq integer NOT NULL DEFAULT 0,
    sum text NOT NULL DEFAULT '',
    last bigint NOT NULL DEFAULT 0,
    told_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE opslib_index.runs (
    number bigint PRIMARY KEY,
    archive smallint NOT NULL REFERENCES opslib_index.archives,
    run text COLLATE "C" NOT NULL,
    started text COLLATE "C" NOT NULL,
    notebook text COLLATE "C" NOT NULL,
    environment text COLLATE "C" NOT NULL,
    mode text NOT NULL,
    who text NOT NULL,
    state text NOT NULL,
    verdict text NOT NULL,
    words bigint[] NOT NULL,
    said text NOT NULL,
    UNIQUE (archive, run)
);
CREATE INDEX runs_words ON opslib_index.runs USING gin (words) WITH (fastupdate = off);
CREATE INDEX runs_started ON opslib_index.runs (environment, started);
CREATE TABLE opslib_index.lines (
    run bigint NOT NULL REFERENCES opslib_index.runs ON DELETE CASCADE,
    place integer NOT NULL,
    environment text COLLATE "C" NOT NULL,
    notebook text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    name text COLLATE "C" NOT NULL,
    text text NOT NULL,
    verdict text NOT NULL,
    value double precision,
    unit text NOT NULL,
    warning double precision,
    critical double precision,
    above boolean NOT NULL,
    PRIMARY KEY (run, place)
);
CREATE INDEX lines_checks ON opslib_index.lines (environment, name, run) WHERE kind = 'check';
CREATE INDEX lines_books ON opslib_index.lines (environment, notebook, name) WHERE kind = 'check';
CREATE TABLE opslib_index.days (
    day integer NOT NULL,
    archive smallint NOT NULL REFERENCES opslib_index.archives,
    runs integer NOT NULL,
    first text COLLATE "C" NOT NULL,
    last text COLLATE "C" NOT NULL,
    PRIMARY KEY (day, archive)
);
CREATE FUNCTION opslib_index.newest(wanted bigint[], phrases text[], since text, until text, most integer)
RETURNS SETOF bigint LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
    one record;
    there boolean;
    days bigint[] := '{}';
    held bigint := 0;
    room bigint := 500;
    many integer;
    known CURSOR FOR
        SELECT d.day, sum(d.runs) AS runs FROM opslib_index.days d
        WHERE d.last >= since AND d.first < until GROUP BY d.day ORDER BY d.day DESC;
BEGIN
    OPEN known;
    LOOP
        FETCH known INTO one;
        there := FOUND;
        IF held > 0 AND (NOT there OR held + one.runs > room) THEN
            -- Numbers are put in order after they were found: by itself the server might walk all runs in that order.
            RETURN QUERY WITH fitting AS MATERIALIZED (
                SELECT r.number FROM opslib_index.runs r
                WHERE r.words @> wanted AND r.words && days
                AND r.started >= since AND r.started < until
                AND NOT EXISTS (SELECT FROM unnest(phrases) p WHERE strpos(r.said, p) = 0)
            ) SELECT f.number FROM fitting f ORDER BY f.number DESC LIMIT most;
            GET DIAGNOSTICS many = ROW_COUNT;
            most := most - many;
            EXIT WHEN most <= 0;
            days := '{}';
            held := 0;
            room := least(room * 4, 32000);
        END IF;
        EXIT WHEN NOT there;
        days := days || (-1 - one.day)::bigint;
        held := held + one.runs;
    END LOOP;
    CLOSE known;
END $$;
"""
"""A day as a word is a negative number, and every other word none."""


@dataclass(frozen=True)
class Run:
    """One run, for one archive. ``about`` is run, started, notebook, environment, mode, who, state, verdict.

    ``words`` are numbers that stand for words, for two that follow one another, and for facts; ``said`` is the words in
    their order, with spaces between and around. ``lines`` are kind, name, text, verdict, value, unit, warning,
    critical, above.
    """

    number: int
    about: tuple[str, ...]
    words: tuple[int, ...]
    said: str
    lines: tuple[tuple[object, ...], ...]

    @property
    def day(self) -> int:
        """The day at which it ended, since 1970."""
        return self.number // DAY
