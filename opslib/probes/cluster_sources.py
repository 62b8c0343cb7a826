"""Who may reach a pod by its network policies, reckoned with ranges of addresses; and how a policy is narrowed.

Policies are additive: what one of them allows, no other takes away, and pods that none selects are open to all. So a
policy "everybody but …" beside one that denies opens what was shut, and beside one that allows it shuts nothing
(Kubernetes documentation, "Network Policies"). What is blocked must therefore go out of each rule that lets it in.
All of this is pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opslib.canonical import canonical
from opslib.systems.kubernetes_policies import NetworkPolicy, Rule
from opslib.systems.kubernetes_shapes import Labels

Net = ipaddress.IPv4Network | ipaddress.IPv6Network
Nets = tuple[Net, ...]

EVERY_ADDRESS: Nets = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
EVERY_POD: Rule = {"namespaceSelector": {}}
EVERY_PORT = "every port"


def net(text: str) -> Net:
    """Return a range of addresses; raises ValueError for none. What stands behind its prefix does not count."""
    return ipaddress.ip_network(text, strict=False)


def inside(one: Net, other: Net) -> bool:
    """Tell whether all of ``one`` is in ``other``."""
    return one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]


def collapsed(nets: Iterable[Net]) -> Nets:
    """Return the same addresses in as few ranges as possible, in order."""
    every = list(nets)
    four = ipaddress.collapse_addresses(one for one in every if isinstance(one, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(one for one in every if isinstance(one, ipaddress.IPv6Network))
    return (*four, *six)


def without(nets: Iterable[Net], blocked: Iterable[Net]) -> Nets:
    """Return the addresses of ``nets`` that are not in ``blocked``."""
    left = list(nets)
    for gone in blocked:
        kept: list[Net] = []
        for one in left:
            if inside(one, gone):
                continue
            kept += one.address_exclude(gone) if inside(gone, one) else [one]  # type: ignore[arg-type]
        left = kept
    return collapsed(left)


def overlap(nets: Iterable[Net], others: Iterable[Net]) -> Nets:
    """Return the addresses that are in both."""
    there = list(others)
    found = [one if inside(one, other) else other for one in nets for other in there if one.overlaps(other)]
    return collapsed(found)


@dataclass(frozen=True)
class Sources:
    """Who may come in by the same ports: addresses, and pods by their selectors (as canonical JSON)."""

    addresses: Nets = ()
    pods: frozenset[bytes] = frozenset()

    def joined(self, other: Sources) -> Sources:
        """Return both together."""
        return Sources(collapsed((*self.addresses, *other.addresses)), self.pods | other.pods)

    def within(self, other: Sources) -> bool:
        """Tell whether nobody is in this who is not in ``other``."""
        covered = all(any(inside(one, there) for there in other.addresses) for one in self.addresses)
        return covered and (self.pods <= other.pods or canonical(EVERY_POD) in other.pods)


Entrance = Mapping[str, Sources]
"""Who may come in, by ports (canonical JSON of a rule's ports, or :data:`EVERY_PORT`)."""
OPEN: Entrance = {EVERY_PORT: Sources(EVERY_ADDRESS, frozenset({canonical(EVERY_POD)}))}


def entrance(policies: Iterable[NetworkPolicy], labels: Labels) -> Entrance:
    """Return who may reach pods with ``labels``; raises ValueError for an address that is none."""
    holding = [one for one in policies if one.holds(labels)]
    if not holding:
        return OPEN
    found: dict[str, Sources] = {}
    for policy in holding:
        for rule in policy.spec.ingress:
            ports = _ports(rule)
            found[ports] = found.get(ports, Sources()).joined(_sources(rule))
    return {ports: found[ports] for ports in sorted(found)}


def shut(before: Entrance, blocked: Sequence[Net]) -> Entrance:
    """Return who may come in once ``blocked`` may not, and everybody else as before."""
    after = {ports: Sources(without(one.addresses, blocked), one.pods) for ports, one in before.items()}
    return {ports: one for ports, one in after.items() if one != Sources()}


def admits(entrance_: Entrance, blocked: Sequence[Net]) -> Nets:
    """Return which addresses of ``blocked`` may come in by any port."""
    return collapsed(part for one in entrance_.values() for part in overlap(one.addresses, blocked))


def wider(after: Entrance, before: Entrance) -> bool:
    """Tell whether somebody may come in by ``after`` who may not by ``before``."""
    for ports, one in after.items():
        known = before.get(ports, Sources()).joined(before.get(EVERY_PORT, Sources()))
        if not one.within(known):
            return True
    return False


def narrowed(ingress: Iterable[Rule], blocked: Sequence[Net]) -> list[Rule]:
    """Return the rules of a policy with ``blocked`` taken out of each; a rule that lets nobody in is left out.

    An empty list of sources would let everybody in.
    """
    made: list[Rule] = []
    for rule in ingress:
        if not overlap(_sources(rule).addresses, blocked):
            made.append(rule)
        elif peers := [left for one in _peers(rule) if (left := _peer_without(one, blocked)) is not None]:
            made.append({**rule, "from": peers})
    return made


def everybody_but(blocked: Sequence[Net]) -> list[Rule]:
    """Return the rules that let everybody in but ``blocked``: for pods that no policy selects yet."""
    return narrowed([{}], blocked)


def words(rule: Rule) -> str:
    """Return a rule in words: ``TCP 8000 from 0.0.0.0/0 except 203.0.113.9/32``."""
    said = [
        f"{one.get('protocol', 'TCP')} {one.get('port', 'every port')}{_end(one)}" for one in rule.get("ports") or ()
    ]
    return f"{', '.join(said) or EVERY_PORT} from {'; '.join(map(_peer_words, _peers(rule)))}"


def _end(port: Mapping[str, Any]) -> str:
    return f"-{port['endPort']}" if "endPort" in port else ""


def _ports(rule: Rule) -> str:
    ports = rule.get("ports") or []
    said = [{"protocol": "TCP", **one} for one in ports]
    return canonical(sorted(said, key=canonical)).decode() if said else EVERY_PORT


def _peers(rule: Rule) -> list[Rule]:
    """Return the sources of a rule; one that names none lets everybody in."""
    return rule.get("from") or [*({"ipBlock": {"cidr": str(one)}} for one in EVERY_ADDRESS), EVERY_POD]


def _sources(rule: Rule) -> Sources:
    addresses: list[Net] = []
    pods = set()
    for peer in _peers(rule):
        if "ipBlock" in peer:
            block = peer["ipBlock"]
            addresses += without([net(block["cidr"])], map(net, block.get("except") or ()))
        else:
            pods.add(canonical(peer))
    return Sources(collapsed(addresses), frozenset(pods))


def _peer_without(peer: Rule, blocked: Sequence[Net]) -> Rule | None:
    if "ipBlock" not in peer:
        return peer
    block = peer["ipBlock"]
    whole, known = net(block["cidr"]), [net(one) for one in block.get("except") or ()]
    if not without([whole], [*known, *blocked]):
        return None
    more = [gone for gone in blocked if inside(gone, whole) and not any(inside(gone, one) for one in known)]
    return {"ipBlock": {**block, "except": [str(one) for one in collapsed([*known, *more])]}} if more else peer


def _peer_words(peer: Rule) -> str:
    if "ipBlock" in peer:
        left = ", ".join(peer["ipBlock"].get("except") or ())
        return f"{peer['ipBlock']['cidr']}{f' except {left}' if left else ''}"
    if peer == EVERY_POD:
        return "every pod"
    return f"pods by {canonical(peer).decode()}"
