"""``ops`` as it is started: a run is asked of the process that stands by, where there is one; all else is done here."""

from __future__ import annotations

import sys

from opslib import warm_asking


def main() -> None:
    """Carry out the command line."""
    if sys.argv[1:2] == ["run"] and sys.platform == "linux":
        warm_asking.ask(sys.argv[1:])
    from opslib.cli import main as here

    here()
