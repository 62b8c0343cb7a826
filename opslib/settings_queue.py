"""Where the queue of many machines is: an address of its own, no part of any target.

``OPS_QUEUE_URL`` stands in ``.env.queue`` (mode 0600) in the project's folder, or in the process environment; where
both are set they have to agree. No notebook's process gets it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from opslib.errors import Refused, SettingsError
from opslib.places import ROOT
from opslib.redaction import DatabaseUrl
from opslib.settings import Settings, read_file

NAME = "OPS_QUEUE_URL"
FILE = ".env.queue"
SAME = "The queue has to be there when the target is not: give it a PostgreSQL of its own."


def configured(root: Path = ROOT, process: Mapping[str, str] | None = None) -> DatabaseUrl | None:
    """Return the queue's address, or None where there is none; raises SettingsError for one that is malformed."""
    process = os.environ if process is None else process
    file = root / FILE
    values, faults = read_file(file) if file.is_file() else ({}, [])
    said, here = values.get(NAME, ""), process.get(NAME, "")
    if said and here and said != here:
        faults.append(f"{NAME}: {FILE} and the environment disagree; unset one of the two")
    url = said or here
    if url and (fault := DatabaseUrl.check(url)):
        faults.append(f"{NAME}: {fault}")
    if faults:
        raise SettingsError(f"The queue cannot be used: {'; '.join(faults)}.", "See docs/workers.md.")
    return DatabaseUrl(url) if url else None


def needed() -> DatabaseUrl:
    """Return the queue's address; raises SettingsError where there is none."""
    url = configured()
    if url is None:
        raise SettingsError("There is no queue.", f"Set {NAME} in {FILE}; see docs/workers.md.")
    return url


def refuse_operated(url: DatabaseUrl, target: Settings) -> None:
    """Raise Refused where the queue's server is one that the target's description names.

    By host, port and the addresses that a host has now; a tunnel is not seen through.
    """
    queue = _places(url)
    for name in type(target).model_fields:
        other = getattr(target, name)
        if isinstance(other, DatabaseUrl) and queue & _places(other):
            raise Refused(f"The queue at {url.public} is on the server of {target.environment} ({name}).", SAME)


def _places(url: DatabaseUrl) -> set[tuple[str, int]]:
    port = url.port or 5432
    found = {url.host.lower().rstrip(".")}
    with suppress(OSError):
        found |= {str(one[4][0]) for one in socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)}
    return {("127.0.0.1" if host in ("localhost", "::1") else host, port) for host in found}
