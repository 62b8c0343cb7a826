"""What the faults of the language models do: at the stand-ins' doors, at the application's, in the rows of usage."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from opslib.lab.doors import Doors, change, remembered
from opslib.lab.processes import LabError
from opslib.settings import Settings
from opslib.systems.gateway import ReadOnlyGateway, state_of
from opslib.systems.postgres import connect
from opslib.systems.web import Writer
from opslib.systems.web_exchange import Answer, Method

SECONDS = 40.0
TRIES = 30
MODEL = "meta-llama/Llama-3-70b-chat-hf"
_COOKIE = re.compile(r"(session|csrf_token)=([^;,]+)")

# The rows of a fault are known by its name in their metadata.
INSERT = """
INSERT INTO public.llm_usage (organization_id, provider, model, prompt_tokens, completion_tokens, total_tokens, cost,
                              latency_ms, request_metadata, created_at)
SELECT (SELECT id FROM public.organizations ORDER BY id LIMIT 1), %(provider)s, %(model)s, %(prompt)s, %(completion)s,
       %(prompt)s + %(completion)s, %(cost)s, %(latency)s, jsonb_build_object('lab-fault', %(fault)s::text),
       now() - make_interval(secs => %(age)s)
"""
FORGET = "DELETE FROM public.llm_usage WHERE request_metadata->>'request_id' LIKE %(mark)s"
DELETE = "DELETE FROM public.llm_usage WHERE request_metadata->>'lab-fault' = %(fault)s"


def set_key(settings: Settings, provider: str, known: bool) -> None:
    """Let a provider forget every key that it knows, or know them again."""
    state = remembered(settings, provider)
    have, put = ("revoked", "keys") if known else ("keys", "revoked")
    if state.get(have):
        change(settings, provider, **{put: state[have], have: {}})


def set_prices(settings: Settings, prices: Mapping[str, float]) -> None:
    """Let Together.ai tell these prices instead of its usual ones (USD per million tokens, by model)."""
    kept = {name: value for name, value in remembered(settings, "together").items() if name != "prices"}
    Doors(settings).put(together=kept | ({"prices": dict(prices)} if prices else {}))


def set_fault(settings: Settings, provider: str, fault: str, **more: Any) -> None:
    """Let a provider's chat go wrong in one way, once and for good."""
    clear_fault(settings, provider)
    Doors(settings).fail(provider, fault, path="chat/completions", **more)


def clear_fault(settings: Settings, provider: str) -> None:
    """Let a provider's chat be well again; faults of other vendors stay."""
    Doors(settings).mend(provider)


def chat(settings: Settings, times: int, base: str | None = None, mark: str = "", model: str = MODEL) -> None:
    """Ask the application's chat, or one replica's at ``base``, so many times, each a prompt of its own.

    Whatever it answers. ``mark`` begins the requests' ids, by which :func:`forget` knows the rows that they leave.
    """
    person = login(settings, "member")
    for _ in range(times):
        body = {"prompt": f"lab {uuid.uuid4()}", "model": model}
        headers = {**person, "x-request-id": f"{mark}{uuid.uuid4()}"}
        _ask(f"{base or settings.application_url}/api/llm/chat", "POST", body, headers)


def asked_once(settings: Settings, person: Mapping[str, str], request_id: str) -> None:
    """Ask the application's chat as ``person``; raises LabError where the person gets no answer."""
    body = {"prompt": f"lab {uuid.uuid4()}", "model": MODEL}
    answer = _ask(f"{settings.application_url}/api/llm/chat", "POST", body, {**person, "x-request-id": request_id})
    if answer.status != 200:
        raise LabError(f"The chat is answered with {answer.status}.", "Look at the application's log.")


def chat_until_open(settings: Settings, base: str, mark: str, breakers: Sequence[str]) -> None:
    """Have users chat with one replica until these breakers of its are open: recent successes keep one closed a while.

    No more than it takes: what users were answered is counted for as long as the process lives. Raises LabError where
    the breakers stay closed.
    """
    gateway = ReadOnlyGateway(settings.reading(), base)
    try:
        for _ in range(TRIES):
            said = gateway.health().data
            if all(state_of(said.get(name)) == "open" for name in breakers):
                return
            chat(settings, 1, base, mark)
    finally:
        gateway.close()
    raise LabError(f"{base}: no breaker opened after {TRIES} chats.", "Look at the application's log.")


def forget(settings: Settings, mark: str) -> None:
    """Remove the rows of usage that chats with this mark left."""
    with connect(settings.database_url, "lab") as database:
        database.execute(FORGET, {"mark": f"{mark}%"})


def reset(settings: Settings) -> None:
    """Close the breakers of every replica, as an administrator does."""
    admin = login(settings, "admin")
    for base in settings.api_replicas:
        _ask(f"{base}/api/llm/reset", "POST", None, admin)


def put_usage(settings: Settings, fault: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put rows of usage into the database, once; each has provider, model, prompt, completion, cost, latency, age."""
    with connect(settings.database_url, "lab") as database, database.transaction():
        database.execute(DELETE, {"fault": fault})
        with database.cursor() as cursor:
            cursor.executemany(INSERT, [{**row, "fault": fault} for row in rows])


def remove_usage(settings: Settings, fault: str) -> None:
    """Take these rows away again."""
    with connect(settings.database_url, "lab") as database:
        database.execute(DELETE, {"fault": fault})


def login(settings: Settings, role: str) -> dict[str, str]:
    """Return the headers of the next user, signed in with this role."""
    answer = _ask(f"{settings.application_url}/_lab/session?role={role}&tier=enterprise", "POST")
    said = json.loads(answer.text)
    cookies = _COOKIE.findall(answer.headers["set-cookie"])
    return {
        "authorization": f"Bearer {said['token']}",
        "x-csrf-token": said["csrfToken"],
        "cookie": "; ".join(f"{name}={value}" for name, value in cookies),
    }


def _ask(url: str, method: Method, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
    data = None if body is None else json.dumps(body).encode()
    writer = Writer()
    try:
        return writer.send(
            method, url, data, deadline=SECONDS, headers={"content-type": "application/json", **(headers or {})}
        )
    finally:
        writer.close()
