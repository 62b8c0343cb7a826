"""The allowed signers: whose keys count, and for what. Pure; the file's form is ssh-keygen's.

Roles are namespaces: ``opslib-approve`` approves plans, ``opslib-mandate`` gives mandates, ``opslib-witness`` tells
what happened on a game day and signs lines of the guide's lists off, ``opslib-archive`` is a host that seals, and
``opslib-audit`` an auditor. ``ssh-keygen`` lets a line without namespaces sign everything; here such a line gives no
role, and neither does a pattern: a key has the roles that its line spells out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from opslib.errors import Refused, UsageError

APPROVER = "opslib-approve"
WITNESS = "opslib-witness"
MANDATOR = "opslib-mandate"
HOST = "opslib-archive"

_LINE = re.compile(
    r"(?P<principals>[A-Za-z0-9._@+,-]+)[ \t]+"
    r"(?:(?P<options>[a-z-]+(?:=\"[^\"\\]*\")?(?:,[a-z-]+(?:=\"[^\"\\]*\")?)*)[ \t]+)?"
    r"(?P<kind>(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+)[ \t]+(?P<key>[A-Za-z0-9+/]+={0,2})(?:[ \t].*)?",
    re.ASCII,
)
_REVOKED = re.compile(r"(?:#.*|(?P<kind>[a-z0-9@.-]+) (?P<key>[A-Za-z0-9+/]+={0,2})(?: [ -~]*)?)?", re.ASCII)
_BINARY = b"SSHKRL\n\0"
_OPTION = re.compile(r"([a-z-]+)(?:=\"([^\"\\]*)\")?", re.ASCII)
_PATTERN = frozenset("*?!")


@dataclass(frozen=True)
class Signer:
    """One line of the file. ``roles`` are the namespaces that it spells out, none when it leaves them open."""

    line: int
    text: str
    principals: tuple[str, ...]
    fingerprint: str
    roles: tuple[str, ...]


def parse(content: bytes) -> tuple[Signer, ...]:
    """Return the signers in an allowed_signers file; a line in any other form gives none."""
    lines = enumerate(content.split(b"\n"), start=1)
    return tuple(found for number, line in lines if (found := _signer(number, line)) is not None)


def with_role(signers: Iterable[Signer], role: str) -> bytes:
    """Return an allowed_signers file of those lines only that give ``role``, for the program that verifies."""
    return "".join(f"{signer.text}\n" for signer in signers if role in signer.roles).encode("ascii")


def names_of(signers: Iterable[Signer], fingerprint: str, role: str) -> tuple[str, ...]:
    """Return the names under which a key has ``role``, each once."""
    found = (s.principals for s in signers if s.fingerprint == fingerprint and role in s.roles)
    return tuple(dict.fromkeys(name for names in found for name in names))


def objection(signers: Iterable[Signer], fingerprint: str, principal: str, role: str) -> str | None:
    """Return why a key cannot act as ``principal`` in ``role``, or None when a line lets it."""
    theirs = [signer for signer in signers if signer.fingerprint == fingerprint]
    if not theirs:
        return f"the key {fingerprint} is unknown: no usable line of the allowed signers has it"
    named = [signer for signer in theirs if principal in signer.principals]
    if not named:
        names = ", ".join(sorted({name for signer in theirs for name in signer.principals}))
        return f"the key {fingerprint} is {names}'s, not {principal}'s"
    if any(role in signer.roles for signer in named):
        return None
    roles = sorted({word for signer in named for word in signer.roles})
    has = f"only for {', '.join(roles)}" if roles else "for no namespace by name"
    return f'the key {fingerprint} is listed {has}; its line needs namespaces="{role}"'


def principal(signers: Iterable[Signer], fingerprint: str, given: str | None, role: str, refused: str) -> str:
    """Return the name under which a key acts in ``role``: ``given``, or the only one that it has.

    Raises UsageError where it has several and none was given, else Refused: ``refused`` ("This key cannot approve")
    and the reason.
    """
    known = tuple(signers)
    names = names_of(known, fingerprint, role)
    if given is None and len(names) == 1:
        return names[0]
    if given is None and names:
        raise UsageError(f"This key belongs to {', '.join(names)}.", "Choose one with --as.")
    if given is None or given not in names:
        why = objection(known, fingerprint, given or "anybody", role)
        raise Refused(f"{refused}: {why}.", "Use another key, or correct the allowed signers.")
    return given


def same_person(signers: Iterable[Signer], names: Iterable[str]) -> frozenset[str]:
    """Return ``names`` with every name and every key's fingerprint that belongs to the same person.

    Whoever shares a key with a name is that person, in turn. Capitals make no other name.
    """
    lines = tuple(signers)
    known = {name.casefold(): name for name in names}
    while True:
        joined = [s for s in lines if {w.casefold() for w in (*s.principals, s.fingerprint)} & known.keys()]
        found = {word.casefold(): word for s in joined for word in (*s.principals, s.fingerprint)}
        if found.keys() <= known.keys():
            return frozenset(known.values())
        known = found | known


def revocation_fault(content: bytes) -> str | None:
    """Return what is wrong with a list of revoked keys, or None.

    ``ssh-keygen`` reads binary lists and public keys, one a line; of a line that is neither it takes no notice.
    """
    if content.startswith(_BINARY):
        return None
    if not content:
        return "is empty; a list of none begins with a comment"
    for number, line in enumerate(content.decode("ascii", "replace").split("\n"), start=1):
        found = _REVOKED.fullmatch(line)
        if found is None or (found["kind"] and _fingerprint(found["kind"], found["key"]) is None):
            return f"has a line that is no public key: {number}"
    return None


def _signer(number: int, line: bytes) -> Signer | None:
    try:
        text = line.decode("ascii").strip(" \t")
    except UnicodeDecodeError:
        return None
    found = _LINE.fullmatch(text)
    options = _options(found["options"]) if found else None
    if found is None or options is None or not text.isprintable():
        return None
    principals = tuple(found["principals"].split(","))
    fingerprint = _fingerprint(found["kind"], found["key"])
    if fingerprint is None or "" in principals:
        return None
    roles = tuple(options.get("namespaces", "").split(","))
    if _PATTERN & set("".join(roles)) or "cert-authority" in options:
        # A pattern gives roles that nobody named; an authority, people that nobody named.
        roles = ()
    return Signer(number, text, principals, fingerprint, tuple(role for role in roles if role))


def _options(text: str | None) -> dict[str, str] | None:
    pairs = [(name, value) for name, value in _OPTION.findall(text or "")]
    options = dict(pairs)
    known = {"namespaces", "valid-after", "valid-before", "cert-authority"}
    return options if len(options) == len(pairs) and options.keys() <= known else None


def _fingerprint(kind: str, key: str) -> str | None:
    try:
        blob = binascii.a2b_base64(key, strict_mode=True)
    except binascii.Error:
        return None
    if not blob.startswith(len(kind).to_bytes(4) + kind.encode()):
        return None
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
