"""Each step of a runbook fails once, and is killed once, in a whole run; the run that goes on comes to the same end.

What stands in the runbooks' own files and in tests/crash is not here once more: scaling, setting up, upkeep,
migrations, back-up and restore are killed at every point there.
"""

import json
import re
import threading
from collections import Counter
from contextlib import contextmanager, nullcontext
from functools import partial
from urllib.parse import urlsplit

import pytest
import redis

from opslib.archive.verify import verify
from opslib.headless import runner
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.lab import development
from opslib.lab.vendors import product
from opslib.systems.postgres import connect
from tests.confirming import person
from tests.killing import killed
from tests.notebooks import books, books_database, books_disaster, books_machine
from tests.notebooks.books import changing, journal, opened
from tests.scale import nightly
from tests.terraform import States, terraform
from tests.toxic import Forgetful

__all__ = ["terraform"]
pytestmark = pytest.mark.usefixtures("terraform")
BOOKS = books.BOOKS | books_database.BOOKS | books_machine.BOOKS | books_disaster.BOOKS
AGAIN = ("try-key", "build", "await-clock")
"""Repeatable steps: they try something, build on this machine, or look; a run that goes on may do so again."""

KILLS = [
    ("cache", "clear-cache"),
    ("incident", "preserve-evidence"),
    ("incident", "preserve-logs"),
    ("incident", "block-addresses"),
    ("incident", "revoke-sessions"),
    ("incident", "set-audit-level"),
    ("incident", "notify-stakeholders"),
    ("telling", "tell"),
    ("back netlify", "roll-back"),
    ("back cloudflare", "roll-back"),
    ("deploy vercel", "rehearse"),
    ("deploy vercel", "apply-migrations"),
    ("deploy vercel", "set-anon-key"),
    ("deploy vercel", "deploy"),
    ("deploy netlify", "build"),
    ("deploy netlify", "draft"),
    ("deploy netlify", "deploy"),
    ("deploy cloudflare", "deploy"),
    ("supabase", "set-together"),
    ("supabase", "set-openai"),
    ("supabase", "deploy"),
    ("workflow", "dispatch"),
    ("session", "end-session"),
    ("keys", "try-key"),
    ("keys", "set-hosting-key"),
    ("keys", "rebuild-front-end"),
    ("api stuck", "recover-api"),
    ("api crashes", "recover-api"),
    ("api at zero", "recover-api"),
    ("workers at zero", "recover-workers"),
    ("prometheus at zero", "recover-prometheus"),
    ("grafana crashes", "recover-grafana"),
    ("cache full", "make-room"),
    ("front end", "roll-back-front-end"),
    ("infrastructure", "apply-infrastructure"),
]


@pytest.fixture(scope="module")
def backed_up(house):
    """A proven backup of this hour."""
    assert runner.run("runbooks/back-up-database", (), "lab", house.archive)["state"] == "finished"


def runs_of(house, run):
    return [path for path in (house.archive / "runs").iterdir() if path.name.startswith(run)]


def done_once(house, work):
    """Assert that no step of the work was done twice, and that none is left in doubt."""
    said = [line for folder in runs_of(house, work) for line in journal(folder)]
    ended = Counter(
        line["step"]
        for line in said
        if line["event"] == "applied" or (line["event"] == "settled" and line["outcome"] == "done")
    )
    assert {step for step, times in ended.items() if times > 1} <= set(AGAIN), ended
    assert {line["step"] for line in said if line["event"] == "intent"} <= set(ended)


def to_its_end(house, book, there, run):
    """Go on with a run; demand the end that an undisturbed one comes to, and that it can be taken back."""
    again = resume(run, house.archive)
    assert again["state"] == "finished", again["reason"]
    assert again["exit_code"] in book.exit_codes, again["reason"]
    assert there.state() == there.expected
    done_once(house, run)
    assert verify(house.archive).ok
    if book.undo:
        taken = undo(again["run"], house.archive)
        assert (taken["state"], taken["exit_code"]) == ("finished", 0), taken["reason"]


@nightly
@pytest.mark.parametrize(("book", "step"), KILLS)
def test_a_run_that_is_killed_in_a_step_goes_on_to_the_same_end_and_does_nothing_twice(house, backed_up, book, step):
    book = BOOKS[book]
    with opened(book, house) as there, person(house) if book.confirms else nullcontext():
        known, sent = set((house.archive / "runs").iterdir()), []

        def came():
            """Say whether the step has begun and something came of it: a call, or that it ended."""
            new = set((house.archive / "runs").iterdir()) - known
            mine = [line["event"] for folder in new for line in journal(folder) if line.get("step") == step]
            if "intent" not in mine:
                sent[:] = [changing(there)] if "planned" in mine else sent
                return False
            seen = there.begun.get(step, lambda: changing(there) > (sent or [0])[0])
            return seen() or "applied" in mine

        name, _ = killed(book.name, book.given, house.archive, came)
        to_its_end(house, book, there, name)


