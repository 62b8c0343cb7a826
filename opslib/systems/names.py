"""Names in DNS: the addresses they lead to, for how long an answer may be kept, and names that lead nowhere.

Asked of one name server (the machine's own, unless the target description names another), never of a hosts file: what
is looked at is what everybody gets. ``localhost`` is never asked (RFC 6761). The standard library tells no time to
live, and parsing what a stranger sends over UDP is no work for forty lines of ours: dnspython does both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opslib.errors import Unreachable

if TYPE_CHECKING:
    import dns.resolver

SECONDS = 5.0
"""How long one name may take, both kinds of address together."""
NEXT = "Ask another name server; look at OPS_RESOLVER and at the network."


@dataclass(frozen=True)
class Found:
    """What a name leads to. ``seconds`` is how long the answer may be kept yet (its TTL), None where it has none.

    ``alias`` is the last name of a chain of aliases. ``exists`` is False where that name, or the name itself, is not
    there; a name that exists may have no address.
    """

    name: str
    addresses: tuple[str, ...]
    seconds: int | None = None
    alias: str | None = None
    exists: bool = True


class Names:
    """Questions to one name server; ``resolver`` is its ``address:port``, None for the machine's."""

    def __init__(self, resolver: str | None) -> None:
        self._said = resolver
        self._resolver: dns.resolver.Resolver | None = None

    def look_up(self, name: str, seconds: float = SECONDS) -> Found:
        """Return the addresses of ``name``, IPv4 first, each kind in order of its text.

        Raises Unreachable: ``slow`` without an answer in time, ``dns`` where the name server failed or refused. That
        says nothing of the name.
        """
        import dns.exception
        import dns.resolver

        resolver = self._opened()
        addresses: list[str] = []
        kept: list[int] = []
        alias = None
        for kind in ("A", "AAAA"):
            try:
                answer = resolver.resolve(f"{name}.", kind, raise_on_no_answer=False, lifetime=seconds / 2)
            except dns.resolver.NXDOMAIN as error:
                if addresses:
                    continue  # Said of one kind of address alone, which is no way to say it.
                last = error.canonical_name.to_text(omit_final_dot=True)
                return Found(name, (), alias=last if last.lower() != name.lower() else None, exists=False)
            except (dns.exception.DNSException, OSError) as error:
                if addresses:
                    continue  # One kind of address is enough to get there.
                raise _failed(name, error) from error
            last = answer.canonical_name.to_text(omit_final_dot=True)
            alias = last if last.lower() != name.lower() else None
            if answer.rrset is not None:
                addresses += sorted(record.to_text() for record in answer.rrset)
                kept.append(answer.chaining_result.minimum_ttl)
        return Found(name, tuple(addresses), min(kept, default=None), alias)

    def close(self) -> None:
        """There is nothing to close."""

    def _opened(self) -> dns.resolver.Resolver:
        import dns.nameserver
        import dns.resolver

        if self._resolver is None:
            if self._said is None:
                try:
                    self._resolver = dns.resolver.Resolver()
                except dns.resolver.NoResolverConfiguration as error:
                    raise Unreachable("This machine has no name server.", "Set OPS_RESOLVER.", "dns") from error
            else:
                host, _, port = self._said.rpartition(":")
                self._resolver = dns.resolver.Resolver(configure=False)
                self._resolver.nameservers = [dns.nameserver.Do53Nameserver(host.strip("[]"), int(port))]
            self._resolver.cache = None
        return self._resolver


def _failed(name: str, error: Exception) -> Unreachable:
    import dns.resolver

    if isinstance(error, dns.resolver.LifetimeTimeout):
        return Unreachable(f"The name server gave no answer about {name} in time.", NEXT, "slow")
    said = " ".join(str(error).split())[:200]
    return Unreachable(f"The name server could not answer about {name} ({said}).", NEXT, "dns")
