"""Secrets Manager, asked how a secret stands: nothing of ours, and nothing past it, gets a value."""

import boto3
import pytest

from opslib.errors import Refused
from opslib.systems.object_errors import StoreError
from opslib.systems.secret_store import LOOKS, ReadOnlySecrets


@pytest.fixture
def secrets(lab):
    handle = ReadOnlySecrets(lab.settings)
    yield handle
    handle.close()


def test_a_secret_is_told_by_its_versions_stages_and_dates(lab, secrets):
    found = secrets.standing(lab.settings.vault_secret)
    (version,) = found.with_stage("AWSCURRENT")
    assert (found.rotates, found.with_stage("AWSPENDING"), version.created.tzinfo is not None) == (False, (), True)


def test_a_secret_that_is_not_there_is_none(secrets):
    assert secrets.standing("valuecanvas/none") is None


def test_every_operation_but_the_looks_is_refused_before_anything_is_sent(lab, secrets):
    model = boto3.session.Session().client("secretsmanager", region_name="us-east-1").meta.service_model
    assert set(model.operation_names) >= LOOKS
    given = {"SecretId": lab.settings.vault_secret, "SecretString": "x", "Name": "x"}
    for name in sorted(set(model.operation_names) - LOOKS):
        shape = model.operation_model(name).input_shape
        wanted = {key: given.get(key, "x") for key in (shape.required_members if shape else ())}
        method = next(m for m, n in secrets._client.meta.method_to_api_mapping.items() if n == name)
        with pytest.raises(Refused, match="may not call"):
            getattr(secrets._client, method)(**wanted)


def test_a_service_that_is_not_there_has_its_own_word(lab):
    away = lab.settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9"})
    with pytest.raises(StoreError, match="no connection"):
        ReadOnlySecrets(away).standing("valuecanvas/production/secrets")
