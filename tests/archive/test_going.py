"""Which runs go on: those whose process holds its lock; asking changes nothing."""

from opslib.archive.going import going
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
