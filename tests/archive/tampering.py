"""What can be done to an archive, and by whom: small acts, and covering them up with a key that signs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from opslib import canonical, sshsig
from opslib.archive import keys, log, seal
from opslib.archive.store import Archive
from opslib.runs import approval

from . import build

Rows = Callable[[list[str]], list[str]]


@dataclass(frozen=True)
class Whole:
    """An archive with runs, keys and approvals of every kind, and what an auditor has of it elsewhere.

    ``key`` is the file of the host's key, ``other`` of a second host's, ``revoked`` of a revoked one, ``own`` of
    somebody's who has nothing to do with it; ``hand`` is the one that whoever tampers signs with. ``signers``
    and ``heads`` lie outside the archive.
    """

    folder: Path
    first: str
    second: str
    interrupted: str
    quarantined: str
    planned: str
    applied: str
    last: str
    key: Path
    other: Path
    revoked: Path
    own: Path
    hand: Path
    signers: Path
    heads: tuple[tuple[int, str, str], ...]

    @property
    def newest(self) -> int:
        """The number of the newest entry."""
        return max(log.Log(self.folder).numbers())

    def run(self, name: str = "") -> Path:
        """The folder of a sealed run, by default the first."""
        return self.folder / "runs" / (name or self.first)

    def entry(self, seq: int) -> Path:
        """An entry's file."""
        return self.folder / log.name_of(seq)

    def signature(self, seq: int) -> Path:
        """An entry's signature's file."""
        return self.folder / log.signature_of(seq)

    def approval(self, name: str = "ann@valuecanvas") -> Path:
        """An approval's file in the run that applied a plan."""
        return self.run(self.applied) / "approvals" / f"{name}.approval"


def grown(pristine: Path, place: Path, **runs: str) -> Whole:
    """Copy an archive and grow it: a second host that writes to it, a third one's key revoked, an applied plan."""
    folder = place / "archive"
    shutil.copytree(pristine, folder, symlinks=True)
    files = {name: place / name for name in ("other", "revoked", "own", "ann")}
    for file in files.values():
        keys.create(file)
    public = {name: sshsig.Signer(file).public for name, file in files.items()}
    archive = Archive(folder)
    keys.introduce(archive.log, public["other"], "host@ops-2")
    asked = build.asked(6, "runbooks/restore-database", mode="plan")
    planned = asked["run"]
    plan = f'{{"form":"opslib plan 1","run":"{planned}"}}\n'
    build.opened_and_closed(Archive(folder, files["other"]), asked, lambda at: (at / "plan.json").write_text(plan))

    def with_approvals(at: Path) -> None:
        (at / "plan.json").write_text(plan)
        approved(at / "plan.json", planned, "ann@valuecanvas", files["ann"])
        approved(at / "plan.json", planned, "bob@valuecanvas", files["ann"])
        _by_bob(at / "approvals", place / "bob")
        with (at / "approvals" / "allowed_signers").open("a") as signers:
            signers.write(f'ann@valuecanvas namespaces="opslib-approve" {public["ann"]}\n')

    applying = asked | {"run": f"{planned}-apply", "mode": "run", "applies": build.sha256(plan.encode())}
    build.opened_and_closed(archive, applying, with_approvals)
    keys.introduce(archive.log, public["revoked"], "host@ops-3")
    keys.revoke(archive.log, sshsig.fingerprint(public["revoked"]))
    last = build.sealed(archive, 7, "WARNING")
    signers = place / "signers"
    shutil.copy(folder / keys.SIGNERS, signers)
    heads = tuple(
        (seq, seal.sha256(folder / log.name_of(seq)), f"2026-11-23T00:{seq:02d}:00Z")
        for seq in sorted(log.Log(folder).numbers())
    )
    runs = {**runs, "last": last, "planned": planned, "applied": applying["run"]}
    own = {name: file for name, file in files.items() if name != "ann"}
    return Whole(folder, **runs, **own, key=keys.path(), hand=files["own"], signers=signers, heads=heads)


def _by_bob(folder: Path, key: Path) -> None:
    """Sign bob's approval with a key of another kind, by ssh-keygen."""
    said = folder / "bob@valuecanvas.approval"
    said.with_name(f"{said.name}.sig").unlink()
    for words in (
        ["-q", "-t", "ecdsa", "-N", "", "-f", key],
        ["-q", "-Y", "sign", "-n", "opslib-approve", "-f", key, said],
    ):
        subprocess.run(["ssh-keygen", *words], check=True, stderr=subprocess.DEVNULL)
    kind, public, _ = key.with_suffix(".pub").read_text().split(" ")
    (folder / "allowed_signers").write_text(f'bob@valuecanvas namespaces="opslib-approve" {kind} {public}\n')


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def lines(path: Path, change: Rows) -> None:
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))


