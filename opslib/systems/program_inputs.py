"""What the programs that are started are given: a closed list of programs, of arguments, and an own environment.

The password goes through a password file of mode 0600, in memory where the system can do that, else in a
private folder that is gone afterwards: arguments and environment of a process can be read by others on the
machine (PostgreSQL manual, "The Password File"). An argument that is not on the list could run commands or
write files on this machine (``psql --command``, ``pg_dump --file``), or lead to another server (a whole
address in the place of a database's name).
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from opslib.errors import Refused
from opslib.redaction import SecretUrl
from opslib.systems.postgres import LOOPBACK

Browser = Literal["chromium", "chromium-browser", "google-chrome"]
Program = (
    Literal["pg_dump", "pg_restore", "psql", "git", "git-workspace", "node", "npm", "supabase", "docker"] | Browser
)
BROWSERS: tuple[Browser, ...] = get_args(Browser)
TOOLS = {name: name for name in ("git", "node", "npm", "supabase", "docker", *BROWSERS)} | {"git-workspace": "git"}
"""Programs that are found on the PATH alone, and their names there; ``git-workspace`` is git that makes a checkout."""
# Spoken to over two pipes; it asks for nothing of its own, keeps nothing, and opens what it is told and no more: no
# window of its own either, whose start page would load beside the page that is timed.
_QUIETLY = (
    *("--headless=new", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync"),
    *("--disable-extensions", "--disable-domain-reliability", "--disable-breakpad", "--disable-dev-shm-usage"),
    *("--no-pings", "--no-proxy-server", "--password-store=basic", "--deny-permission-prompts", "--disable-gpu"),
    *("--block-new-web-contents", "--window-size=1280,800", "--no-startup-window"),
)
PROGRAMS: dict[str, tuple[str, ...]] = {
    "pg_dump": ("--no-password",),
    # A restored subscription would name the saved database's own slot, and keep its database from being dropped.
    "pg_restore": ("--no-password", "--exit-on-error", "--no-subscriptions"),
    "psql": ("--no-password", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"),
    # To list an index is enough for git to start what core.fsmonitor names.
    "git": ("--no-pager", "--no-replace-objects", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
    # Whatever a repository or its configuration names, nothing of it is started, and no other address is asked.
    "git-workspace": (
        *("--no-pager", "--no-replace-objects"),
        *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.askPass=/bin/false"),
        *("-c", "core.protectHFS=true", "-c", "core.protectNTFS=true", "-c", "submodule.recurse=false"),
        *("-c", "transfer.fsckObjects=true", "-c", "credential.helper=", "-c", "gc.auto=0", "-c", "maintenance.auto=0"),
        *("-c", "core.autocrlf=false", "-c", "http.followRedirects=false"),
    ),
    "node": (),
    "supabase": (),
    "docker": (),
    **dict.fromkeys(BROWSERS, _QUIETLY),
    # No script of a package runs, and nothing is sent but requests for the packages that the lock file names.
    "npm": ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--logs-max=0", "--loglevel=error"),
}
"""The programs that may be started, each with the options that it always gets."""

_DATABASE = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}"
_PATH = r"/[^\0\n]+"
_REMOTE = r"https://[A-Za-z0-9_.:/-]+|file:///[A-Za-z0-9_./-]+"
_REF = r"[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*"
ARGUMENTS: dict[str, str] = {
    "pg_dump": r"--format=custom|--compress=gzip:[0-9]|--snapshot=[0-9A-F-]+|--lock-wait-timeout=[0-9]+s|"
    r"--schema-only|--exclude-table-data=\"[A-Za-z0-9_]+\"\.\"[A-Za-z0-9_]+\"",
    "pg_restore": rf"--file=-|--file=/dev/null|--list|--jobs=[0-9]{{1,2}}|--section=(pre-data|data|post-data)|"
    rf"--dbname={_DATABASE}|{_PATH}",
    "psql": rf"--single-transaction|--file=-|--dbname={_DATABASE}",
    # Only what reads objects: no working tree, and so no filter or hook that a checkout's configuration names.
    "git": rf"--git-dir={_PATH}|rev-parse|--verify|--end-of-options|{_REF}\^\{{commit\}}|ls-tree|-r|-z|--full-tree|"
    r"[0-9a-f]{40}|supabase/|cat-file|--batch|-l|-s|ls-files|for-each-ref|--format=%\(refname\) %\(objectname\)|"
    r"config|--local|--get|remote\.origin\.url|rev-list|--first-parent|--parents|--timestamp|--max-count=[0-9]{1,4}|"
    r"diff-tree|--stdin|--name-status|--no-renames|--root",
    "git-workspace": rf"ls-remote|--exit-code|{_REMOTE}|refs/heads/{_REF}|clone|--quiet|--no-checkout|--no-tags|"
    rf"--template=|--no-recurse-submodules|--single-branch|--no-hardlinks|--branch={_REF}|{_PATH}|--git-dir={_PATH}|"
    rf"--work-tree={_PATH}|reset|--hard|[0-9a-f]{{40}}|check-ignore|--no-index|\.env\.local",
    "node": r"--version",
    "supabase": r"--version",
    "docker": r"--version",
    **dict.fromkeys(
        BROWSERS,
        rf"--user-data-dir={_PATH}|--host-resolver-rules=MAP \* ~NOTFOUND , EXCLUDE [A-Za-z0-9.-]+|--no-sandbox",
    ),
    "npm": rf"--version|ci|--prefix={_PATH}|--cache={_PATH}",
}
"""What may follow a program's name, whole and unabbreviated. ``--dbname NAME`` counts as ``--dbname=NAME``."""

_GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
}
VARIABLES: dict[str, dict[str, str]] = {
    "git": _GIT,
    # A clone must be whole, and over nothing but these.
    "git-workspace": _GIT | {"GIT_ALLOW_PROTOCOL": "https:file", "GIT_ATTR_NOSYSTEM": "1"},
    "npm": {"npm_config_userconfig": "/dev/null", "npm_config_globalconfig": "/nonexistent/npmrc", "NO_COLOR": "1"},
}
"""What else stands in a program's environment: nobody's settings, nothing written, nothing fetched."""

_QUERY = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}


def check_arguments(program: Program, arguments: Sequence[str]) -> None:
    """Raise Refused unless each argument is on the program's list."""
    left = list(arguments)
    while left:
        said = left.pop(0)
        if said == "--dbname" and left:
            said = f"--dbname={left.pop(0)}"
        if not re.fullmatch(ARGUMENTS[program], said):
            # Its value may be a whole address, with a password.
            named = said.partition("=")[0][:40] if said.startswith("--") else f"number {len(arguments) - len(left)}"
            raise Refused(f"{program} is not started with the argument {named}.", "It is not on the list.")


@contextmanager
def password_file(url: SecretUrl | None) -> Iterator[tuple[dict[str, str], tuple[int, ...]]]:
    """Hand out the variable that names the password file, and the file handles that the program must inherit."""
    password = urlsplit(url.reveal()).password if url else None
    if password is None:
        yield {}, ()
        return
    escaped = unquote(password).replace("\\", "\\\\").replace(":", "\\:")
    line = f"*:*:*:*:{escaped}\n".encode()
    if hasattr(os, "memfd_create"):
        # A file without a name in memory: nothing is left of it even when this process is killed.
        with os.fdopen(os.memfd_create("passwords"), "wb", buffering=0) as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(line)
            yield {"PGPASSFILE": f"/proc/self/fd/{file.fileno()}"}, (file.fileno(),)
        return
    with tempfile.TemporaryDirectory(prefix="ops-") as folder:
        path = Path(folder, "passwords")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(line)
        yield {"PGPASSFILE": str(path)}, ()


def environment(url: SecretUrl | None) -> dict[str, str]:
    """Return the whole environment of a program: where the server is, and nothing of this process's own."""
    # No home: a password or service file of whoever runs this must not decide where a backup comes from.
    given = {"LANG": "C", "LC_ALL": "C", "TZ": "UTC", "HOME": "/nonexistent"}
    if url is None:
        return given
    parts = urlsplit(url.reveal())
    given |= {
        "PGHOST": url.host,
        "PGPORT": str(url.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGDATABASE": url.path,
        "PGAPPNAME": "opslib",
        "PGCONNECT_TIMEOUT": "10",
    }
    if url.host not in LOOPBACK:
        given |= {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "system"}
    for name, value in parse_qsl(parts.query):
        if name not in _QUERY:
            raise Refused(f"The address of {url.public} has an option {name!r} that is not known here.", "Remove it.")
        given[_QUERY[name]] = value
    return given
