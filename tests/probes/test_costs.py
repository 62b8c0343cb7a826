"""What tokens cost is counted by hour, model, tenant and user, whatever the columns are called."""

import pytest

from opslib.errors import Unreachable
from opslib.probes import asked
from opslib.probes import costs as probes
from opslib.systems.target import PlanTarget
from tests.llm import GPT, router, usage, used
from tests.vaults import Shelf
from tests.vendors import Doors

ALL = (probes.hours(), probes.models(), probes.parts("tenant"), probes.parts("person"), probes.baseline, probes.spent())


@pytest.fixture
def renamed(lab):
    """Rename columns until the test ends."""
    done = []
    with lab.admin() as database:

        def rename(old, new):
            database.execute(f'ALTER TABLE public.llm_usage RENAME COLUMN "{old}" TO "{new}"')
            done.append((new, old))

        yield rename
        for old, new in reversed(done):
            database.execute(f'ALTER TABLE public.llm_usage RENAME COLUMN "{old}" TO "{new}"')


@pytest.mark.parametrize("probe", ALL, ids=[probe.name for probe in ALL])
def test_other_names_of_columns_give_the_same_amounts(lab, renamed, probe):
    before = probe.read(lab.target)
    renamed("created_at", "timestamp")
    renamed("cost", "estimated_cost")
    assert before
    assert [row["usd"] for row in probe.read(lab.target)] == [row["usd"] for row in before]
    assert any(row["stored_usd"] for row in probe.read(lab.target)) is any(row["stored_usd"] for row in before)


def test_a_table_that_keeps_no_cost_cannot_be_compared_and_is_counted_all_the_same(lab, renamed):
    renamed("cost", "price")
    with pytest.raises(Unreachable, match="neither cost nor estimated_cost"):
        probes.models().read(lab.target)
    rows = probes.hours().read(lab.target)
    assert rows
    assert {row["stored_usd"] for row in rows} == {None}
    assert sum(row["usd"] for row in rows) > 0


def gpt(lab):
    found = [row for row in probes.models().read(lab.target) if row["model"] == GPT]
    return found[0] if found else {"usd": 0.0, "stored_usd": 0.0, "answers": 0, "rounding": 0.0}


def test_tokens_cost_what_the_table_says_beside_what_was_stored(lab):
    before = gpt(lab)
    with used(lab.settings, usage(10, provider="openai", model=GPT, prompt=1000, completion=500, cost=0.0015)):
        after = gpt(lab)
    assert after["answers"] - before["answers"] == 10
    assert after["usd"] - before["usd"] == pytest.approx(0.6)
    assert after["stored_usd"] - before["stored_usd"] == pytest.approx(0.015)
    assert after["rounding"] - before["rounding"] == pytest.approx(10 * 0.0000005)


def test_shares_are_of_the_whole_and_at_most_ten(lab):
    for name in ("tenant", "person"):
        rows = probes.parts(name).read(lab.target)
        assert 0 < len(rows) <= 10
        assert [row["usd"] for row in rows] == sorted((row["usd"] for row in rows), reverse=True)
        assert 0 < sum(row["share"] for row in rows) <= 100.5


def test_a_short_history_falls_back_to_the_week_before_and_none_is_no_baseline(lab):
    (row,) = probes.baseline.read(lab.target)
    # The small lab's usage goes back two days: not one same hour of a week.
    assert row["basis"] == "the hours of the week before"
    assert 24 <= row["hours"] <= 49
    assert row["baseline_usd"] > 0


def test_four_weeks_of_the_same_hour_are_the_baseline(lab):
    weeks = [
        {**one, "age": 600 + week * 7 * 86_400}
        for week in range(1, 5)
        for one in usage(1, provider="openai", model=GPT, prompt=10_000 * week, completion=0)
    ]
    with used(lab.settings, weeks):
        (row,) = probes.baseline.read(lab.target)
    assert (row["basis"], row["hours"]) == ("the same hour of the weeks before", 4)
    # 0.3, 0.6, 0.9 and 1.2 USD.
    assert row["baseline_usd"] == pytest.approx(0.75)


def test_prices_are_told_by_get_with_a_key_that_is_in_no_row(lab):
    assert probes.told.by_executor
    assert asked.BY_NAME[probes.told.name] is probes.told
    doors, target = Doors(lab.settings), PlanTarget(lab.settings, "test")
    doors.forget()
    rows = probes.told.read(target)
    target.close()
    assert {call["method"] for call in doors.calls("together")} == {"GET"}
    assert [row["told_input"] for row in rows if row["model"] == "meta-llama/Llama-3-8b-chat-hf"] == [0.2]
    assert Shelf(lab.settings).values()["TOGETHER_API_KEY"] not in str(rows)


def test_where_the_provider_cannot_be_asked_no_price_is_told(lab):
    target = PlanTarget(lab.settings, "test")
    with Doors(lab.settings).fault("together", "503", path="models"), pytest.raises(Unreachable):
        probes.told.read(target)
    target.close()


@pytest.mark.parametrize(
    ("hits", "misses", "share", "saved"),
    [(30, 70, 30.0, 1.8), (0, 0, None, 0.0), (0, 9, 0.0, 0.0), (None, None, None, None)],
)
def test_what_the_cache_saved_is_its_hits_at_the_usual_price(lab, hits, misses, share, saved):
    body = {"data": {"togetherAI": {}, "cache": {"hits": hits, "misses": misses}}}
    dear = usage(200, provider="openai", model=GPT, prompt=1000, completion=500)
    with used(lab.settings, dear), router(200, body) as (url, _):
        target = PlanTarget(lab.settings.model_copy(update={"application_url": url}), "test")
        (row,) = probes.cached(1).read(target)
        target.close()
    assert (row["hits"], row["misses"], row["share"]) == (hits, misses, share)
    # Nearly all answers of the hour cost 0.06 USD; the lab's own few cost less.
    assert row["saved_usd"] == (None if saved is None else pytest.approx(saved, rel=0.2))
