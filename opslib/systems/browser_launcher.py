"""Becomes the browser, with its ends of two pipes where it looks for them: commands at 3, answers at 4.

A program of its own, run by path and with the standard library only: ``python -I -S browser_launcher.py IN OUT
PROGRAM ARGUMENTS…``. Source: Chromium, "--remote-debugging-pipe".
"""

import os
import sys

COMMANDS, ANSWERS = 3, 4


def main(arguments: list[str]) -> None:
    """Move the two pipes' ends, and execute the program."""
    # Beyond what is about to be replaced first: either may be the other's place.
    ends = [os.dup(os.dup(os.dup(int(end)))) for end in arguments[:2]]
    for end, place in zip(ends, (COMMANDS, ANSWERS), strict=True):
        os.dup2(end, place)
    os.closerange(ANSWERS + 1, 256)
    os.execv(arguments[2], arguments[2:])  # noqa: S606 - the browser that may be started, an argument list


if __name__ == "__main__":
    main(sys.argv[1:])
