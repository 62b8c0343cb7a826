"""A part of GitHub's stand-in: the repository's issues and their comments.

Source: GitHub REST API description (issues, issue-comment). Hours are counted back from each question.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.github_shapes import account
from opslib.lab.vendors.stand_in import Refusal, StandIn

_OF_AN_ISSUE = ("comments", "events", "labels")


class Issues:
    """State: ``issues``, each with its number, ``hours`` ago, author, association, and ``answers`` to it.

    An answer has its author, association and the seconds ``after`` which it came; ``closed`` is seconds after as well,
    or None. ``labels`` are names, and ``pull`` says that it is a pull request.
    """

    def __init__(self, stand_in: StandIn) -> None:
        self._of = stand_in

    @staticmethod
    def first() -> dict[str, Any]:
        """Return some weeks of reports that members answered in time, and a task of a member's own."""
        reports = [
            issue(300 + place, 40.0 + 70 * place, [answer(3_600.0 * (3 + 4 * place))], closed=250_000.0)
            for place in range(8)
        ]
        return {"issues": [*reports, issue(310, 90.0, [], author="ben", association="MEMBER")]}

    def routes(self, home: str) -> list[Route]:
        """Return what the reviews ask."""
        return [Route(f"{home}/issues", self.issues), Route(f"{home}/issues/comments", self.comments)]

    async def issues(self, request: Request) -> Response:
        """Return issues, those opened last first; ``since`` is when something last changed about them."""
        since, home = _since(request), self._home(request)
        found = [_shown(home, one) for one in self._known() if _changed(one) >= since]
        if request.query_params.get("state", "open") != "all":
            found = [one for one in found if one["state"] == request.query_params.get("state", "open")]
        return _page(request, sorted(found, key=lambda one: str(one["created_at"]), reverse=True))

    async def comments(self, request: Request) -> Response:
        """Return the comments of all issues."""
        since, home = _since(request), self._home(request)
        found = [
            _comment(home, one, said, number)
            for one in self._known()
            for number, said in enumerate(one["answers"])
            if since <= _at(one, said["after"]) <= datetime.now(UTC)
        ]
        down = request.query_params.get("direction", "desc") == "desc"
        return _page(request, sorted(found, key=lambda one: str(one["created_at"]), reverse=down))

    def _known(self) -> list[dict[str, Any]]:
        known: list[dict[str, Any]] = self._of.state.get("issues", [])
        return known

    def _home(self, request: Request) -> str:
        owner, name = request.path_params["owner"], request.path_params["repo"]
        if (owner, name) != ("valuecanvas", "valuecanvas"):
            raise Refusal(404, "Not Found")
        return f"{self._of.base}/repos/{owner}/{name}"


def issue(number: int, hours: float, answers: list[dict[str, Any]], **said: Any) -> dict[str, Any]:
    """Return one issue as the state has it."""
    known: dict[str, Any] = {"author": "a-user", "association": "NONE", "closed": None, "labels": [], "pull": False}
    return {"number": number, "hours": hours, "answers": answers} | known | said


def answer(after: float, **said: Any) -> dict[str, Any]:
    """Return one answer as the state has it, of a member unless it is said otherwise."""
    known: dict[str, Any] = {"after": after, "author": "ann", "association": "MEMBER", "type": "User"}
    return known | said


def _since(request: Request) -> datetime:
    said = request.query_params.get("since")
    return datetime.fromisoformat(said) if said else datetime.min.replace(tzinfo=UTC)


def _page(request: Request, found: list[dict[str, Any]]) -> Response:
    many, page = int(request.query_params.get("per_page", "30")), int(request.query_params.get("page", "1"))
    return JSONResponse(found[(page - 1) * many : page * many])


def _at(one: dict[str, Any], after: float = 0.0) -> datetime:
    return datetime.now(UTC) - timedelta(hours=one["hours"]) + timedelta(seconds=after)


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _closed(one: dict[str, Any]) -> datetime | None:
    at = None if one["closed"] is None else _at(one, one["closed"])
    return at if at is not None and at <= datetime.now(UTC) else None


def _changed(one: dict[str, Any]) -> datetime:
    moments = [_at(one), *(_at(one, said["after"]) for said in one["answers"]), _closed(one) or _at(one)]
    return max(moment for moment in moments if moment <= datetime.now(UTC))


def _shown(home: str, one: dict[str, Any]) -> dict[str, Any]:
    own, closed = f"{home}/issues/{one['number']}", _closed(one)
    pull = {"pull_request": dict.fromkeys(("url", "html_url", "diff_url", "patch_url"))} if one["pull"] else {}
    return pull | {
        "id": one["number"],
        "node_id": f"I_{one['number']}",
        "number": one["number"],
        "title": "It does not work",
        "state": "closed" if closed else "open",
        "locked": False,
        "comments": len(one["answers"]),
        "user": account(home.partition("/repos/")[0], one["author"]),
        "author_association": one["association"],
        "labels": [{"name": label} for label in one["labels"]],
        "assignee": None,
        "milestone": None,
        "created_at": _text(_at(one)),
        "updated_at": _text(_changed(one)),
        "closed_at": _text(closed) if closed else None,
        "url": own,
        "repository_url": home,
        "html_url": f"https://github.com/valuecanvas/valuecanvas/issues/{one['number']}",
        **{f"{word}_url": f"{own}/{word}" for word in _OF_AN_ISSUE},
    }


def _comment(home: str, one: dict[str, Any], said: dict[str, Any], number: int) -> dict[str, Any]:
    name, at = 1000 * one["number"] + number, _text(_at(one, said["after"]))
    return {
        "id": name,
        "node_id": f"IC_{name}",
        "url": f"{home}/issues/comments/{name}",
        "issue_url": f"{home}/issues/{one['number']}",
        "html_url": f"https://github.com/valuecanvas/valuecanvas/issues/{one['number']}#issuecomment-{name}",
        "user": {**account(home.partition("/repos/")[0], said["author"]), "type": said["type"]},
        "author_association": said["association"],
        "body": "We look into it.",
        "created_at": at,
        "updated_at": at,
    }
