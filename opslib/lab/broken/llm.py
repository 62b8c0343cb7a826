"""Faults of the language models: a key revoked, providers that fail, a masked outage, slow answers, grown prompts."""

from __future__ import annotations

from opslib.lab.broken import Fault, providers
from opslib.model import Verdict
from opslib.settings import Settings

TOGETHER = "meta-llama/Llama-3-70b-chat-hf"
MANY = 60
RECOVER = "disaster/recover-llm"


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
    providers.chat(settings, 3)


def _both_well(settings: Settings) -> None:
    for provider in ("together", "openai"):
        providers.clear_fault(settings, provider)
    providers.reset(settings)


def _together(name: str, title: str, check: str, fault: str) -> Fault:
    """Return a fault of Together.ai alone, which OpenAI makes up for: nobody notices but the bill."""
    return Fault(
        name=name,
        area="llm",
        title=title,
        check=check,
        notebook=RECOVER,
        make=lambda settings: providers.fail_together(settings, fault),
        mend=providers.mend_together,
        verdict=Verdict.WARNING,
    )


def _answered(name: str, title: str, check: str, provider: str, model: str, latency: int, prompt: int) -> Fault:
    """Return a fault that is seen in what users were answered within the last half an hour."""
    rows = [
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
    return Fault(
        name=name,
        area="llm",
        title=title,
        check=check,
        notebook=RECOVER if check != "llm-tokens" else "",
        make=lambda settings: providers.put_usage(settings, name, rows),
        mend=lambda settings: providers.remove_usage(settings, name),
        verdict=Verdict.WARNING if check == "llm-fallback" else Verdict.CRITICAL,
    )


FAULTS: tuple[Fault, ...] = (
    _revoked("together", "Together.ai"),
    _revoked("openai", "OpenAI"),
    Fault(
        name="providers-fail",
        area="llm",
        title="Both providers answer chats with 503, and the breakers are open",
        check="llm-breakers",
        notebook=RECOVER,
        make=_both_fail,
        mend=_both_well,
    ),
    _together("together-fails", "Together.ai answers chats with 503, and its breaker is open", "llm-breakers", "503"),
    _together("together-cuts", "Together.ai's answers break off, and its breaker is open", "llm-breakers", "cut"),
    _together("together-limits", "Together.ai answers chats with 429: OpenAI serves", "llm-fallback", "429"),
    _answered("fallback-serves", "OpenAI serves what Together.ai should", "llm-fallback", "openai", "gpt-4", 900, 400),
    _answered("slow-models", "Together.ai takes twelve seconds", "llm-latency", "together_ai", TOGETHER, 12_000, 400),
    _answered("grown-prompts", "Prompts have grown tenfold", "llm-tokens", "together_ai", TOGETHER, 900, 20_000),
)
