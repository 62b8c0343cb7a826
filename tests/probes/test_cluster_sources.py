"""Who may come in by network policies: ranges reckoned against single packets tried by other code."""

import ipaddress
import json
import random

import pytest

from opslib.lab.cluster.kinds import KINDS
from opslib.lab.cluster.reach import reaches
from opslib.lab.cluster.store import Store
from opslib.probes.cluster_sources import (
    EVERY_ADDRESS,
    OPEN,
    admits,
    entrance,
    everybody_but,
    narrowed,
    net,
    overlap,
    shut,
    wider,
    without,
    words,
)
from opslib.systems.kubernetes_policies import NetworkPolicy
from opslib.systems.kubernetes_shapes import Selector
from tests.scale import count

LABELS = {"app": "api", "tier": "web"}
ANYBODY = {"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}


def policy(*ingress, name="p", selector=None, types=("Ingress",)):
    meta = {"name": name, "uid": name, "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
    spec = {"podSelector": selector or {}, "policyTypes": list(types), "ingress": list(ingress)}
    return NetworkPolicy.model_validate({"metadata": meta, "spec": spec})


def nets(*texts):
    return tuple(map(net, texts))


def test_pods_that_no_policy_selects_are_open_and_one_that_selects_them_shuts_all_else():
    assert entrance([], LABELS) == OPEN
    assert entrance([policy(selector={"matchLabels": {"app": "other"}})], LABELS) == OPEN
    assert entrance([policy(types=("Egress",))], LABELS) == OPEN
    assert entrance([policy()], LABELS) == {}
    assert entrance([policy(types=())], LABELS) == {}


def test_everybody_but_beside_a_default_deny_opens_what_was_shut():
    blocked = nets("203.0.113.9/32")
    before, after = entrance([policy()], LABELS), entrance([policy(), policy(*everybody_but(blocked))], LABELS)
    assert admits(after, blocked) == ()
    assert wider(after, before)


def test_everybody_but_beside_one_that_lets_everybody_in_shuts_nobody_out():
    blocked = nets("203.0.113.9/32")
    there = [policy(ANYBODY, name="a"), policy(*everybody_but(blocked), name="b")]
    assert admits(entrance(there, LABELS), blocked) == blocked


def test_everybody_but_shuts_out_where_no_policy_is_and_lets_all_others_in():
    blocked = nets("203.0.113.9/32", "2001:db8:4::/48")
    after = entrance([policy(*everybody_but(blocked))], LABELS)
    assert after == shut(OPEN, blocked)
    assert not wider(after, OPEN)
    assert wider(OPEN, after)


@pytest.mark.parametrize(
    ("rule", "after"),
    [
        (ANYBODY, [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["203.0.113.9/32"]}}]}]),
        # A rule that would be left with no source is left out: with an empty list it would let everybody in.
        ({"from": [{"ipBlock": {"cidr": "203.0.113.9/32"}}]}, []),
        ({"from": [{"ipBlock": {"cidr": "203.0.113.8/31", "except": ["203.0.113.8/32"]}}]}, []),
        (
            {"from": [{"ipBlock": {"cidr": "203.0.113.9/32"}}, {"podSelector": {}}], "ports": [{"port": 80}]},
            [{"from": [{"podSelector": {}}], "ports": [{"port": 80}]}],
        ),
        ({"from": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}, [{"from": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}]),
        (
            {"from": [{"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.8/32"]}}]},
            [{"from": [{"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.8/31"]}}]}],
        ),
        (
            {"from": [{"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.0/28"]}}]},
            [{"from": [{"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.0/28"]}}]}],
        ),
    ],
)
def test_a_rule_loses_what_is_blocked_and_nothing_else(rule, after):
    blocked = nets("203.0.113.9/32")
    assert narrowed([rule], blocked) == after
    before = entrance([policy(rule)], LABELS)
    assert entrance([policy(*after)], LABELS) == shut(before, blocked)


def test_a_rule_without_sources_lets_everybody_in_and_keeps_every_pod_when_it_is_narrowed():
    for rule in ({}, {"from": []}, {"ports": [{"port": 80}]}):
        (made,) = narrowed([rule], nets("203.0.113.9/32"))
        assert made["from"][-1] == {"namespaceSelector": {}}
        assert made.get("ports") == rule.get("ports")


def test_ports_are_told_apart_and_every_port_covers_each():
    one = {**ANYBODY, "ports": [{"port": 80}]}
    only, every = entrance([policy(one)], LABELS), entrance([policy(ANYBODY)], LABELS)
    assert not wider(only, every)
    assert wider(every, only)
    assert entrance([policy({**ANYBODY, "ports": [{"protocol": "TCP", "port": 80}]})], LABELS) == only


