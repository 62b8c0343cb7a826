"""CloudWatch Logs Insights: what a query would scan, the query within its bounds, and how whole its answer is.

StartQuery, GetQueryResults and StopQuery read: nothing of the log changes by them. They cost, by what is scanned. So
it is said before, held while it runs, and the query is stopped beyond it. The handle refuses every other operation
inside botocore.

Source: CloudWatch Logs API Reference (StartQuery: both ends of the range are included; GetQueryResults: statuses,
statistics); CloudWatch Logs User Guide, "CloudWatch Logs quotas" (10,000 results an answer, 60 minutes);
CloudWatch pricing, us-east-1, 2026 (USD 0.005 a GB scanned).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from opslib.errors import OpsError, Unreachable
from opslib.settings import ReadSettings
from opslib.systems.object_client import only, opened
from opslib.systems.object_errors import told
from opslib.systems.pending import Pending

ASKS = frozenset({"DescribeLogGroups", "DescribeLogStreams", "StartQuery", "GetQueryResults", "StopQuery"})
GIGABYTE = 1_000_000_000
USD_PER_GB = 0.005
SECONDS = 25.0
LONGEST = 3600.0
"""Seconds after which Logs Insights ends a query by itself."""
MOST_ROWS = 10_000
MOST_STREAMS = 1000
GOING_ON = ("Scheduled", "Running")


@dataclass(frozen=True)
class Held:
    """What a group holds: stored bytes, and since when it may have events."""

    group: str
    stored: int
    since: datetime

    def share(self, start: datetime, end: datetime, now: datetime) -> int:
        """Return the bytes of a window, taken as if events came evenly."""
        whole = max((now - self.since).total_seconds(), 1.0)
        part = (min(end, now) - max(start, self.since)).total_seconds()
        return math.ceil(self.stored * min(1.0, max(0.0, part / whole)))


@dataclass(frozen=True)
class Answered:
    """How a query ended. ``unknown`` is why it has no answer; ``cut`` tells that there were more rows than it gave."""

    results: Sequence[Sequence[Mapping[str, str]]]
    scanned: int
    unknown: str = ""
    cut: bool = False


class LogInsights:
    """Logs Insights by the reading credentials of a target description."""

    def __init__(self, settings: ReadSettings, *, pause: Callable[[float], None] = time.sleep) -> None:
        key = settings.read_aws_access_key_id, settings.read_aws_secret_access_key
        self._client = opened("logs", settings, *key, seconds=10)
        self._pause = pause
        only(self._client, "cloudwatch-logs", ASKS, "It asks Logs Insights, and changes nothing.")

    def held(self, group: str, now: datetime) -> Held:
        """Return what a group holds; raises Unreachable where there is none."""
        listed = self._ask("describe_log_groups", logGroupNamePrefix=group, limit=50).get("logGroups", ())
        found = next((one for one in listed if one.get("logGroupName") == group), None)
        if found is None:
            raise Unreachable(f"There is no log group {group}.", "Check OPS_LOG_GROUP.", "missing")
        made = datetime.fromtimestamp(int(found["creationTime"]) / 1000, UTC)
        kept = found.get("retentionInDays")
        # Events may be older than the group: up to 14 days are taken in late.
        since = made - timedelta(days=14)
        return Held(group, int(found.get("storedBytes", 0)), max(since, now - timedelta(days=kept)) if kept else since)

    def streams(self, group: str, start: datetime, end: datetime) -> list[str]:
        """Return the streams that may have an event in a window, by what they say of themselves, newest first.

        Raises Unreachable where there are more than :data:`MOST_STREAMS`.
        """
        found: list[str] = []
        query: dict[str, Any] = {"logGroupName": group, "orderBy": "LastEventTime", "descending": True, "limit": 50}
        while True:
            said = self._ask("describe_log_streams", **query)
            for one in said.get("logStreams", ()):
                first, last = one.get("firstEventTimestamp"), one.get("lastIngestionTime")
                if first is not None and first < end.timestamp() * 1000 and (last or 0) >= start.timestamp() * 1000:
                    found.append(one["logStreamName"])
            if len(found) > MOST_STREAMS:
                raise Unreachable(f"There are more than {MOST_STREAMS} streams.", "Ask a shorter window.", "much")
            if not said.get("nextToken"):
                return found
            query["nextToken"] = said["nextToken"]

    def ask(
        self, group: str, query: str, start: datetime, end: datetime, *, most_bytes: int, seconds: float = LONGEST
    ) -> Answered:
        """Ask one query and wait for its end; a failure of any kind is an answer that is unknown, never an empty one.

        It is stopped beyond ``most_bytes`` scanned, after ``seconds``, and when whoever waits is broken off.
        """
        try:
            begun = self._ask(
                "start_query",
                logGroupName=group,
                startTime=math.floor(start.timestamp()),
                endTime=math.ceil(end.timestamp()),
                queryString=query,
                limit=MOST_ROWS,
            )
        except OpsError as error:
            return Answered((), 0, f"Logs Insights did not take the query: {error.message}")
        id, over = str(begun["queryId"]), False
        try:
            said = self._followed(id, most_bytes, time.monotonic() + seconds)
            over = True
            return said
        except OpsError as error:
            return Answered((), 0, f"Logs Insights could not be asked on: {error.message}")
        finally:
            if not over:
                self._stop(id)

    def _followed(self, id: str, most_bytes: int, until: float) -> Answered:
        wait = 0.1
        while True:
            said = self._ask("get_query_results", queryId=id)
            scanned = int(said.get("statistics", {}).get("bytesScanned", 0))
            status = said.get("status", "Unknown")
            if status == "Complete":
                results = said.get("results", ())
                cut = len(results) >= MOST_ROWS or bool(said.get("nextToken"))
                skipped = said.get("statistics", {}).get("estimatedRecordsSkipped", 0)
                why = f"Logs Insights skipped about {skipped:g} lines" if skipped else ""
                return Answered(results, scanned, why, cut)
            if status not in GOING_ON:
                return Answered((), scanned, f"the query ended as {status}")
            why = "the time that it may take" if time.monotonic() > until else ""
            if scanned > most_bytes:
                why = f"the {most_bytes / GIGABYTE:g} GB that it may scan"
            if why:
                self._stop(id)
                return Answered((), scanned, f"the query was stopped: it was beyond {why}")
            self._pause(wait)
            wait = min(2.0, wait * 2)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _stop(self, id: str) -> None:
        with suppress(OpsError):
            self._ask("stop_query", queryId=id)

    def _ask(self, operation: str, **parameters: Any) -> Any:
        what = f"CloudWatch Logs {operation}"
        call = getattr(self._client, operation)
        return Pending(what, SECONDS, lambda: told(lambda: call(**parameters), what)).result()


def dollars(scanned: float) -> float:
    """Return what scanning so many bytes costs, in USD."""
    return scanned / GIGABYTE * USD_PER_GB
