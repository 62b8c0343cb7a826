"""Ways to forge an approval (goal P1), each with the reason for which it must be refused."""

import base64
import os
import subprocess
from dataclasses import replace
from datetime import timedelta

from opslib import sshsig
from opslib.model import Effect
from opslib.runs import approval, approvals, saved_plan
from opslib.systems import ssh_keygen
from tests.descriptions import description
from tests.signing import APPROVER, CREATED, MOMENT, plan, step
from tests.signing import approval as agreed


class World:
    """A production target whose approvers are ben, cat and dan, and ann's plan that needs two of them."""

    def __init__(self, folder, keys):
        self.keys, self.base, self.folder = keys, folder, folder / "approvals"
        self.folder.mkdir()
        self.signers, self.revoked = folder / "allowed_signers", folder / "revoked"
        self.allow(*(keys.line(name) for name in ("ann", "ben", "cat", "dan")))
        self.settings = {"OPS_ALLOWED_SIGNERS": str(self.signers), "OPS_OPERATORS": "ann=ann@valuecanvas"}
        self.saved, self.moment, self.data = plan(), MOMENT, plan().encode()

    def allow(self, *lines):
        self.signers.write_text("".join(lines))
        self.signers.chmod(0o600)

    def revoke(self, data):
        self.revoked.write_bytes(data)
        self.revoked.chmod(0o600)
        self.settings["OPS_REVOKED_KEYS"] = str(self.revoked)

    def path(self, who, suffix=".approval"):
        return self.folder / f"{who}@valuecanvas{suffix}"

    def approve(self, who, *, key=None, namespace="opslib-approve", **changes):
        one = agreed(who, self.saved, **changes)
        armour = ssh_keygen.sign(one.encode(), namespace, self.keys[key or who])
        self.put(one.principal, one.encode(), armour)
        return one

    def put(self, principal, statement, armour):
        (self.folder / f"{principal}.approval").write_bytes(statement)
        (self.folder / f"{principal}.approval.sig").write_bytes(armour)

    def edit(self, who, before, after, suffix=".approval"):
        data = self.path(who, suffix).read_bytes()
        assert before in data
        self.path(who, suffix).write_bytes(data.replace(before, after))

    def change_plan(self, **changes):
        self.data = replace(self.saved, **changes).encode()

    def collect(self):
        return approvals.collect([self.folder], self.data, description("production", **self.settings), self.moment)

    def decide(self, environment="production"):
        """Judge as the command that applies a plan does; its bytes are read once."""
        settings, saved = description(environment, **self.settings), saved_plan.parse(self.data)
        found = approvals.collect([self.folder], self.data, settings, self.moment)
        return approval.decide(
            saved,
            saved_plan.sha256(self.data),
            found.approvals,
            environment=environment,
            requesters=approvals.requesters(settings, saved.requested_by.rpartition("@")[0]),
            unattended=settings.unattended_actions,
            moment=self.moment,
            refusals=found.refusals,
        )


FORGERIES = {}


def forgery(why, *, applying="production"):
    """Register a way to cheat; it is given a world in which nobody has approved yet."""

    def register(cheat):
        assert cheat.__name__ not in FORGERIES
        FORGERIES[cheat.__name__] = (cheat, why, applying)
        return cheat

    return register


def changed_plan(name, why="with another content", applying="production", **changes):
    def cheat(world):
        world.approve("ben")
        world.approve("cat")
        world.change_plan(**changes)

    FORGERIES[name] = (cheat, why, applying)


# The plan is another one than was approved.

