"""PagerDuty's REST stand-in: one escalation policy with its shifts, one service with its incidents.

Source: PagerDuty REST API description (oncalls, incidents, log_entries). Hours are counted back from each question, so
that a lab that stays up does not age.
"""

from __future__ import annotations

import hmac
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.stand_in import Refusal, StandIn

POLICY, SERVICE, SCHEDULE = "PT20YPA", "PIJ90N7", "PI7DH85"
WEB = "https://valuecanvas.pagerduty.com"


class OnCall(StandIn):
    """State: ``shifts`` (level, user, hours from and to, None without end) and ``incidents``.

    An incident has number, title, ``hours`` since it was triggered, and the seconds after which it was ``acknowledged``
    and ``resolved``, or None; ``by`` is who did it, a person's name or ``service``.
    """

    name = "oncall"
    retry_header = "ratelimit-reset"

    def first(self) -> dict[str, Any]:
        """Return a week's rotation, and some weeks in which somebody was there in time."""
        people = ("Ann Archer", "Ben Bauer")
        shifts = [
            {"level": 1, "user": people[number % 2], "from": 168.0 * number - 60, "to": 168.0 * (number + 1) - 60}
            for number in (-1, 0, 1)
        ]
        shifts += [
            {"level": level, "user": user, "from": None, "to": None}
            for level, user in ((2, "Eve Engel"), (3, "Cleo Tan"), (4, "Dora Ode"))
        ]
        hours = (30, 101, 190, 260, 333, 480, 560)
        return {
            "shifts": shifts,
            "incidents": [
                {"number": 40 + place, "title": "Error rate above 1 %", "hours": ago, "acknowledged": 95 + 60 * place}
                | {"resolved": 1_500 + 300 * place, "by": people[place % 2], "service": SERVICE}
                for place, ago in enumerate(hours)
            ],
        }

    def routes(self) -> list[Route]:
        """Return what the reviews ask."""
        return [
            Route("/oncalls", self.oncalls),
            Route("/incidents", self.incidents),
            Route("/log_entries", self.entries),
        ]

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return PagerDuty's form of an error."""
        return JSONResponse({"error": {"code": 2000 + status, "message": message, "errors": [message]}}, status)

    def _refused(self, request: Request) -> Response | None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        said = key.removeprefix("token=").encode()
        if scheme != "Token" or not any(hmac.compare_digest(known.encode(), said) for known in self._tokens):
            return self.error(401, "Unauthorized")
        return None

    async def oncalls(self, request: Request) -> Response:
        """Return the shifts that touch a time."""
        if request.query_params.getlist("escalation_policy_ids[]") not in ([], [POLICY]):
            return self._page(request, "oncalls", [])
        since, until = _moment(request, "since"), _moment(request, "until")
        if until < since:
            raise Refusal(400, "Invalid Input Provided")
        touching = [
            one
            for one in self.state["shifts"]
            if (one["to"] is None or _at(-one["to"]) > since) and (one["from"] is None or _at(-one["from"]) <= until)
        ]
        return self._page(request, "oncalls", [_shift(one) for one in touching])

    async def incidents(self, request: Request) -> Response:
        """Return incidents of some states."""
        wanted = request.query_params.getlist("statuses[]") or ["triggered", "acknowledged", "resolved"]
        key = request.query_params.get("incident_key")
        every = self._alerts(key) if key else [*self.state["incidents"], *self._alerts()]
        found = [one for one in every if _status(one) in wanted and _of(request, one)]
        return self._page(request, "incidents", [_incident(one) for one in found])

    async def entries(self, request: Request) -> Response:
        """Return what happened within a time, newest first."""
        since, until = _moment(request, "since"), _moment(request, "until")
        every = [*self.state["incidents"], *self._alerts()]
        found = [(moment, entry) for one in every for moment, entry in _entries(one)]
        found.sort(key=lambda one: one[0], reverse=True)
        return self._page(request, "log_entries", [entry for moment, entry in found if since <= moment <= until])

    def _alerts(self, key: str = "") -> list[dict[str, Any]]:
        """Return the incidents that alerts have opened at the door for events: all, or the one of a key."""
        alerts = self._memory.of("pagerduty", {"alerts": {}})["alerts"]
        known = enumerate(alerts.items(), 900)
        return [_opened(number, alert) for number, (name, alert) in known if key in ("", name) and "at" in alert]

    def _page(self, request: Request, name: str, found: list[dict[str, Any]]) -> Response:
        most, first = (int(request.query_params.get(word, default)) for word, default in (("limit", 25), ("offset", 0)))
        if not 0 < most <= 100:
            raise Refusal(400, "Limit must be between 1 and 100")
        more = len(found) > first + most
        page = {"limit": most, "offset": first, "more": more, "total": None}
        return JSONResponse({name: found[first : first + most], **page})


