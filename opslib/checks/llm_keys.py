"""The providers' keys: taken, and with every model that the product asks for; and whether a provider really answers.

A key that one provider refuses is masked by the other: chat goes on, and a rotation looks as if it had worked.
"""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.pictures.figures import count, duration
from opslib.probes import llm as probes
from opslib.systems.llm_keys import PROVIDERS

FIRST_WORD = threshold("llm-first-word")
ITEMS = {"together": ("ENV-VARL-04", "ENV-VER-04"), "openai": ("ENV-VARL-05",)}
REFUSED = {
    "unauthorized": "refuses it: it is revoked, or another one",
    "unpaid": "refuses it for the account's sake: look at its balance",
    "forbidden": "does not let it list models",
}


def key(provider: str) -> Check:
    """Return the check that ``together`` or ``openai`` takes the key that the vault holds now (GET models, no cost).

    CRITICAL for a refusal; WARNING where the key may not use a model that the product asks for; UNKNOWN where the
    provider itself cannot be asked (429, 5xx, silence): that says nothing of the key.
    """
    one = PROVIDERS[provider]

    def judge(reading: Reading) -> Judgement:
        row = reading.row
        if row["state"] in REFUSED:
            said = f"{one.title} {REFUSED[row['state']]}."
            return Judgement(Verdict.CRITICAL, said, None, reading.rows)
        if row["state"] != "taken":
            return Judgement(Verdict.UNKNOWN, f"Nobody can say of the key: {row['why']}", None, reading.rows)
        if row["lacking"]:
            said = f"{one.title} takes the key, and does not offer it {', '.join(row['lacking'])}."
            return Judgement(Verdict.WARNING, said, len(row["lacking"]), reading.rows)
        said = f"{one.title} takes {one.variable} of the vault and offers it {row['models']} models."
        return Judgement(Verdict.OK, said, 0, reading.rows)

    return Check(
        name=f"llm-key-{provider}",
        title=f"{one.title} takes the product's key",
        probe=probes.valid[provider],
        judge=judge,
        remedy=(
            f"Refused: runbooks/rotate-api-keys puts a new one everywhere ({one.keys_page}). Unpaid: the account. A "
            "model that is gone: name its successor in the product's configuration before users meet it."
        ),
        items=ITEMS[provider],
    )


def answers(provider: str, ask: bool = False, days: float = 7) -> Check:
    """Return the check that a provider really answers: seen in users' answers, or (``ask``) by asking it for words.

    Asked, it is CRITICAL without an answer, and the time to its first word is held against ours. Not asked: UNKNOWN
    where no user had an answer of it within ``days``.
    """
    one = PROVIDERS[provider]
    return Check(
        name=f"llm-answer-{provider}",
        title=f"{one.title} really answers",
        probe=probes.words[provider] if ask else probes.last_answer(provider, days),
        judge=lambda reading: _judge_words(reading, one.title) if ask else _judge_seen(reading, one.title),
        remedy=(
            f"Nobody has seen {one.title} answer: set ask_providers to true, which asks it for a few words, or make "
            "the drill in disaster/recover-llm. It does not answer: its key above, then diagnostics/dependencies."
        ),
        threshold=FIRST_WORD if ask else None,
        items=("TRB-PLL-01",),
    )


def _judge_words(reading: Reading, title: str) -> Judgement:
    row = reading.row
    if row["why"]:
        return Judgement(Verdict.CRITICAL, f"{title} was asked and did not answer: {row['why']}", None, reading.rows)
    first, whole = row["first_ms"] / 1000, row["whole_ms"] / 1000
    cost = "at no price that is known" if row["usd"] is None else f"for {row['usd']:.6f} USD"
    said = f"{title} ({row['model']}) said its first word after {duration(first)}, all after {duration(whole)}, {cost}."
    return Judgement(FIRST_WORD.judge(first), said, first, reading.rows)


def _judge_seen(reading: Reading, title: str) -> Judgement:
    row = reading.row
    if not row["answers"]:
        said = f"{title} answered nobody in {row['days']:g} days: whether it would, nobody has seen."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    said = (
        f"{title} answered users {count(row['answers'])} times in {row['days']:g} days, the last time "
        f"{duration(row['newest_age'])} ago; it was not asked now."
    )
    return Judgement(Verdict.OK, said, row["newest_age"], reading.rows)
