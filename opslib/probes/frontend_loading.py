"""How fast the front end loads, by questions from here and in a real browser; what a deployment did to its files."""

from __future__ import annotations

from typing import Any

from opslib.errors import OpsError, Unreachable
from opslib.model import Probe
from opslib.probes.frontend_bundle import GZIP, SECONDS, collected, folder
from opslib.probes.frontend_targets import previous
from opslib.systems.browser import visit
from opslib.systems.target import PlanTarget, ReadTarget

BROWSER_SECONDS = 90.0


def address(target: ReadTarget) -> str:
    """Return the address that users open; raises Unreachable where the description does not say it."""
    if target.settings.front_end_url is None:
        raise Unreachable("The front end's address is not in the target description.", "Set VITE_APP_URL.", "unset")
    return target.settings.front_end_url


def _bundle(target: ReadTarget) -> list[dict[str, Any]]:
    return collected(target.web, address(target))


bundle = Probe(
    name="front-end-bundle",
    title="The document that is live, and every file that it needs",
    read=_bundle,
    source="GET VITE_APP_URL, GET each script and style of the same host",
    units={"bytes": "bytes", "gzip": "bytes"},
)
"""A row ``page``, and a row ``file`` for each script and style: there, missing, wrong kind, elsewhere, unreachable."""


def timing(shots: int) -> Probe:
    """Return the probe of so many questions for the document, one after the other: a row each, the first one cold."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        where = address(target)
        target.web.close()
        return [_shot(target, where, number) for number in range(1, shots + 1)]

    return Probe(
        name="front-end-timing",
        title=f"The document, asked for {shots} times",
        read=read,
        source=f"{shots} × GET VITE_APP_URL",
        units={"first": "s", "total": "s"},
    )


def _shot(target: ReadTarget, where: str, number: int) -> dict[str, Any]:
    try:
        answer = target.web.get(where, deadline=SECONDS, headers=GZIP)
    except OpsError as error:
        return {"shot": number, "status": None, "first": None, "total": None, "why": error.message}
    why = "" if answer.status == 200 else f"answers {answer.status}"
    return {"shot": number, "status": answer.status, "first": answer.first, "total": answer.seconds, "why": why}


def browser(times: int) -> Probe:
    """Return the probe of so many visits in a real browser, each as somebody who was never there: a row each."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        seen = visit(folder(address(target)), times, unsafe=target.environment == "lab", seconds=BROWSER_SECONDS)
        return [
            {
                "visit": number,
                "status": one.status,
                "protocol": one.protocol,
                "first_byte": one.first_byte,
                "first_paint": one.paint,
                "largest_paint": one.largest,
                "loaded": one.load,
                "transferred": one.transferred,
                "requests": one.requests,
                "characters": one.shown,
                "kept_away": one.kept_away,
                "failed": [f"{where}: {why}" for where, why in one.failed],
                "blocked": list(one.blocked),
                "errors": list(one.errors),
            }
            for number, one in enumerate(seen, 1)
        ]

    return Probe(
        name="front-end-browser",
        title=f"The front end in a real browser, opened {times} times",
        read=read,
        source=f"{times} × chromium --headless VITE_APP_URL (DevTools protocol: Page, Network, Log, Runtime)",
        units={**dict.fromkeys(("first_byte", "first_paint", "largest_paint", "loaded"), "ms"), "transferred": "bytes"},
    )


def _former(target: PlanTarget) -> list[dict[str, Any]]:
    hosting, where = target.hosting, address(target).rstrip("/")
    here, listed = hosting.current().deployment, hosting.deployments()
    back = previous(listed, here)
    if back is None:
        raise Unreachable("There is no deployment before the live one to compare with.", "Look after the next one.")
    now, before = collected(target.web, where), collected(target.web, back.address)
    rows = [{"what": "now", **_sum(now)}, {"what": "before", "deployment": back.id, **_sum(before)}]
    for row in before:
        if row["what"] == "file" and row["state"] == "there":
            answer = target.web.head(f"{where}/{row['file']}", deadline=SECONDS)
            kind = answer.headers.get("content-type", "").partition(";")[0]
            there = answer.status == 200 and kind == row["type"]
            rows.append({"what": "file", "file": row["file"], "status": answer.status, "type": kind, "there": there})
    return rows


def _sum(rows: list[dict[str, Any]]) -> dict[str, Any]:
    scripts = [row for row in rows if row["what"] == "file" and row["kind"] == "script" and row["initial"]]
    known = [row["gzip"] for row in scripts if row["gzip"] is not None]
    return {"scripts": len(scripts), "unmeasured": len(scripts) - len(known), "gzip": sum(known)}


former = Probe(
    name="front-end-former",
    title="The deployment before the live one: how large it was, and whether its files are still there",
    read=_former,
    source="the hoster's API: deployments; GET the former one's own address; HEAD its files at VITE_APP_URL",
    units={"gzip": "bytes"},
    by_executor=True,
)
"""Rows ``now`` and ``before`` (scripts of the beginning, compressed), and a row ``file`` for each file of before."""
