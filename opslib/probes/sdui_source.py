"""What the product's source says of server-driven pages: the supported version, and the components that it registers.

Read from the two files as a commit has them; no TypeScript is run. A registration at run time
(``registerComponent(…)``) with a literal name in the registry's file counts as well, others cannot be seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from opslib.errors import Unreachable
from opslib.systems.checkout import Checkout

SCHEMA, REGISTRY = "src/sdui/schema.ts", "src/sdui/registry.tsx"
LARGEST = 1024 * 1024
_VERSION = re.compile(r"\bSDUI_VERSION\s*(?::\s*\w+\s*)?=\s*(\d{1,6})\b")
_ENTRY = re.compile(
    r"\b([A-Z]\w{0,80})\s*:\s*\{\s*component\s*:\s*[\w.]+\s*,\s*versions\s*:\s*\[([\d,\s]{0,200})\]"
    r"(?:\s*,\s*requiredProps\s*:\s*\[([^\]]{0,2000})\])?"
)
_LATER = re.compile(r"""\bregisterComponent\(\s*["']([A-Z]\w{0,80})["']""")
_WORD = re.compile(r"""["'](\w{1,80})["']""")
_COMMENT = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*", re.DOTALL)


@dataclass(frozen=True)
class Component:
    """One registered component: the versions that it knows (empty: not said), and the properties that it demands."""

    versions: tuple[int, ...] = ()
    demands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """What a commit supports."""

    commit: str
    version: int
    components: dict[str, Component]


def supported(checkout: Checkout, ref: str) -> Source:
    """Return what the commit that ``ref`` names supports; raises Unreachable where a file is not there or not read."""
    commit = checkout.commit(ref)
    version = _VERSION.search(_text(checkout, commit, SCHEMA))
    if version is None:
        raise Unreachable(f"{SCHEMA} at {commit[:12]} names no SDUI_VERSION.", "Look at the file.", "malformed")
    text = _text(checkout, commit, REGISTRY)
    found = {
        name: Component(tuple(int(one) for one in re.findall(r"\d+", versions)), tuple(_WORD.findall(props or "")))
        for name, versions, props in _ENTRY.findall(text)
    }
    for name in _LATER.findall(text):
        found.setdefault(name, Component())
    if not found:
        raise Unreachable(
            f"{REGISTRY} at {commit[:12]} registers nothing that is read here.", "Look at it.", "malformed"
        )
    return Source(commit, int(version[1]), found)


def _text(checkout: Checkout, commit: str, path: str) -> str:
    data = checkout.file(commit, path)
    if data is None or len(data) > LARGEST:
        raise Unreachable(f"{path} is not in {commit[:12]}, or too large.", "Is it the product's checkout?", "missing")
    return _COMMENT.sub("", data.decode("utf-8", "replace"))
