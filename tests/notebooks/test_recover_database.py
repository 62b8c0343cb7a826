"""A failover as people go through it, with a writer that counts what was acknowledged and what is there afterwards.

One whole run by day: a primary that died with log that its standby never had. By night each fault, each step killed
and gone on with, the other ways to be fenced, and what is refused.
"""

import itertools
import json
import os
import re
import tempfile
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import Refused
from opslib.headless import agreement, origin, runner
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.lab.broken import find, parts
from opslib.lab.broken.database_servers import lead
from opslib.lab.processes import LabError
from opslib.lab.supervisor import Lab
from opslib.probes.database import servers as probe
from opslib.redaction import Redactor
from opslib.runs import approvals
from opslib.runs.approval import Approval, required
from opslib.runs.saved_plan import parse, sha256
from opslib.systems import ssh_keygen
from opslib.systems.fencing import FenceAgent
from opslib.systems.gateway_user import AskingAdministrator
from opslib.systems.target import ReadTarget
from tests.killing import killed
from tests.notebooks.conftest import keys, objects
from tests.notebooks.recorded import verdicts
from tests.scale import nightly
from tests.vendors import Doors
from tests.waiting import until

NAME = "disaster/recover-database"
GO = ("way=failover", "wait_seconds=60")
STEPS = ("fence", "promote", "repoint", "prove", "rejoin")
MOMENT = re.compile(r"after (\S+), the last commit")
ROWS = 1_500
NUMBERS = itertools.count(1)
"""Of all writers: a number is written once."""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A lab with a standby of this file's own, and an archive."""
    with tempfile.TemporaryDirectory(prefix="opslib-failover-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        kept = {name: os.environ.get(name) for name in ("OPS_LAB", "LAB_STANDBY")}
        os.environ |= {"OPS_LAB": f"{folder}/lab", "LAB_STANDBY": "1", "LAB_LOAD_PER_SECOND": "0"}
        lab = Lab(Path(folder) / "lab")
        try:
            lab.up(ROWS)
            archive = tmp_path_factory.mktemp("failover") / "archive"
            yield SimpleNamespace(lab=lab, settings=lab.settings(), archive=archive)
        finally:
            lab.down()
            os.environ.pop("OPS_LAB")
            os.environ |= {name: value for name, value in kept.items() if value is not None}


@pytest.fixture
def whole(house):
    """Both servers in their first roles, whatever an earlier test did, and a table to write into."""
    settings = house.settings
    if not in_order(house):
        find("split-brain").mend(settings)
        find("primary-frozen").mend(settings)
    with psycopg.connect(settings.database_url.reveal(), autocommit=True) as session:
        session.execute("CREATE TABLE IF NOT EXISTS public.numbered (n bigint PRIMARY KEY)")
        session.execute("TRUNCATE public.numbered")
    until(lambda: in_order(house))
    return house


class Writer:
    """Writes numbers, one commit each, to whichever server takes writes; remembers when each was acknowledged."""

    def __init__(self, settings):
        self.acknowledged: dict[int, datetime] = {}
        urls = [settings.database_url, settings.standby_database_url]
        self._urls = [f"{url.reveal()}?connect_timeout=2" for url in urls]
        self._stop, self._thread = threading.Event(), threading.Thread(target=self._work)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(60)

    def after(self, moment):
        return [number for number, at in self.acknowledged.items() if at > moment]

    def _work(self):
        turn = 0
        while not self._stop.is_set():
            try:
                options = "-c statement_timeout=3000"
                with psycopg.connect(self._urls[turn % 2], autocommit=True, options=options) as session:
                    while not self._stop.is_set():
                        number = next(NUMBERS)
                        session.execute("INSERT INTO public.numbered VALUES (%s)", (number,))
                        self.acknowledged[number] = datetime.now(UTC)
                        self._stop.wait(0.01)
            except psycopg.Error:
                turn += 1
                self._stop.wait(0.05)


def servers(house):
    target = ReadTarget(house.settings.reading(), "test")
    try:
        return {row["meant_as"]: {"standby": None, "receiver": None} | row for row in probe.read(target)}
    finally:
        target.close()


def in_order(house):
    row = servers(house)
    return row["primary"]["standby"] is False and row["standby"]["receiver"] == "streaming"


def receive_nothing(house):
    """Let the standby fetch no more of the log, by a setting that it alone has; return the moment."""
    with psycopg.connect(house.settings.standby_database_url.reveal(), autocommit=True) as session:
        session.execute("ALTER SYSTEM SET primary_conninfo = ''")
        session.execute("SELECT pg_reload_conf()")
    until(lambda: servers(house)["standby"]["receiver"] is None)
    return datetime.now(UTC)


def there(house):
    """Return the numbers that the database has, where it takes writes."""
    target = ReadTarget(house.settings.reading(), "test")
    try:
        led = target.database.led_elsewhere
    finally:
        target.close()
    url = house.settings.standby_database_url if led else house.settings.database_url
    with psycopg.connect(url.reveal()) as session:
        return {row[0] for row in session.execute("SELECT n FROM public.numbered").fetchall()}


def used(url):
    with psycopg.connect(url.reveal()) as session:
        return session.execute("SELECT count(*) FROM public.llm_usage").fetchone()[0]


def unaffected(house):
    """Return what no failover may touch: cache, buckets but for the log, vendors."""
    kept = house.settings.continuous_prefix
    stored = [[one for one in part if f"'{kept}" not in repr(one)] for part in objects(house.settings)]
    return json.dumps([keys(house.settings.cache_url.reveal()), stored, Doors(house.settings).state()], default=str)


def events(folder, *names):
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] in names]


