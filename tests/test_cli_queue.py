"""``ops queue``, ``ops worker`` and ``ops wave`` as they are typed: what is asked for, listed, withdrawn, refused."""

import json

import pytest
from click.testing import CliRunner

from opslib.cli import main
from opslib.redaction import DatabaseUrl
from opslib.systems.queue_ledger import Ledger
from opslib.systems.queue_rows import BROKEN_OFF
from tests import queue_server, schedules

NAME = "runbooks/try-things"


@pytest.fixture
def here(tmp_path, server, monkeypatch):
    places = {
        "OPS_ARCHIVE": tmp_path / "archive",
        "OPS_LAB": tmp_path / "no-lab",
        "OPS_NOTEBOOKS": tmp_path / "notebooks",
        "OPS_QUEUE_URL": server.url,
    }
    for name, value in places.items():
        monkeypatch.setenv(name, str(value))
    schedules.notebook(tmp_path)
    with server.session() as session:
        queue_server.wipe(session)
    return tmp_path


def ops(*arguments):
    done = CliRunner().invoke(main, arguments)
    return done.exit_code, done.output


def answer(*arguments):
    code, said = ops(*arguments, "--json")
    assert code == 0, said
    return json.loads(said)


def test_a_run_is_asked_for_listed_and_withdrawn(here):
    assert ops("queue", "install")[0] == 0
    assert ops("queue", "install")[0] == 0
    asked = answer("queue", "add", NAME, "--key", "mine")
    assert (asked["key"], asked["state"], asked["notebook"]) == ("mine", "waiting", NAME)
    assert [row["run"] for row in answer("queue", "list")["runs"]] == [asked["run"]]
    assert answer("queue", "list", "mine")["attempts"] == []
    assert ops("queue", "withdraw", "mine")[0] == 0
    assert answer("queue", "list") == {"runs": []}
    assert [row["state"] for row in answer("queue", "list", "--all")["runs"]] == ["withdrawn"]
    code, said = ops("queue", "withdraw", "mine")
    assert (code, "does not wait" in said) == (4, True)


def test_what_was_broken_off_stays_in_the_list_and_says_what_to_do(here, server):
    ops("queue", "install")
    answer("queue", "add", NAME, "--key", "mine")
    with Ledger(DatabaseUrl(server.url)) as ledger:
        row, _ = ledger.take("mine", "w1", changes=True, at_once=1, silent=30)
        ledger.finish(row, BROKEN_OFF, verdict="UNKNOWN", exit_code=5, why=f"Go on with: ops resume {row.run}")
    code, said = ops("queue", "list")
    assert (code, f"ops resume {row.run}" in said) == (0, True)
    assert [one["became"] for one in answer("queue", "list", "mine")["attempts"]] == ["broken off: UNKNOWN"]


def test_what_cannot_be_meant_is_told_before_anything_is_touched(here, monkeypatch):
    for arguments, code, why in (
        (("queue", "add", NAME), 4, "ops queue install"),
        (("queue", "add"), 64, "A notebook is run, or a plan is applied"),
        (("queue", "add", NAME, "--apply", "PLAN"), 64, "A notebook is run, or a plan is applied"),
        (("queue", "list"), 4, "ops queue install"),
        (("worker",), 64, "The lab is not running"),
        (("wave", "run", NAME), 64, "Over what?"),
        (("wave", "run", NAME, "--environment", "moon"), 64, "there is no environment 'moon'"),
        (("wave", "show", "none"), 64, "No waves fit"),
    ):
        found, said = ops(*arguments)
        assert (arguments, found) == (arguments, code), said
        assert any(part in said for part in why.split("|")), said
    assert answer("wave", "list") == {"waves": []}
    assert not (here / "archive").exists()
    monkeypatch.delenv("OPS_QUEUE_URL")
    assert "There is no queue" in ops("queue", "list")[1]