def swap(one: Path, other: Path) -> None:
    held = one.with_name("held")
    one.rename(held)
    other.rename(one)
    held.rename(other)


def linked(path: Path) -> None:
    away = path.parents[2] / "away"
    path.rename(away)
    path.symlink_to(away)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder_at(path: Path) -> None:
    path.unlink()
    path.mkdir()


def socket_at(folder: Path) -> None:
    here = Path.cwd()
    os.chdir(folder)
    try:
        socket.socket(socket.AF_UNIX).bind("s")
    finally:
        os.chdir(here)


def resealed(folder: Path) -> None:
    """Make the manifest of a changed run fit again."""
    sums = {path: seal.sha256(folder / path) for path in seal.parse((folder / seal.MANIFEST).read_bytes())}
    (folder / seal.MANIFEST).write_bytes(seal.Scan(sums, ()).manifest())


def remade(archive: Path, seq: int, **said: object) -> None:
    """Write an entry anew, with a right checksum, so that only what it says can betray it."""
    entry = log.parse((archive / log.name_of(seq)).read_bytes())
    (archive / log.name_of(seq)).write_bytes(log.Entry(**{**entry.__dict__, **said}).encode())


def renumbered(s: Whole, order: list[int]) -> None:
    """Keep the entries of these numbers, in this order, each with its new number and a right checksum.

    A signature moves with its entry.
    """
    kept = [(log.parse(s.entry(seq).read_bytes()), s.signature(seq).read_bytes()) for seq in order]
    for path in (s.folder / "log").iterdir():
        path.unlink()
    for seq, (entry, signature) in enumerate(kept, 1):
        before = [(entry.sums[0][0] if entry.seq > 1 else "0" * 64, log.name_of(seq - 1))] if seq > 1 else []
        file = [(entry.sha256, entry.file)] if entry.file else []
        s.entry(seq).write_bytes(log.Entry(**{**entry.__dict__, "seq": seq, "sums": (*before, *file)}).encode())
        s.signature(seq).write_bytes(signature)


def added(s: Whole, event: str, run: str, file: tuple[str, str] | None = None, key: Path | None = None) -> None:
    """Append an entry that fits the log, signed by ``key``, by default the one at hand."""
    seq = s.newest + 1
    before = (seal.sha256(s.entry(seq - 1)), log.name_of(seq - 1))
    time = log.parse(s.entry(seq - 1).read_bytes()).time
    entry = log.Entry(seq, event, run, time, sums=(before, *([file] if file else [])))
    s.entry(seq).write_bytes(entry.encode())
    s.signature(seq).write_bytes(sshsig.sign(entry.encode(), keys.NAMESPACE, key or s.hand))


def key_added(s: Whole, signed_by: Path) -> None:
    """Append an entry that adds somebody's own key, and list it."""
    seq, own = s.newest + 1, sshsig.Signer(s.own)
    change = keys.Change(sshsig.fingerprint(own.public), "host@ops-9", own.public)
    sums = ((seal.sha256(s.entry(seq - 1)), log.name_of(seq - 1)),)
    time = log.parse(s.entry(seq - 1).read_bytes()).time
    entry = log.Entry(seq, "key", "-", time, text=change.text, sums=sums)
    s.entry(seq).write_bytes(entry.encode())
    s.signature(seq).write_bytes(sshsig.sign(entry.encode(), keys.NAMESPACE, signed_by))
    with (s.folder / keys.SIGNERS).open("a") as file:
        file.write(f"{change.line}\n")


def signature_with(path: Path, **said: bytes) -> None:
    """Write a signature anew with other parts."""
    parts = sshsig.parse(path.read_bytes())
    path.write_bytes(sshsig.Parts(**{**parts.__dict__, **said}).encode())


ORDER = 2**252 + 27742317777372353535851937790883648493


def twin(path: Path) -> None:
    """Add the group's order to a signature's number: OpenSSH takes the sum for the same signature."""
    signature = sshsig.parse(path.read_bytes()).signature
    number = int.from_bytes(signature[32:], "little") + ORDER
    signature_with(path, signature=signature[:32] + number.to_bytes(32, "little"))


def rewrapped(path: Path, width: int) -> None:
    """Break a signature's lines elsewhere."""
    first, *rows, last = path.read_text().splitlines()
    text = "".join(rows)
    broken = [text[at : at + width] for at in range(0, len(text), width)]
    path.write_text("\n".join([first, *broken, last, ""]))


def slack(path: Path) -> None:
    """Set bits of a signature's last character that decoding drops."""
    text = path.read_text()
    at = text.index("==") - 1
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    path.write_text(text[:at] + alphabet[alphabet.index(text[at]) + 1] + text[at + 1 :])


