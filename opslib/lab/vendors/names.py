"""A name server for the lab, on UDP, at the number of the stand-ins' port: some names, and what goes wrong with them.

It answers for the names that it remembers, and says of any other that it does not exist. Source: RFC 1035.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opslib.lab.production import DOMAIN
from opslib.lab.vendors.stand_in import StandIn
from opslib.lab.vendors.zone import Zone

HOSTS = ("app.valuecanvas.test", "api.valuecanvas.test", "api.together.test", "api.openai.test")
LONGEST_CHAIN = 8


def planted() -> dict[str, Any]:
    """Return what is known at the beginning: names with RFC 5737 addresses, one of them by an alias."""
    names = {name: _name([f"192.0.2.{10 + number}"]) for number, name in enumerate(HOSTS)}
    names["app.valuecanvas.test"] = _name([], alias="cname.hoster.test")
    names["cname.hoster.test"] = _name(["192.0.2.76", "192.0.2.77"], ["2001:db8::76"], ttl=60)
    return names


class Names(StandIn):
    """State: ``names``, each with ``a``, ``aaaa`` (addresses), ``alias``, ``ttl``, ``answer`` (SERVFAIL, none).

    For names of the lab's own zone it is a resolver, which asks the zone's name servers and keeps their answers.
    """

    name = "names"
    zone: Zone

    def first(self) -> dict[str, Any]:
        """Return names that lead somewhere."""
        return {"names": planted()}

    def routes(self) -> list[Route]:
        """Return none: it is asked by DNS."""
        return []

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return an error to who asks by HTTP."""
        return JSONResponse({"error": message}, status)

    async def reply(self, data: bytes) -> bytes | None:
        """Return the answer to one question, or None for silence."""
        try:
            asked = dns.message.from_wire(data)
            question = asked.question[0]
        except (dns.exception.DNSException, IndexError):
            return None
        name = question.name.to_text(omit_final_dot=True).lower()
        fault = self._faults.take(self.name, "GET", name)
        if name == DOMAIN or name.endswith(f".{DOMAIN}"):
            await self.zone.look()
            answer = self.zone.resolved(asked, self.name)
        else:
            answer = dns.message.make_response(asked)
            answer.flags |= dns.flags.RA
            self._fill(answer, name, question.rdtype)
        said = self.state["names"].get(name, {}).get("answer")
        if fault is not None or said == "none":
            return None
        if said:
            answer.set_rcode(dns.rcode.from_text(said))
            answer.answer.clear()
        self.calls.append({"vendor": self.name, "method": "GET", "path": name, "status": int(answer.rcode())})
        return answer.to_wire()

    def _fill(self, answer: dns.message.Message, name: str, kind: dns.rdatatype.RdataType) -> None:
        for _ in range(LONGEST_CHAIN):
            known = self.state["names"].get(name)
            if known is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)
                return
            if not known["alias"]:
                addresses = known.get(dns.rdatatype.to_text(kind).lower(), [])
                if addresses:
                    answer.answer.append(dns.rrset.from_text(f"{name}.", known["ttl"], "IN", kind, *addresses))
                return
            answer.answer.append(dns.rrset.from_text(f"{name}.", known["ttl"], "IN", "CNAME", f"{known['alias']}."))
            name = known["alias"]

    async def listen(self, port: int) -> asyncio.DatagramTransport:
        """Listen on loopback; the transport is closed by who asked for it."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Door(self), local_addr=("127.0.0.1", port))
        return transport


class _Door(asyncio.DatagramProtocol):
    def __init__(self, names: Names) -> None:
        self._names, self._tasks = names, set[asyncio.Task[None]]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = await self._names.reply(data)
        if reply is not None and not self._transport.is_closing():
            self._transport.sendto(reply, addr)


def _name(a: list[str], aaaa: list[str] | None = None, alias: str = "", ttl: int = 300) -> dict[str, Any]:
    return {"a": a, "aaaa": aaaa or [], "alias": alias, "ttl": ttl, "answer": ""}
