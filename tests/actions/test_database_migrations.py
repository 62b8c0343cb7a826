"""Migrations on a real database: rehearsed, applied once and whole, rolled back; and every way in which that fails."""

import threading

import pytest

from opslib.actions.database import (
    ApplyDestructiveMigrations,
    ApplyMigrations,
    RehearseMigrations,
    RollBackMigration,
    apply_migrations,
    rehearse_migrations,
    roll_back_migration,
)
from opslib.errors import Refused, StepFailed
from opslib.model import UNKNOWN_UNTIL, Effect, Outcome, Repeat, Verdict
from opslib.runs.approval import needed, require
from opslib.systems.postgres_migrations import Limits
from tests.migration_place import DUE, DUE_DOWN, DUE_UP, NOTES, NOTES_DOWN, NOTES_UP, bench
from tests.waiting import until

BASE = "20260101000000"
ALL = ApplyMigrations(through="all")


class Impatient(ApplyMigrations):
    """Waits a quarter of a second for a lock."""

    limits = Limits(0.25, 900.0, 3600.0)


@pytest.fixture(scope="module")
def shared(lab, tmp_path_factory):
    with bench(lab, tmp_path_factory.mktemp("bench")) as made:
        yield made


@pytest.fixture
def place(shared, tmp_path):
    # What is made once is made before the test's own database is as the schema makes it.
    assert shared.rehearsed.is_dir()
    with shared.checkout(tmp_path / "supabase") as made:
        yield made


@pytest.fixture
def ready(place):
    """Two pending migrations with rollbacks, rehearsed."""
    return place.rehearsed()


def test_a_rehearsal_tells_locks_and_the_way_back_and_leaves_only_its_record(place):
    place.both()
    place.saved()
    before = place.state()
    plan, values, said = place.carry_out(RehearseMigrations())
    assert place.state() == before
    assert said.verdict is Verdict.OK, said.summary
    assert (plan.effect, plan.touches, plan.repeat) == (Effect.LOCAL, 2, Repeat.ONCE)
    notes, due = values["rehearsals"]
    assert notes["locks"] == {"public.things": "ShareRowExclusiveLock"}
    assert due["locks"] == {"public.things": "AccessExclusiveLock"}
    assert notes["proven"]
    assert due["proven"]
    assert "AccessExclusiveLock" in said.rows[1]["locks"]


def test_pending_migrations_are_applied_as_planned_recorded_and_undone_by_their_rollbacks(ready):
    before = ready.state()
    plan, values, said = ready.carry_out(ALL)
    assert (plan.effect, plan.touches) == (Effect.CHANGE, 2)
    assert plan.observed["rehearsal"][DUE[0]]["locks"]["public.things"] == "AccessExclusiveLock"
    assert "each proven" in plan.undo
    assert said.verdict is Verdict.OK, said.summary
    assert ready.versions() == [BASE, NOTES[0], DUE[0]]
    assert "due" in ready.columns()
    assert ready.settle(ALL, plan).outcome is Outcome.DONE
    back = ready.undo(ALL, plan, values)
    assert back.verdict is Verdict.OK, back.summary
    assert ready.state() == before
    again = ready.undo(ALL, plan, values)
    assert (again.verdict, "had been rolled back" in again.summary) == (Verdict.OK, True)


def test_a_plan_without_a_rehearsal_leaves_the_way_back_open_and_cannot_be_applied(place):
    place.both()
    before = place.state()
    plan = place.plan(ALL)
    assert plan.fingerprint["way back"] == dict.fromkeys((NOTES[0], DUE[0]), f"{UNKNOWN_UNTIL}rehearse-migrations")
    assert plan.unknown == ("way back",)
    assert all(len(sha256) == 64 for _, _, sha256, _ in plan.fingerprint["files"])
    with pytest.raises(Refused, match="Not rehearsed"):
        place.apply(ALL, plan)
    assert place.state() == before


