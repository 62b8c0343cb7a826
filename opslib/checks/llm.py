"""Checks of the LLM gateway and its providers; each part in a module of its own, all of it offered here."""

from opslib.checks import dependencies
from opslib.checks.llm_answers import fallback, latency, tokens
from opslib.checks.llm_gateway import breakers, errors, provider_errors
from opslib.checks.llm_keys import answers, key
from opslib.checks.llm_limits import headroom, limits
from opslib.checks.llm_replicas import fallback_cost, replicas, service_answer, stay_closed
from opslib.checks.tree import Branch, Tree
from opslib.model import Check

__all__ = [
    "DECISIVE",
    "TREES",
    "answers",
    "breakers",
    "errors",
    "fallback",
    "fallback_cost",
    "headroom",
    "key",
    "latency",
    "limits",
    "provider_errors",
    "replicas",
    "service_answer",
    "stay_closed",
    "tokens",
]

DECISIVE: tuple[Check, ...] = (
    *(breakers(), replicas(), key("together"), key("openai"), fallback(), latency(), errors()),
    tokens(),
)
"""What tells most, most telling first; none of them waits for a window."""

TREES: tuple[Tree, ...] = (
    Tree(
        name="slow-answers",
        symptom="High LLM latency",
        branches=(
            Branch(dependencies.language_models(), "A provider is slow and says so"),
            Branch(latency(), "One provider or model answers slowly"),
            Branch(fallback(), "The first provider fails after its time-out, and the fallback answers after that"),
            Branch(provider_errors(), "Calls to a provider fail, each after up to 25 s"),
            Branch(breakers(), "A breaker is open: each question is one for the fallback"),
            Branch(tokens(), "Requests have grown, and take as much longer"),
        ),
        items=("TRB-PLL-00", "TRB-PLL-01", "TRB-PLL-02"),
    ),
)
