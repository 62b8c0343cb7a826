"""Breakers closed by hand on every replica: only onto a provider that answers, within the product's own rate limit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.errors import OpsError, Refused, StepFailed, Unreachable
from opslib.guide.thresholds import threshold
from opslib.model import Effect, Outcome, Plan, Repeat, Row, Verdict, Verification, now
from opslib.probes import llm_replicas as seen
from opslib.probes.llm_keys import words
from opslib.systems.gateway import state_of
from opslib.systems.gateway_user import Limited
from opslib.systems.replicas import Replica
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

LATENCY = threshold("llm-latency-p95")
SAME_EVERYWHERE = frozenset({"unauthorized", "forbidden", "missing", "rejected"})
"""Kinds of a refusal that every other replica would answer with as well."""
BY_ITSELF = (
    "An open breaker tries again 60 s after it opened, and the first call that succeeds closes it: with users about, "
    "this step saves a minute on each replica at most."
)
T = TypeVar("T")


class ResetBreakers(Action):
    """Closes both breakers of each replica that can be addressed, one after the other; a closed one is left alone.

    ``trials`` answers of the first provider are asked for before, directly and each paid for. ``prove`` asks each
    replica for one answer afterwards. ``wait_seconds`` is how long the product's rate limit may be waited for, in all.
    """

    name: ClassVar[str] = "reset-breakers"
    title: ClassVar[str] = "Close the breakers of every replica"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE
    area: ClassVar[str] = "llm"
    most: ClassVar[int] = 50
    seconds: ClassVar[float] = 3600.0
    items: ClassVar[tuple[str, ...]] = ("DR-LLM-04",)
    guide: ClassVar[str] = (
        'curl -X POST https://api.valuecanvas.com/api/llm/reset -H "Authorization: Bearer $ADMIN_TOKEN"'
    )
    reason: ClassVar[str] = (
        "The guide's call lacks session and CSRF token and is refused with 403; where it were let in, it would reach "
        "the one replica that the balancer chose (GH-17). Onto a provider that is not well, a reset lets every user "
        "wait for a time-out once more, and the breaker opens at the first failure."
    )

    trials: int = Field(default=3, ge=1, le=3)
    prove: bool = True
    wait_seconds: float = Field(default=75.0, ge=0, le=600)

    def plan(self, target: PlanTarget) -> Plan:
        """Look at each replica and ask the provider; raises Refused while it is not well, or nobody may reset."""
        if not target.administrator.described:
            raise Refused(
                "No administrator of the product is in the target description.",
                "Sign in as one, and set OPS_APPLICATION_ADMIN_TOKEN and OPS_APPLICATION_ADMIN_SESSION.",
            )
        every = target.replicas.all()
        reached = [one for one in every if one.base is not None]
        if not reached:
            raise Refused(f"None of {len(every)} replicas can be asked: {every[0].why}", "See docs/production.md.")
        states = _states(seen.breakers(target))
        tried = [_well(target) for _ in range(self.trials)]
        return self.planned(
            before={"replicas": [one.name for one in reached]},
            after={"breakers": "closed on each of them", "provider": seen.FIRST},
            touches=len(reached),
            touched="replicas at most; one whose breakers are closed is left alone",
            verification="Each replica says that both breakers are closed, and "
            + ("answers a prompt never asked before by Together.ai." if self.prove else "users are served by it."),
            undo="None is needed: a breaker opens by itself as soon as more than half of its calls fail.",
            fingerprint={"replicas": {one.name: one.base for one in reached}},
            observed={
                "breakers": states,
                "not reached": {one.name: one.why for one in every if one.base is None},
                "Together.ai answered": f"{len(tried)} of {len(tried)}, the slowest in {_slowest(tried):.1f} s",
                "its answers cost USD": _sum([one["usd"] for one in tried]),
                "proof costs USD at most": self._price(len(reached)),
                "meanwhile": BY_ITSELF,
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Ask the provider once more, then close what is not closed; raises StepFailed for what could not be asked.

        Raises Refused, before anything is closed, where the provider is not well any more or this user may not reset.
        """
        _well(target)
        every = _planned(plan)
        patience = _Patience(self.wait_seconds, lambda wait: progress(f"the rate limit asks to wait {wait:.0f} s"))
        began, reset, kept, failed = now(), [], [], {}
        for number, replica in enumerate(every):
            progress(f"{replica.name}", number, len(every))
            try:
                if _closed(target, replica):
                    kept.append(replica.name)
                    continue
                _reset(target, replica, patience)
                reset.append(replica.name)
            except Unreachable as error:
                if error.kind in SAME_EVERYWHERE and not reset:
                    raise Refused(error.message, error.next_step) from error
                if error.kind in SAME_EVERYWHERE:
                    raise
                failed[replica.name] = error.message
        progress(f"{len(reset)} closed", len(every), len(every))
        if failed:
            name, why = next(iter(failed.items()))
            said = f"{len(reset) + len(kept)} of {len(every)} replicas are closed; {name} is not: {why}"
            raise StepFailed(said, "Look at that replica; then resume.")
        return {"reset": reset, "left alone": kept, "at": began.isoformat()}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at every replica, also those that could not be addressed; then at who answers."""
        rows: list[Row] = list(seen.breakers(target))
        open_ = [f"{row['replica']}: {row['provider']} {row['state']}" for row in rows if row["state"] in _SHUT]
        unseen = {row["replica"]: row["why"] for row in rows if row["state"] == "?"}
        if open_:
            said = f"Not closed: {'; '.join(open_)}. The provider failed again; do not reset it once more yet."
            return Verification(Verdict.CRITICAL, said, tuple(rows))
        replicas = {row["replica"] for row in rows}
        served = self._proven(target, plan, rows) if self.prove else _by_users(target, values)
        if unseen and served.verdict is Verdict.OK:
            why = next(iter(unseen.values()))
            said = f"{len(unseen)} of {len(replicas)} replicas were not reached ({', '.join(unseen)}): {why}"
            return Verification(Verdict.UNKNOWN, said, (*rows, *served.rows))
        said = (
            f"Both breakers are closed on {len(replicas) - len(unseen)} of {len(replicas)} replicas. {served.summary}"
        )
        return Verification(served.verdict, said, (*rows, *served.rows))

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look at each replica: closed everywhere, or left to do; closing one twice changes nothing."""
        left = []
        for replica in _planned(plan):
            try:
                if not _closed(target, replica):
                    left.append(replica.name)
            except Unreachable:
                left.append(replica.name)
        if left:
            return Settled(Outcome.PARTLY, f"Left to do: {', '.join(left)}.")
        values = {"reset": None, "left alone": None, "at": now().isoformat()}
        return Settled(Outcome.DONE, "The breakers are closed on every replica.", values)

    def _price(self, replicas: int) -> float | str:
        if not self.prove:
            return 0.0
        dearest = max((seen.most_of_one(name) for name in (seen.FIRST, seen.SPARE)), key=lambda usd: usd or math.inf)
        return _sum([dearest] * replicas)

    def _proven(self, target: VerifyTarget, plan: Plan, rows: list[Row]) -> Verification:
        """Ask each replica for one answer; the worst of what they say."""
        patience, shown, verdicts = _Patience(self.wait_seconds), [], []
        reached = {row["replica"] for row in rows if row["state"] == "closed"}
        for replica in _planned(plan):
            if replica.name not in reached:
                continue
            row, verdict = _answered(target, replica, patience)
            shown.append(row)
            verdicts.append(verdict)
        verdict = Verdict.worst(verdicts)
        worst = [row for row, one in zip(shown, verdicts, strict=True) if one is verdict]
        if verdict is Verdict.OK:
            return Verification(verdict, f"Together.ai answered on each of {len(shown)}, asked by us.", tuple(shown))
        said = f"{worst[0]['replica']}: {worst[0]['said']}" if worst else "Nobody could be asked."
        return Verification(verdict, said, tuple(shown))


