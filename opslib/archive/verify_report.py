"""What verification found, and in words what the archive can show: chained, signed, anchored, or not."""

from __future__ import annotations

from dataclasses import dataclass

from opslib.archive.verify_run import Finding

NOT_ANCHORED = "NOT ANCHORED: tail cut and key holder rewriting cannot be excluded."
"""What no archive can show by itself; printed with every report that no head from outside was given to."""


def coverage(held: int, last: int) -> str:
    """Return what heads kept elsewhere show: ``held`` is the newest that the archive holds (0: none)."""
    if not held:
        return NOT_ANCHORED
    after = "" if held == last else "; entries after it can be cut unseen, and rewritten by who holds the key"
    return f"ANCHORED up to entry {held} of {last}{after}."


@dataclass(frozen=True)
class VerifyReport:
    """What verification found. ``sealed`` runs are closed and unchanged; ``open`` ones may still be running.

    ``entries`` and ``files`` count what was read; ``head`` is the newest entry as ``seq:sha256``. As text it is
    what a terminal shows. ``removed`` runs are those whose folders an entry removes, their retention being over.
    """

    findings: tuple[Finding, ...]
    entries: int = 0
    files: int = 0
    head: str = ""
    sealed: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    quarantined: tuple[str, ...] = ()
    statement: str = ""
    removed: tuple[str, ...] = ()
    continued: str = ""

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return not any(finding.severity == "error" for finding in self.findings)

    def __str__(self) -> str:
        lines = [str(finding) for finding in self.findings]
        lines += [
            f"{self.entries} entries, {self.files} files, {len(self.sealed)} runs sealed, {len(self.open)} open, "
            f"{len(self.quarantined)} in quarantine"
            + (f", {len(self.removed)} removed by retention" if self.removed else ""),
            f"head {self.head or 'none'}",
            " ".join(filter(None, (self.statement, self.continued))),
            "OK: nothing in it contradicts the log" if self.ok else "FAILED: see the errors above",
        ]
        return "\n".join(lines)