ANOTHER = "It is for another plan"
LESS = (step("stage-restore", Effect.CHANGE), step(effect=Effect.CHANGE))
changed_plan("parameter_changed", ANOTHER, parameters={"backup": "oldest"})
changed_plan("step_left_out", ANOTHER, steps=(step(),))
changed_plan("step_added", ANOTHER, steps=(*plan().steps, step("drop-live")))
changed_plan("steps_in_another_order", ANOTHER, steps=plan().steps[::-1])
changed_plan("count_of_things_touched_changed", ANOTHER, steps=(plan().steps[0], step(touches=40)))
changed_plan("parameter_of_a_step_changed", ANOTHER, steps=(plan().steps[0], step(parameters={"database": "x"})))
changed_plan("fingerprint_of_the_target_changed", ANOTHER, steps=(plan().steps[0], step(fingerprint={"oid": 1})))
changed_plan("effect_played_down", ANOTHER, steps=LESS)
changed_plan("code_changed", ANOTHER, code_sha256="d" * 64)
changed_plan("notebook_changed", ANOTHER, notebook_sha256="d" * 64)
changed_plan("another_notebook", ANOTHER, notebook="runbooks/back-up-database")
changed_plan("target_changed", ANOTHER, target="d" * 64)
changed_plan("expiry_put_off", ANOTHER, expires_at=plan().expires_at + timedelta(hours=9))
changed_plan("made_out_to_another_requester", ANOTHER, requester="eve@valuecanvas", requested_by="eve@bastion")
changed_plan("another_run_of_the_same", ANOTHER, run="20261123T130615Z-runbooks-restore-database-d4e5f6")
changed_plan("environment_edited", ANOTHER, applying="staging", environment="staging")
changed_plan("plan_for_staging_on_production", "is for staging, not for production", environment="staging")


@forgery("is for production, not for staging", applying="staging")
def plan_for_production_where_less_is_needed(world):
    world.approve("ben")


@forgery("not in its canonical form")
def one_byte_of_the_plan_changed(world):
    world.approve("ben")
    world.approve("cat")
    world.data = world.data.replace(b"swap back", b"swap hack")


@forgery("not in its canonical form")
def one_space_more_in_the_plan(world):
    world.approve("ben")
    world.approve("cat")
    world.data = world.data.replace(b'"steps":', b'"steps": ')


# The requester is one of the approvers.


@forgery("ann@valuecanvas: is by who asked")
def requester_approves(world):
    world.approve("ann")
    world.approve("ben")


@forgery("anna@valuecanvas: is by who asked|anna@valuecanvas: is by a key of who asked")
def requester_has_a_second_name_for_the_same_key(world):
    world.allow(*(world.keys.line(n) for n in ("ann", "ben")), world.keys.line("ann", principal="anna@valuecanvas"))
    world.approve("ann", principal="anna@valuecanvas")
    world.approve("ben")


@forgery("anna@valuecanvas: is by who asked")
def requester_has_a_second_name_with_a_key_of_its_own(world):
    lines = [
        world.keys.line("spare", principal="anna@valuecanvas"),
        world.keys.line("ann", principal="anna@valuecanvas"),
    ]
    world.allow(world.keys.line("ann"), world.keys.line("ben"), *lines)
    world.approve("spare", principal="anna@valuecanvas")
    world.approve("ben")


@forgery("ann@elsewhere: is by who asked")
def requester_known_by_the_operating_systems_name_only(world):
    world.saved = plan(requester="ann")
    world.data = world.saved.encode()
    world.settings["OPS_OPERATORS"] = "zoe=zoe@valuecanvas"
    world.allow(world.keys.line("ann", principal="ann@elsewhere"), world.keys.line("ben"))
    world.approve("ann", principal="ann@elsewhere")
    world.approve("ben")


@forgery("cat@valuecanvas: is by who asked")
def requester_mapped_to_an_approver(world):
    world.settings["OPS_OPERATORS"] = "ann=cat@valuecanvas"
    world.approve("cat")
    world.approve("ben")


@forgery("ANN@valuecanvas: is by who asked")
def requester_in_capitals(world):
    world.allow(world.keys.line("spare", principal="ANN@valuecanvas"), world.keys.line("ben"))
    world.approve("spare", principal="ANN@valuecanvas")
    world.approve("ben")


# Too few people.


@forgery("needs approvals by 2 other people for production .*0 count")
def nobody_approves(world):
    pass


@forgery(r"1 count \(ben@valuecanvas\)")
def one_where_two_are_needed(world):
    world.approve("ben")


@forgery("It is by ben@valuecanvas and must be named ben@valuecanvas.approval")
def the_same_approval_twice_under_two_names(world):
    world.approve("ben")
    world.path("cat").write_bytes(world.path("ben").read_bytes())
    world.path("cat", ".approval.sig").write_bytes(world.path("ben", ".approval.sig").read_bytes())


