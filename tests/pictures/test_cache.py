from xml.etree import ElementTree

import pytest

from opslib.model import Reading, now
from opslib.pictures import cache as pictures
from opslib.probes import cache as probes
from opslib.runs.reading import take
from tests.caches import server


def texts(picture):
    return [node.text or "" for node in ElementTree.fromstring(picture.svg).iter() if node.tag.endswith("text")]


def row(name, size, keys=1, protected=False, limit=1000, used=600):
    return {
        "family": name,
        "protected": protected,
        "keys": keys,
        "bytes": size,
        "share": 1.0,
        "largest": size if keys else None,
        "largest_key": None,
        "coverage": 100.0,
        "used": used,
        "limit": limit,
    }


def reading(*rows, unknown=None):
    return Reading("cache-census", "t", "lab", now(), 0.0, rows, unknown=unknown)


@pytest.fixture
def drawn():
    rows = (row("llm:cache:", 300), row("bull:", 200, protected=True), row("(server itself)", 100, keys=None))
    return pictures.memory_budget(reading(*rows))


def test_families_free_room_and_both_limits_are_named(drawn):
    said = " | ".join(texts(drawn))
    for part in ("llm:cache: 300 B · 1 keys", "bull: 200 B", "(server itself) 100 B", "free 400 B", "80 %", "90 %"):
        assert part in said


def test_protected_families_are_hatched_and_the_others_are_not(drawn):
    def hatched(name):
        groups = [node for node in ElementTree.fromstring(drawn.svg).iter() if node.tag.endswith("}g")]
        mine = [
            g
            for g in groups
            if (g.findtext("{http://www.w3.org/2000/svg}title") or "").startswith(name)
            and g.find("{http://www.w3.org/2000/svg}rect") is not None
        ]
        return any(g.find("{http://www.w3.org/2000/svg}path") is not None for g in mine)

    assert hatched("bull:")
    assert not hatched("llm:cache:")


def test_the_sentence_says_the_same(drawn):
    assert "600 B of 1000 B (60 %) in use" in drawn.alternative
    assert "largest family is llm:cache: with 300 B" in drawn.alternative
    assert "protected families take 200 B" in drawn.alternative


def test_without_maxmemory_no_line_is_drawn_and_it_is_said():
    drawn = pictures.memory_budget(reading(row("llm:cache:", 500, limit=0), row("(server itself)", 100, None, limit=0)))
    assert "no limit set" in drawn.alternative
    assert not [text for text in texts(drawn) if "of maxmemory" in text or text.startswith("free")]


def test_many_families_are_put_together_without_losing_a_byte():
    rows = [row(f"family-{i}:", 40 - i) for i in range(14)]
    rest = 600 - sum(r["bytes"] for r in rows)
    said = " | ".join(texts(pictures.memory_budget(reading(*rows, row("(server itself)", rest, keys=None)))))
    assert f"(7 smaller) {sum(40 - i for i in range(7, 14))} B · 7 keys" in said
    assert "free 400 B" in said


def test_a_key_name_cannot_leave_its_place():
    evil = row("<script>alert(1)</script>:", 10) | {"largest_key": '"><script>x</script>'}
    assert "<script" not in pictures.memory_budget(reading(evil, row("(server itself)", 1, keys=None))).svg


def test_a_census_that_could_not_be_taken_is_drawn_as_unknown():
    drawn = pictures.memory_budget(reading(unknown="The cache refuses connections."))
    assert "refuses connections" in drawn.alternative
    assert "refuses connections" in " ".join(texts(drawn))


def test_the_census_of_a_real_server_can_be_drawn(lab):
    with server("--maxmemory", "64mb") as own:
        own.client().mset({"llm:cache:m:1": "x" * 1000, "bull:llm-processing:meta": 1})
        drawn = pictures.memory_budget(take(probes.census(5), own.target(lab)))
    assert "of 64.0 MiB" in drawn.alternative
    assert any("bull:" in text for text in texts(drawn))
