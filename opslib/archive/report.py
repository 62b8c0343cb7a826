"""The report of a run: one HTML file that needs nothing else, made from the run's folder.

It loads nothing and runs nothing: no script, no address, a content security policy that forbids both.
Everything that comes from a system is hostile text until :mod:`opslib.runs.markup` has escaped it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files as packaged
from pathlib import Path
from typing import Any, Final

from opslib import files
from opslib.archive import record, report_cells, report_plan, report_told, report_work
from opslib.archive.log import RUN_ID
from opslib.archive.record import Record, Step
from opslib.archive.report_cells import Anchors
from opslib.pictures.svg import number
from opslib.runs import cards, cards_steps, links
from opslib.runs.cards import amount, badge, sub, text_of
from opslib.runs.display import css
from opslib.runs.markup import Html, esc, tag
from opslib.runs.steps import DRILL, work_of
from opslib.runs.tables import moment

Said = Mapping[str, Any]
NAME: Final = "report.html"
TEMPLATES: Final = "opslib.archive.templates"


@links.leading(runs="../")
def render(folder: Path) -> str:
    """Return the report of the run in ``folder`` as one HTML page; says in it what is missing or damaged."""
    said = record.load(folder)
    anchors = Anchors(report_cells.names(said))
    worst = report_told.results(said)
    steps = record.steps(said)
    style, allowed = _style()
    return str(
        _template().render(
            policy=allowed,
            style=style,
            record=said,
            alarm=report_work.broken_glass(said),
            plan=report_plan.shown(said),
            approvals=report_work.approvals(said),
            related=report_work.related(said),
            published=text_of(said.result, "published"),
            title=text_of(said.run, "title") or text_of(said.run, "notebook") or said.name,
            badge=badge(said.verdict),
            why=report_told.why(said, worst),
            about=_about(said),
            counts=_counts(worst),
            stops=_stops(said),
            results=[_result(line, anchors) for line in worst],
            steps=[_step(step, anchors) for step in steps],
            timings=_timings(said, anchors),
            cells=report_cells.cells(said, anchors),
            target=sub(said.run, "target"),
            versions=_versions(said),
            items=report_told.items(said),
            amount=amount,
            make_badge=badge,
            undo=text_of(said.run, "how") == "undo",
            drill=text_of(said.run, "mode") == DRILL,
            link=lambda cell: report_cells.link(anchors, cell),
        )
    )


def write_pages(folder: Path) -> None:
    """Write what people read of a run before it is sealed: its report, and of an incident's review the document."""
    if "-reviews-" in folder.name:  # a run's id has its notebook's name; of no other is anything read for this
        from opslib.archive import review_document

        review_document.write(folder)
    write(folder)


