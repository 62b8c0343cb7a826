"""A model of all that can happen to a work, in any order, held against what its journals say and what was done.

Each example is one sequence of moves: start, steps that break off anywhere, kills that tear the last line,
resume, undo, a person's word, approvals that are missing or late, somebody else's change, a lost lock, stop.
"""

import shutil
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from opslib.errors import OpsError, Refused
from opslib.model import Effect, Verdict
from opslib.runs import approval, journal
from opslib.runs.executor import Executor
from opslib.runs.locks import Locks
from opslib.runs.saved_plan import SavedPlan, sha256
from opslib.runs.steps import State, fold
from opslib.runs.work import Work
from tests.descriptions import description
from tests.runs import world
from tests.scale import count
from tests.signing import CREATED, verified

STEPS = (("one", "paint"), ("two", "burn"), ("three", "rinse"), ("four", "paint"))
PLACES = ("plan", "before", "half", "after", "settle", "verify")
FAULTS = [None, None, None, *((kind, place) for kind in ("kill", "lost", "broken") for place in PLACES)]
UNDO_FAULTS = [None, None, *((kind, place) for kind in ("kill", "lost") for place in ("undo", "undone", "settle"))]
TORN = {"before", "verify", "undo", "plan"}
"""Where a kill may as well have come while the last line was being written: nothing was done since."""

MOVES = 0


def quiet(said):
    pass


