"""How a known secret is found: whole, cut, coded, in blocks of Base64, and nothing beside it."""

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest

from opslib.redaction import MARK, Redactor, Secret
from opslib.redaction_known import weakness

WORD = "qT7zLm2XcV9bN4kR8sWd"
FOREIGN = "äöüßλжÄÖÜ"


def redacted(text, *words):
    return Redactor([Secret(word) for word in words or [WORD]]).text(text)


def base64_of(data):
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


@pytest.mark.parametrize("after", ["", "z"])
@pytest.mark.parametrize("before", ["", "z", "zz"])
def test_of_base64_the_letters_of_the_secret_and_one_on_either_side_are_hidden(before, after):
    coded = base64_of(before + WORD + after)
    start = max(-(-8 * len(before) // 6) - 1, 0)
    end = min(8 * len(before + WORD) // 6 + 1, len(coded.rstrip("=")))
    assert redacted(f"say {coded} end") == f"say {coded[:start]}{MARK}{coded[end:]} end"
    assert redacted(coded) == f"{coded[:start]}{MARK}{coded[end:]}"
    assert Redactor([Secret(WORD)]).leaks(coded.encode()) == 1


def test_base64_for_addresses_and_base64_in_lines_are_found_too():
    word = "\xff?~>\xfe?~>hunter2-%"
    for coded in (base64.urlsafe_b64encode(word.encode()).decode(), base64_of(word)[:9] + "\n" + base64_of(word)[9:]):
        assert redacted(f"say {coded} end", word).replace("=", "") == f"say {MARK} end"


@pytest.mark.parametrize("turn", [str, str.upper])
def test_hexadecimal_digits_in_either_case_are_hidden(turn):
    assert redacted(f"say 0x{turn(WORD.encode().hex())}, ff") == f"say 0x{MARK}, ff"
    assert redacted(f"say {turn(WORD.encode().hex())[:24]}. ff") == f"say {MARK}. ff"
    part = turn(WORD.encode().hex())[:22]
    assert redacted(f"say {part}. ff") == f"say {part}. ff"


@pytest.mark.parametrize("cut", [16, 20])
def test_base64_that_was_cut_is_hidden_from_sixteen_letters_on(cut):
    coded = base64_of(WORD).rstrip("=")
    assert redacted(f"say {coded[:cut]}… end") == f"say {MARK}… end"
    # The last letter tells of what is behind, too.
    assert redacted(f"say …{coded[-cut - 1 :]} end") == f"say …{MARK} end"
    assert redacted(f"say {coded[:15]}… end") == f"say {coded[:15]}… end"
    assert redacted(f"say …{coded[-16:]} end") == f"say …{coded[-16:]} end"


def test_one_letter_before_base64_may_hold_a_part_of_it_also_at_the_beginning_of_a_text():
    assert redacted("x" + base64_of(WORD).rstrip("=")) == MARK
    assert redacted(" x" + base64_of(WORD).rstrip("=")) == f" {MARK}"


@pytest.mark.parametrize("joined", range(4))
@pytest.mark.parametrize(
    "turn",
    [
        lambda word: f"some text before {word} and behind",
        lambda word: base64_of(f"twice: {word}, and so on"),
        lambda word: f"{word.encode().hex()} in hexadecimal digits",
        lambda word: f"part of it: {word[:12]}, and so on",
    ],
)
def test_a_block_of_base64_in_which_a_secret_stands_is_hidden_whole(turn, joined):
    block = "aB7"[:joined] + base64_of(turn(WORD)).rstrip("=")
    redactor = Redactor([Secret(WORD)])
    assert redactor.text(f"say {block} end") == f"say {MARK} end"
    assert redactor.leaks(f"say {block} end".encode()) == 1


def test_a_block_hides_escapes_and_other_blocks_stay():
    word = "p\"<&'/\\ passW0rd"
    holds, holds_not = base64_of(json.dumps({"key": word})), base64_of("nothing but harmless words, many of them")
    assert redacted(f"{holds_not} {holds} {holds_not}", word).replace(
        "=", ""
    ) == f"{holds_not} {MARK} {holds_not}".replace("=", "")


def test_what_is_shorter_than_a_block_or_written_in_one_case_is_not_looked_into():
    inner = base64_of(base64_of(WORD[:12]))
    assert len(inner) < 32
    assert redacted(f"say {inner} end") == f"say {inner} end"


def test_a_secret_in_hardly_any_ascii_is_found_in_its_usual_spellings():
    for said in (
        FOREIGN,
        quote(FOREIGN),
        quote_plus(FOREIGN),
        json.dumps(FOREIGN)[1:-1],
        json.dumps(json.dumps(FOREIGN))[3:-3],
        repr(FOREIGN)[1:-1],
        repr(FOREIGN.encode())[2:-1],
        "".join(f"%{byte:02x}" for byte in FOREIGN.encode()),
    ):
        assert redacted(f"say {said} end", FOREIGN) == f"say {MARK} end"
        assert Redactor([Secret(FOREIGN)]).leaks(said.encode()) == 1
    assert redacted(f"say {FOREIGN[:-1]} end", FOREIGN) == f"say {FOREIGN[:-1]} end"


@pytest.mark.parametrize("word", [r"öä\Z3&…äö", "öä&lt;\\…äöü", "ö\\&lt;'ß…äöü", "ö%41\\'\"ß&…äö"])
def test_a_foreign_secret_that_looks_escaped_itself_is_found_where_something_else_is_escaped(word):
    inner = json.dumps(word)[1:-1]
    escaped = html.escape(word)
    for said in (
        inner,
        json.dumps(inner)[1:-1],
        json.dumps(word, ensure_ascii=False)[1:-1],
        repr(word)[1:-1],
        escaped,
        json.dumps(escaped)[1:-1],
    ):
        assert redacted(f"say {said} end", word) == f"say {MARK} end"
        assert Redactor([Secret(word)]).leaks(said.encode()) == 1


def test_a_blank_between_foreign_letters_may_be_a_plus_sign_too():
    word = "äöü ßλжÄÖ"
    for said in (word, word.replace(" ", "+"), quote(word), quote_plus(word)):
        assert redacted(f"say {said} end", word) == f"say {MARK} end"


def test_a_secret_that_overlaps_itself_is_hidden_to_its_end():
    assert redacted("abcde-abcde-abcde.", "abcde-abcde") == f"{MARK}."
    assert redacted("λжλжλжλжλжλжλ.", "λжλжλжλжλжλ") == f"{MARK}."


def test_letters_that_are_not_the_secrets_own_stay_though_they_stand_where_one_would():
    assert redacted("a" * 9, "a" * 8) == MARK
    assert redacted(f"{WORD[-14:]} b") == f"{MARK} b"
    assert redacted(f"{WORD[-12:]} x{WORD[7]}") == f"{MARK} x{WORD[7]}"
    assert redacted(f"a {WORD[-1]}{WORD} b") == f"a {WORD[-1]}{MARK} b"
    assert redacted(f"a {WORD}{WORD[0]} b") == f"a {MARK}{WORD[0]} b"


def test_a_text_that_is_nothing_but_the_shortest_secret_is_a_mark():
    assert redacted("a1b2c3d4", "a1b2c3d4") == MARK


def test_a_block_has_thirty_two_letters_at_least():
    word = 'ab"cd"ef'
    for length, hidden in ((24, True), (23, False)):
        block = base64_of(f"k={json.dumps(word)[1:-1]}".ljust(length, "."))
        text = f"say {block} end"
        assert redacted(text, word) == (f"say {MARK} end" if hidden else text)
        assert Redactor([Secret(word)]).leaks(text.encode()) == hidden


@pytest.mark.parametrize("length", [12, 13, 19])
def test_of_a_long_secret_twelve_letters_from_either_end_are_hidden_and_as_many_more_as_there_are(length):
    assert redacted(f"a {WORD[:length]}… b") == f"a {MARK}… b"
    assert redacted(f"a …{WORD[-length:]} b") == f"a …{MARK} b"


def test_fewer_letters_and_letters_from_the_middle_are_left_and_a_shorter_secret_is_found_whole_only():
    for part in (WORD[:11], WORD[-11:], WORD[1:19]):
        assert redacted(f"a {part}. b") == f"a {part}. b"
    assert redacted(f"a {WORD[:17]}. b", WORD[:18]) == f"a {WORD[:17]}. b"
    assert redacted(f"a {WORD[:12]}. b", WORD[:19]) == f"a {MARK}. b"


def test_what_everybody_knows_how_it_begins_is_found_whole_only():
    for word in ("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "-----BEGIN OPENSSH KEY-----q7z"):
        assert redacted(f"a {word[:-1]} b", word) == f"a {word[:-1]} b"
        assert redacted(f"a {word} b", word) == f"a {MARK} b"
    word = "amqp://broker.example.com:5672/hunter2"
    assert redacted(f"a {word[:-1]} b", word) == f"a {word[:-1]} b"


def test_a_text_that_goes_on_is_redacted_of_whole_secrets_only():
    begun = Redactor([Secret(WORD)]).begun
    for part in (WORD[:19], WORD[1:], base64_of(WORD)[:20], WORD.encode().hex()[:30]):
        assert begun(f"a {part}") == f"a {part}"
    for whole in (WORD, base64_of(WORD).rstrip("="), WORD.encode().hex()):
        assert begun(f"a {whole} b").replace("=", "") == f"a {MARK} b"
    block = base64_of(f"some text before {WORD[:15]}")
    assert begun(f"a {block}") == f"a {block}"


def test_each_secret_that_stands_in_a_text_is_counted_once():
    redactor = Redactor([Secret(WORD), Secret("hunter2-hunter2"), Secret("another-secret")])
    assert redactor.leaks(f"{WORD} {WORD} {base64_of(WORD)}".encode()) == 1
    assert redactor.leaks(f"{WORD.encode().hex()} <b>hunter2</b>-hunter2 \xff".encode("latin-1")) == 2
    assert redactor.leaks(b"") == 0
    assert Redactor([Secret(FOREIGN), Secret(WORD)]).leaks("nothing of ä or q".encode()) == 0
    assert Redactor([Secret(FOREIGN), Secret(WORD)]).leaks(f"only {WORD}".encode()) == 1


def test_secrets_of_half_characters_and_of_less_than_eight_letters_harm_nothing():
    redactor = Redactor([Secret("\udc80abcdefgh"), Secret("short"), Secret("")])
    assert redactor.text("short \udc80abcdefgh \udc80") == f"short \udc80{MARK} \udc80"


def test_a_blank_in_an_address_may_be_a_plus_sign():
    assert redacted("?q=hunter2+hunter2&x", "hunter2 hunter2") == f"?q={MARK}&x"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("abcdeab", "has fewer than 8 characters"),
        ("abcdabcd", "has fewer than 5 different characters"),
        ("hgfedcba", "is a plain sequence"),
        ("acegikmo", "is a plain sequence"),
        ("__Passw0rd.12", "is a common word"),
        ("abcdeabc", None),
        ("hgfedcbb", None),
    ],
)
def test_a_secret_is_as_long_and_as_varied_as_it_must_be(value, said):
    assert weakness(value) == said
