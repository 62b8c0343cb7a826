"""The table of schedules: a row that cannot be kept is refused with all its faults, and stops no other row."""

from pathlib import Path

import pytest

from opslib.errors import UsageError
from opslib.headless import notebooks, schedule_table
from opslib.model import now
from tests import schedules

ROOT = Path(__file__).resolve().parents[2]
PLAN = "20261130T010000Z-runbooks-try-things-a1b2c3"
STEP = "run.step(actions.cache.clear)"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("OPS_NOTEBOOKS", str(tmp_path / "notebooks"))
    schedules.notebook(tmp_path)
    return tmp_path


def faults(here, **more):
    read = schedule_table.read(schedules.table(here / "schedules.toml", schedules.row(**more)))
    assert read.rows == ()
    return "; ".join(fault for found in read.faults.values() for fault in found)


def test_a_good_row_is_read_with_its_defaults(here):
    one = schedules.schedule(here)
    assert (one.environment, one.zone, one.overlap, one.tell) == ("lab", "UTC", "skip", ())
    assert (one.grace.total_seconds(), one.catch_up.total_seconds()) == (300, 1800)


def test_what_may_be_late_may_be_caught_up_at_least_as_long(here):
    assert schedules.schedule(here, catch_up_minutes=None, grace_minutes="20").catch_up.total_seconds() == 1200


def test_the_example_has_no_fault_and_its_schedules_are_due():
    rows = schedule_table.read(ROOT / "schedules.example.toml").whole()
    assert [row.name for row in rows] == ["triage", "daily-routine", "dependencies", "maintenance-plan", "backup"]
    assert all(schedule_table.read(ROOT / "schedules.example.toml").told(row) for row in rows)
    assert all(schedule_table.schedule_times.following(row.cron, row.zone, now()) for row in rows)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"name": '"Not A Name"'}, "name: String should match"),
        ({"name": None}, "name: Field required"),
        ({"name": '"tell"'}, "those of ops schedule tell"),
        ({"name": '"tell-lab"'}, "those of ops schedule tell"),
        ({"mandate": '"yesterday"'}, "mandate: String should match"),
        ({"mandate": f'"{PLAN}"', "plan": "true"}, "mandate: with plan = true nothing is applied"),
        ({"notebook": '"diagnostics/nowhere"'}, "notebook: There is no notebook 'diagnostics/nowhere'"),
        ({"environment": '"moon"'}, "environment: Input should be 'lab', 'staging' or 'production'"),
        ({"cron": '"61 * * * *"'}, "cron: Value error, Bad minute"),
        ({"cron": '"* * * * *"'}, "cron: Value error, it is due more often"),
        ({"zone": '"Europe/Atlantis"'}, "zone: Value error, it is no name of the IANA time zone database"),
        ({"zone": '"../../etc/passwd"'}, "zone: Value error, it is no name"),
        ({"parameters": "{ wrods = 1 }"}, "parameters: runbooks/try-things cannot be run: wrods is not a parameter"),
        ({"parameters": "{ environment = 'lab' }"}, "environment is given with --environment"),
        ({"parameters": "{ words = [1] }"}, "parameters.words: Input should be a valid"),
        ({"parameters": f"{{ words = 'ghp_{'a1B2' * 9}' }}"}, "what looks like a credential stands in words"),
        ({"overlap": '"kill"'}, "overlap: Input should be 'skip' or 'wait'"),
        ({"overlap": '"wait"'}, 'wait_minutes: overlap = "wait" needs a bound'),
        ({"wait_minutes": "5"}, 'wait_minutes: is for overlap = "wait"'),
        ({"grace_minutes": "0"}, "grace_minutes: Input should be greater than or equal to 1"),
        ({"grace_minutes": "true"}, "grace_minutes: Input should be a valid integer"),
        ({"catch_up_minutes": "-1"}, "catch_up_minutes: Input should be greater"),
        ({"tell": '["x\\u001b[31m"]'}, "tell.0: String should match"),
        ({"plan": '"yes"'}, "plan: Input should be a valid boolean"),
        ({"command": '"rm -rf /"'}, "command: Extra inputs are not permitted"),
    ],
)
def test_a_row_that_cannot_be_kept_is_refused_with_the_reason(here, more, words):
    assert words in faults(here, **more)


def test_all_faults_of_all_rows_are_told_at_once_and_a_good_row_still_runs(here):
    bad = schedules.row(
        name='"bad"', cron='"61 * * * *"', zone='"Nowhere"', notebook='"runbooks/none"', overlap='"wait"'
    )
    path = schedules.table(here / "schedules.toml", bad, schedules.row(), schedules.row(name='"odd"', plan="1"))
    read = schedule_table.read(path)
    with pytest.raises(UsageError) as told:
        read.whole()
    said = str(told.value)
    assert all(word in said for word in ("Bad minute", "IANA", "There is no notebook", "needs a bound", "odd: plan:"))
    assert read.row("hourly").name == "hourly"
    with pytest.raises(UsageError, match="Bad minute"):
        read.row("bad")
    with pytest.raises(UsageError, match="There is no schedule 'other'"):
        read.row("other")


