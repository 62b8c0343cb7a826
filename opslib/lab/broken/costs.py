"""Faults of cost: an hour that is too dear, one that is dearer than usual, and answers stored at another's price."""

from __future__ import annotations

from collections.abc import Callable

from opslib.lab.broken import Fault, at_work, providers
from opslib.lab.broken.frontend import BACK, built, rebuilt
from opslib.lab.broken.revision import released, taken_back
from opslib.model import Verdict
from opslib.settings import Settings
from opslib.systems.postgres import connect

GPT = "gpt-4"
MODEL = "meta-llama/Llama-3-70b-chat-hf"
PROVIDERS = {GPT: "openai", MODEL: "together_ai"}
SPENT = "what is spent is spent: who asked so much of the fallback, and whether it should have, people decide"
WHO = "whether so much was meant to be asked, and whose limit it is, people decide"
CODE = "the product's own table of prices is wrong, and its team's"
DEARER = "meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo"
MARK = "lab-fault-users-"
MANY = 30
"""Answers after which the usual ones are no more among the newest."""
HOUR = 3300.0
"""Seconds within which all answers were given."""


def _answered(
    name: str, title: str, check: str, model: str, many: int, tokens: tuple[int, int], cost: float, person: str
) -> Fault:
    worst = Verdict.CRITICAL if check == "costs-hour" else Verdict.WARNING
    one = {"provider": PROVIDERS[model], "model": model, "prompt": tokens[0], "completion": tokens[1], "cost": cost}
    rows = [{**one, "latency": 900, "age": 20 + HOUR * number / many} for number in range(many)]
    return Fault(
        name=name,
        area="costs",
        title=title,
        check=check,
        notebook="",
        make=lambda settings: providers.put_usage(settings, name, rows),
        mend=lambda settings: providers.remove_usage(settings, name),
        verdict=worst,
        person=person,
    )


def _asked_anew(make: Callable[[Settings], None]) -> Callable[[Settings], None]:
    """Return what changes who names the model, and lets users be answered by it until enough were."""

    def fault(settings: Settings) -> None:
        make(settings)
        with connect(settings.database_url, "lab") as session:
            for _ in range(MANY):
                at_work.users(settings, session, MARK)
        at_work.begin(settings, "users")

    return fault


def _asked_before(mend: Callable[[Settings], None]) -> Callable[[Settings], None]:
    """Return what lets the usual models be asked again, and takes away what users were answered meanwhile."""

    def well(settings: Settings) -> None:
        at_work.end(settings, "users")
        mend(settings)
        providers.forget(settings, MARK)

    return well


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="price-raised",
        area="costs",
        title="Together.ai asks twice as much for a model",
        check="costs-prices",
        notebook="",
        make=lambda settings: providers.set_prices(settings, {MODEL: 1.8}),
        mend=lambda settings: providers.set_prices(settings, {}),
        verdict=Verdict.WARNING,
        person="a price is a row of this program's own table, which somebody reviews",
    ),
    _answered("cost-jump", "The last hour cost 72 USD", "costs-hour", GPT, 80, (20_000, 5_000), 0.9, SPENT),
    # By the first provider: what the fallback costs is explained by its serving at all.
    _answered(
        "cost-growth", "Many times the usual was asked", "costs-baseline", MODEL, 2_400, (400, 200), 0.00054, WHO
    ),
    _answered(
        "mispriced", "Together.ai's answers are stored too cheap", "costs-stored", MODEL, 80, (400, 200), 0.0002, CODE
    ),
    Fault(
        name="api-asks-dearer-model",
        area="costs",
        title="The API's newest revision asks a model of five times the price, whatever users name",
        check="costs-token-price",
        notebook="disaster/recover-everything",
        make=_asked_anew(released(model=DEARER)),
        mend=_asked_before(taken_back),
    ),
    Fault(
        name="front-end-asks-dearer-model",
        area="costs",
        title="The front end's newest deployment names a model of five times the price",
        check="costs-token-price",
        notebook=BACK,
        make=_asked_anew(built(bundle=f'const askedModel="{DEARER}";')),
        mend=_asked_before(rebuilt("bundle")),
    ),
)
