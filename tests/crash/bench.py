"""A place for one run that is broken off: a target of its own, an archive of its own, and how both look afterwards."""

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import psycopg
import redis

from opslib.actions import backups_folder as staging
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.headless import earlier
from opslib.lab.processes import free_port
from opslib.model import now
from opslib.places import ROOT
from opslib.probes import database_rehearsals as rehearsals
from opslib.redaction import Secret
from opslib.runs.steps import State
from opslib.settings import Settings
from opslib.settings_guard import shown
from opslib.systems import dev_server
from tests import hosters
from tests.actions import shop
from tests.backup_place import Place
from tests.crash.steps import CLEARED
from tests.kubernetes import NAMESPACE, ClusterDoors, replicas
from tests.vendors import Doors
from tests.waiting import until
from tests.workspaces import tree

LIVE = "crash"
ON_CLUSTER = ("scale", "incident")
HOSTERS = {"roll-back": "vercel", "roll-back-netlify": "netlify", "roll-back-cloudflare": "cloudflare"}
KEYS = 3000
VERSIONED = ("put_new", "bound", "set_ingress", "set_variable")
"""Effects that are the same one whatever version of the object they were sent on."""
BASE = "crash_base"


HISTORY = """
CREATE SCHEMA supabase_migrations;
CREATE TABLE supabase_migrations.schema_migrations (version text PRIMARY KEY, statements text[], name text);
GRANT USAGE ON SCHEMA supabase_migrations TO PUBLIC;
"""
MIGRATIONS = {
    "20260401090000": (
        "CREATE TABLE public.notes (id int);\nALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;\n"
        "INSERT INTO public.notes VALUES (1);\n",
        "DROP TABLE public.notes;\n",
    ),
    "20260402090000": (
        "ALTER TABLE public.users ADD COLUMN due date;\nINSERT INTO public.notes VALUES (2);\n",
        "ALTER TABLE public.users DROP COLUMN due;\nDELETE FROM public.notes WHERE id = 2;\n",
    ),
}


def rehearsal(target, version, up, down, before):
    """Return what a rehearsal of the migration would have found."""
    return rehearsals.Rehearsal(
        environment=target.environment,
        database=target.read_database_url.public,
        version=version,
        name="m",
        before=before,
        sha256=hashlib.sha256(up.encode()).hexdigest(),
        rollback_sha256=hashlib.sha256(down.encode()).hexdigest(),
        run="rehearsal",
        rehearsed_at=now(),
        backup="crash",
        seconds=0.1,
        locks={},
        without_security=(),
        rollback_seconds=0.1,
        differences=(),
        proven=True,
    )


