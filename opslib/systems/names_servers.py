"""Name servers asked one by one: those that a zone is kept on (authoritative), and resolvers that keep answers.

Each is asked by its address, so that what one of them says is not covered by another's answer. Source: RFC 1035;
RFC 2308 (how long it may be kept that there is nothing).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dns.message

SECONDS = 4.0
"""How long one server may take for one kind of record."""
AT_ONCE = 12


@dataclass(frozen=True)
class Server:
    """A name server: what it is called, and where it is asked."""

    name: str
    address: str
    port: int = 53
    resolves: bool = False
    """Whether it is a resolver; else it answers for its own zones alone."""


@dataclass(frozen=True)
class Told:
    """What one server says of a name. ``why``: why nothing is known, "" where it answered.

    ``alias`` is the name that the first alias leads to; ``seconds`` how long the answer may be kept (TTL), the least
    of its records; ``empty_seconds`` how long it may be kept that one kind of address is not there.
    """

    server: Server
    addresses: tuple[str, ...] = ()
    alias: str | None = None
    seconds: int | None = None
    empty_seconds: int | None = None
    why: str = ""


class NameServers:
    """Questions to name servers that the caller names."""

    def ask(self, servers: Sequence[Server], name: str, seconds: float = SECONDS) -> list[Told]:
        """Return what each server says of A and AAAA of ``name``, in their order; a silent one's says why."""
        if not servers:
            return []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda server: _told(server, name, seconds), servers))

    def delegated(self, resolver: Server, zone: str, seconds: float = SECONDS) -> tuple[frozenset[str], str]:
        """Return the name servers that everybody is led to for ``zone`` (lower case), or none and why not."""
        import dns.rdatatype

        answer, why = _asked(resolver, zone, "NS", seconds)
        if answer is None:
            return frozenset(), why
        found = [one for rrset in answer.answer if rrset.rdtype == dns.rdatatype.NS for one in rrset]
        return frozenset(one.target.to_text(omit_final_dot=True).lower() for one in found), ""

    def close(self) -> None:
        """There is nothing to close."""


def resolvers(own: str | None, others: Sequence[str]) -> tuple[Server, ...]:
    """Return the resolver ``own`` (address:port; None: this machine's first one) and ``others``, each once."""
    import dns.resolver

    said = [own] if own else []
    if own is None:
        with suppress(dns.resolver.NoResolverConfiguration):
            said = [
                f"{one}:53" if ":" not in str(one) else f"[{one}]:53" for one in dns.resolver.Resolver().nameservers[:1]
            ]
    return tuple(server(one, one, resolves=True) for one in dict.fromkeys((*said, *others)))


def server(name: str, place: str, *, resolves: bool = False) -> Server:
    """Return the server ``name`` at ``place`` (address:port)."""
    address, _, port = place.rpartition(":")
    return Server(name, address.strip("[]"), int(port), resolves)


def _told(server: Server, name: str, seconds: float) -> Told:
    addresses: list[str] = []
    kept: list[int] = []
    alias, empty = None, None
    for kind in ("A", "AAAA"):
        answer, why = _asked(server, name, kind, seconds)
        if answer is None:
            return Told(server, why=why)
        chain = [rrset for rrset in answer.answer if rrset.rdtype.name == "CNAME"]
        if first := next((one for one in chain if _same(one.name.to_text(), name)), None):
            alias = first[0].target.to_text(omit_final_dot=True).lower()
        held = [rrset for rrset in answer.answer if rrset.rdtype.name == kind]
        addresses += sorted(record.to_text() for rrset in held for record in rrset)
        kept += [rrset.ttl for rrset in (*chain, *held)]
        if not held and (soa := next((one for one in answer.authority if one.rdtype.name == "SOA"), None)):
            empty = min(soa.ttl, soa[0].minimum)
    return Told(server, tuple(addresses), alias, min(kept, default=None), empty)


def _asked(server: Server, name: str, kind: str, seconds: float) -> tuple[dns.message.Message | None, str]:
    """Return the answer of one server, by UDP and, where it is too long for that, TCP; else None and why."""
    import dns.exception
    import dns.flags
    import dns.message
    import dns.query
    import dns.rcode

    try:
        question = dns.message.make_query(f"{name.rstrip('.')}.", kind, use_edns=0)
        if not server.resolves:
            question.flags &= ~dns.flags.RD
        answer, _ = dns.query.udp_with_fallback(
            question, server.address, seconds, server.port, ignore_unexpected=True, ignore_errors=True
        )
    except dns.exception.Timeout:
        return None, f"no answer within {seconds:g} s"
    except (dns.exception.DNSException, OSError, EOFError) as error:
        return None, f"no answer ({' '.join(str(error).split())[:120] or type(error).__name__})"
    if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return None, f"it answers {dns.rcode.to_text(answer.rcode())}"
    if not server.resolves and not answer.flags & dns.flags.AA:
        return None, "it does not answer for this zone"
    return answer, ""


def _same(one: str, other: str) -> bool:
    return one.rstrip(".").lower() == other.rstrip(".").lower()
