"""Checks of agents, and the tree of "Agent not responding": what may explain it, nearest to the user first."""

from __future__ import annotations

from opslib.checks import application, cache, database, dependencies, llm
from opslib.checks.agents_workers import workers
from opslib.checks.application_watch import Share
from opslib.checks.tree import Branch, Tree
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Rows, Threshold, Verdict
from opslib.pictures.figures import count, duration
from opslib.probes import agents as probes
from opslib.probes import llm as llm_probes

__all__ = ["DECISIVE", "LIMITED", "NOT_RESPONDING", "TREES", "errors", "limits", "sessions", "workers"]

STUCK, ERRORS, LIMITS = threshold("agent-stuck"), threshold("agent-errors"), threshold("llm-limited")
FEWEST = 20
"""Actions, or requests, below which no share is given."""
FEWEST_SESSIONS = 5
"""Sessions below which a share of stuck ones is a WARNING at most."""


def sessions(minutes: float = 60, patience: float = 5) -> Check:
    """Return the check that something came of every session which was begun in the last ``minutes``.

    Stuck is what is active, older than ``patience`` minutes, and left no trace: the spinner that the user sees. Once
    sessions begun since left one, it is over: what is stuck stays in the window, and in the sentence, for so long.
    """
    return Check(
        name="agents-sessions",
        title="Something comes of the sessions that agents begin",
        probe=probes.sessions(minutes, patience),
        judge=lambda reading: _judge_sessions(reading, minutes, patience),
        remedy=(
            "All kinds of agents: no worker (disaster/recover-everything with services=worker) or the gateway "
            "(disaster/recover-llm); see the tree. One kind: its "
            "container's log (diagnostics/cluster), and its newest deployment. A session whose job was lost stays "
            "stuck: its user begins anew."
        ),
        threshold=STUCK,
        items=("TRB-AGT-00", "TRB-AGT-S1"),
    )


def _judge_sessions(reading: Reading, minutes: float, patience: float) -> Judgement:
    begun, stuck = (sum(row[name] for row in reading.rows) for name in ("begun", "stuck"))
    if not begun:
        return Judgement(Verdict.UNKNOWN, f"Nobody began a session in {minutes:g} min.", None, reading.rows)
    share = Share(stuck, begun)
    if not stuck:
        said = f"Of {count(begun)} sessions begun in {minutes:g} min none is without a trace after {patience:g} min."
        return Judgement(Verdict.OK, said, 0.0, reading.rows)
    oldest = max(row["oldest_stuck"] or 0 for row in reading.rows)
    kinds = ", ".join(str(row["agent_type"]) for row in reading.rows if row["stuck"])
    verdict = STUCK.judge(share.percent) if begun >= FEWEST_SESSIONS else Verdict.WARNING
    said = f"Nothing came of {share} sessions begun in {minutes:g} min ({kinds}); the oldest waits {duration(oldest)}"
    since = sum(row["since_stuck"] for row in reading.rows)
    verdict, more = _over(verdict, since, STUCK, f"of {count(since)} begun after the last of them something came")
    return Judgement(verdict, f"{said}{more}.", share.percent, reading.rows)


def _over(verdict: Verdict, since: int, limits: Threshold, words: str) -> tuple[Verdict, str]:
    """Return the verdict by what came since the last failure, which was ``since`` times well and never ill.

    So often in a row that the whole interval (95 %) is within a limit, it is over: the past alone is beyond it.
    """
    upper = Share(0, since).ends[1]
    if verdict is Verdict.OK or not since or upper > (limits.critical or 0.0):
        return verdict, f"; {words}" if since and verdict is not Verdict.OK else ""
    if upper <= (limits.warning or 0.0):
        return Verdict.OK, f"; it is over: {words}"
    return Verdict.WARNING, f"; it seems over: {words}"


def errors(most: int = 200, hours: int = 168) -> Check:
    """Return the check of the newest ``most`` actions in ``agent_audit_log``, none older than ``hours``.

    So many, not so long: a quiet product has figures too, and a busy one those of the last minutes. Failures that ended
    stay among them for a while: what succeeded since, of the kinds that failed, says that it is over. Where the share
    is other than before the workers' newest revision, the sentence says so.
    """
    return Check(
        name="agents-errors",
        title="Agents' actions succeed",
        probe=probes.actions(most, hours),
        judge=_judge_errors,
        remedy=(
            "Since the workers' newest revision: disaster/recover-everything with services=worker, back=previous "
            "brings back the one before. Of before it too: one kind of agent, its container's log "
            "(diagnostics/cluster); all kinds, diagnostics/llm; only tool calls, what they call. The rows stay; the "
            "newest ones count, and once enough succeeded in a row it is over."
        ),
        threshold=ERRORS,
        items=("TRB-AGT-00",),
    )


