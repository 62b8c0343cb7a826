"""What a parameter may name of the guide's lists: services to recover, the points of an issue's report.

Apart from the lists themselves, for every run holds its parameters against these.
"""

from __future__ import annotations

from typing import Literal

NONE = "none"
SERVICES_NAMED = ("api", "worker", "redis", "infrastructure", "prometheus", "grafana")
"""What can be asked to be recovered; database and language models have notebooks of their own, others parameters."""
SERVICES = rf"^({NONE}|({'|'.join(SERVICES_NAMED)})(,({'|'.join(SERVICES_NAMED)})){{0,{len(SERVICES_NAMED) - 1}}})$"
"""What a choice of services looks like: ``none``, or words by commas without blanks."""
Part = Literal["stack", "steps", "environment", "network", "sentry"]
PARTS: tuple[Part, ...] = ("stack", "steps", "environment", "network", "sentry")
"""A word for each of the five points of an issue report, in the guide's order."""
INAPPLICABLE = "n-a"
"""What is given for a point that does not apply."""
_REFERENCE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}"
_PAIR = rf"({'|'.join(PARTS)}):{_REFERENCE}"
REPORT = rf"none|{_PAIR}(,{_PAIR}){{0,{len(PARTS) - 1}}}"
"""What a report looks like as a parameter: parts by commas, each with a reference to where it stands."""


def chosen(services: str, word: str) -> bool:
    """Tell whether ``word`` is among what is to be recovered."""
    return word in services.split(",")
