"""Faults of the language models: a key revoked, providers that fail, a masked outage, slow answers, grown prompts."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.lab.broken import Fault, providers
from opslib.model import Verdict
from opslib.settings import Settings

TOGETHER = "meta-llama/Llama-3-70b-chat-hf"
MANY = 60
RECOVER = "disaster/recover-llm"
THEIRS = "the outage is the provider's: nothing here ends it, and a breaker closed meanwhile opens again"
PAST = "users were answered so already: the figure changes with what the provider answers from now on"
MARK = "lab-fault-"
SLOW_SECONDS = 12.0


def _revoked(provider: str, title: str) -> Fault:
    return Fault(
        name=f"{provider}-key-revoked",
        area="llm",
        title=f"{title} does not know the product's key any more",
        check=f"llm-key-{provider}",
        notebook="runbooks/rotate-api-keys",
        make=lambda settings: providers.set_key(settings, provider, known=False),
        mend=lambda settings: providers.set_key(settings, provider, known=True),
    )


def _both_fail(settings: Settings) -> None:
    for provider in ("together", "openai"):
        providers.set_fault(settings, provider, "503")
    for base in settings.api_replicas:
        providers.chat_until_open(settings, base, MARK, ("togetherAI", "openAI"))


def _over(settings: Settings) -> None:
    """Let both fail and be well again, with every breaker still open: nobody is answered by providers that answer."""
    _both_fail(settings)
    for provider in ("together", "openai"):
        providers.clear_fault(settings, provider)


def _well(settings: Settings) -> None:
    for provider in ("together", "openai"):
        providers.clear_fault(settings, provider)
    providers.reset(settings)
    providers.forget(settings, MARK)


def _fails(settings: Settings, how: str, bases: Sequence[str]) -> None:
    """Let Together.ai fail, and users of these replicas find out: the fallback serves, and the breakers open."""
    providers.set_fault(settings, "together", how)
    for base in bases:
        providers.chat_until_open(settings, base, MARK, ("togetherAI",))


def _together(name: str, title: str, how: str) -> Fault:
    """Return a fault of Together.ai alone, which OpenAI makes up for: nobody notices but the bill."""
    return Fault(
        name=name,
        area="llm",
        title=title,
        check="llm-breakers",
        notebook="",
        make=lambda settings: _fails(settings, how, settings.api_replicas),
        mend=_well,
        verdict=Verdict.WARNING,
        person=THEIRS,
    )


def _slow(settings: Settings) -> None:
    providers.set_fault(settings, "together", "slow", seconds=SLOW_SECONDS)
    providers.put_usage(settings, "together-slow", _rows("together_ai", TOGETHER, 12_000, 400))


def _in_time(settings: Settings) -> None:
    providers.clear_fault(settings, "together")
    providers.remove_usage(settings, "together-slow")


def _wedged(settings: Settings) -> None:
    """Let one replica meet an outage that is over before anybody else does."""
    _fails(settings, "503", settings.api_replicas[-1:])
    providers.clear_fault(settings, "together")


def _rows(provider: str, model: str, latency: int, prompt: int) -> list[dict[str, object]]:
    return [
        {
            "provider": provider,
            "model": model,
            "prompt": prompt,
            "completion": 200,
            "cost": 0.001,
            "latency": latency + 25 * number,
            "age": 20 + 25 * number,
        }
        for number in range(MANY)
    ]


def _answered(name: str, title: str, check: str, provider: str, model: str, latency: int, prompt: int) -> Fault:
    """Return a fault that is seen in what users were answered within the last half an hour."""
    rows = _rows(provider, model, latency, prompt)
    if provider == "openai":
        # Now and then the first provider still answers: its breaker stays closed, and tells nothing.
        rows += _rows("together_ai", TOGETHER, latency, prompt)[:4]
    return Fault(
        name=name,
        area="llm",
        title=title,
        check=check,
        notebook="",
        make=lambda settings: providers.put_usage(settings, name, rows),
        mend=lambda settings: providers.remove_usage(settings, name),
        verdict=Verdict.WARNING if check == "llm-fallback" else Verdict.CRITICAL,
        person=PAST if check != "llm-tokens" else "which prompt grew, and whether it was meant to, its team knows",
    )


FAULTS: tuple[Fault, ...] = (
    _revoked("together", "Together.ai"),
    _revoked("openai", "OpenAI"),
    Fault(
        name="providers-fail",
        area="llm",
        title="Both providers answer chats with 503, and the breakers are open",
        check="llm-breakers",
        notebook="",
        make=_both_fail,
        mend=_well,
        person=THEIRS,
    ),
    Fault(
        name="breakers-stay-open",
        area="llm",
        title="Both providers were out and are well again, and every breaker is still open: nobody is answered",
        check="llm-breakers",
        notebook=RECOVER,
        make=_over,
        mend=_well,
    ),
    _together("together-fails", "Together.ai answers chats with 503, and each replica's breaker is open", "503"),
    _together("together-cuts", "Together.ai's answers break off, and each replica's breaker is open", "cut"),
    _together("together-limits", "Together.ai answers chats with 429: OpenAI serves", "429"),
    Fault(
        name="together-slow",
        area="llm",
        title="Together.ai takes twelve seconds, and no breaker opens for that",
        check="llm-latency",
        notebook="",
        make=_slow,
        mend=_in_time,
        person=THEIRS,
    ),
    Fault(
        name="replica-wedged",
        area="llm",
        title="One replica's breaker stays open after the outage is over; the other one's is closed",
        check="llm-replicas",
        notebook=RECOVER,
        make=_wedged,
        mend=_well,
        verdict=Verdict.WARNING,
    ),
    _answered("fallback-serves", "OpenAI serves what Together.ai should", "llm-fallback", "openai", "gpt-4", 900, 400),
    _answered("slow-models", "Together.ai takes twelve seconds", "llm-latency", "together_ai", TOGETHER, 12_000, 400),
    _answered("grown-prompts", "Prompts have grown tenfold", "llm-tokens", "together_ai", TOGETHER, 900, 20_000),
)
