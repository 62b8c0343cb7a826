"""What a worker does with one requested run: by the archive's word, and by its own look at what was asked."""

import json
import os
from dataclasses import replace

import pytest

from opslib import settings_queue
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import Refused, SettingsError, UsageError
from opslib.headless import queue_asking, queue_running
from opslib.headless.queue_running import Worker, carry_out
from opslib.headless.stop import Stop
from opslib.redaction import DatabaseUrl, Redactor
from opslib.runs.journal import Journal
from opslib.systems.queue_ledger import Ledger
from opslib.systems.queue_rows import ENDED, Row
from tests import queue_server
from tests.headless import bench

pytestmark = pytest.mark.usefixtures("warm")

NAME = "runbooks/try-things"
RUN = "20261130T010203Z-runbooks-try-things-a1b2c3"


class Place:
    """An archive, its queue's ledger, and a worker of them."""

    def __init__(self, folder, server):
        self.archive, self.url = folder / "archive", DatabaseUrl(server.url)
        self.notebooks, self.server = folder / "notebooks", server
        self.ledger = Ledger(self.url)
        self.worker = Worker("w2", self.url, self.archive, ("lab",), Stop, silent=30.0, patience=5.0)

    def left_by_the_dead(self, **more):
        """Enter a run, and let a worker have taken it that gave its last sign of life a while ago."""
        self.ledger.add(Row("key/1", NAME, "lab", more.pop("run", RUN), **more))
        self.ledger.take("key/1", "w1", changes=False, at_once=9, silent=30.0)
        with self.server.session() as session:
            session.execute("UPDATE opslib_queue.asked SET moved_at = moved_at - interval '60 s'")

    def began(self, result=None, journal=()):
        """Let a process open the run, write this much of it, and go without a word."""
        child = os.fork()
        if child == 0:
            folder = Archive(self.archive).open({"run": RUN, "notebook": NAME, "environment": "lab"})
            written = Journal(folder / "journal.jsonl", Redactor())
            for event in journal:
                written.append(event)
            if result:
                (folder / "result.json").write_text(json.dumps({"run": RUN, **result}))
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0

    def carry_out(self):
        carry_out(self.ledger, "key/1", self.worker)
        return self.ledger.look("key/1")

    def runs(self):
        return sorted(path.name for path in (self.archive / "runs").iterdir())


@pytest.fixture
def place(tmp_path, lab, server, monkeypatch):
    places = {"OPS_LAB": lab.folder, "OPS_NOTEBOOKS": tmp_path / "notebooks", "OPS_QUEUE_URL": server.url}
    for name, value in places.items():
        monkeypatch.setenv(name, str(value))
    with server.session() as session:
        queue_server.wipe(session)
    one = Place(tmp_path, server)
    bench.notebook(one.notebooks, queue_server.CHECK)
    queue_asking.install(one.archive)
    yield one
    one.ledger.close()


def test_a_run_is_carried_out_and_says_which_key_it_was_asked_for_by_and_nothing_that_was_smuggled_in(place):
    links = {"schedule": "hourly", "due": "not a due time", "requester": "bob", "run": "other"}
    asked = queue_asking.ask(place.ledger, NAME, (), "lab", key="key/1", links=links)
    row = place.carry_out()
    assert (row.state, row.verdict, row.exit_code, row.run) == ("ended", "OK", 0, asked.run)
    said = json.loads((place.archive / "runs" / row.run / "run.json").read_text())
    assert said["queue"] == {"key": "key/1", "asked_by": asked.asked_by, "attempt": 1}
    assert (said["run"], said["schedule"], "due" in said) == (asked.run, "hourly", False)
    assert said["requester"] != "bob"
    assert carry_out(place.ledger, "key/1", place.worker) is None
    assert place.runs() == [asked.run]
    assert verify(place.archive).ok


def test_a_worker_pauses_where_a_target_has_as_many_runs_as_it_may_and_takes_none(place):
    for number in range(4):
        place.ledger.add(Row(f"full/{number}", NAME, "lab", f"{RUN}{number}"))
        place.ledger.take(f"full/{number}", "w1", changes=False, at_once=9, silent=30.0)
    place.ledger.add(Row("key/1", NAME, "lab", RUN))
    paused = []
    place.worker = replace(place.worker, pause=lambda: paused.append(1))
    assert place.carry_out().state == "waiting"
    assert paused == [1]
    place.ledger.finish(place.ledger.look("full/0"), ENDED)
    assert (place.carry_out().state, paused) == ("ended", [1])


