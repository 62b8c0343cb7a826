"""What an incident is judged by, on a real database and on the lab's Secrets Manager: green, and each red."""

from dataclasses import replace

import boto3
import pytest

from opslib.checks import security as checks
from opslib.model import UNKNOWN_UNTIL, Reading, Verdict, now
from opslib.pictures import security as pictures
from opslib.pictures.gate import checked
from opslib.probes import security as probes
from opslib.runs.reading import evaluate, take
from tests.databases import with_settings
from tests.incidents import people


@pytest.fixture
def crowd(lab):
    with people(lab) as made:
        yield made


@pytest.fixture
def manager(lab):
    settings = lab.settings
    client = boto3.client(
        "secretsmanager",
        endpoint_url=settings.aws_endpoint_url,
        region_name=settings.aws_region,
        aws_access_key_id=settings.aws_access_key_id.reveal(),
        aws_secret_access_key=settings.aws_secret_access_key.reveal(),
    )
    yield client
    client.close()


@pytest.fixture
def secret(lab, manager):
    """A target whose secret is one of the test's own."""
    name = "valuecanvas/test/secrets"
    manager.create_secret(Name=name, SecretString="first-value")
    target = with_settings(lab, vault_secret=name)
    yield target
    target.close()
    manager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def test_a_user_who_signs_in_from_many_networks_is_named(lab, crowd):
    for number in range(5):
        crowd.sign_in("mallory", ip=f"203.0.{number}.1")
    crowd.sign_in("alice", ip="2001:db8:1::1")
    crowd.sign_in("alice", ip="2001:db8:1:2::9")
    said = evaluate(checks.networks(24), lab.target)
    assert (said.verdict, said.value) == (Verdict.WARNING, 5)
    assert "mallory@incident.example signed in from 5 networks" in said.summary
    assert evaluate(checks.networks(24, 5), lab.target).verdict is Verdict.OK
    rows = {row["email"]: row["networks"] for row in take(probes.networks(24), lab.target).rows}
    assert rows["alice@incident.example"] == 1


def test_sessions_that_began_since_a_moment_are_listed_and_in_a_planning_run_that_is_not_known(lab, crowd):
    (row,) = crowd.session.execute("SELECT clock_timestamp() AS now").fetchall()
    crowd.sign_in("late", ago="-1 second")
    reading = take(probes.came_since(row["now"].isoformat()), lab.target)
    assert [one["email"] for one in reading.rows] == ["late@incident.example"]
    assert "known once" in take(probes.came_since(f"{UNKNOWN_UNTIL}preserve-evidence"), lab.target).unknown


def test_when_sessions_began_is_counted_and_drawn_and_a_reading_that_failed_is_not(lab, crowd):
    before = sum(row["sessions"] for row in take(probes.sign_ins(48), lab.target).rows)
    for _ in range(3):
        crowd.sign_in("mallory", ago="90 minutes")
    reading = take(probes.sign_ins(48), lab.target)
    assert (len(reading.rows), sum(row["sessions"] for row in reading.rows)) == (48, before + 3)
    drawn = pictures.sign_ins(reading)
    assert f"{before + 3} sessions that are there began since" in drawn.alternative
    assert checked(drawn.svg)
    assert "Unknown: nobody could look" in pictures.sign_ins(replace(reading, unknown="nobody could look")).alternative


def test_a_function_that_can_be_led_astray_is_named(lab):
    assert evaluate(checks.definers, lab.target).verdict is Verdict.OK
    with lab.admin() as session:
        session.execute("CREATE FUNCTION public.backdoor() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'")
        try:
            said = evaluate(checks.definers, lab.target)
        finally:
            session.execute("DROP FUNCTION public.backdoor()")
    assert (said.verdict, said.rows[0]["name"]) == (Verdict.WARNING, "public.backdoor()")
    assert said.rows[0]["by_everybody"] is True


def test_a_secret_without_a_rotation_function_is_told_with_the_way_out(secret):
    said = evaluate(checks.rotation, secret)
    assert (said.verdict, "AWS refuses rotate-secret" in said.summary) == (Verdict.WARNING, True)
    assert "runbooks/rotate-api-keys" in said.remedy


def test_a_rotation_that_is_half_done_is_seen(secret, manager):
    name = secret.settings.vault_secret
    manager.put_secret_value(SecretId=name, SecretString="second-value", VersionStages=["AWSPENDING"])
    said = evaluate(checks.rotation, secret)
    assert (said.verdict, "half done" in said.summary) == (Verdict.WARNING, True)


@pytest.mark.parametrize(
    ("stages", "verdict", "said"),
    [
        ([["AWSCURRENT"], ["AWSPREVIOUS"]], Verdict.OK, "it did last on 2026-11-01"),
        ([["AWSPREVIOUS"]], Verdict.CRITICAL, "0 current versions"),
        ([], Verdict.CRITICAL, "0 current versions"),
        ([["AWSCURRENT", "AWSPENDING"]], Verdict.OK, "AWS can rotate"),
    ],
)
def test_a_secret_that_aws_rotates_is_judged_by_its_stages(stages, verdict, said):
    said_of_all = {"secret": "the-secret", "rotates": True, "rotated": "2026-11-01T09:00:00Z", "created": None}
    rows = tuple({**said_of_all, "version": str(number), "stages": one} for number, one in enumerate(stages))
    reading = Reading("incident-secret", "", "lab", now(), 0.1, rows)
    found = checks.rotation.judge(reading)
    assert (found.verdict, said in found.summary) == (verdict, True), found.summary


def test_a_secret_that_is_not_there_is_unknown(lab):
    target = with_settings(lab, vault_secret="valuecanvas/none")
    said = evaluate(checks.rotation, target)
    target.close()
    assert (said.verdict, "There is no secret" in said.summary) == (Verdict.UNKNOWN, True)
