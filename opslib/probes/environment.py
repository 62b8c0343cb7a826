"""A development environment on this machine: its programs, its checkout, its env file, what it runs.

All are taken by the executor: the env file is nothing that a notebook may read, and no value of it is in a reading.
The guide's ``npm run verify-env``, ``npm run check-env`` and ``scripts/verify-env.sh`` do not exist in the product's
repository (GH-01); what they should have judged is judged here.
"""

from __future__ import annotations

import json
import shutil
import socket
from contextlib import suppress
from typing import Any

from opslib import files
from opslib.errors import Refused, Unreachable
from opslib.model import Probe
from opslib.systems import dev_server, npm, toolchain
from opslib.systems.env_file import EnvFile, read
from opslib.systems.env_variables import SECRETS, judged, key_of, project
from opslib.systems.program_inputs import Program
from opslib.systems.target import PlanTarget
from opslib.systems.vault import CURRENT
from opslib.systems.workspace import ENV, LARGEST, Workspace

SCRIPTS = ("verify-env", "check-env", "dev", "build", "test", "typecheck")
"""Scripts of package.json that the guide starts."""
LOCAL_SUPABASE = 54_321
"""Port of a Supabase that runs on this machine (documentation of its command line, ``api.port``)."""
OTHERS = (".env", ".env.development", ".env.staging", ".env.production", ".env.test")
"""Files of a checkout that may hold another environment's values."""


def _tools(target: PlanTarget) -> list[dict[str, Any]]:
    return _versions("node", "npm")


def _local_tools(target: PlanTarget) -> list[dict[str, Any]]:
    return _versions("supabase", "docker")


def _versions(*programs: Program) -> list[dict[str, Any]]:
    rows = []
    for program in programs:
        row: dict[str, Any] = {"program": program, "least": ".".join(map(str, toolchain.LEAST[program]))}
        try:
            found = toolchain.version(program)
        except Unreachable as error:
            rows.append(row | {"version": None, "enough": None, "why": error.message})
            continue
        rows.append(
            row | {"version": ".".join(map(str, found)), "enough": found >= toolchain.LEAST[program], "why": ""}
        )
    return rows


def _checkout(target: PlanTarget) -> list[dict[str, Any]]:
    workspace = target.workspace
    found = workspace.standing()
    row: dict[str, Any] = {
        "folder": str(workspace.folder),
        "repository": workspace.repository,
        "is": found.why or ("a checkout of it" if found.state == "checkout" else "absent"),
        "state": found.state,
        "commit": found.commit,
        "made_here": "yes" if found.mark else "no",
    }
    if found.state == "checkout":
        changed = workspace.modified(found.commit)
        row |= {"changed": len(changed), "first_changed": ascii(changed[0])[1:-1][:80] if changed else ""}
    return [row]


def _variables(target: PlanTarget) -> list[dict[str, Any]]:
    return judged(_file(target.workspace).values, published=target.settings.client_prefixes)


def _privacy(target: PlanTarget) -> list[dict[str, Any]]:
    workspace = target.workspace
    found = workspace.environment()
    if found is None:
        raise _missing(workspace)
    said = read(found[0])
    return [
        {
            "file": ENV,
            "mode": f"{found[1]:04o}",
            "private": found[1] & 0o077 == 0,
            "ignored": workspace.ignored(),
            "twice": ", ".join(said.twice),
            "unreadable_lines": len(said.odd),
        }
    ]


def _apart(target: PlanTarget) -> list[dict[str, Any]]:
    """Compare secrets with those of other environments; what cannot be compared makes the whole reading unknown."""
    values = _file(target.workspace).values
    version = target.vault.stage(CURRENT)
    if version is None:
        raise Unreachable("The vault of the target has no current version.", "Look at it.", "missing")
    found = [("the vault of the target", *one) for one in version.shared_with(values, SECRETS)]
    for name in OTHERS:
        file = target.workspace.folder / name
        if file.is_file():
            theirs = read(files.read_plain(file, LARGEST)).values
            found += [(name, key, theirs[key] == values[key]) for key in SECRETS if values.get(key) and theirs.get(key)]
    return [{"variable": key, "other": other, "equal": equal} for other, key, equal in found]


