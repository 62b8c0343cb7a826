"""``ops archive``: look into the archive of runs, and verify it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from opslib import places
from opslib.console import answering, print_json, print_rows, say, tell
from opslib.errors import ArchiveError, ExitCode, UsageError
from opslib.model import now

if TYPE_CHECKING:
    from opslib.archive.store import Archive

LONGEST_KEY = 1000


@click.group()
def archive() -> None:
    """Look into the archive of runs, and verify it."""


@archive.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def list_runs(as_json: bool) -> None:
    """List the archived runs, newest first."""
    from opslib.archive.going import going
    from opslib.archive.store import Archive
    from opslib.canonical import to_json

    store = Archive(places.archive_folder())
    rows = [to_json(row) for row in store.runs()]
    if as_json:
        print_json({"runs": rows})
    else:
        shown = ("run", "environment", "mode", "state", "verdict", "seconds")
        going_on = going(store.folder)
        for row in rows:
            if row["state"] == "open":
                row["state"] = "running" if row["run"] in going_on else "open, its process is gone"
        print_rows({name: "-" if row[name] is None else row[name] for name in shown} for row in rows)


@archive.command("show")
@click.argument("run")
@answering
def show_run(run: str) -> None:
    """Print what RUN was asked and what came out.

    RUN is the id of a run (ops archive list), its beginning or its last part.
    """
    from opslib.archive.store import Archive

    archived = Archive(places.archive_folder())
    try:
        folder = archived.folder / "runs" / archived.find(run).run
    except UsageError as error:
        _show_elsewhere(archived, run, error)
        return
    for name in ("run.json", "result.json"):
        if (folder / name).exists():
            say((folder / name).read_text(encoding="utf-8", errors="replace").rstrip(), lines=True)
    if archived.log.state(folder.name) == "open":
        tell(f"{folder.name} is open: it has no report yet.")
    else:
        say(folder / "report.html")


def _show_elsewhere(archived: Archive, given: str, unknown: UsageError) -> None:
    """Say where a run is that the log knows and whose folder is not here; raises ``unknown`` for no such run."""
    from opslib.archive import holds, pull

    known = holds.fates(archived.log)
    try:
        closed = pull.find(known, given)
    except UsageError:
        raise unknown from None
    removed = known.removed.get(closed.run)
    how = f"ops archive pull {closed.run} FOLDER --environment NAME"
    if removed is None:
        raise ArchiveError(
            f"{closed.run} was sealed on {closed.time[:10]}, its folder is gone, and no entry of the log removed it.",
            f"If it was stored, bring it back: {how}. See ops archive verify.",
        )
    say(f"{closed.run} was sealed on {closed.time[:10]} and is in the store only; entry {removed.seq}: {removed.text}")
    say(f"To bring it back: {how}")


@archive.command("verify")
@click.option("--head", metavar="SEQ:SHA256", help="A head that was noted elsewhere: the archive must still hold it.")
@click.option(
    "--signers",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Allowed signers from elsewhere: every key that signed must be in it.",
)
@click.option(
    "--published", "environment", metavar="NAME", help="Compare with the heads published to this environment's bucket."
)
@click.option("--resume", is_flag=True, help="Go on with your last one, if it was broken off within a day.")
@click.option("--store", metavar="NAME", help="Compare with the store of this environment, object by object.")
@click.option("--read", is_flag=True, help="With --store: read every byte back, besides what the service says of it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@answering
def verify_archive(
    head: str | None,
    signers: Path | None,
    environment: str | None,
    resume: bool,
    store: str | None,
    read: bool,
    as_json: bool,
) -> int:
    """Check every entry, signature, seal, approval and journal.

    The exit code is 0 when all fit, 5 when anything does not.
    """
    from opslib import settings
    from opslib.archive import stored
    from opslib.archive.audit import audit
    from opslib.archive.verify import HEAD
    from opslib.canonical import to_json

    if read and not store:
        raise UsageError("--read is for what --store compares.", "Name the environment: --store NAME.")
    if head is not None and not HEAD.fullmatch(head):
        raise UsageError(f"{head!r} is not a head.", "Give it as ops archive verify printed it: SEQ:SHA256.")
    published = settings.load(environment) if environment else None
    seen = audit(places.archive_folder(), moment=now(), head=head, signers=signers, published=published, resume=resume)
    there = stored.compare(places.archive_folder(), settings.load(store), read=read) if store else None
    ok = seen.ok and (there is None or there.ok)
    if as_json:
        compared = {"store": {**to_json(there), "ok": there.ok}} if there else {}
        print_json({**to_json(seen), **compared, "ok": ok})
    else:
        say(seen, lines=True)
        say(there, lines=True) if there else None
    return 0 if ok else int(ExitCode.FAILED)


@archive.command("heartbeat")
@click.option("--environment", default="lab", show_default=True, metavar="NAME", help="Whose bucket and time stamps.")
@answering
def beat(environment: str) -> int:
    """Append an entry that shows that nothing was silenced; stamp and publish it. For cron, every hour."""
    from opslib import settings
    from opslib.archive.heartbeat import beat as append
    from opslib.archive.store import Archive

    done = append(Archive(places.archive_folder()), settings.load(environment))
    say(f"entry {done.entry.seq}" + (f", published to {done.published.where}" if done.published else ""))
    for fault in done.faults:
        tell(fault)
    return int(ExitCode.UNKNOWN) if done.faults else 0


@archive.command("copy")
@click.option("--environment", default="lab", show_default=True, metavar="NAME", help="To whose bucket.")
@answering
def copy_archive(environment: str) -> None:
    """Copy what is new and sealed to the bucket of published heads."""
    from opslib import settings
    from opslib.archive import copy

    done = copy.copy(places.archive_folder(), settings.load(environment))
    say(f"archive {done.archive}, up to entry {done.seq}: {done.added} objects added")


@archive.command("fetch")
@click.argument("archive_id", metavar="ARCHIVE")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--environment", default="lab", show_default=True, metavar="NAME", help="From whose bucket.")
@answering
def fetch_archive(archive_id: str, folder: Path, environment: str) -> int:
    """Bring a copied ARCHIVE (the id that copy printed) back into an empty FOLDER."""
    from opslib import settings
    from opslib.archive import copy

    done = copy.fetch(archive_id, settings.load(environment), folder)
    say(f"{done.entries} entries and {done.runs} runs; now: sh {folder}/verify.sh")
    for fault in done.faults:
        tell(fault)
    return int(ExitCode.FAILED) if done.faults else 0


@archive.group("key")
def key() -> None:
    """Introduce another host's signing key, or revoke one; this host's key signs that."""


@key.command("add")
@click.argument("public", metavar="PUBLIC_KEY_FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("name")
@answering
def add_key(public: Path, name: str) -> None:
    """Let the host NAME (host@ops-2) with this Ed25519 key write to the archive."""
    from opslib.archive import keys
    from opslib.archive.store import Archive

    text = public.read_text(encoding="ascii", errors="replace")[:LONGEST_KEY]
    say(f"entry {keys.introduce(Archive(places.archive_folder()).log, text, name).seq}")


@key.command("revoke")
@click.argument("fingerprint")
@answering
def revoke_key(fingerprint: str) -> None:
    """Say that the key with this FINGERPRINT (SHA256:…) signs no further entry."""
    from opslib.archive import keys
    from opslib.archive.store import Archive

    say(f"entry {keys.revoke(Archive(places.archive_folder()).log, fingerprint).seq}")


@archive.command("index")
@click.option("--install", is_flag=True, help="Only make the team's index's tables, as the role that owns them.")
@answering
def index_archive(install: bool) -> int:
    """Write the archive's index page anew, and bring what runs are found by up to date: here, and the team's.

    The team's index is where OPS_INDEX_URL is (docs/archive.md). The exit code is 3 when it could not be told.
    """
    from opslib.archive import search_index, team_index
    from opslib.archive.store import Archive
    from opslib.errors import OpsError

    folder = places.archive_folder()
    if install:
        new = team_index.install()
        tell("The team's index is installed." if new else "The team's index was installed already.")
        return 0
    say(Archive(folder).index())
    with search_index.opened(folder) as own:
        tell(f"{own.added} runs read into the index here")
    try:
        with team_index.told(folder) as team:
            for text in team.notes if team else ():
                tell(text)
            tell(f"{team.added} runs told to the team's index") if team else None
    except OpsError as error:
        tell(f"The team's index was not told. {error}\nThe next one tells it: ops archive index")
        return int(ExitCode.UNKNOWN)
    return 0
