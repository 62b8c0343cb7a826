from opslib.headless.kernel_outputs import MOST, Meter, kept
from opslib.redaction import Redactor


def message(text):
    return {"header": {"msg_type": "stream"}, "content": {"name": "stdout", "text": text}}


def test_one_message_that_holds_all_that_was_printed_is_kept_in_part_and_the_rest_is_told():
    meter, said = Meter(), message("ä" * MOST)
    assert meter.takes(said)
    text = said["content"]["text"]
    assert MOST / 4 < len(text) <= MOST / 2
    assert not meter.takes(message("more"))
    outputs = kept([{"output_type": "stream", "name": "stdout", "text": text}], meter, Redactor())
    assert outputs[-1]["text"].startswith(f"{meter.cut} bytes of this cell's output were cut")
    assert meter.cut >= MOST
