"""Words as files: signed by whose they are, found and verified by who shows them.

``<archive>/words/<day>/<time>-<principal>.word`` with its ``.sig`` beside it; sign-offs of the guide's lists, which are
words of another form (:mod:`opslib.runs.sign_offs`), lie in ``<archive>/sign-offs/<item>``. Whose key counts is said by
the target's allowed signers, in a role of its own (``opslib-witness``): who may approve is not thereby a witness, nor
the other way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from opslib import files
from opslib.errors import OpsError, Refused, UsageError
from opslib.runs import signed, signers, words
from opslib.runs.signed import Trust, trusted
from opslib.runs.words import Word
from opslib.settings import Settings
from opslib.systems import ssh_keygen

FOLDER = "words"
"""Below the archive."""
SUFFIX, SIGNATURE = ".word", ".word.sig"
MOST = 500
"""Words of one day that are looked at; each is verified, which costs a process."""


class Said(Protocol):
    """What every form of a word says: of which target, by whom, and when it was signed."""

    @property
    def environment(self) -> str: ...  # noqa: D102 - the class says it
    @property
    def by(self) -> str: ...  # noqa: D102
    @property
    def signed_at(self) -> datetime: ...  # noqa: D102
    def encode(self) -> bytes: ...  # noqa: D102


S = TypeVar("S", bound=Said)


@dataclass(frozen=True)
class Form(Generic[S]):
    """A form of words: how a statement is read (ValueError where it is none), and by which command one is given."""

    parse: Callable[[bytes], S]
    command: str


DAYS = Form(words.parse, "ops witness DAY MOMENT")


@dataclass(frozen=True)
class Heard(Generic[S]):
    """A word that verifies, with the bytes that were verified and the name of their file."""

    word: S
    name: str
    statement: bytes
    signature: bytes


@dataclass(frozen=True)
class Collected(Generic[S]):
    """The words of one folder, in their order; and what lies there and is none, in words.

    ``unknown`` says why no word can be verified at all; then there is neither.
    """

    heard: tuple[Heard[S], ...]
    refusals: tuple[str, ...]
    unknown: str = ""


def verify(statement: bytes, armour: bytes, trust: Trust, moment: datetime, form: Form[S]) -> S:
    """Return the word in a statement whose signature held when it was made and holds at ``moment``.

    Raises Refused that says why it does not count. A key that was revoked since counts no more.
    """
    try:
        word = form.parse(statement)
    except ValueError as error:
        raise Refused(f"The statement {error}.", f"Give a word with: {form.command}") from None
    if word.signed_at > moment + words.SKEW:
        raise Refused("It was signed in the future.", "Look at the clock of the machine that signed it.")
    signed.demand(statement, armour, trust, signers.WITNESS, word.by, (word.signed_at,))
    return word


def collect(folder: Path, day: str, settings: Settings, moment: datetime) -> Collected[Word]:
    """Look for the words of a game day in ``folder``, in the order of their moments; see :func:`collected`."""

    def elsewhere(word: Word) -> str:
        return "" if word.day == day else f"It is of another day: {word.day}."

    found = collected(folder, settings, moment, DAYS, elsewhere)
    heard = tuple(sorted(found.heard, key=lambda one: (one.word.at, one.name)))
    return Collected(heard, found.refusals, found.unknown)


def collected(
    folder: Path, settings: Settings, moment: datetime, form: Form[S], misplaced: Callable[[S], str]
) -> Collected[S]:
    """Look for words in ``folder``, in the order of their files; what does not verify becomes a refusal in words.

    ``misplaced`` says why a word does not belong there, or nothing. Raises nothing. A word of another target is none
    of this one's, whoever signed it.
    """
    try:
        trust = trusted(settings.allowed_signers, settings.revoked_keys)
    except Refused as error:
        return Collected((), (), str(error))
    heard, refusals = list[Heard[S]](), list[str]()
    for name, why in _listed(folder):
        try:
            if why:
                raise Refused(why)
            statement = signed.statement_of(folder / name, words.LARGEST)
            if _elsewhere(statement, settings, form):
                continue
            signature = signed.signature_of(folder / name)
            word = verify(statement, signature, trust, moment, form)
            if why := misplaced(word):
                raise Refused(why)
            heard.append(Heard(word, name, statement, signature))
        except OpsError as error:
            refusals.append(f"{signed.shown(name)}: {error.message}")
    once = {one.statement: one for one in heard}
    return Collected(tuple(once.values()), tuple(refusals))


def keep(folder: Path, heard: Sequence[Heard[S]], settings: Settings) -> None:
    """Copy words to ``folder``, with the lists of keys that they were verified with: an auditor needs nothing else."""
    try:
        trust = trusted(settings.allowed_signers, settings.revoked_keys)
    except Refused:
        return
    files.make_folder(folder)
    kept = trust.kept()
    for one in heard:
        kept |= {one.name: one.statement, f"{one.name}.sig": one.signature}
    for name, data in kept.items():
        files.write(folder / name, data, folder / f".{name}.part")


def _elsewhere(statement: bytes, settings: Settings, form: Form[S]) -> bool:
    with suppress(ValueError):
        return form.parse(statement).environment != settings.environment
    return False


def _listed(folder: Path) -> Iterator[tuple[str, str]]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - a folder of names that anybody chose
    except OSError:
        return
    statements = [name for name in names if name.endswith(SUFFIX)]
    yield from ((name, "") for name in statements[:MOST])
    if len(statements) > MOST:
        yield folder.name, f"There are more than {MOST} words; the others were not looked at."
    pairs = {f"{name}.sig" for name in statements}
    yield from ((name, "It is no word.") for name in names if name not in pairs and not name.endswith(SUFFIX))


def give(word: S, folder: Path, *, key: Path, trust: Trust | None, form: Form[S]) -> Path:
    """Sign a word with ``key`` and return its path in ``folder``; where ``trust`` is at hand, only one that counts.

    Raises UsageError for a word that has no form or makes no sense, Refused where the key is nobody's of that name.
    """
    try:
        statement = word.encode()
    except ValueError as error:
        raise UsageError(f"The word {error}.", f"See: {' '.join(form.command.split()[:2])} --help") from None
    armour = ssh_keygen.sign(statement, signers.WITNESS, key)
    if trust is not None:
        verify(statement, armour, trust, word.signed_at, form)
    path = folder / f"{word.signed_at:%Y%m%dT%H%M%S%fZ}-{word.by}{SUFFIX}"
    signed.write(path, statement, armour)
    return path


def name_of(key: Path, given: str | None, trust: Trust | None) -> str:
    """Return the name under which the key's holder is a witness; raises UsageError or Refused where that is not clear.

    ``given`` is the name that the caller typed, needed without ``trust`` and where the key has several.
    """
    fingerprint = ssh_keygen.fingerprint(key)
    return signed.principal(fingerprint, given, trust, signers.WITNESS, "This key cannot be a witness's")
