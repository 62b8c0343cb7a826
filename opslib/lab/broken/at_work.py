"""People and agents at work while a fault lasts, as a program of its own.

Users ask the model that the live front end names, or their own; agents take queued jobs while the workers have pods,
and their steps succeed or fail as the workers' revision has it. So what a runbook mends shows by itself, as it does
where a product is in use. It ends when its session of the database is ended, or after half an hour.
"""

from __future__ import annotations

import json
import os
import random
import re
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from opslib.lab.application_front import REVISION
from opslib.lab.broken import providers
from opslib.lab.broken.parts import aside, folder
from opslib.lab.cache import MODELS, QUEUE
from opslib.lab.doors import Doors
from opslib.lab.processes import LabError
from opslib.settings import Settings, load
from opslib.systems.postgres import connect

TARGET, WORK = "LAB_FAULT_TARGET", "LAB_FAULT_WORK"
"""Variables that tell it which lab it is in, and what is done there."""
BEGUN = "at work"
LONGEST_SECONDS = 1800.0
EVERY_SECONDS = 0.5
STEPS = 6
"""Steps of agents at a time."""
ASKED = re.compile(r'askedModel ?= ?"([^"]{1,99})"')
"""How a build names the model that its users ask."""
SCRIPT = re.compile(r'src="([^"]+index-[^"]+\.js)"')

STEP = """
INSERT INTO public.agent_audit_log (organization_id, agent_id, action, details, success, created_at)
SELECT a.organization_id, a.id, 'tool_call', jsonb_build_object('lab-fault', %(mark)s::text), %(success)s,
       clock_timestamp()
FROM (SELECT id, organization_id FROM public.agents ORDER BY id LIMIT 1) a, generate_series(1, %(many)s)
"""
DONE = """
INSERT INTO public.episodic_memory (organization_id, session_id, episode, importance)
SELECT s.organization_id, s.id, '{"summary": "begun late"}', 0.1
FROM public.agent_sessions s
WHERE s.id = %(session)s::uuid AND NOT EXISTS (SELECT FROM public.episodic_memory m WHERE m.session_id = s.id)
"""
ENDED = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"
THERE = "SELECT 1 FROM pg_stat_activity WHERE application_name = %s"


def begin(settings: Settings, work: str) -> None:
    """Let ``users`` or ``agents`` go to work, unless they are."""
    with connect(settings.database_url, "lab") as session:
        if session.execute(THERE, (_name(work),)).fetchone():
            return
    given = {TARGET: str(folder(settings) / "target.env"), WORK: work}
    aside("at_work", given, BEGUN, "Nobody goes to work in the lab.")


def end(settings: Settings, work: str) -> None:
    """Let them stop."""
    with connect(settings.database_url, "lab") as session:
        session.execute(ENDED, (_name(work),))


def users(settings: Settings, session: Any, mark: str = "lab-fault-users-") -> None:
    """Let one user ask one question."""
    providers.chat(settings, 1, mark=mark, model=_asked(settings) or random.choice(MODELS))


def agents(settings: Settings, session: Any, mark: str = "lab-fault-agents") -> None:
    """Let the workers' pods, where there are any, take the jobs that wait, and agents make some steps."""
    pods = Doors(settings, cluster=True).started(settings.worker_deployment)
    if not pods:
        return
    _take(settings, session)
    fail = any(json.loads(pod.get(REVISION, "{}")).get("tools") == "fail" for pod in pods)
    session.execute(STEP, {"mark": mark, "success": not fail, "many": STEPS})


DOING: Mapping[str, Callable[[Settings, Any], None]] = {"users": users, "agents": agents}


def _take(settings: Settings, session: Any) -> None:
    """Work off each job of a fault: the session that it is for leaves its first trace."""
    import redis

    with redis.Redis.from_url(settings.cache_url.reveal(), socket_timeout=5, decode_responses=True) as client:
        for job in client.lrange(f"{QUEUE}:wait", 0, -1):
            data = json.loads(client.hget(f"{QUEUE}:{job}", "data") or "{}")
            if "session" in data and client.lrem(f"{QUEUE}:wait", 1, job):
                session.execute(DONE, {"session": data["session"]})
                client.zadd(f"{QUEUE}:completed", {job: int(time.time() * 1000)})


def _asked(settings: Settings) -> str:
    """Return the model that the live front end names; "" where it names none."""
    site = str(settings.front_end_url)
    with suppress(OSError, ValueError):
        document = _text(site)
        found = SCRIPT.search(document)
        named = ASKED.search(_text(urljoin(site, found[1]))) if found else None
        return named[1] if named else ""
    return ""


def _text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the lab's own address
        text: str = answer.read().decode()
    return text


def _name(work: str) -> str:
    return f"lab: {work} at work"


def main() -> None:
    """Go on until the session of the database is ended; says so on standard output once it is there."""
    import psycopg
    import redis

    settings, work = load("lab", lab=Path(os.environ.pop(TARGET))), os.environ.pop(WORK)
    timer = threading.Timer(LONGEST_SECONDS, os._exit, (0,))
    timer.daemon = True
    timer.start()
    random.seed(uuid.uuid4().int)
    with suppress(psycopg.OperationalError), connect(settings.database_url, _name(work)) as session:
        print(BEGUN, flush=True)
        while True:
            session.execute("SELECT 1")
            with suppress(LabError, OSError, redis.RedisError):
                DOING[work](settings, session)
            time.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    main()
