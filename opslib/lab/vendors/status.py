"""Status pages of several vendors, in the three forms that they have: ``/status/sites/<vendor>/…``, for anybody.

Sources: Atlassian Statuspage's summary (GitHub, Supabase, Vercel, Netlify, Cloudflare, Sentry; incident.io serves the
same for OpenAI, with null for an empty list and no components in an incident), Better Stack's index (Together), AWS's
public current events (UTF-16 with a byte order mark).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.vendors.stand_in import Refusal, StandIn

SUMMARY, INDEX, EVENTS = "api/v2/summary.json", "index.json", "public/currentevents"
PAGES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "github": ("GitHub", SUMMARY, ("Git Operations", "API Requests", "Actions", "Pages")),
    "supabase": ("Supabase", SUMMARY, ("Auth", "Database", "Edge Functions", "Management API", "Storage")),
    "vercel": ("Vercel", SUMMARY, ("Builds", "CDN", "Dashboard", "DNS")),
    "netlify": ("Netlify", SUMMARY, ("API", "Build Pipeline", "Edge Network")),
    "cloudflare": ("Cloudflare", SUMMARY, ("API", "Dashboard", "Pages")),
    "openai": ("OpenAI", SUMMARY, ("Chat Completions", "ChatGPT", "Embeddings")),
    "sentry": ("Sentry", SUMMARY, ("Dashboard", "US Error Ingestion")),
    "together": ("Together AI", INDEX, ("Chat completions", "Fine-tuning")),
    "aws": ("AWS", EVENTS, ()),
}
"""Vendors with a page here: its name, where its feed lies, and the components that it lists."""

NEEDED = {
    "github": ("Git Operations", "API Requests", "Actions"),
    "supabase": ("Auth", "Database", "Edge Functions", "Management API"),
    "vercel": ("Builds", "CDN"),
    "netlify": ("API", "Edge Network"),
    "cloudflare": ("API", "Pages"),
    "openai": ("Chat Completions",),
    "sentry": ("US Error Ingestion",),
    "together": ("Chat completions",),
    "aws": ("s3-us-east-1", "secretsmanager-us-east-1", "multipleservices-us-east-1"),
}
"""What the product needs of each."""
BARE = ("openai",)
"""Pages of incident.io's: null where a list is empty, and no components in an incident."""
CREATED = "2026-11-01T09:00:00.000Z"