def _supabase(target: PlanTarget) -> list[dict[str, Any]]:
    values = _file(target.workspace).values
    ref = project(values)
    keys = [key_of(values.get(name, "")) for name in ("VITE_SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY")]
    answers = False
    with suppress(OSError), socket.create_connection(("127.0.0.1", LOCAL_SUPABASE), 2.0):
        answers = True
    return [
        {
            "leads_to": f"project {ref}" if ref else "no hosted project",
            "keys_of_it": bool(ref) and all(key.get("ref") in (ref, None) and key for key in keys),
            "local_answers": answers,
            "command_line": shutil.which("supabase") is not None,
            "docker": _docker(),
        }
    ]


def _docker() -> str:
    if shutil.which("docker") is None:
        return "not installed"
    with suppress(OSError), socket.socket(socket.AF_UNIX) as door:
        door.settimeout(2.0)
        door.connect("/var/run/docker.sock")
        return "runs"
    return "does not run"


def _server(target: PlanTarget) -> list[dict[str, Any]]:
    if target.workspace.mark("server").get("work") != target.run:
        raise Unreachable("This work has started no development server.", "Its runbook does.", "missing")
    port = target.workspace.port
    found = dev_server.listener(port)
    row: dict[str, Any] = {"port": port, "listens": found is not None, "this_work": False, "status": None}
    if found is None:
        return [row]
    row |= {"this_work": dev_server.belongs(found[0], target.run), "this_machine_only": found[1]}
    with suppress(Unreachable):
        row["status"] = target.web.get(f"http://127.0.0.1:{port}/", deadline=10.0).status
    return [row]


def _scripts(target: PlanTarget) -> list[dict[str, Any]]:
    workspace = target.workspace
    found = workspace.standing()
    if found.state != "checkout":
        raise Unreachable(f"There is no checkout at {workspace.folder}.", "Make it first.", "missing")
    data = workspace.file(found.commit, npm.MANIFEST)
    try:
        scripts = dict(json.loads(data or b"").get("scripts", {}))
    except (ValueError, AttributeError, TypeError):
        raise Unreachable(f"{npm.MANIFEST} cannot be read.", "Look at it.", "malformed") from None
    return [{"script": name, "defined": name in scripts} for name in SCRIPTS]


def _file(workspace: Workspace) -> EnvFile:
    try:
        found = workspace.variables()
    except Refused as error:
        raise Unreachable(error.message, error.next_step, "odd") from None
    if found is None:
        raise _missing(workspace)
    return found


def _missing(workspace: Workspace) -> Unreachable:
    return Unreachable(f"There is no {ENV} in {workspace.folder}.", "runbooks/set-up-environment makes it.", "missing")


tools = Probe(
    "environment-tools", "Programs of this machine", _tools, "node --version; npm --version", by_executor=True
)
local_tools = Probe(
    "environment-local-tools",
    "Programs of a local Supabase",
    _local_tools,
    "supabase --version; docker --version",
    by_executor=True,
)
checkout = Probe(
    "environment-checkout", "The checkout", _checkout, "git rev-parse HEAD, hashed files", by_executor=True
)
variables = Probe("environment-variables", "Variables of the env file", _variables, ENV, by_executor=True)
privacy = Probe(
    "environment-privacy", "Who may read the env file", _privacy, "mode, git check-ignore", by_executor=True
)
apart = Probe("environment-apart", "Secrets beside other environments'", _apart, f"{ENV}, the vault", by_executor=True)
supabase = Probe("environment-supabase", "The Supabase that it uses", _supabase, f"{ENV}, port 54321", by_executor=True)
server = Probe("environment-server", "The development server", _server, "GET /, /proc/net/tcp", by_executor=True)
scripts = Probe("environment-scripts", "Scripts that the guide starts", _scripts, npm.MANIFEST, by_executor=True)
