"""Connections to an object store and other services of AWS through boto3, each with its handle's credentials."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from opslib.errors import Refused, Unreachable
from opslib.redaction import Secret
from opslib.settings import ReadSettings
from opslib.systems.pending import given_up

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.loaders import Loader
    from mypy_boto3_s3 import S3Client

_MAKING = threading.Lock()
"""Making clients from one session is not safe in several threads; using them is."""


SERVICES = ("s3", "secretsmanager", "logs", "route53")
"""The services of AWS that a description has."""

PARTS = ("service-2", "endpoint-rule-set-1")
"""What a client is built from, for each service: its operations, and where they are."""


def prepare() -> None:
    """Import the library and read its descriptions of the services, for all processes that are forked from this one.

    No session and no client is made: those would read credentials.
    """
    import boto3.s3.inject  # noqa: F401
    import botocore.httpsession  # noqa: F401 - what a client imports at its first call

    for service in SERVICES:
        for part in PARTS:
            _loader().load_service_model(service, part)
    for name in ("endpoints", "partitions", "sdk-default-configuration"):
        _loader().load_data(name)


def connect(
    settings: ReadSettings, key: Secret | None, secret: Secret | None, *, seconds: float = 25, attempts: int = 3
) -> S3Client:
    """Return a client of the description's store; without a key it uses boto3's own credential chain.

    It waits ``seconds`` for an answer and asks at most ``attempts`` times.
    """
    client: S3Client = opened("s3", settings, key, secret, seconds=seconds, attempts=attempts)
    client.meta.events.register("before-send.s3", _stop)
    return client


def opened(
    service: Literal["s3", "secretsmanager", "logs", "route53"],
    settings: ReadSettings,
    key: Secret | None,
    secret: Secret | None,
    *,
    seconds: float = 25,
    attempts: int = 3,
) -> Any:
    """Return a client of one of the description's AWS services, as :func:`connect`; any answer's form is its own.

    Half an answer is a connection that broke (:mod:`opslib.systems.object_wire`).
    """
    from botocore.config import Config

    from opslib.systems.object_wire import demand_whole_answers

    config = Config(
        connect_timeout=min(5, seconds),
        read_timeout=seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
        # A private endpoint seldom has a name per bucket.
        s3={"addressing_style": "path" if settings.aws_endpoint_url else "auto"},
    )
    with _MAKING:
        client = _session().client(
            service,
            region_name=settings.aws_region,
            endpoint_url=settings.aws_endpoint_url,
            aws_access_key_id=key.reveal() if key else None,
            aws_secret_access_key=secret.reveal() if secret else None,
            config=config,
        )
    demand_whole_answers(client)
    return client


def only(client: Any, service: str, operations: frozenset[str], next_step: str) -> None:
    """Let a client call ``operations`` and nothing else: inside botocore, before a request is built or signed.

    ``service`` is the name in botocore's events. Another call raises Refused with what to do instead (``next_step``).
    """

    def refuse(event_name: str, **_: Any) -> None:
        operation = event_name.rsplit(".", 1)[-1]
        if operation not in operations:
            raise Refused(f"A handle that looks may not call {service} {operation}.", next_step)

    for event in (f"provide-client-params.{service}", f"before-sign.{service}"):
        client.meta.events.register_first(event, refuse)


def _stop(request: Any, **_: Any) -> None:
    # The library asks again by itself: a write that was given up must not be sent once more later.
    if given_up():
        raise Unreachable("The call was given up.", kind="slow")
    # It would wait for "100 Continue", and where the connection ends within that answer it reads on for ever, at
    # full speed, in a thread that nobody can end. The header is in no signature.
    request.headers.pop("Expect", None)


@cache
def _session() -> Session:
    # One for the process: it parses the service's description only once. Event handlers belong to
    # each client alone, so a guard on one is neither lost nor spread by that.
    import boto3
    import botocore.session

    own = botocore.session.Session()
    # Whose environment or file names other descriptions gets those.
    if own.get_config_variable("data_path") is None:
        own.register_component("data_loader", _loader())
    return boto3.session.Session(botocore_session=own)


@cache
def _loader() -> Loader:
    """Return what reads the library's own descriptions of services, which hold nothing of anybody's."""
    from botocore.loaders import Loader

    return Loader()
