from __future__ import annotations

import errno
import json
import resource
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from types import FrameType

import pytest

from opslib import files, sshsig
from opslib.archive import log
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import ArchiveError, UsageError
from opslib.model import Verdict
from opslib.redaction import Redactor

from . import build
from .conftest import JOURNAL, Sample


def entries(folder: Path) -> list[log.Entry]:
    return [log.parse((folder / log.name_of(seq)).read_bytes()) for seq in sorted(log.Log(folder).numbers())]


def test_looking_at_an_archive_that_is_not_there_creates_nothing(tmp_path: Path) -> None:
    assert Archive(tmp_path / "archive").runs() == []
    assert not (tmp_path / "archive").exists()


def test_a_run_is_registered_before_it_starts_and_sealed_at_its_end(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    run = build.asked(1)
    folder = archive.open(run)
    assert json.loads((folder / "run.json").read_bytes()) == run
    assert (folder / "evidence").is_dir()
    key, opened = entries(archive.folder)
    assert key.event == "key"
    assert (opened.event, opened.run, opened.file) == ("open", run["run"], f"runs/{run['run']}/run.json")
    assert verify(archive.folder).open == (run["run"],)
    build.fill(folder)
    archive.close(run["run"], Redactor())
    *_, closed = entries(archive.folder)
    assert (closed.event, closed.state) == ("close", "")
    report = verify(archive.folder)
    assert report.ok
    assert report.sealed == (run["run"],)
    assert report.findings == ()
    assert list((archive.folder / "running").iterdir()) == []


def test_only_the_owner_may_look_into_an_archive(sample: Sample) -> None:
    for path in [sample.folder, *sample.folder.rglob("*")]:
        if path.is_dir() or path.parent.name in ("log", "running") or path.parent == sample.folder:
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_run_that_exists_is_not_opened_again(sample: Sample) -> None:
    before = len(entries(sample.folder))
    for number in (1, 4):
        with pytest.raises(ArchiveError, match="exists already"):
            Archive(sample.folder).open(build.asked(number))
    assert len(entries(sample.folder)) == before
    assert list((sample.folder / "running").iterdir()) == []


@pytest.mark.parametrize("name", ["", None, "../../etc", "20261101T000100Z", "20261101T000100Z-a\n", "x" * 40])
def test_an_id_that_is_none_is_refused_before_anything_is_written(tmp_path: Path, name: object) -> None:
    with pytest.raises(ArchiveError, match="no run's id"):
        Archive(tmp_path / "archive").open({"run": name})
    assert not (tmp_path / "archive").exists()


def test_a_closed_run_is_not_closed_again(sample: Sample) -> None:
    with pytest.raises(ArchiveError, match="is closed"):
        Archive(sample.folder).close(sample.first, Redactor())
    with pytest.raises(ArchiveError, match="not registered"):
        Archive(sample.folder).close(build.asked(99)["run"], Redactor())


def test_a_run_held_by_another_is_neither_closed_nor_taken_for_interrupted(tmp_path: Path) -> None:
    holder, other = Archive(tmp_path), Archive(tmp_path)
    run = build.asked(1)["run"]
    build.fill(holder.open(build.asked(1)))
    with pytest.raises(ArchiveError, match="held by another process"):
        other.close(run, Redactor())
    assert other.close_interrupted() == ()
    holder.close(run, Redactor())
    assert verify(tmp_path).sealed == (run,)


@pytest.mark.parametrize("where", ["report.html", "journal.jsonl", "evidence/deep/er.txt", "run.json"])
def test_a_run_with_a_known_secret_goes_to_quarantine_and_not_under_a_seal(tmp_path: Path, where: str) -> None:
    archive = Archive(tmp_path)
    run = build.asked(1)["run"]
    folder = archive.open(build.asked(1))
    build.fill(folder)
    (folder / where).parent.mkdir(exist_ok=True)
    with (folder / where).open("ab") as file:
        file.write(b"postgresql://ops:correct-horse-battery-staple@db")
    with pytest.raises(ArchiveError) as caught:
        archive.close(run, Redactor([build.SECRET]))
    assert where in str(caught.value)
    assert build.SECRET.reveal() not in str(caught.value)
    assert not folder.exists()
    assert (tmp_path / "quarantine" / run / where).is_file()
    note = entries(tmp_path)[-1]
    assert (note.event, note.state, note.run) == ("note", "quarantined", run)
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and "quarantine" not in path.parts]
    assert not any(build.SECRET.reveal().encode() in path.read_bytes() for path in outside)
    assert verify(tmp_path).quarantined == (run,)
    assert "QUARANTINED" in (tmp_path / "index.html").read_text()


