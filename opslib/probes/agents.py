"""What agents do: sessions that were begun and of which nothing came, actions that failed; and what only people see."""

from __future__ import annotations

from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.probes.cluster_standing import running
from opslib.probes.database_asking import source_of
from opslib.probes.questions import question
from opslib.systems.target import ReadTarget

_SIGHT = question("agents/sight")


def _ask(target: ReadTarget, name: str, **given: Any) -> list[dict[str, Any]]:
    for row in target.database.ask(_SIGHT):
        if not row["found"]:
            raise Unreachable(f"There is no table {row['name']}.", "Look where the product keeps it.", "missing")
        raise Unreachable(
            f"Row security hides rows of {row['name']} from this role.", "Give the reading role BYPASSRLS.", "forbidden"
        )
    return target.database.ask(question(f"agents/{name}"), given)


def sessions(minutes: float = 60, patience: float = 5) -> Probe:
    """Return the probe of the sessions begun in the last ``minutes``, a row per kind of agent.

    ``stuck``: still active, older than ``patience`` minutes, and neither an answer of a model nor a step nor a memory
    of it exists. ``since_stuck``: begun after the newest of these, with a trace. ``active`` counts all that are, also
    older ones: a user who left does not end a session.
    """
    asked = question("agents/sessions")

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        return _ask(target, "sessions", seconds=minutes * 60, patience=patience * 60)

    title = f"Sessions that agents began in the last {minutes:g} min"
    return Probe("agents-sessions", title, read, source_of(asked), {"oldest_stuck": "s", "oldest_active": "s"})


def actions(most: int = 200, hours: int = 168) -> Probe:
    """Return the probe of the newest ``most`` actions of agents within ``hours``, by kind of agent and action.

    ``since_failure``: those after the newest failure of all. ``of_revision`` and ``of_revision_failed``: those since
    the workers' newest revision runs, which every row names; None where the cluster does not say.
    """
    asked = question("agents/actions")

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        runs = running(target, "worker")
        return [{**row, **runs} for row in _ask(target, "actions", most=most, hours=hours, age=runs["age"])]

    units = dict.fromkeys(("oldest_age", "newest_age", "failed_age", "age"), "s")
    return Probe("agents-actions", f"The newest {most} actions of agents", read, source_of(asked), units)


def _by_person(target: ReadTarget) -> list[dict[str, Any]]:
    del target
    return [
        {"in_the_users_browser": do, "what_it_tells": tells}
        for do, tells in (
            (
                "Console: localStorage.setItem('DEBUG', 'agent:*'), then load the page anew",
                "the agent's own log (the guide's switch; a build without logging stays silent, which tells nothing). "
                "Afterwards: localStorage.removeItem('DEBUG'), for the log may hold what users wrote",
            ),
            (
                "Network: the status of POST /api/llm/chat",
                "401, 440: the session is over. 403: CSRF token or consent. 429: a limit. 500: no provider answered",
            ),
            (
                "Network: is it pending for more than 25 s?",
                "the first provider ran into its time-out and the second is asked: up to 25 s more, "
                "longer than many browsers' and proxies' patience",
            ),
            (
                "Network: does the first byte come long before the last?",
                "no: a proxy keeps the stream back until it is whole; compare with the first word in diagnostics/llm",
            ),
        )
    ]


by_person = Probe(
    "agents-by-person",
    "What only a person in front of the user's browser can see",
    _by_person,
    source="guide, Troubleshooting: Agent not responding",
)
"""A row per thing to look at."""
