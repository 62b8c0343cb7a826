"""Sessions of users ended on a real database: those of the evidence, operators' left out, broken off and settled."""

import threading

import pytest
from pydantic import ValidationError

from opslib.actions.authentication import RevokeSessions
from opslib.actions.security import PreserveEvidence
from opslib.errors import Refused, StepFailed
from opslib.model import UNKNOWN_UNTIL, Effect, Outcome, Repeat, Verdict
from opslib.systems.target import WriteTarget
from tests.databases import standby, with_settings
from tests.incidents import RUN, carry_out, people, places, quiet

OPERATOR = "operator@incident.example"
MARKER = f"{UNKNOWN_UNTIL}preserve-evidence"


@pytest.fixture
def crowd(lab):
    with people(lab) as made:
        made.sign_in("operator")
        made.sign_in("mallory", ago="2 hours", tokens=2)
        made.sign_in("mallory", ago="30 hours")
        made.sign_in("alice", ago="3 hours")
        yield made


@pytest.fixture
def targets(lab, tmp_path):
    made = places(lab.settings, tmp_path)
    yield made
    for target in made:
        target.close()


@pytest.fixture
def evidence(crowd, targets):
    return carry_out(PreserveEvidence(), targets)[1]["manifest"]


def revoke(manifest, **said):
    return RevokeSessions(**{"scope": "users", "users": "mallory@incident.example", "manifest": manifest, **said})


def count(crowd, table="sessions"):
    return crowd.session.execute(f"SELECT count(*) AS n FROM auth.{table}").fetchone()["n"]


def test_a_plan_counts_who_would_go_and_who_stays_and_changes_nothing(crowd, targets):
    before = count(crowd)
    plan = revoke(MARKER, keep=OPERATOR).plan(targets[0])
    assert (plan.effect, plan.repeat, plan.touches) == (Effect.DESTRUCTIVE, Repeat.ONCE, 10_000)
    assert (plan.observed["sessions"], plan.observed["users"], plan.observed["kept_sessions"]) == (2, 1, 1)
    assert plan.observed["found without an index"] == "none"
    assert plan.before["kept"] == [OPERATOR]
    assert plan.digest == revoke(MARKER, keep=OPERATOR).plan(targets[0]).digest
    assert count(crowd) == before


def test_the_sessions_of_named_users_end_with_their_tokens_and_nobody_elses(crowd, evidence, targets):
    before, tokens = count(crowd), count(crowd, "refresh_tokens")
    _, values, said = carry_out(revoke(evidence, users=crowd.ids["mallory"]), targets)
    assert (said.verdict, values["ended"]) == (Verdict.OK, 2), said.summary
    assert crowd.sessions("mallory") == set()
    assert (count(crowd), count(crowd, "refresh_tokens")) == (before - 2, tokens - 3)
    assert "stay valid until" in said.summary
    assert values["access_tokens_until"] > values["ended_at"]


def test_all_sessions_end_but_the_operators(crowd, evidence, targets):
    _, _, said = carry_out(revoke(evidence, scope="all", users="none", keep=OPERATOR), targets)
    assert said.verdict is Verdict.OK, said.summary
    assert count(crowd) == len(crowd.sessions("operator")) == 1
    assert count(crowd, "refresh_tokens") == 1


def test_only_sessions_begun_within_the_hours_end(crowd, evidence, targets):
    old = count(crowd)
    plan, values, said = carry_out(revoke(evidence, scope="since", users="none", keep=OPERATOR, hours=24), targets)
    assert said.verdict is Verdict.OK, said.summary
    assert len(crowd.sessions("mallory")) == 1
    assert crowd.sessions("alice") == set()
    assert len(crowd.sessions("operator")) == 1
    assert values["ended"] == plan.observed["sessions"] < old


def test_without_a_scope_nothing_is_ended(crowd, evidence, targets):
    before = count(crowd)
    plan, _, said = carry_out(RevokeSessions(scope="none", manifest=evidence), targets)
    assert (plan.touches, said.summary, count(crowd)) == (0, "No session was to be ended.", before)


