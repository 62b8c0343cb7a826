"""What every part of a target's description is: a model whose rules are made when something is first held against them.

A description is put together of twenty parts, and pydantic would make the rules of each part, and of each class that
is put together of others, when it is imported. Only one whole is ever asked: :class:`opslib.settings.Settings` in the
runner, :class:`opslib.settings.ReadSettings` in a notebook's process.
"""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A part of a description, which is put together of many."""

    model_config = ConfigDict(defer_build=True)


def prepare(*kinds: type[Part]) -> None:
    """Make the rules of these now: for a process that forks others, each of which would make them again."""
    for kind in kinds:
        kind.model_rebuild()
