"""For tests of logs: lines of a made-up day, exported as CloudWatch does, or kept by it."""

import gzip
import json
import random
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 29, 10, tzinfo=UTC)
ROUTES = ("/health", "/api/llm/chat", "/api/billing", "/api/auth/login")
ERRORS = ("cannot reach 10.0.0.{n}: timed out", "job 6f1e2d3c-0000-4000-8000-{n:012d} failed", "no more memory")


def lines(count=600, *, seed=3, start=START, seconds=7200, streams=3):
    """Return (moment, stream, message) of so many lines, the same for the same seed, some of them no JSON."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        at = start + timedelta(milliseconds=int(seconds * 1000 * number / count))
        said = {
            "level": chance.choice(("info", "info", "warn", "error")),
            "ip": f"198.51.100.{chance.randrange(6)}",
            "userId": f"user-{chance.randrange(5)}",
            "tenant_id": f"t-{chance.randrange(3)}",
            "sessionId": f"s-{chance.randrange(4)}",
            "requestId": f"r-{number}",
            "path": chance.choice(ROUTES),
            "method": "GET",
            "status": chance.choice((200, 200, 302, 401, 500)),
        }
        if said["level"] == "error":
            said["msg"] = chance.choice(ERRORS).format(n=chance.randrange(90))
        if chance.random() < 0.1:
            said = {"severity": "INFO", "remoteAddress": "203.0.113.9", "keyId": f"key-{chance.randrange(2)}"}
        text = "Traceback (most recent call last):" if chance.random() < 0.02 else json.dumps(said)
        found.append((at, f"api-{number % streams}", text))
    return found


def iso(at):
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def export(folder, said, task="6b1b9f3a"):
    """Write lines as an export task of CloudWatch does: a folder a stream, gz, the moment before each message."""
    by = {}
    for at, stream, text in said:
        by.setdefault(stream, []).append(f"{iso(at)} {text}\n".encode())
    for stream, rows in by.items():
        place = folder / task / stream
        place.mkdir(parents=True, exist_ok=True)
        (place / "000000.gz").write_bytes(gzip.compress(b"".join(rows), mtime=0))
    return folder


def kept(client, group, said):
    """Put lines into a group of CloudWatch Logs."""
    client.create_log_group(logGroupName=group)
    by = {}
    for at, stream, text in said:
        by.setdefault(stream, []).append({"timestamp": int(at.timestamp() * 1000), "message": text})
    for stream, events in by.items():
        client.create_log_stream(logGroupName=group, logStreamName=stream)
        client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