def test_who_signs_in_again_is_listed_and_is_no_failure(crowd, evidence, targets):
    back = crowd.sign_in("mallory", ip="203.0.113.66", ago="-1 second")
    _, _, said = carry_out(revoke(evidence), targets)
    assert said.verdict is Verdict.OK
    assert "1 began since the evidence" in said.summary
    assert any("mallory@incident.example from 203.0.113.66" in row["what"] for row in said.rows)
    # It is not in the evidence, so it is not destroyed.
    assert crowd.sessions("mallory") == {back}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"users": "none"}, "names nobody"),
        ({"scope": "all", "users": "none"}, "operators would be signed out"),
        ({"scope": "since", "users": "none"}, "operators would be signed out"),
        ({"users": "nobody@incident.example"}, "no user nobody@incident"),
        ({"scope": "all", "users": "none", "keep": "operatr@incident.example"}, "no user operatr@incident"),
        ({"users": OPERATOR, "keep": OPERATOR}, "to be signed out and to be kept"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything(crowd, targets, said, why):
    with pytest.raises(Refused, match=why):
        revoke(MARKER, **said).plan(targets[0])


@pytest.mark.parametrize("users", ["", "a b@c.example", "x@y", "mallory@incident.example;", "none,none", "'@b.example"])
def test_users_that_are_no_users_are_no_parameter(users):
    with pytest.raises(ValidationError):
        revoke(MARKER, users=users)


@pytest.mark.parametrize("manifest", [MARKER, "0" * 64])
def test_without_evidence_of_the_same_work_nothing_is_ended(crowd, targets, manifest):
    plan, before = revoke(manifest).plan(targets[0]), count(crowd)
    with pytest.raises(Refused, match="no evidence with that manifest"):
        revoke(manifest).apply(targets[2], plan, quiet)
    assert count(crowd) == before


def test_evidence_that_was_touched_ends_nothing(crowd, evidence, targets, tmp_path):
    plan, before = revoke(evidence).plan(targets[0]), count(crowd)
    file = tmp_path / RUN / "evidence" / "preserve-evidence-files" / "user-sessions.jsonl"
    file.write_bytes(file.read_bytes().replace(b"mallory", b"malory-", 1))
    with pytest.raises(Refused, match="another SHA-256"):
        revoke(evidence).apply(targets[2], plan, quiet)
    assert count(crowd) == before


def test_more_sessions_than_may_be_ended_end_none(crowd, evidence, targets):
    action, before = revoke(evidence, at_most=1), count(crowd)
    with pytest.raises(Refused, match="2 sessions would be ended, and at_most is 1"):
        carry_out(action, targets)
    assert count(crowd) == before


def test_a_role_that_may_not_delete_ends_nothing(lab, crowd, evidence, targets):
    lent = lab.settings.model_copy(update={"database_url": lab.settings.read_database_url})
    writing = WriteTarget(lent, RUN, targets[2].files)
    with pytest.raises(Refused, match="may not delete"):
        revoke(evidence).apply(writing, revoke(evidence).plan(targets[0]), quiet)
    writing.close()


def test_a_session_that_stays_locked_is_given_up_and_what_is_left_is_told(lab, crowd, evidence, targets):
    action, locked = revoke(evidence), sorted(crowd.sessions("mallory"))[0]
    plan = action.plan(targets[0])
    with lab.admin() as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT 1 FROM auth.sessions WHERE id = %s FOR UPDATE", [locked])
        with pytest.raises(StepFailed, match="lock timeout"):
            action.apply(targets[2], plan, quiet)
    settled = action.settle(targets[2], plan, quiet)
    assert (settled.outcome, "2 of 2 sessions are there" in settled.why) == (Outcome.PARTLY, True)
    values = action.apply(targets[2], plan, quiet)
    assert action.verify(targets[1], plan, values).verdict is Verdict.OK


def test_a_revocation_that_was_killed_between_batches_is_settled_and_completed(crowd, targets):
    for number in range(1005):
        crowd.sign_in("bot", tokens=0, ip=f"203.0.113.{number % 250}")
    manifest = carry_out(PreserveEvidence(), targets)[1]["manifest"]
    action = revoke(manifest, users="bot@incident.example")
    plan = action.plan(targets[0])

    def killed(text, done=None, total=None):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        action.apply(targets[2], plan, killed)
    assert len(crowd.sessions("bot")) == 5
    assert action.settle(targets[2], plan, quiet).outcome is Outcome.PARTLY
    assert action.apply(targets[2], plan, quiet)["ended"] == 5
    settled = action.settle(targets[2], plan, quiet)
    assert (settled.outcome, settled.values["planned"]) == (Outcome.DONE, 1005)
    assert action.verify(targets[1], plan, settled.values).verdict is Verdict.OK


def test_a_session_that_comes_back_after_it_was_ended_is_critical(crowd, evidence, targets):
    action = revoke(evidence)
    (kept, *_) = crowd.sessions("mallory")
    plan, values, _ = carry_out(action, targets)
    user = crowd.ids["mallory"]
    crowd.session.execute("INSERT INTO auth.sessions (id, user_id) VALUES (%s, %s)", [kept, user])
    assert action.verify(targets[1], plan, values).verdict is Verdict.CRITICAL


def test_operators_sessions_that_are_gone_are_critical(crowd, evidence, targets):
    action = revoke(evidence, keep=OPERATOR)
    plan, values, _ = carry_out(action, targets)
    crowd.session.execute("DELETE FROM auth.sessions WHERE user_id = %s", [crowd.ids["operator"]])
    assert "to be kept are gone" in action.verify(targets[1], plan, values).summary


def test_refresh_tokens_of_no_session_are_no_success(crowd, evidence, targets):
    crowd.session.execute(
        "INSERT INTO auth.refresh_tokens (token, user_id) VALUES ('an-old-one', %s)", [crowd.ids["mallory"]]
    )
    *_, said = carry_out(revoke(evidence), targets)
    assert (said.verdict, "1 refresh tokens that belong to no session" in said.summary) == (Verdict.WARNING, True)


def test_it_cannot_be_undone_and_says_so(crowd, evidence, targets):
    action = revoke(evidence)
    plan, values, _ = carry_out(action, targets)
    with pytest.raises(Refused) as refused:
        action.undo(targets[2], plan, values, quiet)
    assert "signs in again" in refused.value.next_step


def test_tokens_that_would_outlive_their_session_are_refused(crowd, targets):
    table, name = "auth.refresh_tokens", "refresh_tokens_session_id_fkey"
    crowd.session.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    try:
        with pytest.raises(Refused, match="do not go with their session"):
            revoke(MARKER).plan(targets[0])
    finally:
        crowd.session.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (session_id) REFERENCES auth.sessions"
            " ON DELETE CASCADE"
        )


