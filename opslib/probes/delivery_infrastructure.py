"""What a saved Terraform plan would do, as rows without a value; and what a commit has to rebuild the system from.

Source: Terraform, "JSON Output Format" (plan representation: resource_changes, resource_drift, output_changes,
before_sensitive, after_sensitive).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from opslib.canonical import digest
from opslib.model import Probe
from opslib.systems.target import ReadTarget

WORDS: dict[tuple[str, ...], str] = {
    ("no-op",): "nothing",
    ("read",): "read",
    ("create",): "create",
    ("update",): "update",
    ("delete",): "destroy",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("forget",): "forget",
}
UNDETERMINED = "undetermined"
"""An action that no version of the format known here has; counts as a destruction."""
DESTROYS = frozenset({"destroy", "replace", UNDETERMINED})
QUIET = frozenset({"nothing", "read"})
STATEFUL = (
    *("aws_db_", "aws_rds_", "aws_s3_bucket", "aws_dynamodb_table", "aws_elasticache_", "aws_memorydb_"),
    *("aws_ebs_volume", "aws_efs_", "aws_secretsmanager_secret", "aws_kms_key", "aws_route53_zone", "aws_backup_vault"),
    *("aws_eks_cluster", "aws_ecr_repository", "aws_opensearch_domain", "aws_cognito_user_pool", "aws_msk_cluster"),
)
"""Types whose destruction loses what nobody can make again, or all that runs in it; by what they begin with."""


def rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row per resource that would change: address, type, what, names of what differs; never a value."""
    found = []
    for one in document.get("resource_changes") or ():
        change = one.get("change") or {}
        what = WORDS.get(tuple(change.get("actions") or ()), UNDETERMINED)
        if what in QUIET:
            continue
        kind = str(one.get("type", ""))
        found.append(
            {
                "address": str(one.get("address", "?")),
                "type": kind,
                "what": what,
                "stateful": kind.startswith(STATEFUL),
                "differs": ", ".join(_differs(change)) if what in ("update", "replace") else "",
                "why": str(one.get("action_reason", "")),
            }
        )
    return sorted(found, key=lambda row: (row["what"] not in DESTROYS, row["address"]))


def counts(found: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many resources are created, updated, replaced, destroyed."""
    return dict(sorted(Counter(str(row["what"]) for row in found).items()))


def drift(document: Mapping[str, Any]) -> list[str]:
    """Return the resources that somebody changed outside of the code, by address."""
    return sorted(str(one.get("address", "?")) for one in document.get("resource_drift") or ())


def outputs(document: Mapping[str, Any]) -> list[str]:
    """Return the outputs that would change, by name."""
    said = document.get("output_changes") or {}
    return sorted(name for name, one in said.items() if tuple(one.get("actions") or ()) != ("no-op",))


def content(document: Mapping[str, Any], **beside: Any) -> str:
    """Return a digest of what was decided: the same for two plans that decide the same, whenever they were made.

    Values that the code marks as sensitive are left out, so that nobody can try guesses of them on it.
    """
    decided = []
    for one in document.get("resource_changes") or ():
        change = one.get("change") or {}
        decided.append(
            {
                "address": one.get("address"),
                "deposed": one.get("deposed"),
                "actions": change.get("actions"),
                "before": _masked(change.get("before"), change.get("before_sensitive")),
                "after": _masked(change.get("after"), change.get("after_sensitive")),
                "unknown": change.get("after_unknown"),
            }
        )
    changed = {name: (one or {}).get("actions") for name, one in (document.get("output_changes") or {}).items()}
    ordered = sorted(decided, key=lambda one: f"{one['address']} {one['deposed']}")
    return digest({"decided": ordered, "outputs": changed, **beside})


def whole(document: Mapping[str, Any]) -> str:
    """Return why a plan must not be applied as it is, or nothing."""
    if document.get("errored"):
        return "it ended with an error"
    if document.get("complete") is False:
        return "it leaves changes for a later plan (deferred)"
    if document.get("applyable") is False and rows(document):
        return "Terraform says that it cannot be applied"
    return ""


def _differs(change: Mapping[str, Any]) -> list[str]:
    before, after, unknown = (change.get(name) or {} for name in ("before", "after", "after_unknown"))
    if not isinstance(before, dict) or not isinstance(after, dict):
        return []
    later = {name for name, said in unknown.items() if said} if isinstance(unknown, dict) else set[str]()
    return sorted(name for name in before.keys() | after.keys() | later if before.get(name) != after.get(name))


def _masked(value: Any, sensitive: Any) -> Any:
    if sensitive is True:
        return "(sensitive)"
    if isinstance(value, dict) and isinstance(sensitive, dict):
        return {name: _masked(one, sensitive.get(name)) for name, one in value.items()}
    if isinstance(value, list) and isinstance(sensitive, list):
        padded = [*sensitive, *[False] * (len(value) - len(sensitive))]
        return [_masked(one, said) for one, said in zip(value, padded, strict=False)]
    return value


def rebuild(commit: str) -> Probe:
    """Return the probe of what a branch or commit has to rebuild from: infrastructure code, manifests, what else."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        found = target.checkout.commit(commit)
        paths = [one.path for one in target.checkout.entries(found)]
        said = target.settings
        rows = []
        for what, folder, ends in (
            ("infrastructure code", said.infrastructure, (".tf", ".tf.json")),
            ("manifests", said.manifests, (".yaml", ".yml", ".json")),
        ):
            own = [path for path in paths if path.startswith(f"{folder}/")]
            rows.append(
                {
                    "what": what,
                    "folder": folder,
                    "commit": found,
                    "files": sum(path.endswith(ends) for path in own),
                    "locked": any(path.endswith(".terraform.lock.hcl") for path in own) if ".tf" in ends else None,
                    "instead": "" if own else ", ".join(_instead(paths, ends)),
                }
            )
        return rows

    return Probe(
        name="delivery-rebuild",
        title="What a commit has to rebuild the system from",
        read=read,
        source="git ls-tree -r COMMIT",
    )


def _instead(paths: Sequence[str], ends: tuple[str, ...]) -> list[str]:
    """Return the folders that hold such files, the fullest first: one of them may be what is meant."""
    roots = ("k8s", "kubernetes", "infrastructure", "infra", "deploy", "terraform")
    found = Counter(
        path.rpartition("/")[0] for path in paths if path.endswith(ends) and path.partition("/")[0] in roots
    )
    return [folder for folder, _ in found.most_common(5)]
