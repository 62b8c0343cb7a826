"""IPython's shell as a notebook's process has it: what a cell shows goes out as messages.

It is built before a fork where there is one (:mod:`opslib.headless.kernel_zygote`): that part reads no environment,
makes no folder and knows of no run. :meth:`Shell.settle` is the rest, and is called in the process that executes cells.
"""

from __future__ import annotations

import atexit
import base64
import json
import numbers
import os
import tempfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any

from IPython.core.autocall import ExitAutocall
from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.profiledir import ProfileDir
from traitlets import Type, default
from traitlets.config import Config

from opslib.headless import shell_line
from opslib.headless.shell_streams import Outlet

TERMINAL = {
    "TERM": "xterm-color",
    "CLICOLOR": "1",
    "FORCE_COLOR": "1",
    "CLICOLOR_FORCE": "1",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
}
"""What ipykernel tells the programs that a cell starts: colours, and nobody who could page."""


class Compiler(CachingCompiler):
    """Names a cell's code as ipykernel does: warnings and tracebacks show it."""

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        """Return the name of the file in which the code seems to be."""
        return f"{tempfile.gettempdir()}/ipykernel_{os.getpid()}/{zlib.crc32(raw_code.encode(errors='replace'))}.py"


class Hook(DisplayHook):
    """Sends a cell's last value."""

    shell: Shell
    _content: dict[str, Any] | None = None

    def start_displayhook(self) -> None:
        """Begin."""
        self._content = {"data": {}, "metadata": {}}

    def write_output_prompt(self) -> None:
        """Note the number of the cell."""
        if self._content is not None:
            self._content["execution_count"] = self.prompt_count

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        """Note the value in its forms."""
        if self._content is not None:
            self._content |= {"data": format_dict, "metadata": md_dict or {}}

    def finish_displayhook(self) -> None:
        """Send it."""
        content, self._content = self._content, None
        if content and content["data"]:
            self.shell.send("execute_result", content)

    @property
    def busy(self) -> bool:
        """Whether a value is being formatted."""
        return self._content is not None


class Publisher(DisplayPublisher):
    """Sends what a cell displays."""

    shell: Shell

    def publish(  # type: ignore[override] # as ipykernel's
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **unused: Any,
    ) -> None:
        """Send a value, or another state of one that was sent."""
        metadata = metadata or {}
        self._validate_data(data, metadata)
        kind = "update_display_data" if update else "display_data"
        self.shell.send(kind, {"data": data, "metadata": metadata, "transient": transient or {}})

    def clear_output(self, wait: bool = False) -> None:
        """Take back what the cell has shown."""
        self.shell.send("clear_output", {"wait": wait})


class Exit(ExitAutocall):
    """``exit`` in a cell: the process ends after it."""

    _ip: Shell

    def __call__(self, keep_kernel: bool = False) -> None:
        """End, or not."""
        self._ip.keep = keep_kernel
        super().__call__()


class Shell(InteractiveShell):
    """IPython's shell as a kernel has it: it shows by messages."""

    displayhook_class = Type(Hook)
    display_pub_class = Type(Publisher)
    compiler_class = Type(Compiler)
    displayhook: Hook
    outlet: Outlet
    over = keep = False
    _last_traceback: list[str] | None = None
    _failed_to_show = False

    @default("exiter")
    def _default_exiter(self) -> Exit:
        return Exit(self)

    def send(self, kind: str, content: dict[str, Any]) -> None:
        """Send one message, after all that was written before it."""
        self.outlet.send(packed(kind, content))

    def init_ipython_dir(self, ipython_dir: str | None) -> None:
        """Leave it to :meth:`settle`."""

    def init_profile_dir(self, profile_dir: ProfileDir | None) -> None:
        """Make none before somebody asks for it."""

    @default("profile_dir")
    def _default_profile_dir(self) -> ProfileDir:
        made: ProfileDir = ProfileDir.create_profile_dir_by_name(self.ipython_dir, "default")
        return made

    def init_virtualenv(self) -> None:
        """Leave it to :meth:`settle`."""

    def save_sys_module_state(self) -> None:
        """Leave it to :meth:`settle`."""

    def init_sys_modules(self) -> None:
        """Leave it to :meth:`settle`."""

    def settle(self) -> None:
        """Be the shell of this process: its environment, folders, streams and main module; once."""
        super().init_ipython_dir(None)
        self.starting_dir = str(Path.cwd())
        # What ipykernel says to programs.
        os.environ.update(TERMINAL)
        super().init_virtualenv()
        super().save_sys_module_state()
        super().init_sys_modules()
        folders: list[Path] = self.history_manager.dir_hist  # type: ignore[union-attr] # it has one
        folders.clear()
        with suppress(OSError):
            folders.append(Path.cwd())
        for one in type(self)._walk_mro():
            one._instance = self  # type: ignore[assignment] # traitlets' own bookkeeping, see instance()
        atexit.register(self.atexit_operations)

    def init_hooks(self) -> None:
        """Show help to nobody: a pager is not part of a notebook."""
        super().init_hooks()
        self.set_hook("show_in_pager", lambda shell, *said, **more: None, 99)

    def enable_gui(self, gui: Any = None) -> None:
        """Have no window."""

    def ask_exit(self) -> None:
        """End after this cell."""
        self.over = not self.keep

    def run_cell(self, *said: Any, **more: Any) -> Any:
        """Run one cell."""
        self._last_traceback, self._failed_to_show = None, False
        return super().run_cell(*said, **more)

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        if self.displayhook.busy:
            self._failed_to_show = True
        self.send("error", {"traceback": stb, "ename": str(etype.__name__), "evalue": str(evalue)})
        self._last_traceback = stb

    def answer(self, result: Any) -> dict[str, Any]:
        """Return how a cell ended, as Jupyter says it."""
        count = {"execution_count": self.execution_count - 1}
        if result.success and not self._failed_to_show:
            return {"status": "ok", **count}
        error = result.error_before_exec if result.error_before_exec is not None else result.error_in_exec
        told = {"ename": str(type(error).__name__), "evalue": str(error), "traceback": self._last_traceback or []}
        return {"status": "error", **told, **count}


def packed(kind: str, content: dict[str, Any]) -> bytes:
    """Return one message as a frame; raises ValueError or TypeError for what is no JSON, as ipykernel does."""
    said = {"header": {"msg_type": kind}, "content": content}
    text = json.dumps(said, default=_plain, ensure_ascii=False, allow_nan=False)
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = text.encode("utf-8", "replace")
    return shell_line.framed(data)


def _plain(value: Any) -> Any:
    """Return what stands for a value in JSON, as jupyter_client has it."""
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"{value!r} is not JSON serializable")


def built() -> Shell:
    """Return a shell that belongs to no process yet."""
    # No history file: parallel notebooks would wait for each other at its lock.
    shell = Shell(config=Config({"HistoryManager": {"enabled": False, "hist_file": ":memory:"}}))
    atexit.unregister(shell.atexit_operations)
    return shell
