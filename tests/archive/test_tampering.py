"""What is done to an archive by whom, and what both verifiers say to it: without and with heads kept elsewhere."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from opslib import sshsig
from opslib.archive import keys, seal
from opslib.archive.verify import verify
from opslib.archive.verify_report import NOT_ANCHORED
from tests.scale import NIGHTLY, count

from . import build
from .tampering import (
    Whole,
    added,
    applied_again,
    approved,
    covered,
    edit,
    folder_at,
    key_added,
    lines,
    linked,
    pipe,
    remade,
    renumbered,
    resealed,
    rewrapped,
    signature_with,
    slack,
    socket_at,
    swap,
    twin,
)

Act = Callable[[Whole], object]


@dataclass(frozen=True)
class Kind:
    """One kind of tampering. ``hidden``: who can make it fit again so that the archive alone does not show it.

    ``cover``: whether who holds the key makes everything fit afterwards (else the act alone is all there is).
    """

    act: Act
    hidden: Literal["by nobody", "by the key", "by anybody"] = "by the key"
    cover: bool = True


def bare(act: Act, hidden: Literal["by nobody", "by anybody"] = "by nobody") -> Kind:
    """A kind that nothing else goes with: signatures and the like, whose right form is the untouched one."""
    return Kind(act, hidden, cover=False)


def shown(act: Act) -> Kind:
    """A kind that stays visible however much is made to fit."""
    return Kind(act, "by nobody")


def journal_edited(s: Whole) -> None:
    edit(s.run() / "journal.jsonl", "line 1", "line 7")


def fresh(s: Whole) -> None:
    """Sign everything anew with somebody's own key, as its first and only one."""
    change = keys.Change(sshsig.fingerprint(sshsig.Signer(s.own).public), "host@vm", sshsig.Signer(s.own).public)
    for seq in range(1, s.newest + 1):
        text = s.entry(seq).read_text()
        if "# event key" in text:
            remade(s.folder, seq, **({"text": change.text} if seq == 1 else {"event": "note", "text": "hello"}))
    covered(s, s.own)


def stripped(s: Whole) -> None:
    """Make the archive one that nobody ever signed."""
    edit(s.run() / "result.json", "OK", "KO")
    renumbered(s, [seq for seq in range(1, s.newest + 1) if "# event key" not in s.entry(seq).read_text()])
    covered(s, s.own)
    for path in [*(s.folder / "log").glob("*.sig"), s.folder / keys.SIGNERS]:
        path.unlink()


def tail_cut(s: Whole, run: str) -> None:
    """Remove the newest run with its entries and their signatures."""
    for seq in (s.newest, s.newest - 1):
        s.entry(seq).unlink()
        s.signature(seq).unlink()
    shutil.rmtree(s.run(run))


def seq_of(s: Whole, event: str, run: str) -> int:
    """The number of the entry that opens or closes a run."""
    return next(seq for seq in range(1, s.newest + 1) if f"# event {event}\n# run {run}\n" in s.entry(seq).read_text())


def closing(s: Whole) -> int:
    """The number of the entry that closes the second run."""
    return seq_of(s, "close", s.second)


def sum_of_plan(s: Whole) -> str:
    """What run.json of the run that applied a plan names it by."""
    return seal.sha256(s.run(s.applied) / "plan.json")


def other_run() -> str:
    """The id of a run that never was."""
    return str(build.asked(77)["run"])


KEY = 12
"""The entry that adds the second host's key; that host signed the next one."""