@pytest.mark.parametrize(
    ("fails", "why"),
    [("INSERT INTO public.things (nowhere) VALUES (1)", "line 3 of the file"), ("SELECT 1 / 0", "division by zero")],
)
def test_a_file_that_fails_in_the_rehearsal_says_where_and_touches_the_copy_only(ready, fails, why):
    ready.file("20260403090000", "broken", f"ALTER TABLE public.things ADD COLUMN a int;\n\n{fails};\n", "SELECT 1;")
    before = ready.state()
    with pytest.raises(StepFailed, match=why):
        ready.carry_out(RehearseMigrations(through="20260403090000" if "nowhere" in fails else "all"))
    assert ready.state() == before


def test_a_statement_that_fails_in_the_middle_leaves_nothing_of_its_file(ready):
    up = "ALTER TABLE public.things ADD COLUMN a int;\nALTER TABLE public.things ADD CONSTRAINT few CHECK (worth < 900)"
    ready.file("20260403090000", "few", up, "ALTER TABLE public.things DROP CONSTRAINT few, DROP COLUMN a;")
    ready.carry_out(RehearseMigrations())
    plan = ready.plan(ALL)
    # The backup did not have this row yet.
    ready.place.sql("INSERT INTO public.things (worth) VALUES (1000)")
    with pytest.raises(StepFailed, match="violated by some row"):
        ready.apply(ALL, plan)
    assert ready.versions() == [BASE, NOTES[0], DUE[0]]
    assert "a" not in ready.columns()
    assert ready.settle(ALL, plan).outcome is Outcome.PARTLY


def test_without_the_word_destructive_a_file_of_which_nobody_can_tell_is_refused(ready):
    ready.file("20260403090000", "odd", "DO $$ BEGIN DELETE FROM public.things; END $$;", "SELECT 1;")
    with pytest.raises(Refused, match=r"20260403090000 \(line 1: DO, of which the text does not tell"):
        ready.plan(ALL)
    assert ready.plan(ApplyMigrations(through=DUE[0])).touches == 2
    assert ready.plan(ApplyDestructiveMigrations(through="all")).touches == 3


def test_a_file_that_fails_on_the_live_database_only_leaves_those_before_it_applied_whole(ready):
    plan = ready.plan(ALL)
    # Nobody's rehearsal can know this: the name is taken since the plan.
    ready.place.sql("ALTER TABLE public.things ADD COLUMN due text")
    with pytest.raises(StepFailed, match=r'20260402090000: column "due" .* already exists'):
        ready.apply(ALL, plan)
    assert ready.versions() == [BASE, NOTES[0]]
    settled = ready.settle(ALL, plan)
    assert (settled.outcome, NOTES[0] in settled.why) == (Outcome.PARTLY, True)
    ready.place.sql("ALTER TABLE public.things DROP COLUMN due")
    values = ready.apply(ALL, plan)
    assert ready.versions() == [BASE, NOTES[0], DUE[0]]
    assert ready.verify(ALL, plan, values).verdict is Verdict.OK


def test_a_file_that_was_edited_after_the_plan_is_refused_and_nothing_is_applied(ready):
    plan = ready.plan(ALL)
    ready.file(*DUE, DUE_UP + "-- a comment is enough\n")
    with pytest.raises(Refused, match="not the file that was planned"):
        ready.apply(ALL, plan)
    ready.file(*DUE, DUE_UP, DUE_DOWN + " ")
    with pytest.raises(Refused, match="The rollback of"):
        ready.apply(ALL, plan)
    assert ready.versions() == [BASE]


def test_who_waits_too_long_for_a_lock_gives_up_and_leaves_nothing(lab, ready):
    plan = ready.plan(Impatient(through="all"))
    with lab.admin(ready.place.name) as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT count(*) FROM public.things")
        with pytest.raises(StepFailed, match="lock timeout"):
            ready.apply(Impatient(through="all"), plan)
    # The foreign key of the first waits for no reader; the second needs the table for itself.
    assert ready.versions() == [BASE, NOTES[0]]
    assert "due" not in ready.columns()


