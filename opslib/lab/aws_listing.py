"""Listings of a bucket's versions cost what they list: moto copies each object with its content for every one of them.

A copy serves to say which version is the latest. Here it shares the content with the object, which nobody changes: a
new content is a new object. With a base backup in the bucket a listing took a second of the server's processor.
"""

from __future__ import annotations

from typing import Any

from moto.s3.models import FakeKey


class Listed(FakeKey):
    """An object as a listing has it; its end is not that of the content."""

    def dispose(self, garbage: bool = False) -> None:
        """Leave the content to the object."""


def listed(self: FakeKey, memo: dict[int, Any]) -> FakeKey:
    """Return a copy for a listing, to stand for :meth:`FakeKey.__deepcopy__`."""
    # Not by its class, which keeps a list of all that it makes.
    made: Listed = object.__new__(Listed)
    made.__dict__.update(self.__dict__)
    return made
