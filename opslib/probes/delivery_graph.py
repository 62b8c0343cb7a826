"""A deployment workflow as a graph: its triggers, jobs and path filters, read from the file and from nothing else.

Sources: GitHub, "Workflow syntax for GitHub Actions"; the README of dorny/paths-filter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from opslib.errors import Unreachable
from opslib.probes.delivery_globs import matches

ACTION = "dorny/paths-filter"
LARGEST = 512 * 1024
MOST_JOBS = 200
Change = tuple[str, str]
"""A path and how it changed, as git says it: A, M, D …"""
KINDS = {"A": "added", "M": "modified", "D": "deleted", "T": "modified", "R": "renamed", "C": "copied"}


@dataclass(frozen=True)
class Job:
    """One job. ``condition`` is its ``if`` (empty: none); ``uses`` the actions of its steps."""

    name: str
    needs: tuple[str, ...]
    condition: str
    runs_on: str
    outputs: Mapping[str, Any]
    matrix: Any
    uses: tuple[str, ...]
    steps: tuple[str, ...]
    forgiven: bool


@dataclass(frozen=True)
class Rule:
    """One filter of a paths-filter step: its name, and each glob with the kinds of change that it counts for."""

    name: str
    globs: tuple[tuple[str, str], ...]
    every: bool = False

    def fits(self, change: Change) -> bool:
        """Tell whether a changed file counts; raises Unreachable for a glob that can't be read."""
        path, how = change
        kind = KINDS.get(how[:1], "modified")
        found = [matches(glob, path) for kinds, glob in self.globs if not kinds or kind in kinds.split("|")]
        return bool(found) and (all(found) if self.every else any(found))


@dataclass(frozen=True)
class Filter:
    """One step of paths-filter: in which job, its id, the action as it is written, its rules."""

    job: str
    id: str
    action: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Workflow:
    """A workflow's file. ``branches`` are those whose push starts it (None: all); ``pushed``: a push starts it."""

    pushed: bool
    branches: tuple[str, ...] | None
    narrowed: bool
    jobs: Mapping[str, Job]
    filters: tuple[Filter, ...]

    def ancestors(self, name: str) -> set[str]:
        """Return all jobs that a job waits for, directly or not; jobs that do not exist are left out."""
        found: set[str] = set()
        left = [name]
        while left:
            job = self.jobs.get(left.pop())
            for one in job.needs if job else ():
                if one not in found:
                    found.add(one)
                    left.append(one)
        return found & set(self.jobs)

    def order(self) -> list[str]:
        """Return the jobs, each after those that it waits for; raises Unreachable (malformed) for a circle."""
        done: list[str] = []
        while len(done) < len(self.jobs):
            ready = [name for name, job in self.jobs.items() if name not in done and not set(job.needs) - set(done)]
            if not ready:
                left = ", ".join(sorted(set(self.jobs) - set(done)))
                raise _malformed(f"jobs wait for each other, or for one that is not there: {left}")
            done += ready
        return done


def parse(text: str, read: Callable[[str], str]) -> Workflow:
    """Return a workflow's file as a graph; ``read`` returns another file of the repository (filters may be in one).

    Raises Unreachable (malformed) when the file is not of the form that GitHub documents.
    """
    if len(text) > LARGEST:
        raise _malformed("it is larger than GitHub allows")
    try:
        said = yaml.safe_load(text)
        # YAML 1.1 reads the bare word "on" as true.
        events = said.get("on", said.get(True))
        push = events.get("push", {}) if isinstance(events, Mapping) else {}
        pushed = "push" in ([events] if isinstance(events, str) else events)
        jobs = {str(name): _job(str(name), one) for name, one in _mapping(said["jobs"]).items()}
        if len(jobs) > MOST_JOBS:
            raise _malformed(f"it has {len(jobs)} jobs")
        branches = (push or {}).get("branches")
        narrowed = bool({"paths", "paths-ignore"} & set(push or {}))
        filters = tuple(_filters(said["jobs"], read))
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, KeyError, RecursionError) as error:
        raise _malformed(type(error).__name__) from None
    listed = None if branches is None else tuple(map(str, [branches] if isinstance(branches, str) else branches))
    return Workflow(pushed, listed, narrowed, jobs, filters)


def _malformed(why: str) -> Unreachable:
    return Unreachable(
        f"The workflow's file is not of the form that GitHub documents ({why}).", "Look at the file.", "malformed"
    )


def _mapping(one: Any) -> Mapping[Any, Any]:
    if not isinstance(one, Mapping):
        raise TypeError(type(one).__name__)
    return one


def _job(name: str, said: Any) -> Job:
    one = _mapping(said)
    needs = one.get("needs") or ()
    steps = [_mapping(step) for step in one.get("steps") or ()]
    strategy = _mapping(one.get("strategy") or {})
    condition = one.get("if", "")
    runs_on = one.get("runs-on", "")
    return Job(
        name=name,
        needs=(needs,) if isinstance(needs, str) else tuple(map(str, needs)),
        condition=("true" if condition else "false") if isinstance(condition, bool) else str(condition),
        runs_on=runs_on if isinstance(runs_on, str) else "",
        outputs=_mapping(one.get("outputs") or {}),
        matrix=strategy.get("matrix"),
        uses=tuple(str(step["uses"]) for step in [one, *steps] if step.get("uses")),
        steps=tuple(str(step["id"]) for step in steps if step.get("id")),
        forgiven=one.get("continue-on-error") not in (None, False),
    )


def _filters(jobs: Any, read: Callable[[str], str]) -> Iterator[Filter]:
    for name, job in _mapping(jobs).items():
        for step in job.get("steps") or ():
            if str(step.get("uses", "")).partition("@")[0].lower() != ACTION:
                continue
            given = _mapping(step.get("with") or {})
            text = str(given.get("filters", ""))
            if text.strip() and "\n" not in text.strip() and ":" not in text:
                text = read(text.strip().removeprefix("./"))
            every = given.get("predicate-quantifier", "some") == "every"
            rules = _mapping(yaml.safe_load(text) or {})
            made = tuple(Rule(str(one), tuple(_globs(globs)), every) for one, globs in rules.items())
            yield Filter(str(name), str(step.get("id", "")), str(step["uses"]), made)


def _globs(said: Any, kinds: str = "") -> Iterator[tuple[str, str]]:
    """Yield each glob with its kinds of change; lists may lie within lists (YAML anchors)."""
    if isinstance(said, str):
        yield kinds, said
    elif isinstance(said, Mapping):
        for kind, globs in said.items():
            yield from _globs(globs, str(kind).replace(" ", ""))
    elif isinstance(said, list):
        for one in said:
            yield from _globs(one, kinds)
    else:
        raise TypeError(type(said).__name__)
