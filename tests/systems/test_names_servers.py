"""Name servers asked one by one in the lab: who keeps the zone, who keeps answers, who is behind, who says nothing."""

import socket

import pytest

from opslib.lab.vendors.zone import RESOLVER, SERVERS
from opslib.systems.names_servers import NameServers, Server, resolvers, server
from tests.sites import HOST, record, zone_doors
from tests.waiting import until


@pytest.fixture
def zone(lab):
    with zone_doors(lab.settings) as made:
        yield made


@pytest.fixture
def servers(lab):
    return [server(one, one) for one in lab.settings.name_servers]


@pytest.fixture
def resolver(lab):
    return resolvers(lab.settings.resolver, ())[0]


def ask(servers, name=HOST):
    return NameServers().ask(servers, name, seconds=2)


def test_each_of_the_zones_name_servers_says_what_the_zone_has(zone, servers):
    assert [one.address for one in servers] == list(SERVERS)
    for one in ask(servers):
        assert (one.addresses, one.alias, one.seconds, one.empty_seconds, one.why) == (("127.0.0.1",), None, 1, 900, "")
    zone.put(record("A", "127.0.0.2", "127.0.0.5"), record("AAAA", "::1", ttl=7))
    for one in ask(servers):
        assert (one.addresses, one.seconds, one.empty_seconds) == (("127.0.0.2", "127.0.0.5", "::1"), 1, None)


def test_one_that_is_behind_says_what_was_and_the_other_what_is(zone, servers):
    ask(servers)
    zone.serve(behind={"1": 3600})
    zone.put(record("A", "127.0.0.2"))
    assert [one.addresses for one in ask(servers)] == [("127.0.0.2",), ("127.0.0.1",)]


def test_a_resolver_keeps_an_answer_as_long_as_it_may_and_then_asks_anew(zone, servers, resolver):
    until(lambda: ask([resolver])[0].addresses == ("127.0.0.1",))
    zone.put(record("A", "127.0.0.2"))
    assert ask(servers)[0].addresses == ("127.0.0.2",)
    assert ask([resolver])[0].addresses == ("127.0.0.1",)
    until(lambda: ask([resolver])[0].addresses == ("127.0.0.2",))


def test_an_alias_is_told_with_the_first_name_that_it_leads_to(zone, servers):
    zone.put(record("CNAME", "app.valuecanvas.com."))
    for one in ask(servers):
        assert (one.alias, one.seconds, one.addresses) == ("app.valuecanvas.com", 1, ("192.0.2.20",))


def test_a_name_that_is_not_there_is_an_answer_and_an_empty_one(zone, servers):
    one = ask(servers, "nobody.valuecanvas.com")[0]
    assert (one.addresses, one.why, one.empty_seconds) == ((), "", 900)


def test_who_is_silent_refuses_or_answers_for_others_is_told_and_hides_nobody_else(zone, servers, resolver):
    zone.serve(silent=[0])
    first, second = ask(servers)
    assert (first.addresses, first.why) == ((), "no answer within 2 s")
    assert second.addresses == ("127.0.0.1",)
    assert ask(servers[1:], "api.together.ai")[0].why == "it answers REFUSED"
    # A resolver that is taken for one of the zone's own servers proves nothing of the zone.
    assert ask([Server("x", resolver.address, resolver.port)])[0].why == "it does not answer for this zone"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    assert ask([server("gone", f"127.0.0.1:{port}")])[0].why.startswith("no answer")


def test_an_answer_that_is_too_long_for_a_packet_is_asked_for_by_tcp(zone, servers):
    zone.put(record("A", *(f"127.0.{one // 250}.{one % 250 + 1}" for one in range(300))))
    assert [len(one.addresses) for one in ask(servers)] == [300, 300]


def test_who_answers_for_a_zone_is_told(zone, resolver):
    found, why = NameServers().delegated(resolver, "valuecanvas.com")
    assert (len(found), why) == (4, "")
    assert all(one.startswith("ns-") for one in found)
    zone.serve(silent=[2])
    gone = Server("r", RESOLVER, resolver.port, resolves=True)
    assert NameServers().delegated(gone, "valuecanvas.com", 1) == (frozenset(), "no answer within 1 s")


def test_resolvers_are_asked_once_each_and_without_one_described_it_is_this_machines():
    assert [one.name for one in resolvers("127.0.0.1:53", ("1.1.1.1:53", "127.0.0.1:53"))] == [
        "127.0.0.1:53",
        "1.1.1.1:53",
    ]
    assert [(one.address, one.port) for one in resolvers("[::1]:5353", ())] == [("::1", 5353)]
    assert {one.port for one in resolvers(None, ())} <= {53}
