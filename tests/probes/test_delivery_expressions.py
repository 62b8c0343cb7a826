"""GitHub's expressions: what they come to, and that what is not known stays undecided."""

import pytest

from opslib.probes.delivery_expressions import UNKNOWN, Context, Undecided, filled, holds, value

GIVEN = {
    "github": {"event_name": "push", "ref": "refs/heads/main"},
    "inputs": {"force": True, "none": None},
    "needs": {
        "detect": {
            "result": "success",
            "outputs": {"services": '["target","x"]', "frontend": "true", "script": UNKNOWN},
        },
        "build": {"result": "skipped", "outputs": {}},
    },
}
GOOD, SKIPPED, FAILED = (Context(GIVEN, results) for results in (("success",), ("success", "skipped"), ("failure",)))


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("needs.detect.outputs.frontend == 'true'", True),
        ("needs.detect.outputs.frontend == 'TRUE'", True),
        ("needs['detect'].outputs['frontend'] != 'true'", False),
        ("needs.detect.outputs.services != '[]'", True),
        ("contains(fromJSON(needs.detect.outputs.services), 'Target')", True),
        ("contains(needs.detect.outputs.services, 'target')", True),
        ("contains(needs.*.result, 'failure')", False),
        ("contains(needs.*.result, 'skipped')", True),
        ("fromJSON(needs.detect.outputs.services)[1]", "x"),
        ("inputs.force && 'all' || 'some'", "all"),
        ("inputs.none || 'it''s'", "it's"),
        ("!inputs.none && !(1 > 2)", True),
        ("null == 0", True),
        ("true == 1", True),
        ("'1' == 1", True),
        ("'x' == 1", False),
        ("'' == null", True),
        ("1 < 2 && 2 <= 2 && 3 >= 2.5", True),
        ("startsWith(github.ref, 'refs/heads') && endsWith(github.ref, 'MAIN')", True),
        ("format('{0}-{1}', 'a', 2)", "a-2"),
        ("join(fromJSON('[\"a\",\"b\"]'), '+')", "a+b"),
        ("needs.detect.outputs.missing", None),
        ("needs.absent.result == 'success'", False),
        ("github.event_name == 'push' || secrets.TOKEN", True),
        ("false && secrets.TOKEN", False),
        ("true || needs.detect.outputs.script", True),
    ],
)
def test_an_expression_comes_to_what_github_says(expression, said):
    assert value(expression, GOOD) == said


@pytest.mark.parametrize(
    "expression",
    [
        *("secrets.TOKEN", "needs.detect.outputs.script", "needs.detect.outputs.script == 'a'", "env.X && true"),
        *("hashFiles('x')", "1 +", "(", "a b", "'open", "fromJSON('{')", "!" * 3000 + "true", "x" * 30_000, ""),
    ],
)
def test_what_is_not_known_or_not_read_is_undecided(expression):
    with pytest.raises(Undecided):
        value(expression, GOOD)


@pytest.mark.parametrize(
    ("condition", "good", "skipped", "failed"),
    [
        ("", True, False, False),
        ("true", True, False, False),
        ("needs.detect.outputs.frontend == 'true'", True, False, False),
        ("${{ always() }}", True, True, True),
        ("!cancelled()", True, True, True),
        ("!failure()", True, True, False),
        ("!cancelled() && !failure()", True, True, False),
        ("failure()", False, False, True),
        ("success() || failure()", True, False, True),
        ("always() && needs.detect.outputs.frontend == 'no'", False, False, False),
    ],
)
def test_a_job_after_a_skipped_or_failed_one_runs_only_where_its_condition_says_so(condition, good, skipped, failed):
    assert [holds(condition, context) for context in (GOOD, SKIPPED, FAILED)] == [good, skipped, failed]


def test_a_job_whose_end_is_not_known_leaves_those_after_it_undecided_unless_they_always_run():
    context = Context(GIVEN, ("success", UNKNOWN))
    assert holds("always()", context)
    with pytest.raises(Undecided):
        holds("", context)


def test_a_text_with_expressions_in_it_is_filled():
    assert filled("on ${{ github.ref }} by ${{ inputs.force }}", GOOD) == "on refs/heads/main by true"
    assert filled("${{ fromJSON('[1]') }}", GOOD) == [1]
    assert filled(["as it is"], GOOD) == ["as it is"]
