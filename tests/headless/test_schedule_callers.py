"""What is written for cron, systemd and Kubernetes: it carries what is needed, no secret, and leaves all else alone."""

import os
import shlex
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.errors import StepFailed, UsageError
from opslib.headless import (
    schedule_callers,
    schedule_crontab,
    schedule_kubernetes,
    schedule_systemd,
    schedule_times,
)
from tests import schedules

OPS = Path("/srv/ops lab/.venv/bin/ops")
CARRIED = {"PATH": "/usr/bin:/bin", "HOME": "/home/o'neil", "OPS_ARCHIVE": "/srv/100% kept"}
NOW = datetime(2026, 11, 29, tzinfo=UTC)
ANALYZE = shutil.which("systemd-analyze")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("OPS_NOTEBOOKS", str(tmp_path / "notebooks"))
    schedules.notebook(tmp_path)
    return tmp_path


def when(here, machine, **more):
    lines = schedule_crontab.lines([schedules.schedule(here, **more)], OPS, CARRIED, machine, NOW)
    return " ".join(lines[1].split()[:5])


def test_a_line_of_cron_carries_what_cron_lacks_and_means_what_was_given(here):
    about, line, reboot = schedule_crontab.lines([schedules.schedule(here)], OPS, CARRIED, "UTC", NOW)
    assert about == "# hourly: runbooks/try-things on lab, due 0 * * * * UTC"
    command = line.removeprefix("0 * * * * ")
    assert reboot == f"@reboot {command}"
    # cron takes \% as % and ends the command at a bare one.
    assert "%" not in command.replace(r"\%", "")
    variables = [f"{name}={value}" for name, value in CARRIED.items()]
    assert shlex.split(command.replace(r"\%", "%")) == ["env", *variables, str(OPS), "schedule", "run", "hourly"]


def test_a_zone_with_the_machines_clock_is_left_to_cron_and_another_is_called_for_in_every_hour(here):
    nightly = {"cron": '"30 2 * * *"', "zone": '"Europe/Berlin"'}
    assert when(here, "Europe/Berlin", **nightly) == "30 2 * * *"
    assert when(here, "Europe/Paris", **nightly) == "30 2 * * *"
    assert when(here, "Etc/UTC", cron='"30 2 * * *"') == "30 2 * * *"
    assert when(here, "UTC", **nightly) == "0,30 * * * *"
    assert when(here, "Asia/Kathmandu", **nightly) == "15,45 * * * *"
    assert when(here, "", **nightly) == "0,15,30,45 * * * *"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns"])
@pytest.mark.parametrize("machine", ["UTC", "Asia/Kathmandu", "America/New_York", ""])
def test_cron_calls_at_every_due_time_of_a_year_in_whatever_zone_the_machine_is(here, zone, machine):
    line = when(here, machine, cron='"10,40 2 * * *"', zone=f'"{zone}"')
    minutes = {int(minute) for minute in line.split()[0].split(",")}
    clock = schedule_crontab.ZoneInfo(machine or "Asia/Kathmandu")
    due = schedule_times.between("10,40 2 * * *", zone, NOW, NOW + timedelta(days=365))
    assert [moment for moment in due if moment.astimezone(clock).minute not in minutes] == []


OTHERS = st.lists(
    st.text(st.characters(exclude_characters="\n\x00", exclude_categories=["Cs"]), max_size=40), max_size=6
)


@given(OTHERS, OTHERS)
@settings(max_examples=60, derandomize=True)
def test_all_other_lines_stay_byte_for_byte_and_installing_twice_is_installing_once(before, after):
    text = "".join(f"{line}\n" for line in before)
    rest = "".join(f"{line}\n" for line in after)
    once = schedule_crontab.replaced(text, ["0 * * * * x"])
    assert schedule_crontab.replaced(once, ["0 * * * * x"]) == once
    assert schedule_crontab.replaced(once, ()) == text
    changed = schedule_crontab.replaced(once + rest, ["5 * * * * y", "6 * * * * z"])
    assert changed.count("y\n6 * * * * z\n") == 1
    assert schedule_crontab.replaced(changed, ()) == text + rest


def test_a_mark_that_lost_its_other_half_takes_nobodys_lines_with_it():
    left = f"1 1 * * * a\n{schedule_crontab.BEGIN}\n2 2 * * * b\n"
    once = schedule_crontab.replaced(left, ["3 3 * * * x"])
    assert once.startswith(left)
    assert schedule_crontab.replaced(once, ()) == left
    for text in (f"{schedule_crontab.END}\n1 1 * * * a\n", f"1 1 * * * a {schedule_crontab.BEGIN}\n"):
        assert schedule_crontab.replaced(schedule_crontab.replaced(text, ["x"]), ()) == text


