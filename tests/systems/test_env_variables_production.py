"""What production gets, from all places together: missing, wrong, another one elsewhere, or nobody can say."""

import pytest

from opslib.guide import catalogue
from opslib.lab.production import API_SECRETS, API_SETTINGS, BUILDS, OWN, PROJECT
from opslib.model import Verdict
from opslib.systems.env_variables_production import CLUSTER, DESCRIPTION, HOSTER, KNOWN, VAULT, Place, put_together

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL
SERVICE = dict.fromkeys(("SUPABASE_SERVICE_KEY", "SUPABASE_SERVICE_ROLE_KEY"), OWN["SUPABASE_SERVICE_KEY"])
KEYS = {**{name: OWN[name] for name in ("TOGETHER_API_KEY", "OPENAI_API_KEY")}, **SERVICE}
GOOD = {
    CLUSTER: API_SETTINGS | API_SECRETS | KEYS,
    HOSTER: BUILDS | {"VITE_SUPABASE_URL": f"https://{PROJECT}.supabase.co"},
    VAULT: OWN,
    DESCRIPTION: {
        "S3_BUCKET_NAME": "valuecanvas-backups",
        "SECRETS_MANAGER_SECRET_NAME": "valuecanvas/production/secrets",
        "TOKEN": "0123456789abcdef0123456789abcdef",
    },
}
GONE = "403 for everybody"


def places(**changed):
    """Return the places; None takes a variable away."""
    made = {}
    for place, values in GOOD.items():
        said = values | changed.get(place, {})
        made[place] = Place({name: value for name, value in said.items() if value is not None})
    return made


def amiss(given, **more):
    rows = put_together(given, **more)
    assert {row["standing"] for row in rows[:1]} >= {Verdict.worst([Verdict(row["standing"]) for row in rows])}
    return {row["variable"]: (row["standing"], row["finding"]) for row in rows if row["standing"] != OK}


def test_the_variables_are_the_guides_and_those_that_its_commands_need():
    wanted = {one for one in catalogue.items() if one.startswith(("ENV-VARD-", "ENV-VARP-", "ENV-VARL-0", "IMP-ENV-"))}
    # The whole list in one item; a rule for all names, and what a provider says of a key.
    others = {"ENV-VARP-00", "ENV-VARL-03", "ENV-VARL-04", "ENV-VARL-05"}
    assert {one.item for one in KNOWN.values()} == wanted - others


def test_what_is_right_everywhere_is_ok_and_told_by_place():
    rows = {row["variable"]: row for row in put_together(places())}
    assert amiss(places()) == {}
    assert rows.keys() == KNOWN.keys()
    cells = {name: [rows[name][place] for place in GOOD] for name in ("JWT_SECRET", "VITE_APP_URL", "S3_BUCKET_NAME")}
    assert cells == {
        "JWT_SECRET": ["given", "", "same", ""],
        "VITE_APP_URL": ["", "given", "", ""],
        "S3_BUCKET_NAME": ["given", "", "", "same"],
    }


WRONG = [
    (CLUSTER, "CSRF_PROTECTION_ENABLED", "false", CRITICAL, "is not true"),
    (CLUSTER, "OPENAI_API_KEY", "sk-your-key-here", CRITICAL, "is a template's value"),
    (CLUSTER, "AWS_ACCESS_KEY_ID", None, CRITICAL, "is not set for the API"),
    (HOSTER, "VITE_APP_URL", None, CRITICAL, "is not set for builds of the front end"),
    (HOSTER, "VITE_APP_ENV", "staging", CRITICAL, "is not production"),
    (HOSTER, "VITE_API_BASE_URL", "http://localhost:3000", CRITICAL, "leads to the machine itself"),
    (HOSTER, "VITE_APP_URL", "https://[::1]/", CRITICAL, "leads to the machine itself"),
    (HOSTER, "VITE_TOGETHER_API_KEY", OWN["TOGETHER_API_KEY"], CRITICAL, "is a secret under a name that every browser"),
    (HOSTER, "VITE_AGENT_API_URL", "http://localhost:8001", WARNING, "leads to the machine itself"),
    (CLUSTER, "CORS_ALLOWED_ORIGINS", "https://valuecanvas.com,https://127.0.0.1", CRITICAL, "the machine itself"),
    (CLUSTER, "DATABASE_URL", "postgres://api@0.0.0.0/db?sslmode=require", CRITICAL, "leads to the machine itself"),
    (CLUSTER, "DATABASE_URL", "postgres://api@db.valuecanvas.com/db", WARNING, "TLS (sslmode is not said)"),
    (CLUSTER, "DATABASE_URL", "postgres://api@db/db?sslmode=disable", WARNING, "(sslmode disable)"),
    (CLUSTER, "REDIS_URL", "redis://:word@cache.valuecanvas.com:6379", WARNING, "is without TLS (redis://)"),
    (CLUSTER, "NODE_ENV", "development", CRITICAL, "is not production"),
    (CLUSTER, "CHAOS_ENABLED", "true", CRITICAL, "is on, and is for tests alone"),
    (CLUSTER, "S3_BUCKET_NAME", "valuecanvas-elsewhere", WARNING, "another one in the description than in the cluster"),
    (
        CLUSTER,
        "JWT_SECRET",
        "b7" * 6 + "another-secret-altogether",
        WARNING,
        "another one in the vault than in the clust",
    ),
    (CLUSTER, "SUPABASE_SERVICE_KEY", None, WARNING, "is not set as SUPABASE_SERVICE_KEY, which the product's servers"),
    (DESCRIPTION, "TOKEN", None, WARNING, "is not set for the guide's commands"),
    (DESCRIPTION, "TOKEN", "short", WARNING, "does not look like a token"),
    (VAULT, "HOSTED_ZONE_ID", "/hostedzone/Z1", WARNING, "is no hosted zone's id"),
    (VAULT, "ADMIN_TOKEN", None, WARNING, "is not set for the guide's commands"),
]


