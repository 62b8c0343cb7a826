"""Bring the lab up, say how it is, take it down. Everything it has is in one folder and on 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Literal

from opslib.errors import OpsError
from opslib.lab import checkout, continuous, development, rejoin, wal
from opslib.lab import state as states
from opslib.lab.accounts import Account
from opslib.lab.cache import Cache
from opslib.lab.cloud import Cloud
from opslib.lab.cluster.service import Cluster
from opslib.lab.database import LET_FOLLOW, Database, Server
from opslib.lab.description import NOBODY_YET, SIGNERS, one, variables
from opslib.lab.processes import LabError
from opslib.lab.recovery import Before, Recovery
from opslib.lab.service import Progress, Service
from opslib.lab.standby import Standby
from opslib.lab.state import State, locked
from opslib.lab.vendors.service import Vendors
from opslib.lab.web import Application
from opslib.places import lab_folder
from opslib.settings import Settings, load

ROWS = 300_000
SEED = 1
REMOVE_SECONDS = 10.0
LAST = (Application, Standby, Recovery)
"""What needs the others to be up."""

Outcome = Literal["started", "repaired", "already up"]
PARTS = (
    *("postgres", "valkey", "aws", "vendors", "cluster", "application", "supabase", development.FOLDER),
    *("standby", Recovery.name, "logs", "lab.json", "secrets.json", "target.env", "drill", wal.FILE, SIGNERS, ".lock"),
)
"""All that a lab puts into its folder."""


def _quiet(text: str, done: int, total: int) -> None:
    """Show nothing."""


class Lab:
    """The lab in one folder."""

    def __init__(self, folder: Path | None = None, *, account: Account | None = None) -> None:
        """Use ``folder`` (default: the project's); ``account`` overrides how PostgreSQL runs under root."""
        self.folder = (folder or lab_folder()).resolve()
        self._account = account

    def up(
        self, rows: int = ROWS, progress: Progress = _quiet, *, clock: datetime | None = None, seed: int = SEED
    ) -> Outcome:
        """Start the lab with about ``rows`` rows; a running one is left alone, a half-dead one repaired.

        ``rows``, ``clock`` and ``seed`` count when the lab is made; a lab that exists keeps its own. So does the
        variable ``LAB_STANDBY``: with 0 there is no second PostgreSQL, and no log is kept.
        Raises LabError with the end of a server's log when that server does not start.
        """
        with self._locked():
            found = states.read(self.folder)
            if found is None:
                self._refuse_foreign_folder()
            (self.folder / "logs").mkdir(mode=0o700, exist_ok=True)
            checkout.write(self.folder / "supabase")
            standby = os.environ.get("LAB_STANDBY", "1") not in ("", "0")
            state = found or State(self.folder, rows, clock or states.now(), seed, standby)
            services = self._services(state)
            if found and all(service.complete for service in services) and (self.folder / "target.env").is_file():
                progress(_already(state, rows), len(services), len(services))
                return "already up"
            state.save()
            self._start(services, progress)
            return "repaired" if found else "started"

    def down(self) -> bool:
        """Stop every process of the lab and remove its data; returns whether there was a lab.

        Raises LabError when a process could not be stopped.
        """
        if not self.folder.is_dir():
            return False
        with self._locked():
            state = states.read(self.folder)
            if state is None:
                return False
            services = self._services(state)
            with suppress(FileNotFoundError):
                (self.folder / "target.env").unlink()
            development.down(self.folder)
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda service: service.down(), services))
            if left := [service.name for service in services if service.running]:
                raise LabError(f"Still running after SIGKILL: {', '.join(left)}.", "Look at them with: ops lab status")
            for part in PARTS:
                _remove(self.folder / part)
        with suppress(OSError):
            self.folder.rmdir()  # only if nobody else put anything there
        return True

    def status(self) -> list[dict[str, object]]:
        """Return one row per service: service, what, state, address, pid, log."""
        state = states.read(self.folder)
        if state is None:
            return []
        rows: list[dict[str, object]] = []
        for service in self._services(state):
            said = "up" if service.complete else "incomplete" if service.running else "down"
            if isinstance(service, Server) and service.fenced:
                said = "fenced"
            rows.append(
                {
                    "service": service.name,
                    "what": service.what,
                    "state": said,
                    "address": f"127.0.0.1:{service.port}" if service.port else None,
                    "pid": service.entry.trace.pid if service.running and service.entry.trace else None,
                    "log": str(service.log),
                }
            )
        return rows

    def recover(self, before: Before) -> Recovery:
        """Start a server of its own with the database as it was before that, and return it; ``down`` ends it too.

        One that is there is replaced. Raises LabError where base backup or kept log do not reach that moment.
        """
        with self._locked():
            state = states.read(self.folder)
            if state is None or not state.standby:
                raise LabError("There is no lab that keeps its log.", "Start one with a standby: ops lab up")
            passwords = states.passwords(self.folder)
            made = Recovery(state, passwords, Cloud(state, passwords), self._account, before)
            made.down()
            made.entry.filled = False
            try:
                made.up()
            except BaseException:
                made.down()
                shutil.rmtree(made.folder, ignore_errors=True)
                del state.services[Recovery.name]
                state.save()
                raise
            finally:
                services = self._services(state)
                states.write(self.folder / "target.env", states.variables(variables(services, self.folder)))
            return made

    def settings(self) -> Settings:
        """Return the lab's target description; raises SettingsError when the lab is not running."""
        return load("lab", lab=self.folder / "target.env")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LabError(
                f"The lab's folder {self.folder} cannot be made: {error.strerror}.",
                "Choose another with --folder or OPS_LAB.",
            ) from error
        with locked(self.folder):
            yield

    def _refuse_foreign_folder(self) -> None:
        # "down" removes what a lab puts here: it must never be somebody else's.
        if strangers := sorted(path.name for path in self.folder.iterdir() if not path.name.startswith(".")):
            raise LabError(
                f"{self.folder} is no lab's folder and not empty ({', '.join(strangers[:3])}).",
                "Choose a folder that is empty or does not exist yet.",
            )

    def _services(self, state: State) -> tuple[Service, ...]:
        passwords = states.passwords(self.folder)
        database = Database(state, passwords, self._account)
        cache = Cache(state, passwords)
        vendors, cluster = Vendors(state, passwords), Cluster(state, passwords)
        cloud = Cloud(state, passwords)
        services: tuple[Service, ...] = (database, cache, cloud, vendors, cluster)
        if Application.installed() or Application.name in state.services:
            application = Application(state, passwords)
            application.connect(database, cache, vendors, cluster)
            services += (application,)
        if state.standby:
            services += (Standby(state, passwords, database, self._account),)
        if Recovery.name in state.services:
            services += (Recovery(state, passwords, cloud, self._account),)
        return services

    def _start(self, services: tuple[Service, ...], progress: Progress) -> None:
        first = [service for service in services if not isinstance(service, LAST)]
        last = [service for service in services if isinstance(service, LAST)]
        before = {service.name for service in services if service.running}
        ports = {service.name: service.port for service in first}
        total = len(services)
        _refuse_two_primaries(services)
        try:
            done = self._all(first, progress, 0, total)
            if ports != {service.name: service.port for service in first}:
                for application in last:
                    application.down()  # it still looks for its servers where they were
            if not any(isinstance(service, Application) for service in last):
                progress("application: skipped, its module is not installed", done, total)
            with ThreadPoolExecutor() as pool:
                kept = pool.submit(_keep, services)
                self._all(last, progress, done, total)
                kept.result()
        except BaseException:
            for service in services:
                if service.name not in before:
                    service.down()
            raise
        if not (self.folder / SIGNERS).exists():
            states.write(self.folder / SIGNERS, NOBODY_YET)
        states.write(self.folder / "target.env", states.variables(variables(services, self.folder)))

    def _all(self, services: Iterable[Service], progress: Progress, done: int, total: int) -> int:
        faults: list[BaseException] = []
        with ThreadPoolExecutor() as pool:
            waiting = {pool.submit(service.up): service for service in services}
            for future in as_completed(waiting):
                service = waiting[future]
                if error := future.exception():
                    faults.append(error)
                else:
                    done += 1
                    progress(f"{service.name}: up at 127.0.0.1:{service.port} ({service.what})", done, total)
        if faults:
            first = faults[0]
            raise first if isinstance(first, OpsError) else LabError(f"The lab did not start: {first}") from first
        return done


def _remove(path: Path) -> None:
    end = time.monotonic() + REMOVE_SECONDS
    while True:
        try:
            return shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        except OSError:
            # A program that makes a data folder goes on for a moment when whoever started it was killed.
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def _refuse_two_primaries(services: tuple[Service, ...]) -> None:
    if fenced := [service.name for service in services if isinstance(service, Server) and service.fenced]:
        raise LabError(f"{fenced[0]} is fenced: another server took over from it.", LET_FOLLOW)
    database, standby = one(services, Database), one(services, Standby)
    if database and standby and rejoin.is_former(database, standby) and not database.running:
        raise LabError(
            "The standby was promoted; the former primary, started as it is, would take writes as well.",
            LET_FOLLOW,
        )


def _keep(services: tuple[Service, ...]) -> None:
    """Let the log be kept from now on, and a base backup stand before it, where the lab has a standby."""
    database, cloud = one(services, Database), one(services, Cloud)
    if database and cloud and database.state.standby:
        continuous.reach(cloud, database)
        continuous.ensure_base(cloud, database)


def _already(state: State, rows: int) -> str:
    said = f"The lab is already up, with about {state.rows} rows."
    return said if rows == state.rows else f"{said} For {rows}, take it down first: ops lab down"
