"""A picture of an outage: providers, breakers and service drawn apart, for each may be well while another is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opslib.model import Picture, Reading, Row
from opslib.pictures.figures import count, duration
from opslib.pictures.svg import WIDTH, Block, Texture, box, heading, label, picture, sentence

TITLE = "Provider, breaker and service, apart"
NAMES = {"together_ai": "Together.ai", "openai": "OpenAI"}
FIRST, SPARE = NAMES
LEFT, BAND, HIGH = 150.0, 120.0, 15.0
RECENT_SECONDS = 60.0
"""A user's answer that is older says nothing of now."""
LEGEND = (
    "Empty: well, closed, or served by Together.ai. Solid: out, or open. Dotted: not known.",
    "Hatched: half-open, served by the fallback, or not asked now.",
)
RECENT_SECONDS = 60.0
"""A user's answer that is older says nothing of now."""
LEGEND = (
    "Empty: well, closed, or served by Together.ai. Hatched: half-open, by the fallback, or not asked now.",
    "Solid: out, or open. Dotted: not known.",
)
_BREAKER: Mapping[str, Texture] = {"closed": "outline", "half-open": "hatch", "open": "solid"}


@dataclass(frozen=True)
class _State:
    word: str
    texture: Texture
    said: str


def apart(together: Reading, openai: Reading, replicas: Reading, service: Reading) -> Picture:
    """Draw the readings of ``checks.llm.answers`` (of each provider), ``replicas`` and ``service_answer``.

    The last line says what the three mean together; what was not seen is drawn as not known.
    """
    direct = {FIRST: _direct(together), SPARE: _direct(openai)}
    served = _served(service)
    blocks = [heading("The providers, asked directly")]
    blocks += [_lane(NAMES[name], [(state.texture, state.word)], state.said) for name, state in direct.items()]
    blocks += [heading("The breakers, replica by replica (Together.ai, then OpenAI)"), *_replicas(replicas)]
    blocks += [
        heading("The service, as users see it"),
        _lane("Served by", [(served.texture, served.word)], served.said),
    ]
    means = meaning(direct[FIRST].word, replicas, served.word)
    words = "; ".join(f"{NAMES[name]} {state.word}" for name, state in direct.items())
    alternative = f"{words}; served by: {served.word}. {means}"
    return picture(TITLE, alternative, *blocks, heading(means), *map(sentence, LEGEND), gap=8)


def meaning(provider: str, replicas: Reading, served: str) -> str:
    """Return what the first provider's state, the replicas' breakers and who serves mean together, in one sentence."""
    shut = sorted({row["replica"] for row in replicas.rows if row["provider"] == FIRST and row["state"] in _SHUT})
    unseen = replicas.unknown is not None or any(row["state"] == "?" for row in replicas.rows)
    if provider == "out":
        if served == NAMES[SPARE]:
            return "The provider is out and the fallback serves: wait, watch the cost, reset nothing."
        return "The provider is out, and nobody has seen the fallback serve: ask the service once (ask_service)."
    if provider != "well":
        return "Whether the provider is well nobody has asked: nothing can be said of a reset (ask_providers)."
    if shut:
        many = len({row["replica"] for row in replicas.rows})
        return (
            f"The provider is well, and {len(shut)} of {many} replicas keep it out: close their breakers, or wait 60 s."
        )
    if unseen:
        return "The provider is well; a replica that nobody could ask may still keep it out."
    if served == NAMES[SPARE]:
        return "The provider is well, no breaker keeps it out, and yet the fallback serves: see its key and time-outs."
    return "The provider is well, and no breaker keeps it out."


_SHUT = ("open", "half-open")


def _direct(reading: Reading) -> _State:
    if reading.unknown is not None:
        return _State("not known", "dots", reading.unknown)
    row = reading.rows[0]
    if "answers" in row:
        if not row["answers"]:
            return _State("not known", "dots", "not asked, and it answered no user")
        return _State("not asked", "hatch", f"answered a user {duration(row['newest_age'])} ago; not asked now")
    if row["why"]:
        return _State("out", "solid", str(row["why"]))
    whole = duration(row["whole_ms"] / 1000)
    return _State("well", "outline", f"first word after {duration(row['first_ms'] / 1000)}, all after {whole}")


def _replicas(reading: Reading) -> list[Block]:
    if reading.unknown is not None:
        return [_lane("Replicas", [("dots", "not known")], reading.unknown)]
    by: dict[str, dict[str, Row]] = {}
    for row in reading.rows:
        by.setdefault(row["replica"], {})[row["provider"]] = row
    blocks = []
    for name, said in by.items():
        bands = [(_BREAKER.get(said[of]["state"], "dots"), str(said[of]["state"])) for of in NAMES if of in said]
        why = next((str(row["why"]) for row in said.values() if row["why"]), "")
        shown = [(texture, "not known" if word == "?" else word) for texture, word in bands]
        short = f"replica {name.rpartition('/')[2]}" if "/" in name else name
        blocks.append(_lane(short, shown, why or name))
    return blocks


def _served(reading: Reading) -> _State:
    if reading.unknown is not None:
        return _State("not known", "dots", reading.unknown)
    if reading.rows and "kind" in reading.rows[0]:
        row = reading.rows[0]
        if row["why"] or row["cached"]:
            out = row["kind"] in ("down", "broken")
            return _State("nobody" if out else "not known", "solid" if out else "dots", row["why"] or "from its cache")
        name = NAMES.get(row["provider"], "not known")
        return _State(name, "outline" if name == NAMES[FIRST] else "hatch", f"asked once: {row['model']}")
    rows = [row for row in reading.rows if row["provider"] in NAMES]
    newest = min(rows, key=lambda row: float(row["newest_age"]), default=None)
    if newest is None or newest["newest_age"] > RECENT_SECONDS:
        return _State("not known", "dots", "no user had an answer within a minute")
    words = ", ".join(f"{NAMES[row['provider']]} answered {count(row['answers'])}" for row in rows)
    name = NAMES[newest["provider"]]
    return _State(name, "outline" if name == NAMES[FIRST] else "hatch", f"users: {words}")


def _lane(name: str, bands: Sequence[tuple[Texture, str]], said: str) -> Block:
    nodes = [label(LEFT - 10, 12, name, anchor="end", room=LEFT - 10)]
    x = LEFT
    for texture, word in bands:
        nodes += [box(x, 1, 16, HIGH, texture, f"{name}: {word}"), label(x + 22, 12, word, room=BAND - 26)]
        x += BAND
    nodes.append(label(x + 6, 12, said, size=12, soft=True, room=WIDTH - x - 6))
    return Block(HIGH + 2, tuple(nodes))
