"""Actions that touch nothing but a list, for tests of the machinery around actions."""

from typing import ClassVar

from opslib.actions.base import Action, Settled
from opslib.errors import ArchiveError, Refused, Unreachable
from opslib.model import Effect, Outcome, Repeat, Verdict, Verification

DONE: list[str] = []
"""What the actions below did, in order; each test that uses them clears it."""


LOOKED_WITH: list[type] = []
"""What they were given to verify with."""


class Paint(Action):
    """Changes the world by one word in DONE."""

    name: ClassVar[str] = "paint"
    title: ClassVar[str] = "Paint a word"
    effect: ClassVar[Effect] = Effect.DESTRUCTIVE
    repeat: ClassVar[Repeat] = Repeat.ONCE

    word: str
    seen: Verdict = Verdict.OK

    def plan(self, target):
        if self.word == "forbidden":
            raise Refused("That word must not be painted.", "Choose another.")
        if self.word == "secret":
            raise Refused("The colour hunter2-hunter2 is taken.", "Not hunter2-hunter2.")
        return self.planned(
            before={"words": len(DONE)},
            after={"words": len(DONE) + 1},
            touches=0 if self.word == "nothing" else 1,
            touched="words",
            verification="the word is there",
            undo="paint it over",
        )

    def apply(self, target, plan, progress):
        progress("painting", 1, 2)
        if self.word == "broken":
            raise RuntimeError("the brush broke; password hunter2-hunter2")
        if self.word == "away":
            raise Unreachable("The wall does not answer.", "Knock.")
        if self.word == "long":
            for share in ((3,), (None, 5), (0, 4), (1, 0)):
                progress("mixing", *share)
        if self.word == "refused":
            raise Refused("The wall is gone.", "Look.")
        if self.word == "unrecorded":
            raise ArchiveError("The journal is full.", "Free space.")
        if self.word == "half" and self.word in DONE:
            raise Refused("The ladder is gone.", "Bring it back.")
        DONE.append(self.word)
        if self.word in ("torn", "doubtful", "half", "dark"):
            raise Unreachable("The reply was lost.", "Look.")
        return {"word": self.word}

    def settle(self, target, plan, progress):
        progress("looking")
        if self.word == "dark":
            raise Unreachable("It is night.", "Wait.")
        if self.word == "doubtful":
            return Settled(Outcome.UNKNOWN, "It is too dark to see.")
        if self.word == "half":
            return Settled(Outcome.PARTLY, "Half of the word is there.")
        if self.word in DONE:
            return Settled(Outcome.DONE, "The word is there.", {"word": self.word})
        return Settled(Outcome.NOT_DONE, "The word is not there.")

    def verify(self, target, plan, values):
        LOOKED_WITH.append(type(target))
        return Verification(self.seen if self.word in DONE else Verdict.CRITICAL, "looked")

    def undo(self, target, plan, values, progress):
        if values["word"] not in DONE:
            raise Refused("The word is gone already.", "Look.")
        progress("painting over")
        DONE.remove(values["word"])
        if values["word"] == "indelible":
            return Verification(Verdict.CRITICAL, "it shines through")
        return Verification(Verdict.OK, "painted over")


class Dawdle(Paint):
    """Paints, and has no time to."""

    name: ClassVar[str] = "dawdle"
    seconds: ClassVar[float] = 0.0

    word: str = "red"


class Wash(Paint):
    """Paints, and may be repeated."""

    name: ClassVar[str] = "wash"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.REPEATABLE


class Sketch(Wash):
    """Changes nothing but this machine, and may be repeated."""

    name: ClassVar[str] = "sketch"
    effect: ClassVar[Effect] = Effect.LOCAL


class Etch(Sketch):
    """Changes nothing but this machine, once."""

    name: ClassVar[str] = "etch"
    repeat: ClassVar[Repeat] = Repeat.ONCE


FAKES = {one.name: one for one in (Paint, Dawdle, Wash, Sketch, Etch)}