def test_what_only_reads_and_was_broken_off_is_tried_again_and_both_name_each_other(place):
    place.left_by_the_dead()
    place.began(journal=("cell-started",))
    row = place.carry_out()
    assert (row.state, row.verdict, row.attempt) == ("ended", "OK", 2)
    assert place.runs() == sorted([RUN, row.run])
    assert json.loads((place.archive / "runs" / RUN / "result.json").read_text())["state"] == "interrupted"
    said = json.loads((place.archive / "runs" / row.run / "run.json").read_text())
    assert (said["queue"]["instead_of"], said["queue"]["attempt"]) == (RUN, 2)
    assert verify(place.archive).ok


def test_what_was_never_registered_begins_under_the_same_id(place):
    place.left_by_the_dead()
    row = place.carry_out()
    assert (row.state, row.verdict, row.run, place.runs()) == ("ended", "OK", RUN, [RUN])


def test_what_had_ended_before_its_worker_went_is_recorded_and_not_repeated(place):
    place.left_by_the_dead()
    place.began(result={"state": "finished", "verdict": "CRITICAL", "exit_code": 2})
    row = place.carry_out()
    assert (row.state, row.verdict, row.exit_code, row.run, place.runs()) == ("ended", "CRITICAL", 2, RUN, [RUN])


@pytest.mark.parametrize("way", ["by its notebook", "by its journal"])
def test_what_may_have_changed_something_goes_to_a_person_and_is_never_repeated(place, way):
    if way == "by its notebook":
        bench.notebook(place.notebooks, "run.step")
    place.left_by_the_dead()
    place.began(journal=("intent",) if way == "by its journal" else ())
    row = place.carry_out()
    assert (row.state, row.run, place.runs()) == ("broken off", RUN, [RUN])
    assert f"ops resume {RUN}" in row.why
    assert carry_out(place.ledger, "key/1", place.worker) is None
    assert place.ledger.send_forgotten(0.0) == []


def test_a_run_whose_process_is_silent_and_alive_is_left_alone_and_looked_at_again(place):
    place.left_by_the_dead()
    held = Archive(place.archive)
    held.open({"run": RUN, "notebook": NAME, "environment": "lab"})
    row = place.carry_out()
    assert (row.state, row.worker, row.attempt, place.runs()) == ("taken", "w1", 1, [RUN])
    with place.server.session() as session:
        assert (
            session.execute("SELECT count(*) AS n FROM procrastinate_jobs WHERE status = 'todo'").fetchone()["n"] == 1
        )


def test_a_run_that_ended_its_worker_three_times_is_not_tried_a_fourth(place):
    place.left_by_the_dead()
    place.began()
    with place.server.session() as session:
        for number in range(1, queue_running.MOST_ATTEMPTS):
            session.execute(
                "INSERT INTO opslib_queue.attempts (key, attempt, run, worker, became) "
                "VALUES ('key/1', %s, 'before', 'w0', 'interrupted: its worker went')",
                [100 + number],
            )
    row = place.carry_out()
    assert (row.state, row.exit_code, place.runs()) == ("ended", 5, [RUN])
    assert "went 3 times" in row.why


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"notebook": "runbooks/none", "run": "20261130T010203Z-runbooks-none-a1b2c3"}, "There is no notebook"),
        ({"parameters": ("x=__import__('os')",)}, "cannot be run"),
        ({"mode": "plan"}, "asks for 'plan'"),
        ({"run": RUN + "-apply"}, "not one of its notebook"),
        ({"run": "20261130T010203Z-runbooks-restore-database-a1b2c3"}, "not one of its notebook"),
        ({"mode": "apply", "plan": RUN, "run": "20261130T010203Z-x-a1b2c3"}, "not that of its plan"),
        ({"mode": "apply", "plan": RUN, "run": RUN + "-apply"}, "No run"),
    ],
)
def test_a_row_that_nobody_could_have_typed_is_refused_and_nothing_begins(place, wrong, why):
    place.ledger.add(Row("key/1", **{"notebook": NAME, "environment": "lab", "run": RUN, **wrong}))
    row = place.carry_out()
    assert row.state == "ended"
    assert row.exit_code in (4, 64)
    assert row.why.startswith("It did not begin.")
    assert why in row.why
    assert not (place.archive / "runs").is_dir() or place.runs() == []


