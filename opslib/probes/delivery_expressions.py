"""Expressions of GitHub's workflow files, worked out from what is known; what is not known makes them undecided.

Nothing is executed: values, comparisons and the functions that GitHub documents. Source: GitHub, "Evaluate expressions
in workflows and actions" and "Contexts reference".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

UNKNOWN = object()
"""Stands in a context for a value that nobody here can know: a step's output, a secret."""
LONGEST = 20_000
STATUS = re.compile(r"\b(always|success|failure|cancelled)\s*\(", re.IGNORECASE)
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|(?P<sign>&&|\|\||==|!=|<=|>=|[!<>()\[\].,*]))"
)
_WHOLE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}


class Undecided(Exception):
    """What an expression comes to is not known here; the message names what is missing."""


@dataclass(frozen=True)
class Context:
    """What an expression may name (``values``), and how the jobs before it ended (for success() and failure())."""

    values: Mapping[str, Any]
    results: tuple[Any, ...] = field(default=())

    def status(self, name: str) -> bool:
        """Return what a status function says."""
        if name == "always":
            return True
        if name == "cancelled":
            return False
        if "failure" in self.results:
            return name == "failure"
        if UNKNOWN in self.results:
            raise Undecided("how a job before it ended")
        return name == "success" and all(one == "success" for one in self.results)


def holds(condition: str, context: Context) -> bool:
    """Tell whether a job with this ``if`` runs; success() is asked first unless it names a status function itself."""
    bare = condition.strip()
    whole = _WHOLE.fullmatch(bare)
    bare = whole[1] if whole else bare
    if not STATUS.search(bare) and not context.status("success"):
        return False
    return not bare.strip() or truth(value(bare, context))


def filled(template: Any, context: Context) -> Any:
    """Return a value of the file with its ``${{ }}`` worked out."""
    if not isinstance(template, str):
        return template
    whole = _WHOLE.fullmatch(template.strip())
    if whole:
        return value(whole[1], context)
    return _WHOLE.sub(lambda found: _text(value(found[1], context)), template)


def value(expression: str, context: Context) -> Any:
    """Return what an expression comes to; raises Undecided where it needs what is not known, or is no expression."""
    if len(expression) > LONGEST:
        raise Undecided("a very long expression")
    try:
        return _Reader(expression, context).whole()
    except (RecursionError, ValueError, TypeError) as error:
        raise Undecided(f"an expression that is not read here ({type(error).__name__})") from None


def truth(one: Any) -> bool:
    """Tell whether a value counts as true."""
    return not (one is None or one is False or one == "" or (isinstance(one, (int, float)) and one == 0))