def test_two_rows_of_one_name_are_both_refused(here):
    read = schedule_table.read(schedules.table(here / "schedules.toml", schedules.row(), schedules.row()))
    assert (read.rows, read.faults) == ((), {"hourly": ("name: 2 rows have it",), "row 2": ("name: 2 rows have it",)})
    with pytest.raises(UsageError, match="2 rows have it"):
        read.row("hourly")


def test_a_changing_runbook_is_refused_unless_it_is_only_planned(here):
    schedules.notebook(here, STEP)
    assert "the plan that has a mandate" in faults(here)
    assert schedules.schedule(here, plan="true").plan is True
    assert schedules.schedule(here, mandate=f'"{PLAN}"').mandate == PLAN


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("[tell.ops]", "told by nothing"),
        ("[tell.ops]\npagerduty = false", "told by nothing"),
        ("[tell.ops]\npagerduty = 1", "pagerduty: Input should be a valid boolean"),
        ("[tell.ops]\nslack = ['#ops']", "slack.0: String should match"),
        ("[tell.ops]\nslack = 'C0OPS1'", "slack: Input should be a valid tuple"),
        ("[tell.ops]\nmail = ['Ops <ops@valuecanvas.example>']", "mail.0: String should match"),
        ('[tell.ops]\nmail = ["ops@valuecanvas.example\\nBcc: eve@example.org"]', "mail.0: String should match"),
        ("[tell.ops]\nwebhook = 'https://hooks.slack.com/services/T0/B0/hunter2hunter2'", "webhook: Extra inputs"),
        ("[[tell]]\nname = 'ops'", "begins with [tell.NAME]"),
        ("[tell]\nops = 3", "tell.ops: "),
    ],
)
def test_a_recipient_that_cannot_be_reached_is_refused_and_repeats_no_value(here, said, words):
    path = schedules.table(here / "schedules.toml", schedules.row())
    path.write_text(f"{path.read_text()}\n{said}\n", encoding="utf-8")
    with pytest.raises(UsageError) as told:
        schedule_table.read(path).whole()
    assert words in str(told.value)
    assert "hunter2" not in str(told.value)
    assert schedule_table.read(path).row("hourly").name == "hourly"


def test_names_stand_for_destinations_and_each_is_told_once(here):
    path = schedules.table(here / "schedules.toml", schedules.row(tell='["a", "b"]'))
    first = "[tell.a]\npagerduty = true\nslack = ['C0OPS1']\n"
    path.write_text(f"{path.read_text()}\n{first}", encoding="utf-8")
    # The row runs all the same; that nobody hears of it is told.
    assert schedule_table.read(path).row("hourly").tell == ("a", "b")
    with pytest.raises(UsageError, match=r"tell\.b: hourly is to tell it, and there is no such table"):
        schedule_table.read(path).whole()
    second = "[tell.b]\nslack = ['C0OPS1']\nmail = ['b@valuecanvas.example']\n"
    path.write_text(f"{path.read_text()}{second}", encoding="utf-8")
    read = schedule_table.read(path)
    (row,) = read.whole()
    assert [to.name for to in read.told(row)] == ["lab-pagerduty", "lab-slack-C0OPS1", "lab-mail-b@valuecanvas.example"]


@pytest.mark.parametrize("source", ["do = run.step\ndo(x)", "getattr(run, 'st' + 'ep')(x)", "exec(text)"])
def test_a_runbook_that_hides_its_steps_counts_as_changing(here, source):
    assert notebooks.takes_steps(schedules.notebook(here, source))


def test_a_notebook_whose_code_cannot_be_read_counts_as_changing(here):
    assert notebooks.takes_steps(schedules.magic(here, "!ls"))


def test_of_our_own_notebooks_just_the_runbooks_and_recoveries_change_something(monkeypatch):
    monkeypatch.delenv("OPS_NOTEBOOKS", raising=False)
    still = {one.name for one in notebooks.everything() if not notebooks.takes_steps(one)}
    assert {name for name in still if name.startswith("runbooks/")} == set()
    assert {name for name in still if name.startswith("disaster/")} == {"disaster/recovery-drill"}
    assert {one.name for one in notebooks.everything() if one.name.startswith("diagnostics/")} <= still


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[schedule]\n", "cannot be read"),
        ("[schedule]\nname = 'x'\n", "in double brackets"),
        ("[other]\nx = 1\n", "only \\[\\[schedule\\]\\] and"),
        ("schedule = [1]\n", "in double brackets"),
    ],
)
def test_what_is_no_table_is_told(tmp_path, text, words):
    path = tmp_path / "schedules.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        schedule_table.read(path).whole()


def test_a_missing_table_is_told_with_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("OPS_SCHEDULES", str(tmp_path / "none.toml"))
    with pytest.raises(UsageError, match=r"none\.toml"):
        schedule_table.read()


def test_no_fault_repeats_a_value(here):
    said = faults(
        here, name='"hunter2-hunter2!"', cron='"hunter2-hunter2"', zone='"hunter2-hunter2"', tell='["hunter2!"]'
    )
    assert "hunter2" not in said