def _judge_errors(reading: Reading) -> Judgement:
    actions, failed = (sum(row[name] for row in reading.rows) for name in ("actions", "failed"))
    if actions < FEWEST:
        said = f"{actions} actions of agents were recorded: too few to say (at least {FEWEST})."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    share = Share(failed, actions)
    oldest = max(row["oldest_age"] for row in reading.rows)
    verdict = share.against(ERRORS.warning or 0.0, ERRORS.critical or 0.0)
    if verdict is Verdict.UNKNOWN:
        # Few actions, and the interval reaches beyond the limit: what is likely counts.
        verdict = Verdict.WARNING if share.percent > (ERRORS.warning or 0.0) else Verdict.OK
    if verdict is Verdict.OK:
        said = f"Failed {share} of the newest actions, in {duration(oldest)}."
        return Judgement(verdict, said, share.percent, reading.rows)
    kinds = [row for row in reading.rows if row["failed"]]
    since, last = sum(row["since_failure"] for row in kinds), min(row["failed_age"] for row in kinds)
    words = f"{count(since)} of these kinds succeeded since the last failure, {duration(last)} ago"
    verdict, more = _over(verdict, since, ERRORS, words)
    said = f"Failed {share} of the newest actions, in {duration(oldest)}{_began(reading.rows)}{more}."
    return Judgement(verdict, said, share.percent, reading.rows)


def _began(rows: Rows) -> str:
    """Return what the workers' newest revision has to do with it, where its share and that of before are apart."""
    first: Row = rows[0]
    if first["age"] is None:
        return ""
    of, failed = (sum(row[name] for row in rows) for name in ("of_revision", "of_revision_failed"))
    now = Share(failed, of)
    before = Share(sum(row["failed"] for row in rows) - failed, sum(row["actions"] for row in rows) - of)
    if not of or now.ends[0] <= before.ends[1]:
        return ""
    named = f"revision {first['revision']} of {first['deployment']}, which runs for {duration(first['age'])}"
    share = f"{now.percent:.0f} % of its {count(of)} actions failed"
    return f"; since {named}: {share}, {before.percent:.0f} % of the {count(before.whole)} before"


def limits(least: int = FEWEST) -> Check:
    """Return the check that the product's own rate limits turn few chat requests away (429), since its process began.

    Which of its limits it was (per minute, per hour, per tier) the counters do not tell.
    """
    return Check(
        name="agents-limits",
        title="Rate limits turn few chats away",
        probe=llm_probes.chat,
        judge=lambda reading: _judge_limits(reading, least),
        remedy=(
            "A user of the tier pro may ask 100 times an hour and, as all tiers share one counter, 5 times a minute, "
            "each poll of health or stats by the same user included. Who waits as long as Retry-After says is served; "
            "a higher tier is the tenant's choice. A client that polls with a user's token: give it a user of its own."
        ),
        threshold=LIMITS,
        items=("TRB-AGT-03", "TRB-ERR-04"),
    )


def _judge_limits(reading: Reading, least: int) -> Judgement:
    requests = sum(row["requests"] for row in reading.rows)
    limited = sum(row["requests"] for row in reading.rows if row["status"] == 429)
    age = reading.rows[0]["age"]
    since = "" if age is None else f" in the {duration(age)} since this process began"
    if requests < least:
        said = f"{requests} chat requests{since}: too few to say (at least {least})."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows if requests else ())
    share = Share(limited, requests)
    said = f"Turned away for too many: {share} of the chat requests{since}."
    return Judgement(LIMITS.judge(share.percent), said, share.percent, reading.rows)


NOT_RESPONDING = Tree(
    name="agent-not-responding",
    symptom="Agent not responding",
    branches=(
        Branch(application.ready, "The API is not ready"),
        Branch(llm.breakers(), "A breaker is open, or the first provider serves nobody"),
        Branch(dependencies.language_models(), "A provider is out and says so"),
        Branch(llm.key("together"), "Together.ai refuses the product's key"),
        Branch(llm.key("openai"), "OpenAI refuses the product's key: there is no fallback"),
        Branch(llm.errors(), "Both providers fail: each question ends in 500 after up to 25 + 25 s"),
        Branch(llm.latency(), "Answers come later than the browser waits"),
        Branch(limits(), "The product's rate limits turn users away"),
        Branch(workers, "The agents' workers are not there"),
        Branch(cache.queue(), "Jobs wait, and nobody works them off"),
        Branch(database.blocking(), "Sessions of the database wait for one another"),
        Branch(errors(), "The agents' own steps fail"),
        Branch(sessions(), "Sessions begin, and nothing comes of them"),
    ),
    codes=("AGENT_001",),
    items=("TRB-AGT-00", "TRB-AGT-S1", "TRB-AGT-S2", "TRB-ERR-03"),
)
"""Providers, limits, queue, database, agents; what only the user's browser shows is :data:`probes.agents.by_person`."""

LIMITED = Tree(
    name="agent-limited",
    symptom="Rate limit exceeded",
    branches=(
        Branch(limits(), "The product's own limits turn users away"),
        Branch(llm.key("together"), "Together.ai refuses the product's key or its account"),
        Branch(llm.key("openai"), "OpenAI refuses the product's key or its account"),
        Branch(llm.breakers(), "A breaker is open: a provider limits the product, and was left alone for 60 s"),
    ),
    codes=("AGENT_002",),
    items=("TRB-AGT-03", "TRB-ERR-04"),
)

DECISIVE: tuple[Check, ...] = (workers, sessions(), errors(), limits(), cache.queue())
"""What tells most of agents themselves; providers and gateway are in :mod:`opslib.checks.llm`."""

TREES: tuple[Tree, ...] = (NOT_RESPONDING, LIMITED)
