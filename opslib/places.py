"""Where the project's own files lie: said by the environment, else in the project's folder. Nothing is read for it."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The project's folder: notebooks, .env files and, unless told otherwise, archive and lab."""


def lab_folder() -> Path:
    """Return the folder that holds the lab's whole state (``OPS_LAB``, else ``.lab`` in the project)."""
    return Path(os.environ.get("OPS_LAB") or ROOT / ".lab")


def archive_folder() -> Path:
    """Return the archive's folder (``OPS_ARCHIVE``, else ``archive`` in the project)."""
    return Path(os.environ.get("OPS_ARCHIVE") or ROOT / "archive")


def notebooks_folder() -> Path:
    """Return the notebooks' folder (``OPS_NOTEBOOKS``, else ``notebooks`` in the project)."""
    return Path(os.environ.get("OPS_NOTEBOOKS") or ROOT / "notebooks")


def schedules_file() -> Path:
    """Return the table of schedules (``OPS_SCHEDULES``, else ``schedules.toml`` in the project)."""
    return Path(os.environ.get("OPS_SCHEDULES") or ROOT / "schedules.toml")