@contextmanager
def locked(house, *statements):
    """Hold locks in a transaction of somebody else's."""
    with connect(house.settings.database_url, "somebody") as session:
        session.execute("BEGIN")
        for statement in statements:
            session.execute(statement)
        yield
        session.execute("ROLLBACK")


@contextmanager
def ended(house, words, *statements):
    """Hold locks, and end whoever waits for them with a statement of these ``words``, however long it would."""
    waits = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ %s"
    over = threading.Event()

    def work():
        with connect(house.settings.database_url, "somebody") as session:
            while not over.wait(0.1) and not session.execute(waits, [words]).fetchall():
                pass

    thread = threading.Thread(target=work)
    with locked(house, *statements):
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@contextmanager
def denied(house, command):
    """Take a command from the one who changes the cache."""
    with redis.Redis.from_url(house.settings.cache_url.reveal()) as cache:
        who = cache.acl_whoami()
        cache.execute_command("ACL", "SETUSER", who, f"-{command}")
        try:
            yield
        finally:
            cache.execute_command("ACL", "SETUSER", who, f"+{command}")


@contextmanager
def lost(house, there):
    """Let the repository have lost a file of its newest commit, as a disk does; its branches are listed as before."""
    folder = books_machine.repository(house)
    blob = product.git(folder, "rev-parse", "main:src/main.css").strip()
    objects = folder / ".git" / "objects"
    for pack in objects.glob("pack/*.pack"):
        data = pack.read_bytes()
        for part in objects.glob(f"pack/{pack.stem}.*"):
            part.unlink()
        product.git(folder, "unpack-objects", "-q", given=data)
    place = objects / blob[:2] / blob[2:]
    aside = place.rename(place.with_suffix(".aside"))
    try:
        yield
    finally:
        aside.rename(place)


@contextmanager
def no_room(house, there):
    """Let builds find the disk full."""
    mark = house.lab.folder / books_machine.NO_ROOM
    mark.touch()
    try:
        yield
    finally:
        mark.unlink()


@contextmanager
def held(house, there):
    """Let somebody else hold the lock of Terraform's state."""
    states, key = States(house.settings), f"{product.STATE_KEY}.tflock"
    who = {"ID": "5f1c3d2e-0000-4000-8000-000000000000", "Operation": "OperationTypeApply", "Who": "somebody@elsewhere"}
    states.write(json.dumps(who).encode(), key)
    try:
        yield
    finally:
        states.forget()


def refusing(vendor, method, path, house, there):
    door = there.sent[-1] if vendor == "kubernetes" else there.sent[0]
    return door.fault(vendor, "500", method=method, path=path)


def by_lock(statement):
    return lambda house, there: locked(house, statement)


def by_ending(words, statement):
    return lambda house, there: ended(house, words, statement)


def by_acl(command):
    return lambda house, there: denied(house, command)


def by_500(vendor, method, path):
    return partial(refusing, vendor, method, path)


EXCLUSIVE = "LOCK TABLE public.{} IN SHARE UPDATE EXCLUSIVE MODE"
ALONE = "LOCK TABLE public.{} IN ACCESS EXCLUSIVE MODE"
FAILURES = [
    ("cache", "clear-cache", by_acl("unlink")),
    ("incident", "preserve-evidence", by_ending("FROM public.audit_logs", ALONE.format("audit_logs"))),
    ("incident", "revoke-sessions", by_lock("SELECT 1 FROM auth.sessions FOR UPDATE")),
    ("incident", "notify-stakeholders", by_500("pagerduty", "POST", "")),
    ("telling", "tell", by_500("pagerduty", "POST", "")),
    ("telling", "tell", by_500("slack", "POST", "")),
    ("back netlify", "roll-back", by_500("netlify", "POST", "")),
    ("back cloudflare", "roll-back", by_500("cloudflare", "POST", "")),
    ("deploy vercel", "apply-migrations", by_lock("SELECT count(*) FROM public.cases")),
    ("deploy vercel", "deploy", by_500("vercel", "POST", "/deployments")),
    ("migrate back", "roll-back-migration", by_lock("SELECT count(*) FROM public.cases")),
    ("build here", "build", no_room),
    ("set up", "clone", lost),
    ("deploy netlify", "draft", by_500("netlify", "POST", "/deploys")),
    ("deploy cloudflare", "deploy", by_500("cloudflare", "POST", "/deployments")),
    ("supabase", "set-together", by_500("supabase", "POST", "/secrets")),
    ("upkeep", "vacuum-tables", by_lock(EXCLUSIVE.format("worn"))),
    ("upkeep", "drop-invalid-indexes", by_lock(EXCLUSIVE.format("halved"))),
    ("upkeep", "create-index", by_ending("CREATE INDEX CONCURRENTLY", EXCLUSIVE.format("slow"))),
    ("upkeep", "refresh-views", by_lock("REFRESH MATERIALIZED VIEW CONCURRENTLY public.kinds")),
    ("scale", "scale-api", by_500("kubernetes", "PATCH", "api-server")),
    ("scale", "set-cache-memory", by_acl("config|set")),
    ("keys", "set-hosting-key", by_500("vercel", "POST", "/env")),
    ("keys", "rebuild-front-end", by_500("vercel", "POST", "/deployments")),
    ("api stuck", "recover-api", by_500("kubernetes", "PATCH", "api-server")),
    ("api at zero", "recover-api", by_500("kubernetes", "PATCH", "api-server")),
    ("workers at zero", "recover-workers", by_500("kubernetes", "PATCH", "llm-worker")),
    ("prometheus at zero", "recover-prometheus", by_500("kubernetes", "PATCH", "prometheus")),
    ("grafana crashes", "recover-grafana", by_500("kubernetes", "PATCH", "grafana")),
    ("cache full", "make-room", by_acl("config|set")),
    ("front end", "roll-back-front-end", by_500("vercel", "POST", "")),
    ("infrastructure", "apply-infrastructure", held),
]


