import pytest

from opslib.runs import signers
from tests.signing import APPROVER, Keys


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


def only(line):
    return signers.parse(line.encode())


def test_a_line_says_who_may_do_what_with_which_key(keys):
    (one,) = only(keys.line("ben", 'namespaces="opslib-approve,git",valid-before="20300101"', "ben@valuecanvas,ben"))
    assert one.principals == ("ben@valuecanvas", "ben")
    assert one.roles == ("opslib-approve", "git")
    assert one.fingerprint == keys.fingerprint("ben")


@pytest.mark.parametrize(
    "options",
    [
        "",
        'valid-before="20300101"',
        'namespaces=""',
        'namespaces="*"',
        "cert-authority",
        f"cert-authority,{APPROVER}",
        f'cert-authority,{APPROVER},valid-after="20200101",valid-before="20300101"',
    ],
)
def test_a_line_that_spells_out_no_namespace_gives_no_role(keys, options):
    (one,) = only(keys.line("ben", options))
    assert one.roles == ()
    assert signers.with_role([one], signers.APPROVER) == b""


def test_the_program_gets_the_lines_of_one_role_only_and_as_they_are(keys):
    text = (
        "# who approves\n\n"
        + keys.line("ben")
        + keys.line("host", 'namespaces="opslib-archive"')
        + keys.line("cat", "")
        + "  "
        + keys.line("dan").strip()
        + " with a comment\n"
    )
    filtered = signers.with_role(only(text), signers.APPROVER).decode()
    assert filtered == keys.line("ben") + keys.line("dan").strip() + " with a comment\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace("ben@", "*@"),
        lambda line: line.replace("ben@valuecanvas", "ben@valuecanvas,"),
        lambda line: line.replace("ssh-ed25519", "ssh-rsa"),
        lambda line: line.replace("AAAA", "AAA="),
        lambda line: line.replace("AAAA", "AAAAA"),
        lambda line: line.replace("namespaces", "namespace"),
        lambda line: line.replace(APPROVER, f"{APPROVER},{APPROVER}"),
        lambda line: line.replace(APPROVER, f"{APPROVER},no-touch-required"),
        lambda line: line.replace("\n", "\r\n"),
        lambda line: line.replace("\n", " \x00\n"),
        lambda line: line.replace("\n", " \x1b[2J\n"),
        lambda line: line.replace("ben@", "bén@"),
        lambda line: "# " + line,
        lambda line: "\n",
    ],
)
def test_a_line_in_another_form_counts_for_nobody(keys, change):
    assert only(keys.line("ben"))
    assert only(change(keys.line("ben"))) == ()


def test_a_line_is_known_by_its_number(keys):
    found = only(f"# who approves\n\n{keys.line('ben')}{keys.line('cat')}")
    assert [one.line for one in found] == [3, 4]


def test_a_key_acts_as_somebody_only_by_a_line_that_has_it_with_that_name_and_that_role(keys):
    host = 'namespaces="opslib-archive,git"'
    found = only(
        keys.line("ben") + keys.line("ben", host, "robot,bob") + keys.line("cat", "", "bob") + keys.line("cat", host)
    )

    def objection(key, principal):
        said = signers.objection(found, keys.fingerprint(key), principal, signers.APPROVER)
        return said and said.removeprefix(f"the key {keys.fingerprint(key)} is ")

    assert objection("ben", "ben@valuecanvas") is None
    assert objection("dan", "ben@valuecanvas") == "unknown: no usable line of the allowed signers has it"
    assert objection("ben", "cat@valuecanvas") == "ben@valuecanvas, bob, robot's, not cat@valuecanvas's"
    line = 'its line needs namespaces="opslib-approve"'
    assert objection("ben", "bob") == f"listed only for git, opslib-archive; {line}"
    assert objection("cat", "bob") == f"listed for no namespace by name; {line}"


def test_who_shares_a_key_or_a_name_in_turn_is_one_person_whatever_the_capitals(keys):
    found = only(
        keys.line("ben") + keys.line("ben", "", "Robot,bob") + keys.line("cat", "", "ROBOT") + keys.line("dan")
    )
    same = {name.casefold() for name in signers.same_person(found, ["BOB"])}
    prints = {keys.fingerprint(name).casefold() for name in ("ben", "cat")}
    assert same == {"bob", "robot", "ben@valuecanvas"} | prints
    assert signers.same_person(found, ["eve", "EVE"]) == {"EVE"}
    assert signers.same_person(found, [keys.fingerprint("dan")]) == {keys.fingerprint("dan"), "dan@valuecanvas"}


def test_names_of_a_key_are_those_of_its_role(keys):
    found = only(keys.line("ben") + keys.line("ben", "", "benjamin@valuecanvas") + keys.line("cat"))
    assert signers.names_of(found, keys.fingerprint("ben"), signers.APPROVER) == ("ben@valuecanvas",)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"\x00", "no public key: 1"),
        (b"# none\nssh-ed25519\n", "no public key: 2"),
        (b"ssh-ed25519 AAAA\n", "no public key: 1"),
        (b"ssh-ed25519 AAAAC3NzaC1yc2EAAAA= x\n", "no public key: 1"),
    ],
)
def test_a_list_of_revoked_keys_that_would_be_passed_over_is_found(content, why):
    assert why in str(signers.revocation_fault(content))


def test_lists_of_revoked_keys_in_their_two_forms_are_taken(keys):
    assert signers.revocation_fault(b"SSHKRL\n\x00and more") is None
    assert signers.revocation_fault(b"# nobody\n") is None
    assert signers.revocation_fault(f"{keys.public('ben')} ben on the train\n\n".encode()) is None
