"""The zone's name servers in the lab: two that answer what moto's Route 53 has, and a resolver that keeps answers.

On UDP and TCP at the number of the stand-ins' port, each at a loopback address of its own. moto says INSYNC at once, as
Route 53 does not; state ``behind`` lets a name server answer, for so many seconds, as the zone was before.
Source: RFC 1035, RFC 2308; Route 53's aliases are answered as the records that they lead to.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import struct
import time
import xml.etree.ElementTree as ET
from pathlib import Path
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
from opslib.lab.state import read
from opslib.lab.vendors.stand_in import StandIn

SERVERS = ("127.0.0.2", "127.0.0.3")
"""Where the zone's name servers are; the resolver is where the stand-ins are, and one more here."""
RESOLVER = "127.0.0.4"
PACKET, LONGEST = 512, 65_535
"""Bytes of an answer by UDP to who does not say that more may come, and of one by TCP (RFC 1035)."""
ALIAS_SECONDS = 60
"""How long an answer for an alias may be kept: Route 53's for a load balancer."""
_SIGNED = "AWS4-HMAC-SHA256 Credential=lab/20260101/us-east-1/route53/aws4_request, SignedHeaders=host, Signature=lab"
_SPACE = "{https://route53.amazonaws.com/doc/2013-04-01/}"

Records = dict[tuple[str, str], tuple[int, tuple[str, ...]]]
"""Values and time to live by name (lower case, without the last dot) and type."""


class Zone(StandIn):
    """State: ``behind`` (seconds, by the number of the name server); ``silent`` (numbers of those that say nothing).

    ``kept_longer``: seconds for which resolvers answer as before beyond what they may. With another ``memory`` nobody
    has seen or kept anything yet.
    """

    name = "zone"
    _lab: Path | None = None
    _seen_by: str | None = None
    _history: list[tuple[float, Records]]
    _cache: dict[tuple[str, str, int], tuple[float, int, dns.message.Message]]

    def first(self) -> dict[str, Any]:
        """Return name servers that follow at once."""
        return {"behind": {}, "silent": [], "kept_longer": 0, "memory": ""}

    def routes(self) -> list[Route]:
        """Return none: it is asked by DNS."""
        return []

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return an error to who asks by HTTP."""
        return JSONResponse({"error": message}, status)

    def follows(self, lab: Path) -> None:
        """Say where the lab keeps its record of moto's address."""
        self._lab, self._history, self._cache = lab, [], {}

    @property
    def silent(self) -> list[int]:
        """The numbers of name servers that say nothing."""
        return list(self.state.get("silent", ()))

    async def look(self) -> None:
        """Look what the zone has now; with another memory, nothing was seen before."""
        memory, records = None, Records()
        while memory != (memory := self.state.get("memory", "")):
            records = await asyncio.to_thread(_records, self._lab) if self._lab else {}
        if memory != self._seen_by:
            self._seen_by, self._history = memory, []
        if not self._history or self._history[-1][1] != records:
            self._history.append((time.monotonic(), records))

    def authoritative(self, asked: dns.message.Message, number: int) -> dns.message.Message:
        """Return what the name server of that number answers."""
        answer = dns.message.make_response(asked)
        question = asked.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        if not (name == DOMAIN or name.endswith(f".{DOMAIN}")):
            answer.set_rcode(dns.rcode.REFUSED)
            return answer
        answer.flags |= dns.flags.AA
        _fill(answer, self._known(number), name, dns.rdatatype.to_text(question.rdtype))
        return answer

    def resolved(self, asked: dns.message.Message, which: str) -> dns.message.Message:
        """Return what a resolver answers: what it has kept, for as long as it may, else what a name server says."""
        question = asked.question[0]
        key = f"{which} {self.state.get('memory', '')}", question.name.to_text().lower(), int(question.rdtype)
        now, longer = time.monotonic(), float(self.state.get("kept_longer", 0))
        kept = self._cache.get(key)
        if kept is None or now >= kept[0] + kept[1] + longer:
            found = self.authoritative(asked, 0)
            kept = self._cache[key] = (now, _keeps(found), found)
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.RA
        answer.set_rcode(kept[2].rcode())
        left = max(0, int(kept[1] - (now - kept[0])))
        for section, theirs in ((answer.answer, kept[2].answer), (answer.authority, kept[2].authority)):
            for rrset in theirs:
                section.append(dns.rrset.from_rdata_list(rrset.name, min(rrset.ttl, left), list(rrset)))
        return answer

    def _known(self, number: int) -> Records:
        behind = float(self.state.get("behind", {}).get(str(number), 0))
        until = time.monotonic() - behind
        old = [records for seen, records in self._history if seen <= until]
        return old[-1] if old else self._history[0][1]

    async def listen(self, port: int) -> list[asyncio.BaseTransport | asyncio.Server]:
        """Listen at each address, as far as this machine has it; what is listened at is closed by who asked."""
        loop, made = asyncio.get_running_loop(), list[asyncio.BaseTransport | asyncio.Server]()
        for number, address in enumerate((*SERVERS, RESOLVER)):
            try:
                door = await loop.create_datagram_endpoint(
                    lambda number=number: _Door(self, number),  # type: ignore[misc]
                    local_addr=(address, port),
                )
                made.append(door[0])
                made.append(await asyncio.start_server(_lines(self, number), address, port))
            except OSError:
                continue  # A machine may have 127.0.0.1 alone; who asks there is told that nobody answers.
        return made

    async def reply(self, data: bytes, number: int, most: int | None = None) -> bytes | None:
        """Return the answer to one question at one address, None for silence; without ``most`` it may be long."""
        try:
            asked = dns.message.from_wire(data)
            name = asked.question[0].name.to_text(omit_final_dot=True).lower()
        except (dns.exception.DNSException, IndexError):
            return None
        await self.look()
        fault = self._faults.take(self.name, "GET", name)
        self.calls.append({"vendor": self.name, "method": "GET", "path": name, "server": number, "status": 0})
        if fault is not None or number in self.silent:
            return None
        answer = self.authoritative(asked, number) if number < len(SERVERS) else self.resolved(asked, RESOLVER)
        wire = answer.to_wire(max_size=LONGEST)
        if most is not None and len(wire) > max(most, asked.payload):
            short = dns.message.make_response(asked)
            short.flags |= dns.flags.TC | (answer.flags & dns.flags.AA)
            return short.to_wire()
        return wire


