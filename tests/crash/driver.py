"""Runs of real steps without a notebook: a process that is started once and forks one child for each run.

``python -m tests.crash.driver`` reads one JSON object a line and answers with one. The child opens an archive
entry, asks its executor for the steps of a runbook in their order, and seals it, as ``ops run`` does around a
kernel; or goes on with a run that was broken off, as ``ops resume`` does.
"""

import importlib
import json
import os
import sys
from functools import partial
from pathlib import Path

from opslib import settings
from opslib.archive import report
from opslib.archive.store import Archive
from opslib.errors import ExitCode, OpsError, Refused, UsageError
from opslib.headless import notebooks
from opslib.headless.asked import Asked
from opslib.headless.kernel_zygote import PACKAGES, import_all
from opslib.headless.resume import to_resume
from opslib.headless.session import Session
from opslib.redaction_patterns import rules
from opslib.systems import object_client
from tests.crash.points import Points
from tests.crash.steps import RUNBOOKS, steps


def warm():
    """Load what every run loads at its first use: it is forked from a process that has all that."""
    import_all(PACKAGES)
    importlib.import_module("botocore.exceptions")
    object_client._session().client("s3", region_name="us-east-1").close()
    rules()
    report._template()


def main():
    """Answer until standard input ends."""
    warm()
    for line in sys.stdin:
        asked = json.loads(line)
        near, far = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(near)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            try:
                carry_out(asked, partial(tell, far))
            finally:
                os._exit(0)
        os.close(far)
        with os.fdopen(near) as answers:
            lines = [json.loads(said) for said in answers if said.endswith("\n")]
        _, status = os.waitpid(child, 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status), "lines": lines}), flush=True)


def tell(pipe, said):
    """Say something to who started this process; a line that a kill cuts off was not said."""
    os.write(pipe, json.dumps(said).encode() + b"\n")


def carry_out(asked, tell):
    """Do one run in this process; ``tell`` hears what became of it."""
    os.environ.update(asked["environment"])
    points = Points(asked["fault"], tell, Path(asked["archive"]).parent)
    try:
        store = Archive(Path(asked["archive"]))
        doing = prepared(asked, store)
        points.start()
        tell(outcome(Session(doing, store), steps(asked["scenario"]), tell))
    except OpsError as error:
        tell({"ended": type(error).__name__, "reason": f"{error.message} {error.next_step}"})
    except BaseException as error:
        tell({"ended": type(error).__name__, "reason": str(error)})
    finally:
        points.stop()
        tell({"points": points.number, "names": points.names})


def prepared(asked, store):
    """Return what to ask for: to go on with the work if it is in the archive, else to begin it."""
    if asked["go_on"]:
        try:
            return to_resume(store, asked["work"])
        except UsageError:
            # It was killed before it was registered, so it never began.
            pass
    notebook = notebooks.find(RUNBOOKS[asked["scenario"]])
    values = {parameter.name: parameter.default for parameter in notebook.parameters}
    return Asked(notebook, values, settings.load("lab"), run=asked["work"])


def outcome(session, asked, tell):
    """Do the steps that are ``asked`` (cell, action, parameters) in an open run, and seal it; returns how it ended."""
    tell({"opened": session.id})
    done = {}
    state, exit_code, reason = "finished", None, ""
    try:
        for cell, action, parameters in asked:
            session.cell_started(cell)
            said = {"verb": "step", "action": action, "parameters": parameters(done), "cell": cell}
            done[cell] = session.executor.answer(said, lambda progress: None)["values"]
            session.cell_finished(cell, "ok")
        session.executor.answer({"verb": "finish"}, lambda progress: None)
    except Exception as error:
        refused = isinstance(error, Refused)
        state, exit_code = ("refused", ExitCode.REFUSED) if refused else ("failed", ExitCode.FAILED)
        reason = f"{type(error).__name__}: {error}"
    session.close(state, exit_code, reason)
    return {"ended": state, "reason": reason}


if __name__ == "__main__":
    main()
