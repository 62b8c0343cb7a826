"""GitHub Actions: a workflow's file, its runs and their jobs; dispatch and cancel. Who reviewed a commit.

Source: GitHub REST API, version 2026-03-10 (actions, repository contents, commits, pull requests).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime

from pydantic import AliasPath, Field

from opslib.errors import SettingsError
from opslib.redaction import Secret
from opslib.settings_vendors import VendorNames
from opslib.systems.api import Api, Shape, WritingApi
from opslib.systems.api_errors import Vendor

PUBLIC = "https://api.github.com"
PER_PAGE = 100
HEADERS = {"accept": "application/vnd.github+json", "x-github-api-version": "2026-03-10"}
READING = Vendor("GitHub", "OPS_READ_GITHUB_TOKEN", headers=HEADERS)
WRITING = Vendor("GitHub", "GITHUB_TOKEN", headers=HEADERS)


class Run(Shape):
    """One run of a workflow. ``status`` is queued, in_progress, waiting, completed …; ``conclusion`` how it ended."""

    id: int
    number: int = Field(alias="run_number")
    event: str
    status: str
    conclusion: str | None
    branch: str | None = Field(alias="head_branch")
    commit: str = Field(alias="head_sha")
    created: datetime = Field(alias="created_at")
    updated: datetime = Field(alias="updated_at")
    committed: datetime | None = Field(default=None, validation_alias=AliasPath("head_commit", "timestamp"))
    address: str = Field(alias="html_url")

    @property
    def over(self) -> bool:
        """Whether it has come to its end."""
        return self.status == "completed"


class Job(Shape):
    """One job of a run, in the order in which GitHub lists them."""

    name: str
    status: str
    conclusion: str | None
    started: datetime | None = Field(alias="started_at")
    completed: datetime | None = Field(alias="completed_at")


class _Account(Shape):
    login: str
    type: str = "User"


class _Head(Shape):
    sha: str


class Pull(Shape):
    """A pull request that holds a commit. ``head`` is the newest commit of its branch."""

    number: int
    state: str
    author: _Account | None = Field(alias="user")
    merged: datetime | None = Field(None, alias="merged_at")
    head: _Head
    address: str = Field(alias="html_url")


class Review(Shape):
    """One review of a pull request: APPROVED, CHANGES_REQUESTED, COMMENTED or DISMISSED, of the commit it was of."""

    author: _Account | None = Field(alias="user")
    state: str
    commit: str | None = Field(None, alias="commit_id")
    at: datetime | None = Field(None, alias="submitted_at")


class _Contents(Shape):
    content: str
    encoding: str


class _Commit(Shape):
    sha: str


class _Workflow(Shape):
    state: str
    name: str


class _Runs(Shape):
    workflow_runs: list[Run]


class _Jobs(Shape):
    total_count: int
    jobs: list[Job]


class _Dispatched(Shape):
    workflow_run_id: int


class ReadOnlyWorkflows:
    """The workflows of the repository of a target description; only GET is sent."""

    def __init__(self, settings: VendorNames, token: Secret | None) -> None:
        self._api = self._opened(settings, token)
        if settings.github_repository is None:
            raise SettingsError("GITHUB_REPOSITORY is not in the target description.", "Name it as owner/name.")
        owner, _, name = settings.github_repository.partition("/")
        self._home = ("repos", owner, name)

    def _opened(self, settings: VendorNames, token: Secret | None) -> Api:
        return Api(READING, settings.github_url or PUBLIC, token)

    def head(self, branch: str) -> str:
        """Return the newest commit of ``branch``; raises Unreachable (missing, rejected) where there is none."""
        return self._api.get(_Commit, *self._home, "commits", branch).sha

    def pulls(self, commit: str) -> list[Pull]:
        """Return the pull requests that hold a commit, open ones too; raises Unreachable where there is none such."""
        return self._api.get(list[Pull], *self._home, "commits", commit, "pulls", query={"per_page": PER_PAGE})

    def reviews(self, pull: int) -> list[Review]:
        """Return the reviews of a pull request, the first one first; at most 1000."""
        found: list[Review] = []
        for page in range(1, 11):
            query = {"per_page": PER_PAGE, "page": page}
            said = self._api.get(list[Review], *self._home, "pulls", str(pull), "reviews", query=query)
            found += said
            if len(said) < PER_PAGE:
                break
        return found

    def file(self, path: str, commit: str) -> str:
        """Return the text of a file as it is at ``commit``."""
        found = self._api.get(_Contents, *self._home, "contents", *path.split("/"), query={"ref": commit})
        return base64.b64decode(found.content).decode("utf-8", "replace")

    def state(self, workflow: str) -> str:
        """Return whether the workflow of that file name is ``active``, or by whom it was disabled."""
        return self._api.get(_Workflow, *self._home, "actions", "workflows", workflow).state

    def runs(
        self,
        workflow: str,
        *,
        event: str | None = None,
        branch: str | None = None,
        commit: str | None = None,
        most: int = 20,
    ) -> list[Run]:
        """Return the newest runs of a workflow, newest first; ``most`` at most 100."""
        query = {"event": event, "branch": branch, "head_sha": commit, "per_page": min(most, PER_PAGE)}
        return self._api.get(_Runs, *self._home, "actions", "workflows", workflow, "runs", query=query).workflow_runs

    def run(self, number: int) -> Run:
        """Return one run by its id."""
        return self._api.get(Run, *self._home, "actions", "runs", str(number))

    def jobs(self, number: int) -> list[Job]:
        """Return the jobs of a run's latest attempt."""
        path = (*self._home, "actions", "runs", str(number), "jobs")
        found: list[Job] = []
        for page in range(1, 11):
            said = self._api.get(_Jobs, *path, query={"per_page": PER_PAGE, "page": page})
            found += said.jobs
            if len(found) >= said.total_count or not said.jobs:
                break
        return found

    def close(self) -> None:
        """Close every connection."""
        self._api.close()


class Workflows(ReadOnlyWorkflows):
    """Also starts and cancels runs."""

    _api: WritingApi

    def _opened(self, settings: VendorNames, token: Secret | None) -> WritingApi:
        return WritingApi(WRITING, settings.github_url or PUBLIC, token)

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str]) -> int:
        """Start a run on a branch or tag and return its id. Not repeatable: each call starts one."""
        body = {"ref": ref, "inputs": dict(inputs), "return_run_details": True}
        path = (*self._home, "actions", "workflows", workflow, "dispatches")
        answer = self._api.send("POST", *path, body=body)
        return self._api.read(_Dispatched, "POST dispatches", answer).workflow_run_id

    def cancel(self, number: int) -> None:
        """Ask for the end of a run; raises Unreachable (conflict) when it is over."""
        self._api.send("POST", *self._home, "actions", "runs", str(number), "cancel")
