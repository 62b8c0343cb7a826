"""A development environment on this machine: programs, env file, and what runs. Rules are pure; no value is shown."""

from __future__ import annotations

import opslib.probes.environment as probes
from opslib.checks.environment_accounts import accounts
from opslib.checks.environment_development import RUNBOOK, development
from opslib.checks.environment_production import built, production
from opslib.model import Check, Judgement, Reading, Verdict

MODE = 0o600


def tools_ready() -> Check:
    """Return the check that node and npm are there in the versions that the guide asks for."""

    return Check(
        name="environment-tools",
        title="node and npm are there and new enough",
        probe=probes.tools,
        judge=_versions,
        remedy="Install the version that .nvmrc or package.json of the product names; pipelines use 20.",
        items=("ENV-TOOL-01", "ENV-TOOL-02"),
    )


def local_tools_ready() -> Check:
    """Return the check of what a local Supabase needs: its command line and Docker, in the guide's versions."""
    return Check(
        name="environment-local-tools",
        title="A local Supabase could be started",
        probe=probes.local_tools,
        judge=_versions,
        remedy="Needed only where Supabase is to run on this machine; a hosted project of the developers does without.",
        items=("ENV-TOOL-03", "ENV-TOOL-04"),
    )


def checkout_clean() -> Check:
    """Return the check that the checkout is of the description's repository, and none of its files is changed."""

    def judge(reading: Reading) -> Judgement:
        row = reading.row
        if row["state"] != "checkout":
            verdict = Verdict.UNKNOWN if row["state"] == "absent" else Verdict.CRITICAL
            return Judgement(verdict, f"{row['folder']} {_is(row['is'])}.", None, reading.rows)
        if row["changed"]:
            said = f"{row['changed']} of its files are changed, first {row['first_changed']}."
            return Judgement(Verdict.WARNING, said, row["changed"], reading.rows)
        return Judgement(Verdict.OK, f"It is at {row['commit'][:12]}, and no file is changed.", 0, reading.rows)

    return Check(
        name="environment-checkout",
        title="The checkout is the repository's, unchanged",
        probe=probes.checkout,
        judge=judge,
        remedy="Look at the folder: what stands there is left alone. Commit what is changed, or name another folder.",
        items=("ENV-QS-01", "ENV-QS-02"),
    )


def variables_valid() -> Check:
    """Return the check that every variable of development is set, well formed, no template's and no leaked secret."""

    def judge(reading: Reading) -> Judgement:
        bad = [row for row in reading.rows if row["standing"] == Verdict.CRITICAL]
        weak = [row for row in reading.rows if row["standing"] == Verdict.WARNING]
        if not reading.rows:
            return Judgement(Verdict.UNKNOWN, "No variable was judged.", None, ())
        if bad or weak:
            said = "; ".join(f"{row['variable']} {row['finding']}" for row in (bad or weak)[:6])
            verdict = Verdict.CRITICAL if bad else Verdict.WARNING
            return Judgement(verdict, f"{said}.", len(bad), reading.rows)
        return Judgement(Verdict.OK, f"All {len(reading.rows)} variables are as they must be.", 0, reading.rows)

    return Check(
        name="environment-variables",
        title="Every variable is set and well formed",
        probe=probes.variables,
        judge=judge,
        remedy=f"Put the right value into the developers' vault and make the file again with {RUNBOOK}. "
        "A secret that had a VITE_ name in a build must be renewed.",
        items=("ENV-QS-05", "ENV-QS-06"),
    )


def file_private() -> Check:
    """Return the check that only its owner reads the env file, that git ignores it, and that it says nothing twice."""

    def judge(reading: Reading) -> Judgement:
        row = reading.row
        faults = [] if row["private"] else [f"others may read it (mode {row['mode']})"]
        faults += [] if row["ignored"] else ["git does not ignore it"]
        if faults:
            return Judgement(Verdict.CRITICAL, f"{row['file']}: {', '.join(faults)}.", len(faults), reading.rows)
        if row["twice"] or row["unreadable_lines"]:
            said = f"twice: {row['twice'] or 'none'}; lines that cannot be read: {row['unreadable_lines']}"
            return Judgement(Verdict.WARNING, f"{row['file']}: {said}.", 0, reading.rows)
        return Judgement(Verdict.OK, f"{row['file']} has mode {row['mode']}, and git ignores it.", 0, reading.rows)

    return Check(
        name="environment-privacy",
        title="Nobody else reads the env file",
        probe=probes.privacy,
        judge=judge,
        remedy="chmod 600, and a line in .gitignore. If it was committed or read, renew what it held.",
        items=("ENV-QS-04",),
    )