class Status(StandIn):
    """State by vendor: ``components`` (their states), ``incidents``, ``maintenances``, ``updated``, ``age``.

    An incident has ``name``, ``status``, ``impact``, ``components`` (names); a maintenance ``begins`` and ``ends`` too.
    ``updated`` is when the page was changed last (None: now), ``age`` how many seconds the answer lay in a cache.
    """

    name = "status"

    def first(self) -> dict[str, Any]:
        """Return pages on which all is well."""
        return {
            vendor: {
                "components": dict.fromkeys(components, "operational"),
                "incidents": [],
                "maintenances": [],
                "updated": None,
                "age": 0,
            }
            for vendor, (_, _, components) in PAGES.items()
        }

    def routes(self) -> list[Route]:
        """Return the feeds."""
        return [
            Route(f"/sites/{{vendor}}/{SUMMARY}", self.summary),
            Route(f"/sites/{{vendor}}/{INDEX}", self.index),
            Route(f"/sites/{{vendor}}/{EVENTS}", self.events),
        ]

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return an error as a page for people."""
        return Response(f"<html><body><h1>{status}</h1></body></html>", status, media_type="text/html")

    async def summary(self, request: Request) -> Response:
        """Return Statuspage's form."""
        vendor, said = self._page(request, SUMMARY)
        title, updated, bare = PAGES[vendor][0], said["updated"] or _now(), vendor in BARE
        home = f"{self.base}/sites/{vendor}"
        parts = [
            {"id": f"{vendor}{number}", "name": name, "status": state, "updated_at": updated, "created_at": CREATED}
            | ({} if bare else {"position": number, "group": False, "group_id": None, "page_id": vendor})
            for number, (name, state) in enumerate(said["components"].items())
        ]
        incidents = [_incident(one, parts, bare) for one in said["incidents"]]
        maintenances = [_incident(one, parts, bare) for one in said["maintenances"]]
        body = {
            "page": {"id": vendor, "name": title, "url": home, "time_zone": "Etc/UTC", "updated_at": updated},
            # As real pages do: the overall word follows the components, not the incidents.
            "status": {"indicator": "none", "description": "All Systems Operational"},
            "components": parts,
            "incidents": None if bare and not incidents else incidents,
            "scheduled_maintenances": None if bare and not maintenances else maintenances,
        }
        return _aged(JSONResponse(body), said)

    async def index(self, request: Request) -> Response:
        """Return Better Stack's form."""
        vendor, said = self._page(request, INDEX)
        ids = {name: str(4_018_900 + number) for number, name in enumerate(said["components"])}
        resources = [
            {
                "id": ids[name],
                "type": "status_page_resource",
                "attributes": {"public_name": name, "status": state, "status_page_section_id": 104_771},
            }
            for name, state in said["components"].items()
        ]
        reports = [_report(number, one, ids) for number, one in enumerate([*said["incidents"], *said["maintenances"]])]
        worst = next(
            (state for state in ("downtime", "degraded", "maintenance") if state in said["components"].values()), ""
        )
        attributes = {"company_name": PAGES[vendor][0], "aggregate_state": worst or "operational", "timezone": "UTC"}
        section = {"id": "104771", "type": "status_page_section", "attributes": {"name": "API", "position": 0}}
        body = {
            "data": {"id": "133002", "type": "status_page", "attributes": attributes},
            "included": [section, *resources, *reports],
        }
        return _aged(JSONResponse(body), said)

    async def events(self, request: Request) -> Response:
        """Return AWS's form: open events only, big-endian UTF-16 with its mark."""
        _, said = self._page(request, EVENTS)
        events = [
            {
                "service": one["components"][0],
                "status": one["impact"],
                "region_name": "N. Virginia",
                "service_name": one["components"][0],
                "summary": one["name"],
                "date": "1795000000",
                "arn": "arn:aws:health:us-east-1::event/LAB",
                "impacted_services": {
                    code: {"service_name": code, "current": one["impact"], "max": one["impact"]}
                    for code in one["components"][1:]
                },
            }
            for one in said["incidents"]
        ]
        data = b"\xfe\xff" + json.dumps(events, ensure_ascii=False).encode("utf-16-be")
        return _aged(Response(data, headers={"content-type": "application/json;charset=utf-16"}), said)

    def _page(self, request: Request, form: str) -> tuple[str, dict[str, Any]]:
        vendor = request.path_params["vendor"]
        if vendor not in self.state or PAGES.get(vendor, ("", ""))[1] != form:
            raise Refusal(404, "Not Found")
        return vendor, self.state[vendor]


def target(url: str) -> dict[str, str]:
    """Return the variables of a target description that lead to the pages; ``url`` is the stand-ins' address."""
    pages = (f"{vendor}={url}/status/sites/{vendor}/{feed}" for vendor, (_, feed, _) in PAGES.items())
    needs = (f"{vendor}={name}" for vendor, names in NEEDED.items() for name in names)
    return {"OPS_STATUS_PAGES": ",".join(pages), "OPS_STATUS_COMPONENTS": ",".join(needs)}


def _incident(one: dict[str, Any], parts: list[dict[str, Any]], bare: bool) -> dict[str, Any]:
    named = [part for part in parts if part["name"] in one.get("components", ())]
    begins = one.get("begins", CREATED)
    said = {
        "id": one.get("id", "8zc63m64hy36"),
        "name": one["name"],
        "status": one["status"],
        "impact": one["impact"],
        "created_at": CREATED,
        "updated_at": CREATED,
        "started_at": begins,
        "resolved_at": None,
        "shortlink": None if bare else "https://stspg.example/8zc63m64hy36",
        "incident_updates": [],
    }
    if "begins" in one:
        said |= {"scheduled_for": begins, "scheduled_until": one.get("ends")}
    return said if bare else said | {"components": named}


def _report(number: int, one: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
    named = [{"status_page_resource_id": ids[name], "status": one["status"]} for name in one.get("components", ())]
    attributes = {
        "title": one["name"],
        "report_type": "maintenance" if "begins" in one else "manual",
        "starts_at": one.get("begins", CREATED),
        "ends_at": one.get("ends"),
        "aggregate_state": one["status"],
        "affected_resources": named,
    }
    return {"id": str(1_050_825 + number), "type": "status_report", "attributes": attributes}


def _aged(answer: Response, said: dict[str, Any]) -> Response:
    if said["age"]:
        answer.headers["age"] = str(said["age"])
    return answer


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
