"""Pictures of security: when the sessions that are there began, what stores have of keys, which keys sign, requests."""

from __future__ import annotations

from datetime import datetime

from opslib.model import Picture, Reading
from opslib.pictures.charts import line_chart
from opslib.pictures.security_asked import requests
from opslib.pictures.security_keys import keys
from opslib.pictures.security_posture import headers, tenants
from opslib.pictures.security_signing import signing
from opslib.pictures.svg import picture, sentence

__all__ = ["headers", "keys", "requests", "sign_ins", "signing", "tenants"]

TITLE = "When the sessions that are there began"


def sign_ins(reading: Reading) -> Picture:
    """Draw the reading of ``probes.security.sign_ins``: sessions by the moment of their begin, oldest left.

    A session that was ended is not there any more: drawn before and after, the difference is what was ended.
    """
    if reading.unknown is not None or not reading.rows:
        why = reading.unknown or "there was no time to look at"
        return picture(TITLE, f"Unknown: {why}", sentence(f"Unknown: {why}"))
    rows = reading.rows
    counts = [row["sessions"] for row in rows]
    most = max(range(len(counts)), key=counts.__getitem__)
    said = f"{sum(counts)} sessions that are there began since {_moment(rows[0]['begins'])} UTC"
    if counts[most]:
        said += f"; most at once {counts[most]}, of {rows[most]['users']} users, from {_moment(rows[most]['begins'])}"
    chart = line_chart(counts, _moment(rows[0]["begins"]), _moment(rows[-1]["begins"]), "sessions")
    return picture(TITLE, f"{said}.", chart)


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}"