def test_a_last_line_without_an_end_is_not_glued_to_the_block():
    assert schedule_crontab.replaced("1 1 * * * a", ["x"]).startswith(f"1 1 * * * a\n{schedule_crontab.BEGIN}\n")
    assert schedule_crontab.replaced("1 1 * * * a", ()) == "1 1 * * * a"


@pytest.fixture
def crontab(tmp_path, monkeypatch):
    """A crontab of the test's own under that name on PATH: keeps one table in a file, as the real one does."""
    table = tmp_path / "table"
    program = tmp_path / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\ncase $1 in\n-l) test -e {table}.locked && {{ echo you are not allowed >&2; exit 1; }}\n"
        f"test -e {table} || {{ echo no crontab for x >&2; exit 1; }}; cat {table} ;;\n-) cat > {table} ;;\nesac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return table


def test_a_block_is_put_into_the_crontab_once_and_taken_out_again(crontab):
    assert schedule_crontab.install(["0 * * * * x"]) is True
    assert schedule_crontab.install(["0 * * * * x"]) is False
    assert crontab.read_text().splitlines() == [schedule_crontab.BEGIN, "0 * * * * x", schedule_crontab.END]
    crontab.write_text("MAILTO=me\n" + crontab.read_text() + "5 5 * * * mine %\n")
    assert schedule_crontab.install(["1 * * * * y"]) is True
    assert schedule_crontab.install(()) is True
    assert crontab.read_text() == "MAILTO=me\n5 5 * * * mine %\n"
    assert schedule_crontab.install(()) is False


def test_a_crontab_that_cannot_be_read_is_not_taken_for_an_empty_one(crontab):
    crontab.write_text("5 5 * * * mine\n")
    Path(f"{crontab}.locked").touch()
    with pytest.raises(StepFailed, match="you are not allowed"):
        schedule_crontab.install(["0 * * * * x"])
    assert crontab.read_text() == "5 5 * * * mine\n"


def test_without_crontab_nothing_is_installed_and_that_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="There is no crontab on this machine"):
        schedule_crontab.install(["0 * * * * x"])


def test_only_paths_are_carried_and_never_a_secret_of_the_environment():
    given = {"PATH": "/bin", "HOME": "/root", "DATABASE_URL": "postgresql://u:hunter2@h/d", "OPS_READ_SLACK_TOKEN": "x"}
    carried = schedule_callers.environment(given)
    assert set(carried) == {"PATH", "HOME", *schedule_callers.FOLDERS}
    assert all(os.path.isabs(carried[name]) for name in schedule_callers.FOLDERS)  # noqa: PTH117


@pytest.mark.parametrize("value", ["/bin\nMAILTO=x", "/bin\x1b[31m", f"/bin:ghp_{'a1B2' * 9}"])
def test_a_value_that_no_line_can_hold_or_that_looks_like_a_credential_is_refused(value):
    with pytest.raises(UsageError, match="PATH cannot be written down"):
        schedule_callers.environment({"PATH": value})


def test_units_carry_the_same_and_are_installed_and_removed_without_touching_others(here, tmp_path):
    place = tmp_path / "units"
    place.mkdir()
    (place / "other.service").write_text("mine")
    (place / "ops-schedule-own.service").write_text("mine as well")
    one = schedules.schedule(here)
    units = schedule_systemd.units([one], OPS, CARRIED, NOW)
    service = units["ops-schedule-hourly.service"]
    assert 'ExecStart="/srv/ops lab/.venv/bin/ops" "schedule" "run" "hourly"\n' in service
    assert 'Environment="OPS_ARCHIVE=/srv/100%% kept"\n' in service
    assert sorted(schedule_systemd.install(units, place)) == [
        "ops-schedule-hourly.service",
        "ops-schedule-hourly.timer",
    ]
    assert schedule_systemd.install(units, place) == []
    assert sorted(schedule_systemd.install({}, place)) == sorted(units)
    assert sorted(path.name for path in place.iterdir()) == ["ops-schedule-own.service", "other.service"]
    foreign = schedule_systemd.units([one.model_copy(update={"name": "own"})], OPS, CARRIED, NOW)
    with pytest.raises(StepFailed, match=r"ops-schedule-own.service in .* is not ours"):
        schedule_systemd.install(foreign, place)
    assert not (place / "ops-schedule-own.timer").exists()


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_systemd_itself_finds_no_fault_in_the_units(here, tmp_path):
    program = tmp_path / "with space" / "ops"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    paths = []
    for name, text in schedule_systemd.units([schedules.schedule(here)], program, CARRIED, NOW).items():
        (tmp_path / name).write_text(text)
        paths.append(str(tmp_path / name))
    done = subprocess.run([ANALYZE, "--user", "verify", *paths], capture_output=True, text=True, timeout=60)
    mine = [line for line in done.stderr.splitlines() if "ops-schedule" in line]
    assert mine == []


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize(
    "expression",
    ["30 4 * * *", "*/15 * * * *", "0 9 * * 1-5", "0 0 1,15 * 5", "5 0-20/4 * 2,8 *", "0 12 29 2 *", "0 7 * * 0"],
)
def test_systemd_elapses_at_the_very_times_that_we_count(expression):
    start, many = datetime(2026, 1, 5, 3, tzinfo=UTC), 12
    own, moment = [], start
    for _ in range(many):
        moment = schedule_times.following(expression, "Europe/Berlin", moment)
        own.append(moment)
    theirs = set()
    for line in schedule_systemd.calendar(expression, "Europe/Berlin", start):
        command = [ANALYZE, "calendar", f"--iterations={many}", f"--base-time={start:%Y-%m-%d %H:%M:%S} UTC", line]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=True, env={**os.environ, "TZ": "UTC"}
        )
        for said in done.stdout.splitlines():
            if "elapse:" in said or "Iter." in said:
                text = said.partition(": ")[2].split(" ", 1)[1]
                theirs.add(datetime.strptime(text, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC))
    assert sorted(theirs)[:many] == own