RUN_FILES: dict[str, Kind] = {
    "a byte of the report is changed": Kind(lambda s: edit(s.run() / "report.html", "title", "tilte")),
    "a byte of the result is changed": Kind(lambda s: edit(s.run() / "result.json", "OK", "KO")),
    "a verdict is changed": Kind(lambda s: edit(s.run(s.second) / "result.json", "CRITICAL", "OK")),
    "run.json says another person": Kind(lambda s: edit(s.run() / "run.json", "ada@", "bob@")),
    "a byte of the notebook is changed": Kind(lambda s: edit(s.run() / "notebook.ipynb", "[]", "[ ]")),
    "a byte of the evidence is changed": Kind(lambda s: edit(s.run() / "evidence/take-backup.json", "12", "13")),
    "a line of the journal is edited": Kind(journal_edited),
    "a line of the journal is edited and the manifest made anew": Kind(
        lambda s: (journal_edited(s), resealed(s.run()))
    ),
    "a line of the journal is removed": Kind(
        lambda s: lines(s.run() / "journal.jsonl", lambda rows: rows[:2] + rows[3:])
    ),
    "a line of the journal is doubled": Kind(lambda s: lines(s.run() / "journal.jsonl", lambda rows: [rows[0], *rows])),
    "two lines of the journal change places": Kind(
        lambda s: lines(s.run() / "journal.jsonl", lambda rows: [rows[0], rows[2], rows[1], *rows[3:]])
    ),
    "the journal is cut": Kind(lambda s: lines(s.run() / "journal.jsonl", lambda rows: rows[:-1])),
    "the journal is emptied": Kind(lambda s: os.truncate(s.run() / "journal.jsonl", 0)),
    "the journal's last line is torn": Kind(lambda s: os.truncate(s.run() / "journal.jsonl", 200)),
    "the journal is chained wrongly, with manifest and entries made anew": Kind(
        lambda s: (journal_edited(s), resealed(s.run()), build.rechain(s.folder))
    ),
    "the notebook is emptied": Kind(lambda s: os.truncate(s.run() / "notebook.ipynb", 0)),
    "the report is removed": Kind(lambda s: (s.run() / "report.html").unlink()),
    "the result is removed": Kind(lambda s: (s.run() / "result.json").unlink()),
    "run.json is removed": Kind(lambda s: (s.run() / "run.json").unlink(), "by nobody"),
    "the manifest is removed": Kind(lambda s: (s.run() / "MANIFEST.sha256").unlink()),
    "evidence is removed": Kind(lambda s: shutil.rmtree(s.run() / "evidence")),
    "a line of the manifest is removed with its file": Kind(
        lambda s: (
            (s.run() / "report.html").unlink(),
            lines(s.run() / "MANIFEST.sha256", lambda rows: [line for line in rows if "report" not in line]),
        )
    ),
    "a line is added to the manifest with its file": Kind(
        lambda s: (
            (s.run() / "z.txt").write_text("z"),
            lines(s.run() / "MANIFEST.sha256", lambda rows: [*rows, f"{seal.sha256(s.run() / 'z.txt')}  z.txt\n"]),
        )
    ),
    "a sum in the manifest is changed": bare(
        lambda s: lines(s.run() / "MANIFEST.sha256", lambda rows: ["0" * 64 + rows[0][64:], *rows[1:]])
    ),
    "the manifest is sorted otherwise": bare(lambda s: lines(s.run() / "MANIFEST.sha256", lambda rows: rows[::-1])),
    "the manifest gets a comment": bare(lambda s: lines(s.run() / "MANIFEST.sha256", lambda rows: ["# fine\n", *rows])),
    "the manifest points out of the run, with entries made anew": bare(
        lambda s: (
            (s.run() / "MANIFEST.sha256").write_bytes(
                f"{seal.sha256(s.folder / 'verify.sh')}  ../../verify.sh\n".encode()
                + (s.run() / "MANIFEST.sha256").read_bytes()
            ),
            build.rechain(s.folder, key=s.hand),
        )
    ),
    "the manifest leaves run.json out, with entries made anew": bare(
        lambda s: (
            lines(s.run() / "MANIFEST.sha256", lambda rows: [line for line in rows if "run.json" not in line]),
            build.rechain(s.folder, key=s.hand),
        )
    ),
    "a file is added to a run": Kind(lambda s: (s.run() / "extra.txt").write_text("x")),
    "a file is added to the evidence": Kind(lambda s: (s.run() / "evidence" / "extra.json").write_text("{}")),
    "a hidden file is added to a run": Kind(lambda s: (s.run() / ".extra").write_text("")),
    "a file with a strange name is added": shown(lambda s: (s.run() / "a\n\x1b[31mb").write_text("x")),
    "a folder is added to a run": shown(lambda s: (s.run() / "more").mkdir()),
    "a file is renamed": Kind(lambda s: (s.run() / "report.html").rename(s.run() / "report.htm")),
    "two files change names": Kind(lambda s: swap(s.run() / "report.html", s.run() / "notebook.ipynb")),
    "a file is replaced by a link to its content": shown(lambda s: linked(s.run() / "report.html")),
    "a file is replaced by a pipe": shown(lambda s: pipe(s.run() / "journal.jsonl")),
    "a file is replaced by a folder": shown(lambda s: folder_at(s.run() / "report.html")),
    "a socket is added": shown(lambda s: socket_at(s.run())),
    "a link is added": shown(lambda s: (s.run() / "evidence" / "link").symlink_to("/etc/hostname")),
    "a dangling link is added": shown(lambda s: (s.run() / "link").symlink_to("nowhere")),
    "reports of two runs are swapped": Kind(lambda s: swap(s.run() / "report.html", s.run(s.second) / "report.html")),
    "journals of two runs are swapped": Kind(
        lambda s: swap(s.run() / "journal.jsonl", s.run(s.second) / "journal.jsonl")
    ),
}
RUNS: dict[str, Kind] = {
    "two runs are swapped": Kind(lambda s: swap(s.run(), s.run(s.second))),
    "a run is removed": Kind(lambda s: shutil.rmtree(s.run())),
    "a run is renamed": shown(lambda s: s.run().rename(s.run(other_run()))),
    "a run is replaced by a link": shown(lambda s: linked(s.run())),
    "a run is copied": shown(lambda s: shutil.copytree(s.run(), s.run(other_run()))),
    "a file lies beside the runs": shown(lambda s: (s.folder / "runs" / "extra").write_text("")),
    "a sealed run is moved to quarantine": shown(lambda s: s.run().rename(s.folder / "quarantine" / s.first)),
    "a quarantined run is moved back": shown(
        lambda s: (s.folder / "quarantine" / s.quarantined).rename(s.run(s.quarantined))
    ),
    "run.json of a quarantined run is edited": Kind(
        lambda s: edit(s.folder / "quarantine" / s.quarantined / "run.json", "ada@", "bob@")
    ),
    "an unknown run lies in quarantine": shown(lambda s: (s.folder / "quarantine" / other_run()).mkdir()),
    "the runs are removed": shown(lambda s: shutil.rmtree(s.folder / "runs")),
    "the runs are elsewhere": shown(
        lambda s: (
            (s.folder / "runs").rename(s.folder.parent / "elsewhere"),
            (s.folder / "runs").symlink_to(s.folder.parent / "elsewhere"),
        )
    ),
}
ENTRIES: dict[str, Kind] = {
    "an entry's event is edited": Kind(lambda s: edit(s.entry(closing(s)), "# event close", "# event note")),
    "an entry's run is edited": shown(lambda s: edit(s.entry(seq_of(s, "open", s.second)), s.second, s.first)),
    "an entry's hash is edited": bare(
        lambda s: lines(s.entry(5), lambda rows: [*rows[:-2], rows[-2][::-1].strip() + "\n", rows[-1]])
    ),
    "an entry gets a checksum anew after an edit": Kind(lambda s: remade(s.folder, 5, text="all is well")),
    "an entry is backdated": Kind(lambda s: edit(s.entry(5), "# time 20", "# time 19")),
    "an entry is backdated with a checksum made anew": Kind(
        lambda s: remade(s.folder, 5, time="2019-01-01T00:00:00.000000Z")
    ),
    "the newest entry is backdated": Kind(lambda s: edit(s.entry(s.newest), "# time 20", "# time 19")),
    "the newest entry is backdated with a checksum made anew": Kind(
        lambda s: remade(s.folder, s.newest, time="2019-01-01T00:00:00.000000Z")
    ),
    "the newest entry is dated in the future": Kind(
        lambda s: remade(s.folder, s.newest, time="2039-01-01T00:00:00.000000Z")
    ),
    "the newest entry loses its last byte": Kind(lambda s: os.truncate(s.entry(s.newest), 100)),
    "the newest entry gets a byte that ends strings": bare(
        lambda s: s.entry(s.newest).write_bytes(s.entry(s.newest).read_bytes().replace(b"# event", b"# ev\0ent"))
    ),
    "the newest entry gets a line": bare(
        lambda s: s.entry(s.newest).write_bytes(s.entry(s.newest).read_bytes() + b"\n")
    ),
    "an entry gets Windows line ends": bare(
        lambda s: s.entry(5).write_bytes(s.entry(5).read_bytes().replace(b"\n", b"\r\n"))
    ),
    "an interrupted run is said to have ended": Kind(
        lambda s: remade(s.folder, seq_of(s, "close", s.interrupted), state="")
    ),
    "an entry is removed": Kind(lambda s: s.entry(5).unlink()),
    "an entry is removed with its signature": Kind(lambda s: (s.entry(5).unlink(), s.signature(5).unlink())),
    "the first entry is removed": Kind(lambda s: s.entry(1).unlink()),
    "an entry is removed and the others move up": Kind(
        lambda s: renumbered(s, [seq for seq in range(1, s.newest + 1) if seq != 5])
    ),
    "a run is cut out with all its entries": Kind(
        lambda s: (
            renumbered(s, [q for q in range(1, s.newest + 1) if s.first not in s.entry(q).read_text()]),
            shutil.rmtree(s.run()),
        )
    ),
    "two entries change places and numbers": Kind(lambda s: renumbered(s, [1, 4, 5, 2, 3, *range(6, s.newest + 1)])),
    "an entry is moved to the end": Kind(
        lambda s: renumbered(s, [seq for seq in range(1, s.newest + 1) if seq != 5] + [5])
    ),
    "an entry is inserted between two others": Kind(
        lambda s: (renumbered(s, [1, 2, 3, 3, *range(4, s.newest + 1)]), remade(s.folder, 4, event="note", run="-"))
    ),
    "an entry is emptied": Kind(lambda s: os.truncate(s.entry(5), 0)),
    "an entry is doubled under the next number": bare(lambda s: shutil.copy(s.entry(s.newest), s.entry(s.newest + 1))),
    "an entry is doubled under the next number with its signature": bare(
        lambda s: (
            shutil.copy(s.signature(s.newest), s.signature(s.newest + 1)),
            shutil.copy(s.entry(s.newest), s.entry(s.newest + 1)),
        )
    ),
    "two entries are swapped": bare(lambda s: swap(s.entry(4), s.entry(6))),
    "two entries are swapped with their signatures": bare(
        lambda s: (swap(s.entry(4), s.entry(6)), swap(s.signature(4), s.signature(6)))
    ),
    "an entry is renamed": bare(lambda s: s.entry(5).rename(s.entry(5).with_suffix(".bak"))),
    "a file lies beside the entries": bare(lambda s: (s.folder / "log" / "000004.entry~").write_text("")),
    "an entry number 0 is added": bare(lambda s: shutil.copy(s.entry(1), s.entry(0))),
    "an entry is a link": bare(lambda s: linked(s.entry(5))),
    "an entry is a folder": shown(lambda s: folder_at(s.entry(s.newest))),
    "an entry is a pipe": bare(lambda s: pipe(s.entry(s.newest))),
    "a run is closed twice": bare(
        lambda s: added(
            s, "close", s.first, (seal.sha256(s.run() / "MANIFEST.sha256"), f"runs/{s.first}/MANIFEST.sha256")
        )
    ),
    "a run is opened twice": bare(
        lambda s: added(s, "open", s.first, (seal.sha256(s.run() / "run.json"), f"runs/{s.first}/run.json"))
    ),
    "a run is closed that was never opened": bare(
        lambda s: added(s, "close", other_run(), ("0" * 64, f"runs/{other_run()}/MANIFEST.sha256"))
    ),
    "a run is opened that has no folder": bare(
        lambda s: added(s, "open", other_run(), ("0" * 64, f"runs/{other_run()}/run.json"))
    ),
    "a sealed run is said to be in quarantine": bare(
        lambda s: (added(s, "note", s.first), remade(s.folder, s.newest, state="quarantined"))
    ),
    "the log is removed": shown(lambda s: shutil.rmtree(s.folder / "log")),
    "the log is emptied": shown(lambda s: [path.unlink() for path in (s.folder / "log").iterdir()]),
    "the newest run is cut off with its entries": Kind(lambda s: tail_cut(s, s.last), "by anybody"),
    "the newest entry is cut off, which leaves a run that looks open": Kind(
        lambda s: (s.signature(s.newest).unlink(), s.entry(s.newest).unlink()), "by anybody"
    ),
    "everything but the first run is cut off": Kind(
        lambda s: (
            [(s.entry(seq).unlink(), s.signature(seq).unlink()) for seq in range(s.newest, 3, -1)],
            [shutil.rmtree(path) for path in (s.folder / "runs").iterdir() if path.name != s.first],
            shutil.rmtree(s.folder / "quarantine" / s.quarantined),
            lines(s.folder / keys.SIGNERS, lambda rows: rows[:1]),
        ),
        "by anybody",
    ),
}
SIGNATURES: dict[str, Kind] = {
    "a signature is removed": bare(lambda s: s.signature(5).unlink()),
    "the newest signature is removed": bare(lambda s: s.signature(s.newest).unlink()),
    "the first signature is removed": bare(lambda s: s.signature(1).unlink()),
    "all signatures are removed": bare(lambda s: [path.unlink() for path in (s.folder / "log").glob("*.sig")]),
    "a signature is emptied": bare(lambda s: os.truncate(s.signature(5), 0)),
    "a signature is cut": bare(lambda s: os.truncate(s.signature(5), 200)),
    "a signature gets a line at its end": bare(
        lambda s: s.signature(5).write_bytes(s.signature(5).read_bytes() + b"\n")
    ),
    "a signature gets a line at its start": bare(
        lambda s: s.signature(5).write_bytes(b"\n" + s.signature(5).read_bytes())
    ),
    "a signature loses its last line end": bare(
        lambda s: s.signature(5).write_bytes(s.signature(5).read_bytes().rstrip())
    ),
    "a signature gets Windows line ends": bare(
        lambda s: s.signature(5).write_bytes(s.signature(5).read_bytes().replace(b"\n", b"\r\n"))
    ),
    "a signature gets a byte that ends strings": bare(
        lambda s: s.signature(5).write_bytes(s.signature(5).read_bytes().replace(b"\n", b"\0\n", 2))
    ),
    "a signature is broken into shorter lines": bare(lambda s: rewrapped(s.signature(5), 64)),
    "a signature is broken into longer lines": bare(lambda s: rewrapped(s.signature(5), 76)),
    "a signature is one line": bare(lambda s: rewrapped(s.signature(5), 400)),
    "a signature's unused bits are set": bare(lambda s: slack(s.signature(5))),
    "a signature is replaced by its twin": bare(lambda s: twin(s.signature(5))),
    "a signature's signature is of another algorithm": bare(lambda s: signature_with(s.signature(5), form=b"ssh-rsa")),
    "a signature is longer": bare(lambda s: signature_with(s.signature(5), rest=b"\0\0\0\0\0")),
    "a signature is for approvals": bare(lambda s: signature_with(s.signature(5), namespace=b"opslib-approve")),
    "a signature names another key": bare(
        lambda s: signature_with(s.signature(5), key=sshsig.parse(s.signature(KEY + 1).read_bytes()).key)
    ),
    "a signature is copied from another entry": bare(lambda s: shutil.copy(s.signature(4), s.signature(5))),
    "two signatures are swapped": bare(lambda s: swap(s.signature(4), s.signature(5))),
    "an approval's signature is put beside an entry": bare(
        lambda s: shutil.copy(f"{s.approval()}.sig", s.signature(5))
    ),
    "a signature is by a key that nobody knows": bare(
        lambda s: s.signature(5).write_bytes(sshsig.sign(s.entry(5).read_bytes(), keys.NAMESPACE, s.own))
    ),
    "the newest signature is by a key that nobody knows": bare(
        lambda s: s.signature(s.newest).write_bytes(sshsig.sign(s.entry(s.newest).read_bytes(), keys.NAMESPACE, s.own))
    ),
    "a signature is by a revoked key": bare(
        lambda s: s.signature(s.newest).write_bytes(
            sshsig.sign(s.entry(s.newest).read_bytes(), keys.NAMESPACE, s.revoked)
        )
    ),
    "an entry is appended by a key that nobody knows": bare(lambda s: added(s, "note", "-", key=s.own)),
    "an entry is appended by a revoked key": bare(lambda s: added(s, "note", "-", key=s.revoked)),
    "a signature is a link": bare(lambda s: linked(s.signature(5))),
    "a signature is a pipe": bare(lambda s: pipe(s.signature(5))),
    "a signature is a folder": bare(lambda s: folder_at(s.signature(5))),
    "a signature lies far after the last entry": bare(lambda s: shutil.copy(s.signature(5), s.signature(500))),
    "a signature of entry 0 is added": bare(lambda s: shutil.copy(s.signature(5), s.signature(0))),
}
KEYS: dict[str, Kind] = {
    "a key is added to the list": bare(
        lambda s: lines(
            s.folder / keys.SIGNERS,
            lambda rows: [*rows, f'host@x namespaces="opslib-archive" {sshsig.Signer(s.own).public}\n'],
        )
    ),
    "a key is removed from the list": bare(lambda s: lines(s.folder / keys.SIGNERS, lambda rows: rows[1:])),
    "the last key is removed from the list": bare(lambda s: lines(s.folder / keys.SIGNERS, lambda rows: rows[:-1])),
    "two keys of the list change places": bare(
        lambda s: lines(s.folder / keys.SIGNERS, lambda rows: [rows[1], rows[0], *rows[2:]])
    ),
    "a key in the list gets another owner": bare(lambda s: edit(s.folder / keys.SIGNERS, "host@ops-2", "host@ops-9")),
    "a key in the list is for every purpose": bare(
        lambda s: edit(s.folder / keys.SIGNERS, ' namespaces="opslib-archive"', "")
    ),
    "a comment is added to the list": bare(lambda s: lines(s.folder / keys.SIGNERS, lambda rows: ["# ok\n", *rows])),
    "a byte that ends strings is added to the list": bare(
        lambda s: (s.folder / keys.SIGNERS).write_bytes((s.folder / keys.SIGNERS).read_bytes() + b"\0")
    ),
    "the list of keys is emptied": bare(lambda s: os.truncate(s.folder / keys.SIGNERS, 0)),
    "the list of keys is removed": bare(lambda s: (s.folder / keys.SIGNERS).unlink()),
    "the list of keys is a link": bare(
        lambda s: (
            (s.folder / keys.SIGNERS).rename(s.folder.parent / "list"),
            (s.folder / keys.SIGNERS).symlink_to(s.folder.parent / "list"),
        )
    ),
    "the list of keys is a pipe": bare(lambda s: pipe(s.folder / keys.SIGNERS)),
    "the list of keys is a folder": bare(lambda s: folder_at(s.folder / keys.SIGNERS)),
    "a key's entry names another key": bare(
        lambda s: edit(s.entry(KEY), sshsig.Signer(s.other).public, sshsig.Signer(s.own).public)
    ),
    "a key's entry is forged, with another key": bare(
        lambda s: remade(
            s.folder,
            KEY,
            text=keys.Change(
                sshsig.fingerprint(sshsig.Signer(s.own).public), "host@ops-2", sshsig.Signer(s.own).public
            ).text,
        )
    ),
    "a key's entry gives another fingerprint": bare(
        lambda s: (
            remade(s.folder, KEY, text=f"add SHA256:{'A' * 43} host@ops-2 {sshsig.Signer(s.other).public}"),
            build.rechain(s.folder, KEY, s.hand),
        )
    ),
    "a key's entry says nothing of a key": bare(
        lambda s: (remade(s.folder, KEY, text="add all"), build.rechain(s.folder, KEY, s.hand))
    ),
    "a key is revoked a second time": bare(
        lambda s: (
            added(s, "key", "-"),
            remade(s.folder, s.newest, text=f"revoke {sshsig.fingerprint(sshsig.Signer(s.revoked).public)}"),
            s.signature(s.newest).write_bytes(sshsig.sign(s.entry(s.newest).read_bytes(), keys.NAMESPACE, s.hand)),
        )
    ),
    "a key adds itself": bare(lambda s: key_added(s, s.own)),
    "a revoked key adds another": bare(lambda s: key_added(s, s.revoked)),
    "a revocation is cut out": Kind(
        lambda s: renumbered(s, [q for q in range(1, s.newest + 1) if "# text revoke" not in s.entry(q).read_text()])
    ),
    "all is signed anew by somebody's own key": Kind(fresh, "by nobody", cover=False),
    "all signatures are taken away and everything made anew": Kind(stripped, "by nobody", cover=False),
}
APPROVALS: dict[str, Kind] = {
    "an approved plan is edited": shown(lambda s: edit(s.run(s.applied) / "plan.json", "plan 1", "plan 2")),
    "run.json names another plan": shown(lambda s: edit(s.run(s.applied) / "run.json", sum_of_plan(s), "0" * 64)),
    "run.json names no plan": shown(lambda s: edit(s.run(s.applied) / "run.json", '"applies"', '"applied"')),
    "an approved plan is removed": shown(lambda s: (s.run(s.applied) / "plan.json").unlink()),
    "an approval is by another person": shown(lambda s: edit(s.approval(), "# by ann@", "# by eve@")),
    "an approval is for another plan": shown(lambda s: edit(s.approval(), "restore", "migrate")),
    "an approval expires later": shown(lambda s: edit(s.approval(), "# expires 2026", "# expires 2027")),
    "an approval is dated back": shown(lambda s: edit(s.approval(), "# time 2026", "# time 2025")),
    "an approval gets a reason": shown(lambda s: edit(s.approval(), "  plan.json", "  plan.json\n# reason because")),
    "an approval gets a byte that ends strings": shown(
        lambda s: s.approval().write_bytes(s.approval().read_bytes() + b"\0")
    ),
    "an approval's signature is removed": shown(lambda s: Path(f"{s.approval()}.sig").unlink()),
    "an approval's signature is another's": shown(
        lambda s: shutil.copy(f"{s.approval('bob@valuecanvas')}.sig", f"{s.approval()}.sig")
    ),
    "an approval's signature is replaced by its twin": shown(lambda s: twin(Path(f"{s.approval()}.sig"))),
    "an approval is renamed": shown(lambda s: s.approval().rename(s.approval("eve@valuecanvas"))),
    "an approval is by a key that is not allowed": shown(
        lambda s: approved(s.run(s.applied) / "plan.json", s.planned, "ann@valuecanvas", s.own)
    ),
    "an approval of another work is copied in": shown(
        lambda s: approved(s.run(s.applied) / "plan.json", other_run(), "ann@valuecanvas", s.own)
    ),
    "the list of who may approve is edited": shown(
        lambda s: edit(s.approval().with_name("allowed_signers"), "ann@", "eve@")
    ),
    "the list of who may approve is removed": shown(lambda s: s.approval().with_name("allowed_signers").unlink()),
    "an approval is removed with its signature": Kind(
        lambda s: (s.approval().unlink(), Path(f"{s.approval()}.sig").unlink())
    ),
    "a plan is applied a second time with its approvals": bare(applied_again),
}
KINDS = {**RUN_FILES, **RUNS, **ENTRIES, **SIGNATURES, **KEYS, **APPROVALS}
Attacker = Literal["without a key", "with the signing key", "with the key, the clock and the disk"]
ATTACKERS: tuple[Attacker, ...] = (
    "without a key",
    "with the signing key",
    "with the key, the clock and the disk",
)
CASES = [
    (name, who)
    for name in KINDS
    for turn, who in enumerate(ATTACKERS)
    # By day every kind, by one of the three; each kind and each attacker has its turn.
    if NIGHTLY or turn == zlib.crc32(name.encode()) % len(ATTACKERS)
]