@forgery("benjamin@valuecanvas: is the same person as ben@valuecanvas")
def one_key_with_two_names(world):
    world.allow(*(world.keys.line("ben", principal=f"{name}@valuecanvas") for name in ("ben", "benjamin")))
    world.approve("ben")
    world.approve("ben", principal="benjamin@valuecanvas", signed_at=CREATED + timedelta(minutes=2))


@forgery("Ben@valuecanvas: is the same person as ben@valuecanvas|ben@valuecanvas: is the same person as Ben")
def one_name_with_two_keys(world):
    world.allow(world.keys.line("ben"), world.keys.line("spare", principal="Ben@valuecanvas"))
    world.approve("ben")
    world.approve("spare", principal="Ben@valuecanvas")


# Keys that do not count.


@forgery("eve@valuecanvas.approval: .*is unknown")
def unknown_key(world):
    world.approve("ben")
    world.approve("eve")


@forgery("is eve@valuecanvas's, not cat@valuecanvas's")
def name_of_another_approver(world):
    world.allow(*(world.keys.line(name) for name in ("ben", "cat", "eve")))
    world.approve("ben")
    world.approve("cat", key="eve")


def listed(name, options, why, principal="cat@valuecanvas"):
    """Register that an allowed signer's line with these options does not let its key approve."""

    def cheat(world):
        world.allow(world.keys.line("ben"), world.keys.line("cat", options, principal))
        world.approve("ben")
        world.approve("cat")

    FORGERIES[name] = (cheat, f"cat@valuecanvas.approval: .*{why}", "production")


listed("key_without_namespaces", "", 'for no namespace by name; its line needs namespaces="opslib-approve"')
listed("key_for_every_namespace_by_a_pattern", 'namespaces="*"', "for no namespace by name")
listed("key_for_a_pattern_of_namespaces", 'namespaces="opslib-*"', "for no namespace by name")
listed("key_for_all_but_one_namespace", 'namespaces="!git,*"', "for no namespace by name")
listed("key_of_a_host", 'namespaces="opslib-archive"', "only for opslib-archive")
listed("key_of_an_auditor", 'namespaces="opslib-audit"', "only for opslib-audit")
listed("key_for_git", 'namespaces="git,file"', "only for file, git")
listed("key_of_a_certificate_authority", f"cert-authority,{APPROVER}", "for no namespace by name")
listed("name_by_a_pattern", APPROVER, "is unknown: no usable line", principal="*@valuecanvas")
listed("name_by_exclusion", APPROVER, "is unknown: no usable line", principal="!ann@valuecanvas,*@valuecanvas")
listed("key_expired", f'{APPROVER},valid-before="20260101"', r"has expired \(valid-before\)")
listed("key_expired_since_it_signed", f'{APPROVER},valid-before="20261123131000"', r"has expired \(valid-before\)")
listed("key_not_yet_valid", f'{APPROVER},valid-after="20990101"', r"not yet valid \(valid-after\)")
listed("key_not_yet_valid_when_it_signed", f'{APPROVER},valid-after="20261123131000"', r"not yet valid")
listed("same_option_twice", f"{APPROVER},{APPROVER}", "is unknown: no usable line")


@forgery("for no namespace by name|has expired")
def key_with_an_open_line_and_an_expired_one_for_approvals(world):
    expired = world.keys.line("cat", f'{APPROVER},valid-before="20260101"')
    world.allow(world.keys.line("ben"), world.keys.line("cat", ""), expired)
    world.approve("ben")
    world.approve("cat")


@forgery("is revoked")
def key_revoked_by_a_revocation_list(world):
    krl = world.base / "krl"
    command = [str(ssh_keygen.find()), "-k", "-q", "-f", str(krl), f"{world.keys['cat']}.pub"]
    subprocess.run(command, check=True, timeout=20)
    world.revoke(krl.read_bytes())
    world.approve("ben")
    world.approve("cat")


@forgery("is revoked")
def key_revoked_in_a_list_of_public_keys(world):
    world.revoke(f"# lost on the train\n{world.keys.public('cat')} cat\n".encode())
    world.approve("ben")
    world.approve("cat")