def test_the_end_of_a_gap_is_called_for_where_systemd_would_leave_the_due_time_out():
    assert schedule_systemd.calendar("30 2 * * 1-5", "Europe/Berlin", NOW) == [
        "Mon,Tue,Wed,Thu,Fri *-*-* 02:30:00 Europe/Berlin",
        "*-*-* 03:00:00 Europe/Berlin",
    ]
    assert schedule_systemd.calendar("10 2 * * *", "Australia/Lord_Howe", NOW)[1:] == [
        "*-*-* 02:30:00 Australia/Lord_Howe"
    ]
    for expression, zone in (("30 3 * * *", "Europe/Berlin"), ("*/15 * * * *", "Europe/Berlin"), ("30 2 * * *", "UTC")):
        assert len(schedule_systemd.calendar(expression, zone, NOW)) == 1


def test_a_cron_job_of_kubernetes_never_doubles_and_never_begins_again(here):
    one = schedules.schedule(here, cron='"30 4 * * 7"', zone='"Europe/Berlin"')
    (job,) = yaml.safe_load_all(schedule_kubernetes.manifests([one], "registry/ops:1"))
    spec = job["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("30 4 * * 0", "Europe/Berlin", "Forbid")
    assert spec["startingDeadlineSeconds"] == 1800
    assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    assert (pod["restartPolicy"], pod["automountServiceAccountToken"]) == ("Never", False)
    assert pod["containers"][0]["args"] == ["ops", "schedule", "run", "hourly"]


def test_who_is_to_know_is_told_by_a_line_a_unit_and_a_cronjob_of_their_own(here):
    silent, told = schedules.schedule(here), schedules.schedule(here, tell="[]")
    told = told.model_copy(update={"tell": ("on-call",)})
    assert len(schedule_crontab.lines([silent], OPS, CARRIED, "UTC", NOW)) == 3
    *_, about, line = schedule_crontab.lines([silent, told], OPS, CARRIED, "UTC", NOW)
    assert about.startswith("# ")
    assert line.startswith("*/10 * * * * env ")
    assert shlex.split(line.replace(r"\%", "%"))[-3:] == [str(OPS), "schedule", "tell"]
    units = schedule_systemd.units([told], OPS, CARRIED, NOW)
    assert list(units) == [
        f"ops-schedule-{name}" for name in ("hourly.service", "hourly.timer", "tell.service", "tell.timer")
    ]
    assert '"schedule" "tell"\n' in units["ops-schedule-tell.service"]
    assert "OnCalendar=*:0/10\nPersistent=true" in units["ops-schedule-tell.timer"]
    (*_, job) = yaml.safe_load_all(schedule_kubernetes.manifests([told], "registry/ops:1"))
    container = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    assert (job["metadata"]["name"], job["spec"]["schedule"]) == ("ops-tell-lab", "*/10 * * * *")
    assert container["args"] == ["ops", "schedule", "tell", "--environment", "lab"]
    assert container["envFrom"] == [{"secretRef": {"name": "ops-lab"}}]
    assert len(list(yaml.safe_load_all(schedule_kubernetes.manifests([silent], "registry/ops:1")))) == 1


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_systemd_understands_when_who_is_to_know_is_told():
    done = subprocess.run([ANALYZE, "calendar", "*:0/10"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
