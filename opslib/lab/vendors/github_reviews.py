"""A part of GitHub's stand-in: pull requests that hold a commit, and their reviews.

Source: GitHub REST API description (commits/pulls, pulls/reviews).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.github_shapes import account, repository
from opslib.lab.vendors.stand_in import Refusal, StandIn

_NUMBERS = ("forks", "forks_count", "open_issues", "open_issues_count", "size", "stargazers_count", "watchers")
_HAS = ("has_issues", "has_projects", "has_wiki", "has_pages", "has_downloads")
_ADDRESSES = ("clone_url", "git_url", "ssh_url", "svn_url", "mirror_url")
_OF_A_PULL = ("commits", "comments", "review_comments", "review_comment", "statuses")


class Reviews:
    """State: ``pulls``, each with its number, author, the commits that it holds (the newest last) and its reviews.

    A review has its author, its state, the commit that it was of, and the author's ``type``. ``merged`` says whether
    the pull request was taken in.
    """

    def __init__(self, stand_in: StandIn) -> None:
        self._of = stand_in

    @staticmethod
    def first(main: str) -> dict[str, Any]:
        """Return the pull request of ``main``'s newest commit, which another than its author approved."""
        branch = "9c41d0e7b2a85f6341d7e0c9b8a7f6e5d4c3b2a1"
        return {"pulls": [pull(311, "ben", [branch, main], [review("ann", "APPROVED", branch)])]}

    def routes(self, home: str) -> list[Route]:
        """Return what a look at a commit asks."""
        return [
            Route(f"{home}/commits/{{ref}}/pulls", self.pulls),
            Route(f"{home}/pulls/{{number:int}}/reviews", self.reviews),
        ]

    async def pulls(self, request: Request) -> Response:
        """Return the pull requests that hold a commit."""
        home, ref = self._home(request), request.path_params["ref"]
        return JSONResponse([self._shown(home, one) for one in self._known() if ref in one["commits"]])

    async def reviews(self, request: Request) -> Response:
        """Return the reviews of one pull request, the first one first."""
        home, number = self._home(request), request.path_params["number"]
        for one in self._known():
            if one["number"] == number:
                size, page = (int(request.query_params.get(name, "1")) for name in ("per_page", "page"))
                shown = [_review(home, one, said, place) for place, said in enumerate(one["reviews"])]
                return JSONResponse(shown[(page - 1) * size : page * size])
        raise Refusal(404, "Not Found")

    def _known(self) -> list[dict[str, Any]]:
        known: list[dict[str, Any]] = self._of.state.get("pulls", [])
        return known

    def _home(self, request: Request) -> str:
        owner, name = request.path_params["owner"], request.path_params["repo"]
        if (owner, name) != ("valuecanvas", "valuecanvas"):
            raise Refusal(404, "Not Found")
        return f"{self._of.base}/repos/{owner}/{name}"

    def _shown(self, home: str, one: dict[str, Any]) -> dict[str, Any]:
        at, own = _text(1.0), f"{home}/pulls/{one['number']}"
        web = f"https://github.com/valuecanvas/valuecanvas/pull/{one['number']}"
        merged = at if one["merged"] else None
        head = one["commits"][-2] if one["merged"] and one["commits"][1:] else one["commits"][-1]
        base = self._of.base
        return {
            "id": one["number"],
            "node_id": f"PR_{one['number']}",
            "number": one["number"],
            "title": "A change",
            "body": None,
            "state": "closed" if merged else "open",
            "locked": False,
            "user": account(base, one["author"]),
            "author_association": "MEMBER",
            "labels": [],
            "assignee": None,
            "milestone": None,
            "auto_merge": None,
            "created_at": _text(5.0),
            "updated_at": at,
            "closed_at": merged,
            "merged_at": merged,
            "merge_commit_sha": one["commits"][-1] if merged else None,
            "head": _end(base, "change", head),
            "base": _end(base, "main", one["commits"][0]),
            "url": own,
            "html_url": web,
            "diff_url": f"{web}.diff",
            "patch_url": f"{web}.patch",
            "issue_url": f"{home}/issues/{one['number']}",
            **{f"{word}_url": f"{own}/{word}" for word in _OF_A_PULL},
            "_links": {word: {"href": own} for word in ("self", "html", "issue", *(word for word in _OF_A_PULL))},
        }


def pull(number: int, author: str, commits: list[str], reviews: list[dict[str, Any]], **said: Any) -> dict[str, Any]:
    """Return one pull request as the state has it; merged unless it is said otherwise."""
    return {"number": number, "author": author, "commits": commits, "reviews": reviews, "merged": True} | said


def review(author: str, state: str, commit: str, **said: Any) -> dict[str, Any]:
    """Return one review as the state has it, a person's unless it is said otherwise."""
    return {"author": author, "state": state, "commit": commit, "type": "User"} | said


def _text(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _end(base: str, ref: str, sha: str) -> dict[str, Any]:
    whole = repository(base, "valuecanvas", "valuecanvas")
    more: dict[str, Any] = {
        **dict.fromkeys(_NUMBERS, 0),
        **dict.fromkeys(_HAS, True),
        **dict.fromkeys(_ADDRESSES, "https://github.com/valuecanvas/valuecanvas.git"),
        "watchers_count": 0,
        "default_branch": "main",
        "language": "TypeScript",
        "license": None,
        "homepage": None,
        "archived": False,
        "disabled": False,
        **{f"{word}_at": "2025-12-01T09:00:00Z" for word in ("created", "updated", "pushed")},
    }
    return {"label": f"valuecanvas:{ref}", "ref": ref, "sha": sha, "repo": whole | more, "user": whole["owner"]}


def _review(home: str, one: dict[str, Any], said: dict[str, Any], place: int) -> dict[str, Any]:
    own = f"{home}/pulls/{one['number']}"
    web = f"https://github.com/valuecanvas/valuecanvas/pull/{one['number']}#pullrequestreview-{place}"
    return {
        "id": 1000 * one["number"] + place,
        "node_id": f"PRR_{one['number']}_{place}",
        "user": {**account(home.partition("/repos/")[0], said["author"]), "type": said["type"]},
        "body": "",
        "state": said["state"],
        "commit_id": said["commit"],
        "submitted_at": _text(1.5 - place / 100),
        "author_association": "MEMBER",
        "html_url": web,
        "pull_request_url": own,
        "_links": {"html": {"href": web}, "pull_request": {"href": own}},
    }