_SHUT = ("open", "half-open")


class _Patience:
    """How long a rate limit may still be waited for; ``tell`` hears of each wait before it begins, and may refuse."""

    def __init__(self, seconds: float, tell: Callable[[float], None] = lambda wait: None) -> None:
        self._left, self._tell = seconds, tell

    def ask(self, question: Callable[[], T]) -> T:
        """Return the answer; after a refusal that asks to wait, once more, if there is time left for that."""
        try:
            return question()
        except Limited as error:
            if error.wait > self._left:
                raise
            self._left -= error.wait
            self._tell(error.wait)
            time.sleep(error.wait)
            return question()


def _well(target: PlanTarget) -> Row:
    """Return what the first provider said to a trial; raises Refused where that is no answer, or a late one."""
    row = words["together"].read(target)[0]
    if row["why"]:
        raise Refused(f"Together.ai is not well: {row['why']}", "Wait until it answers; the fallback serves meanwhile.")
    seconds = row["whole_ms"] / 1000
    if LATENCY.judge(seconds) is not Verdict.OK:
        raise Refused(f"Together.ai answers in {seconds:.1f} s ({LATENCY}).", "Wait until it is in time again.")
    return row


def _sum(usd: Sequence[float | None]) -> float | str:
    known = [one for one in usd if one is not None]
    return round(sum(known), 8) if len(known) == len(usd) else "not known: a model has no price"


