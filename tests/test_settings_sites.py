"""Where the API's name may lead: taken where it is plain, from the file alone, and in a lab on this machine only."""

import re

import pytest

from opslib import settings
from opslib.errors import SettingsError
from opslib.settings_environments import lab_faults, moved
from tests.test_settings import GOOD, LAB


def read(**more):
    return settings.load_reading({**GOOD, **more})


def test_by_default_it_is_the_guides_name_and_no_site():
    said = read()
    assert (said.api_host, said.hosted_zone, said.site, said.recovery_site) == ("api.valuecanvas.com", None, (), ())
    assert (said.recovery_data, said.name_servers, said.public_resolvers) == (None, (), ())


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("192.0.2.7", ("192.0.2.7",)),
        ("192.0.2.7, 2001:DB8::7", ("192.0.2.7", "2001:db8::7")),
        ("LB.eu.example.com", ("lb.eu.example.com",)),
    ],
)
def test_a_site_is_addresses_or_one_name(given, taken):
    said = read(OPS_RECOVERY_SITE=given, OPS_SITE=given)
    assert (said.site, said.recovery_site) == (taken, taken)
    assert settings.load_reading({**GOOD, **said.variables()}).recovery_site == taken


@pytest.mark.parametrize(
    "given", ["a.example,b.example", "192.0.2.7,a.example", "a:1", "a..b", "x.", "-x", "a b", "a/b"]
)
def test_anything_else_is_no_site(given):
    with pytest.raises(SettingsError, match="OPS_RECOVERY_SITE"):
        read(OPS_RECOVERY_SITE=given)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("HOSTED_ZONE_ID", "../Z1"),
        ("OPS_NAME_SERVERS", "ns.example:53"),
        ("OPS_API_HOST", "a_b"),
        ("OPS_RECOVERY_DATA", "x"),
    ],
)
def test_what_is_not_plain_is_refused_by_its_name(name, given):
    with pytest.raises(SettingsError, match=name):
        read(**{name: given})


@pytest.mark.parametrize("name", ["OPS_NAME_SERVERS", "OPS_PUBLIC_RESOLVERS", "OPS_SITE", "OPS_RECOVERY_SITE"])
@pytest.mark.parametrize(("places", "well"), [(("127.0.0.2", "[::1]"), True), (("127.0.0.1", "192.0.2.7"), False)])
def test_a_lab_leads_names_and_asks_name_servers_on_this_machine_alone(name, places, well):
    given = [place.strip("[]") if "SITE" in name else f"{place}:53" for place in places]
    said = [fault for fault in lab_faults({**LAB, name: ",".join(given)}) if name in fault]
    assert (said == []) is well, said


def test_a_zone_in_a_lab_needs_the_labs_own_name_servers():
    said = "\n".join(lab_faults({**LAB, "HOSTED_ZONE_ID": "Z1"}))
    assert re.search(r"OPS_NAME_SERVERS: missing \(HOSTED_ZONE_ID is set", said)


@pytest.mark.parametrize(
    "name", ["OPS_API_HOST", "HOSTED_ZONE_ID", "OPS_SITE", "OPS_RECOVERY_SITE", "OPS_NAME_SERVERS"]
)
def test_where_productions_name_may_lead_only_the_file_says(tmp_path, monkeypatch, name):
    file = tmp_path / ".env.staging"
    file.write_text("".join(f"{key}={value}\n" for key, value in {**GOOD, "OPS_ENVIRONMENT": "staging"}.items()))
    monkeypatch.setenv(name, "192.0.2.7")
    with pytest.raises(SettingsError, match=f"{name}: only .env.staging may set it"):
        settings.load("staging", root=tmp_path)


def test_another_site_is_another_place_for_whoever_goes_on_or_takes_back():
    one, other = read(OPS_RECOVERY_SITE="192.0.2.7").public(), read(OPS_RECOVERY_SITE="192.0.2.8").public()
    assert moved(one, other) == ["recovery_site"]
