"""Values that name something on the target, looked up there before a kernel starts.

Only through handles that cannot write. A value that leads nowhere is refused with what stands near it. Where
the target cannot be asked, nobody knows: a notebook that changes staging or production is refused then; the
lab, and diagnostics, whose work it is to look at an ailing target, go on with a word of warning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from opslib.errors import Refused, Unreachable, UsageError
from opslib.headless.notebooks import Notebook
from opslib.settings import Settings

if TYPE_CHECKING:
    from opslib.systems.target import PlanTarget

LATEST = frozenset({"latest", "due", "previous"})
"""Words that stand for whatever is there when the step is planned."""
NO_DEPLOYMENT = "none"
"""Instead of a deployment: production stays where it is."""


def check_live(
    notebook: Notebook, values: Mapping[str, Any], settings: Settings, warn: Callable[[str], None] = lambda text: None
) -> None:
    """Raise UsageError for values that name nothing on the target; Refused where that cannot be known and counts."""
    asked = [p for p in notebook.parameters if p.rule.kind in _LOOKED_UP and values[p.name] not in LATEST]
    if not asked:
        return
    from opslib.systems.target import PlanTarget

    target, faults = PlanTarget(settings, "parameters"), []
    try:
        for parameter in asked:
            if said := _LOOKED_UP[parameter.rule.kind](target, values[parameter.name]):
                faults.append(f"{parameter.name}: {said}")
    except Unreachable as error:
        if settings.environment != "lab" and not notebook.name.startswith("diagnostics/"):
            raise Refused(
                f"Whether what {', '.join(p.name for p in asked)} names is there is UNKNOWN: {error.message}",
                f"Nothing was started. {error.next_step}",
            ) from error
        warn(f"not looked up before the start: {', '.join(p.name for p in asked)} ({error.message})")
    finally:
        target.close()
    if faults:
        raise UsageError(f"{notebook.name} cannot be run on {settings.environment}: {'; '.join(faults)}.")


def _backup(target: PlanTarget, value: str) -> str:
    from opslib.probes.backups_manifest import MANIFEST

    prefix, store = target.settings.backup_prefix, target.backups
    if store.head(f"{prefix}{value}{MANIFEST}") or store.head(value):
        return ""
    keys = [item.key.removeprefix(prefix) for item in store.list(prefix)]
    told = _near(value, [key.removesuffix(MANIFEST) for key in keys if key.endswith(MANIFEST)])
    return f"there is no backup of that name, and no object of that key, in s3://{store.bucket}{told}"


def _table(target: PlanTarget, value: str) -> str:
    from opslib.probes.questions import question

    names = [row["relation"] for row in target.database.ask(question("upkeep/table_names"))]
    told = _near(value, names)
    return "" if value in names else f"there is no table of that name{told}"


def _deployment(target: PlanTarget, value: str) -> str:
    if value == NO_DEPLOYMENT:
        return ""
    try:
        target.hosting.deployment(value)
    except Unreachable as error:
        if error.kind != "missing":
            raise
        told = _near(value, [one.id for one in target.hosting.deployments()])
        return f"{target.hosting.hoster} has no deployment of that id for this project{told}"
    return ""


def _near(value: str, names: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(value, names)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


_LOOKED_UP: Mapping[str, Callable[[PlanTarget, str], str]] = {
    "backup": _backup,
    "table": _table,
    "due-table": _table,
    "deployment": _deployment,
}
"""How a value of a kind is looked up: returns what is wrong with it, or nothing."""
