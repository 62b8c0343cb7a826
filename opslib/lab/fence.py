"""The lab's fence agent, and the program that lets a fenced server follow: ``python -P -m opslib.lab.fence FOLDER``.

It speaks ClusterLabs' Fence Agent API: ``name=value`` lines on the input (``action``, ``plug``, ``password``); off ends
with 0 once the server is dead, status with 0 (on) or 2 (off), anything that cannot be done with 1. A server of the lab
counts as a machine that is off while a mark lies in its folder, which the lab's start honours; "on" takes the mark away
and starts nothing. ``action=rejoin`` with ``upstream`` is no part of that API: it is the lab's OPS_REJOIN_PROGRAM.
"""

from __future__ import annotations

import sys
from pathlib import Path

from opslib.lab import state as states
from opslib.lab.cloud import Cloud
from opslib.lab.continuous import forget_newer, timeline
from opslib.lab.database import Database, Server
from opslib.lab.machines import kill
from opslib.lab.processes import LabError
from opslib.lab.rejoin import follow
from opslib.lab.standby import Standby

DONE, FAILED, OFF = 0, 1, 2
SECRET = "fence"  # noqa: S105 - the name of a password, not the password


def main(arguments: list[str], lines: list[str]) -> int:
    """Do what the lines say with a server of the lab in the folder; returns the agent's exit code."""
    folder = Path(arguments[0])
    given = dict(line.strip().split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    state = states.read(folder)
    if state is None:
        return _failed(f"There is no lab in {folder}.")
    passwords = states.passwords(folder)
    if given.get("password") != passwords[SECRET]:
        return _failed("The password is wrong.")
    primary = Database(state, passwords)
    servers: dict[str, Server] = {one.name: one for one in (primary, Standby(state, passwords, primary))}
    server = servers.get(given.get("plug", ""))
    if server is None:
        return _failed(f"There is no plug {given.get('plug')}; there are {', '.join(servers)}.")
    action = given.get("action", "").lower()
    if action == "rejoin":
        return _rejoin(folder, server, [one for one in servers.values() if one is not server], given)
    return _switched(server, action)


def _switched(server: Server, action: str) -> int:
    off = server.fenced and not server.running
    if action in ("status", "monitor"):
        return OFF if off and action == "status" else DONE
    if action == "on":
        server.unfence()
        return DONE
    if action != "off":
        return _failed(f"{action!r} is not on, off, status or monitor.")
    # The mark first: whoever starts the lab meanwhile must find it.
    server.fence()
    if server.entry.trace is not None:
        kill(server.entry.trace)
    return _failed(f"{server.name} is still running.") if server.running else DONE


def _rejoin(folder: Path, server: Server, others: list[Server], given: dict[str, str]) -> int:
    upstream = next((one for one in others if f"127.0.0.1:{one.port}" == given.get("upstream")), None)
    if upstream is None:
        return _failed(f"{given.get('upstream')} is no other server of this lab.")
    try:
        with states.locked(folder):
            follow(server, upstream)
            # What the loser of a split brain kept of a timeline of its own would be in the way of the next promotion,
            # which takes that number again.
            forget_newer(Cloud(server.state, server.passwords), timeline(upstream))
    except LabError as error:
        return _failed(str(error))
    return DONE


def _failed(said: str) -> int:
    print(said, file=sys.stderr)
    return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdin.readlines()))