class _Reader:
    """Works out one expression from left to right. What a short circuit leaves out is read and not worked out."""

    def __init__(self, text: str, context: Context) -> None:
        self.tokens = _tokens(text)
        self.at, self.context, self.idle = 0, context, 0

    def whole(self) -> Any:
        found = self.either()
        if self.at < len(self.tokens):
            raise ValueError(self.tokens[self.at])
        return found

    def either(self) -> Any:
        return self.chain(self.both, "||", lambda left: truth(left))

    def both(self) -> Any:
        return self.chain(self.equal, "&&", lambda left: not truth(left))

    def chain(self, inner: Callable[[], Any], sign: str, stops: Callable[[Any], bool]) -> Any:
        left = inner()
        while self.take(sign):
            stopped = self.idle > 0 or stops(left)
            self.idle += stopped
            right = inner()
            self.idle -= stopped
            left = left if stopped else right
        return left

    def equal(self) -> Any:
        left = self.ordered()
        while (sign := self.take("==", "!=")) is not None:
            right = self.ordered()
            left = _same(left, right) is (sign == "==")
        return left

    def ordered(self) -> Any:
        left = self.single()
        while (sign := self.take("<", "<=", ">", ">=")) is not None:
            low, high = _number(left), _number(self.single())
            left = {"<": low < high, "<=": low <= high, ">": low > high, ">=": low >= high}[sign]
        return left

    def single(self) -> Any:
        if self.take("!"):
            return not truth(self.single())
        if self.take("("):
            found = self.either()
            self.must(")")
            return self.below(found)
        kind, said = self.next()
        if kind == "text":
            return said[1:-1].replace("''", "'")
        if kind == "number":
            return float(said)
        if kind != "word":
            raise ValueError(said)
        if self.take("("):
            return self.below(self.call(said.lower()))
        if said in _WORDS:
            return _WORDS[said]
        if said not in self.context.values and not self.idle:
            raise Undecided(said)
        return self.below(self.context.values.get(said), said)

    def below(self, one: Any, name: str = "its value") -> Any:
        """Follow ``.name``, ``[…]`` and ``.*`` from a value."""
        while (sign := self.take(".", "[")) is not None:
            if sign == ".":
                kind, key = self.next()
                if kind not in ("word", "sign") or (kind == "sign" and key != "*"):
                    raise ValueError(key)
            else:
                key = "*" if self.take("*") else self.either()
                self.must("]")
            name = f"{name}.{key}"
            one = _member(one, key)
        if one is UNKNOWN and not self.idle:
            raise Undecided(name)
        return one

    def call(self, name: str) -> Any:
        given = []
        while not self.take(")"):
            given.append(self.either())
            if not self.take(","):
                self.must(")")
                break
        if self.idle:
            return None
        if name in ("always", "success", "failure", "cancelled"):
            return self.context.status(name)
        if name not in _FUNCTIONS:
            raise Undecided(f"{name}()")
        return _FUNCTIONS[name](*given)

    def take(self, *signs: str) -> str | None:
        if self.at < len(self.tokens) and self.tokens[self.at] in [("sign", sign) for sign in signs]:
            self.at += 1
            return self.tokens[self.at - 1][1]
        return None

    def must(self, sign: str) -> None:
        if not self.take(sign):
            raise ValueError(f"no {sign}")

    def next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise ValueError("the end")
        self.at += 1
        return self.tokens[self.at - 1]


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while text[at:].strip():
        token = _TOKEN.match(text, at)
        if token is None or token.lastgroup is None:
            raise ValueError(text[at : at + 20])
        found.append((token.lastgroup, token[token.lastgroup]))
        at = token.end()
    return found


def _member(one: Any, key: Any) -> Any:
    if key == "*":
        return list(one.values()) if isinstance(one, Mapping) else list(one or ())
    if isinstance(one, list):
        if isinstance(key, float):
            return one[int(key)] if 0 <= key < len(one) else None
        # What follows ".*" is asked of each.
        return [_member(each, key) for each in one]
    if one is UNKNOWN:
        return UNKNOWN
    return one.get(key) if isinstance(one, Mapping) else None


def _text(one: Any) -> str:
    if one is None:
        return ""
    if isinstance(one, bool):
        return "true" if one else "false"
    return f"{one:g}" if isinstance(one, (int, float)) else one if isinstance(one, str) else json.dumps(one)


def _number(one: Any) -> float:
    if isinstance(one, str):
        try:
            return float(one.strip() or 0)
        except ValueError:
            return float("nan")
    return float(one or 0) if one is None or isinstance(one, (bool, int, float)) else float("nan")


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    if type(left) is type(right) or left is None or right is None:
        return _number(left) == _number(right) if left is None or right is None else bool(left == right)
    return _number(left) == _number(right)


def _contains(among: Any, item: Any) -> bool:
    if UNKNOWN in (among, item) or (isinstance(among, list) and UNKNOWN in among):
        raise Undecided("how a job before it ended")
    if isinstance(among, list):
        return any(_same(one, item) for one in among)
    return _text(item).lower() in _text(among).lower()


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "contains": _contains,
    "startswith": lambda text, start: _text(text).lower().startswith(_text(start).lower()),
    "endswith": lambda text, end: _text(text).lower().endswith(_text(end).lower()),
    "fromjson": lambda text: json.loads(_text(text)),
    "tojson": json.dumps,
    "join": lambda many, by=",": by.join(map(_text, many if isinstance(many, list) else [many])),
    "format": lambda text, *given: re.sub(r"\{(\d+)\}", lambda found: _text(given[int(found[1])]), _text(text)),
}
