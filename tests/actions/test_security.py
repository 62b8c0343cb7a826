"""Evidence of an incident: what is collected, with custody, bounded and without secrets; and what is amiss is seen."""

import json

import pytest

from opslib.actions.security import PreserveEvidence
from opslib.actions.security_custody import keep, parse, rows_of, whole
from opslib.archive import seal
from opslib.errors import ArchiveError, Refused
from opslib.model import Effect, Outcome, Repeat, Verdict
from opslib.probes.questions import question
from opslib.redaction import MARK, Redactor
from opslib.systems.filing import Filing
from opslib.systems.target import VerifyTarget, WriteTarget
from tests.databases import as_role, with_settings
from tests.incidents import PERSON, RUN, carry_out, people, places, quiet

ITEMS = [
    "database-sessions",
    "user-sessions",
    "refresh-token-counts",
    "security-audit-log",
    "audit-logs",
    "agent-audit-log",
    "roles",
    "grants",
    "policies",
    "functions",
    "secret-versions",
]
ACTION = PreserveEvidence(hours=24 * 60)


@pytest.fixture
def crowd(lab):
    with people(lab) as made:
        yield made


@pytest.fixture
def targets(lab, tmp_path):
    made = places(lab.settings, tmp_path)
    yield made
    for target in made:
        target.close()


def folder(tmp_path, run=RUN):
    return tmp_path / run / "evidence" / "preserve-evidence-files"


def rows(tmp_path, item):
    return [json.loads(line) for line in (folder(tmp_path) / f"{item}.jsonl").read_text().splitlines()]


def test_a_plan_names_each_item_and_writes_nothing(targets, tmp_path):
    plan = ACTION.plan(targets[0])
    assert list(plan.before) == ITEMS
    assert (plan.effect, plan.repeat, plan.touches) == (Effect.LOCAL, Repeat.ONCE, len(ITEMS) + 1)
    assert plan.observed["user_sessions"] > 0
    assert plan.digest == ACTION.plan(targets[0]).digest
    assert not folder(tmp_path).exists()


def test_what_containment_destroys_is_written_with_its_custody_and_no_token(lab, crowd, targets, tmp_path):
    session = crowd.sign_in("mallory", ip="203.0.113.9", tokens=3)
    plan, values, said = carry_out(ACTION, targets)
    assert said.verdict is Verdict.OK, said.summary
    assert [row["item"] for row in said.rows] == ITEMS
    assert {row["by"] for row in said.rows} == {PERSON}
    (found,) = [row for row in rows(tmp_path, "user-sessions") if row["id"] == session]
    assert (found["email"], found["ip"]) == ("mallory@incident.example", "203.0.113.9")
    (tokens,) = [row for row in rows(tmp_path, "refresh-token-counts") if row["session_id"] == session]
    assert (tokens["tokens"], tokens["revoked"]) == (3, 0)
    assert not any(b"token-of-" in path.read_bytes() for path in folder(tmp_path).iterdir())
    custody = parse((folder(tmp_path) / "manifest.json").read_bytes())
    assert (custody.run, custody.collected_by, custody.database) == (RUN, PERSON, plan.fingerprint["database"])
    assert custody.begun_at <= custody.items[0].begun_at <= custody.items[-1].ended_at <= custody.ended_at
    assert values["rows"] == sum(item.rows for item in custody.items)
    assert {"postgres", "ops_reader", "service_role"} <= {row["name"] for row in rows(tmp_path, "roles")}
    assert any("is_org_member" in row["text"] for row in rows(tmp_path, "policies"))
    with lab.admin() as session:
        (count,) = session.execute("SELECT count(*) AS n FROM audit_logs WHERE created_at > now() - interval '60 d'")
    assert abs(custody.item("audit-logs").of_all - count["n"]) <= 2


def test_all_of_it_is_of_one_moment(lab, crowd, targets, tmp_path):
    def meddle(text, done=None, total=None):
        if text == "user-sessions":
            crowd.sign_in("late")

    action = PreserveEvidence()
    action.apply(targets[2], action.plan(targets[0]), meddle)
    assert "late@incident.example" not in {row["email"] for row in rows(tmp_path, "user-sessions")}