def _slowest(tried: list[Row]) -> float:
    return max(float(one["whole_ms"]) for one in tried) / 1000


def _states(rows: list[dict[str, Any]]) -> dict[str, str]:
    by: dict[str, list[str]] = {}
    for row in rows:
        by.setdefault(row["replica"], []).append(f"{row['provider']} {row['state']}")
    return {name: ", ".join(said) for name, said in by.items()}


def _planned(plan: Plan) -> list[Replica]:
    return [Replica(name, base) for name, base in plan.fingerprint["replicas"].items()]


def _closed(target: PlanTarget, replica: Replica) -> bool:
    """Tell whether both breakers of a replica are closed; raises Unreachable."""
    data = target.replicas.gateway(replica).health().data
    return all(state_of(data.get(name)) == "closed" for name in ("togetherAI", "openAI"))


def _reset(target: WriteTarget, replica: Replica, patience: _Patience) -> None:
    assert replica.base is not None
    base = replica.base
    try:
        patience.ask(lambda: target.administrator_writer.reset(base))
    except Unreachable as error:
        # A reply that was lost says nothing; the replica does.
        if error.kind in SAME_EVERYWHERE | {"limited"} or not _closed(target, replica):
            raise


def _answered(target: VerifyTarget, replica: Replica, patience: _Patience) -> tuple[Row, Verdict]:
    """Return who answered a question to one replica, and what that means."""
    row: dict[str, Any] = {"replica": replica.name, "provider": None, "model": None, "usd": None}
    try:
        served = patience.ask(lambda: target.administrator.ask(replica.base))
    except Unreachable as error:
        verdict = Verdict.CRITICAL if error.kind in ("down", "broken") else Verdict.UNKNOWN
        return {**row, "said": str(error)}, verdict
    row |= {"provider": served.provider, "model": served.model, "usd": seen.cost_of(served)}
    if served.cached or served.provider not in (seen.FIRST, seen.SPARE):
        return {**row, "said": f"answered by {served.provider}, which proves no provider"}, Verdict.UNKNOWN
    if served.provider == seen.SPARE:
        return {**row, "said": "its breaker is closed, and yet OpenAI answered"}, Verdict.CRITICAL
    return {**row, "said": "Together.ai answered"}, Verdict.OK


def _by_users(target: VerifyTarget, values: Mapping[str, Any]) -> Verification:
    since = (now() - datetime.fromisoformat(str(values["at"]))).total_seconds()
    try:
        served = seen.served_since(target, max(since, 0.001))
    except OpsError as error:
        return Verification(Verdict.UNKNOWN, f"Who serves users is not known: {error.message}")
    if not served.get(seen.FIRST):
        said = f"No user was served by Together.ai in the {since:.0f} s since, so nothing is proven."
        return Verification(Verdict.UNKNOWN, said)
    said = f"Together.ai served {served[seen.FIRST]} users in the {since:.0f} s since; by which replica, no row says."
    return Verification(Verdict.OK, said)
