"""The map of tenants and the scorecard say in words what they show, and what nobody saw."""

from datetime import UTC, datetime

from opslib.model import Reading
from opslib.pictures.security import headers, tenants


def reading(rows, unknown=None):
    return Reading("p", "t", "lab", datetime.now(UTC), 0.1, tuple(rows), unknown=unknown)


def cell(relation, identity, word="seen", visible=0, foreign=None, nobodys=None, excepted="", capped=False):
    return {
        "relation": relation,
        "identity": identity,
        "word": word,
        "visible": visible,
        "foreign": foreign,
        "nobodys": nobodys,
        "excepted": excepted,
        "capped": capped,
    }


def test_rows_of_others_are_told_from_own_ones_denied_ones_and_those_nobody_saw():
    drawn = tenants(
        reading(
            [
                cell("public.cases", "anybody", "denied", None),
                cell("public.cases", "member A", visible=40, foreign=30, nobodys=0),
                cell("public.plans", "anybody", visible=3, excepted="prices are public"),
                cell("public.plans", "member A", visible=3, nobodys=3),
                cell("public.usage", "anybody", visible=100_000, capped=True),
                cell("public.usage", "member A", "too slow", None),
            ]
        )
    )
    assert drawn.alternative == (
        "Rows of others are seen in: public.cases to member A, public.usage to anybody; 1 looks found nothing out."
    )
    for word in ("30 of others", "denied", "3, meant", "3 nobody&#x27;s", "100000+", "too slow"):
        assert word in drawn.svg or word.replace("&#x27;", "'") in drawn.svg, word


def test_a_map_of_nothing_says_why():
    assert tenants(reading([], unknown="two are needed")).alternative == "Unknown: two are needed"
    assert headers(reading([])).alternative.startswith("Unknown")


def test_headers_that_are_not_sent_are_named_with_their_place():
    rows = [
        {"where": "front end", "header": "x-content-type-options", "value": "nosniff"},
        {"where": "front end", "header": "referrer-policy", "value": ""},
        {"where": "API", "header": "x-content-type-options", "value": "nosniff"},
        {"where": "front end", "header": "connect to", "value": "https://api.test"},
    ]
    drawn = headers(reading(rows))
    assert drawn.alternative == "front end: referrer-policy not sent; API: referrer-policy not seen."
    assert "connect to" not in drawn.svg
