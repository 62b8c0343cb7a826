"""What production gets, put together from the places that give it, and judged without showing a value. Pure.

Who gets what: builds of the front end get what the hoster has under names that begin with VITE_; the API gets the
environment of its container, and what the vault holds where SECRETS_MANAGER_ENABLED and SECRETS_MANAGER_SECRET_NAME
tell it to look there; the guide's commands get what people are given. Source: guide items ENV-VARP and IMP-ENV; the
product's own settings for the names that it reads otherwise, and for what must never be on in production.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from opslib.model import Verdict
from opslib.redaction import Secret
from opslib.systems.env_variables import VARIABLES, Fault, Variable, exposure, judged, key_of, loopback, parted
from opslib.systems.publishable import PREFIX, client_prefix, secret_by_name

CLUSTER, HOSTER, VAULT, DESCRIPTION = "cluster", "hoster", "vault", "description"
GIVEN, SAME, DIFFERS, THERE = "given", "same", "differs", "there"
"""What a place has of a variable: the value that is judged, the same one, another one, or one that nobody gets."""
HIDDEN, ABSENT, UNSEEN = "hidden", "not set", "not seen"
"""Or it has one that it does not show, has none, or could not be looked at."""
GETS = {"builds": "builds of the front end", "API": "the API", "commands": "the guide's commands"}
"""Who gets a variable."""
SWITCH, STORE = "SECRETS_MANAGER_ENABLED", "SECRETS_MANAGER_SECRET_NAME"
NEVER = ("CHAOS_ENABLED", "TEST_MODE", "VITE_MOCK_AGENTS")
"""What is switched on for tests alone."""
BESIDE = ("OTLP_ENDPOINT",)
"""What may lead to the machine itself: a collector runs beside the program."""
TLS, NO_TLS = ("require", "verify-ca", "verify-full"), ("disable", "allow", "prefer")
"""Values of ``sslmode`` that ask for it, and those that do not."""
OTHERWISE = {
    "SUPABASE_SERVICE_ROLE_KEY": "SUPABASE_SERVICE_KEY",
    "VITE_SUPABASE_URL": "SUPABASE_URL",
    "VITE_SUPABASE_ANON_KEY": "SUPABASE_ANON_KEY",
}
"""Names that the product's servers, and the vault, have for what the guide calls otherwise."""


def _bearer(value: str) -> Fault:
    if not re.fullmatch(r"[!-~]{20,}", value):
        return "does not look like a token"
    until = key_of(value).get("exp")
    return "has expired" if isinstance(until, (int, float)) and until < time.time() else None


def _zone(value: str) -> Fault:
    return None if re.fullmatch(r"Z[A-Z0-9]{1,31}", value, re.ASCII) else "is no hosted zone's id"


COMMANDS = (
    Variable("TOKEN", "IMP-ENV-02", _bearer, secret=True),
    Variable("ADMIN_TOKEN", "IMP-ENV-03", _bearer, secret=True),
    Variable("HOSTED_ZONE_ID", "IMP-ENV-04", _zone),
)
"""What only the guide's commands use: production runs without, so nothing about them is CRITICAL."""
KNOWN = {one.name: one for one in (*VARIABLES, *COMMANDS)}


