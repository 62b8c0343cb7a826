"""The executor of an interactive session: ``python -m opslib.headless.interactive ENVIRONMENT NOTEBOOK``.

Started by ``begin()`` in JupyterLab. It says on standard output where it listens, then serves until its
standard input ends, which happens when the notebook's process does; then it seals the run.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path

from opslib import files, settings
from opslib.errors import ExitCode, OpsError
from opslib.headless import notebooks
from opslib.headless.asked import Asked
from opslib.headless.session import Session
from opslib.headless.stop import Stop

FOR_EVER = float("inf")


def main(environment: str, name: str) -> int:
    """Serve one interactive run; returns the process's exit code."""
    with Stop() as stop:
        return _serve(environment, name, stop)


def _serve(environment: str, name: str, stop: Stop) -> int:
    from opslib.archive.store import Archive

    try:
        target = settings.load(environment)
        notebook = notebooks.find(str(Path(name)).rpartition("notebooks/")[2] or name)
        values = notebook.values([], environment)
        archive = Archive(settings.archive_folder())
        session = Session(Asked(notebook, values, target, how="interactive"), archive)
    except OpsError as error:
        print(json.dumps({"kind": type(error).__name__, "error": error.message, "next": error.next_step}), flush=True)
        return int(error.exit_code)
    # Standard output is the parent's pipe: reading credentials reach the notebook's process and nobody else.
    print(json.dumps({"socket": str(session.socket), "variables": target.variables()}), flush=True)
    reason = "the notebook's process ended before run.finish()"
    try:
        # No limit of time: a person is at it.
        with stop.watching(archive.folder, session.id, FOR_EVER), stop.armed():
            sys.stdin.read()
            session.executor.settle()
    except KeyboardInterrupt as error:
        reason = session.stop(str(error))
    with suppress(OSError, ValueError):
        # Renamed, removed or half saved meanwhile: the journal counts, and the run is sealed all the same.
        _keep_notebook(session)
    if session.executor.finished:
        session.close("finished", None, "")
    else:
        session.close("interrupted", ExitCode.FAILED, reason)
    return 0


def _keep_notebook(session: Session) -> None:
    # As it was last saved: what the person did after that stands in the journal all the same.
    saved = json.loads(session.notebook.path.read_text(encoding="utf-8"))
    files.write_json(session.folder / "notebook.ipynb", session.redactor.tree(saved))


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:3]))
