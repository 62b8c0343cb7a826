"""Names and certificates of the product's hosts, each broken in turn, found with its reason, and mended."""

import pytest

from opslib.checks import dependencies as checks
from opslib.checks.dependencies_names import limits
from opslib.model import Verdict
from opslib.redaction import CacheUrl
from opslib.runs.reading import evaluate
from opslib.systems.target import ReadTarget
from tests.dependencies import elsewhere
from tests.hosts import Authority, host, listening

API = "api.valuecanvas.test"


@pytest.fixture
def there(lab):
    with elsewhere(lab.settings) as made:
        yield made


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def look(lab, check, **said):
    settings = lab.settings.reading().model_copy(update=said)
    target = ReadTarget(settings, "test")
    try:
        return evaluate(check, target)
    finally:
        target.close()


def row(result, host):
    return next(one for one in result.rows if one["host"].startswith(host))


def test_names_that_lead_somewhere_are_ok_with_their_figures(lab, there):
    result = look(lab, checks.names)
    assert (result.verdict, result.remedy) == (Verdict.OK, "")
    app = row(result, "app.valuecanvas.test")
    assert (app["count"], app["ttl"], app["alias"]) == (3, 60, "cname.hoster.test")


@pytest.mark.parametrize(
    ("name", "said", "words"),
    [
        (API, {}, f"{API} (OPS_HOSTS) does not exist"),
        (API, {"a": []}, f"{API} (OPS_HOSTS) has no address"),
        ("cname.hoster.test", {}, "an alias of cname.hoster.test, which does not exist"),
    ],
    ids=["gone", "no-address", "dangling"],
)
def test_a_name_that_leads_nowhere_is_critical_and_gone_when_it_is_mended(lab, there, name, said, words):
    with there.doors.restored():
        there.name(name, **said)
        result = look(lab, checks.names)
        assert (result.verdict, words in result.summary) == (Verdict.CRITICAL, True)
        assert "the zone" in result.remedy
    assert look(lab, checks.names).verdict is Verdict.OK


@pytest.mark.parametrize("answer", ["SERVFAIL", "none"])
def test_a_name_server_that_fails_is_unknown_and_the_other_names_are_told(lab, there, answer):
    there.name(API, answer=answer)
    result = look(lab, checks.names)
    assert (result.verdict, row(result, API)["state"]) == (Verdict.UNKNOWN, "not told")
    assert row(result, "api.openai.test")["state"] == "there"


def test_numbers_alone_prove_nothing_and_an_address_that_is_missing_is_unknown(lab, there):
    assert look(lab, checks.names, hosts=()).verdict is Verdict.UNKNOWN
    result = look(lab, checks.names, application_url=None)
    assert (result.verdict, "VITE_API_BASE_URL is not" in result.summary) == (Verdict.UNKNOWN, True)


@pytest.fixture
def front_end(lab, authority, monkeypatch):
    """Return the verdict on the certificates where the front end shows the one that is given."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))

    def judged(pem):
        with host(pem) as port:
            return look(lab, checks.certificates, front_end_url=f"https://localhost:{port}/")

    return judged


def test_a_certificate_that_is_believed_and_lasts_is_ok(front_end, authority):
    result = front_end(authority.sign(days=90))
    assert result.verdict is Verdict.OK, result.summary
    shown = row(result, "localhost")
    assert (shown["state"], shown["used"], shown["protocol"]) == ("trusted", "VITE_APP_URL", "TLSv1.3")
    assert result.value == pytest.approx(90, abs=0.2)


@pytest.mark.parametrize(
    ("made", "verdict", "words"),
    [
        ({"days": 29}, Verdict.WARNING, "ends in 29 days"),
        ({"days": 13}, Verdict.CRITICAL, "ends in 13 days"),
        ({"days": -1, "since": 90}, Verdict.CRITICAL, "expired"),
        ({"names": ("*.valuecanvas.test",)}, Verdict.CRITICAL, "for *.valuecanvas.test"),
        ({"chain": False}, Verdict.CRITICAL, "unable to get local issuer"),
        ({"by_itself": True}, Verdict.CRITICAL, "self-signed"),
    ],
    ids=["soon", "very-soon", "expired", "another-name", "incomplete", "self-signed"],
)
def test_each_fault_of_a_certificate_is_found_with_its_reason_and_gone_when_it_is_renewed(
    front_end, authority, made, verdict, words
):
    result = front_end(authority.sign(**{"days": 200, "since": 165, **made}))
    assert (result.verdict, words in result.summary.replace("self signed", "self-signed")) == (verdict, True)
    assert "VITE_APP_URL" in result.summary
    assert "Renew it" in result.remedy
    assert front_end(authority.sign()).verdict is Verdict.OK


@pytest.mark.parametrize(("lifetime", "wanted"), [(398, (30, 14)), (90, (30, 14)), (47, (15.7, 7.8)), (6, (2, 1))])
def test_a_certificate_of_a_short_life_is_judged_by_its_life(lifetime, wanted):
    assert tuple(round(limit, 1) for limit in limits(lifetime)) == pytest.approx(wanted, abs=0.1)


def test_a_host_without_tls_elsewhere_than_here_is_critical(lab):
    result = look(lab, checks.certificates, front_end_url="http://192.0.2.1:1/")
    assert (result.verdict, "is spoken to without TLS" in result.summary) == (Verdict.CRITICAL, True)


def test_a_host_that_cannot_be_asked_is_unknown_and_the_others_are_shown(lab):
    with listening(lambda line: None) as port:
        pass
    result = look(lab, checks.certificates, front_end_url=f"https://127.0.0.1:{port}/")
    assert (result.verdict, "refuses connections" in result.summary) == (Verdict.UNKNOWN, True)
    kubernetes = next(one for one in result.rows if one["used"] == "OPS_KUBERNETES_URL")
    assert kubernetes["state"] == "trusted"


def test_the_caches_certificate_is_looked_at_where_it_speaks_tls(lab, authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with host(authority.sign(days=13, since=165)) as port:
        url = CacheUrl(f"rediss://reader:cache-reader-pw@localhost:{port}/0")
        result = look(lab, checks.certificates, read_cache_url=url)
    assert (result.verdict, f"localhost:{port} (OPS_READ_REDIS_URL)" in result.summary) == (Verdict.CRITICAL, True)
    assert "cache-reader-pw" not in repr(result)


def test_without_any_host_over_tls_nobody_says_ok(lab):
    result = look(lab, checks.certificates, kubernetes_url=None)
    assert (result.verdict, "there is no certificate" in result.summary) == (Verdict.UNKNOWN, True)
