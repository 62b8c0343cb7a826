from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opslib.archive import log, timestamp
from opslib.archive.store import Archive
from opslib.errors import ArchiveError, SettingsError, Unreachable
from opslib.settings import Settings
from tests.conftest import LabInUse
from tests.scale import count

from . import build
from .authority import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    one = Authority(tmp_path_factory.mktemp("authority"))
    yield one
    one.close()


@pytest.fixture
def settings(lab: LabInUse, authority: Authority) -> Settings:
    authority.how = ""
    return lab.settings.model_copy(update={"timestamp_url": authority.url, "timestamp_ca": authority.ca})


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    one = Archive(tmp_path / "archive")
    build.sealed(one, 1)
    return one


def token(archive: Archive, seq: int = 0) -> Path:
    return archive.folder / timestamp.name_of(seq or archive.log.newest())


def entry(archive: Archive, seq: int = 0) -> Path:
    return archive.folder / log.name_of(seq or archive.log.newest())


def test_the_newest_entry_is_stamped_once_and_both_verifiers_agree(
    archive: Archive, settings: Settings, authority: Authority
) -> None:
    before, asked = datetime.now(UTC), authority.asked
    said = timestamp.stamp(archive.folder, settings)
    assert timestamp.stamp(archive.folder, settings) == said
    assert authority.asked == asked + 1
    assert said.seq == archive.log.newest()
    assert abs(said.time - before) < timedelta(minutes=1)
    assert timestamp.check(archive.folder, authority.ca) == timestamp.Stamps((said,), ())
    assert authority.agrees(token(archive), entry(archive))


