"""Ranges of addresses that are to be blocked: read, and refused where they are too wide or one's own."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import Field

from opslib.errors import Refused
from opslib.probes.cluster_sources import Net, Nets, collapsed

NOBODY = "none"
_FOUR = r"[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?"
_SIX = r"[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}(/[0-9]{1,3})?"
_ONE = rf"({_FOUR}|{_SIX})"
Networks = Annotated[str, Field(max_length=1000, pattern=rf"^({NOBODY}|{_ONE}(,{_ONE}){{0,24}})$")]
"""Addresses or CIDR ranges, by commas; ``none`` for nobody's."""

WIDEST = {4: 16, 6: 48}
"""Bits that a range's prefix must have: a /16 is 65,536 addresses, an IPv6 /48 what one site gets."""

INSIDE: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "no address"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by carriers and clouds"),
    ("127.0.0.0/8", "a machine's own"),
    ("169.254.0.0/16", "of one link"),
    ("172.16.0.0/12", "private"),
    ("192.168.0.0/16", "private"),
    ("224.0.0.0/3", "of groups, or reserved"),
    ("::/127", "a machine's own"),
    ("::ffff:0:0/96", "an IPv4 address in other words"),
    ("fc00::/7", "private"),
    ("fe80::/10", "of one link"),
    ("ff00::/8", "of groups"),
)
"""What no client from outside has: nodes, pods, load balancers and gateways do (RFC 6890)."""


def networks(text: str) -> Nets:
    """Return the ranges that ``text`` names; raises Refused for one that is none, too wide, or from inside."""
    return collapsed(_network(one) for one in text.split(",")) if text != NOBODY else ()


def _network(text: str) -> Net:
    try:
        found = ipaddress.ip_network(text)
    except ValueError:
        raise Refused(f"{text} is no range of addresses.", _meant(text)) from None
    if found.prefixlen < WIDEST[found.version]:
        raise Refused(
            f"{text} is wider than /{WIDEST[found.version]}: it would shut out many who did nothing.",
            "Name the addresses that the evidence shows; wider ranges are for the provider's firewall.",
        )
    for part, what in INSIDE:
        if found.overlaps(ipaddress.ip_network(part)):
            raise Refused(
                f"{text} is {what}: nodes, pods and load balancers have such addresses, and clients from outside none.",
                "Look whose it is; the client's own address stands in what is before the cluster.",
            )
    return found


def _meant(text: str) -> str:
    try:
        return f"If the whole range is meant: {ipaddress.ip_network(text, strict=False)}."
    except ValueError:
        return "Give it as 203.0.113.9 or 203.0.113.0/24."