def unreadable_revocations(name, data, why):
    def cheat(world):
        world.revoke(data)
        world.approve("ben")
        world.approve("cat")

    FORGERIES[name] = (cheat, why, "production")


unreadable_revocations("revoked_keys_overwritten", b"\x00garbage\xff" * 9, "a line that is no public key: 1")
unreadable_revocations("revoked_keys_emptied", b"", "is empty")
unreadable_revocations("revoked_keys_cut", b"# lost\nssh-ed25519 AAAAC3NzaC1lZDI1", "a line that is no public key: 2")
unreadable_revocations("revoked_keys_cut_to_their_head", b"SSHKRL\n\0", "the list of revoked keys cannot be read")


@forgery("The list of revoked keys .* cannot be read: No such file")
def list_of_revoked_keys_removed(world):
    world.settings["OPS_REVOKED_KEYS"] = str(world.base / "gone")
    world.approve("ben")
    world.approve("cat")


@forgery("The list of allowed signers .* cannot be read: No such file")
def list_of_allowed_signers_removed(world):
    world.approve("ben")
    world.approve("cat")
    world.signers.unlink()


@forgery("can be written by others than its owner")
def list_of_allowed_signers_that_anybody_can_write(world):
    world.approve("ben")
    world.approve("cat")
    world.signers.chmod(0o666)


@forgery("Nobody's approval can be verified")
def no_list_of_allowed_signers_named(world):
    world.approve("ben")
    world.approve("cat")
    world.settings["OPS_ALLOWED_SIGNERS"] = None


@forgery("is no plain file")
def list_of_allowed_signers_that_is_a_device(world):
    world.approve("ben")
    world.approve("cat")
    world.settings["OPS_ALLOWED_SIGNERS"] = "/dev/zero"


# Signatures for another purpose.


def purposed(namespace):
    def cheat(world):
        world.approve("ben")
        world.approve("cat", namespace=namespace)

    FORGERIES[f"signed_for_{namespace}"] = (cheat, f"made for the namespace '{namespace}'", "production")


for purpose in ("git", "file", "opslib-archive", "opslib-audit", "opslib-approved"):
    purposed(purpose)


@forgery("does not belong to this text")
def namespace_rewritten_in_the_signature(world):
    world.approve("ben")
    world.approve("cat", namespace="git")
    parts = sshsig.parse(world.path("cat", ".approval.sig").read_bytes())
    world.path("cat", ".approval.sig").write_bytes(replace(parts, namespace=b"opslib-approve").encode())


# Statements for another plan, or edited.


@forgery("It is for another plan: 20261122")
def statement_of_another_plan(world):
    other = plan(run="20261122T130614Z-runbooks-restore-database-d4e5f6")
    world.approve("ben")
    world.approve("cat", work=other.run, sha256=saved_plan.sha256(other.encode()))


@forgery("is for the plan 20261122")
def approval_replayed_for_another_work_with_the_same_sum(world):
    world.approve("ben")
    world.approve("cat", work="20261122T130614Z-runbooks-restore-database-d4e5f6")


@forgery("is for the plan .*-apply")
def approval_for_the_run_that_applies(world):
    world.approve("ben")
    world.approve("cat", work=plan().run + "-apply")


@forgery("does not belong to this text")
def signature_copied_from_another_statement(world):
    world.approve("ben")
    world.approve("cat", reason="another one")
    world.path("cat").write_bytes(agreed("cat").encode())


@forgery("is ben@valuecanvas's, not cat@valuecanvas's")
def signature_copied_from_another_approver(world):
    world.approve("ben")
    world.approve("cat")
    world.path("cat", ".approval.sig").write_bytes(world.path("ben", ".approval.sig").read_bytes())


def edited(name, before, after, why="does not belong to this text", suffix=".approval", **changes):
    def cheat(world):
        world.approve("ben")
        world.approve("cat", **changes)
        world.edit("cat", before, after, suffix)

    FORGERIES[name] = (cheat, f"cat@valuecanvas.approval: .*{why}", "production")