def planned(folder):
    return {line["step"]: line["plan"] for line in events(folder, "planned")}


def lost_after(folder):
    """Return the moment of the stated loss: what was acknowledged before is there."""
    return datetime.fromisoformat(MOMENT.search(planned(folder)["fence"]["observed"]["lost"]).group(1))


def refuses_writes(url):
    with psycopg.connect(url.reveal(), autocommit=True) as session:
        session.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            session.execute("INSERT INTO public.numbered VALUES (-1)")


def test_a_dead_primary_is_fenced_replaced_and_led_back_and_no_more_is_lost_than_was_stated(whole, run):
    settings, before = whole.settings, unaffected(whole)
    usage = used(settings.database_url)
    with Writer(settings) as writer:
        until(lambda: len(writer.acknowledged) > 20)
        cut = receive_nothing(whole)
        until(lambda: len(writer.after(cut)) > 20)
        find("primary-killed").make(settings)
        result, folder = run(NAME, *GO)
        assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
        led = datetime.now(UTC)
        until(lambda: len(writer.after(led)) > 20)
    # Exactly the stated loss: some of what was acknowledged after that moment, and nothing of what was before.
    lost, moment = set(writer.acknowledged) - there(whole), lost_after(folder)
    assert len(lost) > 20
    assert lost <= set(writer.after(moment))
    assert moment <= cut + timedelta(seconds=1)
    assert set(verdicts(folder).values()) == {"OK"}
    said = [
        line["result"]["verdict"] for line in events(folder, "result") if line["result"]["check"] == "database-servers"
    ]
    assert said == ["CRITICAL", "OK"]
    # The former primary is a standby: nobody writes there, and the lab does not start it beside the other one.
    row = servers(whole)
    assert (row["primary"]["standby"], row["standby"]["standby"]) == (True, False)
    refuses_writes(settings.database_url)
    assert unaffected(whole) == before
    # The application, asked for an answer, writes what it cost where it is led now.
    AskingAdministrator(settings, "test").ask()
    until(lambda: used(settings.standby_database_url) > usage)
    page = (folder / "report.html").read_text()
    for words in ("the last commit that", "The fence agent says that postgres is off", "takes writes on timeline"):
        assert words in page
    redactor = Redactor(settings.secrets())
    assert [p.name for p in folder.rglob("*") if p.is_file() and redactor.leaks(p.read_bytes())] == []
    taken = undo(result["run"], whole.archive)
    assert (taken["exit_code"] != 0, "cannot be undone" in taken["reason"]) == (True, True)


