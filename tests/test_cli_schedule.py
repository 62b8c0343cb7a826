"""``ops schedule`` as operators and cron call it: real runs on the lab, one killed, and the machine's own cron."""

import json
import os
import shutil
import signal
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from opslib.archive.verify import verify
from tests import schedules, typed
from tests.scale import nightly
from tests.waiting import until

CRON = shutil.which("cron", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
LACKS = "" if CRON and shutil.which("crontab") else "cron is not installed (Debian: apt-get install cron)"
LACKS = LACKS or ("" if os.geteuid() == 0 else "only root can give cron a folder of its own (unshare --mount)")
SLEEPS = "import time\ntime.sleep(300)"
CHECK = """from opslib.model import Check, Judgement, Probe, Verdict
run.check(Check("cache.words", "Words", Probe("cache.words", "Words", lambda t: [{"n": 1}]),
          lambda r: Judgement(Verdict.OK, "counted"), "Count again."))"""


class Here:
    """A folder with a table, notebooks, an archive and a crontab of the test's own."""

    def __init__(self, folder, lab):
        self.folder, self.archive = folder, folder / "archive"
        own = {
            "OPS_ARCHIVE": self.archive,
            "OPS_LAB": lab,
            "OPS_NOTEBOOKS": folder / "notebooks",
            "OPS_SCHEDULES": folder / "schedules.toml",
            "OPS_LOCKS": folder / "locks",
            "XDG_CONFIG_HOME": folder / "config",
        }
        self.environment = {**os.environ, **{name: str(path) for name, path in own.items()}}

    def table(self, *rows):
        schedules.table(self.folder / "schedules.toml", *rows)

    def start(self, *arguments):
        return subprocess.Popen([typed.OPS, *arguments], env=self.environment, stdout=-1, stderr=-1, text=True)

    def ops(self, *arguments):
        done = typed.ops(*arguments, environment=self.environment)
        return done.returncode, done.stdout, done.stderr

    def json(self, *arguments):
        code, out, err = self.ops(*arguments, "--json")
        assert out, err
        return code, json.loads(out)


@pytest.fixture
def here(tmp_path):
    schedules.notebook(tmp_path, CHECK)
    return Here(tmp_path, tmp_path / "lab")


def soon(minutes=0):
    """Return the cron expression of one minute of today."""
    moment = datetime.now(UTC) + timedelta(minutes=minutes)
    return f'"{moment.minute} {moment.hour} {moment.day} {moment.month} *"'


def due_now(**more):
    return schedules.row(cron=soon(), grace_minutes="10", **more)


def test_a_scheduled_run_is_a_sealed_run_that_names_its_due_time_and_happens_once(here, lab):
    here.environment["OPS_LAB"] = str(lab.folder)
    here.table(due_now())
    process = here.start("schedule", "run", "hourly", "--json")
    did = json.loads(process.communicate(timeout=120)[0])
    assert (process.returncode, did["did"], did["result"]["verdict"]) == (0, "ran", "OK"), did
    asked = json.loads((here.archive / "runs" / did["run"] / "run.json").read_text())
    assert (asked["schedule"], asked["due"]) == ("hourly", did["due"])
    code, again = here.json("schedule", "run", "hourly")
    assert (code, again["did"]) == (0, "nothing")
    code, said = here.json("schedule", "due")
    (entry,) = said["due_times"]
    assert (code, entry["word"], entry["run"], entry["verdict"]) == (0, "ran", did["run"], "OK")
    (row,) = here.json("schedule", "list")[1]["schedules"]
    assert (row["last_due"], row["what_became"], row["tell"]) == (did["due"], "ran OK", "-")
    assert verify(here.archive).ok


def test_a_scheduled_run_that_is_killed_is_told_as_interrupted_and_not_run_again(here, lab):
    here.environment["OPS_LAB"] = str(lab.folder)
    schedules.notebook(here.folder, SLEEPS)
    here.table(due_now())
    process = here.start("schedule", "run", "hourly")
    try:
        running = here.archive / "runs"
        until(lambda: running.is_dir() and any(path.stat().st_size for path in running.glob("*/journal.jsonl")))
        assert [one["word"] for one in here.json("schedule", "due")[1]["due_times"]] == ["running"]
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    code, said = here.json("schedule", "due")
    (entry,) = said["due_times"]
    assert (code, entry["word"]) == (1, "interrupted"), entry
    assert here.json("schedule", "run", "hourly")[1]["did"] == "nothing"
    # The next run of anything closes what was left open; the due time's entry stays what it was.
    schedules.notebook(here.folder, CHECK)
    assert here.ops("run", "runbooks/try-things")[0] == 0
    (entry,) = here.json("schedule", "due")[1]["due_times"]
    assert (entry["word"], entry["run"]) == ("interrupted", entry["run"])
    assert verify(here.archive).ok


def test_a_run_that_cannot_begin_is_told_with_its_reason_and_nothing_is_archived(here):
    here.table(due_now(environment='"staging"'))
    code, out, err = here.ops("schedule", "run", "hourly")
    assert code == 64, out + err
    code, said = here.json("schedule", "due")
    (entry,) = said["due_times"]
    assert (code, entry["word"]) == (1, "failed")
    assert entry["says"].startswith("its run did not begin: ")
    assert not (here.archive / "runs").exists()


def test_a_faulty_table_is_wrong_usage_with_all_faults_and_a_schedule_that_is_not_there_too(here):
    here.table(schedules.row(zone='"Nowhere"'), schedules.row(name='"good"', cron='"0 0 29 2 *"'))
    for command in (("list",), ("cron", "--install")):
        code, out, err = here.ops("schedule", *command)
        assert (code, out) == (64, "")
        assert "hourly: zone:" in err
    assert here.ops("schedule", "run", "hourly")[0] == 64
    assert here.ops("schedule", "run", "nothing")[0] == 64
    assert here.json("schedule", "run", "good")[1]["did"] == "nothing"


def test_what_is_not_installed_is_unknown_and_not_green(here):
    here.table(schedules.row())
    code, said = here.json("schedule", "due")
    assert (code, said["due_times"], list(said["not_installed"])) == (3, [], ["hourly"])


def test_installing_for_cron_counts_from_then_on_and_removing_ends_it(here, tmp_path):
    keeps = tmp_path / "bin" / "crontab"
    keeps.parent.mkdir()
    keeps.write_text(f"#!/bin/sh\ncase $1 in -l) cat {tmp_path}/table ;; -) cat > {tmp_path}/table ;; esac\n")
    keeps.chmod(0o755)
    own = "# mine\nMAILTO=ann\n17 3 * * 1 /usr/local/bin/tidy --keep 5%\n"
    (tmp_path / "table").write_text(own)
    here.environment |= {"PATH": f"{keeps.parent}:{os.environ['PATH']}", "DATABASE_URL": "postgresql://u:hunter2@h/d"}
    here.table(schedules.row())
    for words in ("written", "so already"):
        code, out, err = here.ops("schedule", "cron", "--install")
        assert (code, out, words in err) == (0, "", True), err
    table = (tmp_path / "table").read_text()
    assert table.startswith(own)
    assert (table.count("schedule run hourly"), "hunter2" in table) == (2, False)
    assert f"OPS_SCHEDULES={here.folder}/schedules.toml" in table
    assert here.json("schedule", "due") == (0, {"due_times": [], "not_installed": {}, "not_told": []})
    (here.folder / "schedules.toml").write_text("no table any more [")
    assert here.ops("schedule", "cron", "--remove")[0] == 0
    assert (tmp_path / "table").read_text() == own
    here.table(schedules.row())
    assert here.json("schedule", "due")[0] == 3


def test_units_are_printed_and_written_and_say_when_systemd_does_not_take_them(here, tmp_path):
    here.table(schedules.row())
    code, out, _ = here.ops("schedule", "systemd")
    assert (code, "OnCalendar=*-*-* *:00:00 UTC" in out) == (0, True)
    refuses = tmp_path / "bin" / "systemctl"
    refuses.parent.mkdir()
    refuses.write_text("#!/bin/sh\necho Failed to connect to bus >&2\nexit 1\n")
    refuses.chmod(0o755)
    here.environment["PATH"] = f"{refuses.parent}:{os.environ['PATH']}"
    code, _, err = here.ops("schedule", "systemd", "--install")
    assert (code, "systemd did not take them" in err) == (5, True)
    assert len(list((here.folder / "config" / "systemd" / "user").iterdir())) == 2
    refuses.write_text("#!/bin/sh\n")
    assert here.ops("schedule", "systemd", "--install")[0] == 0
    assert here.ops("schedule", "systemd", "--remove")[0] == 0
    assert list((here.folder / "config" / "systemd" / "user").iterdir()) == []


@nightly
def test_three_calls_at_once_make_one_run(here, lab):
    here.environment["OPS_LAB"] = str(lab.folder)
    here.table(due_now())
    calls = [here.start("schedule", "run", "hourly", "--json") for _ in range(3)]
    said = [json.loads(call.communicate(timeout=240)[0])["did"] for call in calls]
    assert sorted(said) == ["nothing", "nothing", "ran"]
    assert len(list((here.archive / "runs").iterdir())) == 1


CRONS_OWN = """
set -e
mount -t tmpfs none /var/spool
mount -t tmpfs none /run
mount -t tmpfs none /etc/cron.d
mkdir -p /var/spool/cron/crontabs
"$1" schedule cron --install
exec "$2" -f
"""
"""Sees to it, in a mount namespace of its own, that neither this machine's tables nor its cron are touched."""


@nightly
@pytest.mark.skipif(bool(LACKS), reason=LACKS)
def test_the_machines_own_cron_runs_a_due_time_with_next_to_no_environment(here, lab):
    here.environment["OPS_LAB"] = str(lab.folder)
    here.table(schedules.row(cron=soon(2)))
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", CRONS_OWN, "sh", str(typed.OPS), CRON]
    cron = subprocess.Popen(command, env=here.environment, stdout=-1, stderr=-1, text=True)
    try:
        entries = until(lambda: [one for one in here.json("schedule", "due")[1]["due_times"] if one["run"]], 240)
        until(lambda: here.json("schedule", "due")[1]["due_times"][0]["word"] != "running", 120)
    finally:
        cron.kill()
        said = cron.communicate()
    code, found = here.json("schedule", "due")
    assert (code, [one["word"] for one in found["due_times"]]) == (0, ["ran"]), (entries, said)
    assert verify(here.archive).ok