def test_of_two_who_apply_at_once_one_does_and_the_other_is_told(lab, ready):
    plan = ready.plan(ALL, "other")
    with lab.admin(ready.place.name) as somebody:
        somebody.execute("BEGIN")
        somebody.execute(f"INSERT INTO supabase_migrations.schema_migrations VALUES ('{NOTES[0]}', NULL, 'theirs')")
        raised = []

        def work():
            try:
                ready.apply(ALL, plan, "other")
            except StepFailed as error:
                raised.append(str(error))

        thread = threading.Thread(target=work)
        thread.start()
        waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
        until(lambda: lab.target.database is not None and waits(lab, waiting, ready.place.name))
        somebody.execute("COMMIT")
        thread.join(30)
    assert "duplicate key" in raised[0]
    assert ready.versions() == [BASE, NOTES[0]]
    assert ready.columns("notes") == []
    # What somebody else recorded is not ours.
    assert ready.settle(ALL, plan, "other").outcome is Outcome.NOT_DONE


def waits(lab, statement, name):
    with lab.admin() as session:
        return bool(session.execute(statement, [name]).fetchall())


def test_a_migration_that_somebody_else_applied_since_the_plan_is_refused(ready):
    plan = ready.plan(ALL)
    ready.place.sql("INSERT INTO supabase_migrations.schema_migrations VALUES ('20260331000000', NULL, 'theirs')")
    with pytest.raises(Refused, match="20260331000000"):
        ready.apply(ALL, plan)
    assert ready.versions() == [BASE, "20260331000000"]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda p: p.place.sql("CREATE TABLE public.notes (id int)"), "is half applied: not recorded, but"),
        (
            lambda p: p.place.sql("INSERT INTO supabase_migrations.schema_migrations VALUES ('20260501000000')"),
            "missing",
        ),
        (lambda p: p.file("20251231000000", "late", "CREATE SCHEMA s;"), "out of order"),
        (lambda p: p.file(NOTES[0], "again", NOTES_UP), "named twice"),
        (lambda p: p.file(BASE, "base", "CREATE TABLE public.things (id int);"), "edited since"),
        (lambda p: p.file(*NOTES, NOTES_UP + "COMMIT;"), "COMMIT would end the transaction"),
        (lambda p: p.file(*NOTES, "CREATE INDEX CONCURRENTLY i ON public.things (name);"), "maintain-database"),
        (lambda p: p.file(*NOTES, "-- nothing yet\n"), "it has no statement"),
        (lambda p: p.file(*NOTES, "CREATE TABLE x (a text DEFAULT 'open"), "not closed"),
    ],
)
def test_nothing_is_applied_or_rehearsed_while_something_is_in_disorder(place, spoil, why):
    place.both()
    spoil(place)
    before = place.state()
    for action in (ALL, ApplyDestructiveMigrations(through="all"), RehearseMigrations()):
        with pytest.raises(Refused, match=why):
            place.plan(action)
    assert place.state() == before


def test_a_new_table_without_row_level_security_is_critical_and_is_not_applied(place):
    place.file(*NOTES, NOTES_UP.splitlines()[0], NOTES_DOWN)
    place.saved()
    said = place.carry_out(RehearseMigrations())[2]
    assert (said.verdict, "public.notes" in said.summary) == (Verdict.CRITICAL, True)
    with pytest.raises(Refused, match="without row level security"):
        place.carry_out(ALL)
    assert place.versions() == ["20260101000000"]


def test_a_rollback_that_does_not_bring_everything_back_is_forward_only(place):
    place.file(*NOTES, NOTES_UP, NOTES_DOWN)
    place.file(*DUE, "ALTER TABLE public.things ADD COLUMN due date, ADD COLUMN forgotten int;", DUE_DOWN)
    place.saved()
    _, values, said = place.carry_out(RehearseMigrations())
    assert said.verdict is Verdict.WARNING
    assert [one["proven"] for one in values["rehearsals"]] == [False, False]
    assert "columns public.things is not as before" in values["rehearsals"][1]["differences"]
    plan, values, _ = place.carry_out(ALL)
    assert "None but a restore" in plan.undo
    with pytest.raises(Refused, match="no proven way back"):
        place.undo(ALL, plan, values)
    with pytest.raises(Refused, match="not proven: forward only"):
        place.plan(RollBackMigration(version=DUE[0]))
    assert place.versions()[-1] == DUE[0]


