"""Where the product's own PostgreSQL servers are (the queue's, the team's index's): addresses that no target has.

Each stands in a file of its own (mode 0600) in the project's folder, or in the process environment; where both are set
they have to agree. No notebook's process gets any.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from opslib.errors import Refused, SettingsError
from opslib.model import ENVIRONMENTS
from opslib.places import ROOT
from opslib.redaction import DatabaseUrl

if TYPE_CHECKING:
    from opslib.settings import Settings


@dataclass(frozen=True)
class Own:
    """One such server: what it is for, the variable and the file of its address, the page that tells of it."""

    what: str
    name: str
    file: str
    page: str

    def configured(self, root: Path = ROOT, process: Mapping[str, str] | None = None) -> DatabaseUrl | None:
        """Return its address, or None where there is none; raises SettingsError for one that is malformed."""
        process = os.environ if process is None else process
        file = root / self.file
        values, faults = _read(file) if file.is_file() else ({}, [])
        said, here = values.get(self.name, ""), process.get(self.name, "")
        if said and here and said != here:
            faults.append(f"{self.name}: {self.file} and the environment disagree; unset one of the two")
        url = said or here
        if url and (fault := DatabaseUrl.check(url)):
            faults.append(f"{self.name}: {fault}")
        if faults:
            raise SettingsError(f"The {self.what} cannot be used: {'; '.join(faults)}.", f"See {self.page}.")
        return DatabaseUrl(url) if url else None

    def needed(self) -> DatabaseUrl:
        """Return its address; raises SettingsError where there is none."""
        url = self.configured()
        if url is None:
            raise SettingsError(f"There is no {self.what}.", f"Set {self.name} in {self.file}; see {self.page}.")
        return url

    def refuse_operated(self, url: DatabaseUrl, target: Settings) -> None:
        """Raise Refused where its server is one that the target's description names.

        By host, port and the addresses that a host has now; a tunnel is not seen through.
        """
        own = _places(url)
        for name in type(target).model_fields:
            other = getattr(target, name)
            if isinstance(other, DatabaseUrl) and own & _places(other):
                raise Refused(
                    f"The {self.what} at {url.public} is on the server of {target.environment} ({name}).",
                    f"The {self.what} has to be there when the target is not: give it a PostgreSQL of its own.",
                )

    def refuse_described(self, url: DatabaseUrl) -> None:
        """Raise Refused where its server is one that the description of any environment names that there is here."""
        from opslib.settings import load

        for environment in ENVIRONMENTS:
            with suppress(SettingsError):  # not described here
                self.refuse_operated(url, load(environment))


def _read(file: Path) -> tuple[dict[str, str], list[str]]:
    # Here, for a search that has no such file needs no description's settings, which cost more than it does.
    from opslib.settings import read_file

    return read_file(file)


def _places(url: DatabaseUrl) -> set[tuple[str, int]]:
    port = url.port or 5432
    found = {url.host.lower().rstrip(".")}
    with suppress(OSError):
        found |= {str(one[4][0]) for one in socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)}
    return {("127.0.0.1" if host in ("localhost", "::1") else host, port) for host in found}
