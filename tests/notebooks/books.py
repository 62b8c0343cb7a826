"""Runbooks for whole runs that are broken off at one step: what each begins with, and what must be so at the end."""

import json
import shutil
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
import redis

from opslib.lab.broken import find
from opslib.lab.vendors.github import MAIN
from opslib.lab.vendors.product import git
from opslib.probes import database_rehearsals
from opslib.systems.postgres import connect
from tests.actions.keys import place
from tests.hosters import of
from tests.incidents import people
from tests.kubernetes import ClusterDoors
from tests.supabase import digest, project
from tests.vaults import shelf
from tests.vendors import Doors
from tests.waiting import until
from tests.workflows import repository

BAD, GOOD = "203.0.113.9", "198.51.100.7"
FORMER, LATER = "tg-v1-old-9f3Kq7Zr2Lm8", "tg-v1-new-5Hd8Wq1Xv6Np"
CACHED = "llm:cache:lab:"
MANY = 20_000
"""So many keys are removed in several calls."""


@dataclass
class There:
    """What a runbook begins with. ``state()`` is what it has made of it, in words that are the same for every run."""

    state: object
    expected: object
    sent: tuple = ()
    """Doors whose calls show that something was sent."""
    begun: dict = field(default_factory=dict)
    """By step: ``came()`` where no door shows it."""


@dataclass(frozen=True)
class Book:
    """One runbook: ``prepare(house)`` hands out a There; ``undo`` brings back what it does not."""

    name: str
    given: tuple
    prepare: object
    exit_codes: tuple = (0,)
    undo: bool = False
    confirms: bool = False


class Admin:
    """The house as :func:`people` wants it."""

    def __init__(self, settings):
        self.settings = settings

    def admin(self):
        return connect(self.settings.database_url, "test")


def ask(house, text):
    with connect(house.settings.database_url, "test") as session:
        return session.execute(text).fetchall()


@contextmanager
def described(house, hoster):
    """Let the lab's description say another hoster, and the branch be at the repository's newest commit."""
    file, doors = house.lab.folder / "target.env", Doors(house.settings)
    kept = file.read_text()
    said = kept.replace("OPS_HOSTER=vercel", f"OPS_HOSTER={hoster}")
    file.write_text(said.replace("/vercel/sites/production", f"/{hoster}/sites/production"))
    try:
        with doors.restored():
            github, commit = doors.state()["github"], git(house.settings.checkout, "rev-parse", "HEAD").strip()
            runs = [one | {"sha": commit} for one in github["runs"]]
            doors.put(github={**github, "heads": {"main": commit}, "runs": runs})
            made = of(house.settings, doors, hoster)
            made.put(build_seconds=0.2, move_seconds=0.05)
            yield made
    finally:
        file.write_text(kept)


@contextmanager
def cached(house):
    with redis.Redis.from_url(house.settings.cache_url.reveal()) as cache:
        others = sum(not key.startswith(b"llm:cache:") for key in cache.scan_iter(count=1000))
        with cache.pipeline() as pipeline:
            for number in range(MANY):
                pipeline.set(f"{CACHED}{number:016x}", "said", ex=3600)
            pipeline.execute()

        def keys():
            found = [key.startswith(b"llm:cache:") for key in cache.scan_iter(count=1000)]
            return {"cached": sum(found), "others": len(found) - sum(found)}

        def some_gone():
            return keys()["cached"] < MANY

        yield There(keys, {"cached": 0, "others": others}, begun={"clear-cache": some_gone})


@contextmanager
def incident(house):
    doors, cluster = Doors(house.settings), ClusterDoors(house.settings)
    with people(Admin(house.settings)) as crowd, doors.restored(), cluster.restored():
        crowd.sign_in("operator")
        crowd.sign_in("mallory", tokens=2)

        def state():
            vendors, pods = doors.state(), cluster.pods_of("api-server")
            (container,) = cluster.spec("deployments", "api-server")["template"]["spec"]["containers"]
            return {
                "let in": [{cluster.reaches(pod, source) for pod in pods} for source in (BAD, GOOD)],
                "levels": [one["value"] for one in container["env"] if one["name"] == "AUDIT_LOG_LEVEL"],
                "signed in": [len(crowd.sessions(name)) for name in ("operator", "mallory")],
                "told": [len(vendors["pagerduty"]["alerts"]), len(vendors["slack"]["messages"])],
            }

        expected = {"let in": [{False}, {True}], "levels": ["debug"], "signed in": [1, 0], "told": [1, 1]}
        yield There(state, expected, (doors, cluster))


@contextmanager
def telling(house):
    doors = Doors(house.settings)
    with doors.restored():

        def state():
            vendors = doors.state()
            return [len(vendors["pagerduty"]["alerts"]), len(vendors["slack"]["messages"])]

        yield There(state, [1, 1], (doors,))


