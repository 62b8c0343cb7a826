"""The notebooks that there are, and the typed parameters that each declares in its own cell.

A parameters cell holds one declaration per line, ``name: type = literal  # help``; a declaration
without a value is required. Nothing is started before every value fits its type.
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opslib.errors import UsageError
from opslib.model import ENVIRONMENTS
from opslib.settings import notebooks_folder

NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
REQUIRED = object()


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook: its type is one of str, int, float, bool; ``help`` ends in its unit."""

    name: str
    type: type
    default: Any
    help: str

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.default is REQUIRED

    def parse(self, text: str) -> Any:
        """Return ``text`` as this parameter's type; raises ValueError with what was expected."""
        if self.type is bool:
            if text.lower() not in ("true", "false"):
                raise ValueError("expected true or false")
            return text.lower() == "true"
        if self.type is str:
            if not text.isprintable():
                raise ValueError("expected printable text on one line")
            return text
        try:
            value = self.type(text)
        except ValueError:
            raise ValueError(f"expected {'a whole number' if self.type is int else 'a number'}") from None
        if not math.isfinite(value):
            raise ValueError("expected a finite number")
        return value


@dataclass(frozen=True)
class Notebook:
    """One notebook file: its name (``diagnostics/database``), title, first sentence and parameters."""

    name: str
    path: Path
    title: str
    about: str
    parameters: tuple[Parameter, ...]
    sha256: str

    def values(self, given: Iterable[str], environment: str) -> dict[str, Any]:
        """Return every parameter's value from ``name=value`` texts; raises UsageError that lists all faults."""
        declared = {parameter.name: parameter for parameter in self.parameters}
        values: dict[str, Any] = {"environment": environment}
        faults = []
        for text in given:
            name, equals, value = text.partition("=")
            if not equals or not NAME.fullmatch(name):
                faults.append(f"{text!r} is not of the form name=value")
            elif name not in declared:
                faults.append(f"{name} is not a parameter of {self.name}")
            elif name == "environment" and value != environment:
                faults.append("environment is given with --environment")
            else:
                try:
                    values[name] = declared[name].parse(value)
                except ValueError as error:
                    faults.append(f"{name}: {error}")
        faults += [f"{p.name} is required ({p.help})" for p in self.parameters if p.required and p.name not in values]
        if faults:
            known = ", ".join(f"{p.name} ({p.type.__name__})" for p in self.parameters if p.name != "environment")
            raise UsageError(
                f"{self.name} cannot be run: {'; '.join(faults)}.", f"Its parameters are: {known or 'none'}."
            )
        return {p.name: values.get(p.name, p.default) for p in self.parameters}


def find(name: str, folder: Path | None = None) -> Notebook:
    """Return the notebook called ``name`` (as in ``ops list``, or its path); raises UsageError with near names."""
    folder = folder or notebooks_folder()
    wanted = name.removesuffix(".ipynb").removeprefix(f"{folder}/").removeprefix("notebooks/")
    names = {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.ipynb")}
    if wanted not in names:
        from difflib import get_close_matches

        near = get_close_matches(wanted, names, n=3, cutoff=0.4)
        raise UsageError(
            f"There is no notebook {name!r}.",
            f"Did you mean {' or '.join(near)}?" if near else "See all with: ops list",
        )
    return load(names[wanted], folder)


def everything() -> list[Notebook]:
    """Return all notebooks, by name."""
    folder = notebooks_folder()
    return [load(path, folder) for path in sorted(folder.rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]


def load(path: Path, folder: Path) -> Notebook:
    """Read one notebook file; raises UsageError where it is not one of ours."""
    data = path.read_bytes()
    name = path.relative_to(folder).with_suffix("").as_posix()
    try:
        cells = json.loads(data)["cells"]
        first = "".join(cells[0]["source"])
        source = next("".join(c["source"]) for c in cells if "parameters" in c.get("metadata", {}).get("tags", []))
        parameters = declared(source)
        ids = [cell.get("id") for cell in cells]
        if len(set(ids)) != len(ids):
            raise ValueError("two cells have the same id")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, SyntaxError, StopIteration) as error:
        raise UsageError(
            f"{path} is not a notebook of ours: {error}.", "It needs a title and a parameters cell."
        ) from error
    title, _, rest = first.partition("\n")
    about = next((line.strip() for line in rest.splitlines() if line.strip()), "")
    return Notebook(name, path, title.lstrip("# ").strip(), about, parameters, hashlib.sha256(data).hexdigest())


def declared(source: str) -> tuple[Parameter, ...]:
    """Return the parameters that a parameters cell declares; raises ValueError on any other statement in it."""
    lines = source.splitlines()
    parameters = []
    for node in ast.parse(source).body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            raise ValueError(f"line {node.lineno} of the parameters cell is not 'name: type = literal  # help'")
        kind = TYPES.get(ast.unparse(node.annotation))
        if kind is None or not NAME.fullmatch(node.target.id):
            raise ValueError(f"parameter {node.target.id} needs a lower-case name and one of {', '.join(TYPES)}")
        default = REQUIRED if node.value is None else ast.literal_eval(node.value)
        if default is not REQUIRED and (type(default) is not kind):
            raise ValueError(f"the default of {node.target.id} is not of type {kind.__name__}")
        _, _, said = lines[(node.end_lineno or node.lineno) - 1].partition("#")
        parameters.append(Parameter(node.target.id, kind, default, said.strip()))
    if not parameters or parameters[0].name != "environment" or parameters[0].default not in ENVIRONMENTS:
        raise ValueError("the first parameter must be environment, with a known one as its default")
    return tuple(parameters)


def summary(notebook: Notebook) -> Mapping[str, str]:
    """Return one row of ``ops list``."""
    return {"notebook": notebook.name, "title": notebook.title, "about": notebook.about}