def attacked(whole: Whole, folder: Path, kind: Kind, who: Attacker) -> Whole:
    """Copy the archive and do to it what that attacker can."""
    shutil.copytree(whole.folder, folder, symlinks=True)
    s = replace(whole, folder=folder, hand=whole.own if who == "without a key" else whole.key)
    kind.act(s)
    if who == "without a key":
        return s
    if kind.cover:
        covered(s, s.key, timedelta(days=400) if who.endswith("disk") else timedelta(0))
    if who.endswith("disk"):
        (s.folder / "verify.sh").write_text("echo OK: nothing in it contradicts the log\n")
        (s.folder / "index.html").write_text("all is well")
        shutil.rmtree(s.folder / "running")
    return s


@pytest.mark.parametrize(("name", "who"), CASES, ids=[f"{name}, {who}" for name, who in CASES])
def test_both_verifiers_find_it_or_say_what_they_cannot_exclude(
    whole: Whole, tmp_path: Path, name: str, who: Attacker
) -> None:
    kind = KINDS[name]
    s = attacked(whole, tmp_path / "archive", kind, who)
    hidden = kind.hidden == "by anybody" or (kind.hidden == "by the key" and who != "without a key")
    alone = verify(s.folder, signers=s.signers)
    assert alone.ok == hidden, str(alone)
    assert NOT_ANCHORED in alone.statement
    assert str(alone).isascii()
    # The shell script on every case takes minutes: by day on some.
    both = zlib.crc32(f"{name} {who}".encode()) % count(10, 1) == 0
    if both:
        code, said = build.shell(s.folder, signers=s.signers)
        assert code == (0 if hidden else 1), said
        assert alone.statement in said or not hidden
    if hidden:
        assert not verify(s.folder, signers=s.signers, anchored=s.heads).ok
    if hidden and both:
        heads = [f"{seq}:{sha}" for seq, sha, _ in s.heads]
        assert build.shell(s.folder, *heads, signers=s.signers)[0] == 1


