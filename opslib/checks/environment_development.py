"""Whether a development environment that stands on this machine is whole: its variables, its packages."""

from __future__ import annotations

from collections.abc import Iterator

from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import environment_development as probes

RUNBOOK = "runbooks/set-up-environment"
MOST = 3
"""Names that one finding shows."""


def _judge(reading: Reading) -> Judgement:
    row = reading.row
    if row["state"] == "absent":
        return Judgement(Verdict.OK, "No development environment stands on this machine.", None, reading.rows)
    if row["state"] != "checkout":
        said = f"{row['folder']}, the place of the checkout, {row['is']}."
        return Judgement(Verdict.WARNING, said, None, reading.rows)
    found = [*_file(row), *_packages(row)]
    if reading.environment == "production":
        found.insert(0, "it lies beside production's credentials")
    if found:
        return Judgement(Verdict.WARNING, f"{row['folder']}: {'; '.join(found)}.", len(found), reading.rows)
    packages = "it has no lock file" if row["locked"] is None else f"{row['locked']} packages are as locked"
    said = f"At {row['commit'][:12]}: {row['variables']} variables are as they must be, {packages}."
    return Judgement(Verdict.OK, said, 0, reading.rows)


def _file(row: Row) -> Iterator[str]:
    if row["file"] is None:
        yield "there is no env file"
        return
    if row["wrong"]:
        yield _named("", row["wrong"])
    if row["twice"]:
        yield _named("twice in the env file: ", row["twice"])
    if row["unreadable_lines"]:
        yield f"{row['unreadable_lines']} lines of the env file cannot be read"
    if not row["private"]:
        yield "others may read the env file"


def _packages(row: Row) -> Iterator[str]:
    if row["not_as_locked"]:
        many = f"{len(row['not_as_locked'])} of {row['locked']} packages are not installed as locked: "
        yield _named(many, row["not_as_locked"])


def _named(said: str, names: list[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return f"{said}{', '.join(names[:MOST])}{more}"


development = Check(
    name="environment-development",
    title="A development environment on this machine is whole",
    probe=probes.development,
    judge=_judge,
    remedy=(
        f"{RUNBOOK} makes both anew: the env file from the template and the developers' vault, without anybody "
        "seeing a value, and the packages exactly as the lock file has them. It wants the checkout at the branch's "
        "newest commit with no file changed, and leaves any other as it is. A value that is wrong in the vault is "
        "corrected there first. On production's machine there must be none: whoever made it takes it away."
    ),
)
"""WARNING at the worst: no user notices it. That none stands here is well, and in production it has to be so."""
