"""Amazon CloudWatch Logs, asked how a group of logs stands: how long it keeps, and when the newest event came.

Source: CloudWatch Logs API Reference (DescribeLogGroups; DescribeLogStreams ordered by LastEventTime, whose
lastEventTimestamp may be an hour behind and whose lastIngestionTime is not). No event is read. The handle refuses
every other operation inside botocore, before a request is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opslib.settings import ReadSettings
from opslib.systems.object_client import only, opened
from opslib.systems.object_errors import told
from opslib.systems.pending import Pending

LOOKS = frozenset({"DescribeLogGroups", "DescribeLogStreams"})
SECONDS = 25.0


@dataclass(frozen=True)
class Group:
    """A group of logs. ``days`` is how long it keeps events (None: for ever), ``newest`` when the last one came."""

    name: str
    days: int | None
    size: int
    newest: datetime | None


class ReadOnlyLogs:
    """CloudWatch Logs by the reading credentials of a target description."""

    def __init__(self, settings: ReadSettings) -> None:
        key = settings.read_aws_access_key_id, settings.read_aws_secret_access_key
        self._client = opened("logs", settings, *key, seconds=10)
        only(self._client, "cloudwatch-logs", LOOKS, "No event is read here.")

    def group(self, name: str) -> Group | None:
        """Return how a group stands, or None where there is none; raises Unreachable with the kind of failure."""
        listed = self._ask("describe_log_groups", logGroupNamePrefix=name, limit=50).get("logGroups", ())
        found = next((one for one in listed if one.get("logGroupName") == name), None)
        if found is None:
            return None
        query = {"logGroupName": name, "orderBy": "LastEventTime", "descending": True, "limit": 5}
        streams = self._ask("describe_log_streams", **query).get("logStreams", ())
        moments = [one.get(name) for one in streams for name in ("lastIngestionTime", "lastEventTimestamp")]
        newest = max((moment for moment in moments if moment), default=None)
        return Group(
            name=name,
            days=found.get("retentionInDays"),
            size=int(found.get("storedBytes", 0)),
            newest=datetime.fromtimestamp(newest / 1000, UTC) if newest else None,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, operation: str, **parameters: Any) -> Any:
        what = f"CloudWatch Logs {operation} {next(iter(parameters.values()))}"
        call = getattr(self._client, operation)
        return Pending(what, SECONDS, lambda: told(lambda: call(**parameters), what)).result()