@dataclass(frozen=True)
class Place:
    """What one place gives. What of it nobody could look at, ``why`` says: it may have what it is not seen to have.

    ``hidden`` are the names that it has without showing a value, each with the reason. ``broken`` keeps its processes
    from starting.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    hidden: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    broken: tuple[str, ...] = ()

    @classmethod
    def of(cls, held: Mapping[str, Secret | None], why: str = "") -> Place:
        """Return the place that has these values; of each that is None, ``why`` nobody sees it."""
        values = {name: value.reveal() for name, value in held.items() if value is not None}
        return cls(values, {name: why for name, value in held.items() if value is None})

    def value(self, name: str) -> str:
        """Return what it has under the name, or under the other one for the same; empty where it has none."""
        return self.values.get(name) or self.values.get(OTHERWISE.get(name, ""), "")

    def doubt(self, name: str) -> str:
        """Return why nobody can say what it has under the name; empty where it has none, or shows it."""
        return self.hidden.get(name) or self.hidden.get(OTHERWISE.get(name, "")) or self.why


@dataclass(frozen=True)
class _Held:
    """The value that is judged, and the place that it is from. With a ``doubt`` it may be another one that counts."""

    place: str = ""
    value: str = field(default="", repr=False)
    doubt: str = ""


Said = list[tuple[Verdict, str]]


def put_together(
    places: Mapping[str, Place],
    own: Collection[str] = (),
    stage: str = "production",
    published: tuple[str, ...] = (PREFIX,),
) -> list[dict[str, Any]]:
    """Return a row for each variable of :data:`KNOWN`, and for each other one that must not be as it is, worst first.

    ``own`` are addresses that production is known to have, wherever they lead; ``stage`` is staging where it is that
    which is looked at; ``published`` are the beginnings of names that builds put into browsers. ``standing`` is a
    verdict, ``finding`` what is wrong, in words that do not repeat the value.
    """
    given = {name for place in places.values() for name in (*place.values, *place.hidden)}
    held = {name: _held(name, places) for name in (*KNOWN, *sorted(given - KNOWN.keys()))}
    values = {name: one.value for name, one in held.items() if one.value}
    form: dict[str, Said] = {name: [] for name in held}
    for row in judged(values, production=True, more=COMMANDS, published=published):
        if row["standing"] != Verdict.OK:
            form[row["variable"]].append((Verdict(row["standing"]), row["finding"]))
    rows = []
    for name, one in held.items():
        said = list(_besides(name, one, places))
        if not one.value:
            said += _lacking(name, one, places, published)
        else:
            said += form[name] if one.value.rstrip("/") in own else [*form[name], *_rules(name, one.value, stage)]
        if said or name in KNOWN:
            rows.append(_row(name, one, said, places))
    return sorted(rows, key=lambda row: -list(Verdict).index(row["standing"]))


def gets(name: str) -> str:
    """Return who gets a variable: a key of :data:`GETS`."""
    return "builds" if client_prefix(name) else "commands" if KNOWN.get(name) in COMMANDS else "API"


def _givers(name: str, places: Mapping[str, Place]) -> tuple[str, ...]:
    match gets(name):
        case "builds":
            return (HOSTER,)
        case "commands":
            return DESCRIPTION, VAULT
    cluster, described = places[CLUSTER], places[DESCRIPTION]
    looks = cluster.value(SWITCH) == "true" and cluster.value(STORE) == described.value(STORE)
    return (CLUSTER, VAULT) if looks else (CLUSTER,)


def _held(name: str, places: Mapping[str, Place]) -> _Held:
    if name not in KNOWN:
        # Whoever gets it: it is looked at for what must be nowhere.
        return next((_Held(place, value) for place in places if (value := places[place].value(name))), _Held())
    givers, doubt = _givers(name, places), ""
    for place in (*givers, *places):
        if (value := places[place].value(name)) and (doubt or place in givers):
            # With a doubt nobody can say what counts: what another place has is judged all the same.
            return _Held(place, value, doubt)
        doubt = doubt or (places[place].doubt(name) if place in givers else "")
    return _Held(doubt=doubt)


def _lacking(
    name: str, one: _Held, places: Mapping[str, Place], published: tuple[str, ...]
) -> Iterator[tuple[Verdict, str]]:
    if any(secret_by_name(name) and name in place.hidden for place in places.values()):
        yield exposure(name, published)
    if one.doubt or name not in KNOWN:
        return
    having = [f"the {place}" for place in places if places[place].value(name)]
    said = f"is not set for {GETS[gets(name)]}" + (f", though in {' and '.join(having)}" if having else "")
    mild = KNOWN[name].recommended or gets(name) == "commands"
    yield (Verdict.WARNING if mild else Verdict.CRITICAL), said


def _rules(name: str, value: str, stage: str) -> Iterator[tuple[Verdict, str]]:
    """Say what is wrong with a value in production alone."""
    must = {"VITE_APP_ENV": stage, "NODE_ENV": "production"}.get(name, value)
    if value != must:
        yield Verdict.CRITICAL, f"is not {must}"
    if name in NEVER and value.lower() in ("true", "1"):
        yield Verdict.CRITICAL, "is on, and is for tests alone"
    urls = [url for part in value.split(",") if "://" in part and (url := parted(part.strip())) and url.hostname]
    if any(loopback(str(url.hostname)) or url.hostname in ("0.0.0.0", "::") for url in urls):  # noqa: S104
        if name not in BESIDE:
            yield (Verdict.CRITICAL if name in KNOWN else Verdict.WARNING), "leads to the machine itself"
    elif any(url.scheme == "redis" for url in urls):
        yield Verdict.WARNING, "is without TLS (redis://)"
    elif name == "DATABASE_URL" and urls:
        mode = parse_qs(urls[0].query).get("sslmode", [""])[-1]
        if mode not in TLS:
            yield Verdict.WARNING, f"does not ask for TLS (sslmode {mode if mode in NO_TLS else 'is not said'})"


def _besides(name: str, one: _Held, places: Mapping[str, Place]) -> Iterator[tuple[Verdict, str]]:
    """Say what is to be said of a variable whatever its value is."""
    if one.doubt:
        yield Verdict.UNKNOWN, one.doubt
    others = [place for place in places if _cell(name, place, one, places) == DIFFERS]
    if others:
        yield Verdict.WARNING, f"is another one in the {' and the '.join(others)} than in the {one.place}"
    cluster, read = places[CLUSTER], OTHERWISE.get(name, "")
    if gets(name) == "API" and read and one.place == CLUSTER and one.value != cluster.values.get(read):
        said = "another one" if cluster.values.get(read) else "not set"
        yield Verdict.WARNING, f"is {said} as {read}, which the product's servers read"


def _cell(name: str, place: str, one: _Held, places: Mapping[str, Place]) -> str:
    here, giver = places[place], place in _givers(name, places)
    if value := here.value(name):
        if place == one.place:
            return GIVEN
        return THERE if not one.value else SAME if value == one.value else DIFFERS
    if name in here.hidden:
        return HIDDEN
    if here.why and (giver or place == VAULT):
        return UNSEEN
    return ABSENT if giver and not one.value else ""


def _row(name: str, one: _Held, said: Said, places: Mapping[str, Place]) -> dict[str, Any]:
    worst = Verdict.worst([Verdict.OK, *(verdict for verdict, _ in said)])
    mild = gets(name) == "commands" and worst is Verdict.CRITICAL
    findings = [text for _, text in sorted(said, key=lambda each: -list(Verdict).index(each[0]))]
    return {
        "variable": name,
        "item": KNOWN[name].item if name in KNOWN else "",
        "gets": gets(name),
        **{place: _cell(name, place, one, places) for place in places},
        "standing": (Verdict.WARNING if mild else worst).value,
        "finding": "; ".join(dict.fromkeys(findings)),
    }
