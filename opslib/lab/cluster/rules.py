"""What the stand-in refuses as invalid (422), in the API's words, and what it fills in where nothing is said.

Source: Kubernetes API reference; the validation messages of its server.
"""

from __future__ import annotations

import ipaddress

from opslib.lab.cluster.kinds import Kind, Object
from opslib.lab.vendors.stand_in import Refusal


def validate(kind: Kind, one: Object) -> None:
    """Raise Refusal (422) where an object is none of its kind, or holds what the API refuses; fill in what it does."""
    spec = one.get("spec") or {}
    if kind.plural == "horizontalpodautoscalers":
        low, high = spec.get("minReplicas", 1), spec.get("maxReplicas")
        if not _whole(low) or low < 1:
            raise _invalid(kind, one, "spec.minReplicas", low, "must be greater than or equal to 1")
        if not _whole(high) or high < low:
            raise _invalid(kind, one, "spec.maxReplicas", high, "must be greater than or equal to `minReplicas`")
        if not (spec.get("scaleTargetRef") or {}).get("name"):
            raise _invalid(kind, one, "spec.scaleTargetRef.name", "", "Required value")
    if kind.plural in ("deployments", "statefulsets"):
        _deployment(kind, one, spec)
    if kind.plural == "networkpolicies":
        _policy(kind, one, spec)


def _deployment(kind: Kind, one: Object, spec: Object) -> None:
    count = spec.get("replicas", 1)
    if not _whole(count) or count < 0:
        raise _invalid(kind, one, "spec.replicas", count, "must be greater than or equal to 0")
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers")
    if not containers:
        raise _invalid(kind, one, "spec.template.spec.containers", "", "Required value")
    for container in containers:
        names = [variable.get("name") for variable in container.get("env", ())]
        if not container.get("image") or not all(names):
            raise _invalid(kind, one, "spec.template.spec.containers", "", "Required value")


def _policy(kind: Kind, one: Object, spec: Object) -> None:
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    if wrong := set(spec.get("policyTypes") or ()) - {"Ingress", "Egress"}:
        raise _invalid(kind, one, "spec.policyTypes", sorted(wrong), "supported values: Ingress, Egress")
    for number, rule in enumerate(spec.get("ingress") or ()):
        for port in rule.get("ports") or ():
            port.setdefault("protocol", "TCP")
        for place, peer in enumerate(rule.get("from") or ()):
            field = f"spec.ingress[{number}].from[{place}]"
            if len(peer.keys() & {"ipBlock", "podSelector"}) != 1 and "namespaceSelector" not in peer:
                raise _invalid(kind, one, field, "", "must specify a peer")
            if "ipBlock" in peer:
                _block(kind, one, f"{field}.ipBlock", peer["ipBlock"])


def _block(kind: Kind, one: Object, field: str, block: Object) -> None:
    try:
        whole = ipaddress.ip_network(block["cidr"], strict=False)
        left_out = [ipaddress.ip_network(part, strict=False) for part in block.get("except") or ()]
    except (KeyError, ValueError):
        raise _invalid(kind, one, field, block, "must be a valid CIDR value") from None
    for part in left_out:
        if part.version != whole.version or part == whole or not part.subnet_of(whole):  # type: ignore[arg-type]
            raise _invalid(kind, one, f"{field}.except", str(part), "must be a strict subset of `cidr`")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _invalid(kind: Kind, one: Object, field: str, value: object, why: str) -> Refusal:
    name = (one.get("metadata") or {}).get("name", "")
    label = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    return Refusal(422, f'{label} "{name}" is invalid: {field}: Invalid value: {value!r}: {why}')