def test_there_are_enough_kinds_and_each_hides_only_what_is_documented() -> None:
    assert len(KINDS) >= 60
    unseen = [name for name, kind in KINDS.items() if kind.hidden == "by anybody"]
    assert all("cut off" in name for name in unseen), "without a key nothing but a cut tail goes unseen"


def test_the_untouched_archive_verifies(whole: Whole) -> None:
    report = verify(whole.folder, signers=whole.signers, anchored=whole.heads)
    assert report.ok, str(report)
    assert f"ANCHORED up to entry {whole.newest} of {whole.newest}." in report.statement
    code, said = build.shell(whole.folder, *(f"{seq}:{sha}" for seq, sha, _ in whole.heads), signers=whole.signers)
    assert code == 0, said
    assert report.statement in said


@pytest.mark.parametrize("act", [fresh, stripped])
def test_an_archive_made_anew_is_found_only_with_a_signers_file_or_a_head(
    whole: Whole, tmp_path: Path, act: Act
) -> None:
    s = attacked(whole, tmp_path / "archive", Kind(act), "without a key")
    alone = verify(s.folder)
    assert alone.ok, str(alone)
    assert "NOT SIGNED" in alone.statement or "only a signers file from elsewhere can show" in alone.statement
    code, said = build.shell(s.folder)
    assert code == 0, said
    assert alone.statement in said
    assert not verify(s.folder, signers=s.signers).ok
    assert not verify(s.folder, anchored=s.heads[-1:]).ok
