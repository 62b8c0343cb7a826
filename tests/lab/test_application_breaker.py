"""The breaker behaves like the product's: window, threshold, trial call. Time is a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from opslib.lab.application_breaker import Breaker, BreakerOpen
from opslib.lab.application_limits import MinuteLimit, Nonces
from opslib.lab.application_sessions import Sessions


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("together-ai", call=30, window=10, half_open=60, clock=clock)


async def works() -> str:
    return "answer"


async def fails() -> str:
    raise ConnectionError("refused")


def fire(breaker: Breaker, action: Callable[[], Awaitable[str]]) -> str:
    async def once() -> str:
        return await breaker.fire(action)

    return asyncio.run(once())


def fail(breaker: Breaker) -> None:
    with pytest.raises(ConnectionError):
        fire(breaker, fails)


def test_a_first_failing_call_alone_opens_the_breaker(breaker: Breaker) -> None:
    fail(breaker)
    assert breaker.state == "open"


def test_half_of_the_calls_failing_does_not_open_it_and_one_more_does(breaker: Breaker) -> None:
    fire(breaker, works)
    fail(breaker)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"


def test_an_open_breaker_turns_calls_away_without_trying_them(breaker: Breaker) -> None:
    fail(breaker)
    with pytest.raises(BreakerOpen):
        fire(breaker, works)
    stats = breaker.stats()
    assert (stats["fires"], stats["failures"], stats["rejects"]) == (2, 1, 1)


def test_old_successes_leave_the_window(breaker: Breaker, clock: Clock) -> None:
    fire(breaker, works)
    fire(breaker, works)
    clock.now += 10
    fail(breaker)
    assert breaker.state == "open"


def test_after_the_pause_one_success_closes_it(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 59
    assert breaker.state == "open"
    clock.now += 1
    assert breaker.state == "half-open"
    assert fire(breaker, works) == "answer"
    assert breaker.state == "closed"


def test_after_the_pause_one_failure_opens_it_for_another_pause(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 60
    fail(breaker)
    assert breaker.state == "open"
    clock.now += 60
    assert breaker.state == "half-open"


def test_half_open_lets_only_one_trial_through(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 60

    async def two_at_once() -> list[object]:
        gate = asyncio.Event()

        async def slow() -> str:
            await gate.wait()
            return "answer"

        trial = asyncio.create_task(breaker.fire(slow))
        await asyncio.sleep(0)
        try:
            await breaker.fire(works)
            second: object = "let through"
        except BreakerOpen:
            second = "turned away"
        gate.set()
        return [await trial, second]

    assert asyncio.run(two_at_once()) == ["answer", "turned away"]
    assert breaker.state == "closed"


def test_a_trial_that_is_taken_away_does_not_block_the_breaker(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 60

    async def cancelled() -> None:
        trial = asyncio.create_task(breaker.fire(asyncio.Event().wait))
        await asyncio.sleep(0)
        trial.cancel()
        await asyncio.gather(trial, return_exceptions=True)

    asyncio.run(cancelled())
    assert fire(breaker, works) == "answer"


def test_a_call_that_takes_too_long_counts_as_timeout_and_as_failure() -> None:
    breaker = Breaker("openai", call=0.01, window=10, half_open=60)
    with pytest.raises(TimeoutError):
        fire(breaker, asyncio.Event().wait)  # type: ignore[arg-type]
    stats = breaker.stats()
    assert (stats["timeouts"], stats["failures"]) == (1, 1)
    assert breaker.state == "open"


def test_closing_by_hand_keeps_the_counts_of_the_window(breaker: Breaker) -> None:
    fail(breaker)
    breaker.close()
    assert breaker.state == "closed"
    assert breaker.stats()["failures"] == 1


def test_all_tiers_share_one_counter_and_the_window_ends(clock: Clock) -> None:
    limit = MinuteLimit(60, clock)
    polls = [limit.take("user:1", "loose").allowed for _ in range(5)]
    assert polls == [True] * 5
    refused = limit.take("user:1", "strict")
    assert not refused.allowed
    assert (refused.headers["Retry-After"], refused.headers["X-RateLimit-Remaining"]) == ("60", "0")
    assert limit.take("user:2", "strict").allowed
    clock.now += 61
    assert limit.take("user:1", "strict").allowed


def test_a_session_ends_when_idle_and_at_its_age(clock: Clock) -> None:
    sessions = Sessions(idle=1800, absolute=3600, clock=clock)
    idle, busy = (sessions.login("member", "pro", True, []) for _ in range(2))
    for _ in range(2):
        clock.now += 1500
        assert sessions.refusal(busy.cookie) is None
    assert sessions.refusal(idle.cookie) == (440, "Session expired due to inactivity")
    clock.now += 700
    assert sessions.refusal(busy.cookie) == (440, "Session exceeded absolute lifetime")
    assert sessions.refusal("") == (401, "Session missing or invalid")


def test_a_nonce_counts_once(clock: Clock) -> None:
    nonces = Nonces(240, clock)
    assert [nonces.first("a"), nonces.first("a"), nonces.first("b")] == [True, False, True]
