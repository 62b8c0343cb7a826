"""DuckDB over exported logs: bounded, shut off, and no line dropped without a word."""

import gzip
import json
import threading
from contextlib import suppress
from datetime import timedelta

import psutil
import pytest

from opslib.errors import Refused, Unreachable
from opslib.probes.log_questions import QUESTIONS, Terms, text
from opslib.systems import duck
from opslib.systems.exported_logs import listed, within
from tests.logs import START, export, iso, lines
from tests.probes.test_log_questions import in_duck
from tests.waiting import until

HOUR = timedelta(hours=1)
WINDOW = Terms(START, START + 2 * HOUR, START)


def written(folder, *rows, name="task/api-0/000000.gz"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(b"".join(row + b"\n" for row in rows), mtime=0))
    return folder


def row(second, **said):
    return f"{iso(START + timedelta(seconds=second))} {json.dumps(said)}".encode()


def test_lines_that_cannot_be_read_are_counted_by_their_reason_and_shown(tmp_path):
    found = in_duck(
        written(
            tmp_path,
            row(0, status=200, path="/a"),
            b'2026-11-29T10:00:01.000Z {"status": 200, "path"',
            b'2026-11-29T10:00:02.000Z nginx says "hello, \x01 world',
            b"2026-11-29T10:00:03.000Z {}",
            b"2026-11-29T10:00:04.000Z \xff\xfe no text",
            b"2026-11-29T10:00:05.000Z " + b"x" * 2_000_000,
            b"",
            b"    at Object.<anonymous> (app.js:1:1)",
            b'2026-11-29T11:59:59.999 {"status": 201}',
            b'2026-13-45T11:59:59.999Z {"status": 202}',
            b'2026-11-29T13:00:06+02:00 {"status": 203}',
            b'{"timestamp": "2026-11-29T10:30:00Z", "status": 204}',
        ),
        WINDOW,
    )
    assert found["kinds"] == {"read": 3, "unread": 3, "undated": 3}
    assert {one["status"] for one in found["rows"]["requests"]} == {"200", "203", "204"}
    assert [(one["why"], one["lines"], one["stream"]) for one in found["rejects"]] == [
        ("INVALID ENCODING", 1, "api-0"),
        ("LINE SIZE OVER MAXIMUM", 1, "api-0"),
    ]
    (unread,) = found["rows"]["unread"]
    assert unread["lines"] == 3
    assert any("at Object" in one["said"] for one in found["examples"])
    assert len(found["examples"]) == 6


def test_zones_count_and_a_moment_is_never_taken_for_another(tmp_path):
    found = in_duck(
        written(
            tmp_path,
            b'2026-11-29T12:00:00+02:00 {"status": 200}',
            b'2026-11-29T09:59:59.999Z {"status": 201}',
            b'2026-11-29T05:00:00-0500 {"status": 202}',
            b'2026-11-29T12:00:00Z {"status": 203}',
        ),
        WINDOW,
    )
    assert {one["status"] for one in found["rows"]["requests"]} == {"200", "202"}
    assert found["kinds"] == {"read": 2, "outside": 2}


def test_lines_of_exports_that_overlap_count_once_and_lines_said_twice_count_twice(tmp_path):
    twice = row(5, status=200, path="/twice")
    written(tmp_path, row(0, status=200), twice, twice, row(9, status=500))
    written(tmp_path, twice, twice, row(9, status=500), row(20, status=404), name="again/api-0/000000.gz")
    # Another stream may say the same at the same time.
    written(tmp_path, twice, name="task/api-1/000000.gz")
    found = in_duck(tmp_path, WINDOW)
    assert found["doubled"] == 3
    assert sum(one["lines"] for one in found["rows"]["requests"]) == 6
    assert sum(one["lines"] for one in found["rows"]["requests"] if one["route"] == "/twice") == 3


def test_clocks_that_are_off_are_seen_by_the_moments_that_lines_say(tmp_path):
    off = [row(second, status=200, time=iso(START + timedelta(seconds=second + 300))) for second in range(5)]
    written(tmp_path, *off)
    written(tmp_path, row(0, status=200, time=iso(START)), name="task/api-1/000000.gz")
    skew = {one["stream"]: one["most_ms"] for one in in_duck(tmp_path, WINDOW)["skew"]}
    assert skew == {"api-0": 300_000, "api-1": 0}


def test_a_file_that_breaks_off_is_named_and_the_others_are_read(tmp_path):
    export(tmp_path, lines(300))
    path = tmp_path / "6b1b9f3a/api-1/000000.gz"
    path.write_bytes(path.read_bytes()[:-40])
    found = in_duck(tmp_path, WINDOW)
    assert found["broken"] == [str(path)]
    assert {one["stream"] for one in found["rows"]["silence"]} == {"api-0", "api-2"}