class _Door(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone, number: int) -> None:
        self._zone, self._number, self._tasks = zone, number, set[asyncio.Task[None]]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = await self._zone.reply(data, self._number, PACKET)
        if reply is not None and not self._transport.is_closing():
            self._transport.sendto(reply, addr)


def _lines(zone: Zone, number: int) -> Any:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            reply = await zone.reply(await reader.readexactly(length), number)
            if reply is not None:
                writer.write(struct.pack("!H", len(reply)) + reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    return answer


def _fill(answer: dns.message.Message, records: Records, name: str, kind: str) -> None:
    seconds, held = records.get((name, kind), (0, ()))
    alias = records.get((name, "CNAME"))
    if held:
        answer.answer.append(dns.rrset.from_text(f"{name}.", seconds, "IN", kind, *held))
    elif alias:
        answer.answer.append(dns.rrset.from_text(f"{name}.", alias[0], "IN", "CNAME", *alias[1]))
        further = alias[1][0].rstrip(".").lower()
        if further != name and further.endswith(f".{DOMAIN}"):
            _fill(answer, records, further, kind)
    else:
        if not any(known == name for known, _ in records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        if soa := records.get((DOMAIN, "SOA")):
            answer.authority.append(dns.rrset.from_text(f"{DOMAIN}.", soa[0], "IN", "SOA", *soa[1]))


def _keeps(found: dns.message.Message) -> int:
    if found.answer:
        return min(rrset.ttl for rrset in found.answer)
    return min((min(rrset.ttl, rrset[0].minimum) for rrset in found.authority), default=0)


def _records(lab: Path) -> Records:
    state = read(lab.parent)
    port = state.entry("aws").port if state else 0
    if not port:
        return {}
    try:
        listed = _told(port, f"/2013-04-01/hostedzonesbyname?dnsname={DOMAIN}")
        zone = next((one.text or "" for one in listed.iter(f"{_SPACE}Id")), "").rpartition("/")[2]
        sets = list(_told(port, f"/2013-04-01/hostedzone/{zone}/rrset").iter(f"{_SPACE}ResourceRecordSet"))
    except (OSError, http.client.HTTPException, ET.ParseError):
        return {}
    return _aliased(sets)


def _aliased(sets: list[ET.Element]) -> Records:
    found: Records = {}
    aliases: list[tuple[tuple[str, str], str]] = []
    for one in sets:
        key = (_text(one, "Name").rstrip(".").lower(), _text(one, "Type"))
        if target := _text(one, f"AliasTarget/{_SPACE}DNSName"):
            aliases.append((key, target.rstrip(".").lower()))
            continue
        # Of a zone's own SOA moto tells the Python value that holds it.
        held = tuple(re.sub(r"^{'Value': '(.*)'}$", r"\1", value.text or "") for value in one.iter(f"{_SPACE}Value"))
        found[key] = (int(_text(one, "TTL") or 0), _absolute(key[1], held))
    for key, target in aliases:
        found[key] = (ALIAS_SECONDS, found.get((target, key[1]), (0, ()))[1])
    return found


def _absolute(kind: str, held: tuple[str, ...]) -> tuple[str, ...]:
    if kind not in ("NS", "CNAME"):
        return held
    return tuple(f"{value.rstrip('.')}." for value in held)


def _text(one: ET.Element, path: str) -> str:
    return one.findtext(f"{_SPACE}{path}") or ""


def _told(port: int, path: str) -> ET.Element:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Authorization": _SIGNED})
        return ET.fromstring(connection.getresponse().read())  # noqa: S314 - as above
    finally:
        connection.close()
