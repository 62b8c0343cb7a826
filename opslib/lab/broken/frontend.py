"""The front end broken on purpose: how the lab's hosters serve it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opslib.lab.broken import Fault
from opslib.lab.doors import change, remembered
from opslib.model import Verdict
from opslib.settings import Settings

BACK = "runbooks/roll-back-deployment"


def served(**said: Any) -> Callable[[Settings], None]:
    """Return what makes the hoster serve its site otherwise."""

    def make(settings: Settings) -> None:
        hoster = str(settings.hoster)
        known = dict(remembered(settings, hoster).get("site", {}))
        change(settings, hoster, site={**known, **said})

    return make


def mended(*names: str) -> Callable[[Settings], None]:
    """Return what makes the hoster serve its site as it should again."""

    def mend(settings: Settings) -> None:
        hoster = str(settings.hoster)
        known = dict(remembered(settings, hoster).get("site", {}))
        change(settings, hoster, site={name: said for name, said in known.items() if name not in names})

    return mend


def lack(settings: Settings) -> None:
    """Let the deployment that is live be one whose build left a file out; those before it are whole."""
    known = remembered(settings, str(settings.hoster))
    made = [one | {"lacks": ["canvas"]} if one["id"] == known["production"] else one for one in known["deployments"]]
    if not any(one.get("lacks") for one in known["deployments"]):
        change(settings, str(settings.hoster), deployments=made)


def whole(settings: Settings) -> None:
    """Let its build be whole, and production point at it again."""
    known = remembered(settings, str(settings.hoster))
    live = next((one["id"] for one in known["deployments"] if one.get("lacks")), None)
    if live is not None:
        made = [{name: said for name, said in one.items() if name != "lacks"} for one in known["deployments"]]
        change(settings, str(settings.hoster), deployments=made, production=live, automatic=True, request=None)


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="deployment-incomplete",
        area="frontend",
        title="The newest deployment was built without a file that is loaded later",
        check="front-end-whole",
        notebook=BACK,
        make=lack,
        mend=whole,
    ),
    Fault(
        name="front-end-too-heavy",
        area="frontend",
        title="The newest build has 400 kB more in its first script",
        check="front-end-size",
        notebook=BACK,
        make=served(heavy=400),
        mend=mended("heavy"),
    ),
    Fault(
        name="chunk-missing",
        area="frontend",
        title="A file that the front end loads later was not uploaded",
        check="front-end-whole",
        notebook="runbooks/deploy-new-version",
        make=served(missing=["canvas"]),
        mend=mended("missing"),
    ),
    Fault(
        name="document-kept-for-a-day",
        area="frontend",
        title="Browsers may keep the document for a day, and so name files of a former deployment",
        check="front-end-kept",
        notebook="runbooks/deploy-new-version",
        make=served(page_cache="public, max-age=86400"),
        mend=mended("page_cache"),
    ),
    Fault(
        name="former-files-gone",
        area="frontend",
        title="A deployment takes the files of the one before away",
        check="front-end-former-files",
        notebook="",
        make=served(keeps_old=False),
        mend=mended("keeps_old"),
        verdict=Verdict.WARNING,
        person="it is a setting of the hoster, or of the product's own upload",
    ),
    Fault(
        name="front-end-late",
        area="frontend",
        title="The first script takes three seconds to reach a browser: nobody sees anything until then",
        check="front-end-first-paint",
        notebook=BACK,
        make=served(late=3.3),
        mend=mended("late"),
    ),
)