def rolled_back(hoster):
    @contextmanager
    def prepare(house):
        with described(house, hoster) as made:

            def state():
                with made.looking() as looking:
                    live = looking.current().deployment
                asked = [call for call in made.doors.calls(hoster) if call["method"] == "POST"]
                return {"live": live, "asked at most twice": len(asked) <= 2}

            yield There(state, {"live": made.ids["before"], "asked at most twice": True}, (made.doors,))

    return prepare


def deployed(hoster, drafts=0):
    @contextmanager
    def prepare(house):
        shutil.rmtree(database_rehearsals.folder(), ignore_errors=True)
        files = Path(house.settings.migrations)
        kept = shutil.copytree(files, house.lab.folder / "kept-supabase", dirs_exist_ok=True)
        with described(house, hoster) as made:
            made.bare()
            commit = git(house.settings.checkout, "rev-parse", "HEAD").strip()

            def pending():
                rows = ask(house, "SELECT version FROM supabase_migrations.schema_migrations")
                return 10 - len(rows)

            def state():
                new = [one for one in made.state["deployments"] if one["id"] not in made.ids.values()]
                with made.looking() as looking:
                    live = looking.deployment(looking.current().deployment)
                return {"new": len(new), "live is new": live.id not in made.ids.values(), "commit": live.commit}

            was = pending()
            try:
                expected = {"new": 1 + drafts, "live is new": True, "commit": commit}
                applied = {"apply-migrations": lambda: pending() < was}
                yield There(state, expected, (made.doors,), applied)
            finally:
                shutil.rmtree(files)
                shutil.move(kept, files)

    return prepare


@contextmanager
def functions(house):
    with project(house.settings) as made, shelf(house.settings) as kept:
        kept.put(TOGETHER_API_KEY=FORMER)
        made.secret("TOGETHER_API_KEY", FORMER)
        made.secret("OPENAI_API_KEY", None)
        kept.put(TOGETHER_API_KEY=LATER)

        def state():
            versions = {slug: one["version"] for slug, one in made.state["functions"].items()}
            return {"versions": versions, "together": made.state["secrets"]["TOGETHER_API_KEY"]["value"]}

        expected = {"versions": {"hello": 2, "llm-ready": 1, "summarise": 1}, "together": digest(LATER)}
        yield There(state, expected, (made.doors,))


@contextmanager
def dispatched(house):
    with repository(house.settings) as origin:
        yield There(lambda: len(origin.runs), 2, (origin.doors,))


@contextmanager
def blocked(house):
    fault = find("blocked-sessions")
    fault.make(house.settings)

    def waiting():
        found = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name LIKE 'lab fault%'"
        return ask(house, f"{found} AND wait_event_type = 'Lock'")[0]["n"]

    try:
        until(waiting)
        yield There(waiting, 0)
    finally:
        fault.mend(house.settings)


@contextmanager
def worn(house):
    """Three tables and a view, each of which a lock of its own holds up."""
    with connect(house.settings.database_url, "test") as session:
        session.execute("DROP TABLE IF EXISTS public.worn, public.halved, public.slow CASCADE")
        for name in ("worn", "halved", "slow"):
            session.execute(
                f"CREATE TABLE public.{name} AS SELECT n AS id, n % 7 AS kind FROM generate_series(1, 5000) n"
            )
            session.execute(f"ALTER TABLE public.{name} ENABLE ROW LEVEL SECURITY, SET (autovacuum_enabled = off)")
        session.execute("DELETE FROM public.worn WHERE id > 1000")
        with suppress(psycopg.errors.UniqueViolation):
            session.execute("CREATE UNIQUE INDEX CONCURRENTLY broken_off ON public.halved (kind)")
        session.execute(
            "CREATE MATERIALIZED VIEW public.kinds AS SELECT kind, count(*) AS n FROM public.slow GROUP BY 1"
        )
        session.execute("CREATE UNIQUE INDEX kinds_kind ON public.kinds (kind)")
        session.execute("INSERT INTO public.slow VALUES (5001, 9)")
    with connect(house.settings.database_url, "test") as session:
        # Due is the first alone. In a session of its own: what the other one did is counted when that one ends.
        session.execute("VACUUM ANALYZE public.halved, public.slow")
    until(lambda: ask(house, "SELECT n_dead_tup AS n FROM pg_stat_user_tables WHERE relname = 'worn'")[0]["n"] > 1000)

    def state():
        indexes = ask(house, "SELECT indexname AS n FROM pg_indexes WHERE tablename IN ('halved', 'slow') ORDER BY 1")
        dead = ask(house, "SELECT n_dead_tup AS n FROM pg_stat_user_tables WHERE relname = 'worn'")[0]["n"]
        kinds = ask(house, "SELECT count(*) AS n FROM public.kinds")[0]["n"]
        return {"indexes": [row["n"] for row in indexes], "dead": dead, "kinds": kinds}

    try:
        yield There(state, {"indexes": ["idx_slow_kind"], "dead": 0, "kinds": 8})
    finally:
        with connect(house.settings.database_url, "test") as session:
            session.execute("DROP TABLE public.worn, public.halved, public.slow CASCADE")


