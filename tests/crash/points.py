"""Every call by which a run leaves a trace, numbered as it is made; at one of them the run dies, or a call fails.

The interpreter tells of each call just before it is made (``sys.setprofile``), so that nothing of the program
is replaced, and nothing but Python is needed. Points are the calls of the operating system that the program
makes on its own files, and the begin and the end of each function that speaks to a server or starts a program.
What is injected is real wherever a process can bring it about by itself: SIGKILL, a limit on the size of files
(ends in a short write, then an error), on open files, a file system without room. An error of a disk (EIO) is
raised in the call's place.
"""

import errno
import os
import resource
import signal
import sys
import threading
from itertools import count
from opcode import opmap
from pathlib import Path

import opslib

PACKAGE = str(Path(opslib.__file__).parent) + os.sep
CALLS = {
    "posix": {
        *("open", "write", "fsync", "ftruncate", "close", "replace", "rename", "link", "unlink", "mkdir"),
        *("rmdir", "fchmod"),
    },
    "_posixsubprocess": {"fork_exec"},
    "fcntl": {"flock"},
    "_io": {"open"},
}
_MODULES = {name: {module for module, names in CALLS.items() if name in names} for name in set().union(*CALLS.values())}
"""By a call's name: this is asked for every call that the interpreter makes, and most have another."""
ON_FILES = {"open", "write", "fsync", "ftruncate", "close", "replace", "rename", "link", "unlink", "mkdir", "flock"}
"""What an injected error is tried at."""

TALK = {
    "object_store.py": {"call", "put_new", "delete_version", "abort", "upload"},
    "upload.py": {"_send", "_complete"},
    "postgres_admin.py": {"execute"},
    "postgres_databases.py": {"create_database", "drop_database", "rename_database"},
    "postgres_exchange.py": {"exchange"},
    "postgres_upkeep.py": {"carry_out"},
    "postgres_migrations.py": {"apply_file", "roll_back_file"},
    "lease_store.py": {"put", "create", "replace", "write"},
    "programs.py": {"feed", "_started"},
    "web.py": {"_ask"},
    "kubernetes.py": {"bound", "set_ingress", "set_variable", "pour_log"},
    "cache_writing.py": {"set_memory", "unlink"},
    "workspace_writing.py": {"clone", "put_environment"},
    "npm.py": {"install"},
    "dev_server.py": {"start"},
}
_FILES = {name: {file for file, names in TALK.items() if name in names} for name in set().union(*TALK.values())}
EFFECTS = {
    *("put_new", "delete_version", "_complete", "exchange", "apply_file", "roll_back_file"),
    *("bound", "set_memory", "set_ingress", "set_variable", "clone", "put_environment", "start"),
}
"""Functions that change a server's state for good when they return. A database that is made has a name of its run,
so that a second one cannot be; which ones are left is compared at the end."""

RETURN = opmap["RETURN_VALUE"]


class Points:
    """Counts the points of this process; ``fault`` is None or {"kind", "at"}, ``tell`` hears of effects."""

    def __init__(self, fault, tell, room=None):
        self.fault, self.tell, self.room = fault, tell, room
        self.count = count(1)
        self.number = 0
        self.names = []

    def start(self):
        threading.setprofile(self)
        sys.setprofile(self)

    def stop(self):
        sys.setprofile(None)
        threading.setprofile(None)

    def __call__(self, frame, event, arg):
        if event == "c_call":
            name = arg.__name__
            if name in _MODULES and arg.__module__ in _MODULES[name] and own(frame):
                self.at(name, name)
        elif event == "call" or event == "return":
            code = frame.f_code
            if code.co_name in _FILES and file_of(code) in _FILES[code.co_name] and own(frame):
                if event == "return" and code.co_name in EFFECTS and code.co_code[frame.f_lasti] == RETURN:
                    self.tell({"did": code.co_name, "what": what(frame)})
                self.at(f"{event} {code.co_name}", "")

    def at(self, name, call):
        number = self.number = next(self.count)
        self.names.append(name)
        if self.fault is None:
            return
        kind, at = self.fault["kind"], self.fault["at"]
        if number == at and kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif number >= at and kind == "EIO" and call in ON_FILES:
            self.fault = None
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        elif number == at:
            self.limit(kind)
        elif number == at + 12 and kind.endswith("once"):
            self.limit(None)

    def limit(self, kind):
        kind = (kind or "").split()[0] if kind else None
        files, size = resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE
        most = resource.getrlimit(files)[1]
        if kind == "EMFILE":
            resource.setrlimit(files, (3, most))
        elif kind == "EFBIG":
            resource.setrlimit(size, (0, resource.RLIM_INFINITY))
        elif kind == "short":
            # A little more than what is there: the next line is cut in its middle.
            there = self.journal()
            resource.setrlimit(size, (there + 40, resource.RLIM_INFINITY))
        elif kind == "ENOSPC":
            fill(self.room)
        elif kind is None:
            resource.setrlimit(files, (min(1024, most), most))
            resource.setrlimit(size, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            if self.room:
                (self.room / "ballast").unlink(missing_ok=True)

    def journal(self):
        sizes = [path.stat().st_size for path in self.room.glob("archive/runs/*/journal.jsonl")]
        return max(sizes, default=0)


def fill(room):
    """Leave no byte free on the file system of ``room``."""
    handle = os.open(room / "ballast", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for size in (65536, 4096, 1):
            try:
                while os.write(handle, b"0" * size):
                    pass
            except OSError:
                continue
    finally:
        os.close(handle)


def file_of(code):
    """Return the name of the file that the code stands in, without its folder."""
    return code.co_filename.rpartition(os.sep)[2]


def own(frame):
    """Say whether a call is made by this program, or for it by a library of Python's own for files."""
    for _ in range(3):
        if frame is None:
            return False
        if frame.f_code.co_filename.startswith(PACKAGE):
            return True
        frame = frame.f_back
    return False


def what(frame):
    """Return what a function that changes a server was called with, in words."""
    said = {
        name: frame.f_locals[name]
        for name in ("key", "version", "name", "live", "new", "autoscaler", "policy", "deployment")
        if name in frame.f_locals
    }
    if "self" in frame.f_locals and "key" not in said:
        said["key"] = str(getattr(frame.f_locals["self"], "key", "") or getattr(frame.f_locals["self"], "_key", ""))
    return " ".join(f"{name}={value}" for name, value in said.items() if isinstance(value, str) and value)
