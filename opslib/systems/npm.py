"""npm and its lock file: what would be installed, from where, and whether it was; nothing of a package is run.

``npm ci`` installs exactly what the lock file names and refuses where package.json says otherwise; ``npm install``
may change both. Scripts of packages are not run (``--ignore-scripts``), and those that have one are listed. Source:
npm's documentation (npm ci, package-lock.json, npmrc), guide item ENV-QS-03.
"""

from __future__ import annotations

import json
import re
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from opslib import files
from opslib.errors import Refused
from opslib.systems import programs

LOCK, MANIFEST, RC = "package-lock.json", "package.json", ".npmrc"
INSTALLED = "node_modules/.package-lock.json"
"""What npm writes last, of what it has installed."""
LARGEST = 32 * 1024 * 1024
SECONDS = 1800.0


_PLACE = re.compile(r"node_modules/(@[\w.~-]+/)?[\w.~-]+(/node_modules/(@[\w.~-]+/)?[\w.~-]+)*", re.ASCII)
_OWN = re.compile(r"(?!node_modules)[\w@][\w.@-]*(/(?!node_modules)[\w@][\w.@-]*)*", re.ASCII)
_HARMLESS = re.compile(
    r"(@[\w-]+:)?registry|engine-strict|save-exact|save-prefix|fund|audit|loglevel|legacy-peer-deps|package-lock|progress"
)


@dataclass(frozen=True)
class Lock:
    """A lock file: ``packages`` by their place below the checkout, each with what npm needs to know of it."""

    packages: Mapping[str, Mapping[str, Any]]

    @property
    def scripts(self) -> list[str]:
        """Packages that have an install script, which is not run; the product's own counts as ``(itself)``."""
        return sorted(place or "(itself)" for place, said in self.packages.items() if said.get("hasInstallScript"))

    @property
    def sources(self) -> dict[str, int]:
        """How many packages come from which host; those of the checkout itself count as ``(the checkout)``."""
        hosts = (urlsplit(str(said.get("resolved", ""))).hostname for place, said in self.packages.items() if place)
        return dict(sorted(Counter(host or "(the checkout)" for host in hosts).items()))

    def installed(self, folder: Path) -> list[str]:
        """Return the packages that do not stand below ``folder`` as the lock file has them; none is well.

        Those for other systems, which npm leaves out, are marked optional.
        """
        there = parse(files.read_plain(folder / INSTALLED, LARGEST)).packages if (folder / INSTALLED).exists() else {}
        return sorted(
            place
            for place, said in self.packages.items()
            if _PLACE.fullmatch(place)
            and not (place not in there and (said.get("optional") or said.get("devOptional")))
            and not _stands(folder / place, said, there.get(place))
        )


def parse(data: bytes) -> Lock:
    """Return the lock file in ``data``; raises Refused where it is none that can be read."""
    try:
        said = json.loads(data)
        if said["lockfileVersion"] not in (2, 3):
            raise ValueError("its version is not 2 or 3")
        packages = {str(place): dict(one) for place, one in said["packages"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(f"{LOCK} cannot be read ({type(error).__name__}).", "npm 7 or newer makes it.") from None
    return Lock(packages)


def fault(lock: Lock) -> str | None:
    """Return why a lock file's packages are not installed, or None: a place outside, or what nobody can compare."""
    for place, said in lock.packages.items():
        if not place:
            continue
        if not _PLACE.fullmatch(place) and not _OWN.fullmatch(place):
            return f"it would put a package at {place[:80]!a}"
        resolved = str(said.get("resolved", ""))
        if not _PLACE.fullmatch(place) or (said.get("link") and _OWN.fullmatch(resolved)) or said.get("inBundle"):
            continue
        if urlsplit(resolved).scheme != "https" or "@" in urlsplit(resolved).netloc:
            return f"{place[:80]} does not come over https from a registry"
        if not str(said.get("integrity", "")).startswith(("sha512-", "sha256-")):
            return f"{place[:80]} has no checksum that counts"
    return None


def odd_settings(data: bytes) -> list[str]:
    """Return the names that an ``.npmrc`` of the checkout sets and that are not known to be harmless."""
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
    names = [line.partition("=")[0].strip() for line in lines if line and line[0] not in "#;"]
    return sorted(name[:40] for name in names if not _HARMLESS.fullmatch(name))


def install(folder: Path, cache: Path) -> None:
    """Install what the lock file of ``folder`` names; raises StepFailed with npm's words, Unreachable when too slow."""
    programs.answer("npm", ["ci", f"--prefix={folder}", f"--cache={cache}"], most=LARGEST, seconds=SECONDS)


def _stands(path: Path, said: Mapping[str, Any], there: Mapping[str, Any] | None) -> bool:
    if there is None or any(said.get(name) != there.get(name) for name in ("version", "integrity", "resolved")):
        return False
    try:
        mode = path.lstat().st_mode
        if said.get("link"):
            return stat.S_ISLNK(mode) and path.resolve().is_dir()
        own = json.loads(files.read_plain(path / MANIFEST, 4 * 1024 * 1024))
        return stat.S_ISDIR(mode) and isinstance(own, dict) and own.get("version") == said.get("version")
    except (OSError, ValueError):
        return False
