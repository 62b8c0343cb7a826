import pytest

from opslib.runs import outside

RUN = "20261123T130614Z-runbooks-try-things-a1b2c3"


@pytest.fixture
def archive(tmp_path):
    (tmp_path / "running").mkdir()
    return tmp_path


def test_a_word_is_heard_until_it_is_forgotten_and_no_other_is(archive):
    assert outside.said(archive, RUN, "stop") == ""
    outside.say(archive, RUN, "stop", "ann@bastion")
    assert outside.said(archive, RUN, "stop") == "ann@bastion"
    assert outside.said(archive, RUN, "confirm") == outside.said(archive, RUN + "-apply", "stop") == ""
    assert [path.name for path in (archive / "running").iterdir()] == [f"{RUN}.stop"]
    outside.forget(archive, RUN, "stop")
    outside.forget(archive, RUN, "stop")
    assert outside.said(archive, RUN, "stop") == ""


@pytest.mark.parametrize(
    ("data", "heard"),
    [
        (b"ann\x1b[31m@bastion\n", "ann[31m@bastion"),
        (b"\xff", "\ufffd"),
        (b"", "somebody"),
        (b"\n", "somebody"),
        (b"x" * 1000, "x" * 1000),
        (b"x" * 1001, ""),
    ],
)
def test_whatever_stands_in_the_file_is_heard_as_harmless_words(archive, data, heard):
    (archive / "running" / f"{RUN}.stop").write_bytes(data)
    assert outside.said(archive, RUN, "stop") == heard


def test_a_name_that_is_too_long_is_said_as_far_as_it_is_heard(archive):
    outside.say(archive, RUN, "confirm", "ä" * 1000)
    assert outside.said(archive, RUN, "confirm") == "ä" * 500


def test_a_link_says_nothing(archive):
    (archive / "running" / f"{RUN}.stop").symlink_to(__file__)
    assert outside.said(archive, RUN, "stop") == ""
