"""What the providers' own limits have left: read from the headers of one answer, and unknown where none tells."""

import pytest

from opslib.checks import llm as checks
from opslib.lab.doors import Doors, change
from opslib.model import Verdict
from opslib.pictures.figures import count
from opslib.runs.reading import evaluate
from opslib.systems.llm_limits import Limit, told
from opslib.systems.target import PlanTarget
from tests.llm import LLAMA

OPENAI = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-limit-tokens": "10000",
    "x-ratelimit-remaining-tokens": "2990",
    "x-ratelimit-reset-tokens": "6m0s",
}
NOW = "left at this moment"
OWN = {"requests": 1.0, "tokens": 10.0}


def test_each_providers_headers_are_read_as_it_documents_them():
    assert told("openai", OPENAI, OWN) == (Limit("requests", 500, 499, 1), Limit("tokens", 10_000, 2990, 10))
    theirs = {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "9.5", "x-tokenlimit-limit": "30000"}
    assert told("together", theirs, OWN) == (Limit("requests", 10, 9.5, 1),)
    assert told("together", OPENAI, OWN) == ()


def test_what_the_question_itself_took_is_added_back_and_no_more_than_all_is_left():
    # One request a second: after ours none is left, and that says nothing of the product's.
    assert Limit("requests", 1, 0, 1).percent == 100
    assert Limit("requests", 500, 500, 1).percent == 100
    assert Limit("tokens", 10_000, 2990, 10).percent == 30


@pytest.mark.parametrize(
    ("limit", "left"), [("-1", "-1"), ("0", "0"), ("many", "5"), ("5", ""), ("nan", "1"), ("inf", "1"), ("5", "6")]
)
def test_what_is_no_sensible_limit_is_left_out(limit, left):
    said = {"x-ratelimit-limit-requests": limit, "x-ratelimit-remaining-requests": left}
    assert told("openai", said, OWN) == ()


@pytest.fixture
def doors(lab):
    made = Doors(lab.settings)
    with made.restored():
        made.forget()
        yield made


@pytest.fixture
def look(lab, request):
    targets = []

    def look(provider, **said):
        # What is paid for is counted by run.
        targets.append(PlanTarget(lab.settings.model_copy(update=said), request.node.name))
        return evaluate(checks.headroom(provider), targets[-1])

    yield look
    for target in targets:
        target.close()


def test_both_have_room_and_are_asked_once_with_the_products_model(look, doors):
    found = [look(provider) for provider in ("together", "openai")]
    assert [(one.verdict, one.summary) for one in found] == [
        (Verdict.OK, f"Together.ai ({LLAMA}) has 100 % of 10 requests and 99 % of {count(30_000)} tokens {NOW}."),
        (Verdict.OK, f"OpenAI (gpt-4) has 99 % of {count(10_000)} requests and 97 % of {count(300_000)} tokens {NOW}."),
    ]
    asked = [call["method"] for provider in ("together", "openai") for call in doors.calls(provider)]
    assert sorted(asked) == ["GET", "GET", "POST", "POST"]


@pytest.mark.parametrize(
    ("limits", "verdict", "said"),
    [
        ({"x-ratelimit-remaining-tokens": 60_000}, Verdict.WARNING, "20 % of"),
        ({"x-ratelimit-remaining-requests": 200}, Verdict.CRITICAL, "has 2 % of"),
        (dict.fromkeys(("x-ratelimit-limit-requests", "x-ratelimit-limit-tokens")), Verdict.UNKNOWN, "told no limits"),
    ],
)
def test_little_left_is_found_gone_when_there_is_room_and_silence_is_unknown(lab, look, doors, limits, verdict, said):
    change(lab.settings, "openai", limits=limits)
    result = look("openai")
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary
    change(lab.settings, "openai", limits={})
    assert look("openai").verdict is Verdict.OK


@pytest.mark.parametrize(("fault", "verdict"), [("429", Verdict.CRITICAL), ("503", Verdict.UNKNOWN)])
def test_a_refusal_is_critical_and_an_outage_says_nothing_of_limits(look, doors, fault, verdict):
    with doors.fault("openai", fault, path="chat/completions"):
        result = look("openai")
    assert result.verdict is verdict, result.summary


def test_without_a_key_or_the_vault_nobody_can_ask(look):
    assert look("openai", vault_secret="nobodys/secret").verdict is Verdict.UNKNOWN


def test_nobody_is_asked_unless_it_is_said_and_a_run_asks_no_more_than_so_often(look, doors):
    assert checks.limits(False) == {}
    assert [one.name for found in checks.limits(True).values() for one in found] == [
        "llm-headroom-together",
        "llm-headroom-openai",
    ]
    said = [look("openai").verdict for _ in range(11)]
    assert said == [Verdict.OK] * 10 + [Verdict.UNKNOWN]
    assert sum(call["method"] == "POST" for call in doors.calls("openai")) == 10
