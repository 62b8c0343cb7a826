"""Which account runs a server that refuses root, as PostgreSQL does."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

NOBODY = 65534


@dataclass(frozen=True)
class Account:
    """How a command is started under another account: a prefix to it, or a user's and group's number."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None


def server_account() -> Account:
    """Return the account for PostgreSQL, found by trying.

    An ordinary user needs nothing. Root gets a user namespace in which it is nobody: files stay where
    they are, even below /root. Where namespaces are forbidden (many containers) it is the real user
    ``nobody``, who must then be able to reach the programs and the data.
    """
    if os.geteuid() != 0:
        return Account()
    return namespace(NOBODY) or nobody()


def nobody() -> Account:
    """Return the system's user ``nobody``."""
    import pwd

    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return Account(uid=NOBODY, gid=NOBODY)
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def own(folder: Path, account: Account) -> None:
    """Give ``folder`` and what is in it to the account, if it is another user than this one."""
    if account.uid is None or account.gid is None:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def namespace(user: int) -> Account | None:
    """Return an account that is ``user`` in a user namespace of its own, or None where that is forbidden."""
    program = shutil.which("unshare")
    if program is None:
        return None
    account = Account(prefix=(program, "-U", f"--map-user={user}", f"--map-group={user}"))
    tried = subprocess.run([*account.prefix, "true"], capture_output=True, check=False)
    return account if tried.returncode == 0 else None