def secrets_apart() -> Check:
    """Return the check that no secret of the env file is another environment's."""

    def judge(reading: Reading) -> Judgement:
        equal = [row for row in reading.rows if row["equal"]]
        if equal:
            said = ", ".join(f"{row['variable']} as in {row['other']}" for row in equal)
            return Judgement(Verdict.CRITICAL, f"The same: {said}.", len(equal), reading.rows)
        if not reading.rows:
            return Judgement(Verdict.UNKNOWN, "No secret has a counterpart to compare with.", None, reading.rows)
        return Judgement(Verdict.OK, f"{len(reading.rows)} comparisons, none equal.", 0, reading.rows)

    return Check(
        name="environment-apart",
        title="No secret is another environment's",
        probe=probes.apart,
        judge=judge,
        remedy="Make a key for development alone, at the provider; renew the one that was on developers' machines.",
    )


def supabase_ready(kind: str) -> Check:
    """Return the check of the Supabase that is used: ``hosted``, its keys are its own; ``local``, it answers."""

    def hosted(reading: Reading) -> Judgement:
        row = reading.row
        if not row["keys_of_it"]:
            said = f"VITE_SUPABASE_URL leads to {row['leads_to']}, and not both keys are of it."
            return Judgement(Verdict.CRITICAL, said, None, reading.rows)
        return Judgement(Verdict.OK, f"Address and keys are of {row['leads_to']}; nothing was asked.", 0, reading.rows)

    def local(reading: Reading) -> Judgement:
        row = reading.row
        if row["local_answers"]:
            return Judgement(Verdict.OK, "Something answers on the port of a local Supabase.", 0, reading.rows)
        said = f"docker {row['docker']}, the command line is {'' if row['command_line'] else 'not '}installed"
        return Judgement(Verdict.UNKNOWN, f"No local Supabase answers: {said}.", None, reading.rows)

    return Check(
        name="environment-supabase",
        title=f"The {kind} Supabase can be used",
        probe=probes.supabase,
        judge=local if kind == "local" else hosted,
        remedy="Hosted: the developers' vault must hold address and keys of one project. Local: start Docker, then "
        "`supabase start` in the checkout; this runbook does not do that.",
        items=("DEP-DEV-01",),
    )


def server_answers() -> Check:
    """Return the check that the development server of this work answers, and only on this machine."""

    def judge(reading: Reading) -> Judgement:
        row = reading.row
        if not row["listens"]:
            return Judgement(Verdict.CRITICAL, f"Nothing listens on port {row['port']}.", None, reading.rows)
        if not row["this_work"]:
            said = f"What listens on port {row['port']} was not started by this work."
            return Judgement(Verdict.WARNING, said, None, reading.rows)
        if row["status"] is None or row["status"] >= 500:
            said = f"It listens on port {row['port']} and answers {row['status'] or 'nothing'}."
            return Judgement(Verdict.CRITICAL, said, row["status"], reading.rows)
        if not row["this_machine_only"]:
            return Judgement(Verdict.WARNING, "It answers other machines as well.", row["status"], reading.rows)
        said = f"http://localhost:{row['port']} answers {row['status']}."
        return Judgement(Verdict.OK, said, row["status"], reading.rows)

    return Check(
        name="environment-server",
        title="The development server answers",
        probe=probes.server,
        judge=judge,
        remedy="Read .git/opslib/development/server.log in the checkout; ops undo RUN stops the server.",
        items=("DEP-DEV-03",),
    )


def scripts_defined() -> Check:
    """Return the check of the scripts that the guide starts: some are in no package.json (GH-01)."""

    def judge(reading: Reading) -> Judgement:
        missing = [row["script"] for row in reading.rows if not row["defined"]]
        if missing:
            return Judgement(Verdict.WARNING, f"Not defined: {', '.join(missing)}.", len(missing), reading.rows)
        return Judgement(Verdict.OK, "All are defined.", 0, reading.rows)

    return Check(
        name="environment-scripts",
        title="The scripts that the guide starts are defined",
        probe=probes.scripts,
        judge=judge,
        remedy="verify-env and check-env never were (GH-01): the checks here do what they were meant to.",
        items=("IMP-OBJ-12",),
    )


def _versions(reading: Reading) -> Judgement:
    missing = [row["program"] for row in reading.rows if row["version"] is None]
    if missing:
        return Judgement(Verdict.UNKNOWN, f"Not found: {', '.join(missing)}.", None, reading.rows)
    old = [f"{row['program']} {row['version']} (needs {row['least']})" for row in reading.rows if not row["enough"]]
    if old:
        return Judgement(Verdict.CRITICAL, f"Too old: {', '.join(old)}.", len(old), reading.rows)
    said = ", ".join(f"{row['program']} {row['version']}" for row in reading.rows)
    return Judgement(Verdict.OK, f"{said}.", 0, reading.rows)


def _is(said: str) -> str:
    return said if said.startswith(("is ", "has ")) else f"is {said}"


DECISIVE = (production, built, accounts, tools_ready(), development)
"""What tells most of the environment, most telling first: production's own, then whether this machine could build."""
