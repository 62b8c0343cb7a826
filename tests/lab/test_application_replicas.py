"""Two replicas behind one port: sign-ins are everybody's; breakers, limits and counters are each one's own."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.lab.application_process import CHAT, HEALTH, MODEL, RESET, STATS

pytest_plugins = ["tests.lab.application_process"]


def own(number: int, path: str) -> str:
    return f"/_lab/replica/{number}{path}"


def test_each_replica_has_breakers_and_limits_of_its_own_and_a_reset_reaches_one(start_application: Any) -> None:
    two = start_application(LAB_REPLICAS="2")
    user, admin = two.user(), two.user("role=admin")
    two.breaks("together", "503")
    body = {"prompt": "one of its own", "model": MODEL}
    for _ in range(3):
        assert user.http.post(own(1, CHAT), json=body).json()["data"]["provider"] == "openai"
    states = [admin.http.get(own(number, HEALTH)).status_code for number in (0, 1)]
    assert states == [200, 503]
    # The balanced address leads to the first from here, whose limit nobody has used.
    first = user.http.get(HEALTH)
    assert (first.status_code, first.headers["x-ratelimit-remaining"]) == (200, "299")
    assert user.http.get(STATS).json()["data"]["togetherAI"]["calls"] == 0
    assert admin.http.post(RESET).status_code == 200
    assert admin.http.get(own(1, HEALTH)).status_code == 503
    assert admin.http.post(own(1, RESET)).status_code == 200
    assert admin.http.get(own(1, HEALTH)).status_code == 200


def test_who_comes_from_another_address_meets_the_other_one(start_application: Any) -> None:
    two = start_application(LAB_REPLICAS="2", LAB_OPEN_LLM_HEALTH="1")
    two.breaks("together", "503")
    user = two.user()
    headers, cookies = dict(user.http.headers), dict(user.http.cookies)
    elsewhere = httpx.HTTPTransport(local_address="127.0.0.2")
    try:
        with httpx.Client(base_url=two.base, transport=elsewhere, headers=headers, cookies=cookies) as other:
            other.post(CHAT, json={"prompt": "from elsewhere", "model": MODEL})
    except httpx.ConnectError:
        pytest.skip("this machine has one loopback address")
    assert [two.http.get(own(number, HEALTH)).status_code for number in (0, 1)] == [200, 503]


def test_the_administrator_who_stays_is_signed_in_for_as_long_as_the_lab_is_up(start_application: Any) -> None:
    said = {"LAB_ADMIN_TOKEN": "an-admins-token", "LAB_ADMIN_SESSION": "an-admins-session"}
    two = start_application(LAB_REPLICAS="2", LAB_SESSION_IDLE_SECONDS="0.01", **said)
    headers = {"authorization": "Bearer an-admins-token", "x-csrf-token": "same"}
    cookies = "session=an-admins-session; csrf_token=same"
    for number in (0, 1):
        assert two.http.post(own(number, RESET), headers={**headers, "cookie": cookies}).status_code == 200
    assert two.http.post(RESET, headers={**headers, "cookie": "csrf_token=same"}).status_code == 401
    # What there is not of them is no route.
    assert two.http.get("/_lab/replica/2/health").status_code == 404
    assert two.http.get("/_lab/replica/1").status_code == 404
