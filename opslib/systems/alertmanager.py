"""Alertmanager: to whom an alert with given labels is sent, and what is silenced. Reading only.

Source: Alertmanager's API description (v2): ``/status`` (its configuration, secrets hidden by itself), ``/silences``;
configuration reference: routes are tried in order, the first that matches counts unless it says ``continue``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import yaml
from pydantic import Field, ValidationError

from opslib.errors import SettingsError, Unreachable
from opslib.settings_observability import Observability
from opslib.systems.api import Api, Shape
from opslib.systems.api_errors import Vendor

VENDOR = Vendor("Alertmanager", "OPS_READ_ALERTMANAGER_TOKEN", words=(("message",),))
MATCHER = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*', re.DOTALL)
LONGEST = 500
"""Characters of a matcher that is read."""
NESTED = re.compile(r"[+*}][^()]*\)\s*[+*{]|\([^()]*\|[^()]*\)\s*[+*{]")
"""A repeated group that repeats something, or chooses, within."""
MOST_DEPTH = 20
INTEGRATIONS = re.compile(r"([a-z0-9]+)_configs")
_OLD = {"match": "=", "match_re": "=~"}


class _Config(Shape):
    original: str


class _Status(Shape):
    config: _Config


class Route(Shape):
    """A route; its labels are matched in any of the three forms that the configuration has for it."""

    receiver: str | None = None
    matchers: tuple[str, ...] = ()
    match: dict[str, str] = Field({})
    match_re: dict[str, str] = Field({})
    further: bool = Field(False, alias="continue")
    routes: tuple[Route, ...] = ()

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an alert with ``labels`` goes this way; raises Unreachable for a matcher that cannot be read."""
        said = [_read(text) for text in self.matchers]
        said += [(name, _OLD["match"], value) for name, value in self.match.items()]
        said += [(name, _OLD["match_re"], value) for name, value in self.match_re.items()]
        return all(_fits(operator, labels.get(name, ""), value) for name, operator, value in said)


class _Whole(Shape):
    route: Route
    receivers: tuple[dict[str, Any], ...]


class Routing:
    """Who is told what: the tree of routes, and each receiver's kinds of integrations (pagerduty, slack, email …)."""

    def __init__(self, text: str) -> None:
        """Read a configuration; raises Unreachable (malformed) for one that is none."""
        try:
            # A few lines of aliases stand for billions, and Alertmanager writes none.
            if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
                raise yaml.YAMLError("holds an alias")
            whole = _Whole.model_validate(yaml.safe_load(text))
        except (yaml.YAMLError, ValidationError, RecursionError):
            raise Unreachable("Alertmanager's configuration cannot be read.", "Look at its /#/status.") from None
        self._root = whole.route
        self.receivers = {
            str(one.get("name", "")): tuple(
                sorted(found[1] for key, value in one.items() if value and (found := INTEGRATIONS.fullmatch(str(key))))
            )
            for one in whole.receivers
        }

    def told(self, labels: Mapping[str, str]) -> list[str]:
        """Return the names of the receivers that an alert with ``labels`` is sent to."""
        return list(dict.fromkeys(_ways(self._root, labels, self._root.receiver or "", 0)))

    def kinds(self, labels: Mapping[str, str]) -> list[str]:
        """Return the kinds of integrations by which an alert with ``labels`` is told."""
        return sorted({kind for name in self.told(labels) for kind in self.receivers.get(name, ())})


def _ways(route: Route, labels: Mapping[str, str], above: str, depth: int) -> Iterator[str]:
    receiver, found = route.receiver or above, False
    for child in route.routes if depth < MOST_DEPTH else ():
        if child.fits(labels):
            found = True
            yield from _ways(child, labels, receiver, depth + 1)
            if not child.further:
                break
    if not found:
        yield receiver


def _read(text: str) -> tuple[str, str, str]:
    found = MATCHER.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        raise _unclear(text)
    return found[1], found[2], found[3]


def _fits(operator: str, value: str, wanted: str) -> bool:
    if operator in ("=", "!="):
        return (value == wanted) is (operator == "=")
    # Alertmanager's engine needs a time that grows with the text; ours may never end where repeats are nested.
    if len(wanted) > LONGEST or NESTED.search(wanted):
        raise _unclear(wanted)
    try:
        return (re.fullmatch(wanted, value) is not None) is (operator == "=~")
    except re.error:
        raise _unclear(wanted) from None


def _unclear(text: str) -> Unreachable:
    return Unreachable(
        f"The matcher {text[:80]!r} of Alertmanager cannot be followed here.",
        "See whom it tells in Alertmanager itself (amtool config routes test).",
        "other",
    )


class _State(Shape):
    state: str


class _Matched(Shape):
    name: str
    value: str
    regex: bool = Field(False, alias="isRegex")
    equal: bool = Field(True, alias="isEqual")


class Silence(Shape):
    """Alerts with these labels are not sent until ``ends``."""

    status: _State
    matchers: tuple[_Matched, ...]
    ends: str = Field(alias="endsAt")
    by: str = Field("", alias="createdBy")
    comment: str = ""

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an alert with ``labels`` is silent now."""
        signs = {(True, False): "=", (False, False): "!=", (True, True): "=~", (False, True): "!~"}
        return self.status.state == "active" and all(
            _fits(signs[one.equal, one.regex], labels.get(one.name, ""), one.value) for one in self.matchers
        )


class ReadOnlyAlertmanager:
    """The Alertmanager of a target description; only GET is sent."""

    def __init__(self, settings: Observability) -> None:
        if settings.alertmanager_url is None:
            raise SettingsError("Alertmanager is not in the target description.", "Set OPS_ALERTMANAGER_URL.")
        token = settings.read_alertmanager_token
        self._api = Api(VENDOR if token else replace(VENDOR, scheme=""), settings.alertmanager_url, token)

    def routing(self) -> Routing:
        """Return who is told what."""
        return Routing(self._api.get(_Status, "api", "v2", "status").config.original)

    def silences(self) -> list[Silence]:
        """Return the silences, active and planned."""
        return self._api.get(list[Silence], "api", "v2", "silences", query={"expired": "false"})

    def close(self) -> None:
        """Close every connection."""
        self._api.close()
