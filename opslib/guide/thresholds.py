"""The guide's thresholds ("Monitoring & Alerting", key metrics), each with the item it comes from.

The guide names a target and an alert; beyond the target is a WARNING here, beyond the alert CRITICAL.
"""

from __future__ import annotations

from opslib.model import Threshold

QUERY_P95 = Threshold(100, 500, "ms", "guide MON-DB-01T, MON-DB-01A")
CONNECTION_USE = Threshold(80, 90, "%", "guide MON-DB-02T, MON-DB-02A")
DISK_USE = Threshold(70, 80, "%", "guide MON-DB-03T, MON-DB-03A")
RESPONSE_TIME = Threshold(500, 1000, "ms (P95)", "guide MON-APP-02T, MON-APP-02A")
ERROR_RATE = Threshold(0.1, 1, "% of requests", "guide MON-APP-03T, MON-APP-03A")