def test_a_run_killed_with_its_process_is_closed_as_interrupted_by_the_next_start(tmp_path: Path) -> None:
    run = build.killed(tmp_path, 1, JOURNAL)
    assert verify(tmp_path).open == (run,)
    seen: list[Path] = []
    Archive(tmp_path).open(build.asked(2), render=seen.append)
    folder = tmp_path / "runs" / run
    assert seen == [folder]
    said = json.loads((folder / "result.json").read_bytes())
    assert (said["state"], said["verdict"], said["finished_at"]) == ("interrupted", "UNKNOWN", "2026-11-01T00:03:07Z")
    assert "opened in cell look" in said["reason"]
    assert (folder / "journal.jsonl").read_text() == JOURNAL, "the journal stays as the process left it"
    closed = next(entry for entry in entries(tmp_path) if entry.event == "close")
    assert (closed.run, closed.state) == (run, "interrupted")
    report = verify(tmp_path)
    assert report.ok
    assert report.sealed == (run,)


def test_a_step_with_an_intent_and_no_outcome_is_named_as_in_doubt(tmp_path: Path) -> None:
    lines = [
        {"seq": 1, "event": "result", "result": {"verdict": "OK"}, "time": "2026-11-01T00:01:01Z"},
        {"seq": 2, "event": "intent", "step": "take-backup", "time": "2026-11-01T00:01:02Z"},
        {"seq": 3, "event": "applied", "step": "take-backup", "time": "2026-11-01T00:01:03Z"},
        {"seq": 4, "event": "intent", "step": "drop-table", "cell": "drop-table", "time": "2026-11-01T00:01:04Z"},
    ]
    run = build.killed(tmp_path, 1, "".join(json.dumps(line) + "\n" for line in lines))
    assert Archive(tmp_path).close_interrupted() == (run,)
    said = json.loads((tmp_path / "runs" / run / "result.json").read_bytes())
    assert "In doubt, look at the target: drop-table." in said["reason"]
    assert said["counts"]["OK"] == 1
    assert (said["steps"], said["seconds"]) == (2, 4.0)


def test_a_run_that_ended_but_was_not_sealed_keeps_its_own_result(tmp_path: Path) -> None:
    run = build.killed(tmp_path, 1)
    build.fill(tmp_path / "runs" / run, "WARNING")
    before = (tmp_path / "runs" / run / "result.json").read_bytes()
    assert Archive(tmp_path).close_interrupted() == (run,)
    assert (tmp_path / "runs" / run / "result.json").read_bytes() == before
    assert Archive(tmp_path).find(run).verdict is Verdict.WARNING


def test_a_secret_in_an_interrupted_run_goes_to_quarantine_and_the_new_run_starts(tmp_path: Path) -> None:
    run = build.killed(tmp_path, 1, '{"text": "correct-horse-battery-staple"}\n')
    Archive(tmp_path).open(build.asked(2), redactor=Redactor([build.SECRET]))
    report = verify(tmp_path)
    assert report.quarantined == (run,)
    assert report.ok


def test_a_report_that_cannot_be_rendered_does_not_keep_a_run_from_its_seal(tmp_path: Path) -> None:
    def broken(folder: Path) -> None:
        raise ZeroDivisionError

    run = build.killed(tmp_path, 1)
    assert Archive(tmp_path).close_interrupted(render=broken) == (run,)
    assert entries(tmp_path)[-1].text == "no report: ZeroDivisionError"
    assert verify(tmp_path).ok


