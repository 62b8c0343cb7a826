"""The picture of the keys that sign: each with its status in words, and nothing of an unknown."""

from datetime import UTC, datetime

from opslib.model import Reading
from opslib.pictures import security as pictures

ROWS = tuple(
    {"key": f"key-{n}", "algorithm": "ES256", "status": status, "since": "2026-11-29T02:00:00Z"}
    for n, status in enumerate(("previously_used", "in_use", "standby", "revoked"))
)


def seen(*rows, unknown=None):
    return Reading("signing-keys", "Keys", "lab", datetime(2026, 11, 29, tzinfo=UTC), 0.1, rows, unknown=unknown)


def test_each_key_is_drawn_with_what_it_does():
    drawn = pictures.signing(seen(*ROWS))
    assert drawn.alternative == "key-1 signs; 1 more are still trusted."
    words = ("still trusted", "signs", "next", "revoked")
    assert [f"{word} since 2026-11-29 02:00" in drawn.svg for word in words] == [True] * 4


def test_what_nobody_could_look_at_is_said():
    assert "no answer" in pictures.signing(seen(unknown="no answer")).alternative
    assert "older JWT secret alone" in pictures.signing(seen()).alternative
