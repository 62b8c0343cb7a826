"""What a lab remembers between commands: ``lab.json`` (what runs where) and ``secrets.json`` (passwords)."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from opslib.lab.processes import LabError, Trace

SECRETS = (
    "postgres",
    "ops_reader",
    "replicator",
    "cache",
    "cache_reader",
    "aws_id",
    "aws_key",
    "read_aws_id",
    "read_aws_key",
    "anchor_aws_id",
    "anchor_aws_key",
    "owner_aws_id",
    "owner_aws_key",
    "github_token",
    "read_github_token",
    "vercel_token",
    "netlify_token",
    "cloudflare_token",
    "supabase_token",
    "read_supabase_token",
    "jwt_secret",
    "authenticator",
    "trial_account",
    "pagerduty_key",
    "slack_token",
    "read_sentry_token",
    "read_pagerduty_token",
    "read_slack_token",
    "read_prometheus_token",
    "read_alertmanager_token",
    "read_grafana_token",
    "read_jaeger_token",
    "openai_admin_key",
    "vault_aws_id",
    "vault_aws_key",
    "kubernetes_token",
    "read_kubernetes_token",
    "read_application_token",
    "admin_token",
    "admin_session",
    "fence",
)


@dataclass
class Entry:
    """One service: its port, its process, and whether its data is complete."""

    port: int = 0
    trace: Trace | None = None
    filled: bool = False


@dataclass
class State:
    """The state of one lab in its folder; every change is written at once.

    ``standby``: whether it has a second PostgreSQL and keeps the first one's log.
    """

    folder: Path
    rows: int
    clock: datetime
    seed: int
    standby: bool = False
    services: dict[str, Entry] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def ports(self) -> set[int]:
        """Every port that this lab has taken."""
        return {entry.port for entry in self.services.values() if entry.port}

    def entry(self, name: str) -> Entry:
        """Return the entry of a service; an empty one if it was never started."""
        with self._lock:
            return self.services.setdefault(name, Entry())

    def save(self) -> None:
        """Write ``lab.json``."""
        with self._lock:
            services = {
                name: {"port": e.port, "filled": e.filled, **(asdict(e.trace) if e.trace else {})}
                for name, e in sorted(self.services.items())
            }
            said = {
                "rows": self.rows,
                "seed": self.seed,
                "standby": self.standby,
                "clock": self.clock.isoformat(),
                "services": services,
            }
            write(self.folder / "lab.json", json.dumps(said, indent=2) + "\n")


def read(folder: Path) -> State | None:
    """Return the state of the lab in ``folder``, or None if there is none."""
    file = folder / "lab.json"
    if not file.is_file():
        return None
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        clock = datetime.fromisoformat(said["clock"])
        state = State(folder, int(said["rows"]), clock, int(said["seed"]), bool(said.get("standby", False)))
        for name, one in said["services"].items():
            trace = Trace(int(one["pid"]), float(one["started"])) if "pid" in one else None
            state.services[name] = Entry(int(one["port"]), trace, bool(one["filled"]))
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"{file} is damaged: {error}.", f"Stop its servers by hand, then remove {folder}.") from error
    return state


def passwords(folder: Path) -> Mapping[str, str]:
    """Return the lab's passwords, generated at the first call and kept in ``secrets.json`` (mode 0600)."""
    file = folder / "secrets.json"
    known: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    made = {name: secrets.token_hex(16) for name in SECRETS if name not in known}
    if made:
        known |= made
        write(file, json.dumps(known, indent=2) + "\n")
    return known


def write(file: Path, text: str) -> None:
    """Write ``file`` for its owner only (mode 0600), whole or not at all."""
    draft = file.with_name(f".{file.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    draft.replace(file)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that two commands on one lab take turns."""
    while (stream := _held(folder)) is None:
        pass
    with stream:
        yield


def _held(folder: Path) -> IO[str] | None:
    """Wait for the lock; None where a "down" that ended meanwhile took the folder, or the file, away."""
    file = folder / ".lock"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stream = file.open("w")
    except (FileExistsError, FileNotFoundError):
        if folder.exists() and not folder.is_dir():
            raise
        return None
    try:
        fcntl.flock(stream, fcntl.LOCK_EX)
        if file.stat().st_ino == os.fstat(stream.fileno()).st_ino:
            return stream
    except FileNotFoundError:
        pass
    except BaseException:
        stream.close()
        raise
    stream.close()
    return None


def now() -> datetime:
    """Return the lab's clock for a new lab: this minute, UTC."""
    return datetime.now(UTC).replace(second=0, microsecond=0)


def variables(lines: Mapping[str, Any]) -> str:
    """Return ``NAME=value`` lines, one per variable, as ``target.env`` holds them."""
    return "".join(f"{name}={value}\n" for name, value in lines.items())
