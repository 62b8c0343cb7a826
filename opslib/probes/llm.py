"""The LLM gateway and its providers: breakers, keys, what users were answered; each part in a module of its own."""

from opslib.probes.llm_answers import answers, lanes, times, tokens
from opslib.probes.llm_gateway import breakers, chat, stats
from opslib.probes.llm_keys import asking_costs, last_answer, limits, valid, words
from opslib.probes.llm_replicas import answer as service_answer
from opslib.probes.llm_replicas import asking_costs as service_costs
from opslib.probes.llm_replicas import fallback_cost, replicas

__all__ = [
    "answers",
    "asking_costs",
    "breakers",
    "chat",
    "fallback_cost",
    "lanes",
    "last_answer",
    "limits",
    "replicas",
    "service_answer",
    "service_costs",
    "stats",
    "times",
    "tokens",
    "valid",
    "words",
]
