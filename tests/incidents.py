"""For tests of incidents: a run's folder to leave evidence in, and users with sessions of the test's own."""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime

from opslib.runs.work import Work
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

NOW = datetime.now(UTC)
RUN = f"{NOW:%Y%m%dT%H%M%SZ}-runbooks-respond-to-security-incident-a1b2c3"
PERSON = "ann@ops-1"


def quiet(text, done=None, total=None):
    """Tell nobody."""


def places(settings, runs, run=RUN):
    """Return the three kinds of target as the executor hands them out for a step of a run in the folder ``runs``."""
    folder = runs / run
    (folder / "evidence").mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps({"run": run, "requested_by": PERSON}))
    work = Work(run, "runbooks/respond-to-security-incident", settings, folder, "run")
    files = work.files("preserve-evidence")
    return PlanTarget(settings, work.id), VerifyTarget(settings, work.id, files), WriteTarget(settings, work.id, files)


def carry_out(action, targets):
    """Plan, apply, verify; returns the plan, the values and what the verification says."""
    reading, looking, writing = targets
    plan = action.plan(reading)
    values = action.apply(writing, plan, quiet)
    return plan, values, action.verify(looking, plan, values)


class People:
    """Users of the test's own, who are signed in as often as the test says."""

    def __init__(self, session):
        self.session = session
        self.ids = {}

    def sign_in(self, name, *, ip="198.51.100.7", agent="Mozilla/5.0 (test)", ago="1 minute", tokens=1):
        """Give ``name`` (an address before the @) one session with refresh tokens; returns its id."""
        user = self.ids.setdefault(name, str(uuid.uuid4()))
        self.session.execute(
            "INSERT INTO auth.users (id, email) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [user, f"{name}@incident.example"],
        )
        made = str(uuid.uuid4())
        self.session.execute(
            "INSERT INTO auth.sessions (id, user_id, created_at, ip, user_agent)"
            " VALUES (%s, %s, now() - %s::interval, %s, %s)",
            [made, user, ago, ip, agent],
        )
        for number in range(tokens):
            self.session.execute(
                "INSERT INTO auth.refresh_tokens (token, user_id, session_id) VALUES (%s, %s, %s)",
                [f"token-of-{made}-{number}", user, made],
            )
        return made

    def sessions(self, name):
        """Return the ids of a user's sessions."""
        rows = self.session.execute("SELECT id::text FROM auth.sessions WHERE user_id = %s", [self.ids[name]])
        return {row["id"] for row in rows.fetchall()}


@contextmanager
def people(lab):
    """Hand out :class:`People`; what anybody did to sessions, users or audit rows is put back afterwards."""
    tables = ("auth.users", "auth.sessions", "auth.refresh_tokens")
    with lab.admin() as session:
        kept = {}
        for table in tables:
            with session.cursor().copy(f"COPY {table} TO STDOUT") as out:
                kept[table] = b"".join(bytes(piece) for piece in out)
        try:
            yield People(session)
        finally:
            session.execute("SET session_replication_role = replica")
            for table, rows in reversed(kept.items()):
                session.execute(f"DELETE FROM {table}")
                with session.cursor().copy(f"COPY {table} FROM STDIN") as back:
                    back.write(rows)
            session.execute("SET session_replication_role = origin")
            # Dead rows would make checks of the whole database say so, in other tests.
            session.execute("VACUUM ANALYZE auth.users, auth.sessions, auth.refresh_tokens")