@nightly
@pytest.mark.parametrize(
    ("name", "given", "former"),
    [
        ("primary-killed", (), "primary"),
        ("primary-frozen", (), "primary"),
        ("split-brain", ("lose=primary",), "primary"),
        ("split-brain", ("lose=standby",), "standby"),
    ],
)
def test_each_fault_between_the_servers_is_recovered_from(whole, run, name, given, former):
    settings, before = whole.settings, unaffected(whole)
    with Writer(settings) as writer:
        until(lambda: len(writer.acknowledged) > 20)
        find(name).make(settings)
        until(lambda: supported(whole) or name == "split-brain")
        result, folder = run(NAME, *GO, *given)
        assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
        led = datetime.now(UTC)
        until(lambda: len(writer.after(led)) > 20)
    row = servers(whole)
    assert (row[former]["standby"], row[former]["receiver"]) == (True, "streaming")
    refuses_writes(settings.database_url if former == "primary" else settings.standby_database_url)
    assert set(verdicts(folder).values()) == {"OK"}
    if name != "split-brain":
        assert set(writer.acknowledged) - there(whole) <= set(writer.after(lost_after(folder)))
    assert unaffected(whole) == before
    # And from there back again, by a person's word: nothing that was acknowledged is lost.
    with Writer(settings) as writer:
        until(lambda: len(writer.acknowledged) > 20)
        result, folder = run(NAME, *GO, "decided_by=ann")
        assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
        led = datetime.now(UTC)
        until(lambda: len(writer.after(led)) > 20)
    assert set(writer.acknowledged) <= there(whole)
    assert "All of its log was fetched before: nothing is lost." in (folder / "report.html").read_text()


def supported(house):
    row = servers(house)
    return not row["primary"]["answers"] and row["standby"]["receiver"] != "streaming"


def begun(house, step, event):
    """Return what says whether a run that begins from now on has come to an event of a step."""
    earlier = set((house.archive / "runs").glob("*/journal.jsonl"))

    def came():
        for path in set((house.archive / "runs").glob("*/journal.jsonl")) - earlier:
            with suppress(ValueError):
                lines = [json.loads(line) for line in path.read_text().splitlines()]
                if any(line["event"] == event and line["step"] == step for line in lines):
                    return True
        return False

    return came


@nightly
@pytest.mark.parametrize("event", ["intent", "applied"])
@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_is_killed_at_any_step_goes_on_to_the_same_end(whole, step, event):
    settings, before = whole.settings, unaffected(whole)
    find("primary-killed").make(settings)
    until(lambda: supported(whole))
    name, seen = killed(NAME, GO, whole.archive, begun(whole, step, event))
    assert not [line for line in seen if settings.fence_password.reveal() in line]
    again = resume(name, whole.archive)
    while again["state"] == "failed" and "may be" in again["reason"]:
        again = resume(again["run"], whole.archive)
    assert (again["state"], again["exit_code"]) == ("finished", 0), again["reason"]
    row = servers(whole)
    assert (row["primary"]["standby"], row["primary"]["receiver"]) == (True, "streaming")
    assert row["standby"]["standby"] is False
    refuses_writes(settings.database_url)
    assert unaffected(whole) == before


@nightly
@pytest.mark.parametrize("event", [None, "intent", "applied"])
def test_a_standby_whose_replay_was_paused_goes_on_also_when_the_run_is_killed(whole, run, event):
    settings, before = whole.settings, unaffected(whole)
    given = ("way=replay", "decided_by=ann", "wait_seconds=60")
    find("replay-paused").make(settings)
    if event is None:
        refused, _ = run(NAME, "way=replay")
        assert (refused["state"], "wanted to keep what it holds" in refused["reason"]) == ("refused", True)
        result, folder = run(NAME, *given)
    else:
        name, _ = killed(NAME, given, whole.archive, begun(whole, "resume-replay", event))
        result = resume(name, whole.archive)
        folder = Path(result["report"]).parent
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert verdicts(folder)["database-servers"] == "OK"
    assert servers(whole)["standby"]["replay"] == "not paused"
    assert unaffected(whole) == before


@nightly
@pytest.mark.parametrize("event", [None, "intent", "applied"])
def test_a_standby_that_was_cut_off_is_let_in_also_when_the_run_is_killed_and_kept_out_by_the_undo(whole, run, event):
    settings, before = whole.settings, unaffected(whole)
    name, given = "disaster/recover-access", ("let_standby_in=true", "decided_by=ann", "wait_seconds=60")
    find("standby-cut-off").make(settings)
    if event is None:
        planned_only, _ = run(name, *given, mode="plan")
        assert (planned_only["state"], servers(whole)["standby"]["receiver"]) == ("finished", None)
        result, folder = run(name, *given)
    else:
        killed_run, _ = killed(name, given, whole.archive, begun(whole, "let-standby-in", event))
        result = resume(killed_run, whole.archive)
        folder = Path(result["report"]).parent
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert verdicts(folder)["database-servers"] == "OK"
    assert (servers(whole)["standby"]["receiver"], unaffected(whole)) == ("streaming", before)
    taken = undo(result["run"], whole.archive)
    assert (taken["state"], taken["exit_code"]) == ("finished", 0), taken["reason"]
    with psycopg.connect(settings.database_url.reveal()) as session:
        (may,) = session.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'replicator'").fetchone()
    find("standby-cut-off").mend(settings)
    assert may is False


