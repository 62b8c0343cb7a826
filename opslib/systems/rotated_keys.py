"""The keys that are rotated, and what tries one: the providers' of language models, and the Supabase project's own.

A provider answers a chat of one word; the project shows what its REST interface serves, and one page of its accounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from opslib.errors import Unreachable
from opslib.redaction import Secret
from opslib.settings import ReadSettings
from opslib.systems.llm_keys import PROVIDERS, Keys, Provider, ReadOnlyKeys
from opslib.systems.supabase_door import ReadOnlyDoor

RotatedName = Literal["together", "openai", "supabase"]


@dataclass(frozen=True)
class ProjectKey:
    """The key of a Supabase project that passes every policy, described as a provider's.

    ``aliases`` are other names under which the product's parts read it.
    """

    name: RotatedName = "supabase"
    title: str = "Supabase"
    variable: str = "SUPABASE_SERVICE_KEY"
    aliases: tuple[str, ...] = ("SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_SECRET_KEY")
    keys_page: str = "https://supabase.com/dashboard/project/_/settings/api-keys"
    dependency: str = "supabase"


Rotated = Provider | ProjectKey
ROTATED: dict[str, Rotated] = {**PROVIDERS, "supabase": ProjectKey()}
"""Every key that is rotated, by the name of who gives it."""
BY_API = ("openai", "supabase")
"""Who makes and deletes keys by an API; elsewhere people do."""


def names_of(one: Rotated) -> tuple[str, ...]:
    """Return every name that the key may stand under."""
    return (one.variable, *(one.aliases if isinstance(one, ProjectKey) else ()))


def trial_of(one: Rotated) -> str:
    """Return what trying a key means, in words."""
    if isinstance(one, ProjectKey):
        return "the REST interface and one page of accounts, free"
    return "one word of a chat, below 0.0001 USD"


@dataclass(frozen=True)
class Tried:
    """What trying a key showed: a sentence, figures, and whose project it was where that is said."""

    said: str
    figures: Mapping[str, Any]
    project: str = ""


class ReadOnlyRotatedKeys:
    """Who gives the keys, asked with GET alone, each time with the key that is handed in."""

    def __init__(self, settings: ReadSettings) -> None:
        self._settings = settings

    def knows(self, one: Rotated, key: Secret) -> bool:
        """Tell whether the key is taken (False: 401, and of the project 403); raises Unreachable for other answers."""
        if isinstance(one, ProjectKey):
            return ReadOnlyDoor(self._settings).takes(key)
        return ReadOnlyKeys(self._settings).knows(one, key)

    def passes(self, token: Secret, key: Secret) -> bool:
        """Tell whether the Supabase project takes ``token`` as a bearer token beside ``key``; raises Unreachable."""
        return ReadOnlyDoor(self._settings).passes(token, key)

    def close(self) -> None:
        """Nothing stays open between two questions."""


class RotatedKeys(ReadOnlyRotatedKeys):
    """Also says one word to a provider of language models, which is paid for: less than 0.0001 USD."""

    def attempt(self, one: Rotated, key: Secret) -> Tried:
        """Use the key once; raises Unreachable (unauthorized) where it is not taken, Refused as :meth:`Keys.speak`."""
        if isinstance(one, ProjectKey):
            if not self.knows(one, key):
                raise Unreachable("Supabase does not take the key.", "Look at the project's keys.", "unauthorized")
            return Tried("REST interface and sign-in answered as to the service role.", {"answers": 2})
        spoken = Keys(self._settings).speak(one, key)
        figures = {"model": spoken.model, "tokens": spoken.tokens}
        return Tried(f"answered with {spoken.model}: {spoken.tokens} tokens.", figures, spoken.project)
