"""The guide's alerts as data agree with its items, its policy and what the product exports."""

from opslib.guide import catalogue
from opslib.guide.alerts import alerts


def test_every_alert_of_the_guide_is_there_once_with_who_must_be_told():
    wanted = {item.id: item.item for item in catalogue.items().values() if item.kind == "alert"}
    assert {one.item for one in alerts()} == set(wanted)
    assert len(alerts()) == len(wanted) == 8
    for one in alerts():
        assert one.severity == wanted[one.item].split()[0].lower()
        assert all(word in wanted[one.item].lower() for word in one.told)


def test_where_the_guide_has_a_number_the_policy_has_it_too():
    limits = {one.item: one.limit.critical for one in alerts() if one.limit is not None}
    assert limits == {"MON-ALC-01": 99, "MON-ALC-02": 1, "MON-ALW-01": 1000, "MON-ALW-02": 80, "MON-ALW-03": 150}


def test_the_products_series_are_known_and_others_are_not():
    by = {one.item: one.metrics for one in alerts()}
    assert by["MON-ALC-02"].fullmatch("valuecanvas_http_requests_total")
    assert by["MON-ALW-01"].fullmatch("http_request_duration_seconds_bucket")
    assert by["MON-ALC-04"].fullmatch("billing_stripe_webhooks_total")
    assert by["MON-ALW-04"].fullmatch("billing_jobs_failures_total")
    assert not by["MON-ALC-01"].fullmatch("pg_up")