@nightly
@pytest.mark.parametrize(("book", "step", "spoil"), FAILURES, ids=lambda one: one if isinstance(one, str) else "")
def test_a_step_that_fails_once_stops_the_run_and_is_done_by_the_one_that_goes_on(
    house, run, backed_up, book, step, spoil
):
    book = BOOKS[book]
    with opened(book, house) as there, person(house) if book.confirms else nullcontext():
        with spoil(house, there):
            result, folder = run(book.name, *book.given)
        stopped_at(step, result, folder)
        to_its_end(house, book, there, result["run"])


def stopped_at(step, result, folder):
    """Assert that the run came as far as this step, and that the step was not carried out."""
    # A server that says beforehand that it will not be asked is refused, and so was never begun.
    assert result["state"] in ("failed", "refused"), result["reason"]
    lines = journal(folder)
    steps = [line["step"] for line in lines if line["event"] in ("planned", "intent")]
    assert steps[-1] == step
    assert step not in {line["step"] for line in lines if line["event"] == "applied"}


class Line(Forgetful):
    """Cuts the connection at each request that holds ``marker``, from when ``begun()`` is so until it is mended."""

    def __init__(self, port, marker, begun):
        self._begun = begun
        super().__init__(port, marker, "before", times=1000)

    def request(self, data, near, far):
        """Pass on what comes before its time."""
        if self.marker in data and not self._begun():
            far.sendall(data)
            return
        super().request(data, near, far)

    def mend(self):
        """Pass everything on."""
        self.times = 0


@contextmanager
def line(house, name, marker, step):
    """Let the description's address ``name`` lead over a line that cuts once a new run has begun this step."""
    file, known = house.lab.folder / "target.env", set((house.archive / "runs").iterdir())
    kept = file.read_text()
    (address,) = re.findall(rf"(?m)^{name}=(.*)$", kept)

    def begun():
        said = [one for folder in set((house.archive / "runs").iterdir()) - known for one in journal(folder)]
        return any(one["event"] == "intent" and one["step"] == step for one in said)

    with Line(urlsplit(address).port, marker, begun) as made:
        file.write_text(re.sub(rf"(?m)^({name}=.*:){urlsplit(address).port}\b", rf"\g<1>{made.port}", kept))
        try:
            yield made
        finally:
            file.write_text(kept)


CUTS = [
    ("migrate", "rehearse-migrations", "OPS_SCRATCH_DATABASE_URL", b"case_notes"),
    ("session", "end-session", "DATABASE_URL", b"pg_terminate_backend"),
    ("slot", "drop-slot", "DATABASE_URL", b"pg_drop_replication_slot"),
    ("keys", "promote-key", "AWS_ENDPOINT_URL", b"UpdateSecretVersionStage"),
    ("set up", "env-file", "AWS_ENDPOINT_URL", development.SECRET.encode()),
    ("bucket", "reopen-bucket", "AWS_ENDPOINT_URL", b"PUT /valuecanvas-backups?policy"),
]


@nightly
@pytest.mark.parametrize(("book", "step", "name", "marker"), CUTS, ids=lambda one: one if isinstance(one, str) else "")
def test_a_step_whose_line_is_cut_once_leaves_nothing_half_done_and_is_done_by_the_run_that_goes_on(
    house, run, backed_up, book, step, name, marker
):
    book = BOOKS[book]
    with opened(book, house) as there, line(house, name, marker, step) as cut, person(house):
        result, folder = run(book.name, *book.given)
        stopped_at(step, result, folder)
        assert cut.lost
        assert there.state() != there.expected
        cut.mend()
        to_its_end(house, book, there, result["run"])
