"""Approvals as files. The forgeries are those of goal P1: each is refused, and with its own reason."""

import subprocess
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from opslib.errors import Refused, UsageError
from opslib.runs import approvals, signed
from opslib.systems import ssh_keygen
from tests.descriptions import description
from tests.runs.forgeries import FORGERIES, GLASS, World
from tests.signing import APPROVER, CREATED, MOMENT, Keys, plan


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def world(tmp_path, keys):
    return World(tmp_path, keys)


def test_two_approvals_of_two_others_count(world):
    ben, cat = world.approve("ben"), world.approve("cat")
    decision = world.decide()
    assert [replace(one, fingerprint="") for one in decision.counted] == [ben, cat]
    assert [one.fingerprint for one in decision.counted] == [world.keys.fingerprint(n) for n in ("ben", "cat")]
    assert not decision.break_glass


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_approval_is_refused_with_the_reason(world, name):
    cheat, why, applying = FORGERIES[name]
    cheat(world)
    with pytest.raises((Refused, UsageError), match=f"(?s){why}"):
        world.decide(applying)


def test_there_are_at_least_forty_forgeries():
    assert len(FORGERIES) >= 40


def test_a_broken_glass_lets_even_who_asked_and_is_told(world):
    world.approve("ann", **GLASS)
    assert world.decide().break_glass


def test_what_is_changed_after_it_was_read_changes_nothing_of_what_was_verified(world):
    world.approve("ben")
    world.approve("cat")
    world.revoke(f"{world.keys.public('eve')}\n".encode())
    before = {path.name: path.read_bytes() for path in (*world.folder.iterdir(), world.signers)}
    found = world.collect()
    for path in (*world.folder.iterdir(), world.signers, world.revoked):
        path.write_bytes(b"changed")
    copies = dict(found.copies)
    assert copies.pop("revoked_keys").startswith(b"ssh-ed25519 ")
    assert copies == before
    assert len(found.approvals) == 2


def test_what_is_kept_of_a_run_verifies_by_hand(world, tmp_path):
    world.approve("ben")
    world.approve("cat")
    for name, data in world.collect().copies:
        (tmp_path / name).write_bytes(data)
    (tmp_path / "plan.json").write_bytes(world.data)
    for who in ("ben@valuecanvas", "cat@valuecanvas"):
        command = ["ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-n", "opslib-approve"]
        command += ["-I", who, "-s", f"{who}.approval.sig"]
        with (tmp_path / f"{who}.approval").open("rb") as statement:
            said = subprocess.run(command, stdin=statement, cwd=tmp_path, capture_output=True, timeout=20)
        assert said.stdout.startswith(b'Good "opslib-approve" signature for ' + who.encode())
        summed = ["sha256sum", "-c", f"{who}.approval"]
        assert subprocess.run(summed, cwd=tmp_path, capture_output=True, timeout=20).stdout == b"plan.json: OK\n"


def test_junk_is_told_and_keeps_no_approval_from_counting(world):
    world.approve("ben")
    world.approve("cat")
    (world.folder / "notes.txt").write_text("hello")
    (world.folder / "link").symlink_to("/etc/passwd")
    (world.folder / "z.approval").write_bytes(b"\x00" * 100)
    found = world.collect()
    assert len(found.approvals) == 2
    assert [said.partition(":")[0] for said in found.refusals] == ["z.approval", "link", "notes.txt"]
    assert len(world.decide().counted) == 2


def test_beside_a_plan_that_was_carried_other_files_are_nobodys_business(world):
    world.approve("ben")
    (world.folder / "plan.json").write_bytes(world.data)
    (world.folder / "notes.txt").write_text("hello")
    assert world.collect().refusals == ()


def test_of_two_approvals_by_one_name_the_newest_stands(world, tmp_path):
    world.approve("ben", expires_at=MOMENT)
    (tmp_path / "carried").mkdir()
    other = World(tmp_path / "carried", world.keys)
    newer = other.approve("ben", signed_at=CREATED + timedelta(minutes=2))
    for folders in ([world.folder, other.folder], [other.folder, world.folder]):
        found = approvals.collect(folders, world.data, description("production", **world.settings), MOMENT)
        assert [replace(one, fingerprint="") for one in found.approvals] == [newer]
        assert [name for name, _ in found.copies] == [
            "ben@valuecanvas.approval",
            "ben@valuecanvas.approval.sig",
            "allowed_signers",
        ]


def test_a_folder_of_countless_files_is_not_read_to_its_end(world):
    for number in range(5000):
        (world.folder / str(number)).touch()
    assert len(world.collect().refusals) == 20
    (world.folder / "one more").touch()
    told = world.collect().refusals
    assert told[-1] == "approvals: The folder holds more than 5000 files; not all were looked at."
    assert len(told) == 21


