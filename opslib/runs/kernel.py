"""What a run needs of the Jupyter kernel around it: how values show, which cell runs, how errors look."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from opslib.errors import OpsError, Refused
from opslib.runs import display

Tell = Callable[[Mapping[str, Any]], None]

_following: list[Any] = []


def prepare() -> None:
    """Let readings, results, evidence and pictures show as tables and cards, and OpsErrors as two sentences.

    Outside a kernel nothing is done.
    """
    shell = _shell()
    if shell is None:
        return
    display.register(shell)
    # Jupyter says which notebook this process belongs to; its folder is called notebooks.
    _, inside, place = os.environ.get("JPY_SESSION_NAME", "").rpartition("notebooks/")
    display.lies(place.count("/") if inside else 1)
    shell.set_custom_exc((OpsError, ValidationError), _short)


def current_cell() -> str | None:
    """Return the id of the cell that JupyterLab is executing; None where the runner knows it better."""
    shell = _shell()
    if shell is None or not hasattr(shell, "get_parent"):
        return None
    metadata = shell.get_parent().get("metadata") or {}
    cell = metadata.get("cellId")
    return str(cell) if cell else None


def known() -> tuple[dict[str, Any], list[str]]:
    """Return what this process knows by name, and the sources that it has executed, the current one too."""
    shell = _shell()
    if shell is None:
        return {}, []
    return dict(shell.user_ns), [str(source) for source in shell.history_manager.input_hist_raw if source]


def people() -> bool:
    """Whether a person can be asked: a cell runs, in a kernel that hears answers meanwhile (subshells)."""
    shell = _shell()
    return current_cell() is not None and bool(getattr(getattr(shell, "kernel", None), "_supports_kernel_subshells", 0))


def follow(path: str) -> None:
    """Tell the executor at ``path`` of each cell from now on: what it runs, and what it shows."""
    shell = _shell()
    if shell is None or not hasattr(shell, "kernel") or current_cell() is None:
        return
    from opslib.runs.following import Following

    for earlier in _following:
        earlier.close()
    _following[:] = [Following(path, shell)]


@contextmanager
def progress(title: str) -> Iterator[Tell]:
    """Show one line under the cell that follows a step's progress; it is gone when the step has ended."""
    shell = _shell()
    if shell is None or current_cell() is None:
        yield lambda said: None
        return
    from IPython.display import display as show

    line = show({"text/plain": title}, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def tell(said: Mapping[str, Any]) -> None:
        share = f" {said['done'] / said['total']:.0%}" if said.get("total") and said.get("done") is not None else ""
        line.update({"text/plain": f"{title}: {said['text']}{share}"}, raw=True)

    try:
        yield tell
    finally:
        line.update({"text/plain": ""}, raw=True)


def _short(shell: Any, kind: type[BaseException], error: BaseException, trace: Any, tb_offset: Any = None) -> list[str]:
    # People need the sentence and the next step; the trace of our own code helps nobody at 3 a.m.
    if isinstance(error, ValidationError):
        # Here, for a notebook that only looks pays for no action.
        from opslib.actions.base import faults

        error = Refused(f"Wrong parameters: {faults(error)}.", "Correct the parameter; this cell changed nothing.")
        kind = Refused
    lines = [f"{kind.__name__}: {error}"]
    shell._showtraceback(kind, error, lines)
    return lines


def _shell() -> Any:
    if "IPython" not in sys.modules:
        return None
    return sys.modules["IPython"].get_ipython()
