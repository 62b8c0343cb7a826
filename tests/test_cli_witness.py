"""``ops witness`` as people use it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from opslib import cli_witness
from opslib.cli_witness import witness
from opslib.guide.promises import PROMISES
from opslib.runs import words
from tests.signing import Keys

DAY = "2026-q4"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def say(keys, tmp_path):
    """Say something as Ben, where no target's description is at hand."""
    signers = tmp_path / "allowed_signers"
    signers.write_text(keys.line("ben", 'namespaces="opslib-witness"'))
    signers.chmod(0o600)
    environment = {"OPS_ARCHIVE": str(tmp_path / "archive"), "OPS_LAB": str(tmp_path / "lab")}

    def said(*given, key="ben"):
        asked = [DAY, *given, "--key", str(keys[key]), "--signers", str(signers), "--json"]
        done = CliRunner().invoke(witness, asked, env=environment, standalone_mode=False)
        return done, list((tmp_path / "archive").glob(f"words/{DAY}/*.word"))

    return said


def test_a_word_lies_signed_in_the_archive_and_says_now(say):
    done, (path,) = say("alerted", "--service", "cache", "--says", "the page came to my telephone")
    told = json.loads(done.stdout)
    word = words.parse(path.read_bytes())
    assert (word.by, word.service, word.moment, word.within) == ("ben@valuecanvas", "cache", "alerted", 5)
    assert word.at == word.signed_at
    assert (told["id"], told["word"]) == (word.id, str(path))
    assert path.with_name(f"{path.name}.sig").is_file()


def test_an_action_has_an_owner_and_a_day_and_is_done_by_its_id(say):
    done, _ = say("action", "--owner", "cat@valuecanvas", "--due", "2026-12-15", "--says", "write it down")
    of = json.loads(done.stdout)["id"]
    _, paths = say("done", "--of", of)
    assert {words.parse(path.read_bytes()).of for path in paths} == {"", of}


@pytest.mark.parametrize("typed", ["2026-11-29T11:02:05", "2026-11-29T11:02:05Z", "2026-11-29T12:02:05+01:00"])
def test_when_it_happened_may_be_typed_and_is_less_sure(say, typed):
    _, (path,) = say("alerted", "--at", typed)
    word = words.parse(path.read_bytes())
    assert (word.at, word.within) == (datetime(2026, 11, 29, 11, 2, 5, tzinfo=UTC), 60)


def test_a_clocks_time_is_the_last_one_that_was_so_late(say):
    later = (datetime.now(UTC) + timedelta(minutes=5)).strftime("%H:%M")
    _, (path,) = say("alerted", "--at", later)
    word = words.parse(path.read_bytes())
    assert timedelta(hours=23) < word.signed_at - word.at < timedelta(days=1)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("panicked",), "There is no moment"),
        (("alerted", "--at", "half past two"), "is no time"),
        (("observed",), "needs words"),
        (("alerted", "--service", "everything"), "form"),
    ],
)
def test_what_is_no_word_is_refused_and_nothing_is_written(say, given, why):
    done, paths = say(*given)
    assert paths == []
    assert (done.exit_code, why in done.stderr) == (64, True), done.stderr


def test_what_looks_like_a_secret_is_not_written(say):
    done, paths = say("observed", "--says", "the key was sk-proj-9f3Kq7Zr2Lm8Xw4TnB6vYc1HdJ5pQ0sA still")
    assert (done.exit_code, paths) == (64, [])
    assert "looks like a secret" in done.stderr


def test_whose_key_is_not_listed_is_no_witness(say):
    done, paths = say("alerted", key="ann")
    assert paths == []
    assert "cannot be a witness's" in done.stderr


def test_the_services_of_the_help_are_those_that_the_guide_promises():
    assert tuple(PROMISES) == cli_witness.SERVICES
