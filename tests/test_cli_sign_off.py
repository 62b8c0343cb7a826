"""``ops sign-off`` as people use it."""

import json

import pytest
from click.testing import CliRunner

from opslib.cli_sign_off import sign_off
from opslib.runs import sign_offs
from tests.signing import Keys

COMMIT = "5f0d0f6a7b1c4e3d9a8b7c6d5e4f3a2b1c0d9e8f"
DONE = ("--says", "all minor updates of this week are merged")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def say(keys, tmp_path):
    """Sign something off as Ben, where no target's description is at hand."""
    signers = tmp_path / "allowed_signers"
    signers.write_text(keys.line("ben", 'namespaces="opslib-witness"'))
    signers.chmod(0o600)
    environment = {"OPS_ARCHIVE": str(tmp_path / "archive"), "OPS_LAB": str(tmp_path / "lab")}

    def said(*given, key="ben"):
        asked = [*given, "--key", str(keys[key] if key else tmp_path / "none"), "--signers", str(signers), "--json"]
        done = CliRunner().invoke(sign_off, asked, env=environment, standalone_mode=False)
        return done, list((tmp_path / "archive").glob("sign-offs/*/*.word"))

    return said


def test_a_sign_off_lies_signed_in_the_archive_below_its_item(say):
    done, (path,) = say("MNT-WK-04", *DONE)
    told, word = json.loads(done.stdout), sign_offs.parse(path.read_bytes())
    assert (path.parent.name, word.by, word.item, word.of) == ("MNT-WK-04", "ben@valuecanvas", "MNT-WK-04", "")
    assert (told["id"], told["word"], word.says) == (word.id, str(path), DONE[1])
    assert path.with_name(f"{path.name}.sig").is_file()


def test_a_readiness_line_is_signed_off_for_one_commit(say):
    _, (path,) = say("CHK-PRE-03", "--of", COMMIT, *DONE)
    assert sign_offs.parse(path.read_bytes()).of == COMMIT


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("MNT-WK-02", *DONE), "No word counts for MNT-WK-02"),
        (("BAK-SBC-03", *DONE), "is no line"),
        (("MNT-WK-04",), "It says nothing"),
        (("CHK-PRE-03", *DONE), "for one commit"),
        (("CHK-PRE-03", "--of", COMMIT[:12], *DONE), "its 40 digits"),
        (("MNT-WK-04", "--of", COMMIT, *DONE), "is of no commit"),
        (("MNT-WK-04", "--environment", "moon", *DONE), "There is no environment"),
        (("MNT-WK-04", "--says", "sk-proj-9f3Kq7Zr2Lm8Xw4TnB6vYc1HdJ5pQ0sA works"), "looks like a secret"),
    ],
)
def test_what_cannot_count_is_refused_and_nothing_is_written(say, given, why):
    done, paths = say(*given)
    assert paths == []
    assert (done.exit_code, why in done.stderr) == (64, True), done.stderr


@pytest.mark.parametrize(("key", "code"), [("ann", 4), (None, 64)])
def test_without_a_key_that_is_listed_nothing_is_signed_off(say, key, code):
    done, paths = say("MNT-WK-04", *DONE, key=key)
    assert (paths, done.exit_code) == ([], code), done.stderr


def test_the_lines_that_a_word_counts_for_are_listed_with_their_time(say):
    done, _ = say()
    found = {row["item"]: (row["word"], row["counts"]) for row in json.loads(done.stdout)["lines"]}
    assert (found["MNT-WK-04"], found["CHK-PRE-02"]) == (("only", "7 days"), ("else", "commit"))
    assert "MNT-WK-02" not in found
