"""A development environment of the lab as people make it by hand: the template for an env file, and no packages.

The checkout is made where the lab's description says, unless one stands there; then what is taken from it is kept.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from opslib.lab import development
from opslib.lab.broken import Fault
from opslib.lab.broken.parts import folder
from opslib.lab.processes import LabError
from opslib.lab.vendors import product
from opslib.model import Verdict
from opslib.settings import Settings
from opslib.systems.env_variables import VARIABLES
from opslib.systems.workspace import ENV, TEMPLATE

AREA, CHECK, NOTEBOOK = "environment", "environment-development", "runbooks/set-up-environment"
MODULES, BRAND = "node_modules", "@valuecanvas/brand"
MADE, KEPT_FILE, KEPT_MODULES = "lab-made", "lab-env-file", "lab-modules"
"""What a fault leaves in ``.git``: that the checkout is its own, or what it took from another's."""


def copy_template(settings: Settings) -> None:
    """Take the template for the env file, as the guide does: with its dummy values, and one name twice."""
    place = _checkout(settings)
    _keep(place / ENV, place / ".git" / KEPT_FILE)
    _write(place, (place / TEMPLATE).read_bytes())
    if not (place / MODULES).exists():
        _install(place)


def leave_packages_out(settings: Settings) -> None:
    """Take the packages away, as after a fresh checkout that nobody installed in."""
    place = _checkout(settings)
    _keep(place / MODULES, place / ".git" / KEPT_MODULES)
    if not (place / ENV).exists():
        values = {one.name: one.standard for one in VARIABLES if one.standard} | development.values()
        _write(place, "".join(f"{name}={value}\n" for name, value in values.items()).encode())


def take_away(settings: Settings) -> None:
    """Take the checkout away that a fault made; bring back what one took from another's."""
    if (place := settings.workspace) is None:
        return
    if (place / ".git" / MADE).exists():
        development.down(folder(settings))
        shutil.rmtree(place)
        return
    for kept, name in ((KEPT_FILE, ENV), (KEPT_MODULES, MODULES)):
        if (place / ".git" / kept).exists():
            _remove(place / name)
            (place / ".git" / kept).rename(place / name)


def _checkout(settings: Settings) -> Path:
    if (place := settings.workspace) is None or settings.repository is None:
        raise LabError("This lab has no repository of the product.", "Install git, then: ops lab down, ops lab up")
    if not place.exists():
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        product.git(place.parent, "clone", "--quiet", str(settings.repository), str(place))
        (place / ".git" / MADE).touch()
    return place


def _keep(path: Path, kept: Path) -> None:
    """Put aside what stands there, unless a fault of before has done so: then it is the fault's own."""
    if path.exists() and not kept.exists():
        path.rename(kept)
    _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def _write(place: Path, data: bytes) -> None:
    (place / ENV).touch(mode=0o600)
    (place / ENV).write_bytes(data)


def _install(place: Path) -> None:
    """Install the lab's one package, which lies in the repository, as npm does: no npm is needed for that."""
    (place / MODULES / BRAND).parent.mkdir(parents=True)
    (place / MODULES / BRAND).symlink_to("../../packages/brand")
    locked = json.loads((place / "package-lock.json").read_text(encoding="utf-8"))
    locked["packages"].pop("")
    (place / MODULES / ".package-lock.json").write_text(json.dumps(locked), encoding="utf-8")


FAULTS = (
    Fault(
        "development-template",
        AREA,
        "A developer's env file is a copy of the template: dummy values, and a name that stands twice",
        CHECK,
        NOTEBOOK,
        make=copy_template,
        mend=take_away,
        # No user notices what is amiss on a developer's machine.
        verdict=Verdict.WARNING,
    ),
    Fault(
        "development-without-packages",
        AREA,
        "In a developer's checkout nobody has installed the packages",
        CHECK,
        NOTEBOOK,
        make=leave_packages_out,
        mend=take_away,
        verdict=Verdict.WARNING,
    ),
)
