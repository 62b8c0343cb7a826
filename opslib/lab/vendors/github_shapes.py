"""GitHub's documented forms of a repository, a commit, a workflow, a run and a job, filled in by the stand-in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

_USER_ADDRESSES = (
    *("events", "followers", "following", "gists", "organizations", "received_events", "repos"),
    *("starred", "subscriptions"),
)
_REPOSITORY_ADDRESSES = (
    *("archive", "assignees", "blobs", "branches", "collaborators", "comments", "commits", "compare", "contents"),
    *("contributors", "deployments", "downloads", "events", "forks", "git_commits", "git_refs", "git_tags", "hooks"),
    *("issue_comment", "issue_events", "issues", "keys", "labels", "languages", "merges", "milestones"),
    *("notifications", "pulls", "releases", "stargazers", "statuses", "subscribers", "subscription", "tags"),
    *("teams", "trees"),
)
WORKFLOW_ID = 161_335
SUMMARY = "Deploy to production"


def _web(owner: str, name: str, *path: object) -> str:
    return "/".join(["https://github.com", owner, name, *map(str, path)])


def _user(base: str, login: str) -> dict[str, Any]:
    own = f"{base}/users/{login}"
    return {
        "id": 1,
        "node_id": "U_1",
        "login": login,
        "type": "Organization",
        "site_admin": False,
        "gravatar_id": "",
        "url": own,
        "avatar_url": f"https://github.com/{login}.png",
        "html_url": f"https://github.com/{login}",
        **{f"{word}_url": f"{own}/{word}" for word in _USER_ADDRESSES},
    }


def account(base: str, login: str) -> dict[str, Any]:
    """Return a person's account."""
    return {**_user(base, login), "type": "User"}


def repository(base: str, owner: str, name: str) -> dict[str, Any]:
    """Return the minimal repository."""
    own = f"{base}/repos/{owner}/{name}"
    return {
        "id": 1,
        "node_id": "R_1",
        "name": name,
        "full_name": f"{owner}/{name}",
        "owner": _user(base, owner),
        "private": True,
        "description": None,
        "fork": False,
        "url": own,
        "html_url": _web(owner, name),
        **{f"{word}_url": f"{own}/{word}" for word in _REPOSITORY_ADDRESSES},
    }


def commit(base: str, owner: str, name: str, sha: str) -> dict[str, Any]:
    """Return one commit without its files."""
    address = f"{base}/repos/{owner}/{name}/commits/{sha}"
    person = {"name": "Release Captain", "email": "release@valuecanvas.example", "date": "2026-11-01T09:00:00Z"}
    return {
        "url": address,
        "sha": sha,
        "node_id": "C_1",
        "html_url": _web(owner, name, "commit", sha),
        "comments_url": f"{address}/comments",
        "commit": {
            "url": address,
            "author": person,
            "committer": person,
            "message": SUMMARY,
            "comment_count": 0,
            "tree": {"sha": sha, "url": address},
        },
        "author": None,
        "committer": None,
        "parents": [],
    }


def workflow(base: str, owner: str, name: str, path: str) -> dict[str, Any]:
    """Return the workflow."""
    return {
        "id": WORKFLOW_ID,
        "node_id": "W_1",
        "name": SUMMARY,
        "path": path,
        "state": "active",
        "created_at": "2025-12-01T09:00:00Z",
        "updated_at": "2025-12-01T09:00:00Z",
        "url": f"{base}/repos/{owner}/{name}/actions/workflows/{WORKFLOW_ID}",
        "html_url": _web(owner, name, "blob", "main", path),
        "badge_url": _web(owner, name, "workflows", "badge.svg"),
    }


def run(
    base: str,
    owner: str,
    name: str,
    path: str,
    said: dict[str, Any],
    status: str,
    conclusion: str | None,
    updated: datetime,
) -> dict[str, Any]:
    """Return one run of the workflow."""
    own = f"{base}/repos/{owner}/{name}/actions/runs/{said['id']}"
    created = _moment(said["created"])
    person = {"name": "Release Captain", "email": "release@valuecanvas.example"}
    words = ("jobs", "logs", "cancel", "rerun", "artifacts")
    return {
        "id": said["id"],
        "node_id": f"WFR_{said['id']}",
        "name": SUMMARY,
        "head_branch": said["branch"],
        "head_sha": said["sha"],
        "run_number": said["id"] - 6_999_000,
        "run_attempt": 1,
        "display_title": SUMMARY,
        "event": said["event"],
        "status": status,
        "conclusion": conclusion,
        "path": path,
        "workflow_id": WORKFLOW_ID,
        "url": own,
        "html_url": _web(owner, name, "actions", "runs", said["id"]),
        "pull_requests": [],
        "created_at": created,
        "run_started_at": created,
        "updated_at": _moment(updated.timestamp()),
        "head_commit": {
            "id": said["sha"],
            "tree_id": said["sha"],
            "message": SUMMARY,
            "timestamp": _moment(said["created"] - 1200),
            "author": person,
            "committer": person,
        },
        "head_repository": repository(base, owner, name),
        "repository": repository(base, owner, name),
        "check_suite_url": f"{base}/repos/{owner}/{name}/check-suites/1",
        "workflow_url": f"{base}/repos/{owner}/{name}/actions/workflows/{WORKFLOW_ID}",
        **{f"{word}_url": f"{own}/{word}" for word in words},
    }


def job(
    base: str,
    owner: str,
    name: str,
    of: dict[str, Any],
    number: int,
    called: str,
    status: str,
    conclusion: str | None,
    start: float,
    end: float | None,
) -> dict[str, Any]:
    """Return one job of a run."""
    identity = of["id"] * 100 + number
    own = f"{base}/repos/{owner}/{name}/actions"
    return {
        "id": identity,
        "node_id": f"CR_{identity}",
        "run_id": of["id"],
        "run_url": f"{own}/runs/{of['id']}",
        "run_attempt": 1,
        "head_sha": of["sha"],
        "head_branch": of["branch"],
        "workflow_name": SUMMARY,
        "name": called,
        "url": f"{own}/jobs/{identity}",
        "html_url": _web(owner, name, "actions", "runs", of["id"], "job", identity),
        "status": status,
        "conclusion": conclusion,
        "created_at": _moment(start),
        "started_at": _moment(start),
        "completed_at": None if end is None else _moment(end),
        "check_run_url": f"{base}/repos/{owner}/{name}/check-runs/{identity}",
        "labels": ["ubuntu-latest"],
        "runner_id": None,
        "runner_name": None,
        "runner_group_id": None,
        "runner_group_name": None,
        "steps": [],
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