class Works(RuleBasedStateMachine):
    """One work at a time."""

    def __init__(self):
        super().__init__()
        world.renew()
        self.folder = Path(tempfile.mkdtemp(prefix="model-"))
        self.number, self.run = 0, None
        self.begin_work()

    def begin_work(self):
        self.work = f"20261123T130614Z-runbooks-paint-{self.number:06x}"
        self.words = {step: f"{step}-{self.number}" for step, _ in STEPS}
        self.number += 1
        self.runs, self.position, self.skipped = [], 0, False
        self.environment, self.people, self.late, self.saved = "lab", 0, False, None
        self.foreign, self.ended = set(), False

    def executor(self, run, mode="run", approved=None):
        folder = self.folder / run
        (folder / "evidence").mkdir(parents=True)
        said = description(self.environment)
        work = Work(
            run=run,
            notebook="runbooks/paint",
            settings=said,
            folder=folder,
            mode=mode,
            actions=world.ACTIONS,
            approved=approved,
            history=self.fold(),
        )
        if mode == "run":
            self.runs.append(run)
        return Executor(work, locks=Locks(said, run, folder=self.folder / "locks"))

    def fold(self):
        paths = ((run, self.folder / run / "journal.jsonl") for run in self.runs)
        return fold((run, (line.said for line in journal.read(path))) for run, path in paths if path.exists())

    def word(self, step):
        return self.words[step]

    def there(self, step):
        """How much of a step's effect the world holds: 0, 1 (half), 2 (whole)."""
        if dict(STEPS)[step] == "paint":
            return world.WORLD.strokes.get(self.word(step), 0)
        return 2 * world.WORLD.burnt.get(self.word(step), 0)

    def ask(self, run, step, action):
        parameters = {} if action == "rinse" else {"word": self.word(step)}
        run.cell = step
        return run.answer({"verb": "step", "action": action, "parameters": parameters}, quiet)

    def agree(self):
        """Return the approved plan if who approved it is enough now, by the real rule and by the model's own."""
        if self.saved is None:
            return None
        data = self.saved.encode()
        signed = [verified(who, self.saved, kind="approve") for who in ("ben", "cat", "dan")[: self.people]]
        moment = CREATED + timedelta(minutes=90 if self.late else 10)
        needs = {"staging": 1, "production": 2}[self.environment]
        try:
            approval.decide(
                self.saved,
                sha256(data),
                signed,
                environment=self.environment,
                requesters=frozenset({"ann@valuecanvas"}),
                unattended=(),
                moment=moment,
            )
        except Refused:
            assert self.late or self.people < needs
            return None
        assert not self.late
        assert self.people >= needs
        return self.saved

    def permit(self, approved):
        without = {
            "lab": {Effect.LOCAL, Effect.CHANGE, Effect.DESTRUCTIVE},
            "staging": {Effect.LOCAL, Effect.CHANGE},
            "production": {Effect.LOCAL},
        }
        world.WORLD.allowed = without["lab"] if approved else without[self.environment]

    def die(self, tear=0):
        """End the run's process as a kill does; ``tear`` bytes of its last line had not been written yet."""
        path = self.run.journal.path
        self.run.journal.close()
        self.run.locks.close()
        if tear:
            data = path.read_bytes()
            begin = data[:-1].rfind(b"\n") + 1
            path.write_bytes(data[: max(begin, len(data) - tear)])
        self.run = None

    # -- moves ----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.run is None)
    @rule(
        environment=st.sampled_from(["lab", "lab", "staging", "production", "production"]),
        people=st.sampled_from([0, 1, 2, 2, 3]),
        late=st.sampled_from([False, False, False, True]),
    )
    def start(self, environment, people, late):
        self.begin_work()
        self.environment, self.people, self.late = environment, people, late
        if environment != "lab":
            self.plan()
        approved = self.agree()
        self.permit(approved)
        self.run = self.executor(f"{self.work}-apply" if approved else self.work, approved=approved)

    def plan(self):
        planning = self.executor(f"{self.work}-planning", "plan")
        for step, action in STEPS:
            self.ask(planning, step, action)
        planning.close("finished", Verdict.OK)
        self.saved = SavedPlan(
            run=self.work,
            notebook="runbooks/paint",
            notebook_sha256="a" * 64,
            code_sha256="b" * 64,
            environment=self.environment,
            target="c" * 64,
            parameters={},
            requested_by="ann@bastion",
            requester="ann@valuecanvas",
            created_at=CREATED,
            expires_at=CREATED + timedelta(minutes=60),
            steps=tuple(planning.stepper.plans),
        )

    @precondition(lambda self: self.run is not None and self.position < len(STEPS))
    @rule(fault=st.sampled_from(FAULTS), tear=st.integers(0, 400))
    def step(self, fault, tear):
        step, action = STEPS[self.position]
        known = self.fold().get(step)
        doubt = known is not None and known.state is State.IN_DOUBT
        before, locked = self.there(step), self.held()
        world.WORLD.fault = fault
        try:
            self.ask(self.run, step, action)
        except OpsError:
            if not locked or self.run.stopping:
                assert self.there(step) in (before, 0 if dict(STEPS)[step] == "paint" else before)
            world.WORLD.fault = None
            self.after(step, action, before, doubt, step in self.foreign)
            return
        except world.Killed as killed:
            self.die(tear if str(killed) in TORN else 0)
            self.after(step, action, before, doubt, step in self.foreign)
            return
        finally:
            world.WORLD.fault = None
        assert not (doubt and action == "burn"), "what was in doubt was passed"
        assert locked or (known is not None and known.state in (State.VERIFIED, State.APPLIED))
        assert step not in self.foreign
        assert action == "rinse" or self.there(step) == 2
        assert self.fold()[step].state is State.VERIFIED
        self.position += 1

    def after(self, step, action, before, doubt, foreign):
        if foreign or (doubt and action == "burn"):
            assert self.there(step) == before

    def held(self):
        try:
            self.run.locks.check()
        except Refused:
            return False
        return True

    @precondition(lambda self: self.run is not None and self.position < len(STEPS))
    @rule()
    def step_while_another_run_has_the_lock(self):
        step, action = STEPS[self.position]
        other = Locks(description(self.environment), "20261123T130614Z-other-a1b2c3", folder=self.folder / "locks")
        with suppress(Refused):
            other.take(world.ACTIONS[action].area)
        before = self.there(step)
        try:
            self.ask(self.run, step, action)
        except OpsError:
            assert self.there(step) in (before, 0)
        else:
            self.position += 1
        finally:
            other.close()

    @precondition(lambda self: self.run is not None and self.position < len(STEPS))
    @rule()
    def skip(self):
        self.position, self.skipped = self.position + 1, True

    @precondition(lambda self: self.run is not None)
    @rule(tear=st.integers(0, 400))
    def kill(self, tear):
        self.die(tear)

    @precondition(lambda self: self.run is not None)
    @rule()
    def stop(self):
        self.run.stop("stopped by ann")
        world.WORLD.allowed = set()

    @precondition(lambda self: self.run is not None and any((self.folder / "locks").glob("*.lock")))
    @rule()
    def lose_the_lock(self):
        for path in (self.folder / "locks").glob("*.lock"):
            path.unlink()
        if not self.held():
            world.WORLD.allowed = {Effect.LOCAL} & world.WORLD.allowed

    @precondition(lambda self: self.run is not None and self.saved is not None and self.run.work.approved)
    @rule(step=st.sampled_from(["one", "four"]))
    def somebody_else_changes(self, step):
        known = self.fold().get(step)
        if (known is None or known.state is State.NOT_DONE) and not self.there(step):
            world.WORLD.strokes[self.word(step)] = 1
            self.foreign.add(step)

    @precondition(lambda self: self.run is not None)
    @rule()
    def finish(self):
        self.run.answer({"verb": "finish"}, quiet)
        if (
            self.run.findings.verdict is Verdict.OK
            and self.run.trouble is None
            and not self.skipped
            and self.position == 4
        ):
            assert [self.there(step) for step in ("one", "two", "four")] == [2, 2, 2]
            self.ended = True
        self.run.close("finished", self.run.findings.verdict)
        self.run = None

    @precondition(lambda self: self.run is None and self.runs and not self.ended)
    @rule(late=st.sampled_from([False, False, True]))
    def resume(self, late):
        steps = self.fold()
        if any(step.state in (State.UNDONE, State.UNDO_IN_DOUBT) for step in steps.values()):
            return
        applied = self.runs[0].endswith("-apply")
        self.late = self.late or late
        approved = self.agree() if applied else None
        if applied and approved is None:
            return
        self.permit(approved)
        self.position, self.skipped = 0, False
        self.run = self.executor(f"{self.work}-resume-{len(self.runs)}", approved=approved)

    @precondition(lambda self: self.run is None and self.runs)
    @rule(fault=st.sampled_from(UNDO_FAULTS), tear=st.integers(0, 400))
    def undo(self, fault, tear):
        changed = [step for step in self.fold().values() if step.changed]
        if not changed:
            return
        approved = self.agree() if self.runs[0].endswith("-apply") else None
        self.permit(approved)
        self.ended = False
        self.run = self.executor(f"{self.work}-undo-{len(self.runs)}", approved=approved)
        world.WORLD.fault = fault
        try:
            for known in reversed(changed):
                before = self.there(known.step)
                self.run.take_back(known)
                assert known.action == "rinse" or self.there(known.step) == 0
                assert before == self.there(known.step) or world.EFFECTS[known.action] in world.WORLD.allowed
        except OpsError:
            self.die()
        except world.Killed as killed:
            self.die(tear if str(killed) in TORN else 0)
        else:
            self.die()
        finally:
            world.WORLD.fault = None

    @precondition(lambda self: self.run is None and self.runs)
    @rule()
    def a_person_looks(self):
        doubts = [step for step in self.fold().values() if step.state is State.IN_DOUBT and self.there(step.step) != 1]
        if not doubts:
            return
        step = doubts[0].step
        self.run = self.executor(f"{self.work}-resolve-{len(self.runs)}")
        outcome = "done" if self.there(step) == 2 else "not done"
        self.run.journal.append("resolved", step=step, outcome=outcome, by="ann@host", evidence="seen.txt")
        self.die()

    # -- what must hold after every move --------------------------------------------------------------------

    @invariant()
    def no_law_was_broken(self):
        global MOVES
        MOVES += 1
        assert world.WORLD.broken == []

    @invariant()
    def what_the_journals_say_is_what_there_is(self):
        for step, known in self.fold().items():
            if known.action == "rinse" or step in self.foreign:
                continue
            there = self.there(step)
            if known.state in (State.VERIFIED, State.APPLIED):
                assert there == 2, f"{step} is {known.state}, and {there} of it is there"
            elif known.state in (State.NOT_DONE, State.UNDONE):
                assert there == 0, f"{step} is {known.state}, and {there} of it is there"

    def teardown(self):
        if self.run is not None:
            self.die()
        shutil.rmtree(self.folder)


def test_whatever_happens_to_a_work_nothing_is_done_twice_and_its_journals_tell_what_there_is():
    run_state_machine_as_test(
        Works,
        settings=settings(
            max_examples=count(35, 700),
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    assert count(1_000, 20_000) <= MOVES
