"""A tree of branches: each one's state is a word as well as a texture, and hostile words stay words."""

from opslib.pictures.triage import tree


def branch(check, state=None, after="", cause=None, summary="It was looked at."):
    row = {"check": check, "cause": cause or f"the {check} is amiss", "after": after, "summary": summary}
    return row | ({"state": state} if state else {})


ROWS = [
    branch("name", "excluded"),
    branch("certificate", "explains", after="name", summary="It expired."),
    branch("key", "not reached", after="certificate"),
    branch("limit", "not seen"),
]


def test_what_explains_it_is_said_first_and_what_nobody_saw_is_not_excluded():
    drawn = tree(ROWS, symptom="Nobody gets through")
    assert drawn.title == "Nobody gets through"
    assert drawn.alternative == (
        "explains: the certificate is amiss. not seen: the limit is amiss. not reached: the key is amiss. "
        "Excluded: 1 of 4."
    )
    for words in ("It expired.", "the certificate is amiss: explains", ">excluded<", ">not reached<"):
        assert words in drawn.svg


def test_states_may_come_by_the_checks_names():
    drawn = tree([branch("name"), branch("key")], {"name": "excluded", "key": "excluded"})
    assert drawn.alternative == "nothing that was seen explains it. Excluded: 2 of 2."
    assert "not seen: the name is amiss" in tree([branch("name")]).alternative


def test_a_branch_after_another_stands_to_its_right_and_is_joined_to_it():
    drawn = tree(ROWS)
    assert 'd="M6.5 18V53.5H26"' in drawn.svg
    assert 'd="M32.5 60V95.5H52"' in drawn.svg


def test_a_branch_whose_one_before_is_not_there_and_an_empty_tree_are_drawn():
    assert "explains" in tree([branch("key", "explains", after="elsewhere")]).alternative
    assert tree([]).alternative == "There is no branch."


def test_words_from_a_system_stay_words():
    drawn = tree([branch("key", "explains", summary="<script>alert(1)</script>\x1b[2J", cause="<b>bad</b>\u202e")])
    assert "<script" not in drawn.svg
    assert "<b>" not in drawn.svg
    assert "\x1b" not in drawn.svg
    assert "\u202e" not in drawn.svg + drawn.alternative
