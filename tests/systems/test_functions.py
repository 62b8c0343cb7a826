"""What a function is made of: found in a commit as the platform's client does, compared with what is there."""

import json

import pytest

from opslib.errors import Refused, Unreachable
from opslib.lab.vendors.product import COMMITTED, HELLO, LLM, SHARED
from opslib.systems.functions import CONFIG, FOLDER, Source, back, committed, deployed
from opslib.systems.supabase import Function


def function(entry, **said):
    return Function(slug="f", name="f", status="ACTIVE", version=3, entrypoint_path=entry, **said)


def source(files, **said):
    return committed({f"{FOLDER}/f/index.ts": b"", **{f"{FOLDER}/{n}": d for n, d in files.items()}, **said})["f"]


def test_each_folder_with_an_index_is_a_function_with_what_it_imports():
    found = committed(COMMITTED)
    assert {slug: set(one.files) for slug, one in found.items()} == {
        "hello": {HELLO, SHARED},
        "llm-ready": {LLM},
        "summarise": {f"{FOLDER}/summarise/index.ts", SHARED},
    }
    assert {slug: one.verify_jwt for slug, one in found.items()} == {
        "hello": False,
        "llm-ready": False,
        "summarise": None,
    }


@pytest.mark.parametrize(
    "line",
    [
        'import a from "./a.ts";',
        "import { a,\n  b } from './a.ts'",
        'export * from "./a.ts"',
        'import "./a.ts"',
        'const a = await import("./a.ts")',
        'import type { A } from "../f/a.ts"',
    ],
)
def test_each_form_of_an_import_is_followed_in_rounds_and_outside_of_the_commit_not(line):
    files = {"f/index.ts": line.encode(), "f/a.ts": b'import "./b.ts"; import "npm:zod"; import "./none.ts"'}
    found = source({**files, "f/b.ts": b'import "./a.ts"', "f/test.ts": b""})
    assert set(found.files) == {f"{FOLDER}/f/{name}.ts" for name in ("index", "a", "b")}


def test_an_import_map_goes_along_and_is_followed():
    text = json.dumps({"imports": {"shared/": "../_shared/", "one": "./one.ts", "zod": "npm:zod"}}).encode()
    index = b'import "shared/greeting.ts"; import "one"; import "zod"'
    files = {"f/index.ts": index, "f/deno.json": text, "_shared/greeting.ts": b"1", "f/one.ts": b"2"}
    found = source(files)
    assert (found.import_map, len(found.files)) == (f"{FOLDER}/f/deno.json", 4)
    assert source({**files, "f/deno.json": b"// not plain"}).files.keys() == {
        f"{FOLDER}/f/index.ts",
        f"{FOLDER}/f/deno.json",
    }


def test_the_configuration_switches_off_and_names_the_entry():
    files = {"f/index.ts": b"1", "f/main.ts": b"2", "g/index.ts": b"3"}
    config = b'[functions.f]\nentrypoint = "./functions/f/main.ts"\n[functions.g]\nenabled = false\n'
    found = committed({**{f"{FOLDER}/{n}": d for n, d in files.items()}, CONFIG: config})
    assert {slug: one.entry for slug, one in found.items()} == {"f": f"{FOLDER}/f/main.ts"}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (b"[functions.f]\nstatic_files = ['a']\n", "static_files"),
        (b"[functions.f]\nverify_jwt = 'env(ASKS)'\n", "verify_jwt"),
        (b"[functions.f]\nentrypoint = 'functions/none.ts'\n", "no such file"),
        (b"[functions", "cannot be read"),
        (b"functions = 7", "cannot be read"),
        (b"\xff", "cannot be read"),
    ],
)
def test_what_is_not_known_here_is_refused_and_not_passed_over(config, said):
    with pytest.raises(Refused, match=said):
        committed({f"{FOLDER}/f/index.ts": b"", CONFIG: config})


@pytest.mark.parametrize("before", ["supabase/functions/", "/tmp/user_fn_x/source/supabase/functions/", "source/", ""])
def test_a_deployed_function_is_known_wherever_its_names_begin(before):
    asks = {CONFIG: b"[functions.f]\nverify_jwt = true\n"}
    mine = source({"f/index.ts": b'import "../_shared/a.ts"', "_shared/a.ts": b"a"}, **asks)
    files = {f"{before}f/index.ts": b'import "../_shared/a.ts"', f"{before}_shared/a.ts": b"a"}
    there = deployed(function(f"file:///tmp/user_fn_x/source/{before.lstrip('/')}f/index.ts"), files)
    assert (mine.is_deployed_as(there), mine.digest == there.digest) == (True, True)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"f/index.ts": b"2", "f/a.ts": b"a"}, {}),
        ({"f/index.ts": b"1", "f/a.ts": b"b"}, {}),
        ({"f/index.ts": b"1", "f/a.ts": b"a", "f/more.ts": b""}, {}),
        ({"f/index.ts": b"1", "f/a.ts": b"a"}, {"verify_jwt": False}),
    ],
)
def test_any_other_file_or_setting_is_a_difference(files, said):
    mine = Source("f", "f/index.ts", {"f/index.ts": b"1", "f/a.ts": b"a"}, None, True)
    there = deployed(function("file:///source/f/index.ts", **said), files)
    assert (mine.is_deployed_as(there), mine.digest == there.digest) == (False, False)


def test_a_file_that_the_platform_did_not_need_is_no_difference_but_an_unseen_import_map_is():
    mine = Source("f", "f/index.ts", {"f/index.ts": b"1", "f/types.ts": b""}, None, True)
    there = deployed(function("file:///f/index.ts"), {"f/index.ts": b"1"})
    assert mine.is_deployed_as(there)
    mapped = Source("f", "f/index.ts", {"f/index.ts": b"1", "f/deno.json": b"{}"}, "f/deno.json", True)
    assert not mapped.is_deployed_as(there)


@pytest.mark.parametrize("asks", [True, False])
def test_where_a_commit_does_not_say_who_may_call_it_stays_as_it_is(asks):
    mine = Source("f", "f/index.ts", {"f/index.ts": b"1"}, None, None)
    there = deployed(function("file:///f/index.ts", verify_jwt=asks), {"f/index.ts": b"1"})
    assert mine.is_deployed_as(there)
    assert (mine.metadata(there)["verify_jwt"], "verify_jwt" in mine.metadata()) == (asks, False)


def test_a_function_whose_first_file_does_not_come_back_is_unknown():
    for entry in (None, "file:///source/other.ts"):
        with pytest.raises(Unreachable, match="does not give the file"):
            deployed(function(entry), {"f/index.ts": b""})


def test_what_is_kept_comes_back_whole():
    one = Source("f", "f/index.ts", {"f/index.ts": bytes(range(256))}, None, False)
    assert back(one.kept()) == one
