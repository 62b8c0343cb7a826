"""Rules of the detect-secrets library, for what :mod:`opslib.redaction_patterns` has no rule of its own for."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from opslib.redaction_patterns import Rule

LIBRARY: dict[str, tuple[str, tuple[str, ...]]] = {
    "artifactory": ("ArtifactoryDetector", ("AKC",)),
    "azure_storage_key": ("AzureStorageKeyDetector", ("AccountKey=",)),
    "cloudant": ("CloudantDetector", ("cloudant",)),
    "ibm_cloud_iam": ("IbmCloudIamDetector", ("ibm", "iam")),
    "mailchimp": ("MailchimpDetector", ("-us",)),
    "npm": ("NpmDetector", (":_authToken=",)),
    "private_key": ("PrivateKeyDetector", ("PuTTY-User-Key-File",)),
    "pypi_token": ("PypiTokenDetector", ("pypi-AgE",)),
    "sendgrid": ("SendGridDetector", ("SG.",)),
    "softlayer": ("SoftlayerDetector", ("softlayer",)),
    "square_oauth": ("SquareOAuthDetector", ("sq0csp-",)),
    "telegram_token": ("TelegramBotTokenDetector", (":AA",)),
    "twilio": ("TwilioKeyDetector", ("AC", "SK")),
}
"""The library's modules that add a provider: class and hints. Left out are those that a rule of
ours has already, and those that take names or digests for credentials (entropy, keywords, addresses)."""


def theirs() -> Iterator[Rule]:
    """Yield the rules of the library, which is imported for it."""
    with _without("requests"):  # whether a credential is one that a vendor takes is never asked
        modules = [importlib.import_module(f"detect_secrets.plugins.{module}") for module in LIBRARY]
    for module, (name, hints) in zip(modules, LIBRARY.values(), strict=True):
        detector = getattr(module, name)
        for pattern in detector.denylist:
            # From well before the hint, since some of these begin with what stands around it.
            bounded = rf"(?<![A-Za-z0-9])(?:{pattern.pattern})(?![A-Za-z0-9])"
            fold = bool(pattern.flags & re.IGNORECASE)
            yield Rule(detector.secret_type, hints, bounded, fold=fold, before=40, flags=pattern.flags)


@contextmanager
def _without(name: str) -> Iterator[None]:
    """Have a library that is imported inside find empty names in one that it would only ask vendors by."""
    before = sys.modules.get(name)
    empty = ModuleType(name)
    vars(empty)["__getattr__"] = lambda word: object
    sys.modules[name] = before or empty
    try:
        yield
    finally:
        if before is None:
            del sys.modules[name]