def policy(style: str) -> str:
    """Return the content security policy of a page whose only style is ``style``: nothing else applies or loads."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def write(folder: Path) -> Path:
    """Write ``report.html`` into the run's folder and return its path; raises ArchiveError when it can't.

    Its name is on the disk once the run is sealed.
    """
    path = folder / NAME
    # errors="replace": a lone surrogate in a file's name must not cost the report.
    files.write(path, render(folder).encode("utf-8", "replace"), folder / f".{NAME}.part", named=False)
    return path


def _stops(said: Record) -> list[Said]:
    """What stopped the run, each once: the error that the kernel saw repeats what the executor journalled."""
    kept: list[Said] = []
    for line in said.events("stopping", "failed", "refused", "error"):
        if text_of(line, "event") == "stopping":
            line = {**line, "message": f"{text_of(line, 'by')} asked the run to stop before its next step."}
        message = text_of(line, "message")
        if message and not any(text_of(other, "message") in message for other in kept):
            kept.append(line)
    failed = [text_of(line, "cell") for line in said.events("cell-finished") if line.get("status") != "ok"]
    return [_stop(line, failed[-1] if failed else "") for line in kept] + _go_on(said)


def _go_on(said: Record) -> list[Said]:
    """What to do about a run that was broken off after it had begun a step, for whoever finds its page."""
    run = said.name
    if said.state != "interrupted" or not said.events("intent", "undoing") or not RUN_ID.fullmatch(run):
        return []
    commands = f"ops resume {run}, or take it back: ops undo {run}"
    if said.events("undoing"):
        commands = f"ops undo {work_of(run)}"
    return [{"event": "interrupted", "cell": "", "message": "Steps had been begun.", "next_step": commands}]


def _stop(line: Said, failed: str) -> dict[str, str]:
    # Only an error on purpose knows what to do next, and an error is journalled after its cell.
    found = {name: text_of(line, name) for name in ("event", "cell", "message", "next_step")}
    return {**found, "cell": found["cell"] or failed}


def _about(said: Record) -> list[tuple[str, object]]:
    run, end = said.run, said.result
    started = text_of(run, "started_at")
    last = text_of(said.journal[-1], "time") if said.journal else ""
    seconds = end.get("seconds", record.seconds_between(started, last))
    finished = text_of(end, "finished_at") or (last if said.events("closed") else "")
    parameters = [report_cells.parameter(name, value) for name, value in sub(run, "parameters").items()]
    pairs: list[tuple[str, object]] = [
        ("Notebook", tag("code", text_of(run, "notebook"))),
        ("Target", tag("strong", text_of(run, "environment"))),
        ("Started", moment(started)),
        ("Ended", moment(finished) or "no end is recorded"),
        ("Duration", amount(seconds, "s") + ("" if finished else " (to the journal's last line)")),
        ("State", f"{said.state}, exit code {end['exit_code']}" if "exit_code" in end else said.state),
        ("By", f"{text_of(run, 'requested_by')} ({text_of(run, 'how')})"),
        *report_work.facts(said),
        ("Mode", {"plan": "plan only, nothing is changed"}.get(text_of(run, "mode"), text_of(run, "mode"))),
        ("Parameters", tag("span", *_spaced(parameters)) if parameters else "none"),
    ]
    return [(name, value) for name, value in pairs if value]


def _spaced(parts: list[Html]) -> list[Html]:
    return [piece for part in parts for piece in (part, tag("br"))][:-1]


def _counts(worst: list[Said]) -> list[tuple[Html, int]]:
    words = [text_of(sub(line, "result"), "verdict") for line in worst]
    return [(badge(word), words.count(word)) for word in dict.fromkeys(words)]


def _result(line: Said, anchors: Anchors) -> dict[str, object]:
    result = sub(line, "result")
    threshold = sub(result, "threshold")
    earlier = [word for word in line.get("earlier") or () if word]
    return {
        "badge": badge(text_of(result, "verdict") or "UNKNOWN"),
        "title": text_of(result, "title") or text_of(result, "check"),
        "summary": text_of(result, "summary"),
        "earlier": ", ".join(earlier),
        "value": amount(result.get("value"), text_of(threshold, "unit")) or "–",
        "threshold": cards.threshold_text(threshold) or "–",
        "cell": report_cells.link(anchors, text_of(line, "cell")),
        "remedy": cards.remedy_of(result),
    }


def _step(step: Step, anchors: Anchors) -> dict[str, object]:
    return {
        "badge": badge(step.status),
        "title": "" if text_of(step.plan, "title") == step.cell else text_of(step.plan, "title"),
        "effect": text_of(step.plan, "effect") or "–",
        "touches": cards_steps.step_touches(step.plan),
        "verified": cards_steps.verified(step.verification) or ("" if step.status == "refused" else "not verified"),
        "undo": text_of(step.plan, "undo") or "–",
        "digest": step.digest,
        "message": f"{step.message} {step.next_step}".strip(),
        "cell": report_cells.link(anchors, step.cell) if step.cell else "",
    }


def _timings(said: Record, anchors: Anchors) -> list[dict[str, object]]:
    ends = [line for line in said.events("cell-finished") if isinstance(line.get("seconds"), (int, float))]
    longest = max((float(line["seconds"]) for line in ends), default=0.0) or 1.0
    return [
        {
            "cell": report_cells.link(anchors, text_of(line, "cell")),
            "took": amount(line["seconds"], "s"),
            "bar": _bar(float(line["seconds"]) / longest),
        }
        for line in ends
    ]


def _bar(share: float) -> Html:
    # The figure stands beside it, so the bar itself is silent for screen readers.
    width = number(max(share * 100, 0.4))
    head = '<svg aria-hidden="true" viewBox="0 0 100 8" preserveAspectRatio="none">'
    return Html(f'{head}<rect width="{width}" height="8"/></svg>')


def _versions(said: Record) -> list[tuple[str, str]]:
    pairs = [(str(name), str(version)) for name, version in sub(said.run, "versions").items()]
    return [
        *pairs,
        ("commit", text_of(said.run, "commit") or "not known"),
        ("notebook sha256", text_of(said.run, "notebook_sha256")),
        *([("code sha256", text_of(said.run, "code_sha256"))] if said.run.get("code_sha256") else []),
    ]


def prepare() -> None:
    """Import and compile what pages are made with: for a process that forks one for each page."""
    _style()
    _template()
    report_cells.prepare()


@cache
def _style() -> tuple[Html, str]:
    """Return the style of every page, and the policy that allows no other."""
    text = packaged(TEMPLATES).joinpath("report.css").read_text(encoding="utf-8")
    own = " ".join(line.strip() for line in text.splitlines() if not line.strip().startswith("/*"))
    style = Html(css() + " " + own)
    return style, policy(style)


@cache
def _template() -> Any:
    import jinja2

    text = packaged(TEMPLATES).joinpath("report.html.j2").read_text(encoding="utf-8")
    # esc escapes whatever a page is given; the engine's own way after it took a tenth of the page's time.
    environment = jinja2.Environment(autoescape=False, finalize=esc, trim_blocks=True, lstrip_blocks=True)  # noqa: S701
    environment.undefined = jinja2.StrictUndefined
    return environment.from_string(text)
