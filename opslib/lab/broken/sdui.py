"""Server-driven pages broken on purpose: one more page in the newest session, and what a browser meets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from opslib.lab.broken import Fault
from opslib.lab.broken.frontend import BACK, built, rebuilt
from opslib.settings import Settings
from opslib.systems.postgres import connect

PLANT = """update public.agent_sessions set workflow_state = workflow_state || jsonb_build_object(%s::text, %s::jsonb ||
  case when %s then jsonb_build_object('organizationId', organization_id) else '{}' end)
  where id = (select id from public.agent_sessions order by created_at desc, id limit 1)"""
TAKE = "update public.agent_sessions set workflow_state = workflow_state - %s::text where workflow_state ? %s"
BANNER = {"type": "component", "component": "InfoBanner", "version": 2, "props": {"title": "Quantify"}}
MEMBER = """update public.organization_members m set status = %s from (
  select organization_id, user_id from public.agent_sessions where status = 'active'
    order by created_at desc, id limit 1) s where m.organization_id = s.organization_id and m.user_id = s.user_id"""
DEPLOY = "runbooks/deploy-new-version"
STORED = "what makes such pages is mended by a commit; a page that is stored stays until its session gets another"


def _planted(key: str, *sections: dict[str, Any], own: bool = True, **page: Any) -> Callable[[Settings], None]:
    said = json.dumps({"type": "page", "version": 2, "sections": list(sections), **page})

    def make(settings: Settings) -> None:
        with connect(settings.database_url, "opslib:lab") as session:
            session.execute(PLANT, (key, said, own))

    return make


def _taken(key: str) -> Callable[[Settings], None]:
    def mend(settings: Settings) -> None:
        with connect(settings.database_url, "opslib:lab") as session:
            session.execute(TAKE, (key, key))

    return mend


def _member(status: str) -> Callable[[Settings], None]:
    def change(settings: Settings) -> None:
        with connect(settings.database_url, "opslib:lab") as session:
            session.execute(MEMBER, (status,))

    return change


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="component-not-registered",
        area="sdui",
        title="A page names a component that the deployed front end does not know (SDUI_002)",
        check="sdui-registry",
        notebook="",
        make=_planted("broken-registry", BANNER, {**BANNER, "component": "ForecastCard"}),
        mend=_taken("broken-registry"),
        person="whether the component is registered or not named any more, its team decides, by a commit",
    ),
    Fault(
        name="page-against-its-schema",
        area="sdui",
        title="A page has a section of no known type, and a key that its schema refuses (SDUI_001)",
        check="sdui-schema",
        notebook="",
        make=_planted("broken-schema", BANNER, {"type": "widget"}, layout="wide"),
        mend=_taken("broken-schema"),
        person=STORED,
    ),
    Fault(
        name="page-too-new",
        area="sdui",
        title="A page is of a version that the deployed front end does not support",
        check="sdui-version",
        notebook="",
        make=_planted("broken-version", BANNER, version=3),
        mend=_taken("broken-version"),
        person="the front end that supports it has to be written first, or the server makes pages of before",
    ),
    Fault(
        name="page-of-another-tenant",
        area="sdui",
        title="A page names another organization than its session's",
        check="sdui-tenant",
        notebook="",
        make=_planted("broken-tenant", BANNER, own=False, organizationId="00000000-0000-0000-0000-000000000000"),
        mend=_taken("broken-tenant"),
        person=STORED,
    ),
    Fault(
        name="member-suspended-at-work",
        area="sdui",
        title="Whoever has the newest session is suspended in its organization: every list is empty",
        check="sdui-unseen",
        notebook="",
        make=_member("suspended"),
        mend=_member("active"),
        person="whether the membership should be active, its organization decides",
    ),
    Fault(
        name="policy-keeps-scripts-out",
        area="sdui",
        title="The content security policy keeps the front end's own scripts out",
        check="sdui-opened",
        notebook=DEPLOY,
        make=built(every=True, policy="script-src 'none'"),
        mend=rebuilt("policy"),
    ),
    Fault(
        name="front-end-blank",
        area="sdui",
        title="The first script fails: nobody sees anything",
        # That nothing is painted is the effect; the browser's own error says why.
        check="sdui-opened",
        notebook=BACK,
        make=built(throws=True),
        mend=rebuilt("throws"),
    ),
)
