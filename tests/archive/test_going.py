"""Which runs go on: those whose process holds its lock; asking changes nothing."""

import fcntl

from opslib.archive.going import going, held
from opslib.archive.store import Archive
from opslib.redaction import Redactor
from tests.archive import build


def test_a_run_goes_on_while_its_process_holds_it_and_not_after(tmp_path):
    archive = Archive(tmp_path)
    assert going(tmp_path) == ()
    lost = build.killed(tmp_path, 1)
    assert going(tmp_path) == ()
    assert (tmp_path / "running" / lost).exists()
    archive.open(build.asked(2))
    run = build.asked(2)["run"]
    assert going(tmp_path) == (run,)
    archive.close(run, Redactor())
    assert going(tmp_path) == ()
    assert archive.log.state(lost) == "closed", "asking held nothing that keeps a lost run from being closed"


def test_one_that_may_not_be_looked_at_is_taken_for_going(tmp_path):
    build.sealed(Archive(tmp_path), 1)
    run = build.asked(2)["run"]
    (tmp_path / "elsewhere").touch()
    (tmp_path / "running" / run).symlink_to(tmp_path / "elsewhere")
    assert going(tmp_path) == (run,)


def test_one_whose_lock_went_while_it_was_looked_for_has_ended(tmp_path):
    assert held(tmp_path / "gone") is False


def test_only_ids_of_runs_are_looked_at_and_they_come_in_order(tmp_path):
    archive = Archive(tmp_path)
    runs = [archive.open(build.asked(number)).name for number in (3, 2)]
    (tmp_path / "running" / f"{runs[0]}.stop").touch()
    (tmp_path / "running" / ".part").touch()
    assert going(tmp_path) == tuple(sorted(runs))


def test_two_who_look_at_once_are_not_taken_for_the_run(tmp_path):
    run = build.killed(tmp_path, 1)
    with (tmp_path / "running" / run).open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH | fcntl.LOCK_NB)
        assert going(tmp_path) == ()
