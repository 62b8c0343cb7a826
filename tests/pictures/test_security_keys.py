"""The drawing of the keys says in words what it shows, and shows neither value nor digest."""

from datetime import UTC, datetime

from opslib.model import Reading
from opslib.pictures.security import keys


def reading(*rows, unknown=None):
    made = tuple(dict(zip(("key", "store", "holds"), row, strict=True)) for row in rows)
    return Reading("key-stores", "Keys", "lab", datetime.now(UTC), 0.1, made, unknown=unknown)


def test_each_place_has_its_line_and_what_has_another_key_is_said():
    drawn = keys(
        reading(
            ("OPENAI_API_KEY", "vault", "AWSCURRENT"),
            ("OPENAI_API_KEY", "supabase", "not set"),
            ("TOGETHER_API_KEY", "supabase", "AWSPREVIOUS"),
            ("TOGETHER_API_KEY", "vercel", "not told"),
            ("TOGETHER_API_KEY", "cluster", "neither"),
        )
    )
    assert drawn.alternative == (
        "1 of 4 places that have a key have the vault's current one; another key: supabase (TOGETHER_API_KEY), "
        "cluster (TOGETHER_API_KEY)."
    )
    for word in ("the current key", "the previous key", "another key", "not told", "not set"):
        assert word in drawn.svg


def test_what_could_not_be_looked_at_is_said():
    assert keys(reading(unknown="no vault")).alternative == "Unknown: no vault"
    assert keys(reading()).alternative.startswith("Unknown")
