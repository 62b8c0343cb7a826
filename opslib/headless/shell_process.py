"""The process in which a notebook's cells are executed without a Jupyter kernel: IPython's shell, and one line out.

A program of its own, ``python -P -m opslib.headless.shell_process``, under the guardian that a kernel has
(:mod:`opslib.headless.kernel_guardian`): with the environment, the user and the end that a kernel has. Its standard
output is, when it starts, a socket to the runner. On that go frames, four bytes of length and then JSON: in comes
``{"code": …}``, out come ``{"header": {"msg_type": …}, "content": …}`` as Jupyter's messages have them, at last one
``execute_reply``. What a cell shows is, in order and content, what ipykernel would have sent: a test compares both.

Left out is what nobody uses when nobody is there: answers to widgets, completion, the debugger, standard input.
"""

from __future__ import annotations

import asyncio
import base64
import json
import numbers
import os
import signal
import socket
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn

from IPython.core.async_helpers import _asyncio_runner
from IPython.core.autocall import ExitAutocall
from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import StdinNotImplementedError
from IPython.core.interactiveshell import InteractiveShell
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

    def init_environment(self) -> None:
        """Say to programs what ipykernel says to them."""
        os.environ.update(TERMINAL)

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


async def _execute(shell: Shell, code: str) -> Any:
    """Execute one cell inside a running loop, as a kernel does."""
    failed = None
    try:
        transformed = shell.transform_cell(code)
    except Exception:
        transformed, failed = code, sys.exc_info()
    said = {"transformed_cell": transformed, "preprocessing_exc_tuple": failed}
    if shell.loop_runner is not _asyncio_runner or not shell.should_run_async(code, **said):
        return shell.run_cell(code, store_history=True)
    shell._last_traceback, shell._failed_to_show = None, False
    result = None
    try:
        result = await shell.run_cell_async(code, store_history=True, **said)
    finally:
        shell.events.trigger("post_execute")
        shell.events.trigger("post_run_cell", result)
    return result


async def _serve(shell: Shell, line: socket.socket) -> None:
    process, asked = os.getpid(), asyncio.Event()
    # Between two cells the loop goes on, as a kernel's does.
    asyncio.get_running_loop().add_reader(line, asked.set)
    while not shell.over:
        await asked.wait()
        if (code := _asked(line)) is None:
            return
        asked.clear()
        # Known before it ends: a cell that ends its process has a number, too.
        shell.send("execute_input", {"execution_count": shell.execution_count})
        result = await _execute(shell, code)
        if os.getpid() != process:
            return  # a cell has forked, and this is not who was asked
        shell.send("execute_reply", shell.answer(result))


def _asked(line: socket.socket) -> str | None:
    frame = shell_line.receive(line, shell_line.LONGEST)
    return None if frame is None else str(json.loads(frame)["code"])


def _no_input(name: str) -> Callable[..., NoReturn]:
    def refuse(*said: Any, **more: Any) -> NoReturn:
        raise StdinNotImplementedError(f"{name} was called, but this frontend does not support input requests.")

    return refuse


def shell_of(line: socket.socket) -> Shell:
    """Return the shell of this process, which shows on ``line``; standard output and error are its own from now on."""
    import builtins
    import getpass

    outlet = Outlet(line, lambda name, text: packed("stream", {"name": name, "text": text}))
    # No history file: parallel notebooks would wait for each other at its lock.
    shell: Shell = Shell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.outlet = outlet
    sys.stdout, sys.stderr = outlet.stdout, outlet.stderr
    builtins.input, getpass.getpass = _no_input("raw_input"), _no_input("getpass")
    return shell


def main() -> int:
    """Execute cells until the runner is gone, or one of them says exit."""
    line = socket.socket(fileno=os.dup(1))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [str(Path(__file__))]
    shell = shell_of(line)
    # Not asyncio.run: it would take the interrupt for itself.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    shell.send("ready", {"pid": os.getpid()})
    loop.run_until_complete(_serve(shell, line))
    shell.outlet.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