def test_a_table_that_would_be_read_whole_for_each_session_is_named(crowd, targets):
    crowd.session.execute("DROP INDEX auth.refresh_tokens_session_id_idx")
    crowd.session.execute("UPDATE pg_class SET reltuples = 5e6 WHERE oid = 'auth.refresh_tokens'::regclass")
    try:
        plan = revoke(MARKER).plan(targets[0])
        assert plan.observed["found without an index"] == ["auth.refresh_tokens (session_id), 5000000 rows"]
    finally:
        crowd.session.execute("CREATE INDEX refresh_tokens_session_id_idx ON auth.refresh_tokens (session_id)")
        crowd.session.execute("ANALYZE auth.refresh_tokens")


def test_audit_rows_and_their_guards_are_as_they_were(crowd, evidence, targets):
    def look():
        asked = (
            "SELECT (SELECT count(*) FROM audit_logs) AS rows, (SELECT string_agg(tgname || tgenabled::text, ','"
            " ORDER BY tgname) FROM pg_trigger WHERE tgname LIKE '%%_immutable') AS guards"
        )
        return crowd.session.execute(asked, {}).fetchone()

    before = look()
    carry_out(revoke(evidence), targets)
    assert look() == before


def test_on_a_standby_nothing_is_planned(lab, tmp_path):
    tmp_path.chmod(0o711)
    with standby(lab, tmp_path) as target, pytest.raises(Refused, match="standby"):
        revoke(MARKER).plan(with_settings(lab, read_database_url=target.settings.read_database_url))


def test_two_revocations_at_once_end_each_session_once(crowd, evidence, lab, targets):
    action = revoke(evidence)
    plan = action.plan(targets[0])
    both = [WriteTarget(lab.settings, RUN, targets[2].files) for _ in range(2)]
    ended = []
    threads = [
        threading.Thread(target=lambda target=target: ended.append(action.apply(target, plan, quiet)["ended"]))
        for target in both
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(ended) == 2
    assert crowd.sessions("mallory") == set()
    for target in both:
        target.close()