def approved(plan: Path, work: str, name: str, key: Path) -> None:
    """Put an approval of a plan beside it, signed by ``key``."""
    at = datetime.fromisoformat("2026-11-01T00:06:30+00:00")
    sha = seal.sha256(plan)
    said = approval.Approval("approve", work, sha, name, at, at + timedelta(hours=1)).encode()
    folder = plan.parent / "approvals"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.approval").write_bytes(said)
    (folder / f"{name}.approval.sig").write_bytes(sshsig.sign(said, "opslib-approve", key))


def applied_again(s: Whole) -> None:
    """Copy the run that applied a plan under another id: a replayed plan with its approvals."""
    again = s.applied.replace("000006", "000066")
    shutil.copytree(s.run(s.applied), s.run(again))
    edit(s.run(again) / "run.json", s.applied, again)
    added(s, "open", again, (seal.sha256(s.run(again) / "run.json"), f"runs/{again}/run.json"))
    resealed(s.run(again))
    added(s, "close", again, (seal.sha256(s.run(again) / seal.MANIFEST), f"runs/{again}/{seal.MANIFEST}"))


def covered(s: Whole, key: Path, back: timedelta = timedelta(0)) -> None:
    """Make everything fit that who holds a trusted key can: journals, manifests, entries, signatures, list of keys.

    Entries of runs that are gone go with them. ``back`` dates every entry back.
    """
    signer = sshsig.Signer(key)
    for folder in (s.folder / "runs").iterdir() if (s.folder / "runs").is_dir() else []:
        if folder.is_dir() and not folder.is_symlink():
            _rechained(folder / "journal.jsonl")
            if (folder / seal.MANIFEST).is_file():
                _manifest(folder)
    if not (s.folder / "log").is_dir():
        return
    found = [entry for path in sorted((s.folder / "log").glob("[0-9]*.entry")) if (entry := _lenient(path))]
    entries = [entry for entry in found if not entry.file or _named(s, entry).is_file()]
    for path in (s.folder / "log").iterdir():
        if path.is_file() or path.is_symlink():
            path.unlink()
    before: tuple[tuple[str, str], ...] = ()
    changes: list[keys.Change] = []
    for seq, entry in enumerate(entries, 1):
        file = ((seal.sha256(_named(s, entry)), entry.file),) if entry.file else ()
        time = (datetime.fromisoformat(entry.time) - back).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        new = log.Entry(**{**entry.__dict__, "seq": seq, "time": time, "sums": (*before, *file)}).encode()
        if s.entry(seq).is_dir():
            return
        s.entry(seq).write_bytes(new)
        s.signature(seq).write_bytes(signer.sign(new, keys.NAMESPACE))
        before = ((seal.sha256(s.entry(seq)), log.name_of(seq)),)
        changes += [keys.parse(entry.text)] if entry.event == "key" else []
    (s.folder / keys.SIGNERS).unlink(missing_ok=True)
    (s.folder / keys.SIGNERS).write_bytes(keys.listed(changes))


def _named(s: Whole, entry: log.Entry) -> Path:
    """The file that an entry names, in quarantine when its run is there."""
    aside = s.folder / entry.file.replace("runs/", "quarantine/", 1)
    return aside if aside.is_file() else s.folder / entry.file


def _rechained(path: Path) -> None:
    if path.is_symlink() or not path.is_file():
        return
    prev, data = "0" * 64, b""
    for raw in path.read_bytes().splitlines():
        try:
            said = json.loads(raw)
        except ValueError:
            continue
        line = canonical.canonical({**said, "prev": prev, "seq": data.count(b"\n") + 1})
        prev = build.sha256(line)
        data += line + b"\n"
    path.write_bytes(data)


def _manifest(folder: Path) -> None:
    sums = {}
    for path, entry in seal.walk(folder):
        if entry.is_file(follow_symlinks=False) and path != seal.MANIFEST:
            sums[path] = seal.sha256(folder / path)
    (folder / seal.MANIFEST).write_bytes("".join(f"{sha}  {p}\n" for p, sha in sorted(sums.items())).encode())


def _lenient(path: Path) -> log.Entry | None:
    """Read an entry whose checksum need not fit."""
    if path.is_symlink() or not path.is_file():
        return None
    match = log._ENTRY.fullmatch(path.read_bytes().decode("ascii", "replace"))
    if match is None or match["event"] not in log.EVENTS:
        return None
    said = match.groupdict(default="")
    sums = tuple((line[:64], line[66:]) for line in said["sums"].splitlines())
    return log.Entry(int(said["seq"]), said["event"], said["run"], said["time"], said["state"], said["text"], sums)
