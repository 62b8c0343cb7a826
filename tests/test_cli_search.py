"""``ops archive search`` and ``ops archive diff`` as a person and as a script use them."""

import json

import pytest
from click.testing import CliRunner

from opslib.archive.store import Archive
from opslib.cli import main
from opslib.lab.processes import free_port
from tests.archive.test_search_index import DISK, judged, ran


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.setenv("OPS_ARCHIVE", str(tmp_path / "archive"))
    monkeypatch.setenv("OPS_LAB", str(tmp_path / "no-lab"))
    return Archive(tmp_path / "archive")


@pytest.fixture
def ops():
    return lambda *arguments: CliRunner().invoke(main, ["archive", *arguments])


def test_a_run_is_found_and_shown_with_the_line_that_fits(archive, ops):
    run = ran(archive, 1, judged(DISK, "CRITICAL", 93.0, "93 % is used by wal."), verdict="CRITICAL")
    said = ops("search", "wal used", "--verdict", "critical", "--since", "2026-11-01", "--until", "2026-11-01")
    assert said.exit_code == 0, said.output
    assert said.stdout == (
        f"{run} lab run finished CRITICAL\n    check {DISK} CRITICAL: The disk has room: 93 % is used by wal.\n"
    )
    assert "1 runs" in said.stderr
    (found,) = json.loads(ops("search", "wal", "--json").stdout)["runs"]
    assert (found["run"], found["lines"][0]["value"]) == (run, 93.0)


def test_nothing_found_is_no_error(archive, ops):
    ran(archive, 1)
    assert json.loads(ops("search", "elephant", "--json").stdout) == {"runs": []}
    assert json.loads(ops("search", "--until", "2026-10-31", "--json").stdout) == {"runs": []}


@pytest.mark.parametrize(
    "arguments",
    [["search", "!?"], ["search", "--since", "yesterday"], ["search", "--limit", "0"], ["diff", "20", "21"]],
)
def test_what_cannot_be_meant_is_wrong_usage(archive, ops, arguments):
    ran(archive, 1)
    assert ops(*arguments).exit_code == 64


def test_a_time_elsewhere_is_the_same_moment(archive, ops):
    run = ran(archive, 1)
    for since, found in (("2026-11-01T02:00:30+02:00", 1), ("2026-11-01T02:01:30+02:00", 0)):
        said = json.loads(ops("search", "--since", since, "--json").stdout)["runs"]
        assert [one["run"] for one in said] == [run][:found]


def test_two_runs_are_held_beside_one_another(archive, ops):
    old = ran(archive, 1, judged(DISK, "OK", 41.5, "41.5 % is used."))
    new = ran(archive, 2, judged(DISK, "OK", 42.5, "42.5 % is used."))
    said = json.loads(ops("diff", old, new, "--json").stdout)
    assert [(one["what"], one["old"], one["new"]) for one in said["differences"]] == [
        ("value", "41.5", "42.5"),
        ("summary", "41.5 % is used.", "42.5 % is used."),
    ]
    table = ops("diff", "000001", "000002")
    assert table.stdout.splitlines()[1].split() == ["check", DISK, "value", "41.5", "42.5"]
    assert "2 differences" in table.stderr
    assert "No difference" in ops("diff", old, old).stderr


@pytest.fixture
def team(index_base, monkeypatch):
    index_base.empty()
    monkeypatch.setenv("OPS_INDEX_URL", index_base.url.reveal())
    return index_base


def test_a_run_that_another_machine_told_of_is_found_with_where_it_lies(archive, ops, team, tmp_path, monkeypatch):
    here = ran(archive, 1, judged(DISK, "OK", 41.5, "41.5 % is used."))
    other = Archive(tmp_path / "other")
    there = ran(other, 2, judged(DISK, "CRITICAL", 93.0, "93 % is used by wal."), verdict="CRITICAL")
    monkeypatch.setenv("OPS_ARCHIVE", str(other.folder))
    told = ops("index")
    assert (told.exit_code, told.stdout) == (0, f"{other.folder / 'index.html'}\n")
    assert "1 runs told to the team's index" in told.stderr
    monkeypatch.setenv("OPS_ARCHIVE", str(archive.folder))
    lines = ops("search", "used").stdout.splitlines()
    assert [line.split()[0] for line in lines if line[0].isdigit()] == [there, here]
    assert f"{other.folder}, archive " in lines[1]
    assert json.loads(ops("search", "used", "--here", "--json").stdout)["runs"][0]["run"] == here
    assert [one["value"] for one in json.loads(ops("history", DISK, "--json").stdout)["results"]] == [41.5, 93.0]


def test_a_checks_history_is_printed_and_without_one_the_names(archive, ops):
    run = ran(archive, 1, judged(DISK, "OK", 41.5, "41.5 % is used."))
    assert ops("history", DISK).stdout.splitlines()[1].split() == [run, "OK", "41.5", "percent"]
    assert json.loads(ops("history", "--json").stdout) == {"checks": [DISK]}
    assert json.loads(ops("history", "elephant", "--json").stdout) == {"results": []}
    assert json.loads(ops("history", DISK, "--environment", "staging", "--json").stdout) == {"results": []}


def test_the_teams_index_is_away_and_what_is_here_is_found_all_the_same(archive, ops, monkeypatch):
    run = ran(archive, 1, judged(DISK, "OK", 41.5, "41.5 % is used."))
    monkeypatch.setenv("OPS_INDEX_URL", f"postgresql://a:a-password-of-1@127.0.0.1:{free_port(set())}/team")
    said = ops("search", "used")
    assert (said.exit_code, "ops archive search --here" in said.stderr) == (3, True)
    told = ops("index")
    assert (told.exit_code, told.stdout) == (3, f"{archive.folder / 'index.html'}\n")
    assert "1 runs read into the index here" in told.stderr
    assert "was not told" in told.stderr
    assert json.loads(ops("search", "used", "--here", "--json").stdout)["runs"][0]["run"] == run


def test_the_teams_index_is_installed_once(archive, ops, team):
    team.do("DROP SCHEMA opslib_index CASCADE")
    ran(archive, 1)
    assert (ops("search").exit_code, "ops archive index --install" in ops("search").stderr) == (4, True)
    assert "is installed" in ops("index", "--install").stderr
    assert "was installed already" in ops("index", "--install").stderr
    assert ops("search").exit_code == 0
