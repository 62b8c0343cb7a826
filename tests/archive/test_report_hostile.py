"""Whatever a system, a person or a tampered notebook says, the report neither runs nor loads nor hides anything."""

import pytest

from opslib.archive import report
from tests.archive import hostile, places
from tests.archive.harmless import HIDDEN, Page, assert_harmless
from tests.archive.payloads import ALL_AT_ONCE, PAYLOADS
from tests.scale import count

REFUSED_BY_THE_JOURNAL = {"surrogate", "escaped_bytes"}
"""Canonical JSON has no form for half a character, so a real journal never holds one."""


RUNS = [(name, "") for name in PAYLOADS] + [(name, "plan") for name in list(PAYLOADS)[:: count(4, 1)]]


@pytest.mark.parametrize(("name", "mode"), RUNS)
def test_a_hostile_text_in_every_field_of_a_run_stays_text(name, mode, tmp_path):
    text = report.render(hostile.everywhere(tmp_path / "run", PAYLOADS[name], mode))
    assert_harmless(text)
    assert "console.log(666)" not in "".join(f"{attrs}" for _, attrs in Page(text).elements if "href" in dict(attrs))


@pytest.mark.parametrize("name", sorted(set(PAYLOADS) - REFUSED_BY_THE_JOURNAL)[:: count(4, 1)])
def test_a_hostile_answer_of_a_system_stays_text_on_its_real_way(name, tmp_path):
    path = report.write(hostile.real(tmp_path / "run", PAYLOADS[name]))
    assert_harmless(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("place", [place for place in places.PLACES if place not in places.INDEX])
def test_a_text_that_runs_in_most_contexts_stays_text_in_each_place(place, tmp_path):
    assert_harmless(places.page(tmp_path, place, ALL_AT_ONCE))


def test_the_words_of_a_hostile_text_are_still_there_to_read(tmp_path):
    text = report.render(hostile.real(tmp_path / "run", PAYLOADS["script"]))
    assert "&lt;script&gt;console.log(666)&lt;/script&gt;" in text


def test_a_turned_text_shows_its_turning_sign(tmp_path):
    text = report.render(hostile.real(tmp_path / "run", PAYLOADS["right_to_left"]))
    assert "invoice‹U+202E›gnp.exe" in text


@pytest.mark.parametrize("name", ["run.json", "result.json", "journal.jsonl", "notebook.ipynb"])
@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe\x00broken", b'{"cells": [', b"[1, 2]\n", b'{"run": NaN}\n', b"[" * 100_000, b"null\n", b'"\xc3('],
    ids=["empty", "no-utf8", "torn", "list", "nan", "deep", "null", "half-utf8"],
)
def test_a_damaged_file_costs_its_content_and_not_the_report(name, data, tmp_path):
    folder = hostile.real(tmp_path / "run", "plain")
    (folder / name).write_bytes(data)
    text = report.render(folder)
    assert_harmless(text)
    assert not HIDDEN.search(text)


def test_a_link_in_a_files_place_is_not_followed(tmp_path):
    folder = hostile.real(tmp_path / "run", "plain")
    secret = tmp_path / "elsewhere.json"
    secret.write_text('{"title": "read from elsewhere"}')
    (folder / "run.json").unlink()
    (folder / "run.json").symlink_to(secret)
    text = report.render(folder)
    assert "read from elsewhere" not in text
    assert "run.json can&#x27;t be read" in text
