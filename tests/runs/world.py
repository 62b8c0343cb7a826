"""A world of three kinds of effects that a model can count, and actions on it that can be broken off anywhere."""

from typing import ClassVar

from opslib.actions.base import Action, Settled
from opslib.errors import Refused, Unreachable
from opslib.model import Effect, Outcome, Repeat, Verdict, Verification


class Killed(BaseException):
    """The process is gone at this moment; what it had announced, and done, stays."""


class World:
    """What there is, and everything that was ever done to it. ``fault`` is what happens next, and where."""

    def __init__(self):
        self.strokes, self.burnt, self.rinsed = {}, {}, 0
        self.fault = None
        self.allowed = {Effect.LOCAL, Effect.CHANGE, Effect.DESTRUCTIVE}
        self.broken = []

    def at(self, where):
        """Die here, or lose the reply, when that is what happens next."""
        kind, place = self.fault or ("", "")
        if place != where:
            return
        self.fault = None
        if kind == "kill":
            raise Killed(where)
        if kind == "lost":
            raise Unreachable("The reply was lost.", "Look.")
        raise RuntimeError("The brush broke.")

    def must(self, holds, said):
        """Note a broken law of the world; the model looks after every move."""
        if not holds:
            self.broken.append(said)


WORLD = World()


def renew():
    """Begin with an empty world."""
    WORLD.__init__()


class Paint(Action):
    """Two strokes, of which one alone may be there: told apart by a look, and completed."""

    name: ClassVar[str] = "paint"
    title: ClassVar[str] = "Paint a word"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "database"
    word: str

    def plan(self, target):
        WORLD.at("plan")
        return self.planned(
            before={"strokes": WORLD.strokes.get(self.word, 0)},
            after={"strokes": 2},
            touches=2,
            touched="strokes",
            verification="both are there",
            undo="paint it over",
        )

    def apply(self, target, plan, progress):
        progress("painting")
        WORLD.must(self.effect in WORLD.allowed, f"{self.word} was painted without approval")
        WORLD.at("before")
        for number in range(WORLD.strokes.get(self.word, 0), 2):
            WORLD.strokes[self.word] = WORLD.strokes.get(self.word, 0) + 1
            WORLD.at("half" if number == 0 else "after")
        WORLD.must(WORLD.strokes[self.word] == 2, f"{self.word} has {WORLD.strokes[self.word]} strokes")
        return {"word": self.word}

    def settle(self, target, plan, progress):
        WORLD.at("settle")
        there = WORLD.strokes.get(self.word, 0)
        if there == 1:
            return Settled(Outcome.PARTLY, "One stroke is there.")
        if there == 2:
            return Settled(Outcome.DONE, "Both are there.", {"word": self.word})
        return Settled(Outcome.NOT_DONE, "Nothing is there.")

    def verify(self, target, plan, values):
        WORLD.at("verify")
        there = WORLD.strokes.get(self.word, 0) == 2
        return Verification(Verdict.OK if there else Verdict.CRITICAL, "looked")

    def undo(self, target, plan, values, progress):
        WORLD.at("undo")
        WORLD.strokes[self.word] = 0
        WORLD.at("undone")
        return Verification(Verdict.OK, "painted over")


class Burn(Action):
    """One effect by which nobody can tell afterwards whether it happened."""

    name: ClassVar[str] = "burn"
    title: ClassVar[str] = "Burn a word"
    effect: ClassVar[Effect] = Effect.DESTRUCTIVE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "backups"
    word: str

    def plan(self, target):
        WORLD.at("plan")
        return self.planned(
            before={"ashes": "unknown"},
            after={"ashes": "some"},
            touches=1,
            touched="words",
            verification="none",
            undo="None.",
        )

    def apply(self, target, plan, progress):
        progress("burning")
        WORLD.must(self.effect in WORLD.allowed, f"{self.word} was burnt without approval")
        WORLD.at("before")
        WORLD.burnt[self.word] = WORLD.burnt.get(self.word, 0) + 1
        WORLD.must(WORLD.burnt[self.word] == 1, f"{self.word} was burnt {WORLD.burnt[self.word]} times")
        WORLD.at("after")
        return {"word": self.word}

    def settle(self, target, plan, progress):
        WORLD.at("settle")
        return Settled(Outcome.UNKNOWN, "Ashes look alike.")

    def verify(self, target, plan, values):
        WORLD.at("verify")
        return Verification(Verdict.OK, "it smells burnt")

    def undo(self, target, plan, values, progress):
        raise Refused("What is burnt is burnt.", plan.undo)


class Rinse(Action):
    """Something that may be done as often as one likes."""

    name: ClassVar[str] = "rinse"
    title: ClassVar[str] = "Rinse the brush"
    effect: ClassVar[Effect] = Effect.LOCAL
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE

    def plan(self, target):
        WORLD.at("plan")
        return self.planned(
            before={}, after={"brush": "clean"}, touches=1, touched="brushes", verification="a look", undo="Nothing."
        )

    def apply(self, target, plan, progress):
        WORLD.at("before")
        WORLD.rinsed += 1
        WORLD.at("after")
        return {}

    def verify(self, target, plan, values):
        WORLD.at("verify")
        return Verification(Verdict.OK, "clean")

    def undo(self, target, plan, values, progress):
        return Verification(Verdict.OK, "nothing to undo")


ACTIONS = {"paint": Paint, "burn": Burn, "rinse": Rinse}
EFFECTS = {name: action.effect for name, action in ACTIONS.items()}