@nightly
def test_a_plan_changes_nothing_and_a_failover_that_is_not_needed_is_refused(whole, run):
    before = unaffected(whole), servers(whole)["primary"]["timeline"]
    result, folder = run(NAME)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert {plan["touches"] for plan in planned(folder).values()} == {0}
    result, _ = run(NAME, *GO, mode="plan")
    assert (result["state"], "supports no failover" in result["reason"]) == ("refused", True)
    find("split-brain").make(whole.settings)
    result, _ = run(NAME, *GO, mode="plan")
    assert (result["state"], "Split brain" in result["reason"]) == ("refused", True)
    result, folder = run(NAME, *GO, "lose=standby", mode="plan")
    assert (result["state"], "however much that is" in json.dumps(planned(folder))) == ("finished", True)
    assert (unaffected(whole), servers(whole)["primary"]["timeline"]) == before


@pytest.fixture
def described(whole):
    """Change variables of the description until the test ends."""
    file = whole.lab.folder / "target.env"
    kept = file.read_text()

    def change(**said):
        lines = dict(line.split("=", 1) for line in kept.splitlines())
        file.write_text("".join(f"{name}={value}\n" for name, value in (lines | said).items()))

    yield change
    file.write_text(kept)


@nightly
def test_without_an_agent_a_person_is_named_and_the_verdict_is_no_better_than_a_warning(whole, run, described):
    described(OPS_FENCE_AGENT="")
    find("primary-killed").make(whole.settings)
    until(lambda: supported(whole))
    result, _ = run(NAME, *GO)
    assert (result["state"], "no fence agent is described" in result["reason"]) == ("refused", True)
    assert servers(whole)["standby"]["standby"] is True
    result, folder = run(NAME, *GO, "fenced_by=ann@valuecanvas")
    assert (result["state"], result["exit_code"]) == ("finished", 1), result["reason"]
    assert "That it is off, ann@valuecanvas says." in (folder / "report.html").read_text()
    assert {name for name, verdict in verdicts(folder).items() if verdict != "OK"} == {"database-fencing"}


@nightly
@pytest.mark.parametrize("said", ["wrong password", "hangs"])
def test_nothing_is_promoted_while_the_agent_does_not_say_that_the_server_is_off(whole, run, described, said):
    find("primary-killed").make(whole.settings)
    until(lambda: supported(whole))
    if said == "wrong password":
        described(OPS_FENCE_PASSWORD="another-word-altogether-1")
    else:
        described(OPS_FENCE_AGENT="/bin/false")
    result, folder = run(NAME, *GO)
    assert result["exit_code"] in (3, 4, 5), result
    assert verdicts(folder)["database-fencing"] == "UNKNOWN"
    assert servers(whole)["standby"]["standby"] is True


@nightly
def test_an_address_that_is_neither_servers_is_left_to_a_person_before_anything_is_fenced(whole, run, described):
    described(OPS_APPLICATION_DATABASE="pooler.example.com:6543")
    find("primary-killed").make(whole.settings)
    until(lambda: supported(whole))
    result, _ = run(NAME, *GO, mode="plan")
    assert (result["state"], "which is neither" in result["reason"]) == ("refused", True)


@nightly
def test_without_a_cluster_the_run_waits_for_the_person_who_leads_the_application(whole, run, described):
    described(OPS_KUBERNETES_URL="")
    find("primary-killed").make(whole.settings)
    until(lambda: supported(whole))
    result, _ = run(NAME, *GO)
    assert (result["state"], "repoint-application" in result["reason"]) == ("failed", True), result["reason"]
    assert servers(whole)["standby"]["standby"] is False
    lead(whole.settings, "standby")
    again = resume(result["run"], whole.archive)
    assert (again["state"], again["exit_code"]) == ("finished", 0), again["reason"]


