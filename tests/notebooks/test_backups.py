"""The notebook of backups as people run it: without a backup, with a proven one, and where nobody answers."""

from opslib.archive.verify import verify
from opslib.lab.broken import find
from opslib.redaction import Redactor
from tests.notebooks.recorded import verdicts
from tests.scale import nightly
from tests.vendors import Doors

NAME = "diagnostics/backups"
OURS = {"backup-freshness", "proof-age", "recovery-time", "backup-coverage", "backup-shrinkage", "backup-overdue"}
OTHERS = {"backup-protections", "backup-automatic", "backup-point-in-time", "backup-places", "backup-logs"}
OTHERS |= {"database-ways-back", "backup-access"}


def test_without_a_backup_it_says_so_first_and_changes_nothing(house, run, fingerprint):
    before = fingerprint()
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 2), result
    assert "There is no backup at all" in result["reason"]
    assert fingerprint() == before
    said = verdicts(folder)
    assert set(said) == OURS | OTHERS
    assert {name: said[name] for name in OTHERS} == dict.fromkeys(OTHERS, "OK")
    redactor = Redactor(house.settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []


def test_with_a_proven_backup_all_is_well(run):
    assert run("runbooks/back-up-database")[0]["exit_code"] == 0
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert verdicts(folder) == dict.fromkeys(OURS | OTHERS, "OK")


@nightly
def test_a_bucket_that_lets_nobody_in_is_named_and_a_backup_fails_for_real_until_its_owner_opens_it(house, run):
    fault = find("bucket-denied")
    fault.make(house.settings)
    try:
        said = verdicts(run(NAME)[1])
        failed, _ = run("runbooks/back-up-database")
    finally:
        fault.mend(house.settings)
    assert said["backup-access"] == "CRITICAL"
    assert (said["backup-protections"], said["backup-automatic"]) == ("OK", "OK")
    assert (failed["state"], failed["exit_code"]) != ("finished", 0), failed
    assert "these credentials may not do that" in failed["reason"]
    assert run("runbooks/back-up-database")[0]["exit_code"] == 0
    assert verdicts(run(NAME)[1])["backup-access"] == "OK"


@nightly
def test_where_supabase_and_the_store_do_not_answer_nothing_is_green(house, run):
    description = house.lab.folder / "target.env"
    text = description.read_text()
    description.write_text(text.replace(house.settings.aws_endpoint_url, "http://127.0.0.1:9"))
    try:
        with Doors(house.settings).fault("supabase", "500"):
            result, folder = run(NAME)
    finally:
        description.write_text(text)
    assert result["exit_code"] == 3, result
    assert verdicts(folder) == dict.fromkeys(OURS | OTHERS, "UNKNOWN")


def test_the_archive_of_all_these_runs_verifies(house):
    assert verify(house.archive).ok