@contextmanager
def scaled(house):
    cluster = ClusterDoors(house.settings)
    with redis.Redis.from_url(house.settings.cache_url.reveal()) as cache, cluster.restored():

        def state():
            bounds = [cluster.bounds(name) for name in ("api-server", "llm-worker")]
            return {"bounds": bounds, "memory": int(cache.config_get("maxmemory")["maxmemory"]) >> 20}

        try:
            yield There(state, {"bounds": [(4, 10), (3, 5)], "memory": 96}, (cluster,))
        finally:
            cache.execute_command("CONFIG", "SET", "maxmemory", "64mb", "maxmemory-policy", "volatile-lru")


@contextmanager
def rotated(house):
    """The hoster has the key as well, and is live with the branch's newest commit."""
    with place(house.settings, "openai") as there:
        there.project.secret(there.variable, there.old)
        hoster = of(house.settings, there.doors, "vercel")
        one = {"name": there.variable, "secret": True, "updated": 1_790_000_000.0, "digest": digest(there.old)}
        hoster.put(variables=[*hoster.state["variables"], one], move_seconds=0.05, build_seconds=0.3)
        hoster.change("now", sha=MAIN)

        def state():
            new = there.new()
            (held,) = [one["digest"] for one in hoster.state["variables"] if one["name"] == there.variable]
            started = {*there.pods.started_with(there.variable), *there.pods.started_with(there.variable, "llm-worker")}
            accounts = there.board.state["accounts"]
            built = [one for one in hoster.state["deployments"] if one["id"] not in hoster.ids.values()]
            return {
                "new": new != there.old,
                "held": {held, there.project.state["secrets"][there.variable]["value"]} == {digest(new)},
                "started": started == {new},
                "accounts": (len(accounts), "svc_production" in accounts),
                "built": len(built),
            }

        accounts = len(there.board.state["accounts"])
        expected = {"new": True, "held": True, "started": True, "accounts": (accounts, False), "built": 1}
        yield There(state, expected, (there.doors, there.pods.doors))


CONTAINED = (f"block={BAD}", "audit_level=debug", "hours=2", "scope=users", "users=mallory@incident.example")
SHORT = ("watch_minutes=0.05", "look_seconds=0.5")
KEYS = ("soak_minutes=0.02", "look_seconds=0.3", "wait_seconds=60", "confirm_minutes=1", "revoke_seconds=60")
SCALED = ("settle_seconds=0.5", "cache_megabytes=96", "cache_policy=volatile-ttl")
WORN = ("index_table=public.slow", "index_columns=kind")

BACK = Book("runbooks/roll-back-deployment", (), rolled_back("netlify"), (0, 1, 3))
DEPLOY = Book("runbooks/deploy-new-version", (*SHORT, "database=none"), deployed("netlify", 1), (0, 1, 3), undo=True)
BOOKS = {
    "cache": Book("runbooks/maintain-cache", ("window_seconds=1", "least_lookups=1"), cached, (0, 1, 3)),
    "incident": Book(
        "runbooks/respond-to-security-incident", (*CONTAINED, "keep=operator@incident.example"), incident, (1,)
    ),
    "telling": Book("reviews/incident-workbench", ("incident=INC-1", "tell=began"), telling, (2, 3)),
    "back netlify": BACK,
    "back cloudflare": replace(BACK, prepare=rolled_back("cloudflare")),
    "deploy vercel": replace(DEPLOY, given=SHORT, prepare=deployed("vercel")),
    "deploy netlify": replace(DEPLOY, given=(*DEPLOY.given, "build=draft")),
    "deploy cloudflare": replace(DEPLOY, prepare=deployed("cloudflare")),
    "supabase": Book("runbooks/deploy-supabase", (), functions),
    "workflow": Book("runbooks/force-full-deployment", ("minutes=1",), dispatched),
    "session": Book("runbooks/end-blocking-session", (), blocked),
    "upkeep": Book("runbooks/maintain-database", WORN, worn, (0, 1, 2)),
    "scale": Book("runbooks/scale-for-high-traffic", SCALED, scaled, (0, 1)),
    "keys": Book("runbooks/rotate-api-keys", KEYS, rotated, confirms=True),
}


def journal(folder):
    """Return the lines of a run's journal; the last may be cut off."""
    text = (folder / "journal.jsonl").read_text() if (folder / "journal.jsonl").exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


@contextmanager
def opened(book, house):
    """Prepare a book; hands out what there is, with nothing of before in its doors' lists of calls."""
    with ExitStack() as stack:
        there = stack.enter_context(book.prepare(house))
        for door in there.sent:
            door.forget()
        yield there


def changing(there):
    """Return how many calls were made that change something."""
    vendors = ("vercel", "netlify", "cloudflare", "supabase", "github", "openai", "pagerduty", "slack", "kubernetes")
    every = [call for door in there.sent for vendor in vendors for call in door.calls(vendor)]
    return sum(call["method"] not in ("GET", "HEAD") for call in every)