class Driver:
    """The process that forks runs (:mod:`tests.crash.driver`)."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.driver"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, case, fault=None, go_on=False):
        """Do one run of the case; returns what its process told and how that ended (exit code, -9 for killed)."""
        asked = {
            "scenario": case.scenario,
            "environment": case.environment,
            "archive": str(case.archive),
            "work": case.work,
            "go_on": go_on,
            "fault": fault,
        }
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        lines = said["lines"]
        return Told(
            said["code"],
            [line for line in lines if "did" in line],
            next((line for line in lines if "ended" in line), {"ended": "", "reason": ""}),
            next((line["points"] for line in lines if "points" in line), 0),
            next((line["names"] for line in lines if "names" in line), []),
            [line["opened"] for line in lines if "opened" in line],
        )

    def close(self):
        """End it."""
        self.process.stdin.close()
        self.process.wait(60)


class Told:
    """What one process said of its run."""

    def __init__(self, code, did, ended, points, names, opened):
        self.code, self.did, self.points, self.names, self.opened = code, did, points, names, opened
        self.ended, self.reason = ended["ended"], ended["reason"]


class Case:
    """One scenario on a fresh target; ``base`` is a Base."""

    def __init__(self, base, scenario, folder):
        self.base, self.scenario, self.folder = base, scenario, folder
        self.archive = folder / "archive"
        self.token = secrets.token_hex(3)
        self.work = f"20261123T130614Z-runbooks-{scenario}-{self.token}"
        self.hoster = HOSTERS.get(scenario)
        self.on_shop = scenario in ("restore", "upkeep", "migrate")
        self.prefix = "crash/" if self.on_shop else f"{base.place.name}-{self.token}/"
        folder.mkdir(exist_ok=True)
        self.database = LIVE if self.on_shop else base.place.name
        self.environment = {
            "OPS_LAB": str(folder / "lab"),
            "OPS_LOCKS": str(base.locks),
            "OPS_NOTEBOOKS": str(base.notebooks),
            "XDG_STATE_HOME": str(folder / "state"),
        }
        self.settings = base.lab.settings.model_copy(update=self._changes())
        describe(self.settings, folder / "lab")
        if scenario in ON_CLUSTER:
            base.calm()
        if self.on_shop:
            base.fresh_shop()
            self.before = base.oids()
            if scenario == "upkeep":
                base.wear()
            if scenario == "migrate":
                base.lay_out(self)
        elif self.hoster:
            self.front = base.fresh_front(self.hoster)
        elif scenario == "clear":
            base.fill()
        else:
            self.place = Place(base.lab, base.place.name)
            self.place.settings = self.settings
            base.seed(self.place, scenario)

    def _changes(self):
        said = self.base.lab.settings
        if self.hoster:
            said = hosters.of(said, Doors(said), self.hoster).settings
        return {
            "hoster": said.hoster,
            "front_end_url": said.front_end_url,
            "database_url": said.database_url.with_path(self.database),
            "read_database_url": said.read_database_url.with_path(self.database),
            "backup_prefix": self.prefix,
            "core_tables": ("auth.users", "public.users") if self.on_shop else ("public.things",),
            "migrations": self.folder / "supabase",
            "workspace": self.folder / "workspace" / "valuecanvas",
            "development_port": self.base.port,
        }

    def state(self):
        """Return what the run has made of its target, in words that are the same for every case."""
        if self.scenario == "upkeep":
            return self.base.upkeep()
        if self.scenario == "migrate":
            return self.base.migrated()
        if self.hoster:
            return self.base.front_state(self.front)
        if self.scenario == "clear":
            return self.base.cached()
        if self.scenario == "scale":
            return self.base.scaled()
        if self.scenario == "set-up":
            return self._environment()
        if self.scenario == "incident":
            return self.base.contained()
        return self.base.shop_state(self) if self.on_shop else self._bucket()

    def _bucket(self):
        objects = sorted(re.sub(self.work, "WORK", name) for name in self.place.objects())
        return {
            "objects": objects,
            "uploads": self.place.uploads(),
            "scratch": sorted(name for name in self.place.databases() if name.startswith("ops_proof_")),
        }

    def _environment(self):
        folder = self.settings.workspace
        found = dev_server.listener(self.settings.development_port)
        made = {} if not folder.is_dir() else tree(folder)
        beside = sorted(path.name for path in folder.parent.glob("*")) if folder.is_dir() else []
        kept = sorted(path.name for path in (folder / ".git" / "opslib").glob("*"))
        return {
            "files": {name: said for name, said in made.items() if not name.startswith(".git/") and name != ".git"},
            "beside": beside,
            "kept": kept,
            "answers": found is not None and dev_server.belongs(found[0], self.work),
            "servers": len(servers(self.work)),
        }

    def steps(self):
        """Return where the steps stand by the journals of all runs of the work."""
        return self.earlier().steps

    def earlier(self):
        with environment(self.environment):
            return earlier.find(Archive(self.archive), self.work)

    def faults(self, told, undisturbed, *, finished=True):
        """Return what is wrong with target and record after the runs ``told``; empty when nothing is."""
        said = []
        if finished and self.state() != undisturbed:
            said.append(f"the target is {self.state()}, not {undisturbed}")
        if twice := list(repeated([line for run in told for line in run.did])):
            said.append(f"done twice: {twice}")
        found = self.earlier()
        if not verify(self.archive).ok:
            said.append(f"the archive does not verify: {verify(self.archive)}")
        states = {run.name: run.state for run in found.runs}
        if missing := {name for run in told for name in run.opened} - set(states):
            said.append(f"not in the archive: {missing}")
        if Archive(self.archive).log.open_runs():
            said.append("a run is open")
        for run in told:
            # One that was killed after it had written its result, and before it was sealed, has that result.
            name = run.opened[0] if run.opened and run.code < 0 else None
            if name and states[name] != "interrupted" and (states[name] != "finished" or name != found.last.name):
                said.append(f"{name} was killed and is shown as {states[name]}")
        if finished and (open_ := [s.step for s in found.steps.values() if s.state is not State.VERIFIED]):
            said.append(f"finished, but not verified: {open_}")
        return said

    def close(self):
        if self.scenario in ON_CLUSTER:
            self.base.calm()
        dev_server.stop(self.work, 1.0)
        if self.hoster:
            self.front.doors.put(**{self.hoster: self.base.fronts[self.hoster]})
        elif not self.on_shop and self.scenario != "clear":
            self.place.close()
        staging.remove(self.work)


def servers(work):
    """Return the first process of each development server of the work: one too many would show here."""
    marked = f"{dev_server.MARK}={work}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if marked in path.read_bytes().split(b"\0"):
                found.append(os.getsid(int(path.parent.name)))
    return sorted(set(found))


def repeated(did):
    """Yield each effect that was done again though nothing had taken it back in between."""
    there = set()
    for line in did:
        what = (
            line["did"],
            re.sub(r" ?version=\S*", "", line["what"]) if line["did"] in VERSIONED else line["what"],
        )
        if line["did"] == "delete_version":
            there = {one for one in there if one[0] != "_complete" or one[1].split()[0] not in line["what"]}
            if what in there:
                yield what
            there.add(what)
        elif what in there:
            yield what
        else:
            there.add(what)


class Base:
    """What all cases share: a small database with a dump of it, and another with a backup that is copied."""

    def __init__(self, lab, place, locks):
        # One folder of locks, as a machine has: the next run may then conclude that a killed one is gone.
        self.lab, self.place, self.locks = lab, place, locks
        self.port = free_port(set())
        self.notebooks = shutil.copytree(ROOT / "notebooks", locks.parent / "notebooks")
        self.fronts = {name: Doors(lab.settings).state()[name] for name in HOSTERS.values()}
        self.cluster = ClusterDoors(lab.settings)
        self.quiet = self.cluster.state()
        self.manifest = place.manifest(place.take("seed"))
        self.dump = b"".join(place.writing().backup_store.stream(self.manifest.dump.key))
        shop.make(lab, LIVE, shop.SCHEMA, shop.ROWS)
        writing = shop.writing(lab, name=LIVE)
        shop.store(writing, "crash/x.dump", shop.dump(lab, "-Fc", name=LIVE))
        writing.close()
        with lab.admin("postgres") as session:
            session.execute(f"ALTER DATABASE {LIVE} RENAME TO {BASE}")

    def seed(self, place, scenario):
        ages = (1, 40, 50, 60) if scenario == "retention" else (1, 40)
        for age in ages:
            taken_at = now() - timedelta(days=age)
            place.keep(self.manifest, self.dump, f"age-{age}", taken_at=taken_at, proven=age == 1)

    def fresh_shop(self):
        with self.lab.admin("postgres") as session:
            names = session.execute(
                "SELECT datname FROM pg_database WHERE datname ~ %s", [f"^{LIVE}(_(before|restore)_.*)?$"]
            ).fetchall()
            for row in names:
                session.execute(f'DROP DATABASE "{row["datname"]}" WITH (FORCE)')
            session.execute(f"CREATE DATABASE {LIVE} TEMPLATE {BASE}")
            session.execute(f"ALTER DATABASE {LIVE} OWNER TO shop_owner")
            session.execute(f"REVOKE CONNECT ON DATABASE {LIVE} FROM PUBLIC")
            session.execute(f"GRANT CONNECT ON DATABASE {LIVE} TO ops_reader")
        with self.lab.admin(LIVE) as session:
            session.execute("INSERT INTO public.never_used VALUES (1)")

    def calm(self):
        """Bring cluster and cache back to what they were at the beginning."""
        self.cluster.put(**self.quiet)
        with redis.Redis.from_url(self.lab.settings.cache_url.reveal()) as cache:
            cache.execute_command("CONFIG", "SET", "maxmemory", "64mb", "maxmemory-policy", "volatile-lru")

    def scaled(self):
        """Return what a scaling has made of cluster and cache."""
        objects = self.cluster.cluster()["objects"]
        with redis.Redis.from_url(self.lab.settings.cache_url.reveal()) as cache:
            memory = cache.config_get("maxmemory*")
        names = ("api-server", "llm-worker")
        return {
            "bounds": [self.cluster.bounds(name) for name in names],
            "available": [replicas(objects, name) for name in names],
            "memory": [memory["maxmemory"], memory["maxmemory-policy"]],
        }

    def contained(self):
        """Return what a containment has made of the cluster: who may come in, and what the API's pods log."""
        objects = self.cluster.cluster()["objects"]
        pods = self.cluster.pods_of("api-server", objects)
        specs = [objects["pods"][f"{NAMESPACE}/{name}"]["spec"]["containers"][0] for name in pods]
        sources = ("203.0.113.9", "198.51.100.7")
        return {
            "policies": sorted(objects["networkpolicies"]),
            "let in": [[self.cluster.reaches(pod, source) for pod in pods] for source in sources],
            "levels": [[one["value"] for one in spec["env"] if one["name"] == "AUDIT_LOG_LEVEL"] for spec in specs],
        }

    def wear(self):
        """Bring the shop into a state that needs upkeep: dead rows, half an index, a stale view."""
        with self.lab.admin(LIVE) as session:
            session.execute("INSERT INTO public.users (name) SELECT 'more ' || n FROM generate_series(1, 3000) AS n")
            session.execute("CREATE MATERIALIZED VIEW public.born AS SELECT born, count(*) AS n FROM users GROUP BY 1")
            session.execute("CREATE UNIQUE INDEX born_born ON public.born (born)")
            session.execute("ALTER TABLE public.users SET (autovacuum_enabled = off)")
            session.execute("DELETE FROM public.users WHERE name LIKE 'more %'")
            with suppress(psycopg.errors.UniqueViolation):
                session.execute("CREATE UNIQUE INDEX CONCURRENTLY half ON public.users (born)")
        until(lambda: self.upkeep()["dead rows"])

    def fresh_front(self, name):
        """Return a hoster as the lab began with it; nobody has asked it to move anything."""
        hoster = hosters.of(self.lab.settings, Doors(self.lab.settings), name)
        hoster.doors.put(**{name: {**self.fronts[name], "move_seconds": 0.05}})
        hoster.doors.forget()
        return hoster

    def front_state(self, hoster):
        """Return where production points, and how often the hoster was asked to move it."""
        with hoster.looking() as looking:
            live = looking.current()
        asked = [call for call in hoster.doors.calls(hoster.name) if call["method"] == "POST"]
        return {"production": live.deployment, "held back": live.pinned, "asked": len(asked)}

    def fill(self):
        """Put answers into the cache, more than one call removes."""
        with redis.Redis.from_url(self.lab.settings.cache_url.reveal()) as cache, cache.pipeline() as pipeline:
            for number in range(KEYS):
                pipeline.set(f"{CLEARED}{number:016x}", "said", ex=3600)
            pipeline.execute()

    def cached(self):
        """Return how many of these answers, and how many other keys, there are."""
        with redis.Redis.from_url(self.lab.settings.cache_url.reveal()) as cache:
            keys = [key.startswith(CLEARED.encode()) for key in cache.scan_iter(count=1000)]
        return {"answers": sum(keys), "other keys": len(keys) - sum(keys) > 0}

    def upkeep(self):
        """Return what an upkeep has made of the shop."""
        with self.lab.admin(LIVE) as session:
            indexes = session.execute(
                "SELECT c.relname AS name, i.indisvalid AS valid FROM pg_index AS i"
                " JOIN pg_class AS c ON c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1"
            ).fetchall()
            dead = session.execute(
                "SELECT n_dead_tup AS n FROM pg_stat_user_tables WHERE relid = 'public.users'::regclass"
            ).fetchone()
            view = session.execute("SELECT sum(n) AS n FROM public.born").fetchone()
        return {
            "indexes": {row["name"]: row["valid"] for row in indexes},
            "dead rows": dead["n"] > 100,
            "rows in the view": view["n"],
        }

    def lay_out(self, case):
        """Give the shop a history, the case a checkout with two pending migrations, and a rehearsal of both."""
        with self.lab.admin(LIVE) as session:
            session.execute(HISTORY)
        with environment(case.environment):
            for number, (version, (up, down)) in enumerate(MIGRATIONS.items()):
                for kind, text in (("migrations", up), ("rollbacks", down)):
                    (case.folder / "supabase" / kind).mkdir(parents=True, exist_ok=True)
                    (case.folder / "supabase" / kind / f"{version}_m.sql").write_text(text)
                rehearsals.keep(rehearsal(case.settings, version, up, down, before=list(MIGRATIONS)[:number]))

    def migrated(self):
        """Return what a run has made of the shop's schema and history."""
        with self.lab.admin(LIVE) as session:
            rows = session.execute("SELECT version FROM supabase_migrations.schema_migrations ORDER BY 1").fetchall()
            columns = session.execute(
                "SELECT table_name || '.' || column_name AS name FROM information_schema.columns"
                " WHERE table_schema = 'public' AND (table_name = 'notes' OR column_name = 'due') ORDER BY 1"
            ).fetchall()
            notes = [row["name"] for row in columns if row["name"].startswith("notes")]
            # One row of each time that the file ran whole.
            counted = session.execute("SELECT count(*) AS n FROM public.notes").fetchone() if notes else {"n": None}
        return {
            "recorded": [row["version"] for row in rows],
            "columns": [row["name"] for row in columns],
            "rows": counted["n"],
        }

    def oids(self):
        with self.lab.admin("postgres") as session:
            rows = session.execute(
                "SELECT datname, oid FROM pg_database WHERE datname ~ %s", [f"^{LIVE}(_(before|restore)_.*)?$"]
            ).fetchall()
        return {row["datname"]: row["oid"] for row in rows}

    def shop_state(self, case):
        found = self.oids()
        names = sorted(re.sub(case.token, "TOKEN", name) for name in found)
        rows = {}
        for name in found:
            with suppress(psycopg.Error), self.lab.admin(name) as session:
                word = re.sub(case.token, "TOKEN", name)
                rows[word] = session.execute(
                    "SELECT (SELECT count(*) FROM public.never_used) AS new, (SELECT count(*) FROM public.users) AS n"
                ).fetchone()
        old = {word: found.get(name) == case.before[LIVE] for word, name in zip(names, sorted(found), strict=True)}
        return {"databases": names, "rows": rows, "is what was live": old}

    def close(self):
        with self.lab.admin("postgres") as session:
            shop.drop(session, LIVE)


def variables(settings):
    """Return the environment variables that describe a target, credentials included."""
    found = {}
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if value not in (None, (), {}):
            text = value.reveal() if isinstance(value, Secret) else shown(value)
            found[str(field.alias)] = text.replace(", ", ",")
    return found


def describe(settings, folder):
    """Write the description as that of the lab in ``folder``."""
    folder.mkdir(exist_ok=True)
    text = "".join(f"{name}={value}\n" for name, value in variables(settings).items())
    (folder / "target.env").write_text(text)


@contextmanager
def environment(said):
    """Have these variables in the process's environment for a moment."""
    before = {name: os.environ.get(name) for name in said}
    os.environ.update(said)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def working(case):
    """Hand the case out and clean up after it."""
    try:
        yield case
    finally:
        case.close()