def test_an_interrupted_run_that_cannot_be_sealed_stays_open_and_keeps_nobody_from_starting(tmp_path: Path) -> None:
    run = build.killed(tmp_path, 1)
    (tmp_path / "runs" / run / "evidence" / "link").symlink_to("/etc/hostname")
    Archive(tmp_path).open(build.asked(2))
    assert run in verify(tmp_path).open
    (tmp_path / "runs" / run / "evidence" / "link").unlink()
    assert Archive(tmp_path).close_interrupted() == (run,)


@pytest.mark.parametrize("moment", ["folder", "entry", "quarantine", "closed", "manifest", "staging"])
def test_a_start_brings_to_an_end_whatever_moment_a_process_was_killed_in(tmp_path: Path, moment: str) -> None:
    folder = tmp_path / "archive"
    build.sealed(Archive(folder), 0)
    run = build.asked(1)["run"]
    place = folder / "runs" / run
    if moment == "staging":
        (folder / "running" / f".{run}.new" / "evidence").mkdir(parents=True)
        (folder / "running" / run).touch()
    else:
        build.killed(folder, 1)
    if moment == "folder":
        (folder / log.name_of(4)).unlink()
    elif moment == "quarantine":
        place.rename(folder / "quarantine" / run)
    elif moment == "manifest":
        (place / "MANIFEST.sha256").write_text("half a manif")
        (place / ".report.html.part").write_text("half a rep")
    elif moment == "closed":
        Archive(folder).close_interrupted()
        (folder / "running" / run).touch()
    Archive(folder).open(build.asked(2))
    report = verify(folder)
    assert report.ok, str(report)
    assert report.open == (build.asked(2)["run"],)
    assert (run in report.sealed) == (moment not in ("quarantine", "staging"))
    assert build.shell(folder)[0] == 0
    assert [path.name for path in (folder / "running").iterdir()] == [build.asked(2)["run"]]


def test_an_archive_brought_back_without_its_locks_closes_what_was_open(tmp_path: Path) -> None:
    run = build.killed(tmp_path, 1)
    (tmp_path / "running" / run).unlink()
    (tmp_path / "running").rmdir()
    archive = Archive(tmp_path)
    archive.append("note", "")
    assert stat.S_IMODE((tmp_path / "running" / run).stat().st_mode) == 0o600
    archive.open(build.asked(2))
    assert verify(tmp_path).sealed == (run,)


