"""What an edge function is made of: its files, where it begins, who may call it; in a commit, and as it is deployed.

As the platform deploys them (supabase/cli 3, ``functions deploy --use-api``): each folder of ``supabase/functions``
with an ``index.ts``, and what it imports by relative names or through its import map; ``supabase/config.toml`` says
the rest. What comes back of a deployed function has other folders before its names, so files are compared by where
they are from the first one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from opslib.errors import Refused, Unreachable
from opslib.systems.supabase import Function

FOLDER = "supabase/functions"
CONFIG = "supabase/config.toml"
SLUG = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_KNOWN = {"enabled": bool, "verify_jwt": bool, "entrypoint": str, "import_map": str}
_IMPORTS = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"'\n]+)["']""")


@dataclass(frozen=True)
class Source:
    """One function: ``files`` by path, among them ``entry`` and, where it has one, ``import_map``.

    ``verify_jwt`` is None where a commit does not say whether callers need a token: then it stays as it is.
    """

    slug: str
    entry: str
    files: Mapping[str, bytes]
    import_map: str | None
    verify_jwt: bool | None

    @property
    def relative(self) -> dict[str, bytes]:
        """The files by their paths from the entry's folder."""
        home = posixpath.dirname(self.entry) or "."
        return {posixpath.relpath(path, home): data for path, data in self.files.items()}

    @property
    def digest(self) -> str:
        """SHA-256 over all of it, the folders before it left out."""
        parts = [f"{path} {hashlib.sha256(data).hexdigest()}" for path, data in sorted(self.relative.items())]
        said = json.dumps([posixpath.basename(self.entry), self.verify_jwt, parts])
        return hashlib.sha256(said.encode()).hexdigest()

    def metadata(self, there: Source | None = None) -> dict[str, Any]:
        """Return what is sent with the files where ``there`` is what stands there now."""
        said = {
            "name": self.slug,
            "entrypoint_path": self.entry,
            "import_map_path": self.import_map,
            "verify_jwt": there.verify_jwt if self.verify_jwt is None and there else self.verify_jwt,
        }
        return {name: value for name, value in said.items() if value is not None}

    def is_deployed_as(self, there: Source) -> bool:
        """Tell whether ``there``, which is deployed, was made of this.

        The platform keeps what it needed: of files that nothing imports there may be none. An import map that it does
        not give back is not known to be the same.
        """
        mine, theirs = self.relative, there.relative
        same = all(mine.get(path) == data for path, data in theirs.items())
        same = same and self.verify_jwt in (None, there.verify_jwt)
        seen = self.import_map is None or posixpath.basename(self.import_map) in map(posixpath.basename, theirs)
        return same and seen and posixpath.basename(self.entry) in theirs

    def kept(self) -> bytes:
        """Return all of it as one JSON document, from which :func:`back` makes it again."""
        said = {
            **{name: getattr(self, name) for name in ("slug", "entry", "import_map", "verify_jwt")},
            "files": {path: base64.b64encode(data).decode() for path, data in sorted(self.files.items())},
        }
        return json.dumps(said, sort_keys=True).encode()


def back(data: bytes) -> Source:
    """Return what :meth:`Source.kept` wrote."""
    said = json.loads(data)
    files = {path: base64.b64decode(text) for path, text in said["files"].items()}
    return Source(said["slug"], said["entry"], files, said["import_map"], said["verify_jwt"])


def committed(files: Mapping[str, bytes]) -> dict[str, Source]:
    """Return the functions of a commit by slug, given its files below ``supabase/``; those switched off are left out.

    Raises Refused where the configuration asks for something that is not known here.
    """
    settings = _settings(files.get(CONFIG, b""))
    slugs = {path.split("/")[2] for path in files if path.startswith(f"{FOLDER}/") and path.count("/") > 2}
    found = {}
    for slug in sorted(slug for slug in slugs if SLUG.fullmatch(slug)):
        said = settings.get(slug, {})
        odd = sorted(said.keys() - _KNOWN.keys())
        if odd := odd or [name for name in said if not isinstance(said[name], _KNOWN[name])]:
            raise Refused(
                f"{CONFIG} has {odd[0]} for {slug}, which is not known here, or not so.", "Deploy it by hand."
            )
        entry = _named(said.get("entrypoint"), f"{FOLDER}/{slug}/index.ts")
        if not said.get("enabled", True) or (entry not in files and "entrypoint" not in said):
            continue
        if entry not in files:
            raise Refused(f"{CONFIG} names {entry} for {slug}, and there is no such file.", "Correct it.")
        maps = [f"{FOLDER}/{slug}/deno.json", f"{FOLDER}/{slug}/deno.jsonc", f"{FOLDER}/import_map.json"]
        chosen = _named(said.get("import_map"), next((path for path in maps if path in files), ""))
        reached = _reached(files, entry, chosen)
        found[slug] = Source(slug, entry, reached, chosen or None, said.get("verify_jwt"))
    return found


def deployed(function: Function, files: Mapping[str, bytes]) -> Source:
    """Return a function as it is deployed; raises Unreachable where its first file is not among its files."""
    plain = {path.lstrip("/"): data for path, data in files.items()}
    entry = _within(function.entrypoint, plain)
    if entry is None:
        raise Unreachable(
            f"Of {function.slug} Supabase does not give the file with which it begins.",
            "It may have been deployed by an old client: deploy it once by hand.",
            "malformed",
        )
    chosen = _within(function.import_map_path, plain)
    return Source(function.slug, entry, plain, chosen, True if function.verify_jwt is None else function.verify_jwt)


def _within(address: str | None, files: Mapping[str, bytes]) -> str | None:
    """Return the longest name with which the path of ``address`` (file:///…/source/a/b.ts) ends."""
    path = unquote(urlsplit(address or "").path)
    return max((name for name in files if f"/{path.lstrip('/')}".endswith(f"/{name}")), key=len, default=None)


def _settings(text: bytes) -> dict[str, dict[str, Any]]:
    try:
        said = tomllib.loads(text.decode()).get("functions", {})
        return {name: dict(one) for name, one in said.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise Refused(f"{CONFIG} of that commit cannot be read ({type(error).__name__}).", "Correct it.") from None


def _named(said: object, default: str) -> str:
    return default if not said else posixpath.normpath(posixpath.join("supabase", str(said)))


def _reached(files: Mapping[str, bytes], entry: str, import_map: str) -> dict[str, bytes]:
    """Return the files that ``entry`` needs: itself, its import map, and what they lead to within the commit."""
    names = _names(files.get(import_map, b""))
    found = {path: files[path] for path in (entry, import_map) if path in files}
    left = [entry]
    while left:
        here = left.pop()
        for name in _IMPORTS.findall(files[here].decode("utf-8", "replace")):
            home = posixpath.dirname(here)
            for known, leads in names.items():
                if name == known or (known.endswith("/") and name.startswith(known)):
                    name, home = leads + name.removeprefix(known), posixpath.dirname(import_map)
            path = posixpath.normpath(posixpath.join(home, name)) if name.startswith((".", "/")) else ""
            if path in files and path not in found:
                found[path] = files[path]
                left.append(path)
    return found


def _names(text: bytes) -> dict[str, str]:
    """Return what an import map leads to files; one that is not plain JSON leads nowhere, and is sent as it is."""
    try:
        said = json.loads(text).get("imports", {})
        return {str(name): str(leads) for name, leads in said.items() if str(leads).startswith(".")}
    except (ValueError, AttributeError):
        return {}
