"""Names asked of the lab's name server, which speaks DNS on loopback: what is there, what is not, and what failed."""

import pytest

from opslib.errors import Unreachable
from opslib.systems.names import Names
from tests.dependencies import elsewhere
from tests.hosts import listening

API = "api.valuecanvas.test"


@pytest.fixture
def there(lab):
    with elsewhere(lab.settings) as made:
        yield made


@pytest.fixture
def names(lab):
    return Names(lab.settings.resolver)


def test_a_name_is_found_with_its_addresses_and_how_long_they_may_be_kept(names, there):
    found = names.look_up(API)
    assert (found.addresses, found.seconds, found.alias, found.exists) == (("192.0.2.11",), 300, None, True)


def test_behind_an_alias_the_shortest_time_counts(names, there):
    found = names.look_up("App.ValueCanvas.test")
    assert (found.alias, found.seconds) == ("cname.hoster.test", 60)
    assert found.addresses == ("192.0.2.76", "192.0.2.77", "2001:db8::76")
    there.name("app.valuecanvas.test", ttl=30)
    assert names.look_up("app.valuecanvas.test").seconds == 30


def test_a_name_that_does_not_exist_is_no_failure_of_the_name_server(names, there):
    found = names.look_up("nobody.valuecanvas.test")
    assert (found.exists, found.addresses, found.alias) == (False, (), None)


def test_an_alias_that_leads_to_nothing_is_named(names, there):
    there.name("cname.hoster.test")
    found = names.look_up("app.valuecanvas.test")
    assert (found.exists, found.alias) == (False, "cname.hoster.test")


def test_a_name_without_an_address_exists(names, there):
    there.name(API, a=[])
    found = names.look_up(API)
    assert (found.exists, found.addresses, found.seconds) == (True, (), None)


def test_a_name_of_the_newer_kind_of_address_alone_is_found(names, there):
    there.name(API, a=[], aaaa=["2001:db8::1"])
    assert names.look_up(API).addresses == ("2001:db8::1",)


@pytest.mark.parametrize(("answer", "kind"), [("SERVFAIL", "dns"), ("REFUSED", "dns"), ("none", "slow")])
def test_a_name_server_that_fails_says_nothing_of_the_name(names, there, answer, kind):
    there.name(API, answer=answer)
    with pytest.raises(Unreachable) as told:
        names.look_up(API, seconds=1)
    assert (told.value.kind, API in told.value.message) == (kind, True)
    assert names.look_up("api.openai.test").exists


@pytest.mark.parametrize("name", [API, f"{'x' * 64}.test", f"{'x.' * 140}test"], ids=["loop", "long-part", "long-name"])
def test_a_name_that_cannot_be_followed_or_asked_is_told(names, there, name):
    there.name(API, a=[], alias=API)
    with pytest.raises(Unreachable) as told:
        names.look_up(name, seconds=1)
    assert told.value.kind == "dns"


def test_without_a_name_server_nothing_is_said(there):
    with listening(lambda line: None) as port:
        pass
    with pytest.raises(Unreachable):
        Names(f"127.0.0.1:{port}").look_up(API, seconds=1)


def test_nothing_is_kept_from_one_look_to_the_next(names, there):
    assert names.look_up(API).addresses == ("192.0.2.11",)
    there.name(API, a=["192.0.2.99"])
    assert names.look_up(API).addresses == ("192.0.2.99",)
