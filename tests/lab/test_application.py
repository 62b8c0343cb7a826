"""The application's stand-in as probes see it: a real process, the lab's real PostgreSQL and Valkey."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import uuid
from typing import Any

import psutil
import pytest

from tests.lab.application_process import HEALTH, Running, at, gate
from tests.waiting import until

pytest_plugins = ["tests.lab.application_process"]


def test_unknown_users_versions_and_paths_are_told_apart(application: Running) -> None:
    nobody, member = application.http, application.user()
    assert nobody.get(HEALTH).status_code == nobody.get("/api/does-not-exist").status_code == 401
    assert nobody.get("/api/v9/llm/health").json()["error"] == "unsupported_version"
    assert nobody.get("/api/v9/llm/health").status_code == 426
    assert member.http.get("/api/v1/llm/health").headers["API-Version"] == "v1"
    for client, path in ((nobody, "/nothing"), (member.http, "/api/does-not-exist")):
        missing = client.get(path)
        assert (missing.status_code, missing.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert f"Cannot GET {path}" in missing.text


def test_the_request_id_comes_back_and_every_audited_request_tries_to_write(start_application: Any, lab: Any) -> None:
    running = start_application()
    assert running.http.get("/nothing", headers={"X-Request-Id": "mine-1"}).headers["X-Request-Id"] == "mine-1"
    assert uuid.UUID(running.http.get("/health/live").headers["X-Request-Id"])
    # The table in force lacks the column, so the attempt fails and the process says so.
    until(lambda: "the audit trail is not written" in running.log.read_text())
    with lab.admin() as database:
        columns = database.execute(
            "SELECT 1 FROM information_schema.columns WHERE column_name = 'request_id'"
            " AND table_name = 'security_audit_log'"
        ).fetchall()
    assert columns == []


def test_a_database_outage_makes_it_unhealthy_and_is_survived(
    start_application: Any, lab_servers: dict[str, str]
) -> None:
    with gate(lab_servers["DATABASE_URL"]) as door:
        running = start_application(DATABASE_URL=at(lab_servers["DATABASE_URL"], door.port))
        assert running.http.get("/health").json()["status"] == "healthy"
        door.shut()
        broken = running.http.get("/health")
        assert (broken.status_code, broken.json()["status"]) == (503, "unhealthy")
        assert broken.json()["dependencies"]["database"]["status"] == "unhealthy"
        assert running.http.get("/health/dependencies").status_code == 200
        assert running.user().chat().status_code == 200
        door.open()
        assert running.http.get("/health").json()["status"] == "healthy"
        door.shut()
        door.open()
        # A restart between two requests: the old connections are known to be dead before they are used.
        assert running.http.get("/health").json()["status"] == "healthy"


def test_a_cache_outage_degrades_nothing_but_the_cache(start_application: Any, lab_servers: dict[str, str]) -> None:
    with gate(lab_servers["REDIS_URL"]) as door:
        running = start_application(REDIS_URL=at(lab_servers["REDIS_URL"], door.port))
        door.shut()
        health = running.http.get("/health")
        assert (health.status_code, health.json()["dependencies"]["redis"]["status"]) == (200, "unhealthy")
        assert running.user().provider() == "together_ai"
        door.open()
        assert running.http.get("/health").json()["dependencies"]["redis"]["status"] == "healthy"


def test_startup_waits_and_unset_systems_are_called_not_configured(start_application: Any) -> None:
    running = start_application(REDIS_URL="", OPENAI_API_KEY="")
    starting = running.http.get("/health/startup")
    assert (starting.status_code, starting.json()["status"]) == (503, "starting")
    seen = running.http.get("/health/dependencies").json()["dependencies"]
    assert [seen[name]["status"] for name in ("redis", "openAI")] == ["not_configured", "not_configured"]
    assert set(seen) == {"database", "supabase", "togetherAI", "openAI", "redis"}


@pytest.mark.parametrize(
    ("shape", "path", "body", "absent"),
    [
        ("billing", "/health", {"status": "ok", "service": "billing-api"}, "/health/ready"),
        ("legacy", "/ready", {"status": "ready", "database": "connected", "redis": "connected"}, "/health"),
    ],
)
def test_the_other_health_shapes_are_served_alone(
    start_application: Any, shape: str, path: str, body: dict[str, str], absent: str
) -> None:
    running = start_application(LAB_HEALTH_SHAPE=shape)
    assert body.items() <= running.http.get(path).json().items()
    assert running.http.get(absent).status_code == 404


def test_the_histogram_has_no_finite_bucket_above_one_second(application: Running) -> None:
    application.http.get("/health/live")
    text = application.http.get("/metrics").text
    edges = {float(edge) for edge in re.findall(r'duration_ms_bucket\{[^}]*le="([^"]+)"', text)}
    assert edges == {10, 50, 100, 200, 500, 1000, float("inf")}
    assert re.search(r'valuecanvas_http_requests_total\{[^}]*route="/health/live"[^}]*\} \d', text)
    assert application.http.get("/metrics/latency").json()["routes"]["/health/live"]["count"] >= 1


def test_node_metrics_are_those_of_the_disk(application: Running, lab_servers: dict[str, str]) -> None:
    text = application.http.get("/node-metrics").text
    found = dict(re.findall(r"^(node_\w+)(?:\{[^}]*\})? (\S+)$", text, re.MULTILINE))
    assert float(found["node_filesystem_size_bytes"]) == pytest.approx(
        shutil.disk_usage(lab_servers["LAB_DISK_PATH"]).total, rel=0.1
    )
    assert 0 < float(found["node_filesystem_avail_bytes"]) < float(found["node_filesystem_size_bytes"])
    assert re.search(r'node_filesystem_size_bytes\{device="[^"]+",fstype="[^"]+",mountpoint="/[^"]*"\}', text)
    assert float(found["node_memory_MemTotal_bytes"]) > float(found["node_memory_MemAvailable_bytes"]) > 0


def test_the_background_load_reads_and_leaves_no_transaction_open(start_application: Any, lab: Any) -> None:
    running = start_application(LAB_LOAD_PER_SECOND="50")
    own = psutil.Process(running.process.pid)
    with lab.admin() as database:

        def sessions() -> list[dict[str, Any]]:
            # Other processes of the stand-in use this database as well: only this one's are looked at.
            ports = [connection.laddr.port for connection in own.net_connections("tcp4")]
            return database.execute(
                "SELECT state, query FROM pg_stat_activity WHERE application_name = 'valuecanvas-api'"
                " AND client_port = ANY(%s)",
                (ports,),
            ).fetchall()

        seen: set[str] = set()
        until(lambda: len(seen.update(row["query"] for row in sessions()) or seen) >= 3)
        assert any("FROM public.cases" in query for query in seen)
        assert not [row for row in sessions() if "transaction" in row["state"]]


def test_it_ends_by_itself_on_sigterm_and_refuses_a_wrong_setting(
    start_application: Any, lab_servers: dict[str, str]
) -> None:
    assert start_application(LAB_LOAD_PER_SECOND="5").stop() == 0
    command = [sys.executable, "-m", "opslib.lab.application", "--port", "0"]
    told = subprocess.run(command, env={**lab_servers, "LAB_HEALTH_SHAPE": "round"}, capture_output=True, text=True)
    assert told.returncode == 64
    assert "LAB_HEALTH_SHAPE" in told.stderr
