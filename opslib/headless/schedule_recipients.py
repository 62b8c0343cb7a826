"""Who is told of a schedule, and by what: the tables ``[tell.NAME]`` of ``schedules.toml``.

A name stands for one or several destinations. What a destination needs to be reached (keys, servers) is in the target's
description and never in the table; the table holds names of channels and addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from opslib.model import Environment
from opslib.settings_telling import Mail

By = Literal["pagerduty", "slack", "mail"]
Channel = Annotated[str, Field(pattern=r"^[CG][A-Z0-9]{2,20}$")]


class Recipient(BaseModel):
    """Whom a name stands for: on call by PagerDuty, channels of Slack by their ids, addresses of mail."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pagerduty: StrictBool = False
    slack: Annotated[tuple[Channel, ...], Field(max_length=5)] = ()
    mail: Annotated[tuple[Mail, ...], Field(max_length=20)] = ()


@dataclass(frozen=True, order=True)
class Destination:
    """Where notices of one environment go: ``to`` is a channel or an address, and nothing for PagerDuty."""

    environment: Environment
    by: By
    to: str = ""

    @property
    def name(self) -> str:
        """What it is called in the archive, and shown as."""
        return "-".join(filter(None, (self.environment, self.by, self.to)))


def read(given: Any) -> tuple[dict[str, Recipient], dict[str, tuple[str, ...]]]:
    """Return the recipients by name, and of each that has some all its faults."""
    found: dict[str, Recipient] = {}
    faults: dict[str, tuple[str, ...]] = {}
    if not isinstance(given, dict):
        return {}, {"tell": ("a recipient begins with [tell.NAME]",)}
    for name, said in given.items():
        try:
            found[name] = Recipient.model_validate(said)
        except ValidationError as error:
            # No fault repeats a value: it may be a secret in the wrong place.
            told = (f"{'.'.join(map(str, one['loc'][:2]))}: {one['msg']}" for one in error.errors(include_input=False))
            faults[f"tell.{name}"] = tuple(dict.fromkeys(told))
        else:
            if not any(found[name].model_dump().values()):
                faults[f"tell.{name}"] = ("it is told by nothing: give pagerduty = true, slack or mail",)
    return found, faults


def destinations(
    names: Iterable[str], known: Mapping[str, Recipient], environment: Environment
) -> tuple[Destination, ...]:
    """Return where ``names`` are told, each destination once; a name that is not known has none."""
    found: list[Destination] = []
    for one in (known[name] for name in names if name in known):
        found += [Destination(environment, "pagerduty")] if one.pagerduty else []
        found += [Destination(environment, "slack", channel) for channel in one.slack]
        found += [Destination(environment, "mail", address) for address in one.mail]
    return tuple(dict.fromkeys(found))