OLD = {"sha256": "0" * 64}
FORM = "statement is not an approval in its exact form"
edited("sum_in_the_statement_edited", b"0" * 64, saved_plan.sha256(plan().encode()).encode(), **OLD)
edited("expiry_in_the_statement_edited", b"T14:06:14", b"T14:59:14")
edited("time_in_the_statement_edited", b"T13:07:14", b"T13:08:14")
edited("kind_in_the_statement_edited", b"kind approve", b"kind break-glass", reason="urgent")
edited("reason_in_the_statement_edited", b"reason tested", b"reason nothing", reason="tested")
edited("reason_in_the_statement_removed", b"# reason only on Sunday\n", b"", reason="only on Sunday")
edited("name_in_the_statement_edited", b"by cat@", b"by dan@", "is cat@valuecanvas's, not dan@valuecanvas's")
edited("line_added_to_the_statement", b"  plan.json\n", b"  plan.json\n# and more\n", FORM)
edited("statement_with_crlf", b"\n", b"\r\n", FORM)
edited("space_added_to_the_statement", b"# kind", b"#  kind", FORM)

# Signatures in another spelling: the same to ssh-keygen, another file to whoever archives it.

SIG = {"suffix": ".approval.sig"}
CANONICAL = "signature is n"
edited("text_after_the_signature", b"END SSH SIGNATURE-----\n", b"END SSH SIGNATURE-----\nmore\n", CANONICAL, **SIG)
edited("blank_line_after_the_signature", b"END SSH SIGNATURE-----\n", b"END SSH SIGNATURE-----\n\n", CANONICAL, **SIG)
edited("signature_with_crlf", b"\n", b"\r\n", CANONICAL, **SIG)
edited("signature_without_its_last_line_end", b"END SSH SIGNATURE-----\n", b"END SSH SIGNATURE-----", CANONICAL, **SIG)
edited("one_digit_of_the_signature_changed", b"U1NIU0lH", b"U1NIU0lI", CANONICAL, **SIG)


@forgery("signature is not in the one form")
def signature_with_other_line_lengths(world):
    world.approve("ben")
    world.approve("cat")
    begin, *lines, end = world.path("cat", ".approval.sig").read_bytes().splitlines()
    text = b"".join(lines)
    world.path("cat", ".approval.sig").write_bytes(b"\n".join([begin, text[:40], text[40:], end]) + b"\n")


@forgery("signature is not in the one form")
def bytes_after_the_signatures_own(world):
    world.approve("ben")
    world.approve("cat")
    begin, *lines, end = world.path("cat", ".approval.sig").read_bytes().splitlines()
    text = base64.b64encode(base64.b64decode(b"".join(lines)) + b"more")
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    world.path("cat", ".approval.sig").write_bytes(b"\n".join([begin, *lines, end]) + b"\n")


@forgery("does not belong to this text")
def last_bit_of_the_signature_changed(world):
    world.approve("ben")
    world.approve("cat")
    parts = sshsig.parse(world.path("cat", ".approval.sig").read_bytes())
    other = replace(parts, signature=bytes([parts.signature[0] ^ 1]) + parts.signature[1:])
    world.path("cat", ".approval.sig").write_bytes(other.encode())


@forgery("is no signature")
def empty_signature(world):
    world.approve("ben")
    world.approve("cat")
    world.path("cat", ".approval.sig").write_bytes(b"")


# Time.


@forgery("cat@valuecanvas: has expired")
def approval_expired(world):
    world.approve("ben")
    world.approve("cat", expires_at=MOMENT)


@forgery("expired at 2026-11-23T14:06")
def plan_expired(world):
    world.approve("ben", expires_at=CREATED + timedelta(days=900))
    world.approve("cat", expires_at=CREATED + timedelta(days=900))
    world.moment = plan().expires_at


@forgery("cat@valuecanvas: was made in the future")
def approval_from_the_future(world):
    world.approve("ben")
    world.approve("cat", signed_at=MOMENT + timedelta(minutes=3))


@forgery("cat@valuecanvas: was made before the plan")
def approval_older_than_the_plan(world):
    world.approve("ben")
    world.approve("cat", signed_at=CREATED - timedelta(days=1))


@forgery("before the plan was made")
def clock_moved_back_before_the_plan(world):
    world.approve("ben")
    world.approve("cat")
    world.moment = CREATED - timedelta(minutes=1)


