import pytest

from opslib.checks.tree import Branch, Tree
from opslib.model import Check, Judgement, Probe, Reading, Result, Verdict, now

OK, WARNING, UNKNOWN, CRITICAL = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.CRITICAL


def check(name):
    return Check(name, name, Probe(name, name, lambda target: []), lambda reading: Judgement(OK, ""), "Look.")


TREE = Tree(
    "no-connection",
    "Nobody gets through",
    (
        Branch(check("name"), "the name does not resolve"),
        Branch(check("certificate"), "the certificate has expired", after="name"),
        Branch(check("key"), "the key is refused", after="certificate"),
    ),
)


@pytest.mark.parametrize(
    ("verdicts", "states"),
    [
        ((OK, OK, OK), ("excluded", "excluded", "excluded")),
        ((OK, OK, CRITICAL), ("excluded", "excluded", "explains")),
        ((CRITICAL, OK, CRITICAL), ("explains", "not reached", "not reached")),
        ((OK, WARNING, CRITICAL), ("excluded", "explains", "not reached")),
        ((OK, UNKNOWN, CRITICAL), ("excluded", "not seen", "not reached")),
        ((OK, OK), ("excluded", "excluded", "not seen")),
    ],
)
def test_a_branch_counts_only_where_the_one_before_it_was_excluded(verdicts, states):
    made = dict(zip(("name", "certificate", "key"), verdicts, strict=False))
    assert tuple(TREE.states(made).values()) == states


def test_rows_tell_each_branchs_state_and_what_its_check_said():
    made = [
        Result("name", "name", OK, "It resolves.", Reading("p", "p", "lab", now(), 0.1)),
        Result("certificate", "certificate", CRITICAL, "It expired.", Reading("p", "p", "lab", now(), 0.1)),
    ]
    rows = TREE.rows(made)
    assert [(row["check"], row["state"], row["summary"]) for row in rows] == [
        ("name", "excluded", "It resolves."),
        ("certificate", "explains", "It expired."),
        ("key", "not reached", "This was not asked."),
    ]
    assert (rows[1]["after"], rows[1]["cause"]) == ("name", "the certificate has expired")
