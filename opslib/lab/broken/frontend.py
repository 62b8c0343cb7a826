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


def built(*, every: bool = False, **said: Any) -> Callable[[Settings], None]:
    """Return what makes the build of the deployment that is live otherwise, or that of every one that there is.

    Those before it are as they were, so that a rollback mends it; where every one is so, a new deployment does.
    """

    def make(settings: Settings) -> None:
        known = remembered(settings, str(settings.hoster))
        if any(said.items() <= one.get("built", {}).items() for one in known["deployments"]):
            return
        made = [
            one | {"built": {**one.get("built", {}), **said}} if every or one["id"] == _live(known) else one
            for one in known["deployments"]
        ]
        change(settings, str(settings.hoster), deployments=made)

    return make


def _live(known: dict[str, Any]) -> str:
    asked = known["request"]
    return str(asked["to"] if asked is not None and not asked["fails"] else known["production"])


def rebuilt(*names: str) -> Callable[[Settings], None]:
    """Return what makes builds be as they should; where one alone was not, production points at it again."""

    def mend(settings: Settings) -> None:
        known = remembered(settings, str(settings.hoster))
        ill = [one["id"] for one in known["deployments"] if set(names) & one.get("built", {}).keys()]
        made = [
            one | {"built": {name: said for name, said in one.get("built", {}).items() if name not in names}}
            for one in known["deployments"]
        ]
        back = {"production": ill[0], "automatic": True, "request": None} if len(ill) == 1 else {}
        if ill:
            change(settings, str(settings.hoster), deployments=made, **back)

    return mend


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="deployment-incomplete",
        area="frontend",
        title="The newest deployment was built without a file that is loaded later",
        check="front-end-whole",
        notebook=BACK,
        make=built(missing=["canvas"]),
        mend=rebuilt("missing"),
    ),
    Fault(
        name="front-end-too-heavy",
        area="frontend",
        title="The newest build has 400 kB more in its first script",
        check="front-end-size",
        notebook=BACK,
        make=built(heavy=400),
        mend=rebuilt("heavy"),
    ),
    Fault(
        name="chunk-missing",
        area="frontend",
        title="A file that the front end loads later was uploaded with no deployment that there is",
        check="front-end-whole",
        notebook="runbooks/deploy-new-version",
        make=built(every=True, missing=["canvas"]),
        mend=rebuilt("missing"),
    ),
    Fault(
        name="document-kept-for-a-day",
        area="frontend",
        title="Browsers may keep the document for a day, and so name files of a former deployment",
        check="front-end-kept",
        notebook="runbooks/deploy-new-version",
        make=built(every=True, page_cache="public, max-age=86400"),
        mend=rebuilt("page_cache"),
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
        make=built(late=3.3),
        mend=rebuilt("late"),
    ),
)
