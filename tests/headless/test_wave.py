"""Waves: one first, then more at a time, no more after so many errors; what was done is not done again."""

import json
import os

import nbformat
import pytest

from opslib.archive import waves
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import Refused, UsageError
from opslib.headless import wave, wave_table
from opslib.model import now
from tests.headless import bench

pytestmark = pytest.mark.usefixtures("warm")

NAME = "runbooks/try-things"
PARAMETERS = bench.PARAMETERS + "\nbatch_size: int = 1  # a number [rows, 1 to 100]"
CHECK = """from opslib.model import Check, Judgement, Probe, Verdict
worst = {3: Verdict.CRITICAL, 5: Verdict.WARNING}
run.check(Check("cache.words", "Words", Probe("cache.words", "Words", lambda t: [{"n": batch_size}]),
          lambda r: Judgement(worst.get(batch_size, Verdict.OK), "counted"), "Count again."))"""


@pytest.fixture
def here(tmp_path, lab, monkeypatch):
    monkeypatch.setenv("OPS_LAB", str(lab.folder))
    monkeypatch.setenv("OPS_NOTEBOOKS", str(tmp_path / "notebooks"))
    write(tmp_path, CHECK)
    return tmp_path


def write(folder, *sources):
    made = bench.notebook(folder / "notebooks", *sources)
    book = nbformat.read(made.path, as_version=4)
    book.cells[1].source = PARAMETERS
    nbformat.write(book, made.path)


def over(*numbers, **more):
    """Return a wave over the lab with these batch sizes."""
    return wave_table.wave(NAME, [("lab", (f"batch_size={number}",)) for number in numbers], now(), **more)


def sizes(count, ramp=""):
    members = tuple(waves.Member(number, "lab", (), f"run-{number}") for number in range(count))
    words = tuple(filter(None, ramp.split(",")))
    return [len(one) for one in waves.Wave("", "", "", "run", words, "1", False, "", "", members).batches()]


def test_one_comes_first_and_then_more_at_a_time():
    assert sizes(1) == [1]
    assert sizes(12) == [1, 2, 4, 5]
    assert sizes(10, "3") == [1, 3, 3, 3]
    assert sizes(10, "2,5") == [1, 2, 5, 2]
    assert sizes(40, "10%,50%") == [1, 4, 20, 15]
    assert [waves.share(text, 200) for text in ("3", "1%", "0%", "10%", "100%")] == [3, 2, 1, 20, 200]


def test_a_wave_stops_at_its_errors_says_what_did_not_begin_and_goes_on_where_a_person_allows_it(here):
    report = wave.begin(over(1, 5, 3, 4, 6), here / "archive")
    words = [(one["state"], one["verdict"]) for one in report["members"]]
    assert words == [("finished", "OK"), ("finished", "WARNING"), ("finished", "CRITICAL"), *[("not begun", "")] * 2]
    assert report["members"][4]["why"] == "1 with errors, and the wave ends at 1"
    assert (report["begun"], report["errors"], report["exit_code"]) == (3, 1, 2)
    record = waves.find(here / "archive", report["wave"])
    runs = len(Archive(here / "archive").ids())
    assert wave.go_on(record)["begun"] == 3
    assert len(Archive(here / "archive").ids()) == runs
    done = wave.go_on(record, stop_at="2")
    assert [one["state"] for one in done["members"]] == ["finished"] * 5
    assert [one["run"] for one in done["members"][:3]] == [one["run"] for one in report["members"][:3]]
    assert (done["begun"], done["errors"], done["exit_code"]) == (5, 1, 2)
    assert len(Archive(here / "archive").ids()) == 5
    said = json.loads((here / "archive" / "runs" / done["members"][4]["run"] / "run.json").read_text())
    assert (said["wave"], said["member"]) == (report["wave"], "5")
    notes = [entry.text for entry in Archive(here / "archive").log.newest_first() if entry.event == "note"]
    assert "5 of 5 began, 1 with errors; outcome.json" in notes[0]
    assert verify(here / "archive").ok