@pytest.mark.parametrize("harm", ["entry", "byte", "more", "cut", "swapped", "entry gone", "name", "link"])
def test_a_token_that_does_not_hold_is_an_error(
    archive: Archive, settings: Settings, authority: Authority, harm: str
) -> None:
    timestamp.stamp(archive.folder, settings)
    first = token(archive)
    seq = archive.log.newest()
    archive.append("note", "another")
    timestamp.stamp(archive.folder, settings)
    data, where = first.read_bytes(), entry(archive, seq)
    if harm == "entry":
        where.write_bytes(where.read_bytes().replace(b"event close", b"event clone"))
    elif harm == "byte":
        first.write_bytes(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
    elif harm == "more":
        first.write_bytes(data + b"\x00")
    elif harm == "cut":
        first.write_bytes(data[:-1])
    elif harm == "swapped":
        first.write_bytes(token(archive).read_bytes())
    elif harm == "entry gone":
        where.unlink()
    elif harm == "name":
        first.rename(first.with_name("\u202e3.tsr"))
    else:
        first.rename(archive.folder / "elsewhere")
        first.symlink_to(archive.folder / "elsewhere")
    found = timestamp.check(archive.folder, authority.ca)
    assert [stamp.seq for stamp in found.stamps] == [archive.log.newest()]
    [finding] = found.findings
    assert finding.severity == "error"
    assert str(finding).isascii()
    if harm in ("entry", "byte", "cut", "swapped"):
        assert not authority.agrees(first, where)


def test_no_mutation_of_a_named_token_passes_and_none_moves_its_time_or_breaks_the_verifier(
    archive: Archive, settings: Settings, authority: Authority
) -> None:
    said = timestamp.stamp(archive.folder, settings)
    whole, place = token(archive).read_bytes(), token(archive)
    archive.append("heartbeat", timestamp.naming(said))
    chance = random.Random(161)
    unseen = []
    for number in range(count(300, 5_000)):
        data = bytearray(whole)
        at = chance.randrange(len(data))
        kind = number % 4
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del data[at : at + chance.randrange(1, 30)]
        elif kind == 2:
            data[at:at] = chance.randbytes(chance.randrange(1, 30))
        else:
            data[at:] = data[: chance.randrange(len(data))]
        if bytes(data) == whole:
            continue
        place.write_bytes(data)
        found = timestamp.check(archive.folder, authority.ca)
        # A token's header holds bytes that its signature does not cover; the naming entry covers them.
        if not found.findings or any(one.time != said.time for one in found.stamps):
            unseen.append((number, at))
    assert unseen == []


def test_an_authority_that_the_file_does_not_lead_to_is_not_believed(
    archive: Archive, settings: Settings, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    try:
        with pytest.raises(Unreachable, match="does not hold"):
            timestamp.stamp(archive.folder, settings.model_copy(update={"timestamp_ca": other.ca}))
        assert not token(archive).exists()
        timestamp.stamp(archive.folder, settings)
        found = timestamp.check(archive.folder, other.ca)
        assert (found.stamps, [finding.severity for finding in found.findings]) == ((), ["error"])
    finally:
        other.close()


@pytest.mark.parametrize("how", ["down", "text", "other"])
def test_what_is_no_answer_to_the_question_is_not_kept(
    archive: Archive, settings: Settings, authority: Authority, how: str
) -> None:
    authority.old = b"" if how != "other" else authority.old or b"\x30\x00"
    authority.how = how
    with pytest.raises(Unreachable):
        timestamp.stamp(archive.folder, settings)
    assert not token(archive).exists()


def test_an_old_answer_about_the_same_entry_is_refused_for_its_nonce(
    archive: Archive, settings: Settings, authority: Authority
) -> None:
    timestamp.stamp(archive.folder, settings)
    token(archive).unlink()
    authority.how = "other"
    with pytest.raises(Unreachable, match="Nonce"):
        timestamp.stamp(archive.folder, settings)


def test_a_place_for_tokens_that_is_none_is_not_looked_into(
    archive: Archive, settings: Settings, authority: Authority, tmp_path: Path
) -> None:
    place = archive.folder / timestamp.FOLDER
    assert timestamp.check(archive.folder, authority.ca) == timestamp.Stamps((), ())
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "rubbish").write_text("")
    place.symlink_to(tmp_path / "elsewhere")
    assert timestamp.check(archive.folder, authority.ca) == timestamp.Stamps((), ())
    place.unlink()
    place.write_text("")
    assert timestamp.check(archive.folder, authority.ca) == timestamp.Stamps((), ())


def test_what_an_authority_answered_instead_is_told(archive: Archive, settings: Settings, authority: Authority) -> None:
    authority.how = "text"
    with pytest.raises(Unreachable, match="answered with status 200 and text/html"):
        timestamp.stamp(archive.folder, settings)


def test_the_reason_of_a_token_that_does_not_hold_is_shown_on_one_line_of_printable_signs() -> None:
    assert timestamp._text(ValueError(" a~\x7f\u202e\nsecond")) == " a~??"
    assert timestamp._text(ValueError("x" * 300)) == "x" * 200


def test_a_token_that_an_entry_names_may_not_go_or_change(
    archive: Archive, settings: Settings, authority: Authority
) -> None:
    said = timestamp.stamp(archive.folder, settings)
    archive.append("heartbeat", timestamp.naming(said))
    assert timestamp.check(archive.folder, authority.ca).findings == ()
    token(archive, said.seq).unlink()
    [finding] = timestamp.check(archive.folder, authority.ca).findings
    assert f"is not the one that entry {archive.log.newest()} names" in finding.what
    again = timestamp.check(archive.folder, authority.ca)
    assert (again.stamps, again.findings[0].severity) == ((), "error")


def test_without_a_description_an_archive_or_an_answer_there_is_no_stamp(
    archive: Archive, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="OPS_TIMESTAMP_URL"):
        timestamp.stamp(archive.folder, settings.model_copy(update={"timestamp_url": None}))
    with pytest.raises(SettingsError, match="no certificates"):
        timestamp.stamp(archive.folder, settings.model_copy(update={"timestamp_ca": tmp_path}))
    with pytest.raises(ArchiveError, match="cannot be stamped"):
        timestamp.stamp(tmp_path / "nothing", settings)
    with pytest.raises(Unreachable):
        timestamp.stamp(archive.folder, settings.model_copy(update={"timestamp_url": "http://127.0.0.1:9/"}))
