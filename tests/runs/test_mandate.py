"""Mandates as a rule: whose count, for how long and how often, and what they cover; forgeries each with its reason."""

from dataclasses import replace
from datetime import timedelta

import pytest

from opslib.errors import OpsError, Refused, UsageError
from opslib.model import Effect, Repeat
from opslib.runs import mandate, mandates
from opslib.runs.mandate import Mandate
from opslib.runs.saved_plan import sha256
from opslib.runs.signed import Trust
from opslib.systems import ssh_keygen
from tests.descriptions import description
from tests.signing import CREATED, MOMENT, WORK, Keys, plan, step

ROLE = 'namespaces="opslib-mandate"'
BASE = plan(steps=(step("take-backup", Effect.CHANGE), step("apply-retention", repeat=Repeat.IRREVERSIBLE, touches=2)))
SHA = sha256(BASE.encode())
MOST = (("apply-retention", 5),)


def given(who="ben", **more):
    """A mandate as it is after its signature held."""
    at = CREATED + timedelta(minutes=5)
    said = {"kind": "give", "work": WORK, "sha256": SHA, "principal": f"{who}@valuecanvas", "signed_at": at}
    said |= {"expires_at": at + timedelta(days=30), "uses": 30, "most": MOST, "fingerprint": f"SHA256:{who}"}
    return Mandate(**{**said, **more})


def revoked(who="dan", **more):
    at = CREATED + timedelta(minutes=8)
    return given(who, kind="revoke", signed_at=at, expires_at=at, uses=0, most=(), **more)


REVOKED = {name: getattr(revoked(), name) for name in ("kind", "signed_at", "expires_at", "uses", "most")}


def decide(*mandates, environment="production", unattended=(), moment=MOMENT, requesters=frozenset()):
    return mandate.decide(
        BASE, SHA, mandates, environment=environment, requesters=requesters, unattended=unattended, moment=moment
    )


def test_two_others_let_a_destructive_plan_be_applied_and_the_least_of_what_they_say_counts():
    found = decide(given("ben", uses=10), given("cat", most=(("apply-retention", 3), ("take-backup", 1))))
    assert (found.uses, found.most, len(found.counted)) == (10, {"apply-retention": 3}, 2)
    assert found.until == given().expires_at


def test_at_least_one_other_person_gives_one_where_a_plan_itself_needs_nobody():
    both = [step.plan.action for step in BASE.steps]
    for environment, unattended in (("lab", ()), ("production", both)):
        with pytest.raises(Refused, match="needs mandates by 1 other"):
            decide(environment=environment, unattended=unattended)
        assert decide(given(), environment=environment, unattended=unattended).uses == 30


