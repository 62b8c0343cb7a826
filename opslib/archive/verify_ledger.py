"""What a verification has found so far, and what the log says of each run."""

from __future__ import annotations

from dataclasses import dataclass, field

from opslib.archive.holds import Fates
from opslib.archive.log import Entry
from opslib.archive.signatures import Keyring
from opslib.archive.verify_progress import Progress
from opslib.archive.verify_run import Finding


@dataclass
class Ledger:
    """Findings, counts, and each run's entries, keys and fate as far as the log was read."""

    findings: list[Finding] = field(default_factory=list)
    entries: int = 0
    files: int = 0
    head: str = ""
    time: str = ""
    hashes: dict[int, str] = field(default_factory=dict)
    opened: dict[str, Entry] = field(default_factory=dict)
    closed: dict[str, Entry] = field(default_factory=dict)
    quarantined: dict[str, Entry] = field(default_factory=dict)
    applied: dict[str, str] = field(default_factory=dict)
    keyring: Keyring = field(default_factory=Keyring)
    fates: Fates = field(default_factory=Fates)
    progress: Progress | None = None

    def error(self, where: str, what: str) -> None:
        """Note an error."""
        self.findings.append(Finding("error", where, what))

    def warn(self, where: str, what: str) -> None:
        """Note a warning."""
        self.findings.append(Finding("warning", where, what))
