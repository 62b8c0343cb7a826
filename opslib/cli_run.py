"""``ops run`` and what follows a run: apply its plan, go on with it, stop it, take it back, say how a step ended."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from opslib import files, places
from opslib.console import Progress, answering, clean, print_json, say, tell
from opslib.errors import Refused, UsageError
from opslib.runs.outside import Word

if TYPE_CHECKING:
    from opslib.runs.work import Mode


@click.command("run")
@click.argument("notebook", required=False)
@click.option(
    "-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="Set one parameter; may be repeated."
)
@click.option("--environment", default="lab", show_default=True, metavar="NAME", help="lab, staging or production.")
@click.option("--plan", "planning", is_flag=True, help="Plan every step and apply none.")
@click.option(
    "--apply", "plan", metavar="PLAN", help="Apply this plan, exactly: a planning run's id, or its plan.json."
)
@click.option("--all", "folder", metavar="FOLDER", help="Every notebook of FOLDER that changes nothing: diagnostics.")
@click.option(
    "--at-once",
    type=int,
    default=0,
    help="With --all: runs side by side [default: the cores there are, and up to twice as many while those idle].",
)
@click.option("--kernel", is_flag=True, help="Execute by papermill and a Jupyter kernel: slower, the same record.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def run_notebook(
    notebook: str | None,
    parameters: tuple[str, ...],
    environment: str,
    planning: bool,
    plan: str | None,
    folder: str | None,
    at_once: int,
    kernel: bool,
    as_json: bool,
) -> int:
    """Run NOTEBOOK on a target and archive its sealed report.

    NOTEBOOK is a name such as diagnostics/database (ops list). Its parameters stand in its first code cell; a wrong
    one lists them. With --apply the notebook and its parameters are the plan's.

    Exit codes: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, 4 refused, 5 a step failed or the run was
    broken off, 64 wrong usage; with --all the worst of them.
    """
    if folder is not None:
        if notebook or parameters or planning or plan or kernel:
            raise UsageError("--all takes a folder and no notebook, parameter, plan or kernel.", "Leave those out.")
        return _run_all(folder, environment, at_once, as_json)
    if plan is not None and (planning or parameters or notebook or kernel):
        raise UsageError("--apply takes the notebook and its parameters from the plan.", "Leave them out, and --plan.")
    if plan is None and notebook is None:
        raise UsageError("Which notebook?", "See them with: ops list")
    from opslib.headless import runner
    from opslib.headless.kernel_ahead import ahead

    archive, progress = places.archive_folder(), Progress()
    gc.freeze()
    gc.enable()
    with ahead():
        if plan is not None:
            from opslib.headless import agreement

            result = agreement.apply(plan, environment, archive, progress=progress)
        else:
            mode: Mode = "plan" if planning else "run"
            result = runner.run(
                str(notebook), parameters, environment, archive, mode=mode, kernel=kernel, progress=progress
            )
    progress.done()
    return _answer(result, as_json)


@click.command("resume")
@click.argument("run")
@click.option("--environment", default="lab", show_default=True, metavar="NAME", help="Where RUN ran, typed again.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def resume_run(run: str, environment: str, as_json: bool) -> int:
    """Go on with RUN, which was broken off.

    What was done is not repeated. A step whose end nobody knows is looked at first. What comes out is a run of
    its own.
    """
    from opslib.headless.resume import resume

    progress = Progress()
    result = resume(run, places.archive_folder(), environment=environment, progress=progress)
    progress.done()
    return _answer(result, as_json)


@click.command("stop")
@click.argument("run")
@answering
def stop_run(run: str) -> None:
    """Ask RUN to begin nothing more.

    RUN is its id, or that of the plan that it applies. The step under way is broken off where it can be, and the
    run ends as interrupted. Go on with ops resume, or take it back with ops undo.
    """
    tell(f"{_say(run, 'stop')} was asked to stop; see: ops archive list")


@click.command("confirm")
@click.argument("run")
@answering
def confirm_run(run: str) -> None:
    """Let RUN go on, which waits for a person.

    A run that nobody answers stops by itself. What is said before the run asks does not count.
    """
    tell(f"{_say(run, 'confirm')} goes on.")


def _say(run: str, word: Word) -> str:
    from opslib.archive.going import going
    from opslib.archive.store import Archive
    from opslib.headless import origin
    from opslib.runs import outside
    from opslib.runs.steps import work_of

    store = Archive(places.archive_folder())
    found = store.find(run).run
    # Who types a plan's id means the run that applies it, or goes on with it.
    there = [one for one in going(store.folder) if work_of(one) == work_of(found)]
    if len(there) != 1 or (found not in there and found != work_of(found)):
        lost = store.log.state(found) == "open" and found not in there
        raise Refused(
            f"{found} is not running{': its process is gone' if lost else ''}.",
            f"Go on with: ops resume {found}" if lost else f"See: ops archive show {found}",
        )
    outside.say(store.folder, there[0], word, f"{origin.who()}@{origin.where()}")
    return there[0]


@click.command("resolve")
@click.argument("run")
@click.argument("step")
@click.option("--done/--not-done", "done", default=None, required=True, help="What you saw on the target.")
@click.option(
    "--evidence", required=True, type=click.Path(exists=True, dir_okay=False), help="A file that shows it; it is kept."
)
@click.option("--environment", default="lab", show_default=True, metavar="NAME", help="Where RUN ran, typed again.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def resolve_step(run: str, step: str, done: bool, evidence: str, environment: str, as_json: bool) -> int:
    """Say how STEP of RUN ended, where no look of ours could tell.

    Your word and the file are recorded and sealed; then go on with ops resume or ops undo.
    """
    from opslib.headless.resolve import resolve

    result = resolve(run, step, done, Path(evidence), places.archive_folder(), environment)
    return _answer(result, as_json)


@click.command("undo")
@click.argument("run")
@click.option("--plan", "planning", is_flag=True, help="Save a plan of the undo, to be approved.")
@click.option("--apply", "plan", metavar="PLAN", help="Undo by this plan, which was approved.")
@click.option("--environment", default="lab", show_default=True, metavar="NAME", help="Where RUN ran, typed again.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def undo_run(run: str, planning: bool, plan: str | None, environment: str, as_json: bool) -> int:
    """Undo the steps of RUN, the last one first, and verify each.

    RUN is the id of a run (ops archive list), its beginning or its last part. What comes out is a run of its own.
    Who approved a plan approved its undo, for as long as the plan holds; after that the undo needs an approval.
    """
    from opslib.headless.undo import undo

    if planning and plan:
        raise UsageError("A plan is made, or it is applied.", "Leave one of --plan and --apply out.")
    progress = Progress()
    mode: Mode = "plan" if planning else "run"
    result = undo(run, places.archive_folder(), mode=mode, plan=plan, environment=environment, progress=progress)
    progress.done()
    return _answer(result, as_json)


def _run_all(folder: str, environment: str, at_once: int, as_json: bool) -> int:
    from opslib.headless import sweep

    gc.enable()

    def told(result: Mapping[str, Any]) -> None:
        if as_json:
            return
        if "error" in result:
            say(f"NOT RUN  {result['notebook']}: {result['error']}")
        else:
            print_result(result)

    wanted = sweep.chosen(folder)
    results = sweep.sweep(wanted, environment, places.archive_folder(), at_once or None, told)
    if as_json:
        print_json({"runs": results})
    return sweep.worst(results)


def _answer(result: Mapping[str, Any], as_json: bool) -> int:
    if as_json:
        print_json(result)
    else:
        print_result(result)
    return int(result["exit_code"])


def print_result(result: Mapping[str, Any]) -> None:
    """Write what a run came to, for people."""
    colours = {"OK": "green", "WARNING": "yellow", "UNKNOWN": "magenta", "CRITICAL": "red"}
    counts = ", ".join(f"{n} {word}" for word, n in result["counts"].items() if n)
    word = result["verdict"] if result["state"] == "finished" else f"{result['verdict']} ({result['state']})"
    planned = "planned only, nothing was changed" if result["mode"] == "plan" else ""
    said = "  ".join(part for part in (result["notebook"], planned, counts) if part)
    click.echo(f"{click.style(clean(word), fg=colours[result['verdict']], bold=True)}  {clean(said)}")
    if result["reason"]:
        say(f"  {result['reason']}")
    for line in _next(result):
        say(f"  {line}")
    say(f"  {result['report']}")


def _next(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield what to type next: after a plan, after a run that found something which a notebook is for, or after one
    that ended early and may have changed something.
    """
    from opslib.runs import saved_plan
    from opslib.runs.steps import work_of
    from opslib.runs.undoing import to_apply

    run, folder = str(result["run"]), Path(result["report"]).parent
    if result["mode"] == "plan":
        if result["state"] != "finished" or not result["steps"]:
            return
        saved = saved_plan.parse(files.read_plain(folder / "plan.json", saved_plan.LARGEST))
        yield from (f"Needs: {line}" for line in saved.missing)
        if saved.missing:
            yield f"Each approves it with: ops approve {run}"
        yield f"Apply it with: {to_apply(saved)}"
    elif result["state"] == "finished" and result.get("leads_to") not in (None, "", result["notebook"]):
        planned = "" if result["leads_to"].startswith("diagnostics/") else " --plan"
        about = f"  ({result['leads_for']})" if result["leads_for"] not in result["reason"] else ""
        given = "".join(f" -p {one}" for one in result.get("leads_with", "").split(", ") if one)
        yield f"Next: ops run --environment {result['environment']} {result['leads_to']}{given}{planned}{about}"
    elif re.search(r"-undo-[1-9][0-9]*$", run, re.ASCII):
        if result["state"] != "finished" and "ops undo" not in result["reason"]:
            yield f"Go on with: ops undo {work_of(run)}"
    elif "ops resume" in result["reason"] or not result["steps"]:
        return
    elif result["state"] in ("interrupted", "failed") or (result["state"] == "refused" and _evidence(folder)):
        yield f"Go on with: ops resume {run}; or take it back: ops undo {run}"


def _evidence(folder: Path) -> bool:
    return any((folder / "evidence").glob("*.json"))
