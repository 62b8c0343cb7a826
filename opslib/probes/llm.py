"""The LLM gateway and its providers: breakers, keys, what users were answered; each part in a module of its own."""

from opslib.probes.llm_answers import answers, lanes, times, tokens
from opslib.probes.llm_gateway import breakers, chat, stats
from opslib.probes.llm_keys import asking_costs, last_answer, valid, words

__all__ = [
    "answers",
    "asking_costs",
    "breakers",
    "chat",
    "lanes",
    "last_answer",
    "stats",
    "times",
    "tokens",
    "valid",
    "words",
]