def test_no_statement_reaches_another_file_the_network_or_an_extension(tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("password\nhunter2\n")
    place = export(tmp_path / "export", lines(10))
    for sql in (
        f"SELECT * FROM read_text('{secret}')",
        f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
        "LOAD httpfs",
        "SET enable_external_access = true",
        f"ATTACH '{tmp_path}/other.duckdb'",
    ):
        files = [(one.name, one.stream) for one in listed(place)]
        texts = duck.Texts({name: text(f"{name}.sql") for name in STEPS}, {"bad": sql})
        with pytest.raises(Unreachable, match="did not answer"):
            duck.answers(texts, WINDOW.given, form="export", folder=place, files=files, bounds=duck.Bounds())
    assert not (tmp_path / "out.csv").exists()


STEPS = ("lines", "spans", "once", "asked", "examples", "skew", "rejects")


def test_what_is_given_is_bound_and_never_part_of_a_statement(tmp_path):
    place = export(tmp_path, lines(50))
    files = [(one.name, one.stream) for one in listed(place)]
    given = {**WINDOW.given, "account": "x' OR 1=1; DROP TABLE lines; --", "address": '"; ATTACH'}
    texts = duck.Texts({name: text(f"{name}.sql") for name in STEPS}, {"access": QUESTIONS["access"].sql})
    found = duck.answers(texts, given, form="export", folder=place, files=files, bounds=duck.Bounds())
    assert found["rows"]["access"] == []
    assert found["kinds"]["read"]


def test_it_works_within_its_memory_and_leaves_nothing_behind(tmp_path):
    place, work = export(tmp_path / "export", lines(20_000)), tmp_path / "work"
    work.mkdir()
    seen = []

    def watch():
        for child in psutil.Process().children():
            if "duck_child" in " ".join(child.cmdline()):
                seen.append(child.memory_info().rss)

    over = threading.Event()

    def look():
        while not over.wait(0.02):
            try:
                watch()
            except psutil.Error:
                continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        found = in_duck(place, WINDOW, work=work)
    finally:
        over.set()
        thread.join()
    assert found["kinds"]["read"] > 19_000
    assert 0 < max(seen) < 512 * duck.MEGABYTE + 256 * duck.MEGABYTE
    assert list(work.iterdir()) == []


def test_too_little_memory_and_too_little_time_are_no_answer(tmp_path):
    place, work = export(tmp_path / "export", lines(15_000)), tmp_path / "work"
    work.mkdir()
    files = [(one.name, one.stream) for one in listed(place)]
    texts = duck.Texts({name: text(f"{name}.sql") for name in STEPS}, {name: q.sql for name, q in QUESTIONS.items()})
    for bounds, why in (
        (duck.Bounds(memory=1024 * 1024, folder=work), "did not answer: OutOfMemory"),
        (duck.Bounds(seconds=0.05, folder=work), "within 0.05 s"),
    ):
        with pytest.raises(Unreachable, match=why):
            duck.answers(texts, WINDOW.given, form="export", folder=place, files=files, bounds=bounds)
    assert list(work.iterdir()) == []


def test_a_process_killed_midway_is_no_answer_and_leaves_nothing(tmp_path):
    place, work = export(tmp_path / "export", lines(15_000)), tmp_path / "work"
    work.mkdir()

    def kill():
        def child():
            with suppress(psutil.NoSuchProcess):
                return [one for one in psutil.Process().children() if "duck_child" in " ".join(one.cmdline())]

        def at_work():
            """Stop it, so that it is not done by the time it is killed; it goes on while it has not begun."""
            for one in child() or ():
                one.suspend()
                if any(work.glob("*/lines.duckdb")):
                    return one
                one.resume()
            return None

        until(at_work).kill()

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(Unreachable, match="ended by itself"):
        in_duck(place, WINDOW, work=work)
    thread.join()
    assert list(work.iterdir()) == []


def test_files_of_other_days_are_left_out_by_their_path_and_strange_ones_are_refused(tmp_path):
    for name in (
        "t/api-2026-11-20/0.gz",
        "t/api-2026-11-29/0.gz",
        "2026/12/09/01.gz",
        "t/other/0.gz",
        "t/x-2026-99-99/0.gz",
    ):
        written(tmp_path, row(0, status=200), name=name)
    (tmp_path / "aws-logs-write-test").write_text("Permission Check Successful")
    every = listed(tmp_path)
    assert [one.name for one in within(every, START, START + HOUR)] == [
        "t/api-2026-11-29/0.gz",
        "t/other/0.gz",
        "t/x-2026-99-99/0.gz",
    ]
    for name in ("t/a*.gz", "t/[a].gz", "t/a.zst", "t/link.gz"):
        path = tmp_path / name
        path.symlink_to("/etc/passwd") if "link" in name else path.write_bytes(b"")
        with pytest.raises(Refused):
            listed(tmp_path)
        path.unlink()
    with pytest.raises(Refused, match="no folder"):
        listed(tmp_path / "none")
