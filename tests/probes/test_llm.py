"""What is read of language models: rows whatever their columns are called, keys and words by the executor alone."""

import json
import uuid

import pytest

from opslib.errors import OpsError, Unreachable
from opslib.lab.broken import providers
from opslib.probes import asked
from opslib.probes import llm as probes
from opslib.systems.target import PlanTarget
from tests.llm import as_user, usage, used
from tests.supabase import digest
from tests.vaults import Shelf
from tests.vendors import Doors

BY_ROWS = (
    probes.answers(60),
    probes.times(60),
    probes.lanes(60),
    probes.tokens(60, 7),
    probes.last_answer("openai", 7),
)


@pytest.fixture
def looking(lab):
    # A run of its own each time: one run may ask for words ten times.
    target = PlanTarget(lab.settings, f"test-{uuid.uuid4().hex[:8]}")
    yield target
    target.close()


@pytest.fixture
def doors(lab):
    made = Doors(lab.settings)
    with made.restored():
        made.forget()
        yield made


def values(lab):
    return [
        value for name, value in Shelf(lab.settings).values().items() if name in ("TOGETHER_API_KEY", "OPENAI_API_KEY")
    ]


@pytest.mark.parametrize("probe", BY_ROWS, ids=[probe.name for probe in BY_ROWS])
def test_a_deployment_that_calls_its_columns_otherwise_is_read_alike(lab, looking, probe):
    with used(lab.settings, usage(30), usage(5, provider="openai", model="gpt-4")), lab.admin() as database:
        before = probe.read(looking)
        database.execute('ALTER TABLE public.llm_usage RENAME COLUMN created_at TO "timestamp"')
        try:
            after = probe.read(looking)
        finally:
            database.execute('ALTER TABLE public.llm_usage RENAME COLUMN "timestamp" TO created_at')

    def plain(rows):
        return [{name: value for name, value in row.items() if name != "newest_age"} for row in rows]

    assert before
    assert plain(after) == plain(before)


@pytest.mark.parametrize("column", ["created_at", "latency_ms", "provider"])
def test_a_column_that_is_not_there_is_said_and_nothing_is_guessed(lab, looking, column):
    with lab.admin() as database:
        database.execute(f"ALTER TABLE public.llm_usage RENAME COLUMN {column} TO renamed")
        try:
            with pytest.raises(Unreachable, match=column) as told:
                probes.times(60).read(looking)
        finally:
            database.execute(f"ALTER TABLE public.llm_usage RENAME COLUMN renamed TO {column}")
    assert told.value.kind == "missing"


def test_a_table_that_is_not_there_is_no_quiet_hour(lab, looking):
    with lab.admin() as database:
        database.execute("ALTER TABLE public.llm_usage RENAME TO llm_usage_away")
        try:
            with pytest.raises(Unreachable, match="no table"):
                probes.answers(60).read(looking)
        finally:
            database.execute("ALTER TABLE public.llm_usage_away RENAME TO llm_usage")


def test_a_role_from_which_row_security_hides_rows_is_unknown_and_not_zero(lab, looking):
    with lab.admin() as database:
        database.execute("ALTER ROLE ops_reader NOBYPASSRLS")
        try:
            with pytest.raises(Unreachable, match="Row security"):
                probes.answers(60).read(looking)
        finally:
            database.execute("ALTER ROLE ops_reader BYPASSRLS")


def test_the_steps_of_a_window_count_each_answer_once(lab, looking):
    with used(lab.settings, usage(30)):
        rows = probes.lanes(60).read(looking)
        (whole,) = [row for row in probes.answers(60).read(looking) if row["provider"] == "together_ai"]
    assert sum(row["answers"] for row in rows if row["provider"] == "together_ai") == whole["answers"]
    assert {row["step"] for row in rows} <= set(range(24))


@pytest.mark.parametrize("provider", ["together", "openai"])
def test_a_key_is_tried_by_get_and_is_in_no_row(lab, looking, doors, provider):
    probe = probes.valid[provider]
    assert probe.by_executor
    assert asked.BY_NAME[probe.name] is probe
    rows = probe.read(looking)
    assert (rows[0]["state"], rows[0]["lacking"]) == ("taken", [])
    calls = doors.calls(provider)
    assert [(call["method"], call["path"].partition("?")[0][-7:]) for call in calls] == [("GET", "/models")]
    assert not [part for value in values(lab) for part in (value, digest(value)) if part in json.dumps(rows)]