@forgery("was made in the future")
def clock_moved_back_before_an_approval(world):
    world.approve("ben")
    world.approve("cat", signed_at=CREATED + timedelta(minutes=9))
    world.moment = CREATED + timedelta(minutes=2)


@forgery("expired at 2026-11-24T13:06")
def plan_that_lives_for_years(world):
    world.saved = plan(expires_at=CREATED + timedelta(days=3650))
    world.data = world.saved.encode()
    world.approve("ben")
    world.approve("cat")
    world.moment = CREATED + timedelta(days=2)


# Breaking the glass.

GLASS = {"kind": "break-glass", "reason": "the database is gone"}


@forgery("break-glass without a reason")
def glass_broken_without_a_reason(world):
    said = agreed("dan", **GLASS).encode().replace(b"# reason the database is gone\n", b"")
    world.put("dan@valuecanvas", said, ssh_keygen.sign(said, "opslib-approve", world.keys["dan"]))


@forgery("does not belong to this text")
def reason_for_breaking_the_glass_edited(world):
    world.approve("dan", **GLASS)
    world.edit("dan", b"gone", b"slow")


@forgery("eve@valuecanvas.approval: .*is unknown")
def glass_broken_by_a_stranger(world):
    world.approve("eve", **GLASS)


@forgery("dan@valuecanvas: has expired")
def glass_broken_too_long_ago(world):
    world.approve("dan", **GLASS, expires_at=MOMENT)


@forgery("It is for another plan")
def glass_broken_for_another_plan(world):
    world.approve("dan", **GLASS, sha256="0" * 64)


@forgery("is revoked")
def glass_broken_by_a_revoked_key(world):
    world.revoke(f"{world.keys.public('dan')}\n".encode())
    world.approve("dan", **GLASS)


# Files that are none.


def junk(name, why):
    def register(make):
        def cheat(world):
            world.approve("ben")
            world.approve("cat")
            make(world)

        FORGERIES[name] = (cheat, why, "production")
        return make

    return register


@junk("statement_is_a_link", "The statement is a link, no plain file")
def _(world):
    world.path("cat").rename(world.base / "elsewhere")
    world.path("cat").symlink_to(world.base / "elsewhere")


@junk("signature_is_a_link", "The signature is a link, no plain file")
def _(world):
    world.path("cat", ".approval.sig").rename(world.base / "elsewhere")
    world.path("cat", ".approval.sig").symlink_to(world.base / "elsewhere")


@junk("statement_is_a_pipe", "The statement is a link, no plain file")
def _(world):
    world.path("cat").unlink()
    os.mkfifo(world.path("cat"))


@junk("statement_is_a_folder", "The statement is a link, no plain file")
def _(world):
    world.path("cat").unlink()
    world.path("cat").mkdir()


@junk("statement_is_huge", "larger than 4096 bytes")
def _(world):
    os.truncate(world.path("cat"), 1 << 40)


@junk("signature_is_huge", "larger than 16384 bytes")
def _(world):
    os.truncate(world.path("cat", ".approval.sig"), 1 << 40)


@junk("signature_is_missing", "There is no signature")
def _(world):
    world.path("cat", ".approval.sig").unlink()


@junk("statement_is_missing", "It is a signature without its statement")
def _(world):
    world.path("cat").unlink()


@junk("statement_is_binary", "The statement is not ASCII")
def _(world):
    world.path("cat").write_bytes(os.urandom(2000) + b"\xff")


@junk("statement_is_empty", FORM)
def _(world):
    world.path("cat").write_bytes(b"")


@junk("names_with_escapes", r"\?\[31mred.approval: There is no signature")
def _(world):
    world.path("cat").rename(world.folder / "\x1b[31mred.approval")


@junk("file_with_a_name_that_is_no_text", "There is no signature")
def _(world):
    world.path("cat").rename(os.fsdecode(os.fsencode(world.folder) + b"/\xff\xfe.approval"))


@junk("more_approvals_than_anybody_gives", "There are too many to look at")
def _(world):
    for number in range(60):
        (world.folder / f"a{number:02}.approval").touch()
