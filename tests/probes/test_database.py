"""The database's probes: masked statements, metrics text, the order of the tree, and the questions themselves."""

import re
from importlib.resources import files

import pytest

from opslib.canonical import canonical
from opslib.errors import UsageError
from opslib.model import Probe
from opslib.probes import database as probes
from opslib.probes.database_asking import masked
from opslib.probes.database_disk import filesystems
from opslib.probes.database_sessions import tree
from opslib.probes.database_statements import between, counts
from opslib.probes.questions import question
from opslib.runs.reading import take

QUESTIONS = sorted(
    path.name.removesuffix(".sql")
    for path in files("opslib.probes").joinpath("sql/database").iterdir()
    if path.name.endswith(".sql")
)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_has_a_title_and_marks_itself_as_ours(name):
    asked = question(f"database/{name}")
    assert asked.title.endswith("?")
    assert "/* opslib */" in asked.text.partition("\n")[2][:60]
    assert ";" not in re.sub(r"--[^\n]*", "", asked.text)


@pytest.mark.parametrize("name", probes.__all__)
def test_every_probe_can_be_read_and_journalled(lab, name):
    probe = getattr(probes, name)
    probe = probe if isinstance(probe, Probe) else probe()
    reading = take(probe, lab.writing if probe.by_executor else lab.target)
    assert canonical(reading)
    assert reading.source
    assert name in ("disk", "recovered_rows") or reading.unknown is None


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT * FROM users WHERE email = 'a@b.c' AND n = 42", "SELECT * FROM users WHERE email = ? AND n = ?"),
        ("ALTER ROLE x PASSWORD 'hunter2-hunter2'", "ALTER ROLE x PASSWORD ?"),
        ("SELECT 'it''s me', 'you'", "SELECT ?, ?"),
        ("SELECT $1 FROM t2 LIMIT $2", "SELECT $1 FROM t2 LIMIT $2"),
        ("SELECT   1,\n\t2.5e3", "SELECT ?, ?"),
        ("SELECT E'a\\'b', 'secret'", "SELECT E…"),
        ("SELECT 1 -- don't\n, 'secret'", "SELECT ? …"),
        ("SELECT /* it's */ 'secret'", "SELECT …"),
        ("SELECT $tag$secret$tag$", "SELECT …"),
        ("INSERT INTO t VALUES ('cut off in the mid", "INSERT INTO t VALUES (…"),
        ("SELECT \"odd'name\", 'secret' FROM t", 'SELECT "odd…'),
    ],
)
def test_a_statement_is_shown_without_its_literals(statement, shown):
    assert masked(statement) == shown


def test_a_long_statement_is_shortened():
    said = masked("SELECT " + "a, " * 500)
    assert said.endswith("a,…")
    assert len(said) <= 200


METRICS = """\
# HELP node_filesystem_size_bytes Filesystem size in bytes.
# TYPE node_filesystem_size_bytes gauge
node_filesystem_size_bytes{device="/dev/root",fstype="ext4",mountpoint="/"} 1e+10
node_filesystem_avail_bytes{device="/dev/root",fstype="ext4",mountpoint="/"} 4e+09
node_filesystem_size_bytes{device="/dev/sdb",fstype="xfs",mountpoint="/data"} 2e+10
node_filesystem_avail_bytes{device="/dev/sdb",fstype="xfs",mountpoint="/data"} 1e+09
node_filesystem_size_bytes{device="tmpfs",fstype="tmpfs",mountpoint="/run"} 1e+09
node_filesystem_avail_bytes{device="tmpfs",fstype="tmpfs",mountpoint="/run"} 0
node_filesystem_size_bytes{device="/dev/sda1",fstype="vfat",mountpoint="/boot/efi"} 1e+08
node_filesystem_avail_bytes{device="/dev/sda1",fstype="vfat",mountpoint="/boot/efi"} 0
node_filesystem_size_bytes{device="/dev/sdc",fstype="ext4",mountpoint="/lost"} 1e+08
node_filesystem_avail_bytes{device="/dev/sdd",fstype="ext4",mountpoint="/odd"} NaN
node_filesystem_size_bytes{device="/dev/sdd",fstype="ext4",mountpoint="/odd"} 1e+08
node_load1 0.5
"""


def test_only_real_file_systems_with_both_figures_are_read():
    rows = filesystems(METRICS)
    assert [(row["mount_point"], row["used_percent"]) for row in rows] == [("/", 60.0), ("/data", 95.0)]
    assert filesystems("") == []


def session(pid, *blocked_by):
    return {"pid": pid, "blocked_by": list(blocked_by)}


@pytest.mark.parametrize(
    ("sessions", "drawn"),
    [
        ([session(1), session(2, 1), session(3, 2)], [(1, 0, 1), (2, 1, 1), (3, 2, 1)]),
        ([session(1), session(2, 1), session(3, 1, 2)], [(1, 0, 1), (2, 1, 1), (3, 1, 1)]),
        ([session(1), session(5), session(2, 5), session(3, 1)], [(1, 0, 1), (3, 1, 1), (5, 0, 5), (2, 1, 5)]),
        ([session(1, 2), session(2, 1), session(3, 2)], [(1, 0, 1), (2, 1, 1), (3, 2, 1)]),
        ([session(0), session(4, 0)], [(0, 0, 0), (4, 1, 0)]),
        ([], []),
    ],
)
def test_each_session_stands_once_below_the_nearest_root_and_circles_end(sessions, drawn):
    assert [(row["pid"], row["depth"], row["root"]) for row in tree(sessions)] == drawn


def test_a_crowd_that_waits_for_each_other_is_drawn_in_no_time():
    crowd = [session(0), *(session(pid, *range(pid)) for pid in range(1, 300))]
    assert [row["depth"] for row in tree(crowd)] == [0] + [1] * 299


def cost(calls, mean, deviation=0.0, **more):
    base = {"rows": calls, "blocks_read": 0, "temporary_blocks": 0, "max_ms": 50.0, "min_ms": 0.0}
    return {"calls": calls, "mean_ms": mean, "total_ms": calls * mean, "stddev_ms": deviation, **base, **more}


def test_a_window_counts_only_what_was_called_in_it():
    assert between(cost(5, 2.0), cost(5, 2.0)) is None
    assert between(None, cost(5, 2.0)) == cost(5, 2.0)
    assert between(cost(9, 2.0), cost(5, 2.0)) == cost(5, 2.0)
    # 4 calls of 1 ms before, then 4 of 3 ms: together a mean of 2 and a deviation of 1.
    (then,) = [between(cost(4, 1.0), cost(8, 2.0, 1.0))]
    assert (then["calls"], then["mean_ms"], then["rows"]) == (4, 3.0, 4)
    assert then["stddev_ms"] == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize(
    ("statement", "query"),
    [
        ("select 1", True),
        ("  /* app */ -- why\n (SELECT 1) UNION (SELECT 2)", True),
        ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", True),
        ("MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", True),
        ("", True),
        ("BEGIN", False),
        ("selected", False),
        ("COPY public.users TO stdout", False),
        ("VACUUM (ANALYZE)", False),
    ],
)
def test_only_queries_count_for_the_p95(statement, query):
    assert counts(statement) is query


@pytest.mark.parametrize("seconds", [-1, 601, float("nan")])
def test_a_window_has_a_sensible_length(seconds):
    with pytest.raises(UsageError):
        probes.slow_statements(window_seconds=seconds)
