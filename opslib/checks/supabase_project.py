"""Supabase: whether the project is well, its functions answer, and the secrets that they need are there."""

from __future__ import annotations

from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import supabase as probes
from opslib.systems.publishable import FRAMEWORKS, client_prefix

PASSING = frozenset({"COMING_UP", "RESTORING", "UPGRADING", "RESTARTING", "RESIZING"})
"""States of a project that pass by themselves."""
PAUSED = frozenset({"INACTIVE", "PAUSING"})
"""States of a project that was put to rest, or is about to be; a free one after a week without use."""


def project_healthy() -> Check:
    """Return the check that the description's project is there and ACTIVE_HEALTHY."""

    def judge(reading: Reading) -> Judgement:
        row = reading.row
        said = f"{row['project']} ({row['name']}) is {row['status']}."
        if row["status"] == "ACTIVE_HEALTHY":
            return Judgement(Verdict.OK, said, None, reading.rows)
        passes = row["status"] in PASSING
        if row["status"] in PAUSED:
            said = (
                f"{row['project']} ({row['name']}) is paused ({row['status']}): its address answers 540 to everybody."
            )
        return Judgement(Verdict.WARNING if passes else Verdict.CRITICAL, said, None, reading.rows)

    return Check(
        name="supabase-project",
        title="The project is active and healthy",
        probe=probes.project(),
        judge=judge,
        remedy=(
            "Paused: restore it on the project's page, which takes minutes. Else look there and at "
            "status.supabase.com; deploy nothing until it is healthy. It stays ill: disaster/recover-database."
        ),
        items=("DEP-SUP-01", "TRB-SUP-02"),
    )


def services_healthy() -> Check:
    """Return the check that each service of the project is healthy."""

    def judge(reading: Reading) -> Judgement:
        if not reading.rows:
            return Judgement(Verdict.UNKNOWN, "Supabase lists no service.", None, ())
        ill = [row for row in reading.rows if row["status"] != "ACTIVE_HEALTHY"]
        if not ill:
            return Judgement(Verdict.OK, f"All {len(reading.rows)} services are healthy.", 0, reading.rows)
        down = any(row["status"] == "UNHEALTHY" for row in ill)
        said = ", ".join(f"{row['service']} is {row['status']}" for row in ill)
        return Judgement(Verdict.CRITICAL if down else Verdict.WARNING, f"{said}.", len(ill), reading.rows)

    return Check(
        name="supabase-services",
        title="The project's services are healthy",
        probe=probes.services(),
        judge=judge,
        remedy="Look at status.supabase.com, then at the service's log in the project's pages.",
    )


def migrated(ref: str) -> Check:
    """Return the check that the database has every migration of the commit that is deployed, or is to be."""

    def judge(reading: Reading) -> Judgement:
        wanted = [row for row in reading.rows if row["file"]]
        missing = [row["version"] for row in wanted if not row["recorded"]]
        if missing:
            many = f"{len(missing)} migrations" if len(missing) > 1 else "a migration"
            said = f"The database lacks {many} of {ref}, first {missing[0]}."
            return Judgement(Verdict.CRITICAL, said, len(missing), reading.rows)
        if not wanted:
            return Judgement(Verdict.UNKNOWN, f"{ref} has no migrations below supabase/migrations.", None, reading.rows)
        more = len(reading.rows) - len(wanted)
        ahead = f", and {more} more" if more else ""
        return Judgement(Verdict.OK, f"The database has all {len(wanted)} migrations of {ref}{ahead}.", 0, reading.rows)

    return Check(
        name="supabase-migrations",
        title="The database has every migration of the commit",
        probe=probes.migrations(ref),
        judge=judge,
        remedy=(
            "Apply them with runbooks/migrate-database (act=apply): it rehearses exactly the pending files on a "
            "restored copy first. Functions and API of that commit come after their database (GH-06); where they are "
            "live already, what they ask for is not there until then."
        ),
        items=("DEP-SUP-02",),
    )


