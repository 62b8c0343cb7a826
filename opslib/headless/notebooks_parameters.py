"""What may be given to a notebook: typed parameters, each with a rule that no hostile or mistyped value fits.

A parameter is one line of the notebook's parameters cell, ``name: type = literal  # help [rule]``; see
docs/parameters.md. A text is one of the choices named, or of a kind from the closed list of
:mod:`.notebooks_kinds`, so that no free text ever reaches a kernel, a plan or a target.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from opslib.headless.notebooks_kinds import KINDS
from opslib.model import ENVIRONMENTS

NAME = re.compile(r"[a-z][a-z0-9_]{0,40}", re.ASCII)
TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
REQUIRED = object()
ENVIRONMENT = "environment"

LONGEST = 1000
"""Characters that a given text may have at most; what is longer is not even looked at."""

UNITS = frozenset({"bytes", "days", "hours", "keys", "lookups", "megabytes", "minutes", "replicas", "rows", "seconds"})

_NUMBERS = {
    int: re.compile(r"-?(0|[1-9][0-9]{0,15})", re.ASCII),
    float: re.compile(r"-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,12})?", re.ASCII),
}
_NUMBER = r"(-?[0-9]+(?:\.[0-9]+)?)"
_RANGE = re.compile(rf"(?:([a-z]+), )?{_NUMBER} to {_NUMBER}", re.ASCII)
_CHOICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,40}", re.ASCII)
_HELP = re.compile(r"(?P<help>.*?)(?:\s*\[(?P<rule>[^\[\]]*)\])?", re.DOTALL)


@dataclass(frozen=True)
class Rule:
    """What a value must be beyond its type: a range with its unit, one of some choices, or of a kind."""

    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    kind: str = ""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook: its type is one of str, int, float, bool; ``help`` is without the rule."""

    name: str
    type: type
    default: Any
    help: str
    rule: Rule = Rule()

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.default is REQUIRED

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        if self.type is bool:
            return "true or false"
        if self.type is str:
            choices = ", ".join(self.rule.choices)
            return f"one of: {choices}" if choices else KINDS[self.rule.kind].says
        of = f" of {self.rule.unit}" if self.rule.unit else ""
        number = "a whole number" if self.type is int else "a number"
        return f"{number}{of}, {_digits(self.rule.low)} to {_digits(self.rule.high)}"

    def parse(self, text: str) -> Any:
        """Return ``text`` as this parameter's type; raises ValueError with what was expected."""
        value: Any = None
        if len(text) > LONGEST:
            raise ValueError(f"expected {self.expected}, not {len(text)} characters")
        if self.type is bool:
            value = {"true": True, "false": False}.get(text)
        elif self.type is str:
            value = text
        elif _NUMBERS[self.type].fullmatch(text):
            value = self.type(text)
        return self.take(value)

    def take(self, value: Any) -> Any:
        """Return ``value`` if it is of this type and fits its rule; raises ValueError with what was expected.

        A whole number is taken for a float, as JSON and YAML write one.
        """
        if self.type is float and type(value) is int and abs(value) < 2**53:
            value = float(value)
        if type(value) is not self.type or not self._fits(value):
            raise ValueError(f"expected {self.expected}")
        return value

    def _fits(self, value: Any) -> bool:
        if self.type is bool:
            return True
        if self.type is str:
            if self.rule.choices:
                return value in self.rule.choices
            return bool(KINDS[self.rule.kind].pattern.fullmatch(value))
        # The bounds are finite, and what is no number is between none.
        return bool(self.rule.low <= value <= self.rule.high)


def declared(source: str) -> tuple[Parameter, ...]:
    """Return the parameters that a parameters cell declares; raises ValueError for anything else that is in it."""
    lines = source.splitlines()
    found: list[Parameter] = []
    for node in ast.parse(source).body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            raise ValueError(f"line {node.lineno} of the parameters cell is not 'name: type = literal  # help [rule]'")
        _, _, said = lines[(node.end_lineno or node.lineno) - 1].partition("#")
        parameter = _declared(node, node.target.id, said.strip())
        if any(other.name == parameter.name for other in found):
            raise ValueError(f"parameter {parameter.name} is declared twice")
        found.append(parameter)
    # Another default would lead whoever runs the notebook without naming an environment there.
    if not found or (found[0].name, found[0].default) != (ENVIRONMENT, ENVIRONMENTS[0]):
        raise ValueError(f"the first parameter must be {ENVIRONMENT}, with {ENVIRONMENTS[0]} as its default")
    return tuple(found)