def _moment(request: Request, name: str) -> datetime:
    said = request.query_params.get(name)
    return datetime.fromisoformat(said) if said else datetime.now(UTC)


def _at(hours_ago: float, seconds: float = 0.0) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours_ago) + timedelta(seconds=seconds)


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _reference(kind: str, place: str, name: str, summary: str) -> dict[str, str]:
    own = {"self": f"https://api.pagerduty.com/{place}/{name}", "html_url": f"{WEB}/{place}/{name}"}
    return {"id": name, "type": f"{kind}_reference", "summary": summary, **own}


def _user(name: str) -> dict[str, str]:
    return _reference("user", "users", f"P{sum(map(ord, name)):06d}", name)


def _service(one: dict[str, Any]) -> dict[str, str]:
    return _reference("service", "services", one["service"], "ValueCanvas production")


def _agent(one: dict[str, Any]) -> dict[str, str]:
    return _service(one) if one["by"] == "service" else _user(one["by"])


def _shift(one: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "user": _user(one["user"]),
        "escalation_policy": _reference("escalation_policy", "escalation_policies", POLICY, "ValueCanvas"),
        "escalation_level": one["level"],
    }
    if one["from"] is not None:
        shown["schedule"] = _reference("schedule", "schedules", SCHEDULE, "Weekly rotation")
    moments = {"start": one["from"], "end": one["to"]}
    return shown | {name: None if hours is None else _text(_at(-hours)) for name, hours in moments.items()}


def _opened(number: int, alert: dict[str, Any]) -> dict[str, Any]:
    at, since = alert["at"], time.time() - alert["at"]
    ends = {name: alert[f"{name}_at"] and alert[f"{name}_at"] - at for name in ("acknowledged", "resolved")}
    return {
        "number": number,
        "title": alert["summary"],
        "hours": since / 3600.0,
        "by": "service",
        "service": SERVICE,
    } | ends


def _status(one: dict[str, Any]) -> str:
    passed = one["hours"] * 3600.0
    for state in ("resolved", "acknowledged"):
        if one[state] is not None and one[state] <= passed:
            return state
    return "triggered"


def _of(request: Request, one: dict[str, Any]) -> bool:
    wanted = request.query_params.getlist("service_ids[]")
    return not wanted or one["service"] in wanted


def _incident(one: dict[str, Any]) -> dict[str, Any]:
    name, status = f"Q{one['number']:06d}", _status(one)
    acknowledged: list[dict[str, Any]] = []
    if status == "acknowledged":
        acknowledged = [{"at": _text(_at(one["hours"], one["acknowledged"])), "acknowledger": _agent(one)}]
    return {
        **_reference("incident", "incidents", name, f"[#{one['number']}] {one['title']}"),
        "type": "incident",
        "incident_number": one["number"],
        "title": one["title"],
        "created_at": _text(_at(one["hours"])),
        "status": status,
        "service": _service(one),
        "urgency": "high",
        "acknowledgements": acknowledged,
    }


def _entries(one: dict[str, Any]) -> list[tuple[datetime, dict[str, Any]]]:
    said: list[tuple[str, float, dict[str, str]]] = [("trigger", 0.0, _service(one))]
    for kind, state in (("acknowledge", "acknowledged"), ("resolve", "resolved")):
        said += [(kind, one[state], _agent(one))] if one[state] is not None else []
    incident = _reference("incident", "incidents", f"Q{one['number']:06d}", f"[#{one['number']}] {one['title']}")
    found = []
    for kind, seconds, agent in said:
        if seconds <= one["hours"] * 3600.0:
            moment = _at(one["hours"], seconds)
            name = f"R{one['number']:05d}{kind[0].upper()}"
            shown = {
                **_reference(f"{kind}_log_entry", "log_entries", name, kind.capitalize()),
                "type": f"{kind}_log_entry",
                "created_at": _text(moment),
                "agent": agent,
                "channel": {"type": "api"},
                "service": _service(one),
                "incident": incident,
            }
            found.append((moment, shown))
    return found
