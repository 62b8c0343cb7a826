"""What carries requested runs to workers: Procrastinate, on the queue's own PostgreSQL. The only place that imports it.

It is asked for little: to keep a key until somebody takes it, to give it to one worker at a time, to wake a worker at
once. What it may do wrong is made good by the ledger (:mod:`opslib.systems.queue_ledger`), whose rows say who may run
what: a key that it lost is sent again, one that it gives twice is taken once, one of a dead worker is swept away here.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, LiteralString

from opslib.errors import OpsError, Refused, Unreachable
from opslib.redaction import DatabaseUrl
from opslib.systems.postgres import safe_options

if TYPE_CHECKING:
    import psycopg
    from procrastinate import App

TASK = "opslib:run"
BEAT = 5.0
"""Seconds between two signs of life of a worker to the engine."""
SILENT = 30.0
"""Seconds without one after which the engine takes a worker for dead."""

Handle = Callable[[str], "Future[None]"]
"""Takes a key that a worker was given; its future is done when the worker is free again."""


def schema() -> LiteralString:
    """Return the statements that create the engine's tables; they are there once."""
    from procrastinate.schema import SchemaManager

    return SchemaManager.get_schema()


def send(
    session: psycopg.Connection[Any], key: str, queue: str, *, in_seconds: int = 0, before_others: bool = False
) -> None:
    """Have a key given to a worker of ``queue``, not before so many seconds; once, however often it is sent.

    It is part of the session's transaction. Those that go ``before_others`` do not wait behind what was sent earlier.
    """
    from procrastinate import App, SyncPsycopgConnector, exceptions

    later: dict[str, Any] = {"schedule_in": {"seconds": in_seconds}} if in_seconds else {}
    app = App(connector=SyncPsycopgConnector())  # never opened: everything goes through the session
    with suppress(exceptions.AlreadyEnqueued), session.transaction():
        app.configure_task(
            TASK, queue=queue, queueing_lock=key, connection=session, priority=int(before_others), **later
        ).defer(key=key)


def serve(url: DatabaseUrl, queues: Sequence[str], handle: Handle, over: threading.Event) -> None:
    """Hand keys of these queues to ``handle``, one at a time, until ``over`` is set and the last one is done.

    Raises Unreachable when the connection breaks, after what was handed out is done; Refused where nothing is
    installed.
    """
    # The engine tells each job and each lost connection to its log; what matters is told by the worker.
    for name in ("procrastinate", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        asyncio.run(_serve(url, list(queues), handle, over))
    except Exception as error:
        raise _told(error, url) from error


async def _serve(url: DatabaseUrl, queues: list[str], handle: Handle, over: threading.Event) -> None:
    from procrastinate import App, PsycopgConnector

    options = {"application_name": "opslib:queue", "connect_timeout": 5, **safe_options(url)}
    app = App(connector=PsycopgConnector(conninfo=url.reveal(), kwargs=options, min_size=1, max_size=4, timeout=10))

    async def carry(key: str) -> None:
        # Shielded: what a worker has begun goes on whatever becomes of the engine.
        await asyncio.shield(asyncio.wrap_future(handle(key)))

    app.task(name=TASK)(carry)
    async with app.open_async():
        tasks = [
            asyncio.create_task(
                app.run_worker_async(
                    queues=queues,
                    concurrency=1,
                    delete_jobs="always",
                    install_signal_handlers=False,
                    update_heartbeat_interval=BEAT,
                    stalled_worker_timeout=SILENT,
                )
            ),
            asyncio.create_task(_sweep(app, queues)),
        ]
        try:
            while not over.is_set() and not any(task.done() for task in tasks):
                await asyncio.wait(tasks, timeout=0.2)
        finally:
            for task in tasks:
                task.cancel()
            found = await asyncio.gather(*tasks, return_exceptions=True)
    if errors := [error for error in found if isinstance(error, Exception)]:
        raise errors[0]
    if not over.is_set():
        # Of a side task that failed, the engine tells its log only.
        raise Unreachable(f"The queue at {url.public} broke off.", "Is its server running?", "other")


async def _sweep(app: App, queues: list[str]) -> None:
    """Remove what dead workers have left as being done; the ledger decides what becomes of the runs."""
    from procrastinate.jobs import Status

    while True:
        for queue in queues:
            for job in await app.job_manager.get_stalled_jobs(queue=queue, seconds_since_heartbeat=SILENT):
                await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
        await asyncio.sleep(SILENT / 3)


def _told(error: Exception, url: DatabaseUrl) -> Exception:
    """Return what the engine raised as an error of ours."""
    from procrastinate.exceptions import ConnectorException
    from psycopg import Error, errors
    from psycopg_pool import PoolTimeout

    if isinstance(error, OpsError):
        return error
    if isinstance(error.__cause__, errors.UndefinedTable | errors.UndefinedFunction | errors.UndefinedObject):
        return Refused(f"The queue at {url.public} is not installed.", "Install it once: ops queue install")
    if isinstance(error, ConnectorException | Error | PoolTimeout | OSError):
        return Unreachable(f"The queue at {url.public} does not answer.", "Is its server running?", "other")
    return error
