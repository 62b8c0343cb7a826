"""What the front end's hosters have in common: deployments that never change, and production that points at one.

Each deployment has an address of its own for as long as it is kept. A rollback moves production's addresses to an
older one and builds nothing: the older one comes back with the environment variables that it was built with.
The hosters: :mod:`.vercel`, :mod:`.netlify`, :mod:`.cloudflare_pages`; chosen by :mod:`.hosters`. A variable is put
into the next build: what is live keeps those that it was built with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import PlainValidator

from opslib.errors import Refused, SettingsError
from opslib.redaction import Secret

Told = Annotated[Secret | None, PlainValidator(lambda said: Secret(said) if isinstance(said, str) and said else None)]
"""A value in a hoster's answer, however short; None where it tells none."""

MOST = 50
"""Deployments that are listed at most, newest first."""


class State(StrEnum):
    """What a deployment is, in our words."""

    READY = "ready"
    BUILDING = "building"
    FAILED = "failed"
    GONE = "gone"


class Stage(StrEnum):
    """How far the last request to move production is."""

    UNDER_WAY = "under way"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Deployment:
    """One deployment. ``word`` is its state as the hoster writes it, ``address`` its own, with a scheme.

    ``production``: it was built for production. ``served``: production has pointed at it. ``allowed``: whether the
    hoster lets production go back to it; None where it does not say. ``mark`` is what :meth:`Hosting.build` gave it.
    """

    id: str
    state: State
    word: str
    production: bool
    served: bool
    created: datetime
    address: str
    commit: str | None = None
    branch: str | None = None
    allowed: bool | None = None
    mark: str | None = None


@dataclass(frozen=True)
class Move:
    """The last request that production point elsewhere: from where, to where, when, how far it is."""

    target: str
    source: str | None
    stage: Stage
    at: datetime


@dataclass(frozen=True)
class Standing:
    """Where production points; whether later pushes are held back from it (None: not told); the last request."""

    deployment: str | None
    pinned: bool | None = None
    move: Move | None = None


@dataclass(frozen=True)
class Mark:
    """What is written beside a variable by whoever sets it here: which run, which version of the vault, and when.

    It tells neither the value nor a digest of it.
    """

    run: str
    version: str
    at: datetime

    def text(self) -> str:
        """Return it as it is written."""
        return f"opslib {self.run} {self.version} {self.at.isoformat(timespec='seconds')}"

    @classmethod
    def read(cls, text: str | None) -> Mark | None:
        """Return what ``text`` says, or None where it is somebody else's words."""
        found = _MARK.fullmatch(text or "")
        try:
            return cls(found[1], found[2], datetime.fromisoformat(found[3])) if found else None
        except ValueError:
            return None


_MARK = re.compile(r"opslib ([\w-]+) ([\w-]+) ([0-9T:+-]+)", re.ASCII)


@dataclass(frozen=True)
class Variable:
    """One environment variable that the next build for production gets: its name and when it was set, no value.

    ``kind`` is the hoster's word for how it is kept, ``secret`` whether nobody can read it there any more; ``updated``
    is None where the hoster does not say. ``contexts`` are the kinds of builds that get the same value.
    """

    name: str
    kind: str
    updated: datetime | None
    secret: bool = False
    contexts: tuple[str, ...] = ("production",)
    mark: Mark | None = None


@dataclass(frozen=True)
class Pipeline:
    """How the hoster builds what it is given: from which repository and branch, and with what; None: its default.

    ``repository`` is ``owner/name``, or None where none is connected.
    """

    repository: str | None
    branch: str | None
    command: str | None
    output: str | None
    node: str | None