def test_a_wave_that_was_broken_off_goes_on_with_what_did_not_come_to_its_end(here):
    one = over(1, 2)
    archive = here / "archive"
    record = waves.Record(archive, one.id)
    record.begin(one)
    left_by_the_dead(archive, one.members[0].run)
    assert [member["state"] for member in wave.look(record)["members"]] == ["interrupted", "not begun"]
    assert wave.look(record)["exit_code"] == 3
    report = wave.go_on(record)
    assert [(member["state"], member["verdict"]) for member in report["members"]] == [("finished", "OK")] * 2
    assert record.attempts(one.members[0]) == [one.members[0].run, report["members"][0]["run"]]
    said = json.loads((archive / "runs" / report["members"][0]["run"] / "run.json").read_text())
    assert said["instead_of"] == one.members[0].run
    assert wave.go_on(record)["members"] == report["members"]


def test_a_member_that_may_have_changed_something_waits_for_a_person(here):
    write(here, "run.step")
    one = over(1, 2)
    record = waves.Record(here / "archive", one.id)
    record.begin(one)
    left_by_the_dead(here / "archive", one.members[0].run)
    report = wave.go_on(record)
    assert report["stopped"] == f"{one.members[0].run} was broken off; first: ops resume {one.members[0].run}"
    assert [member["state"] for member in report["members"]] == ["interrupted", "not begun"]
    assert Archive(here / "archive").ids() == [one.members[0].run]


def test_one_process_at_a_time_goes_on_with_a_wave_and_only_with_the_notebook_that_it_began_with(here):
    one = over(1, 2)
    record = waves.Record(here / "archive", one.id)
    record.begin(one)
    with record.held(), pytest.raises(Refused, match="goes on in another process"):
        wave.go_on(record)
    with pytest.raises(Refused, match="planned nothing"):
        wave.go_on(record, "apply")
    write(here, CHECK, "1")
    with pytest.raises(Refused, match="is not the notebook"):
        wave.go_on(record)


def test_a_table_is_a_member_per_row_and_all_its_faults_are_told_at_once(here):
    table = here / "tenants.csv"
    table.write_text("batch_size,environment\n7,lab\n8,staging\n", encoding="utf-8")
    assert wave_table.rows(table, (), ("a=1",)) == [
        ("lab", ("a=1", "batch_size=7")),
        ("staging", ("a=1", "batch_size=8")),
    ]
    assert wave_table.rows(None, ("lab", "staging"), ("a=1",)) == [("lab", ("a=1",)), ("staging", ("a=1",))]
    for text, why in (
        ("batch_size\n7\n", "nobody says where"),
        ("batch_size,environment\n7\n", "row 2"),
        ("batch_size,batch_size\n7,8\n", "two have the same"),
        ("batch_size,environment\n7,lab,more\n", "row 2"),
    ):
        table.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=why):
            wave_table.rows(table, (), ())
    with pytest.raises(UsageError) as caught:
        wave_table.wave(
            *(NAME, [("moon", ()), ("lab", ("batch_size=many",)), ("lab", ("other=1",))], now()),
            ramp=("0",),
            stop_at="x",
        )
    for part in ("5 faults", "moon", "batch_size", "other", "--ramp: '0'", "--stop-at: 'x'"):
        assert part in str(caught.value)
    with pytest.raises(UsageError, match="a queue does not plan"):
        over(1, mode="plan", by_queue=True)
    with pytest.raises(UsageError, match="two members are the same"):
        over(1, 1)


def test_a_wave_is_found_by_its_end_and_a_strange_name_finds_nothing(here):
    one = over(1)
    waves.Record(here / "archive", one.id).begin(one)
    assert waves.find(here / "archive", one.id.rsplit("-", 1)[1]).wave() == one
    assert [row["says"] for row in wave.known(here / "archive")] == ["no end recorded"]
    for given in ("", "../runs", "x"):
        with pytest.raises(UsageError, match="waves fit"):
            waves.find(here / "archive", given)


def left_by_the_dead(archive, run):
    """Let a process open a run and go without a word."""
    child = os.fork()
    if child == 0:
        Archive(archive).open({"run": run, "notebook": NAME, "environment": "lab"})
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