@pytest.mark.parametrize(
    ("down", "why"),
    [(None, "there is no file"), ("-- later\n", "is empty"), ("-- TODO\nSELECT 1;", "is a template")],
)
def test_a_migration_without_a_rollback_file_is_forward_only_and_says_why(place, down, why):
    place.file(*NOTES, NOTES_UP, down)
    place.saved()
    said = place.carry_out(RehearseMigrations())[2]
    assert (said.verdict, why in said.summary) == (Verdict.WARNING, True)
    place.carry_out(ALL)
    with pytest.raises(Refused, match=why):
        place.plan(RollBackMigration(version=NOTES[0]))


def test_the_newest_migration_is_rolled_back_with_its_record_and_applied_again_by_the_undo(ready):
    ready.carry_out(ALL)
    ready.place.sql("UPDATE public.things SET due = '2026-05-01' WHERE id = 1")
    action = RollBackMigration(version=DUE[0])
    with pytest.raises(Refused, match="not the newest"):
        ready.plan(RollBackMigration(version=NOTES[0]))
    plan, values, said = ready.carry_out(action, "r2")
    assert (plan.effect, said.verdict) == (Effect.DESTRUCTIVE, Verdict.OK), said.summary
    assert ready.versions() == [BASE, NOTES[0]]
    assert "due" not in ready.columns()
    assert ready.settle(action, plan, "r2").outcome is Outcome.DONE
    back = ready.undo(action, plan, values, "r2")
    assert (back.verdict, "stay lost" in back.summary) == (Verdict.OK, True), back.summary
    assert ready.versions() == [BASE, NOTES[0], DUE[0]]
    assert ready.settle(action, plan, "r2").outcome is Outcome.NOT_DONE


def test_a_rollback_that_fails_leaves_record_and_objects(ready):
    ready.carry_out(ALL)
    plan = ready.plan(RollBackMigration(version=DUE[0]))
    ready.place.sql("CREATE VIEW public.needs_it AS SELECT due FROM public.things")
    with pytest.raises(StepFailed, match="depend"):
        ready.apply(RollBackMigration(version=DUE[0]), plan)
    assert ready.versions() == [BASE, NOTES[0], DUE[0]]
    assert ready.settle(RollBackMigration(version=DUE[0]), plan).outcome is Outcome.NOT_DONE


def test_a_rollback_is_refused_where_its_file_or_the_history_is_another_one_since(ready):
    ready.carry_out(ALL)
    plan = ready.plan(RollBackMigration(version=DUE[0]))
    ready.file(*DUE, DUE_UP, "DROP TABLE public.things;")
    with pytest.raises(Refused, match="The rollback of"):
        ready.apply(RollBackMigration(version=DUE[0]), plan)
    with pytest.raises(Refused, match="never rehearsed"):
        ready.plan(RollBackMigration(version=DUE[0]))
    assert "due" in ready.columns()


def test_the_undo_leaves_alone_what_others_applied_later(ready):
    plan, values, _ = ready.carry_out(ALL)
    ready.place.sql("INSERT INTO supabase_migrations.schema_migrations VALUES ('20260601000000', NULL, 'theirs')")
    with pytest.raises(Refused, match="Roll these back first"):
        ready.undo(ALL, plan, values)
    assert len(ready.versions()) == 4


def test_destructive_files_are_applied_as_a_destructive_step_only(place):
    place.file(*DUE, "ALTER TABLE public.things DROP COLUMN worth;", "ALTER TABLE public.things ADD COLUMN worth int;")
    place.saved()
    place.carry_out(RehearseMigrations())
    with pytest.raises(Refused, match=r"line 1: ALTER … DROP.*apply-destructive"):
        place.plan(ALL)
    plan, _, said = place.carry_out(ApplyDestructiveMigrations(through="all"))
    assert (plan.effect, plan.action) == (Effect.DESTRUCTIVE, "apply-destructive-migrations")
    assert said.verdict is Verdict.OK
    # The rows of the column are lost, and the rehearsal has seen it.
    assert "None but a restore" in plan.undo


