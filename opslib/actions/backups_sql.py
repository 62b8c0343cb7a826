"""A lexer of SQL scripts as psql reads them: in chunks, in bounded memory, without ever failing.

It tells statements, comments, psql's backslash commands and COPY data apart, which a search for
lines cannot: a backslash inside a function's body is text, the same backslash outside is a command that
psql runs. The rules are those of PostgreSQL's own lexers (manual, "Lexical Structure", and the psql
reference page); what they leave ambiguous, and pg_dump never writes, is reported as a fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

HELD = 256
"""Bytes that are held back until more is known: longer than any token that needs a look ahead."""
LONGEST = 1 << 20
"""A statement's text is kept up to this many bytes (its strings are left out)."""

_TOKEN = re.compile(
    rb"(?P<escaped>(?<![\w\x80-\xff$])[eE]')|(?P<string>')|(?P<identifier>\")|(?P<line>--)|(?P<block>/\*)"
    rb"|(?P<end>;)|(?P<open>\()|(?P<close>\))|(?P<command>\\)|(?P<dollar>\$)"
)
_DOLLAR = re.compile(rb"(?<![\w\x80-\xff$])\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]{0,120})?\$")
_PARAMETER = re.compile(rb"(?<![\w\x80-\xff$])\$\d{1,6}(?![\w\x80-\xff$])")
_LINE = re.compile(rb"[^\r\n]*")
_IN_ESCAPED = re.compile(rb"\\.|''|'", re.DOTALL)
_IN_BLOCK = re.compile(rb"/\*|\*/")
_ROUTINE = re.compile(rb"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\b", re.IGNORECASE)
_BODY = re.compile(rb"\b(BEGIN|CASE|END)\b", re.IGNORECASE)
_LINE_END = re.compile(rb"\r?\n")
_BLANK_LINE_END = re.compile(rb"[ \t]*\r?\n")


class Listener(Protocol):
    """Hears what stands in a script, in order."""

    def statement(self, text: bytes, cut: bool) -> bool:
        """Hear one statement (strings emptied, comments blank); True when COPY data follows it."""

    def comment(self, text: bytes) -> None:
        """Hear one comment line, without its dashes."""

    def command(self, line: bytes, at: int) -> None:
        """Hear one backslash command, from the backslash (``at`` this offset) to the end of its line."""

    def rows(self, count: int) -> None:
        """Hear of ``count`` more lines of the COPY data that belong to the last statement."""

    def fault(self, text: str) -> None:
        """Hear why the script can't be trusted to mean what it seems to."""


