"""What the guide promises of a recovery, and which drill of several is meant."""

from opslib.guide.catalogue import items
from opslib.guide.promises import PROMISES, before, chosen


def test_the_newest_is_chosen_though_it_is_damaged_and_the_one_before_must_be_sound():
    names = [f"2026112{day}T110000Z-drill-a1b2c3" for day in range(4)]
    rows = [{"drill": name, "damage": "is gone" if n in (1, 3) else ""} for n, name in enumerate(names)]
    assert [row["drill"] for row in chosen(rows, "latest")] == [names[3]]
    assert [row["drill"] for row in before(rows, names[3])] == [names[2]]
    assert [row["drill"] for row in before(rows, names[2])] == [names[0]]
    assert chosen(rows, "20200101T000000Z-drill-000000") == chosen([], "latest") == before(rows, names[0]) == []


def test_the_promises_are_the_guides_own():
    for promise in PROMISES.values():
        rto, rpo = (items()[item].item for item in promise.items)
        assert f"RTO {promise.rto.critical:g} min" in rto
        assert ("RPO N/A" in rpo) == (promise.rpo is None)
        if promise.rpo is not None and promise.rpo.critical:
            assert f"RPO {promise.rpo.critical / 60:g} hour" in rpo
    assert [one.priority for one in PROMISES.values()] == ["P0", "P0", "P1", "P1", "P2"]
