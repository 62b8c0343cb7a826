"""CloudWatch Logs, asked how a group stands: no event is read, and nothing is changed."""

import boto3
import pytest

from opslib.errors import Refused
from opslib.systems.log_groups import LOOKS, ReadOnlyLogs
from opslib.systems.object_errors import StoreError


@pytest.fixture
def logs(lab):
    handle = ReadOnlyLogs(lab.settings)
    yield handle
    handle.close()


def test_a_group_is_told_by_its_retention_and_its_newest_event(lab, logs):
    found = logs.group(lab.settings.log_group)
    assert (found.name, found.days) == ("/valuecanvas/application", 90)
    assert found.newest is not None
    assert found.newest.tzinfo is not None


def test_a_group_that_is_not_there_is_none_even_where_another_begins_so(logs):
    assert logs.group("/valuecanvas") is None


def test_every_operation_but_the_looks_is_refused_before_anything_is_sent(lab, logs):
    model = boto3.session.Session().client("logs", region_name="us-east-1").meta.service_model
    assert set(model.operation_names) >= LOOKS
    methods = {name: method for method, name in logs._client.meta.method_to_api_mapping.items()}
    for name in sorted(set(model.operation_names) - LOOKS):
        shape = model.operation_model(name).input_shape
        wanted = dict.fromkeys(shape.required_members if shape else (), "x")
        with pytest.raises(Refused, match=f"may not call cloudwatch-logs {name}"):
            getattr(logs._client, methods[name])(**wanted)


def test_a_service_that_is_not_there_has_its_own_word(lab):
    away = lab.settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9"})
    with pytest.raises(StoreError, match="no connection"):
        ReadOnlyLogs(away).group("/valuecanvas/application")
