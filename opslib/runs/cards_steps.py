"""Steps and plans as HTML cards: the guide's text beside the safe form, before and after, what was verified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opslib.canonical import digest
from opslib.runs.cards import TONES, amount, badge, facts, items_of, rows_of, sub, text_of
from opslib.runs.markup import Html, join, tag, visible
from opslib.runs.tables import in_words, named, shown, table, unit_in

Said = Mapping[str, Any]


def plan(said: Said) -> Html:
    """Return what a step would do: the card of a step that was planned only."""
    return _step(said, said, "planned")


def evidence(said: Said) -> Html:
    """Return what a step did: its plan, what it produced, and what the look afterwards said."""
    return _step(sub(said, "plan"), said, text_of(said, "status") or "in doubt")


def _step(plan: Said, said: Said, status: str) -> Html:
    touched = step_touches(plan)
    head = [badge(status), " ", tag("strong", text_of(plan, "title") or text_of(said, "title"))]
    verification = sub(said, "verification")
    about = facts(
        ("Effect", f"{text_of(plan, 'effect')}, {text_of(plan, 'repeat')}".strip(", ")),
        ("Touches", touched),
        ("Verification", verified(verification) or text_of(plan, "verification")),
        ("Undo", text_of(plan, "undo")),
        ("Unknown yet", join((text for text in plan.get("unknown") or ()), "; ")),
        ("Took", amount(said.get("seconds") or None, "s")),
        ("Guide", items_of(plan)),
        ("Plan digest", tag("code", step_digest(plan)[:12], title=step_digest(plan))),
    )
    values = sub(said, "values")
    return tag(
        "div",
        tag("p", *head, class_="ops-head"),
        _beside(plan),
        _change(plan),
        _observed(plan),
        about,
        table(rows_of(verification), "Proof") if rows_of(verification) else None,
        table([{named(name, unit_in(name)): in_words(name, value) for name, value in values.items()}], "Produced")
        if values
        else None,
        class_=f"ops ops-card ops-{TONES.get(status, 'plain')}",
    )


def step_touches(plan: Said) -> str:
    """Return how many things of what kind a plan changes; says so when that is not known yet."""
    if "touches" not in plan:
        return ""
    touches, touched = plan.get("touches"), text_of(plan, "touched")
    count = "unknown until an earlier step has run" if touches is None else amount(touches, "")
    return f"{count} ({touched})" if touches is None and touched else f"{count} {touched}".strip()


def step_digest(plan: Said) -> str:
    """Return the plan's digest as recorded beside it, else computed from what is there."""
    if text_of(plan, "digest") or not plan:
        return text_of(plan, "digest")
    named = {name: value for name, value in plan.items() if name != "digest"}
    # What moves by itself is no part of it.
    return digest(named | {"observed": {}} if "observed" in named else named)


def verified(verification: Said) -> Html | None:
    """Return what the look after a step said: badge and sentence."""
    if not verification:
        return None
    return join([badge(text_of(verification, "verdict") or "UNKNOWN"), " ", text_of(verification, "summary")])


def _beside(plan: Said) -> Html | None:
    """The guide's text beside the safe form, where they differ."""
    guide = text_of(plan, "guide")
    form = [tag("code", text_of(plan, "action"))]
    for name, value in sub(plan, "parameters").items():
        form += [tag("br"), tag("code", f"{name} = {shown(value)[0]}")]
    runs = tag("div", tag("h4", "What runs here"), tag("p", *form))
    reason = tag("p", tag("strong", "Why: "), text_of(plan, "reason")) if text_of(plan, "reason") else None
    if not guide:
        return tag("div", runs, reason)
    says = tag("div", tag("h4", "The guide says"), tag("pre", visible(guide)))
    return tag("div", says, tag("div", runs, reason), class_="ops-beside")


def _change(plan: Said) -> Html | None:
    before, after = sub(plan, "before"), sub(plan, "after")
    names = list(dict.fromkeys([*before, *after]))
    if not names:
        return None
    rows = []
    for name in names:
        old, new = before.get(name), after.get(name)
        rows.append(
            {
                "what": named(name, unit_in(name)),
                "before": in_words(name, old),
                "after": in_words(name, new, old == new),
            }
        )
    return table(rows, "Before and after")


def _observed(plan: Said) -> Html | None:
    observed = sub(plan, "observed")
    if not observed:
        return None
    row = {named(name, unit_in(name)): in_words(name, value) for name, value in observed.items()}
    return table([row], "Observed: moves by itself, no part of what is approved")
