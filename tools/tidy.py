"""Normal forms of the files that people and tools both write: notebooks, and environment.yml from the lock,
and .env.example from the settings.

``python tools/tidy.py`` rewrites them; the convention tests compare them with what stands in the tree.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from opslib.settings import PLACES, ReadSettings, Settings
from opslib.settings_vendors import VendorNames, VendorTokens

ROOT = Path(__file__).resolve().parent.parent
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

HEAD = (
    "# Written by `make tidy` from uv.lock; a test compares them. Use: conda env create -f environment.yml",
    "name: opslib",
    "channels: [conda-forge]",
    "dependencies:",
    "  - python>=3.11",
    "  - pip",
    "  - pip:",
    "      - --editable .",
)


def notebook(text: str) -> str:
    """Return a notebook without outputs, counts and editor's metadata; cell ids and tags stay as they are."""
    book = json.loads(text)
    cells = []
    for cell in book["cells"]:
        tags = cell.get("metadata", {}).get("tags")
        kept = {"cell_type": cell["cell_type"], "id": cell.get("id", ""), "metadata": {"tags": tags} if tags else {}}
        source = "".join(cell["source"]).strip("\n")
        kept["source"] = source.splitlines(keepends=True)
        if cell["cell_type"] == "code":
            kept |= {"execution_count": None, "outputs": []}
        cells.append(dict(sorted(kept.items())))
    tidied = {"cells": cells, "metadata": KERNEL, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(tidied, indent=1, ensure_ascii=False) + "\n"


def environment() -> str:
    """Return environment.yml: every locked package at its locked version, for those who use conda.

    uv writes the pins, with the markers of packages that only some platforms need.
    """
    options = (
        "--frozen",
        "--all-extras",
        "--no-hashes",
        "--no-emit-project",
        "--no-annotate",
        "--no-header",
        "--quiet",
    )
    exported = subprocess.run(
        [sys.executable, "-m", "uv", "export", *options], cwd=ROOT, capture_output=True, text=True, check=True
    )
    pins = [f"      - {json.dumps(line)}" for line in exported.stdout.splitlines() if line.strip()]
    return "\n".join([*HEAD, *pins]) + "\n"


def example() -> str:
    """Return .env.example: every variable of a target's description, with what it is and its default."""
    lines = ["# One target's description. Copy to .env.staging or .env.production (mode 0600) and fill in."]
    lines += ["# First what the notebooks may know; then what can write, which stays with the executor.", ""]
    fields, vendors = Settings.model_fields, VendorNames.model_fields | VendorTokens.model_fields
    # What is needed first, then the vendors, of whom not all are used.
    for name in sorted(fields, key=lambda name: (name not in ReadSettings.model_fields, name in vendors)):
        described = fields[name]
        if name not in ReadSettings.model_fields and "# The executor's: what can write." not in lines:
            lines += ["", "# The executor's: what can write.", ""]
        if described.description:
            lines.append(f"# {described.description}")
        default = "" if described.default is None else described.default
        value = ",".join(default) if isinstance(default, tuple) else default
        lines.append(f"{described.alias}=" if described.is_required() else f"# {described.alias}={value}")
    lines += ["", "# Places that are no part of a target. Set here, every command must be given the same.", ""]
    lines += [f"# {name}=" for name in PLACES]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Rewrite every notebook, environment.yml and .env.example in their normal forms."""
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        if ".ipynb_checkpoints" not in path.parts:
            path.write_text(notebook(path.read_text(encoding="utf-8")), encoding="utf-8")
    (ROOT / "environment.yml").write_text(environment(), encoding="utf-8")
    (ROOT / ".env.example").write_text(example(), encoding="utf-8")


if __name__ == "__main__":
    main()
