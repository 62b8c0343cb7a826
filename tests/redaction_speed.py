"""How long the redactor takes with 50 secrets: ``python -m tests.redaction_speed``, in seconds of processor per MB.

The goal is 0.2 s. Best and median of nine, since what else the machine does is told by the difference of the two.
"""

from __future__ import annotations

import json
import random
import string
import sys
import time
import uuid
from collections.abc import Iterator
from statistics import median

from opslib.redaction import Redactor, Secret

SIZE = 1_000_000
LETTERS = string.ascii_letters + string.digits + "+/=_-"
WORDS = ("api", "worker", "risk", "disk", "task", "redis", "database", "cache", "queue", "report")


def _lines(chance: random.Random) -> Iterator[str]:
    for number in range(6000):
        yield (
            f"2026-11-23T13:06:{number % 60:02d}Z INFO pod=valuecanvas-{chance.choice(WORDS)}-7d9f8b6c5-x2x4q "
            f"GET https://api.example.com/v1/cases/{uuid.UUID(int=chance.getrandbits(128))}?page={number}&q=a%20b 200 "
            f'{number}ms user={chance.choice(WORDS)}@example.com "ok" s3://valuecanvas-backups/backups/'
        )


def texts() -> dict[str, str]:
    """Return a text of each kind, of one megabyte."""
    lines = list(_lines(random.Random(5)))
    said = [{"message": line, "n": number, "more": 'zwei\nZeilen "so" ä'} for number, line in enumerate(lines)]
    return {
        "log": "\n".join(lines)[:SIZE],
        "JSON": json.dumps(said)[:SIZE],
        "JSON in JSON": json.dumps([json.dumps(one) for one in said])[:SIZE],
    }


def main() -> int:
    """Measure each kind and print it; nothing is judged, since machines differ."""
    chance = random.Random(5)
    secrets = [Secret("".join(chance.choices(LETTERS, k=chance.randint(12, 40)))) for _ in range(50)]
    redactor = Redactor(secrets)
    for name, text in texts().items():
        took = []
        for _ in range(10):
            begun = time.process_time()
            redactor.text(text)
            took.append((time.process_time() - begun) / (len(text) / SIZE))
        # The first one imports the library's rules.
        print(f"{name}: best {min(took[1:]):.3f} s/MB, median {median(took[1:]):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
