"""Signed words that runs showed (sign-offs of the guide's lists, words of game days), held against what lies there.

Nothing covers ``words/`` and ``sign-offs/``: what was removed or changed there shows in the sealed runs that kept it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opslib import files
from opslib.archive.audited_look import Look
from opslib.guide.game_day import NAME as GAME_DAY
from opslib.guide.routines import FOLDER as ROUTINES
from opslib.probes.observability_audit import MOST
from opslib.runs import sign_offs, witness, words

FOLDERS = (witness.FOLDER, sign_offs.FOLDER)


def words_kept(look: Look) -> Iterator[tuple[str, str, Path]]:
    """Yield the run, the place below the archive, and the file of each word that a run whose seal holds has kept."""
    for run, one in look.summaries.items():
        if run in look.sound and (one.notebook == GAME_DAY or one.notebook.startswith(f"{ROUTINES}/")):
            evidence = look.folder / "runs" / run / "evidence"
            for name in FOLDERS:
                for path in sorted((evidence / name).glob(f"*/*{witness.SUFFIX}")):
                    yield run, path.relative_to(evidence).as_posix(), path


def gone(look: Look) -> list[dict[str, Any]]:
    """Return a row that counts the kept words, then one per word that is gone or another now."""
    newest: dict[str, tuple[str, Path]] = {where: (run, path) for run, where, path in words_kept(look)}
    rows = []
    for where, (run, path) in sorted(newest.items()):
        for place in (where, f"{where}.sig"):
            if state := _state(look.folder / place, path.with_name(Path(place).name)):
                rows.append({"kind": "word", "word": place, "state": state, "kept_in": run})
    return [{"kind": "words", "words": len(newest)}, *rows[:MOST]]


def _state(lies: Path, kept: Path) -> str:
    try:
        return "" if files.read_plain(lies, words.LARGEST * 8) == kept.read_bytes() else "is another now"
    except FileNotFoundError:
        return "was removed"
    except OSError:
        return "cannot be read, or is no plain file"
