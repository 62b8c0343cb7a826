from opslib.pictures.gate import checked
from opslib.pictures.observability import archive
from tests.incidents_told import after, reading

NONE = dict.fromkeys(("sealed", "interrupted", "going_on", "left_open", "in_quarantine", "not_believed"), 0)


def drawn(*rows, **said):
    return archive(reading(*rows, probe="archive-days", **said))


def test_runs_silence_keys_and_what_is_held_are_drawn_and_told():
    found = drawn(
        {"kind": "runs", "from": after(0), **NONE, "sealed": 4, "not_believed": 1},
        {"kind": "runs", "from": after(10), **NONE, "interrupted": 2},
        {"kind": "silence", "from": after(4), "until": after(9)},
        {"kind": "key", "from": after(1)},
        {"kind": "published", "from": after(0), "until": after(9), "entry": 12},
        {"kind": "span", "from": after(0), "until": after(20)},
    )
    checked(found.svg)
    assert found.alternative == (
        "From 2026-11-29 10:00 to 2026-11-29 10:20 (UTC): runs 4 sealed, 2 interrupted, 1 not believed; "
        "times of silence 1; changes of keys 1; held by others: up to entry 12."
    )
    for words in ("2026-11-29 10:00: 1 not believed", "silence from 2026-11-29 10:04", "to entry 12"):
        assert words in found.svg
    assert "left open" not in found.svg


def test_what_nobody_holds_an_empty_archive_and_none_at_all_are_said():
    found = drawn({"kind": "runs", "from": after(0), **NONE}, {"kind": "span", "from": after(0), "until": after(20)})
    assert "nothing known" in found.svg
    assert "runs none" in found.alternative
    assert "The archive holds no entry." in drawn().alternative
    assert "Nobody could look: There is no archive." in drawn(unknown="There is no archive.").svg