def functions_active() -> Check:
    """Return the check that each deployed function is ACTIVE: neither throttled nor removed."""

    def judge(reading: Reading) -> Judgement:
        if not reading.rows:
            return Judgement(Verdict.UNKNOWN, "No function is deployed.", None, ())
        bad = [row for row in reading.rows if row["status"] != "ACTIVE"]
        if not bad:
            return Judgement(Verdict.OK, f"All {len(reading.rows)} functions are ACTIVE.", 0, reading.rows)
        said = ", ".join(f"{row['function']} is {row['status']}" for row in bad)
        return Judgement(Verdict.CRITICAL, f"{said}.", len(bad), reading.rows)

    return Check(
        name="supabase-functions",
        title="The functions are active",
        probe=probes.functions(),
        judge=judge,
        remedy="A throttled function is over the plan's limits: look at its calls; a removed one is deployed again.",
        items=("DEP-SUP-03",),
    )


def functions_answer() -> Check:
    """Return the check that the functions which may be called answer; 401 says that one wants a token."""

    def judge(reading: Reading) -> Judgement:
        if not reading.rows:
            return Judgement(Verdict.UNKNOWN, "OPS_SMOKE_FUNCTIONS names no function that may be called.", None, ())
        bad = [row for row in reading.rows if not answers(row)]
        if not bad:
            return Judgement(Verdict.OK, f"{len(reading.rows)} functions answer.", 0, reading.rows)
        said = ", ".join(f"{row['function']} answers {row['status']}" for row in bad)
        return Judgement(Verdict.CRITICAL, f"{said}.", len(bad), reading.rows)

    return Check(
        name="supabase-calls",
        title="The functions answer",
        probe=probes.calls(),
        judge=judge,
        remedy=(
            "404: the function is not deployed. runbooks/deploy-supabase deploys those that differ from the newest "
            "commit, this one among them, and leaves the others alone; it keeps what it replaces. 500 is often a "
            "secret that is not set, which the same runbook sets from the vault; else read the function's log, and "
            "mend it by a commit. 546: it is over the plan's limits, which no deployment mends."
        ),
        items=("DEP-SUP-03",),
    )


def secrets_present() -> Check:
    """Return the check that the secrets which functions need (OPS_FUNCTION_SECRETS) are set."""

    def judge(reading: Reading) -> Judgement:
        needed = [row for row in reading.rows if row["needed"]]
        missing = [row["secret"] for row in needed if not row["set"]]
        if missing:
            return Judgement(Verdict.CRITICAL, f"Not set: {', '.join(missing)}.", len(missing), reading.rows)
        if not needed:
            return Judgement(Verdict.UNKNOWN, "OPS_FUNCTION_SECRETS names none.", None, reading.rows)
        return Judgement(Verdict.OK, f"All {len(needed)} secrets that functions need are set.", 0, reading.rows)

    return Check(
        name="supabase-secrets",
        title="The secrets that functions need are set",
        probe=probes.secrets(),
        judge=judge,
        remedy=(
            "Set them from the vault with runbooks/deploy-supabase, which alone does it without anybody seeing a "
            "value; never on a command line (GH-03). A function reads its secrets when it is called: nothing is "
            "started anew."
        ),
        items=("DEP-SUP-04", "DEP-SUP-05"),
    )


def no_public_names() -> Check:
    """Return the check that no secret has a name that a build would put into browsers (VITE_ and the like)."""

    def judge(reading: Reading) -> Judgement:
        public = [row["secret"] for row in reading.rows if client_prefix(row["secret"])]
        if public:
            return Judgement(Verdict.CRITICAL, f"Named as public: {', '.join(public)}.", len(public), reading.rows)
        said = f"None of {len(reading.rows)} names begins as a build's public ones do ({', '.join(FRAMEWORKS)})."
        return Judgement(Verdict.OK, said, 0, reading.rows)

    return Check(
        name="supabase-secret-names",
        title="No secret is named as public",
        probe=probes.secrets(),
        judge=judge,
        remedy="A build puts what begins with VITE_ (NEXT_PUBLIC_, …) into the browser: rename it, and rotate the "
        "value if it was built.",
    )


def answers(row: Row) -> bool:
    """Tell whether a call's answer says that the function runs, or wants a token first."""
    status = int(row["status"])
    return 200 <= status < 400 or status == 401
