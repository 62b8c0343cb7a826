"""The vault's versions put and staged: one version for one token, and a way back."""

import pytest

from opslib.errors import Refused, Unreachable
from opslib.redaction import Secret
from opslib.systems.vault import CURRENT, PENDING, PREVIOUS, Vault
from opslib.systems.vault_writing import VaultWriter
from tests.vaults import shelf

VALUE = "tg-v1-9f3Kq7Zr2Lm8Xw4T"
TOKEN = "7c1f5f0e-6a5b-5d7e-9a60-1c2d3e4f5a6b"


@pytest.fixture
def kept(lab):
    with shelf(lab.settings) as made:
        yield made


@pytest.fixture
def handles(lab):
    made = Vault(lab.settings), VaultWriter(lab.settings)
    yield made
    for one in made:
        one.close()


def test_a_version_is_put_once_for_its_token_and_changes_one_key(handles, kept):
    vault, writer = handles
    base = kept.put(TOGETHER_API_KEY="old-9f3Kq7Zr2Lm8", ODD=[1, 2])
    for _ in range(2):
        writer.put_pending("TOGETHER_API_KEY", Secret(VALUE), base=base, version=TOKEN)
    pending, current = vault.stage(PENDING), vault.stage(CURRENT)
    assert (pending.id, current.id) == (TOKEN, base)
    assert pending.differs(current) == ("TOGETHER_API_KEY",)
    assert pending.value("TOGETHER_API_KEY").reveal() == VALUE
    assert "ODD" in pending.keys
    listed = kept.client.list_secret_version_ids(SecretId=kept.name)["Versions"]
    assert [one["VersionId"] for one in listed].count(TOKEN) == 1


def test_a_promoted_version_leaves_the_old_one_as_the_previous_and_the_way_back_is_the_same(handles, kept):
    vault, writer = handles
    base = kept.put(TOGETHER_API_KEY="old-9f3Kq7Zr2Lm8")
    writer.put_pending("TOGETHER_API_KEY", Secret(VALUE), base=base, version=TOKEN)
    writer.promote(TOKEN, off=base)
    assert (vault.stage(CURRENT).id, vault.stage(PREVIOUS).id, vault.stage(PENDING).id) == (TOKEN, base, TOKEN)
    writer.promote(base, off=TOKEN)
    assert (vault.stage(CURRENT).id, vault.stage(PENDING).id) == (base, TOKEN)
    writer.move(PENDING, None, off=TOKEN)
    assert vault.stage(PENDING) is None


def test_no_other_call_is_let_through(handles, kept):
    client = handles[1]._client
    before = kept.values()
    for call in (
        lambda: client.delete_secret(SecretId=kept.name),
        lambda: client.rotate_secret(SecretId=kept.name),
        lambda: client.update_secret(SecretId=kept.name, SecretString="{}"),
        lambda: client.list_secrets(),
    ):
        with pytest.raises(Refused, match="stages versions only"):
            call()
    assert kept.values() == before


def test_what_is_no_object_is_not_put_anew(handles, kept):
    base = kept.put("not JSON at all 9f3Kq7Zr2Lm8")
    with pytest.raises(Unreachable, match="no JSON object") as told:
        handles[1].put_pending("TOGETHER_API_KEY", Secret(VALUE), base=base, version=TOKEN)
    assert "9f3Kq7Zr2Lm8" not in str(told.value)


def test_its_own_credentials_are_used_where_there_are_some(lab, kept):
    own, shared = (
        VaultWriter(lab.settings),
        VaultWriter(lab.settings.model_copy(update={"vault_aws_access_key_id": None})),
    )
    used = [handle._client._request_signer._credentials.access_key for handle in (own, shared)]
    wanted = [lab.settings.vault_aws_access_key_id, lab.settings.aws_access_key_id]
    assert used == [one.reveal() for one in wanted]
    for handle in (own, shared):
        handle.close()


def test_a_vault_that_cannot_be_reached_is_told(lab):
    lost = VaultWriter(lab.settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9"}))
    with pytest.raises(Unreachable, match="no connection"):
        lost.promote(TOKEN, off=TOKEN)