def test_of_many_approvals_fifty_are_looked_at_and_of_what_is_none_twenty_are_told(world):
    for number in range(52):
        (world.folder / f"s{number:02}.approval").touch()
    for number in range(22):
        (world.folder / f"a{number:02}.approval.sig").touch()
        (world.folder / f"j{number:02}").touch()
    for name in ("allowed_signers", "revoked_keys"):
        (world.folder / name).touch()
    told = world.collect().refusals
    assert [said.partition(":")[0] for said in told[:50]] == [f"s{number:02}.approval" for number in range(50)]
    assert told[50] == "s50.approval: There are too many to look at."
    assert [said.partition(":")[0] for said in told[51:71]] == [f"a{number:02}.approval.sig" for number in range(20)]
    assert told[71:] == tuple(f"j{number:02}: It is no approval." for number in range(20))


def test_of_a_long_name_a_hundred_and_twenty_letters_are_told_and_none_that_steers_a_terminal(world):
    (world.folder / ("\x1b" + "x" * 200)).touch()
    assert world.collect().refusals == ("?" + "x" * 119 + ": It is no approval.",)


def test_a_statement_that_is_a_link_or_too_large_is_told_with_the_reason(world):
    (world.folder / "a.approval").symlink_to(world.signers)
    (world.folder / "b.approval").write_bytes(b"x" * 100_000)
    link, large = world.collect().refusals
    assert link.endswith(" bytes: Too many levels of symbolic links.")
    assert large.endswith(" bytes.")


def test_an_approval_of_another_plan_names_it(world):
    one = world.approve("ben")
    world.change_plan(requested_by="ben@bastion")
    assert world.collect().refusals == (
        f"ben@valuecanvas.approval: It is for another plan: {one.work} with the SHA-256 {one.sha256[:12]}….",
    )


def test_of_two_approvals_of_the_same_second_the_first_that_is_found_stands(world, tmp_path):
    world.approve("ben", reason="first")
    (tmp_path / "carried").mkdir()
    other = World(tmp_path / "carried", world.keys)
    other.approve("ben", reason="second")
    found = approvals.collect(
        [world.folder, other.folder], world.data, description("production", **world.settings), MOMENT
    )
    assert [one.reason for one in found.approvals] == ["first"]


def test_without_an_approval_no_list_is_kept(world):
    world.revoke(f"{world.keys.public('cat')}\n".encode())
    assert world.collect().copies == ()
    world.approve("ben")
    assert [name for name, _ in world.collect().copies][2:] == ["allowed_signers", "revoked_keys"]


def test_a_list_of_keys_has_four_megabytes_at_most(tmp_path):
    path = tmp_path / "allowed_signers"
    path.write_bytes(b"#" * 4 * 1024 * 1024)
    path.chmod(0o600)
    assert signed.trusted(path, None) == signed.Trust(path.read_bytes())
    assert signed.Trust(b"").revoked is None
    path.write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    with pytest.raises(Refused, match="is no plain file, or too large"):
        signed.trusted(path, None)


def test_a_folder_that_is_not_there_or_none_holds_no_approvals(world):
    missing, file = world.base / "missing", world.signers
    found = approvals.collect([missing, file], world.data, description("production", **world.settings), MOMENT)
    assert (found.approvals, found.copies) == ((), ())
    assert found.refusals == ("allowed_signers: The folder cannot be read: Not a directory.",)


def test_who_asked_is_every_name_and_key_of_the_person(world):
    keys = world.keys
    world.allow(keys.line("ann"), keys.line("ann", "", "anna@valuecanvas"), keys.line("spare", "", "anna@valuecanvas"))
    expected = {"ann@valuecanvas", "anna@valuecanvas", keys.fingerprint("ann"), keys.fingerprint("spare")}
    mapped = description("production", **world.settings)
    assert approvals.requesters(mapped, "ann") == expected
    world.settings["OPS_OPERATORS"] = None
    unmapped = description("production", **world.settings)
    assert approvals.requesters(unmapped, "ann") == expected | {"ann"}
    assert approvals.requesters(unmapped, "zoe") == {"zoe"}
    listed = world.signers.read_bytes()
    world.signers.unlink()
    assert approvals.requesters(unmapped, "ann") == {"ann"}
    # A list that was read already is not read again.
    assert approvals.requesters(unmapped, "ANN", listed) == expected | {"ANN"}
    assert approvals.requesters(mapped, "ann", b"") == {"ann@valuecanvas"}


# Approving


