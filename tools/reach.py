"""Which tests reach which lines: the plugins with which :mod:`tools.mutants` runs pytest."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SLOW = 10.0
"""Seconds beyond which a test is not asked about single faults."""


@dataclass(eq=False)
class Watch:
    """Which tests reach which lines of which file, and how many seconds each test takes; a plugin for pytest."""

    cover: Any = None
    needs: dict[str, list[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    reached: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    loaded: list[str] = field(default_factory=list)
    now: str = ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note what a test reaches under its name."""
        self.needs[item.nodeid] = list(getattr(item, "fixturenames", ()))
        return (yield from self._timed(item.nodeid))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """Note what tests share under its own name: it is made for the first of them only."""
        return (yield from self._timed("" if fixturedef.scope == "function" else f"fixture {fixturedef.argname}"))

    def _timed(self, name: str) -> Iterator[None]:
        outer, begin = self.now, time.monotonic()
        self.now = name or outer
        self.cover.switch_context(self.now)
        try:
            return (yield)
        finally:
            took = time.monotonic() - begin
            if name:
                self.seconds[name] = self.seconds.get(name, 0) + took
            if name and outer:
                # What is shared is no cost of the test that happened to be the first.
                self.seconds[outer] = self.seconds.get(outer, 0) - took
            self.now = outer
            self.cover.switch_context(outer)

    def read(self, place: Path) -> None:
        """Take over what coverage saw."""
        data = self.cover.get_data()
        sharing: dict[str, set[str]] = {}
        for test, names in self.needs.items():
            for name in names:
                sharing.setdefault(f"fixture {name}", set()).add(test)
        for file in data.measured_files():
            lines = data.contexts_by_lineno(file)
            self.reached[str(Path(file).relative_to(place))] = {
                line: set().union(*(sharing.get(name, {name}) for name in names if name))
                for line, names in lines.items()
            }

    def dumps(self) -> str:
        """Return all of it as text."""
        return json.dumps([self.needs, self.seconds, self.reached, self.loaded], default=sorted)

    @classmethod
    def loads(cls, text: str) -> Watch:
        """Return what :meth:`dumps` wrote."""
        needs, seconds, reached, loaded = json.loads(text)
        files = {name: {int(line): set(tests) for line, tests in lines.items()} for name, lines in reached.items()}
        return cls(None, needs, seconds, files, loaded)

    def tests(self, module: str, lines: Sequence[int], files: Sequence[str]) -> list[str]:
        """Return the tests that reach one of the lines, quickest first; where none does, all in the module's files.

        What runs when the module is loaded has no lines: every one of its tests may notice.
        """
        reached = self.reached.get(module, {})
        found = set().union(*(reached.get(line, ()) for line in lines))
        own = [test for test in self.needs if test.partition("::")[0] in files]
        return sorted(self.quick(found) or self.quick(own), key=lambda test: (self.cost(test), test))

    def quick(self, tests: Iterable[str]) -> list[str]:
        """Return those that are quick enough: what only a slow test finds is not found."""
        return [test for test in tests if self.cost(test) <= SLOW]

    def cost(self, test: str) -> float:
        """Return the seconds that a test takes when it is the only one."""
        shared = sum(self.seconds.get(f"fixture {name}", 0) for name in self.needs[test])
        return self.seconds.get(test, 0) + shared


@dataclass(eq=False)
class Chosen:
    """Has pytest run just these tests, in this order."""

    tests: Sequence[str]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the others out."""
        by_name = {item.nodeid: item for item in items}
        items[:] = [by_name[test] for test in self.tests if test in by_name]
