"""An env file as its readers understand it, and one made of a template and values. Pure: bytes in, bytes out.

A name that stands twice counts with its last value for every reader, so a template that has one twice is read so, and
what is made of it has each name once. Source: dotenv's and Vite's documentation (env files; ``$`` is expanded there).
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from opslib.errors import Refused
from opslib.redaction import Secret
from opslib.systems.vault import placeholder

_NAME = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=", re.ASCII)
_KEPT_ALIKE = re.compile(r"[A-Za-z0-9_./:@%+,=?&~;*!^<>()\[\]{}|-]*", re.ASCII)
"""What stands in an env file without quotes and is read alike by everybody: no blank, quote, backslash, $ or #."""


@dataclass(frozen=True)
class EnvFile:
    """``values`` by name; ``twice`` are names that stand more than once, ``odd`` the numbers of lines that are none."""

    values: Mapping[str, str] = field(repr=False)
    twice: tuple[str, ...] = ()
    odd: tuple[int, ...] = ()


def read(data: bytes) -> EnvFile:
    """Return what an env file says; a value is nowhere in what is said of a line that cannot be read."""
    from dotenv.parser import parse_stream

    values: dict[str, str] = {}
    names: Counter[str] = Counter()
    odd = []
    for binding in parse_stream(io.StringIO(data.decode("utf-8", "replace"))):
        if binding.error or (binding.key is not None and binding.value is None):
            odd.append(binding.original.line)
        elif binding.key is not None:
            names[binding.key] += 1
            values[binding.key] = binding.value or ""
    return EnvFile(values, tuple(sorted(name for name, count in names.items() if count > 1)), tuple(odd))


@dataclass(frozen=True)
class Made:
    """A file made of a template: its bytes, which are shown nowhere, and where each name's value comes from."""

    data: bytes = field(repr=False)
    sources: Mapping[str, str]
    left_out: tuple[str, ...]


def make(template: bytes, given: Mapping[str, tuple[str | Secret, str]], head: str) -> Made:
    """Fill a template: ``given`` has value and source by name; what has no value but a template's is left out.

    Names that the template does not have come at the end. Raises Refused, with the name, for a value that not every
    reader would read alike.
    """
    told = read(template)
    plain = {name: said.reveal() if isinstance(said, Secret) else said for name, (said, _) in given.items()}
    lines, sources, left_out = [f"# {head}"], {}, []
    if odd := sorted(name for name, value in plain.items() if not _KEPT_ALIKE.fullmatch(value)):
        raise Refused(
            f"{odd[0]} holds a character that env files do not keep alike.", "Renew it: no blank, quote, $, #."
        )
    seen: set[str] = set()
    for line in template.decode("utf-8", "replace").splitlines():
        found = _NAME.match(line.strip())
        if found is None:
            # A comment, or the rest of a value over several lines, which is not carried over.
            lines += [line] if not line.strip() or line.lstrip().startswith("#") else []
            continue
        name = found[1]
        if name in seen:
            continue
        seen.add(name)
        value = plain.get(name, told.values.get(name, ""))
        if name not in given and (placeholder(value) or not _KEPT_ALIKE.fullmatch(value)):
            left_out.append(name)
            lines.append(f"# {name} is not set: the template has no value of its own")
            continue
        sources[name] = given[name][1] if name in given else "template"
        lines.append(f"{name}={value}")
    for name in sorted(given.keys() - seen):
        sources[name] = given[name][1]
        lines.append(f"{name}={plain[name]}")
    return Made(("\n".join(lines) + "\n").encode(), dict(sorted(sources.items())), tuple(sorted(left_out)))