def test_twenty_processes_open_and_close_at_once_and_the_log_has_neither_gap_nor_double(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from archive import build
from opslib.archive.store import Archive
archive = Archive(Path(sys.argv[1]))
sys.stdin.read()
for turn in range(2):
    build.sealed(archive, int(sys.argv[2]) * 2 + turn)
"""
    processes = [build.child(script, tmp_path, number, stdin=subprocess.PIPE) for number in range(20)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait() for process in processes] == [0] * 20
    assert sorted(log.Log(tmp_path).numbers()) == list(range(1, 82))
    report = verify(tmp_path)
    assert report.ok, str(report)
    assert len(report.sealed) == 40
    assert report.findings == ()
    assert (tmp_path / "index.html").read_text().count("<tr>") == 41


def test_two_starts_at_once_close_an_interrupted_run_only_once(tmp_path: Path) -> None:
    run = build.killed(tmp_path, 1)
    script = """
import sys
from pathlib import Path
from opslib.archive.store import Archive
print(len(Archive(Path(sys.argv[1])).close_interrupted()))
"""
    processes = [build.child(script, tmp_path) for _ in range(6)]
    assert sum(int(process.communicate()[0]) for process in processes) == 1
    assert verify(tmp_path).sealed == (run,)


def limited(folder: Path, room: int, verb: str) -> str:
    """Open or close a run in a process that can write no file beyond ``room`` bytes."""
    archive, run = Archive(folder), build.asked(7)
    if verb == "close":
        build.fill(archive.open(run))
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        archive.open(run) if verb == "open" else archive.close(run["run"], Redactor())
    except ArchiveError:
        return "refused"
    return "done"


@pytest.mark.parametrize("verb", ["open", "close"])
@pytest.mark.parametrize("room", [0, 1, 100, 300, 400, 500, 600, 700, 5000])
def test_a_full_disk_leaves_nothing_half_written_under_a_name(sample: Sample, verb: str, room: int) -> None:
    before = {path: path.read_bytes() for path in sample.folder.rglob("*") if path.is_file()}
    _, said = build.forked(lambda: limited(sample.folder, room, verb))
    assert said in ("refused", "done")
    assert room > 100 or said == "refused"
    for path, data in before.items():
        # Hints may be torn: their lines and they themselves count only whole (test_index, test_index_newest).
        assert path.name.startswith(("index", ".lock", ".index")) or path.read_bytes() == data
    for path in (sample.folder / "log").iterdir():
        assert sshsig.canonical(path.read_bytes()) if path.suffix == ".sig" else log.parse(path.read_bytes())
    report = verify(sample.folder)
    assert report.ok, str(report)
    run = build.asked(7)["run"]
    if said == "refused" and verb == "open":
        assert not (sample.folder / "runs" / run).exists()
    Archive(sample.folder).close_interrupted()
    report = verify(sample.folder)
    assert report.ok, str(report)
    assert report.open == ()


def test_a_close_that_failed_can_be_done_again(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    run = build.asked(1)["run"]
    folder = archive.open(build.asked(1))
    build.fill(folder)
    (folder / "evidence" / "link").symlink_to("result.json")
    with pytest.raises(ArchiveError, match="is a link"):
        archive.close(run, Redactor())
    (folder / "evidence" / "link").unlink()
    archive.close(run, Redactor())
    assert verify(tmp_path).sealed == (run,)


def test_runs_come_newest_first_and_a_damaged_one_says_so(sample: Sample) -> None:
    (sample.folder / "runs" / sample.second / "result.json").write_text("{")
    (sample.folder / "runs" / sample.first / "run.json").write_text('["no object"]')
    runs = Archive(sample.folder).runs()
    assert [run.run for run in runs] == sorted((run.run for run in runs), reverse=True)
    by_id = {run.run: run for run in runs}
    assert by_id[sample.last].verdict is Verdict.WARNING
    assert by_id[sample.second].verdict is Verdict.UNKNOWN
    assert by_id[sample.second].damage == "result.json cannot be read."
    assert by_id[sample.first].damage == "run.json holds no object."
    assert by_id[sample.quarantined].sealed == "quarantined"
    assert by_id[sample.interrupted].state == "interrupted"
    assert len(Archive(sample.folder).runs(limit=2)) == 2


def test_a_run_is_found_by_the_beginning_of_its_id_or_by_its_last_part(sample: Sample) -> None:
    archive = Archive(sample.folder)
    assert archive.find(sample.first).run == sample.first
    assert archive.find("20261101T0002").run == sample.second
    assert archive.find("000005").run == sample.last
    for given in ("2026", "nothing-like-it", ""):
        with pytest.raises(UsageError):
            archive.find(given)


def test_a_changed_verify_script_is_brought_back_by_the_next_start(sample: Sample) -> None:
    (sample.folder / "verify.sh").write_text("exit 0\n")
    assert [finding.where for finding in verify(sample.folder).findings if "script" in finding.what] == ["verify.sh"]
    Archive(sample.folder).open(build.asked(9))
    assert "script" not in str(verify(sample.folder))


def test_a_place_that_can_hold_no_archive_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="cannot be used"):
        Archive(tmp_path / "file").open(build.asked(1))


def test_a_run_that_runs_in_another_process_is_not_opened_again(tmp_path: Path) -> None:
    holder, other = Archive(tmp_path), Archive(tmp_path)
    holder.open(build.asked(1))
    with pytest.raises(ArchiveError, match="is running in another process"):
        other.open(build.asked(1))
    assert log.Log(tmp_path).open_runs() == (build.asked(1)["run"],)


def test_a_run_whose_process_has_gone_can_be_closed_by_another(tmp_path: Path) -> None:
    run = build.killed(tmp_path, 1)
    build.fill(tmp_path / "runs" / run)
    Archive(tmp_path).close(run, Redactor(), "interrupted")
    assert (entries(tmp_path)[-1].event, entries(tmp_path)[-1].state) == ("close", "interrupted")
    assert verify(tmp_path).sealed == (run,)
    assert list((tmp_path / "running").iterdir()) == []


def test_an_open_run_whose_folder_has_gone_is_told_and_keeps_nobody_from_starting(tmp_path: Path) -> None:
    run = build.killed(tmp_path, 1)
    shutil.rmtree(tmp_path / "runs" / run)
    assert Archive(tmp_path).close_interrupted() == ()
    assert not (tmp_path / "running" / run).exists()
    assert "its folder is gone" in str(verify(tmp_path))


def test_a_run_whose_entry_is_there_stays_registered_though_the_disk_then_failed(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    build.sealed(archive, 1)
    run = build.asked(2)["run"]

    def failing(frame: FrameType, event: str, _: object) -> None:
        # A disk that fails as the new entry's name is flushed: that takes a broken one, so it is raised here.
        if event == "call" and frame.f_code is files.sync_folder.__code__ and (tmp_path / log.name_of(4)).exists():
            sys.setprofile(None)
            raise OSError(errno.EIO, "Input/output error")

    sys.setprofile(failing)
    try:
        with pytest.raises(ArchiveError, match="could not be written"):
            archive.open(build.asked(2))
    finally:
        sys.setprofile(None)
    assert (tmp_path / "runs" / run / "run.json").is_file()
    assert archive.log.open_runs() == (run,)
    assert Archive(tmp_path).close_interrupted() == (run,)
    assert verify(tmp_path).ok


def test_an_id_may_be_so_long_and_no_longer(tmp_path: Path) -> None:
    longest = "20261101T000100Z-" + "a" * 133
    assert len(longest) == 150
    assert Archive(tmp_path).open({"run": longest}).name == longest
    with pytest.raises(ArchiveError, match="no run's id"):
        Archive(tmp_path).open({"run": f"{longest}a"})


def test_the_note_on_a_run_in_quarantine_counts_its_files(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    place = archive.open(build.asked(1))
    build.fill(place)
    for name in ("one", "two"):
        (place / "evidence" / name).write_text(build.SECRET.reveal())
    with pytest.raises(ArchiveError):
        archive.close(place.name, Redactor([build.SECRET]))
    assert entries(tmp_path)[-1].text == "not sealed: a secret stands in 2 of its files"
    lost = build.killed(tmp_path, 2)
    (tmp_path / "runs" / lost).rename(tmp_path / "quarantine" / lost)
    assert Archive(tmp_path).close_interrupted() == ()
    assert entries(tmp_path)[-1].text == "not sealed: a secret stands in its files"


def test_what_was_said_to_a_run_from_outside_goes_with_it(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    run = archive.open(build.asked(1)).name
    build.fill(tmp_path / "runs" / run)
    for name in (f"{run}.stop", f"{run}.confirm", f".{run}.part"):
        (tmp_path / "running" / name).write_text("")
    (tmp_path / "running" / "20261101T000100Z.kept").write_text("")
    archive.close(run, Redactor())
    assert Archive(tmp_path).close_interrupted() == ()
    assert [path.name for path in (tmp_path / "running").iterdir()] == ["20261101T000100Z.kept"]


def test_why_a_lost_run_has_the_result_and_the_report_that_it_has_is_in_its_entry(tmp_path: Path) -> None:
    def broken(folder: Path) -> None:
        raise KeyError

    run = build.killed(tmp_path, 1)
    build.fill(tmp_path / "runs" / run)
    assert Archive(tmp_path).close_interrupted() == (run,)
    assert entries(tmp_path)[-1].text == "the run had ended; its process went before sealing it"
    run = build.killed(tmp_path, 2)
    build.fill(tmp_path / "runs" / run)
    Archive(tmp_path).close_interrupted(render=broken)
    text = "the run had ended; its process went before sealing it; no report: KeyError"
    assert entries(tmp_path)[-1].text == text
    lost = build.killed(tmp_path, 3)
    (tmp_path / log.name_of(6)).unlink()
    assert Archive(tmp_path).close_interrupted() == (lost,)
    assert [(one.event, one.text) for one in entries(tmp_path)[-2:]] == [
        ("open", "registered after its process had gone"),
        ("close", ""),
    ]


def test_a_run_that_is_held_here_is_not_taken_for_lost(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    run = archive.open(build.asked(1)).name
    assert archive.close_interrupted() == ()
    archive.open(build.asked(2))
    assert set(log.Log(tmp_path).open_runs()) == {run, build.asked(2)["run"]}


def test_a_lost_run_is_in_the_index_and_its_halves_of_files_are_gone(tmp_path: Path) -> None:
    run = build.killed(tmp_path, 1)
    (tmp_path / "runs" / run / ".report.html.part").write_text("half")
    Archive(tmp_path).close_interrupted()
    assert run in (tmp_path / "index.html").read_text()
    assert not (tmp_path / "runs" / run / ".report.html.part").exists()


def test_a_run_that_cannot_be_registered_leaves_nothing_behind(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    build.sealed(archive, 1)
    newest = tmp_path / log.name_of(3)
    newest.unlink()
    newest.mkdir()
    with pytest.raises(ArchiveError, match="cannot be read"):
        archive.open(build.asked(2))
    assert not (tmp_path / "runs" / build.asked(2)["run"]).exists()
    assert list((tmp_path / "running").iterdir()) == []
    newest.rmdir()
    assert archive.open(build.asked(2)).is_dir()


def test_of_the_runs_of_one_work_its_last_part_finds_the_newest(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    first = build.asked(1)["run"]
    for kind in ("", "-apply", "-undo-1"):
        build.opened_and_closed(archive, build.asked(1) | {"run": f"{first}{kind}"}, lambda folder: None)
    build.sealed(archive, 2)
    assert archive.find("000001").run == f"{first}-undo-1"
    assert archive.find(first).run == first
    assert archive.find(f"{first}-a").run == f"{first}-apply"
    with pytest.raises(UsageError, match="4 runs in"):
        archive.find("2026")
    with pytest.raises(UsageError, match="No run in"):
        archive.find("x")


def test_heartbeats_are_written_also_into_a_new_archive(tmp_path: Path) -> None:
    said = Archive(tmp_path / "archive").append("heartbeat", "alive")
    assert (said.seq, said.event, said.text, said.run) == (2, "heartbeat", "alive", "-")
    assert (tmp_path / "archive" / "verify.sh").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="cannot be used"):
        Archive(tmp_path / "file").append("note", "")
    with pytest.raises(ArchiveError, match="cannot be used"):
        Archive(tmp_path / "file").index()


def test_what_was_asked_is_kept_as_text_for_people(tmp_path: Path) -> None:
    run = build.asked(1, requested_by="Zoë")
    said = (Archive(tmp_path).open(run) / "run.json").read_text()
    assert said == json.dumps(run, indent=2, ensure_ascii=False) + "\n"


def test_a_run_is_sealed_once_and_is_in_the_index_then(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    run = build.sealed(archive, 1)
    assert run in (tmp_path / "index.html").read_text()
    assert archive.index() == tmp_path / "index.html"
    with pytest.raises(ArchiveError, match="is closed"):
        archive.close(run, Redactor())
    with pytest.raises(ArchiveError, match="no run's id"):
        archive.close("../outside", Redactor())
    with pytest.raises(UsageError, match=r"No run|1 runs"):
        archive.find("")
    assert len(entries(tmp_path)) == 3


def test_a_start_without_a_renderer_seals_a_lost_run_without_a_word_on_its_report(tmp_path: Path) -> None:
    build.killed(tmp_path, 1)
    Archive(tmp_path).open(build.asked(2))
    assert [one.text for one in entries(tmp_path) if one.event == "close"] == [""]


def test_a_run_that_was_closed_already_is_not_told_as_closed_now(tmp_path: Path) -> None:
    run = build.killed(tmp_path, 1)
    assert Archive(tmp_path).close_interrupted() == (run,)
    (tmp_path / "running" / run).touch()
    assert Archive(tmp_path).close_interrupted() == ()
    assert list((tmp_path / "running").iterdir()) == []


def test_what_a_killed_start_left_half_made_is_no_part_of_the_run(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.append("note", "")
    left = tmp_path / "running" / f".{build.asked(1)['run']}.new" / "evidence"
    left.mkdir(parents=True)
    (left / "stale").write_text("")
    folder = archive.open(build.asked(1))
    assert sorted(path.name for path in folder.rglob("*")) == ["evidence", "run.json"]