def test_statements_are_kept_without_their_literals(lab, targets, tmp_path):
    with lab.admin() as other:
        other.execute("SELECT 'the-password-of-somebody', pg_sleep(0)")
        carry_out(ACTION, targets)
    (found,) = [row for row in rows(tmp_path, "database-sessions") if "pg_sleep" in (row["statement"] or "")]
    assert found["statement"] == "SELECT ?, pg_sleep(?)"


def test_a_secret_in_a_row_is_hidden_counted_and_passes_the_seal(lab, crowd, targets, tmp_path):
    mine, theirs = lab.settings.github_token.reveal(), "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
    crowd.sign_in("careless", agent=f"curl {mine}")
    crowd.sign_in("careless", agent=f"curl -H 'authorization: token {theirs}'")
    _, _, said = carry_out(ACTION, targets)
    assert said.verdict is Verdict.OK
    text = (folder(tmp_path) / "user-sessions.jsonl").read_text()
    assert (mine in text, theirs in text) == (False, False)
    assert json.dumps(MARK)[1:-1] in text
    (row,) = [row for row in said.rows if row["item"] == "user-sessions"]
    assert row["hidden_in_rows"] == 2
    assert seal.scan(tmp_path / RUN, Redactor(lab.settings.secrets())).leaking == ()


def test_what_is_too_much_is_cut_off_newest_first_and_says_so(lab, targets, tmp_path):
    _, _, said = carry_out(PreserveEvidence(hours=2160, most_rows=100), targets)
    assert said.verdict is Verdict.OK
    assert "audit-logs holds the first 100 of " in said.summary
    found = rows(tmp_path, "audit-logs")
    assert [row["created_at"] for row in found] == sorted((row["created_at"] for row in found), reverse=True)
    assert len(found) == 100


def test_sessions_that_cannot_all_be_kept_are_refused_before_anything(crowd, targets):
    for number in range(101):
        crowd.sign_in(f"user-{number}", tokens=0)
    with pytest.raises(Refused, match="must be preserved whole"):
        PreserveEvidence(most_rows=100).plan(targets[0])


def test_rows_before_the_hours_are_left_out(targets, tmp_path):
    carry_out(PreserveEvidence(hours=1), targets)
    few = len(rows(tmp_path, "audit-logs"))
    carry_out(ACTION, targets)
    assert few < len(rows(tmp_path, "audit-logs"))


@pytest.mark.parametrize("how", ["changed", "shorter", "gone", "added", "manifest"])
def test_evidence_that_was_touched_is_seen(targets, tmp_path, how):
    plan, values, _ = carry_out(ACTION, targets)
    file = folder(tmp_path) / "user-sessions.jsonl"
    if how == "changed":
        file.write_bytes(file.read_bytes().replace(b"198.51.100.", b"198.51.101.", 1))
    elif how == "shorter":
        file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[1:]))
    elif how == "gone":
        file.unlink()
    elif how == "added":
        (folder(tmp_path) / "more.jsonl").write_text("{}\n")
    else:
        manifest = folder(tmp_path) / "manifest.json"
        manifest.write_bytes(manifest.read_bytes().replace(PERSON.encode(), b"bob@ops-1"))
    assert ACTION.verify(targets[1], plan, values).verdict is Verdict.CRITICAL
    with pytest.raises(Refused):
        whole(targets[1].files, values["manifest"])


def test_a_collection_that_was_broken_off_is_not_done_and_is_taken_anew(targets, tmp_path):
    plan = ACTION.plan(targets[0])

    def broken(text, done=None, total=None):
        if text == "grants":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ACTION.apply(targets[2], plan, broken)
    assert (folder(tmp_path) / "user-sessions.jsonl").exists()
    assert ACTION.settle(targets[2], plan, quiet).outcome is Outcome.NOT_DONE
    values = ACTION.apply(targets[2], plan, quiet)
    assert ACTION.verify(targets[1], plan, values).verdict is Verdict.OK


