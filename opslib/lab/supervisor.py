"""Bring the lab up, say how it is, take it down. Everything it has is in one folder and on 127.0.0.1."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Literal

from opslib.errors import OpsError
from opslib.lab import checkout, development
from opslib.lab import state as states
from opslib.lab.accounts import Account
from opslib.lab.cache import Cache
from opslib.lab.cloud import AUDIT, BACKUPS, LEASES, REGION, Cloud
from opslib.lab.cluster.service import Cluster
from opslib.lab.database import DATABASE, Database
from opslib.lab.processes import LabError
from opslib.lab.service import Progress, Service
from opslib.lab.state import State, locked
from opslib.lab.vendors.service import Vendors
from opslib.lab.web import POOL, Application
from opslib.settings import Settings, lab_folder, load

ROWS = 300_000
SEED = 1

Outcome = Literal["started", "repaired", "already up"]
PARTS = (
    *("postgres", "valkey", "aws", "vendors", "cluster", "application", "supabase", development.FOLDER),
    *("logs", "lab.json", "secrets.json", "target.env", ".lock"),
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

        ``rows``, ``clock`` and ``seed`` count when the lab is made; a lab that exists keeps its own.
        Raises LabError with the end of a server's log when that server does not start.
        """
        with self._locked():
            found = states.read(self.folder)
            if found is None:
                self._refuse_foreign_folder()
            (self.folder / "logs").mkdir(mode=0o700, exist_ok=True)
            checkout.write(self.folder / "supabase")
            state = found or State(self.folder, rows, clock or states.now(), seed)
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
                path = self.folder / part
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
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
        services: tuple[Service, ...] = (database, cache, Cloud(state, passwords), vendors, cluster)
        if Application.installed() or Application.name in state.services:
            application = Application(state, passwords)
            application.connect(database, cache, vendors, cluster)
            services += (application,)
        return services

    def _start(self, services: tuple[Service, ...], progress: Progress) -> None:
        first = [service for service in services if not isinstance(service, Application)]
        last = [service for service in services if isinstance(service, Application)]
        before = {service.name for service in services if service.running}
        ports = {service.name: service.port for service in first}
        total = len(services)
        try:
            done = self._all(first, progress, 0, total)
            if ports != {service.name: service.port for service in first}:
                for application in last:
                    application.down()  # it still looks for its servers where they were
            if not last:
                progress("application: skipped, its module is not installed", done, total)
            self._all(last, progress, done, total)
        except BaseException:
            for service in services:
                if service.name not in before:
                    service.down()
            raise
        states.write(self.folder / "target.env", states.variables(self._target(services)))

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

    def _target(self, services: tuple[Service, ...]) -> Mapping[str, str]:
        """Return every variable of the target description; those without a value stay empty."""
        database, cache, cloud, vendors, cluster, application = (*services, None)[:6]
        assert isinstance(database, Database)
        assert isinstance(cache, Cache)
        assert isinstance(cloud, Cloud)
        assert isinstance(vendors, Vendors)
        assert isinstance(cluster, Cluster)
        url = application.url if isinstance(application, Application) else ""
        given = {
            "OPS_ENVIRONMENT": "lab",
            "DATABASE_URL": database.url("postgres", DATABASE),
            "OPS_READ_DATABASE_URL": database.url("ops_reader", DATABASE),
            "OPS_SCRATCH_DATABASE_URL": database.url("postgres", "postgres"),
            "REDIS_URL": cache.url("default"),
            "OPS_READ_REDIS_URL": cache.url("ops_reader"),
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": cloud.url,
            "AWS_ACCESS_KEY_ID": cloud.passwords["aws_id"],
            "AWS_SECRET_ACCESS_KEY": cloud.passwords["aws_key"],
            "OPS_READ_AWS_ACCESS_KEY_ID": cloud.passwords["read_aws_id"],
            "OPS_READ_AWS_SECRET_ACCESS_KEY": cloud.passwords["read_aws_key"],
            "OPS_VAULT_AWS_ACCESS_KEY_ID": cloud.passwords["vault_aws_id"],
            "OPS_VAULT_AWS_SECRET_ACCESS_KEY": cloud.passwords["vault_aws_key"],
            "S3_BUCKET_NAME": BACKUPS,
            "OPS_LEASE_BUCKET": LEASES,
            "OPS_ANCHOR_BUCKET": AUDIT,
            "OPS_ANCHOR_AWS_ACCESS_KEY_ID": cloud.passwords["anchor_aws_id"],
            "OPS_ANCHOR_AWS_SECRET_ACCESS_KEY": cloud.passwords["anchor_aws_key"],
            "VITE_API_BASE_URL": url,
            "OPS_READ_APPLICATION_TOKEN": cloud.passwords["read_application_token"] if url else "",
            "OPS_DATABASE_STANDBYS": "0",
            "OPS_MIGRATIONS": str(self.folder / "supabase"),
            "OPS_APPLICATION_NAMES": POOL if url else "",
            "OPS_SERVER_METRICS_URL": f"{url}/node-metrics" if url else "",
            **vendors.target(),
            **cluster.target(),
        }
        return {str(f.alias): given.get(str(f.alias), _text(f.default)) for f in Settings.model_fields.values()}


def _already(state: State, rows: int) -> str:
    said = f"The lab is already up, with about {state.rows} rows."
    return said if rows == state.rows else f"{said} For {rows}, take it down first: ops lab down"


def _text(default: object) -> str:
    if isinstance(default, tuple):
        return ",".join(default)
    return str(default) if isinstance(default, (str, int, float)) else ""