class SqlText:
    """Feeds a :class:`Listener`; call :meth:`feed` with each chunk, then :meth:`finish` once."""

    def __init__(self, listener: Listener) -> None:
        self._to = listener
        self._buffer = b"\n"
        self._at = 1  # one byte before it is always kept: some tokens depend on what precedes them
        self._dropped = -1  # bytes of the text before the buffer
        self._step: Callable[[bool], bool] = self._normal
        self._statement = bytearray()
        self._cut = False
        self._outer = bytearray()  # what stands outside of parentheses and quotes, not looked at yet
        self._routine: bool | None = None
        self._body = 0
        self._depth = 0
        self._nested = 0
        self._tag = b""
        self._escaped_before = False

    def feed(self, data: bytes) -> None:
        """Read one more chunk of any size."""
        if b"\0" in data:
            self._to.fault("holds a zero byte")
        self._dropped += self._at - 1
        self._buffer = self._buffer[self._at - 1 :] + data
        self._at = 1
        self._run(False)

    def finish(self) -> bool:
        """Read what was held back; False when the text ends inside something."""
        self._run(True)
        return self._step == self._normal and not bytes(self._statement).strip()

    def _run(self, final: bool) -> None:
        while self._step(final):
            pass

    def _keep(self, text: bytes, word: bool = True) -> None:
        if len(self._statement) >= LONGEST:
            self._cut = True
            return
        self._statement += text
        if word and not self._depth:
            self._outer += text

    def _take(self, upto: int, word: bool = True) -> None:
        self._keep(self._buffer[self._at : upto], word)
        self._at = upto

    def _normal(self, final: bool) -> bool:
        limit = len(self._buffer) - (0 if final else HELD)
        token = _TOKEN.search(self._buffer, self._at)
        if token is None or token.start() >= limit:
            if limit > self._at:
                self._sees(limit)
                self._take(limit)
            return False
        self._sees(token.start())
        self._take(token.start())
        kind = str(token.lastgroup)
        if kind not in ("line", "block", "string"):
            self._escaped_before = False
        getattr(self, f"_on_{kind}")(token.end())
        return True

    def _sees(self, upto: int) -> None:
        if self._escaped_before and self._buffer[self._at : upto].strip():
            self._escaped_before = False

    def _on_escaped(self, end: int) -> None:
        self._at, self._step = end, self._escaped
        self._keep(b"''")

    def _on_string(self, end: int) -> None:
        if self._escaped_before:
            self._to.fault("continues an escaped string on another line")
        self._at, self._step = end, self._string
        self._keep(b"''")

    def _on_identifier(self, end: int) -> None:
        self._take(end, word=False)
        self._step = self._identifier

    def _on_line(self, end: int) -> None:
        self._at, self._step = end, self._comment
        self._keep(b" ")

    def _on_block(self, end: int) -> None:
        self._at, self._step, self._nested = end, self._block, 1
        self._keep(b" ")

    def _on_open(self, end: int) -> None:
        self._take(end)
        self._depth += 1

    def _on_close(self, end: int) -> None:
        self._take(end)
        self._depth = max(0, self._depth - 1)

    def _on_dollar(self, end: int) -> None:
        if quote := _DOLLAR.match(self._buffer, self._at):
            self._tag, self._at, self._step = quote[0], quote.end(), self._dollar
            self._keep(b"$$")
        elif parameter := _PARAMETER.match(self._buffer, self._at):
            self._take(parameter.end())
        else:
            self._to.fault("has a dollar sign where none is expected")
            self._take(end)

    def _on_command(self, end: int) -> None:
        found = _LINE.match(self._buffer, self._at)
        line = found[0] if found else b"\\"
        if self._buffer[self._at - 1 : self._at] not in (b"\n", b"\r"):
            self._to.fault("has a psql command in the middle of a line")
        self._to.command(line[:HELD], self._dropped + self._at)
        self._at += min(len(line), HELD)

    def _on_end(self, end: int) -> None:
        if self._depth or self._in_routine():
            self._take(end)
            return
        self._at = end
        text, cut = bytes(self._statement), self._cut
        self._statement, self._cut = bytearray(), False
        self._outer, self._routine, self._body = bytearray(), None, 0
        if self._to.statement(text, cut):
            rest = _BLANK_LINE_END.match(self._buffer, end)
            if rest is None:
                self._to.fault("has text between a COPY statement and its data")
            else:
                self._at, self._step = rest.end(), self._data

    def _in_routine(self) -> bool:
        # psql does not end a statement inside BEGIN ATOMIC … END: what is a routine's body to psql
        # must not be taken for statements here.
        if self._routine is None:
            self._routine = bool(_ROUTINE.match(self._outer))
        if not self._routine:
            return False
        for word in _BODY.findall(self._outer):
            if word.upper() == b"END":
                self._body = max(0, self._body - 1)
            elif self._body or word.upper() == b"BEGIN":
                self._body += 1
        self._outer.clear()
        return self._body > 0

    def _until_quote(self, quote: bytes, final: bool, keep: bool) -> bool:
        found = self._buffer.find(quote, self._at)
        upto = len(self._buffer) if found < 0 else found + 1
        if found >= 0 and upto == len(self._buffer) and not final:
            return False
        doubled = found >= 0 and self._buffer[upto : upto + 1] == quote
        upto += doubled
        if keep:
            self._take(upto, word=False)
        self._at = upto
        if found >= 0 and not doubled:
            self._step = self._normal
        return found >= 0

    def _string(self, final: bool) -> bool:
        return self._until_quote(b"'", final, keep=False)

    def _identifier(self, final: bool) -> bool:
        return self._until_quote(b'"', final, keep=True)

    def _escaped(self, final: bool) -> bool:
        found = _IN_ESCAPED.search(self._buffer, self._at)
        if found is None:
            self._at = max(self._at, len(self._buffer) - (not final))
            return False
        if found.end() == len(self._buffer) and not final:
            self._at = found.start()
            return False
        self._at = found.end()
        if found[0] == b"'":
            self._step, self._escaped_before = self._normal, True
        return True

    def _dollar(self, final: bool) -> bool:
        found = self._buffer.find(self._tag, self._at)
        if found < 0:
            self._at = max(self._at, len(self._buffer) - (0 if final else len(self._tag)))
            return False
        self._at, self._step = found + len(self._tag), self._normal
        return True

    def _comment(self, final: bool) -> bool:
        found = _LINE.match(self._buffer, self._at)
        end = found.end() if found else self._at
        if end == len(self._buffer) and not final:
            if end - self._at < LONGEST:
                return False
            self._at = end  # a comment of a mebibyte: heard of later, without its beginning
            return False
        self._to.comment(self._buffer[self._at : end])
        self._at, self._step = end, self._normal
        return True

    def _block(self, final: bool) -> bool:
        found = _IN_BLOCK.search(self._buffer, self._at)
        if found is None:
            self._at = max(self._at, len(self._buffer) - (not final))
            return False
        self._at = found.end()
        self._nested += 1 if found[0] == b"/*" else -1
        if not self._nested:
            self._step = self._normal
        return True

    def _data(self, final: bool) -> bool:
        found = self._buffer.find(b"\n\\.", self._at - 1)
        while found >= 0:
            ending = _LINE_END.match(self._buffer, found + 3)
            if ending:
                self._to.rows(self._buffer.count(b"\n", self._at, found + 1))
                self._at, self._step = ending.end(), self._normal
                return True
            found = self._buffer.find(b"\n\\.", found + 1)
        upto = len(self._buffer) if final else max(self._at, len(self._buffer) - 8)
        self._to.rows(self._buffer.count(b"\n", self._at, upto))
        self._at = upto
        return False