def test_none_is_only_a_look_that_nobody_has_to_approve(place):
    place.both()
    before = place.state()
    for action in (ApplyMigrations(), ApplyDestructiveMigrations(), RollBackMigration()):
        assert action.effect is Effect.READ
    for action in (ApplyMigrations(), RollBackMigration(), RehearseMigrations(through="none")):
        plan, values, said = place.carry_out(action)
        assert (plan.effect.on_target, plan.touches, said.verdict) == (False, 0, Verdict.OK)
        assert place.undo(action, plan, values).verdict is Verdict.OK
    assert place.state() == before


def test_only_what_changes_the_target_needs_approvals_and_what_destroys_needs_most():
    said = {"before": {}, "after": {}, "touches": 0, "touched": "", "verification": "", "undo": ""}
    wanted = {
        RehearseMigrations(): 0,
        ApplyMigrations(): 0,
        ApplyDestructiveMigrations(): 0,
        RollBackMigration(): 0,
        ALL: 1,
        ApplyDestructiveMigrations(through="all"): 2,
        RollBackMigration(version=DUE[0]): 2,
    }
    assert {action: needed(action.planned(**said), "production") for action in wanted} == wanted
    # What the owner lets run unattended is named, and the destructive one has another name.
    require(ALL.planned(**said), "production", ("apply-migrations",))
    with pytest.raises(Refused, match="destructive"):
        require(ApplyDestructiveMigrations(through="all").planned(**said), "production", ("apply-migrations",))


def test_what_a_run_is_asked_to_do_decides_which_of_the_steps_do_anything():
    one = DUE[0]
    asked = {
        "rehearse": (RehearseMigrations(through=one), ApplyMigrations(), RollBackMigration()),
        "apply": (RehearseMigrations(through=one), ApplyMigrations(through=one), RollBackMigration()),
        "apply-destructive": (
            RehearseMigrations(through=one),
            ApplyDestructiveMigrations(through=one),
            RollBackMigration(),
        ),
        "roll-back": (RehearseMigrations(through="none"), ApplyMigrations(), RollBackMigration(version=one)),
    }
    for act, steps in asked.items():
        made = (rehearse_migrations(act, one), apply_migrations(act, one), roll_back_migration(act, one))
        assert made == steps
        assert [type(step) for step in made] == [type(step) for step in steps]
    with pytest.raises(Refused, match="not said"):
        roll_back_migration("roll-back", "all")


def test_a_rehearsal_needs_a_proven_backup_of_the_same_history(place):
    place.both()
    with pytest.raises(Refused, match="no usable backup"):
        place.plan(RehearseMigrations())
    place.place.take("unproven")
    with pytest.raises(Refused, match="none of 1 is proven"):
        place.plan(RehearseMigrations())
    place.place.vouch("unproven-backup")
    place.place.sql("INSERT INTO supabase_migrations.schema_migrations VALUES ('20260301000000', NULL, 'later')")
    place.file("20260301000000", "later", "CREATE SCHEMA IF NOT EXISTS supabase_migrations;")
    with pytest.raises(StepFailed, match="has other migrations"):
        place.carry_out(RehearseMigrations())
    assert not [name for name in place.place.databases() if name.startswith("ops_proof_")]


def test_with_nothing_pending_there_is_nothing_to_rehearse_or_apply(place):
    assert place.carry_out(RehearseMigrations())[2].summary == "No migration is pending."
    plan, _, said = place.carry_out(ALL)
    assert (plan.touches, said.summary) == (0, "No migration is pending.")
    with pytest.raises(Refused, match="is not pending"):
        place.plan(ApplyMigrations(through="20260401090000"))


def test_an_address_that_leads_elsewhere_is_refused_before_anything_is_done(lab, ready):
    plan = ready.plan(ALL)
    elsewhere = ready.place.writing("r9", database_url=lab.settings.database_url)
    with pytest.raises(Refused, match="leads elsewhere"):
        ALL.apply(elsewhere, plan, lambda *_: None)
    assert ready.versions() == [BASE]