@pytest.mark.parametrize(
    ("mandates", "why"),
    [
        ([given()], "2 other people"),
        ([given(), given("cat", fingerprint="SHA256:ben")], "2 other people"),
        ([given(), given("ann")], "is by who asked for the plan"),
        ([given(), given("cat", fingerprint="")], "was not verified"),
        ([given(), given("cat", sha256="0" * 64)], "is for another plan"),
        ([given(), given("cat", work=WORK.replace("a1b2c3", "d4e5f6"))], "is for another plan"),
        ([given(), given("cat", signed_at=CREATED - timedelta(seconds=1))], "before the plan"),
        ([given(), given("cat", signed_at=MOMENT + timedelta(minutes=3))], "in the future"),
        ([given(), given("cat", expires_at=MOMENT)], "has expired"),
        ([given(), given("cat"), revoked()], "was revoked by dan"),
        ([given(), given("cat"), revoked("ann")], "was revoked by ann"),
        ([], "0 count"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_does_not_count_is_refused_with_the_reason(mandates, why):
    with pytest.raises(Refused, match=why):
        decide(*mandates)


def test_who_runs_the_schedule_gives_no_mandate_of_it():
    with pytest.raises(Refused, match="who asked"):
        decide(given(), given("cat"), requesters=frozenset({"cat@valuecanvas"}))


def test_a_revocation_of_another_plan_takes_nothing_back():
    assert decide(given(), given("cat"), revoked(sha256="0" * 64)).uses == 30


def like(**more):
    """Another plan of the same kind: made later, of other backups."""
    later = {"run": "20261124T020000Z-runbooks-restore-database-d4e5f6", "created_at": CREATED + timedelta(days=1)}
    return replace(BASE, **{**later, "expires_at": CREATED + timedelta(days=1, hours=1), **more})


def steps(first=None, second=None):
    one, two = BASE.steps
    changed = (
        replace(one, plan=replace(one.plan, **(first or {}))),
        replace(two, plan=replace(two.plan, **(second or {}))),
    )
    return {"steps": changed}


def test_a_plan_of_the_same_kind_is_covered_whatever_it_found():
    other = {"before": {"live": "x"}, "after": {"live": "y"}, "fingerprint": {"oid": 1}, "touches": 5}
    mandate.covers(BASE, like(**steps({"before": {}}, other)), dict(MOST))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"notebook": "runbooks/back-up-database"}, "notebook is another"),
        ({"notebook_sha256": "f" * 64}, "notebook sha256 is another"),
        ({"code_sha256": "f" * 64}, "code sha256 is another"),
        ({"environment": "staging"}, "environment is another"),
        ({"target": "f" * 64}, "target is another"),
        ({"parameters": {"backup": "oldest"}}, "parameters are others"),
        ({"parameters": {}}, "parameters are others"),
        ({"steps": BASE.steps[:1]}, "other steps"),
        ({"steps": BASE.steps[::-1]}, "other steps"),
        ({"steps": (*BASE.steps, step("drop-all"))}, "other steps"),
        (steps({"effect": Effect.DESTRUCTIVE}), "take-backup: effect is another"),
        (steps({"action": "clear-cache"}), "take-backup: action is another"),
        (steps({"repeat": Repeat.IRREVERSIBLE}), "take-backup: repeat is another"),
        (steps({"parameters": {"database": "other"}}), "take-backup: parameters is another"),
        (steps({"touches": 2}), "take-backup would touch 2 databases, and the mandate says 1 at most"),
        (steps(second={"touches": 6}), "apply-retention would touch 6"),
        (steps({"touches": None}), "take-backup: how much it would touch is not known"),
        (steps(second={"touches": None}), "apply-retention: how much"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_moved_is_not_covered(changed, why):
    with pytest.raises(Refused, match=why):
        mandate.covers(BASE, like(**changed), dict(MOST))


def test_what_destroys_or_cannot_be_undone_is_covered_only_by_name():
    with pytest.raises(Refused, match="apply-retention is destructive, irreversible, and the mandate does not name it"):
        mandate.covers(BASE, like(), {})
    assert not mandate.grave(step(effect=Effect.READ, repeat=Repeat.IRREVERSIBLE).plan)
    assert mandate.grave(step(effect=Effect.CHANGE, repeat=Repeat.IRREVERSIBLE).plan)
    assert mandate.grave(step(effect="odd").plan)


def test_what_was_unknown_to_who_read_the_plan_may_be_unknown_again():
    unknown = plan(steps=(step("prove-backup", Effect.CHANGE, touches=None),))
    mandate.covers(unknown, replace(unknown, run=like().run), {})
    with pytest.raises(Refused, match="not known"):
        mandate.covers(unknown, replace(unknown, run=like().run), {"prove-backup": 3})


def test_a_statement_has_one_form():
    for one in (given(), given(most=()), given(reason="as agreed"), revoked(), revoked(reason="it broke")):
        assert mandate.parse(one.encode(), one.fingerprint) == one
    text = given().encode()
    for wrong in (
        text + b"\n",
        text.replace(b"uses 30", b"uses 030"),
        text.replace(b"uses 30", b"uses 0"),
        text.replace(b"uses 30", b"uses 9999"),
        text.replace(b"kind give", b"kind keep"),
        text.replace(b"mandate 1", b"approval 1"),
        text.replace(b"\n", b"\r\n"),
        text.replace(b"# step", b"# step x at most 1\n# step"),
        text.replace(b"kind give", b"kind revoke"),
        b"\xff" + text,
        text * 40,
    ):
        with pytest.raises(ValueError):
            mandate.parse(wrong)


@pytest.mark.parametrize(
    "more",
    [
        {"expires_at": CREATED + timedelta(days=91)},
        {"expires_at": CREATED},
        {"uses": 0},
        {"uses": 2501},
        {"most": (("b", 1), ("a", 1))},
        {"most": (("a", 1), ("a", 2))},
        {"principal": "ben valuecanvas"},
        {"reason": "two\nlines"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_not_written(more):
    with pytest.raises(ValueError):
        given(**more).encode()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


class World:
    """Three people who may give mandates, one who may only approve, and a folder of mandates."""

    def __init__(self, folder, keys):
        self.keys, self.folder, self.signers = keys, folder / "mandates" / WORK, folder / "allowed_signers"
        lines = [keys.line(who, ROLE) for who in ("ben", "cat", "dan")]
        self.signers.write_text("".join([*lines, keys.line("eve"), keys.line("spare", "")]))
        self.revoked = folder / "revoked_keys"
        self.settings = description("production").model_copy(
            update={"allowed_signers": self.signers, "operators": {}, "revoked_keys": None}
        )

    def give(self, who, key=None, trust=None, **more):
        return mandates.sign(replace(given(who), **more), self.folder, key=self.keys[key or who], trust=trust)

    def collect(self):
        return mandates.collect(self.folder, self.settings, MOMENT)


@pytest.fixture
def world(tmp_path, keys):
    return World(tmp_path, keys)


def test_mandates_that_are_signed_are_found_and_kept_with_the_list_of_keys(world):
    assert world.collect().mandates == world.collect().copies == ()
    world.give("ben")
    world.give("cat")
    world.give(
        "dan", **{name: getattr(revoked(), name) for name in ("kind", "signed_at", "expires_at", "uses", "most")}
    )
    found = world.collect()
    assert [(one.kind, one.principal) for one in found.mandates] == [
        ("revoke", "dan@valuecanvas"),
        ("give", "ben@valuecanvas"),
        ("give", "cat@valuecanvas"),
    ]
    assert {one.fingerprint for one in found.mandates} == {world.keys.fingerprint(who) for who in ("ben", "cat", "dan")}
    assert "allowed_signers" in dict(found.copies)
    assert found.refusals == ()


def _strip(world):
    (world.folder / "ben@valuecanvas.mandate.sig").unlink()


def _edit(world):
    path = world.folder / "ben@valuecanvas.mandate"
    path.write_bytes(path.read_bytes().replace(b"uses 30", b"uses 99"))


def _no_form(world):
    (world.folder / "ben@valuecanvas.mandate").write_bytes(b"do what you like\n")


def _other(world):
    """The signature of another statement."""
    path = world.folder / "ben@valuecanvas.mandate.sig"
    world.give("cat")
    path.write_bytes((world.folder / "cat@valuecanvas.mandate.sig").read_bytes())
    for name in ("cat@valuecanvas.mandate", "cat@valuecanvas.mandate.sig"):
        (world.folder / name).unlink()


def _approvals_namespace(world):
    """Signed as an approval is."""

    path = world.folder / "ben@valuecanvas.mandate"
    path.with_name(f"{path.name}.sig").write_bytes(
        ssh_keygen.sign(path.read_bytes(), "opslib-approve", world.keys["ben"])
    )


def _link(world):
    path = world.folder / "ben@valuecanvas.mandate"
    path.rename(world.folder / "x")
    path.symlink_to(world.folder / "x")


def _rename(world):
    for end in ("", ".sig"):
        (world.folder / f"ben@valuecanvas.mandate{end}").rename(world.folder / f"cat@valuecanvas.mandate{end}")


def _revoke_key(world):
    world.revoked.write_text(world.keys.public("ben") + "\n")
    world.settings = world.settings.model_copy(update={"revoked_keys": world.revoked})


def _role_gone(world):
    world.signers.write_text(world.keys.line("ben"))


def _open_list(world):
    world.signers.chmod(0o666)


@pytest.mark.parametrize(
    ("cheat", "why"),
    [
        (_strip, "There is no signature"),
        (_no_form, "The statement"),
        (_edit, "ssh-keygen|does not verify|not signed|of other content"),
        (_other, "key|not signed|verify"),
        (_approvals_namespace, "namespace|purpose|opslib-mandate"),
        (_link, "is a link"),
        (_rename, "must be named"),
        (_revoke_key, "revoked"),
        (_role_gone, 'needs namespaces="opslib-mandate"'),
        (_open_list, "can be written by others"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_forged_stripped_or_withdrawn_mandate_counts_for_nothing(world, cheat, why):
    world.give("ben")
    cheat(world)
    found = world.collect()
    assert found.mandates == ()
    with pytest.raises(Refused, match=f"(?is){why}"):
        mandate.decide(
            BASE,
            SHA,
            found.mandates,
            environment="lab",
            requesters=frozenset(),
            unattended=(),
            moment=MOMENT,
            refusals=found.refusals,
        )


@pytest.mark.parametrize("who", ["eve", "spare", "host"])
def test_a_key_without_the_role_by_name_gives_none(world, who):
    trust = Trust(world.signers.read_bytes())
    with pytest.raises(Refused, match="may give mandates"):
        world.give(who, trust=trust)
    assert not world.folder.exists()
    world.give(who)
    assert world.collect().mandates == ()


def test_a_key_that_has_expired_since_gives_none_any_more(world):
    path = world.give("ben")
    assert path == world.folder / "ben@valuecanvas.mandate"
    for until, counts in ((MOMENT + timedelta(minutes=1), 1), (MOMENT - timedelta(minutes=1), 0)):
        world.signers.write_text(world.keys.line("ben", f'{ROLE},valid-before="{until:%Y%m%d%H%M%S}Z"'))
        found = world.collect()
        assert len(found.mandates) == counts, found.refusals
    assert "has expired" in found.refusals[0]


def test_a_lost_key_still_takes_back_what_it_revoked_before(world):
    world.give("ben", **REVOKED)
    _revoke_key(world)
    assert [one.kind for one in world.collect().mandates] == ["revoke"]


def test_a_second_one_by_the_same_name_is_not_written_over_the_first(world):
    world.give("ben")
    with pytest.raises(Refused, match="one by ben@valuecanvas already"):
        world.give("ben", uses=60)
    with pytest.raises(UsageError, match="90 days"):
        world.give("cat", expires_at=CREATED + timedelta(days=100))


def test_a_due_time_uses_a_mandate_once_and_so_many_do(tmp_path):
    hours = [CREATED + timedelta(hours=hour) for hour in range(4)]
    assert mandates.spend(tmp_path, hours[0], 3, (), {"run": "x"}) == 1
    with pytest.raises(Refused, match="used its mandate already"):
        mandates.spend(tmp_path, hours[0], 3, (), {})
    # What only a run tells of counts as well: the file may be gone.
    told = [f"{hours[1]:{mandates.USED}}"]
    with pytest.raises(Refused, match="used its mandate already"):
        mandates.spend(tmp_path, hours[1], 3, told, {})
    assert mandates.spend(tmp_path, hours[2], 3, told, {}) == 3
    with pytest.raises(Refused, match="used up: 3 of 3"):
        mandates.spend(tmp_path, hours[3], 3, told, {})
    assert len(mandates.used(tmp_path)) == 2


def test_uses_that_cannot_be_recorded_are_none(tmp_path):
    (tmp_path / "uses").write_text("")
    with pytest.raises(OpsError):
        mandates.spend(tmp_path, CREATED, 3, (), {})


def test_a_revocation_is_looked_at_before_all_else_that_lies_there(world):
    world.give("ben", **REVOKED)
    for number in range(60):
        (world.folder / f"0{number:02}.mandate").write_text("x")
    found = world.collect()
    assert [one.kind for one in found.mandates] == ["revoke"]
    assert len(found.refusals) == mandates.MOST - 1
