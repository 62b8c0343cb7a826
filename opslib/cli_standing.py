"""The program behind ``ops warm``: ``python -P -m opslib.cli_standing MINUTES`` stands by for ``ops run``."""

from __future__ import annotations

import os
import sys

from opslib.headless import warm_serving
from opslib.headless.warm_code import Code


def main(minutes: float) -> None:
    """Stand by until nobody has asked for so many minutes; anew when the code has changed."""
    code = Code()
    from opslib import cli

    if warm_serving.serve(code, minutes, cli.main):
        program = [sys.executable, "-P", "-m", "opslib.cli_standing", str(minutes)]
        os.execv(sys.executable, program)  # noqa: S606 - our own program, a list


if __name__ == "__main__":
    main(float(sys.argv[1]))
