"""Every vendor's client against every fault that vendors have: one word for each, a next step, never a success."""

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import pytest

from opslib.errors import Unreachable
from opslib.lab.production import dummy
from opslib.redaction import Secret
from opslib.systems import hosters
from opslib.systems.github import ReadOnlyWorkflows
from opslib.systems.kubernetes import ReadOnlyCluster
from opslib.systems.llm_keys import PROVIDERS, Keys
from opslib.systems.openai import ReadOnlyProject
from opslib.systems.pagerduty import Pager
from opslib.systems.sentry import ReadOnlySentry
from opslib.systems.slack import Chat, ReadOnlyChat
from opslib.systems.status_pages import StatusPages
from opslib.systems.supabase import ReadOnlySupabase
from opslib.systems.supabase_door import ReadOnlyDoor
from opslib.systems.supabase_keyring import ReadOnlyKeyring
from tests.hosters import of
from tests.kubernetes import ClusterDoors
from tests.scale import NIGHTLY
from tests.vendors import Doors

KINDS = {
    "401": "unauthorized",
    "403": "forbidden",
    "404": "missing",
    "409": "conflict",
    "422": "rejected",
    "429": "limited",
    "500": "broken",
    "slow": "slow",
    "cut": "closed",
    "malformed": "malformed",
}


@dataclass(frozen=True)
class Client:
    """One vendor's client: what it is asked, at which stand-in and address; ``effect``: asked once, whatever comes."""

    stand_in: str
    ask: Any
    opened: Any
    path: str = ""
    effect: bool = False
    says_no: tuple[str, ...] = ()
    """Faults that are this question's own answer: no, the key is not taken."""


def hoster(name: str) -> Client:
    return Client(name, lambda it: it.current(), lambda s, d: hosters.looking(of(s, d, name).settings, s))


def keys(name: str, ask: Any = None, **more: Any) -> Client:
    provider, key = PROVIDERS[name], Secret(dummy(PROVIDERS[name].variable))
    return Client(name, ask or (lambda it: it.models(provider, key)), lambda s, _: Keys(s), **more)


def word(it: Keys) -> Any:
    return it.speak(PROVIDERS["together"], Secret(dummy("TOGETHER_API_KEY")))


def taken(it: ReadOnlyDoor) -> Any:
    return it.takes(Secret(dummy("SUPABASE_SERVICE_KEY")))


CLIENTS = {
    "Vercel": hoster("vercel"),
    "Netlify": hoster("netlify"),
    "Cloudflare Pages": hoster("cloudflare"),
    "Supabase Management": Client(
        "supabase", lambda it: it.project(), lambda s, _: ReadOnlySupabase(s, s.read_supabase_token)
    ),
    "Supabase keys": Client(
        "supabase", lambda it: it.api_keys(), lambda s, _: ReadOnlyKeyring(s, s.supabase_token), path="/api-keys"
    ),
    "Supabase Auth admin": Client(
        "supabase", taken, lambda s, _: ReadOnlyDoor(s), path="/auth/v1/admin", says_no=("401", "403")
    ),
    "GitHub": Client("github", lambda it: it.head("main"), lambda s, _: ReadOnlyWorkflows(s, s.read_github_token)),
    "Kubernetes": Client("kubernetes", lambda it: it.nodes(), lambda s, _: ReadOnlyCluster(s, s.read_kubernetes_token)),
    "PagerDuty": Client(
        "pagerduty",
        lambda it: it.trigger("the-run", "It burns.", "critical", "opslib, lab"),
        lambda s, _: Pager(s, s.pagerduty_key),
        effect=True,
    ),
    "Slack": Client("slack", lambda it: it.said("the-run"), lambda s, _: ReadOnlyChat(s, s.slack_token)),
    "Slack, said": Client("slack", lambda it: it.say("It burns."), lambda s, _: Chat(s, s.slack_token), effect=True),
    "Sentry": Client("sentry", lambda it: it.new_issues(24), lambda s, _: ReadOnlySentry(s, s.read_sentry_token)),
    "Together.ai": keys("together"),
    "Together.ai, one word": keys("together", word, path="/chat", effect=True),
    "OpenAI": keys("openai"),
    "OpenAI administration": Client(
        "openai", lambda it: it.listed(), lambda s, _: ReadOnlyProject(s, s.openai_admin_key)
    ),
    "Statuspage": Client("status", lambda it: it.page("github"), lambda s, _: StatusPages(s), path="/github/"),
}
PATIENT = {name for name, one in CLIENTS.items() if one.effect} | {
    *("Together.ai", "OpenAI", "Supabase Auth admin", "Statuspage")
}
"""They wait as long as they always do: an effect, and who opens a connection for each question."""
ELSEWHERE = ("Vercel", "Netlify", "Cloudflare Pages", "Supabase Management", "GitHub", "Kubernetes", "Sentry")
"""Their own files try most faults by day."""
OTHERWISE = {("slack", "409"): "rejected"}
"""Slack has no word for it."""


def test_every_vendor_of_the_lab_is_here_and_every_fault():
    assert {one.stand_in for one in CLIENTS.values()} == {
        *("vercel", "netlify", "cloudflare", "supabase", "github", "kubernetes", "pagerduty", "slack", "sentry"),
        *("together", "openai", "status"),
    }
    assert len(KINDS) == 10


@pytest.mark.parametrize("fault", KINDS)
@pytest.mark.parametrize("name", [name for name in CLIENTS if NIGHTLY or name not in ELSEWHERE])
def test_each_fault_has_its_word_at_every_vendor_and_is_never_a_success(lab, name, fault):
    client, settings = CLIENTS[name], lab.settings
    if fault == "slow" and name in PATIENT and not NIGHTLY:
        pytest.skip("waits for its whole time; in make nightly")
    doors = ClusterDoors(settings) if client.stand_in == "kubernetes" else Doors(settings)
    more = {"seconds": {"slow": 75, "429": 3600}[fault]} if fault in ("slow", "429") else {}
    kind = OTHERWISE.get((client.stand_in, fault), KINDS[fault])
    with ExitStack() as stack:
        stack.enter_context(doors.restored())
        handle = stack.enter_context(closing(client.opened(settings, doors)))
        if fault == "slow" and hasattr(handle, "_api"):
            handle._api.seconds = 0.8
        doors.forget()
        stack.enter_context(doors.fault(client.stand_in, fault, path=client.path, **more))
        if fault in client.says_no:
            assert client.ask(handle) is False
            return
        with pytest.raises(Unreachable) as told:
            client.ask(handle)
        calls = [call for call in doors.calls(client.stand_in) if client.path in call["path"]]
    assert (told.value.kind, bool(told.value.next_step)) == (kind, True), told.value.message
    assert not [one for one in settings.secrets() if one.reveal() in f"{told.value.message} {told.value.next_step}"]
    if fault != "slow" and (client.effect or kind not in ("broken", "closed", "limited")):
        # What is slow is told of only when it was answered.
        assert len(calls) == 1
    if fault == "429" and client.stand_in != "status":
        assert "3600 s" in told.value.next_step