@pytest.fixture
def signing(world):
    """Approve as ben, unless told otherwise, into the world's folder."""

    def approve(who="ben", **more):
        said = {
            "key": world.keys[who],
            "principal": None,
            "kind": "approve",
            "reason": "",
            "expires": None,
            "trust": signed.trusted(world.signers, None),
            "unattended": (),
            "requested_by": approvals.requesters(description("production", **world.settings), "ann"),
            "moment": MOMENT,
        }
        return approvals.approve(world.data, world.folder, **{**said, **more})

    return approve


def test_an_approval_is_two_files_that_their_owner_alone_can_read(world, signing):
    path = signing(reason="as agreed", expires=timedelta(minutes=5))
    assert path == world.path("ben")
    assert sorted(file.name for file in world.folder.iterdir()) == [
        "ben@valuecanvas.approval",
        "ben@valuecanvas.approval.sig",
    ]
    assert {file.stat().st_mode & 0o777 for file in world.folder.iterdir()} == {0o600}
    (one,) = world.collect().approvals
    assert (one.reason, one.expires_at) == ("as agreed", MOMENT + timedelta(minutes=5))
    signing("cat")
    assert len(world.decide().counted) == 2


def test_the_folder_of_approvals_is_made_for_the_first_one(world, signing):
    world.folder.rmdir()
    assert signing() == world.path("ben")


def test_an_approval_never_outlives_its_plan(world, signing):
    signing(expires=timedelta(hours=9))
    assert world.collect().approvals[0].expires_at == plan().expires_at


def test_a_public_keys_file_signs_when_the_agent_holds_its_private_half(world, signing, tmp_path, monkeypatch):
    socket, program = tmp_path / "agent", str(ssh_keygen.find().with_name("ssh-agent"))
    public = tmp_path / "ben.pub"
    public.write_text(world.keys.public("ben"))
    agent = subprocess.Popen([program, "-D", "-a", str(socket)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        while not socket.exists():
            time.sleep(0.01)
        with pytest.raises(UsageError, match="did not sign"):
            signing(key=public)
        subprocess.run([program.replace("ssh-agent", "ssh-add"), "-q", str(world.keys["ben"])], check=True, timeout=20)
        assert signing(key=public) == world.path("ben")
    finally:
        agent.terminate()
        agent.wait(10)


def refused(name, why, error=Refused, **more):
    return pytest.param(SimpleNamespace(why=why, error=error, more=more), id=name)


@pytest.mark.parametrize(
    "case",
    [
        refused("plan_expired", "expired at", moment=plan().expires_at),
        refused("clock_moved_back", "before the plan was made", moment=CREATED - timedelta(minutes=1)),
        refused("nothing_needed", "needs no approval", unattended=("stage-restore", "swap-databases")),
        refused("requester", "is by who asked for the plan", who="ann"),
        refused("stranger", "This key cannot approve: .*is unknown", who="eve"),
        refused("name_of_another", "is ben@valuecanvas's, not cat@valuecanvas's", principal="cat@valuecanvas"),
        refused("no_key", "no key file", UsageError, key=Path("/nonexistent/key")),
        refused("glass_without_reason", "without a reason", UsageError, kind="break-glass"),
        refused("reason_not_ascii", "exact form", UsageError, reason="für später"),
        refused("who", "Who signs", UsageError, trust=None),
    ],
)
def test_what_would_not_count_is_not_signed(world, signing, case):
    with pytest.raises(case.error, match=case.why):
        signing(**case.more)
    assert list(world.folder.iterdir()) == []


def test_an_approval_is_not_written_over(world, signing):
    before = signing().read_bytes()
    with pytest.raises(Refused, match="There is an approval by ben@valuecanvas already"):
        signing(moment=MOMENT + timedelta(minutes=1))
    assert world.path("ben").read_bytes() == before


def test_a_key_that_expired_or_was_revoked_signs_nothing(world, signing):
    world.allow(world.keys.line("ben", f'{APPROVER},valid-before="20260101"'))
    with pytest.raises(Refused, match="has expired"):
        signing()
    world.allow(world.keys.line("ben"))
    with pytest.raises(Refused, match="is revoked"):
        signing(trust=signed.Trust(world.signers.read_bytes(), f"{world.keys.public('ben')}\n".encode()))
    assert list(world.folder.iterdir()) == []


def test_a_key_with_two_names_says_which(world, signing):
    world.allow(*(world.keys.line("ben", principal=name) for name in ("ben@valuecanvas", "ben@elsewhere")))
    with pytest.raises(UsageError, match="belongs to ben@valuecanvas, ben@elsewhere"):
        signing()
    assert signing(principal="ben@valuecanvas") == world.path("ben")


def test_without_a_list_of_signers_the_name_that_is_given_stands_until_it_is_applied(world, signing):
    signing("eve", trust=None, principal="cat@valuecanvas", requested_by=frozenset())
    signing()
    with pytest.raises(Refused, match=r"cat@valuecanvas.approval: .*is unknown"):
        world.decide()