@pytest.mark.parametrize(("fault", "state"), [("401", "unauthorized"), ("402", "unpaid"), ("503", "broken")])
def test_what_a_provider_says_of_a_key_is_a_row_that_does_not_repeat_it(lab, looking, doors, fault, state):
    with doors.fault("openai", fault, path="models"):
        (row,) = probes.valid["openai"].read(looking)
    assert row["state"] == state
    assert not [value for value in values(lab) if value[:8] in row["why"]]


@pytest.mark.parametrize("provider", ["together", "openai"])
def test_a_few_words_are_streamed_counted_and_priced(lab, looking, doors, provider):
    (row,) = probes.words[provider].read(looking)
    assert row["why"] == ""
    assert 0 < row["first_ms"] <= row["whole_ms"]
    assert 0 < row["tokens"] < 100
    assert 0 < row["usd"] < 0.001
    (chat,) = [call for call in doors.calls(provider) if call["method"] == "POST"]
    said = json.loads(chat["body"]) if isinstance(chat.get("body"), str) else chat.get("body")
    assert said is None or (said["max_tokens"], said["stream"]) == (16, True)


@pytest.mark.parametrize("fault", ["401", "429", "503", "cut", "malformed", "empty"])
def test_an_answer_without_a_word_is_told_as_such(lab, looking, doors, fault):
    with doors.fault("openai", fault, path="chat/completions"):
        (row,) = probes.words["openai"].read(looking)
    assert row["why"]
    assert row["first_ms"] is None
    assert not [value for value in values(lab) if value[:8] in row["why"]]


def test_what_a_trial_costs_is_known_for_every_model_that_may_be_asked(looking):
    rows = probes.asking_costs.read(looking)
    assert {row["provider"] for row in rows} == {"together_ai", "openai"}
    assert all(row["usd_at_most"] is not None and row["usd_at_most"] < 0.001 for row in rows)


def test_the_gateways_counters_are_told_without_the_one_that_stays_nothing(looking):
    rows = {row["provider"]: row for row in probes.stats.read(looking)}
    assert set(rows) == {"together_ai", "openai", "cache"}
    assert "fallbacks" not in rows["openai"]
    assert rows["openai"]["calls"] is not None


def test_a_vault_without_the_key_is_said(lab):
    target = PlanTarget(lab.settings.model_copy(update={"vault_secret": "elsewhere"}), "test")
    with pytest.raises(OpsError) as told:
        probes.valid["together"].read(target)
    target.close()
    assert told.value.next_step


def test_what_the_fallback_costs_is_told_beside_the_first_providers_price_for_the_same_tokens(lab, looking):
    before = {row["model"]: row["answers"] for row in probes.fallback_cost.read(looking)}
    rows = (usage(3, provider="openai", model="gpt-4", prompt=1000, completion=1000), usage(9))
    unknown = usage(1, provider="openai", model="gpt-unheard-of")
    with used(lab.settings, *rows, unknown):
        found = {row["model"]: row for row in probes.fallback_cost.read(looking)}
    told = found["gpt-4"]
    assert told["answers"] == before.get("gpt-4", 0) + 3
    assert told["instead"] == "meta-llama/Llama-3-70b-chat-hf"
    assert told["times"] == pytest.approx(told["usd"] / told["instead_usd"], rel=0.01)
    assert told["times"] > 40
    assert (found["gpt-unheard-of"]["usd"], found["gpt-unheard-of"]["instead_usd"]) == (None, None)


def test_an_answer_of_the_service_is_asked_by_the_executor_and_says_who_gave_it(lab, looking):
    with pytest.raises(AttributeError):
        probes.service_answer.read(lab.target)
    (row,) = probes.service_answer.read(PlanTarget(as_user(lab.settings), looking.run))
    assert (row["provider"], row["cached"], row["times"], row["why"]) == ("together_ai", False, 1.0, "")
    assert row["usd"] <= max(one["usd_at_most"] for one in probes.service_costs.read(looking))
    providers.forget(lab.settings, f"opslib-{looking.run}")
