"""The queries of the lab's Logs Insights, taken apart: commands by bars, and the tokens of each.

Source: CloudWatch Logs User Guide, "Logs Insights language query syntax".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s+|(?P<text>"[^"\\]*")|(?P<number>\d+(\.\d+)?)(?![A-Za-z_0-9])|(?P<name>[@A-Za-z_][@A-Za-z0-9_.]*)"""
    r"""|(?P<span>\d+[a-z]+)|(?P<sign>!=|<=|>=|[=<>(),\[\]*])"""
)
WORDS = frozenset({"and", "or", "not", "in", "by", "as", "asc", "desc"})


class Malformed(Exception):
    """The query is not of the grammar."""


@dataclass
class Command:
    """The tokens of one command, read from left to right."""

    tokens: list[tuple[str, str]]
    at: int = 0

    def next(self) -> tuple[str, str]:
        """Return the next token, by its kind and as it stands; raises Malformed where there is none."""
        if self.at >= len(self.tokens):
            raise Malformed("unexpected end of a command")
        self.at += 1
        return self.tokens[self.at - 1]

    def sees(self, *words: str) -> bool:
        """Tell whether the next token is one of these words."""
        return self.at < len(self.tokens) and self.tokens[self.at][1].lower() in words

    def takes(self, *words: str) -> bool:
        """Take the next token if it is one of these words; tells whether it was."""
        seen = self.sees(*words)
        self.at += seen
        return seen

    def must(self, word: str) -> None:
        """Take a word; raises Malformed where another one stands."""
        if not self.takes(word):
            raise Malformed(f"{word!r} is missing")

    def name(self) -> str:
        """Take a name; raises Malformed where none stands."""
        kind, word = self.next()
        if kind != "name" or word.lower() in WORDS:
            raise Malformed(f"{word!r} is no name")
        return word

    def since(self, began: int) -> str:
        """Return what was read since, as it stands: what it is called unless it is given a name."""
        return "".join(word for _, word in self.tokens[began : self.at])

    @property
    def over(self) -> bool:
        """Whether everything was read."""
        return self.at == len(self.tokens)


def commands(query: str) -> list[Command]:
    """Return the commands of a query, comments left out; raises Malformed."""
    lines = [line for line in query.splitlines() if not line.lstrip().startswith("#")]
    # A bar within a text parts no commands.
    parts = re.findall(r'(?:"[^"\\]*"|[^|"])+', "\n".join(lines))
    if "|".join(parts) != "\n".join(lines):
        raise Malformed("a text without its end")
    return [Command(_tokens(part)) for part in parts]


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Malformed(f"unexpected {text[at]!r}")
        if match.lastgroup:
            found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found
