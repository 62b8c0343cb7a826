"""The development server, started once, watched until it answers, and ended by what it is and not by a number alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.environment_clone import not_production
from opslib.actions.environment_packages import COMMIT
from opslib.errors import Refused
from opslib.model import UNKNOWN_UNTIL, Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.systems import dev_server, npm
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from opslib.systems.workspace import Workspace


class StartDevServer(Action):
    """Starts ``npm run dev`` of the checkout at ``commit`` on OPS_DEVELOPMENT_PORT; it runs on after the run."""

    name: ClassVar[str] = "start-dev-server"
    title: ClassVar[str] = "Start the development server"
    effect: ClassVar[Effect] = Effect.LOCAL
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "environment"
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 600.0
    items: ClassVar[tuple[str, ...]] = ("ENV-QS-07", "DEP-DEV-02")
    guide: ClassVar[str] = "npm run dev"
    reason: ClassVar[str] = (
        "The command holds a terminal, takes another port when its own is taken, and leaves whoever types it to find "
        "its processes again. Here the port is its own or nothing is started, it listens on this machine only, none "
        "of the executor's variables reach it, and its processes are known by a mark and by when they began."
    )

    commit: str = Field(pattern=COMMIT)

    def plan(self, target: PlanTarget) -> Plan:
        """Look whether the port is free and what would be started; raises Refused where either does not do."""
        not_production(target)
        port = target.workspace.port
        if (found := dev_server.listener(port)) is not None and not dev_server.belongs(found[0], target.run):
            raise Refused(
                f"Port {port} is taken by {f'process {found[0]}' if found[0] else 'a process of another user'}.",
                "It was not touched. End it, or name another OPS_DEVELOPMENT_PORT.",
            )
        script = self.commit
        if not self.commit.startswith(UNKNOWN_UNTIL):
            target.workspace.at(self.commit)
            script = _script(target.workspace, self.commit)
        return self.planned(
            before={"server": "none"},
            after={"server": f"on 127.0.0.1:{port}", "npm run dev is": script},
            touches=1,
            touched="servers started",
            verification="The port answers, and who listens there is the server that was started.",
            undo="Exactly its processes are ended.",
            fingerprint={"port": port},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Start it and wait until it listens; what does not is ended again."""
        writer = target.workspace_writer
        with writer.alone():
            writer.at(self.commit)
            if changed := writer.modified(self.commit):
                raise Refused(f"{changed[0]!a} is not the commit's any more.", "Nothing was started.")
            writer.put_mark("server", {"work": target.run, "port": writer.port})
            home = writer.kept / "development"
            server = dev_server.start(writer.folder, home, writer.port, target.run, lambda said: progress(said))
        return {"pid": server.pid, "started": server.started, "port": writer.port}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Ask it, and look who listens."""
        port = int(values["port"])
        found, mine = dev_server.listener(port), dev_server.find(target.run)
        if found is None or mine is None or not dev_server.belongs(found[0], target.run):
            return Verification(Verdict.CRITICAL, f"Who listens on {port} is not the server that was started.")
        status = target.web.get(f"http://127.0.0.1:{port}/", deadline=30.0).status
        row = {"port": port, "process": mine.pid, "status": status, "this machine only": found[1]}
        well = status < 500 and found[1]
        said = f"http://localhost:{port} answers {status}{'' if found[1] else ', to other machines as well'}."
        return Verification(Verdict.OK if well else Verdict.CRITICAL, said, (row,))

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Whether processes with this work's mark run; those that do not listen are ended."""
        found = dev_server.find(target.run)
        port = int(plan.fingerprint["port"])
        at = dev_server.listener(port)
        if found is not None and at is not None and dev_server.belongs(at[0], target.run):
            return Settled(Outcome.DONE, "It runs.", {"pid": found.pid, "started": found.started, "port": port})
        dev_server.stop(target.run)
        return Settled(Outcome.NOT_DONE, "It does not run.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """End its processes, and look that none is left and the port is free of it."""
        count = dev_server.stop(target.run)
        target.workspace_writer.forget_server(target.run)
        gone = dev_server.find(target.run) is None
        said = f"{count} processes were ended." if count else "It did not run any more."
        return Verification(Verdict.OK if gone else Verdict.CRITICAL, said)


def _script(workspace: Workspace, commit: str) -> str:
    try:
        script = json.loads(workspace.file(commit, npm.MANIFEST) or b"")["scripts"]["dev"]
    except (ValueError, KeyError, TypeError):
        raise Refused(f"{npm.MANIFEST} of {commit[:12]} defines no dev.", "There is nothing to start.") from None
    return str(script)[:200]