def test_rules_are_said_in_words():
    assert words({}) == "every port from 0.0.0.0/0; ::/0; every pod"
    rule = {"ports": [{"port": 80, "endPort": 90}, {"protocol": "UDP"}], "from": [{"podSelector": {}}]}
    assert words(rule) == 'TCP 80-90, UDP every port from pods by {"podSelector":{}}'


def test_ranges_are_taken_away_and_compared():
    assert without(EVERY_ADDRESS, EVERY_ADDRESS) == ()
    left = without(nets("203.0.113.0/30"), nets("203.0.113.1/32"))
    assert left == nets("203.0.113.0/32", "203.0.113.2/31")
    assert overlap(nets("203.0.113.0/24"), nets("203.0.113.9/32", "198.51.100.0/24")) == nets("203.0.113.9/32")


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ({"key": "app", "operator": "In", "values": ["api", "b"]}, True),
        ({"key": "app", "operator": "NotIn", "values": ["api"]}, False),
        ({"key": "none", "operator": "NotIn", "values": ["api"]}, True),
        ({"key": "app", "operator": "Exists"}, True),
        ({"key": "app", "operator": "DoesNotExist"}, False),
        ({"key": "none", "operator": "DoesNotExist"}, True),
        ({"key": "none", "operator": "In", "values": ["x"]}, False),
    ],
)
def test_a_selectors_expressions_count(expression, fits):
    assert Selector.model_validate({"matchExpressions": [expression]}).fits(LABELS) is fits
    mixed = {"matchLabels": {"tier": "db"}, "matchExpressions": [expression]}
    assert Selector.model_validate(mixed).fits(LABELS) is False


def test_what_is_reckoned_is_what_single_packets_find():
    """Random policies, random blocked ranges: before and after, each packet is let in as the ranges say."""
    dice = random.Random(20261129)
    for _ in range(count(150, 5000)):
        rules = [[rule(dice) for _ in range(dice.randrange(3))] for _ in range(dice.randrange(3))]
        blocked = without(nets(*(block(dice) for _ in range(dice.randrange(1, 4)))), ())
        before = [policy(*said, name=f"p{n}") for n, said in enumerate(rules)]
        after = [policy(*narrowed(said, blocked), name=f"p{n}") for n, said in enumerate(rules)]
        after = after or [policy(*everybody_but(blocked), name="new")]
        then, now = entrance(before, LABELS), entrance(after, LABELS)
        assert now == shut(then, blocked)
        assert not wider(now, then)
        old, new = network(before), network(after)
        for _ in range(8):
            source, port = str(address(dice)), dice.choice((80, 443))
            known = reaches(old, {"pod": "production/p", "source": source, "port": str(port)})["reaches"]
            found = reaches(new, {"pod": "production/p", "source": source, "port": str(port)})["reaches"]
            hit = any(ipaddress.ip_address(source) in one for one in blocked)
            assert found is (known and not hit), (source, port, rules, blocked)
            assert known is inside(then, source, port)


def inside(then, source, port):
    """Tell whether the ranges let an address in by a port."""
    keys = {"every port", json.dumps([{"port": port, "protocol": "TCP"}], separators=(",", ":"))}
    return any(net(source).subnet_of(part) for key in keys & then.keys() for part in then[key].addresses)


def rule(dice):
    peers = []
    for _ in range(dice.randrange(3)):
        cidr = block(dice)
        parts = list(ipaddress.ip_network(cidr).subnets(new_prefix=30))
        left_out = (
            [str(one) for one in dice.sample(parts, dice.randrange(min(3, len(parts))))] if len(parts) > 1 else []
        )
        peers.append({"ipBlock": {"cidr": cidr, **({"except": left_out} if left_out else {})}})
    made = {"from": peers} if peers or dice.random() < 0.5 else {}
    return made | ({"ports": [{"port": dice.choice((80, 443))}]} if dice.random() < 0.4 else {})


def block(dice):
    size = dice.choice((24, 26, 28, 29))
    return str(ipaddress.ip_network(f"203.0.113.{dice.randrange(256)}/{size}", strict=False))


def address(dice):
    return ipaddress.ip_address(f"203.0.113.{dice.randrange(256)}")


def network(policies):
    """Return a store with one pod and these policies, for packets to be tried on."""
    store = Store({"objects": {plural: {} for plural in KINDS}, "version": 1})
    store.create(KINDS["pods"], "production", {"metadata": {"name": "p", "labels": LABELS}, "spec": {}}, 0.0)
    for one in policies:
        spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": list(one.spec.ingress)}
        store.create(KINDS["networkpolicies"], "production", {"metadata": {"name": one.name}, "spec": spec}, 0.0)
    return store
