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
import io
import json
import linecache
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from IPython.core.async_helpers import _asyncio_runner
from IPython.core.error import StdinNotImplementedError

from opslib.headless import shell_line
from opslib.headless.shell_interactive import Shell, built, packed
from opslib.headless.shell_streams import Outlet

REHEARSED = ("import json", "1 + 1", "said = [1, 2.5]\nprint(said)", "{'n': said}")
TIMES = 3
"""What a process that forks others executes beforehand, and how often: the interpreter learns so (PEP 659)."""

_ready: list[Shell] = []
"""The shell that was built before this process was forked."""


def prepare() -> None:
    """Build a shell for every process that is forked from this one, with what the first cell of each would make."""
    from opslib.redaction import CacheUrl, DatabaseUrl
    from opslib.runs import display

    shell = built()
    if shell.display_formatter is not None:
        shell.display_formatter.format(0)
    shell.input_transformer_manager.transform_cell("0")
    display.css()
    for kind in (CacheUrl, DatabaseUrl):
        kind.check(f"{kind.schemes[0]}://127.0.0.1:1/0")
    _ready.append(shell)


class _Nowhere(Outlet):
    """The way out of a shell that nobody sees."""

    def __init__(self) -> None:
        """Make nothing: no pipe, no thread."""

    def send(self, frame: bytes) -> None:
        """Drop it."""


def rehearse() -> None:
    """Execute a few cells in shells that are thrown away, so that each fork need not learn its way through IPython.

    What they were is in no other shell: neither their numbers nor their source nor their names.
    """
    known, out = set(linecache.cache), sys.stdout
    sys.stdout = io.StringIO()
    try:
        for _ in range(TIMES):
            shell = built()
            shell.outlet = _Nowhere()
            for code in REHEARSED:
                said = {"transformed_cell": shell.transform_cell(code), "preprocessing_exc_tuple": None}
                shell.should_run_async(code, **said)
                shell.send("execute_input", {"execution_count": shell.execution_count})
                shell.send("execute_reply", shell.answer(shell.run_cell(code, store_history=True)))
    finally:
        sys.stdout = out
        for name in set(linecache.cache) - known:
            del linecache.cache[name]


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
    shell = _ready.pop() if _ready else built()
    shell.outlet = outlet
    shell.settle()
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