def test_asking_looks_at_everything_that_the_command_line_looks_at(place, lab):
    secret = lab.settings.database_url.reveal()
    for name, given, environment, why in (
        ("runbooks/none", (), "lab", "no notebook"),
        (NAME, ("x=1",), "lab", "cannot be run"),
        (NAME, (), "moon", "no environment"),
    ):
        with pytest.raises(UsageError, match=why):
            queue_asking.ask(place.ledger, name, given, environment)
    bench.notebook(place.notebooks, f"said = {secret!r}")
    with pytest.raises(UsageError, match="secret of the target"):
        queue_asking.ask(place.ledger, NAME, (), "lab")
    for plan in ("../x", "plan.json", ""):
        with pytest.raises(UsageError, match="planning run's id"):
            queue_asking.ask_to_apply(place.ledger, plan, "lab")
    assert place.ledger.rows() == []


def test_a_key_means_one_run_for_ever(place):
    first = queue_asking.ask(place.ledger, NAME, (), "lab", key="mine")
    assert queue_asking.ask(place.ledger, NAME, (), "lab", key="mine").run == first.run
    bench.notebook(place.notebooks.parent / "more", queue_server.CHECK)
    (place.notebooks / "runbooks" / "try-more.ipynb").write_bytes(
        (place.notebooks / "runbooks" / "try-things.ipynb").read_bytes()
    )
    with pytest.raises(Refused, match="used for another run"):
        queue_asking.ask(place.ledger, "runbooks/try-more", (), "lab", key="mine")
    with pytest.raises(UsageError, match="cannot be a key"):
        queue_asking.ask(place.ledger, NAME, (), "lab", key="a key\n")


def test_what_was_refused_before_it_began_can_be_asked_for_again_under_its_key(place):
    place.ledger.add(Row("key/1", NAME, "lab", RUN + "-apply"))
    assert place.carry_out().why.startswith("It did not begin.")
    with place.server.session() as session:
        session.execute("UPDATE opslib_queue.asked SET run = %s", [RUN])
    assert queue_asking.ask(place.ledger, NAME, (), "lab", key="key/1").run == RUN
    row = place.carry_out()
    assert (row.state, row.verdict, row.attempt, place.runs()) == ("ended", "OK", 2, [RUN])
    assert queue_asking.ask(place.ledger, NAME, (), "lab", key="key/1").state == "ended"


def test_a_queue_on_a_server_that_is_operated_is_refused_under_any_name_and_in_any_database(lab, monkeypatch):
    port = lab.settings.database_url.port
    for host, database in (("127.0.0.1", "postgres"), ("localhost", "other"), ("LOCALHOST", "other")):
        url = DatabaseUrl(f"postgresql://queue:a-password-of-its-own@{host}:{port}/{database}")
        with pytest.raises(Refused, match=r"is on the server of lab \(.*database_url\)"):
            settings_queue.refuse_operated(url, lab.settings)
    settings_queue.refuse_operated(DatabaseUrl("postgresql://queue:another-word-4@127.0.0.1:1/queue"), lab.settings)
    monkeypatch.setenv("OPS_LAB", str(lab.folder))
    monkeypatch.setenv("OPS_QUEUE_URL", f"postgresql://queue:a-password-of-its-own@localhost:{port}/queue")
    with pytest.raises(Refused, match="on the server of lab"):
        queue_asking.install(lab.folder / "nowhere")
    assert not (lab.folder / "nowhere").exists()


def test_a_queue_carries_the_runs_of_one_archive(place, tmp_path):
    queue_asking.of_archive(place.url, place.archive)
    Archive(tmp_path / "other").append("note", "another archive")
    with pytest.raises(Refused, match="for another archive"):
        queue_asking.of_archive(place.url, tmp_path / "other")
    with pytest.raises(Refused, match="for another archive"):
        queue_asking.install(tmp_path / "other")


def test_the_queues_address_comes_from_its_file_or_the_environment_and_never_from_both(tmp_path):
    url, other = "postgresql://q:password-one-1@db:5433/queue", "postgresql://q:password-two-2@db:5433/queue"
    assert settings_queue.configured(tmp_path, {}) is None
    assert settings_queue.configured(tmp_path, {"OPS_QUEUE_URL": url}).public == "postgresql://db:5433/queue"
    (tmp_path / ".env.queue").write_text(f"OPS_QUEUE_URL={url}\n")
    assert settings_queue.configured(tmp_path, {}).reveal() == url
    with pytest.raises(SettingsError, match="disagree"):
        settings_queue.configured(tmp_path, {"OPS_QUEUE_URL": other})
    with pytest.raises(SettingsError, match="does not start with") as caught:
        settings_queue.configured(tmp_path / "none", {"OPS_QUEUE_URL": "https://q:hidden-word-3@db/x"})
    assert "hidden" not in str(caught.value)
