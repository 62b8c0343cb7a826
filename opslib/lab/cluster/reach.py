"""Whether one packet would reach a pod of the stand-in, as its network would have it: packet by packet, by hand.

On purpose it has nothing in common with how opslib reckons with ranges. Source: Kubernetes documentation, "Network
Policies" (additive, default allow, ipBlock) and "Using Source IP" (externalTrafficPolicy).
"""

from __future__ import annotations

import ipaddress
from typing import Any

from opslib.lab.cluster.kinds import Object
from opslib.lab.cluster.store import Store

MARK = "kubernetes.io/metadata.name"


def reaches(store: Store, asked: dict[str, str]) -> dict[str, Any]:
    """Tell whether a packet from ``source`` (an address, or ``namespace/pod``) to a ``pod`` is let in, and why.

    ``port`` is the pod's (8000 unless said), ``service`` the way that it takes, if any.
    """
    namespace, _, name = asked["pod"].rpartition("/")
    pod = store.of("pods")[f"{namespace or 'production'}/{name}"]
    source, who = asked["source"], None
    if "/" in source:
        who = store.of("pods")[source]
        source = who["status"]["podIP"]
    if asked.get("service"):
        service = store.of("services")[f"{pod['metadata']['namespace']}/{asked['service']}"]["spec"]
        if service.get("externalTrafficPolicy", "Cluster") != "Local":
            # The node puts its own address in place of the client's.
            node = store.of("nodes")[f"/{pod['spec']['nodeName']}"]
            source = next(one["address"] for one in node["status"]["addresses"] if one["type"] == "InternalIP")
    port, alone = int(asked.get("port", 8000)), True
    for policy in store.all("networkpolicies", pod["metadata"]["namespace"]):
        spec = policy["spec"]
        if "Ingress" not in spec.get("policyTypes", ["Ingress"]) or not _chosen(pod, spec.get("podSelector", {})):
            continue
        alone = False
        for rule in spec.get("ingress") or ():
            if _ports(rule, port) and _peers(store, policy, rule, source, who):
                return {"reaches": True, "seen": source, "by": policy["metadata"]["name"]}
    return {"reaches": alone, "seen": source, "by": "no policy" if alone else ""}


def _ports(rule: Object, port: int) -> bool:
    wanted = rule.get("ports")
    if not wanted:
        return True
    for one in wanted:
        if one.get("protocol", "TCP") != "TCP":
            continue
        low = one.get("port")
        if low is None or low == port or (isinstance(low, int) and low <= port <= one.get("endPort", low)):
            return True
    return False


def _peers(store: Store, policy: Object, rule: Object, source: str, who: Object | None) -> bool:
    if not rule.get("from"):
        return True
    at = ipaddress.ip_address(source)
    for peer in rule["from"]:
        if "ipBlock" in peer:
            block = peer["ipBlock"]
            inside = at in ipaddress.ip_network(block["cidr"], strict=False)
            if inside and not any(at in ipaddress.ip_network(one, strict=False) for one in block.get("except") or ()):
                return True
        elif who is not None and _pod_peer(store, policy, peer, who):
            return True
    return False


def _pod_peer(store: Store, policy: Object, peer: Object, who: Object) -> bool:
    home = who["metadata"]["namespace"]
    if "namespaceSelector" in peer:
        namespace = store.of("namespaces").get(f"/{home}") or {"metadata": {}}
        labels = {**namespace["metadata"].get("labels", {}), MARK: home}
        if not _chosen({"metadata": {"labels": labels}}, peer["namespaceSelector"]):
            return False
    elif home != policy["metadata"]["namespace"]:
        return False
    return _chosen(who, peer.get("podSelector", {}))


def _chosen(one: Object, selector: Object) -> bool:
    labels = one["metadata"].get("labels", {})
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for said in selector.get("matchExpressions") or ():
        key, values = said["key"], said.get("values", [])
        held = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }[said["operator"]]
        if not held:
            return False
    return True
