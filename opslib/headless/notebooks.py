"""The notebooks that there are, and what each may be given (:mod:`opslib.headless.notebooks_parameters`)."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opslib.errors import UsageError
from opslib.headless.notebooks_parameters import ENVIRONMENT, REQUIRED, Parameter, declared, given, taken
from opslib.places import notebooks_folder


@dataclass(frozen=True)
class Notebook:
    """One notebook file: its name (``diagnostics/database``), title, first sentence and parameters."""

    name: str
    path: Path
    title: str
    about: str
    parameters: tuple[Parameter, ...]
    sha256: str

    def values(self, texts: Iterable[str], environment: str) -> dict[str, Any]:
        """Return every parameter's value from ``name=value`` texts; raises UsageError that lists all faults."""
        values, faults = given(self.parameters, texts)
        _refuse(self.name, self.parameters, faults)
        return {p.name: values.get(p.name, p.default) for p in self.parameters} | {ENVIRONMENT: environment}

    def chosen(self, known: Mapping[str, Any], environment: str) -> dict[str, Any]:
        """Return every parameter's value from the names that a notebook's process knows; others' are not looked at.

        Raises UsageError that lists all faults.
        """
        own = {p.name: known[p.name] for p in self.parameters if p.name in known} | {ENVIRONMENT: environment}
        values, faults = taken(self.parameters, own)
        faults += [f"{p.name} is required: {p.expected}" for p in self.parameters if p.required and p.name not in own]
        _refuse(self.name, self.parameters, faults)
        return {p.name: values.get(p.name, p.default) for p in self.parameters}

    def again(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of an earlier run of this notebook, read back from JSON, in their declared types.

        Raises UsageError when they are not this notebook's parameters.
        """
        found, faults = taken(self.parameters, values)
        faults += [f"{p.name} is missing" for p in self.parameters if p.name not in values]
        if faults:
            raise UsageError(f"{self.name} has other parameters now: {'; '.join(faults)}.", "Plan again.")
        return found


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


def takes_steps(notebook: Notebook) -> bool:
    """Say whether a notebook may change something: it names ``step``, or code whose names cannot be told beforehand."""
    cells = json.loads(notebook.path.read_bytes())["cells"]
    source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:
        return True
    named = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    named |= {node.id for node in nodes if isinstance(node, ast.Name)}
    return bool(named & {"step", "getattr", "eval", "exec", "vars", "globals", "attrgetter", "methodcaller"})


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
        parameters = _declared(cells)
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


def _declared(cells: Iterable[Mapping[str, Any]]) -> tuple[Parameter, ...]:
    tagged = [c for c in cells if "parameters" in c.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1:
        # papermill would put values after the first of them, and another could set them back.
        raise ValueError(f"{len(tagged)} cells have the tag parameters")
    return declared("".join(tagged[0]["source"]))


def _refuse(name: str, parameters: Iterable[Parameter], faults: list[str]) -> None:
    if faults:
        known = ", ".join(p.name for p in parameters if p.name != ENVIRONMENT)
        raise UsageError(f"{name} cannot be run: {'; '.join(faults)}.", f"Its parameters are: {known or 'none'}.")


def injected(book: Mapping[str, Any]) -> None:
    """Look at a notebook that papermill executes without ``ops run``, with values put in (``-p``, ``-r``, ``-f``…).

    Raises UsageError unless these are the notebook's parameters, each of its type and rule.
    """
    values: Mapping[str, Any] = book["metadata"].get("papermill", {}).get("parameters") or {}
    try:
        parameters = _declared(book["cells"])
    except (ValueError, SyntaxError) as error:
        raise UsageError(f"This is not a notebook of ours: {error}.", "It needs a parameters cell.") from error
    _, faults = taken(parameters, values)
    faults += [f"{p.name} is required: {p.expected}" for p in parameters if p.required and p.name not in values]
    _refuse("The notebook", parameters, faults)


def summary(notebook: Notebook) -> Mapping[str, str]:
    """Return one row of ``ops list``."""
    return {"notebook": notebook.name, "title": notebook.title, "about": notebook.about}


def described(notebook: Notebook) -> list[dict[str, str]]:
    """Return a row per parameter: what it is called, what it must be, its default and its help."""
    return [
        {
            "parameter": parameter.name,
            "type": parameter.type.__name__,
            "expected": parameter.expected,
            "default": "required" if parameter.default is REQUIRED else json.dumps(parameter.default),
            "help": parameter.help,
        }
        for parameter in notebook.parameters
    ]
