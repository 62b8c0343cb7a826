"""The vault through a handle that reads values only, and says none of them."""

import json

import pytest

from opslib.errors import Refused, Unreachable
from opslib.systems.vault import CURRENT, PREVIOUS, Vault, usable
from tests.vaults import shelf

VALUE = "tg-v1-9f3Kq7Zr2Lm8Xw4T"


@pytest.fixture
def kept(lab):
    with shelf(lab.settings) as made:
        yield made


@pytest.fixture
def vault(lab):
    handle = Vault(lab.settings)
    yield handle
    handle.close()


def test_the_current_and_the_previous_version_are_told_apart_by_id(vault, kept):
    first = kept.put(TOGETHER_API_KEY=VALUE)
    second = kept.put(TOGETHER_API_KEY=VALUE + "-new")
    current, previous = vault.stage(CURRENT), vault.stage(PREVIOUS)
    assert (current.id, previous.id) == (second, first)
    assert vault.version(first).value("TOGETHER_API_KEY") == previous.value("TOGETHER_API_KEY")
    assert usable("TOGETHER_API_KEY", current).reveal() == VALUE + "-new"
    assert VALUE not in repr(current)


def test_a_version_that_is_not_there_is_none(vault):
    assert vault.version("00000000-0000-4000-8000-000000000000") is None


def test_a_secret_that_is_not_there_is_told_with_the_variable_that_names_it(lab):
    handle = Vault(lab.settings.model_copy(update={"vault_secret": "elsewhere"}))
    with pytest.raises(Unreachable, match="no secret elsewhere") as told:
        handle.stage(CURRENT)
    assert "OPS_VAULT_SECRET" in told.value.next_step


@pytest.mark.parametrize("text", ["not JSON at all 9f3Kq7Zr2Lm8", '["9f3Kq7Zr2Lm8"]', '"9f3Kq7Zr2Lm8"'])
def test_what_is_no_object_of_texts_is_told_and_not_shown(vault, kept, text):
    kept.put(text)
    with pytest.raises(Unreachable, match="no JSON object") as told:
        vault.stage(CURRENT)
    assert "9f3Kq7Zr2Lm8" not in str(told.value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "has no TOGETHER_API_KEY"),
        (17, "has no TOGETHER_API_KEY"),
        ("", "is empty"),
        (VALUE + "\n", "blank or a line end"),
        (" " + VALUE, "blank or a line end"),
        ("tg\x00" + VALUE, "cannot be printed"),
        ("9a" * 20_000, "more than 24576"),
        ("your-key", "is a placeholder"),
        ("<value>", "is a placeholder"),
        ("${TOGETHER_API_KEY}", "is a placeholder"),
        ("xxxxxxxxxxxx", "is a placeholder"),
        ("replace_me_with_a_key", "is a placeholder"),
        ("changeme", "is a placeholder"),
        ("sk-12", "fewer than 8"),
        ("aaaaaaaaaaaa", "different characters"),
    ],
)
def test_a_value_that_cannot_be_the_right_one_is_refused_and_not_repeated(vault, kept, value, said):
    kept.put(json.dumps({} if value is None else {"TOGETHER_API_KEY": value}))
    with pytest.raises(Refused, match=said) as refused:
        usable("TOGETHER_API_KEY", vault.stage(CURRENT))
    assert not value or str(value).strip() not in str(refused.value) or value == "your-key"


def test_the_handle_calls_nothing_but_get_secret_value(vault, kept):
    before = kept.values()
    for call in (
        lambda: vault._client.put_secret_value(SecretId=vault.name, SecretString="{}"),
        lambda: vault._client.delete_secret(SecretId=vault.name),
        lambda: vault._client.rotate_secret(SecretId=vault.name),
        lambda: vault._client.list_secrets(),
    ):
        with pytest.raises(Refused, match="reads values only"):
            call()
    assert kept.values() == before


def test_a_vault_that_cannot_be_reached_is_told(lab):
    lost = lab.settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9"})
    with pytest.raises(Unreachable, match="no connection"):
        Vault(lost).stage(CURRENT)