@nightly
def test_a_former_primary_that_stays_off_is_not_started_by_the_lab_and_follows_later(whole, run):
    find("primary-killed").make(whole.settings)
    until(lambda: supported(whole))
    result, folder = run(NAME, *GO, "rejoin=false")
    assert (result["state"], result["exit_code"]) == ("finished", 2), result["reason"]
    assert verdicts(folder)["database-servers"] == "CRITICAL"
    with pytest.raises(LabError, match="is fenced"):
        whole.lab.up()
    # The machine is on again: its server would be a second primary, and still is not started.
    agent = FenceAgent(whole.settings)
    assert agent.state("postgres") == "off"
    parts.pair(whole.settings)[0].unfence()
    assert agent.state("postgres") == "on"
    with pytest.raises(LabError, match="would take writes as well"):
        whole.lab.up()
    result, _ = run(NAME, *GO)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    refuses_writes(whole.settings.database_url)


@nightly
def test_a_closed_primary_that_is_started_again_takes_no_write_and_the_application_is_elsewhere(whole, run):
    result, _ = run(NAME, *GO, "decided_by=ann", "rejoin=false")
    assert (result["state"], result["exit_code"]) == ("finished", 2), result["reason"]
    primary, _ = parts.pair(whole.settings)
    primary.unfence()
    primary.up()
    for options in ("", "-c default_transaction_read_only=off"):
        with pytest.raises(psycopg.OperationalError, match="opslib_fenced"):
            psycopg.connect(whole.settings.database_url.reveal(), options=options)
    assert servers(whole)["primary"]["kind"] == "fenced"
    result, _ = run(NAME, *GO)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]


def refused(production, plan, why):
    """Hold that the plan is not applied, and that the standby is still one."""
    with pytest.raises(Refused, match=why):
        agreement.apply(plan, "production", production.archive)
    assert servers(production.house)["standby"]["standby"] is True


@nightly
def test_a_failover_of_production_is_applied_as_two_others_approved_it_and_by_no_others_word(
    whole, production, monkeypatch
):
    monkeypatch.setenv("OPS_OPERATORS", f"{origin.who()}=ann@valuecanvas")
    find("primary-killed").make(whole.settings)
    made = runner.run(NAME, GO, "production", production.archive, mode="plan")
    assert made["state"] == "finished", made["reason"]
    plan = (production.archive / "runs" / made["run"] / "plan.json").read_bytes()
    signed = production.archive / "approvals" / made["run"]
    assert required(parse(plan).steps, "production", ()) == 2
    refused(production, made["run"], "0 count")
    # Who asked for it is none of the two, whatever key signs; one other is not enough.
    with pytest.raises(Refused, match="who asked"):
        production.keys.sign(plan, signed, "ann")
    production.keys.sign(plan, signed, "ben")
    saved = parse(plan)
    forged = Approval("approve", saved.run, sha256(plan), "ann@valuecanvas", datetime.now(UTC), saved.expires_at)
    (signed / "ann@valuecanvas.approval").write_bytes(forged.encode())
    own = ssh_keygen.sign(forged.encode(), "opslib-approve", production.keys["ann"])
    (signed / "ann@valuecanvas.approval.sig").write_bytes(own)
    refused(production, made["run"], "1 count.*who asked")
    # A second person's approval that has expired by now is none.
    approvals.approve(
        plan,
        signed,
        key=production.keys["cat"],
        principal="cat@valuecanvas",
        kind="approve",
        reason="",
        expires=timedelta(seconds=1),
        trust=None,
        unattended=(),
        requested_by=frozenset(),
        moment=datetime.now(UTC),
    )
    expired = datetime.now(UTC) + timedelta(seconds=1)
    until(lambda: datetime.now(UTC) > expired)
    refused(production, made["run"], "expired")
    for file in signed.glob("cat@*"):
        file.unlink()
    production.keys.sign(plan, signed, "cat")
    applied = agreement.apply(made["run"], "production", production.archive)
    assert (applied["state"], applied["exit_code"]) == ("finished", 0), applied["reason"]
    assert {one["principal"] for one in applied["approvals"]} == {"ben@valuecanvas", "cat@valuecanvas"}
    row = servers(whole)
    assert (row["primary"]["standby"], row["standby"]["standby"]) == (True, False)
    kept = production.archive / "runs" / applied["run"] / "approvals"
    assert (kept / "ben@valuecanvas.approval.sig").is_file()
    with pytest.raises(Refused, match="applied already"):
        agreement.apply(made["run"], "production", production.archive)
    assert verify(production.archive).ok


def test_the_archive_of_all_these_runs_verifies(house):
    assert Archive(house.archive).runs()
    assert verify(house.archive).ok
