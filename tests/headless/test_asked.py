from datetime import UTC, datetime, timedelta

import pytest

from opslib.headless import notebooks, origin
from opslib.headless.asked import Agreed, Asked, target_digest
from opslib.model import Effect
from tests.descriptions import description
from tests.signing import WORK, plan, step

NOW = datetime(2026, 12, 24, 12, tzinfo=UTC)
FREEZE = "2026-12-24T00:00Z/2026-12-27T00:00Z"


@pytest.fixture
def ask():
    def ask(environment="production", how="headless", **described):
        book = notebooks.find("runbooks/restore-database")
        values = {"environment": environment, "backup": "latest"}
        return Asked(book, values, description(environment, **described), how=how, links={"applies": "x"})

    return ask


def test_nothing_is_agreed_and_no_glass_is_broken_unless_that_is_said(ask):
    assert ask().agreed is None
    assert (Agreed(plan(), b"").break_glass, Agreed(plan(), b"").until) == (False, None)


def test_an_id_says_when_and_of_what_and_is_never_given_twice(ask):
    first, second = ask().new_id(NOW), ask().new_id(NOW)
    assert first != second
    assert first[:-6] == second[:-6] == "20261224T120000Z-runbooks-restore-database-"
    assert all(letter in "0123456789abcdef" for letter in first[-6:])


def test_the_record_says_what_was_asked_by_whom_and_of_which_code(ask):
    who = origin.who()
    asked = ask(OPS_OPERATORS=f"{who}=ann@valuecanvas")
    assert asked.run_json(f"{WORK}-apply", NOW) == {
        "run": f"{WORK}-apply",
        "work": WORK,
        "notebook": "runbooks/restore-database",
        "title": asked.notebook.title,
        "notebook_sha256": asked.notebook.sha256,
        "environment": "production",
        "target": asked.settings.public(),
        "parameters": {"environment": "production", "backup": "latest"},
        "mode": "run",
        "how": "headless",
        "requested_by": f"{who}@{origin.where()}",
        "requester": "ann@valuecanvas",
        "started_at": "2026-12-24T12:00:00Z",
        "versions": origin.versions(),
        "commit": origin.commit(),
        "code_sha256": origin.code_sha256(),
        "applies": "x",
    }
    assert ask().run_json(WORK, NOW)["requester"] == who


def test_a_plan_holds_what_was_asked_and_lives_as_long_as_the_target_says(ask):
    asked = ask(OPS_PLAN_MINUTES="90")
    saved = asked.saved_plan(WORK, NOW, (step(),))
    assert (saved.run, saved.notebook, saved.notebook_sha256) == (WORK, asked.notebook.name, asked.notebook.sha256)
    assert (saved.code_sha256, saved.target) == (origin.code_sha256(), target_digest(asked.settings))
    assert (saved.environment, saved.parameters) == ("production", asked.values)
    assert saved.requested_by == f"{origin.who()}@{origin.where()}"
    assert saved.requester == origin.who()
    assert (saved.created_at, saved.expires_at) == (NOW, NOW + timedelta(minutes=90))
    assert saved.steps == (step(),)


def test_a_plan_says_what_it_still_needs_the_end_of_a_freeze_too_but_not_to_undo(ask):
    needs = ask().saved_plan(WORK, NOW, (step(),)).missing
    assert len(needs) == 1
    frozen = ask(OPS_FREEZE=FREEZE).saved_plan(WORK, NOW, (step(),)).missing
    assert frozen == (*needs, "The end of the freeze, 2026-12-27 00:00 UTC, or a broken glass.")
    assert ask(OPS_FREEZE=FREEZE).saved_plan(WORK, NOW + timedelta(days=3), (step(),)).missing == needs
    assert ask(how="undo", OPS_FREEZE=FREEZE).saved_plan(WORK, NOW, (step(),)).missing == needs
    assert ask("lab").saved_plan(WORK, NOW, (step("a", Effect.LOCAL),)).missing == ()


@pytest.mark.parametrize("name", ["OPS_FREEZE", "OPS_PLAN_MINUTES", "OPS_RUN_MINUTES", "OPS_MOST"])
def test_what_may_change_after_a_plan_was_made_is_not_in_its_targets_digest(name):
    value = {"OPS_FREEZE": FREEZE, "OPS_MOST": "apply-retention=1"}.get(name, "17")
    assert target_digest(description(**{name: value})) == target_digest(description())
    assert target_digest(description(S3_BUCKET_NAME="another-bucket")) != target_digest(description())