def test_evidence_of_a_killed_run_is_found_by_the_run_that_goes_on(lab, targets, tmp_path):
    plan, values, _ = carry_out(ACTION, targets)
    again = places(lab.settings, tmp_path, f"{RUN}-resume-1")
    settled = ACTION.settle(again[2], plan, quiet)
    assert (settled.outcome, settled.values["manifest"]) == (Outcome.DONE, values["manifest"])
    assert ACTION.verify(again[1], plan, settled.values).verdict is Verdict.OK
    assert ACTION.undo(again[2], plan, values, quiet).verdict is Verdict.OK
    assert (folder(tmp_path) / "manifest.json").exists()


def test_evidence_of_another_work_is_not_found(lab, targets, tmp_path):
    _, values, _ = carry_out(ACTION, targets)
    other = places(lab.settings, tmp_path, RUN.replace("a1b2c3", "d4e5f6"))
    with pytest.raises(Refused, match="no evidence with that manifest"):
        whole(other[1].files, values["manifest"])


def test_a_role_that_may_not_read_the_sessions_is_refused(lab, targets):
    with lab.admin() as session:
        session.execute("CREATE ROLE half_blind LOGIN PASSWORD 'test-password-1' IN ROLE pg_monitor")
        session.execute("GRANT USAGE ON SCHEMA auth TO half_blind")
        try:
            with pytest.raises(Refused, match=r"may not read auth\.sessions"):
                ACTION.plan(with_settings(lab, read_database_url=as_role(lab, "half_blind")))
        finally:
            session.execute("DROP OWNED BY half_blind")
            session.execute("DROP ROLE half_blind")


def test_a_disk_that_takes_no_more_fails_the_step_and_leaves_no_manifest(targets, tmp_path):
    plan = ACTION.plan(targets[0])

    def blocked(text, done=None, total=None):
        if text == "roles":
            (folder(tmp_path) / "roles.jsonl").mkdir()

    with pytest.raises(ArchiveError, match=r"roles\.jsonl could not be written"):
        ACTION.apply(targets[2], plan, blocked)
    assert not (folder(tmp_path) / "manifest.json").exists()


def test_how_the_secret_stands_is_kept_without_its_value_and_holds_nothing_up(lab, targets, tmp_path):
    carry_out(ACTION, targets)
    found = rows(tmp_path, "secret-versions")
    assert sorted(stage for row in found for stage in row["stages"]) == ["AWSCURRENT", "AWSPREVIOUS"]
    assert not any(row["rotates"] for row in found)
    assert b"lab-dummy" not in (folder(tmp_path) / "secret-versions.jsonl").read_bytes()
    gone = places(lab.settings.model_copy(update={"vault_secret": "valuecanvas/none"}), tmp_path)
    _, _, said = carry_out(ACTION, gone)
    assert (said.verdict, "secret-versions is not there: There is no secret" in said.summary) == (Verdict.OK, True)


class Full(Filing):
    """A place with no room."""

    free = 100 * 1024 * 1024


def test_where_there_is_too_little_room_for_all_of_it_nothing_is_begun(lab, targets, tmp_path):
    plan = ACTION.plan(targets[0])
    writing = WriteTarget(lab.settings, RUN, Full(tmp_path / RUN, RUN, "preserve-evidence"))
    with pytest.raises(Refused, match="are free where the archive lies"):
        ACTION.apply(writing, plan, quiet)
    assert not folder(tmp_path).exists()


def test_outside_a_run_there_is_no_place_for_evidence(lab, targets):
    with pytest.raises(Refused, match="no place for files"):
        _ = VerifyTarget(lab.settings, RUN).files


def test_a_file_ends_at_its_bound_of_bytes_with_whole_lines(targets, tmp_path):
    place = targets[2].files
    place.begin()
    made = [{"name": f"row {number:04}"} for number in range(600)]
    item = keep(
        place,
        Redactor(()),
        item="many",
        source="a test",
        query=question("incident/roles"),
        taken=lambda: (made, 900),
        most_bytes=2000,
    )
    assert (item.bound, item.of_all, item.rows) == ("bytes", 900, 2000 // len('{"name": "row 0000"}\n'))
    assert list(rows_of(folder(tmp_path), item)) == made[: item.rows]