class ReadOnlyHosting(Protocol):
    """One project at a hoster, asked by GET alone. Each method raises Unreachable as :meth:`.api.Api.get` does.

    ``pins``: a rollback there holds later pushes back from production, until something is promoted. ``builds``: a
    branch's newest commit is built for production when it is asked for. ``signs``: a deployment keeps the mark that it
    was made with. ``marks``: a :class:`Mark` is kept with a variable.
    """

    hoster: str
    project: str
    pins: bool
    builds: bool
    signs: bool
    marks: bool

    def current(self) -> Standing:
        """Return where production points."""

    def deployments(self, most: int = MOST, production: bool = True) -> list[Deployment]:
        """Return the newest deployments, newest first: those for production, or all others."""

    def deployment(self, id: str) -> Deployment:
        """Return one by its id; Unreachable (missing) where this project has none of that id."""

    def variables(self) -> list[Variable]:
        """Return the environment variables of production, by name."""

    def pipeline(self) -> Pipeline:
        """Return how commits are built there."""

    def shown(self, name: str) -> Secret | None:
        """Return the value of a variable of production, for one that is public; None where the hoster hides it."""

    def all_shown(self, prefixes: tuple[str, ...]) -> dict[str, Secret | None]:
        """Return production's variables whose names begin so, each with its value; None where it is hidden."""

    def close(self) -> None:
        """Close every connection."""


class Hosting(ReadOnlyHosting, Protocol):
    """Also moves production and sets variables. Each call is sent once; the looks tell when it has been carried out."""

    def roll_back(self, id: str) -> None:
        """Ask that production point at an older deployment."""

    def promote(self, id: str) -> None:
        """Ask that production point at a deployment, and that later pushes go live again."""

    def build(self, repository: str, branch: str, commit: str, mark: str) -> Deployment:
        """Ask for a deployment of a commit for production, which can be told by its mark. Each call makes one.

        Where the hoster takes a branch alone, it builds what that is at then: look at the deployment's own commit.
        """

    def begin(self, files: Mapping[str, bytes], branch: str, commit: str, mark: str, draft: bool) -> Deployment:
        """Begin a deployment of files that were built here; each call makes one. Refused where the hoster builds."""

    def send(self, id: str, files: Mapping[str, bytes]) -> None:
        """Send what a deployment still lacks; repeatable. Raises Unreachable (conflict) where it lacks another's."""

    def discard(self, id: str) -> None:
        """Delete a deployment that production does not point at."""

    def set_variable(self, name: str, value: Secret, secret: bool, mark: Mark) -> None:
        """Set a variable of production, new or not; where it has the same value in other contexts, there as well.

        Raises Refused where the hoster would keep a secret readable. No message shows the value.
        """

    def remove_variable(self, name: str) -> None:
        """Remove a variable from production; raises Refused where other contexts would lose it with that."""


class BuildsCommits:
    """A hoster that builds commits itself, and takes no files from here."""

    hoster: str

    def begin(self, files: Mapping[str, bytes], branch: str, commit: str, mark: str, draft: bool) -> Deployment:
        """Refuse."""
        raise self._none()

    def send(self, id: str, files: Mapping[str, bytes]) -> None:
        """Refuse."""
        raise self._none()

    def discard(self, id: str) -> None:
        """Refuse."""
        raise self._none()

    def _none(self) -> Refused:
        return Refused(f"{self.hoster} builds commits itself, and is sent no files.", "Deploy the commit.")


def built_here(hoster: str) -> Refused:
    """Return the refusal of a hoster that takes the files of a build."""
    return Refused(f"{hoster} is sent files that were built here; it builds no commit.", "Build first, then deploy.")


def shared_with(name: str, contexts: tuple[str, ...]) -> Refused:
    """Return the refusal to remove a variable that others than production have as well."""
    return Refused(
        f"{name} is one variable of {', '.join(contexts)}: to remove it from production would take it from all.",
        "Part it at the hoster, or remove it there by hand.",
    )


def state_of(words: Mapping[str, State], word: str) -> State:
    """Return our word for the hoster's; a word that nobody documented is none that is ready."""
    return words.get(word, State.BUILDING)


def named(value: str | None, variable: str) -> str:
    """Return ``value``; raises SettingsError that names the variable which is not there."""
    if value is None:
        raise SettingsError(f"{variable} is not in the target description.", "It says where the front end is hosted.")
    return value
