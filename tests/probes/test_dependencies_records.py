"""Rules on record sets: where they lead, which are left alone and why, what a change is, and whose answer is right."""

import pytest

from opslib.probes import dependencies_records as records
from opslib.systems.names_servers import Server, Told
from opslib.systems.zones import Zone
from tests.sites import HOST, alias, record

ZONE = Zone("Z1", "valuecanvas.com", False, ("ns-1.example.com",))
A, AAAA = record("A", "192.0.2.1", ttl=300), record("AAAA", "2001:db8::1", ttl=120)
WEIGHTED = [record("A", "192.0.2.1", SetIdentifier=name, Weight=10) for name in ("one", "two")]
ASKED = Server("ns-1", "192.0.2.53")


def told(*addresses, **more):
    return Told(ASKED, addresses, **more)


@pytest.mark.parametrize(
    ("places", "kinds"),
    [
        (("192.0.2.9",), {"A": ["192.0.2.9"]}),
        (("192.0.2.9", "2001:db8::9"), {"A": ["192.0.2.9"], "AAAA": ["2001:db8::9"]}),
        (("192.0.2.9", "192.0.2.8"), {"A": ["192.0.2.8", "192.0.2.9"]}),
        (("lb.example.com",), {"CNAME": ["lb.example.com."]}),
    ],
)
def test_a_site_becomes_records_of_its_kinds_of_address(places, kinds):
    made = records.wanted(HOST, places, 60)
    assert {one["Type"]: records.values(one) for one in made} == kinds
    assert {(one["Name"], one["TTL"]) for one in made} == {(f"{HOST}.", 60)}
    assert records.leads_to(made, places)


def test_a_change_deletes_exactly_what_is_there_also_the_other_kind_of_address_and_its_way_back_is_the_same():
    after = records.wanted(HOST, ("192.0.2.9",), 60)
    made = records.changes((A, AAAA), after)
    assert [(action, one["Type"]) for action, one in made] == [("DELETE", "A"), ("DELETE", "AAAA"), ("CREATE", "A")]
    assert made[0][1] == A
    back = records.changes(after, (A, AAAA))
    assert [(action, one) for action, one in back] == [("DELETE", after[0]), ("CREATE", A), ("CREATE", AAAA)]


def test_what_stays_is_not_touched_and_order_and_capitals_are_no_change():
    after = records.wanted(HOST, ("192.0.2.9", "2001:db8::1"), 120)
    assert [one["Type"] for _, one in records.changes((A, AAAA), after)] == ["A", "A"]
    twice = record("A", "192.0.2.1", "192.0.2.2")
    turned = {**record("A", "192.0.2.2", "192.0.2.1"), "Name": HOST.upper()}
    assert records.same((twice,), (turned,))
    assert records.changes((twice,), (turned,)) == []
    assert not records.same((twice,), ({**twice, "TTL": 2},))


@pytest.mark.parametrize(
    ("zone", "sets", "above", "to_name", "why"),
    [
        (ZONE, [A, AAAA], [], False, None),
        (ZONE, [alias("lb.example.com.")], [], False, None),
        (ZONE, [record("CNAME", "lb.example.com.")], [], True, None),
        (ZONE, [A], [], True, None),
        (ZONE, [A, record("CAA", '0 issue "x"')], [], False, None),
        (Zone("Z1", "valuecanvas.com", True, ()), [A], [], False, "is private"),
        (Zone("Z1", "canvas.com", False, ()), [A], [], False, "is not in the zone Z1"),
        (ZONE, [], [], False, "there is no record"),
        (ZONE, [record("TXT", '"x"')], [], False, "there is no record"),
        (ZONE, WEIGHTED, [], False, "routed (weighted"),
        (
            ZONE,
            [record("A", "192.0.2.1", SetIdentifier="x", Failover="PRIMARY")],
            [],
            False,
            "failover: Route 53 itself",
        ),
        (ZONE, [record("A", "192.0.2.1", HealthCheckId="h")], [], False, "bound to a health check"),
        (ZONE, [record("A", TrafficPolicyInstanceId="t")], [], False, "traffic policy"),
        (ZONE, [A, record("HTTPS", "1 . ipv4hint=192.0.2.1")], [], False, "type HTTPS"),
        (ZONE, [A, record("TXT", '"x"')], [], True, "no CNAME may stand"),
        (Zone("Z1", HOST, False, ()), [A, record("NS", "ns.x.")], [], True, "no CNAME may stand"),
        (Zone("Z1", HOST, False, ()), [A, record("NS", "ns.x.")], [], False, None),
        (ZONE, [A, record("NS", "ns.elsewhere.")], [], False, "delegated to another zone"),
        (ZONE, [A], [record("NS", "ns.elsewhere.", name="x.valuecanvas.com")], False, "delegated to another zone"),
    ],
)
def test_what_is_not_changed_here_is_told_with_its_reason(zone, sets, above, to_name, why):
    said = records.unfit(zone, HOST, sets, above, to_name)
    assert (said is None) if why is None else (why in said), said


@pytest.mark.parametrize(
    ("sets", "answer", "right"),
    [
        ([A, AAAA], told("2001:DB8:0::1", "192.0.2.1"), True),
        ([A, AAAA], told("192.0.2.1"), False),
        ([A], told("192.0.2.1", "192.0.2.2"), False),
        ([A], told("192.0.2.1", alias="lb.example.com"), False),
        ([A], told("192.0.2.1", why="no answer"), False),
        ([A], told(), False),
        ([record("CNAME", "LB.example.com.")], told("192.0.2.7", alias="lb.example.com"), True),
        ([record("CNAME", "lb.example.com.")], told("192.0.2.7"), False),
        ([alias("lb.example.com.")], told("192.0.2.7"), True),
        ([alias("lb.example.com.")], told("192.0.2.99"), False),
        ([alias("lb.example.com.")], told(), False),
    ],
)
def test_an_answer_is_right_only_if_it_is_what_the_records_say(sets, answer, right):
    assert records.answered(sets, answer, ["192.0.2.99"]) is right


def test_an_alias_of_a_balancer_is_its_site_with_and_without_the_consoles_prefix():
    assert records.leads_to([alias("dualstack.LB.example.com.")], ["lb.example.com"])
    assert not records.leads_to([alias("other.example.com.")], ["lb.example.com"])
    assert not records.leads_to([A, AAAA], ["192.0.2.1"])
    assert not records.leads_to([], ["192.0.2.1"])


def test_how_long_answers_are_kept_is_the_longest_and_an_aliass_is_what_the_name_servers_say():
    to = records.wanted(HOST, ("192.0.2.9",), 60)
    assert records.limits((A, AAAA), to, [told(seconds=7)]) == {"old": 300, "none": None}
    assert records.limits((alias("lb.x."),), to, [told(seconds=60)]) == {"old": 60, "none": None}
    assert records.limits((alias("lb.x."),), to, [told(why="no answer")]) == {"old": None, "none": None}
    both = records.wanted(HOST, ("192.0.2.9", "2001:db8::9"), 60)
    assert records.limits((A,), both, [told(empty_seconds=900)]) == {"old": 300, "none": 900}