@pytest.mark.parametrize(("place", "name", "value", "verdict", "said"), WRONG)
def test_what_production_must_not_get_is_told_without_its_value(place, name, value, verdict, said):
    found = amiss(places(**{place: {name: value}}))
    (row,) = [row for key, row in found.items() if key in (name, "SUPABASE_SERVICE_ROLE_KEY")]
    assert (row[0], said in row[1]) == (verdict, True), row
    assert len(found) == 1
    assert value is None or value in ("true", "short") or value not in str(found)


def test_the_description_may_say_that_production_is_on_this_machine():
    here = "http://127.0.0.1:8123/supabase"
    given = places(hoster={"VITE_SUPABASE_URL": f"{here}/"})
    assert amiss(given, own=[here]) == {}
    assert amiss(given)["VITE_SUPABASE_URL"] == (CRITICAL, "leads to the machine itself")


def test_two_names_for_one_key_must_have_the_same():
    found = amiss(places(cluster={"SUPABASE_SERVICE_KEY": "another"}))
    said = "is another one as SUPABASE_SERVICE_KEY, which the product's servers read"
    assert found == {
        "SUPABASE_SERVICE_ROLE_KEY": (WARNING, said),
        "SUPABASE_SERVICE_KEY": (WARNING, "is another one in the vault than in the cluster"),
    }


def test_of_staging_it_is_asked_to_be_staging():
    staging = places(hoster={"VITE_APP_ENV": "staging"})
    assert amiss(staging, stage="staging") == {}
    assert amiss(places(), stage="staging").keys() == {"VITE_APP_ENV"}


def test_what_the_vault_alone_has_reaches_the_api_only_where_it_is_told_to_look_there():
    alone = {"JWT_SECRET": None}
    assert amiss(places(cluster=alone)) == {}
    off = amiss(places(cluster=alone | {"SECRETS_MANAGER_ENABLED": "false"}))
    assert off["JWT_SECRET"] == (CRITICAL, "is not set for the API, though in the vault")
    assert off.keys() == {"JWT_SECRET", "SECRETS_MANAGER_ENABLED"}
    other = amiss(places(cluster=alone | {"SECRETS_MANAGER_SECRET_NAME": "valuecanvas/others"}))
    assert other["JWT_SECRET"] == off["JWT_SECRET"]
    assert other.keys() == {"JWT_SECRET", "SECRETS_MANAGER_SECRET_NAME"}


@pytest.mark.parametrize(
    ("place", "lost"),
    [
        (
            CLUSTER,
            {name for name, one in KNOWN.items() if not name.startswith("VITE_") and "IMP-ENV-0" not in one.item},
        ),
        (HOSTER, {name for name in KNOWN if name.startswith("VITE_")}),
        (VAULT, {"ADMIN_TOKEN", "HOSTED_ZONE_ID"}),
    ],
)
def test_a_place_that_nobody_could_look_at_is_unknown_for_what_it_alone_tells(place, lost):
    found = amiss(places() | {place: Place(why=GONE)})
    assert {row[0] for row in found.values()} == {UNKNOWN}
    assert found.keys() - {"DATABASE_URL"} == lost
    assert all(GONE in row[1] for row in found.values())


def test_what_another_place_has_is_judged_all_the_same():
    found = amiss(places(vault={"JWT_SECRET": "short"}) | {CLUSTER: Place(why=GONE)})
    assert found["JWT_SECRET"] == (CRITICAL, f"has fewer than 32 characters; {GONE}")


def test_a_value_that_is_hidden_is_unknown_with_the_reason_and_a_hidden_secret_is_seen_by_its_name():
    given = places(hoster={"VITE_SENTRY_DSN": None})
    why = "is set, and vercel does not show it"
    hidden = dict.fromkeys(("VITE_SENTRY_DSN", "VITE_OPENAI_API_KEY", "VITE_HARMLESS", "NUXT_PUBLIC_JWT_SECRET"), why)
    rows = put_together(given | {HOSTER: Place(given[HOSTER].values, hidden)})
    told = {row["variable"]: (row["standing"], row["finding"], row["hoster"]) for row in rows if row["standing"] != OK}
    assert told == {
        "VITE_OPENAI_API_KEY": (CRITICAL, "is a secret under a name that every browser gets", "hidden"),
        "VITE_SENTRY_DSN": (UNKNOWN, why, "hidden"),
        "NUXT_PUBLIC_JWT_SECRET": (
            WARNING,
            "is a secret under a name that builds with Nuxt give to every browser",
            "hidden",
        ),
    }


def test_a_part_that_could_not_be_read_leaves_the_rest_judged():
    rest = {name: value for name, value in GOOD[CLUSTER].items() if name not in API_SECRETS}
    switched = rest | {"SECRETS_MANAGER_ENABLED": "false"}
    found = amiss(places() | {CLUSTER: Place(switched, why=GONE)})
    assert found["SECRETS_MANAGER_ENABLED"][0] == CRITICAL
    assert {name for name, row in found.items() if row[0] == UNKNOWN} == API_SECRETS.keys() - {"SUPABASE_SERVICE_KEY"}
