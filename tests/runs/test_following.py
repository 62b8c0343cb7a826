"""What a cell showed, as it is read back from the kernel's own broadcast."""

from opslib.runs.following import MOST_BYTES, MOST_OUTPUTS, Shown


def shown(*messages):
    kept = Shown()
    for kind, content in messages:
        kept.take({"msg_type": kind, "content": content})
    return kept.outputs


def data(text, name=None):
    said = {"data": {"text/plain": text}, "metadata": {}}
    return said | ({"transient": {"display_id": name}} if name else {})


def test_prints_values_and_errors_are_kept_in_their_order():
    error = {"ename": "Refused", "evalue": "no", "traceback": []}
    kept = shown(("stream", {"name": "stdout", "text": "a"}), ("execute_result", data("b")), ("error", error))
    assert [one["output_type"] for one in kept] == ["stream", "execute_result", "error"]
    assert "transient" not in kept[1]


def test_a_display_that_is_updated_shows_what_it_said_last():
    kept = shown(("display_data", data("half", "one")), ("update_display_data", data("whole", "one")))
    assert [one["data"]["text/plain"] for one in kept] == ["whole"]


def test_what_is_cleared_is_gone_at_once_or_with_the_next_output():
    said = ("display_data", data("old"))
    assert shown(said, ("clear_output", {"wait": False})) == []
    waiting = shown(said, ("clear_output", {"wait": True}))
    assert len(waiting) == 1
    assert [
        one["data"]["text/plain"]
        for one in shown(said, ("clear_output", {"wait": True}), ("display_data", data("new")))
    ] == ["new"]


def test_endless_output_is_cut_and_that_is_said_once():
    many = shown(*[("stream", {"name": "stdout", "text": "x"})] * (MOST_OUTPUTS + 5))
    assert len(many) == MOST_OUTPUTS
    large = ("stream", {"name": "stdout", "text": "x" * (MOST_BYTES // 2)})
    error = ("error", {"ename": "Refused", "evalue": "no", "traceback": []})
    kept = shown(large, large, large, error)
    assert [one["output_type"] for one in kept] == ["stream", "stream", "error"]
    assert "not recorded" in kept[1]["text"]
