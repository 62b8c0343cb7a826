"""Random damage to any file that the log covers: none is unseen, and none stops a verifier."""

from __future__ import annotations

import random
from pathlib import Path

from opslib.archive import keys
from opslib.archive.verify import verify
from tests.scale import count

from . import build
from .tampering import Whole


def mutated(data: bytes, dice: random.Random) -> bytes | None:
    """Return ``data`` changed at random, or None for "remove the file"."""
    at = dice.randrange(len(data) + 1)
    to = min(len(data), at + dice.choice((1, 1, 2, 16, 64)))
    rows = data.splitlines(keepends=True)
    dice.shuffle(rows)
    return dice.choice(
        (
            lambda: data[:at] + bytes((byte ^ 1 << dice.randrange(8)) for byte in data[at:to]) + data[to:],
            lambda: data[:at],
            lambda: data[:at] + data[to:],
            lambda: data[:at] + dice.randbytes(to - at + 1) + data[at:],
            lambda: data[:to] + data[at:],
            lambda: data[:at] + bytes(to - at) + data[to:],
            lambda: b"".join(rows),
            lambda: data + data,
            lambda: data[:at] + b"[" * 3000 + data[at:],
            lambda: None,
        )
    )()


def covered_files(whole: Whole) -> list[Path]:
    """Every file that the log covers: entries, signatures, keys, and all that lies in runs."""
    found = [path for name in ("log", "runs") for path in sorted((whole.folder / name).rglob("*")) if path.is_file()]
    return [*found, whole.folder / keys.SIGNERS]


def test_of_thousands_of_random_damages_none_is_unseen_and_none_stops_the_verifier(copy: Whole) -> None:
    dice = random.Random(20261123)
    covered, newest = covered_files(copy), copy.entry(copy.newest)
    unseen = []
    for turn in range(count(80, 100_000)):
        path = dice.choice(covered)
        before = path.read_bytes()
        after = mutated(before, dice)
        if after == before:
            continue
        path.unlink() if after is None else path.write_bytes(after)
        report = verify(copy.folder)
        # The newest entry gone is the cut tail that no archive can show by itself.
        if report.ok and (after is not None or path != newest):
            unseen.append((turn, path))
        assert not any("could not be verified" in finding.what for finding in report.findings), str(report)
        path.write_bytes(before)
    assert unseen == []
    assert verify(copy.folder).ok


def test_both_verifiers_agree_on_random_damage(copy: Whole) -> None:
    dice = random.Random(8)
    covered = covered_files(copy)
    for _ in range(count(4, 1000)):
        path = dice.choice(covered)
        before = path.read_bytes()
        after = mutated(before, dice)
        path.unlink() if after is None else path.write_bytes(after)
        assert build.shell(copy.folder)[0] == (0 if verify(copy.folder).ok else 1), (path, after)
        path.write_bytes(before)


def test_a_list_of_approvers_that_is_no_text_any_more_is_found_by_both_without_a_word_of_the_tools(copy: Whole) -> None:
    (path, *_) = sorted((copy.folder / "runs").glob("*/approvals/allowed_signers"))
    path.write_bytes(path.read_bytes() + b"\n\0\xff")
    # ``build.shell`` asserts that nothing is written to standard error.
    assert build.shell(copy.folder)[0] == 1
    assert not verify(copy.folder).ok