def _declared(node: ast.AnnAssign, name: str, said: str) -> Parameter:
    kind = TYPES.get(ast.unparse(node.annotation))
    if kind is None or not NAME.fullmatch(name):
        raise ValueError(f"parameter {name} needs a lower-case name and one of {', '.join(TYPES)}")
    default = REQUIRED if node.value is None else ast.literal_eval(node.value)
    if default is not REQUIRED and type(default) is not kind:
        raise ValueError(f"the default of {name} is not of type {kind.__name__}")
    if name == ENVIRONMENT:
        return Parameter(name, kind, default, said, Rule(choices=tuple(ENVIRONMENTS)))
    parts = _HELP.fullmatch(said)
    assert parts is not None
    try:
        parameter = Parameter(name, kind, default, parts["help"].strip(), _rule(kind, parts["rule"] or ""))
        if default is not REQUIRED:
            parameter.take(default)
    except ValueError as error:
        raise ValueError(f"parameter {name}: {error}") from None
    return parameter


def _rule(kind: type, text: str) -> Rule:
    if kind is bool:
        if text:
            raise ValueError("true or false needs no rule")
        return Rule()
    if kind is str:
        word, _, rest = text.partition(": ")
        choices = tuple(rest.split(", "))
        if word == "one of" and all(_CHOICE.fullmatch(choice) for choice in choices):
            return Rule(choices=choices)
        if word == "kind" and rest in KINDS:
            return Rule(kind=rest)
        raise ValueError(f"its help must end in [one of: a, b] or [kind: K], K being one of {', '.join(KINDS)}")
    found = _RANGE.fullmatch(text)
    if not found or (found[1] and found[1] not in UNITS) or not float(found[2]) < float(found[3]):
        raise ValueError(
            f"its help must end in [LOW to HIGH] or [UNIT, LOW to HIGH], UNIT of {', '.join(sorted(UNITS))}"
        )
    return Rule(unit=found[1] or "", low=float(found[2]), high=float(found[3]))


def given(parameters: Iterable[Parameter], texts: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the values that ``name=value`` texts give, and every fault, each with the parameter's name and rule.

    No fault repeats a value: it may be a secret in the wrong place.
    """
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {}
    faults: list[str] = []
    seen: set[str] = set()
    for number, text in enumerate(texts, 1):
        name, equals, value = text.partition("=")
        if not equals or not NAME.fullmatch(name):
            faults.append(f"number {number} is not of the form name=value" + near(name, known))
        elif name == ENVIRONMENT:
            faults.append(f"{ENVIRONMENT} is given with --environment")
        elif name not in known:
            faults.append(f"{name} is not a parameter" + near(name, known))
        elif name in seen:
            faults.append(f"{name} is given twice")
        else:
            seen.add(name)
            try:
                values[name] = known[name].parse(value)
            except ValueError as error:
                faults.append(f"{name}: {error}")
    faults += [f"{p.name} is required: {p.expected}" for p in known.values() if p.required and p.name not in seen]
    return values, faults


def taken(parameters: Iterable[Parameter], values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return typed ``values`` (of a plan, or of papermill) as they are declared, and every fault as :func:`given`."""
    known = {parameter.name: parameter for parameter in parameters}
    found: dict[str, Any] = {}
    faults = []
    for name, value in values.items():
        if name not in known:
            # ASCII shows a letter that only looks like one of ours, and nothing that a terminal obeys.
            faults.append(f"{str(name)[:60]!a} is not a parameter" + near(str(name), known))
            continue
        try:
            found[name] = known[name].take(value)
        except ValueError as error:
            faults.append(f"{name}: {error}")
    return found, faults


def near(name: str, known: Iterable[str]) -> str:
    """Return a question after the parameter that was perhaps meant, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(name.strip().lower()[:60], [one for one in known if one != ENVIRONMENT], n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _digits(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)
