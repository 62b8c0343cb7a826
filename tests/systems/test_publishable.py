"""Which names and which values may go into what every browser gets."""

import pytest

from opslib.lab.production import PROJECT, anonymous
from opslib.redaction import Secret
from opslib.systems.publishable import ANON_KEY, PUBLIC, URL, secret_by_name, unpublishable


@pytest.mark.parametrize(
    "name",
    [
        *("VITE_TOGETHER_API_KEY", "VITE_OPENAI_API_KEY", "VITE_SUPABASE_SERVICE_ROLE_KEY", "VITE_LLM_API_KEY"),
        *(
            "VITE_JWT_SECRET",
            "VITE_DB_PASSWORD",
            "VITE_SENTRY_AUTH_TOKEN",
            "VITE_DATABASE_URL",
            "VITE_SUPABASE_ANON_KEYS",
        ),
        # Whichever framework's build would publish it.
        *("NEXT_PUBLIC_TOGETHER_API_KEY", "REACT_APP_JWT_SECRET", "NUXT_PUBLIC_DB_PASSWORD", "EXPO_PUBLIC_API_KEY"),
        "PUBLIC_STRIPE_SECRET_KEY",
    ],
)
def test_a_name_that_says_secret_is_told(name):
    assert secret_by_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *(*PUBLIC, "VITE_STRIPE_PUBLISHABLE_KEY", "VITE_POSTHOG_KEY", "VITE_APP_URL", "X_KEY"),
        *("NEXT_PUBLIC_SUPABASE_ANON_KEY", "REACT_APP_API_URL", "PUBLIC_KEY", "PUBLIC_KEY_PEM", "TOGETHER_API_KEY"),
    ],
)
def test_a_name_that_is_made_to_be_public_is_not_told(name):
    assert not secret_by_name(name)


@pytest.mark.parametrize("key", [anonymous(PROJECT), "sb_publishable_aB3dE6gH9kM2pQ5s", anonymous(PROJECT) + "x"])
def test_an_anonymous_key_may_be_published(key):
    assert unpublishable(ANON_KEY, Secret(key), PROJECT) is None
    assert unpublishable(ANON_KEY, Secret(key), None) is None


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (anonymous(PROJECT, "service_role"), "service_role"),
        (anonymous(PROJECT, "authenticated"), "another role"),
        (anonymous(PROJECT, until=1_700_000_000), "expired"),
        (anonymous("anotherprojectsrefer"), "another project"),
        ("sb_secret_aB3dE6gH9kM2pQ5s", "secret key"),
        ("sb_publishable_x", "neither"),
        ("sk-proj-aB3dE6gH9kM2pQ5s", "neither"),
        ("a.b.c", "neither"),
        ("a.W10.c", "neither"),
        ("", "neither"),
    ],
)
def test_another_key_may_not_and_is_not_repeated(key, why):
    said = unpublishable(ANON_KEY, Secret(key), PROJECT)
    assert said is not None
    assert why in said
    assert not key or key not in said


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("https://labvaluecanvaslabref.supabase.co", True),
        ("http://127.0.0.1:5000/supabase", True),
        ("https://somebody:word@db.example", False),
        ("postgresql://a/b", False),
        ("https://a.example?apikey=b", False),
        ("your-url", False),
    ],
)
def test_an_address_is_plain_or_refused(address, may):
    assert (unpublishable(URL, Secret(address), None) is None) is may
