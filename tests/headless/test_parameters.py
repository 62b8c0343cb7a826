"""What may be given to a notebook, and that everything else is refused by name and rule before a kernel starts."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from opslib.errors import Refused, UsageError
from opslib.headless import notebooks
from opslib.headless.notebooks_live import NO_DEPLOYMENT, check_live
from opslib.headless.notebooks_parameters import KINDS, LONGEST, Rule, declared
from opslib.redaction import DatabaseUrl
from tests import hosters, typed, vendors
from tests.backup_place import place as make_place
from tests.hostile_words import hostile
from tests.scale import count

ROOT = Path(__file__).resolve().parents[2]
FIRST = 'environment: str = "lab"  # target: lab, staging or production'
CELL = f"""{FIRST}
hours: float = 24.0  # oldest backup to accept [hours, 0.5 to 100]
number: int  # how many [1 to 10]
prove: bool = True  # restore it
backup: str = "latest"  # which one [kind: backup]
mode: str = "fast"  # how [one of: fast, whole]"""
EVERY = notebooks.everything()


@pytest.fixture
def notebook():
    return notebooks.Notebook("runbooks/try-things", Path("x"), "Try things", "", declared(CELL), "")


def refused(notebook, *given, environment="lab"):
    with pytest.raises(UsageError) as raised:
        notebook.values(given, environment)
    return str(raised.value)


def test_a_rule_is_read_from_the_end_of_the_help_and_said_in_words(notebook):
    rows = {row["parameter"]: row for row in notebooks.described(notebook)}
    assert rows["hours"] == {
        "parameter": "hours",
        "type": "float",
        "expected": "a number of hours, 0.5 to 100",
        "default": "24.0",
        "help": "oldest backup to accept",
    }
    assert (rows["number"]["expected"], rows["number"]["default"]) == ("a whole number, 1 to 10", "required")
    assert rows["prove"]["expected"] == "true or false"
    assert rows["mode"]["expected"] == "one of: fast, whole"
    assert rows["backup"]["expected"].startswith("latest, a backup's name or a dump's key")
    assert rows["environment"]["expected"] == "one of: lab, staging, production"


@pytest.mark.parametrize(
    "line",
    [
        'x: str = "a"  # free text',
        'x: str = "a"  # of no kind [kind: text]',
        'x: str = "a"  # [one of: ]',
        'x: str = "c"  # a default that is none of them [one of: a, b]',
        'x: str = "../a"  # a default that does not fit [kind: backup]',
        "x: int = 1  # without bounds",
        "x: int = 0  # a default outside [1 to 10]",
        "x: float = 1.0  # the wrong way round [10 to 1]",
        "x: float = 1.0  # a unit of nobody's [parsecs, 0 to 10]",
        "x: float = 1.0  # [0 to inf]",
        "x: bool = True  # [0 to 1]",
        "hours: int = 1  # [1 to 2]\nhours: int = 2  # [1 to 2]",
        f"{'x' * 42}: bool = True  # a long name",
    ],
)
def test_a_parameter_without_a_rule_that_its_default_fits_makes_no_notebook(line):
    with pytest.raises(ValueError, match=r"parameter (x+|hours)"):
        declared(f"{FIRST}\n{line}")


def test_a_notebook_may_not_lead_elsewhere_than_the_lab_by_its_default():
    with pytest.raises(ValueError, match="with lab as its default"):
        declared('environment: str = "production"  # target')


WRONG = {
    "unknown": ("nosuch=1", "nosuch is not a parameter"),
    "mistyped": ("hour=1", "hour is not a parameter (did you mean hours?)"),
    "wrong case": ("Hours=1", "number 2 is not of the form name=value (did you mean hours?)"),
    "upper case": ("HOURS=1", "did you mean hours?"),
    "blank before": (" hours=1", "not of the form"),
    "blank after the name": ("hours =1", "not of the form"),
    "blank after the sign": ("hours= 1", "hours: expected a number of hours, 0.5 to 100"),
    "blank at the end": ("hours=1 ", "hours: expected"),
    "no sign": ("hours", "not of the form"),
    "nothing": ("", "not of the form"),
    "only a sign": ("=", "not of the form"),
    "no value": ("hours=", "hours: expected"),
    "two signs": ("hours==1", "hours: expected"),
    "look-alike name": ("h\u043eurs=1", "not of the form"),
    "full-width name": ("\uff48ours=1", "not of the form"),
    "look-alike value": ("backup=lat\u0435st", "backup: expected"),
    "invisible": ("backup=latest\u200b", "backup: expected"),
    "line end": ("backup=latest\n", "backup: expected"),
    "line end in a name": ("hours\n=1", "not of the form"),
    "nul": ("backup=latest\0", "backup: expected"),
    "terminal": ("backup=\x1b[31mlatest", "backup: expected"),
    "right to left": ("backup=\u202etsetal", "backup: expected"),
    "too long": (f"backup={'a' * (LONGEST + 1)}", f"not {LONGEST + 1} characters"),
    "longer than its kind": (f"backup={'a' * 301}", "backup: expected"),
    "upwards": ("backup=../x", "backup: expected"),
    "rooted": ("backup=/x", "backup: expected"),
    "dashes first": ("backup=--help", "backup: expected"),
    "empty text": ("backup=", "backup: expected"),
    "nan": ("hours=nan", "hours: expected"),
    "inf": ("hours=inf", "hours: expected"),
    "minus inf": ("hours=-inf", "hours: expected"),
    "comma": ("hours=1,5", "hours: expected"),
    "exponent": ("hours=1e1", "hours: expected"),
    "no digit first": ("hours=.5", "hours: expected"),
    "no digit last": ("hours=5.", "hours: expected"),
    "below": ("hours=0.4", "hours: expected a number of hours, 0.5 to 100"),
    "above": ("hours=100.1", "hours: expected"),
    "negative": ("hours=-1", "hours: expected"),
    "other digits": ("hours=\u0661", "hours: expected"),
    "unit": ("hours=24h", "hours: expected"),
    "bool as yes": ("prove=yes", "prove: expected true or false"),
    "bool as number": ("prove=1", "prove: expected"),
    "bool as Python": ("prove=True", "prove: expected"),
    "bool in capitals": ("prove=TRUE", "prove: expected"),
    "not one of them": ("mode=slow", "mode: expected one of: fast, whole"),
    "one of them in capitals": ("mode=Fast", "mode: expected"),
    "code for a name": ("x=0; open('hit','w')", "x is not a parameter"),
    "code for a value": ("hours=0; open('hit','w')", "hours: expected"),
    "call for a name": ("open('hit','w')=1", "not of the form"),
    "dunder": ("__class__=1", "not of the form"),
    "environment": ("environment=production", "environment is given with --environment"),
    "the same environment": ("environment=lab", "environment is given with --environment"),
}


@pytest.mark.parametrize(("given", "said"), WRONG.values(), ids=WRONG)
def test_what_is_unknown_mistyped_or_outside_is_refused_by_name_and_rule(notebook, given, said):
    assert said in refused(notebook, "number=1", given)


@pytest.mark.parametrize(
    "given", ["number=+1", "number=1_0", "number= 1", "number=1.0", "number=01", "number=0", "number=11"]
)
def test_a_whole_number_has_one_spelling_and_bounds(notebook, given):
    assert "number: expected a whole number, 1 to 10" in refused(notebook, given)


def test_what_is_missing_or_given_twice_is_refused_with_everything_else_at_once(notebook):
    said = refused(notebook, "hours=1", "hours=2", "nope=1", "mode=x", "prove=x")
    parts = ("hours is given twice", "nope is not", "mode: expected", "prove: expected", "number is required: a whole")
    assert [part for part in parts if part not in said] == []


def test_no_refusal_repeats_what_was_given(notebook):
    for word in hostile(count(150, 1500)):
        word += "QZJX"
        said = refused(notebook, f"nope={word}", f"hours={word}", f"number={word}", f"mode={word}", f"{word}=1", word)
        assert "QZJX" not in said, word


@pytest.mark.parametrize("book", EVERY, ids=lambda book: book.name)
def test_every_parameter_of_every_notebook_takes_hostile_words_only_where_they_are_harmless(book):
    for parameter in book.parameters:
        for word in hostile(count(300, 1500)):
            value, said = attempt(book, parameter.name, word)
            if said:
                assert parameter.name in said
            elif parameter.type is str:
                assert value == word
                assert KINDS[parameter.rule.kind].pattern.fullmatch(word)
                assert word.isascii()
                several = parameter.rule.kind in SEVERAL
                assert not set(word) - set(_HARMLESS) - set("," if several else ""), word
                assert ".." not in word
                assert word[0] not in "-./"
            else:
                assert repr(value).removesuffix(".0") == word.removesuffix(".0")


SEVERAL = ("columns", "paths", "people", "reasons", "agreed-actions", "checks", "statements")
"""Kinds of which several may be given, by commas."""


def attempt(book, name, word):
    try:
        return book.values([f"{name}={word}"], "lab")[name], ""
    except UsageError as error:
        return None, str(error)


_HARMLESS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:"


def test_values_of_an_earlier_run_are_taken_back_only_in_type_and_rule(notebook):
    whole = notebook.values(["number=3", "hours=24"], "lab")
    assert notebook.again(json.loads(json.dumps(whole | {"hours": 24}))) == whole
    for name, value in (
        ("number", True),
        ("number", "3"),
        ("number", 3.0),
        ("number", 99),
        ("hours", True),
        ("hours", 2**60),
        ("hours", float("nan")),
        ("prove", 1),
        ("prove", "true"),
        ("backup", "../x"),
        ("backup", ["latest"]),
        ("backup", None),
        ("environment", "Production"),
        ("nope", 1),
    ):
        with pytest.raises(UsageError, match=name):
            notebook.again(whole | {name: value})
    with pytest.raises(UsageError, match="number is missing"):
        notebook.again({name: value for name, value in whole.items() if name != "number"})


def test_a_key_family_ends_with_its_colon_and_has_no_empty_part():
    (parameter,) = declared(f'{FIRST}\nfamily: str = "llm:cache:"  # which [kind: key-family]')[1:]
    for word in ("llm:cache:", "a:", "llm:cache:meta-llama/Llama-3.1-8b:", f"{'a' * 99}:"):
        assert parameter.parse(word) == word
    for word in (
        "llm:cache",
        "",
        ":",
        "llm::cache:",
        "llm:cache::",
        ":llm:",
        "-llm:",
        "llm:cache:*",
        "llm:../x:",
        "llm:/x:",
        "llm cache:",
        "llm:cache:\n",
        f"{'a' * 100}:",
    ):
        with pytest.raises(ValueError, match="a key family with its last colon"):
            parameter.parse(word)


PAPERMILL = {
    "unknown": (["-p", "nope", "1"], "'nope' is not a parameter"),
    "another type": (["-p", "hours", "soon"], "hours: expected a number of hours"),
    "outside": (["-p", "hours", "1000"], "hours: expected a number of hours"),
    "raw text": (["-r", "hours", "5"], "hours: expected"),
    "a list": (["-y", "{backup: [a, b]}"], "backup: expected"),
    "a mapping": (["-y", "{backup: {a: 1}}"], "backup: expected"),
    "code": (["-r", "x=0;open('hit','w')", "1"], "is not a parameter"),
    "a path": (["-p", "backup", "../../etc/passwd"], "backup: expected"),
    "a file": (["-f", "{file}"], "mode: expected one of"),
    "look-alike environment": (["-p", "environment", "Production"], "environment: expected one of"),
    "missing": ([], "number is required"),
}


@pytest.mark.parametrize("case", sorted(PAPERMILL) if count(0, 1) else ["code", "missing"])
def test_papermill_alone_is_refused_what_the_notebook_does_not_declare(tmp_path, case):
    cells = [new_markdown_cell("# Try", id="what-this-is")]
    cells.append(new_code_cell(CELL, id="parameters", metadata={"tags": ["parameters"]}))
    cells.append(new_code_cell(f"open({str(tmp_path / 'hit')!r}, 'w')", id="act"))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    (tmp_path / "in.ipynb").write_text(json.dumps(new_notebook(cells=cells, metadata=kernel)))
    (tmp_path / "given.yaml").write_text("mode: slow\n")
    options, said = PAPERMILL[case]
    options = [option.replace("{file}", str(tmp_path / "given.yaml")) for option in options]
    needed = [] if case == "missing" else ["-p", "number", "3"]
    command = [sys.executable, "-m", "papermill", "--engine", "opslib", "--no-progress-bar"]
    done = subprocess.run(
        [*command, "in.ipynb", "out.ipynb", *needed, *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert said in done.stderr
    assert not (tmp_path / "hit").exists()


def test_a_second_parameters_cell_makes_no_notebook(tmp_path):
    cells = [new_markdown_cell("# Try", id="what-this-is")]
    cells += [new_code_cell(CELL, id=f"p-{n}", metadata={"tags": ["parameters"]}) for n in (1, 2)]
    (tmp_path / "x.ipynb").write_text(json.dumps(new_notebook(cells=cells)))
    with pytest.raises(UsageError, match="2 cells have the tag parameters"):
        notebooks.find("x", tmp_path)


@pytest.fixture(scope="module")
def place(lab):
    with make_place(lab, "CREATE TABLE things AS SELECT 1 AS id") as made:
        made.history(1, 2)
        yield made


def restore():
    return notebooks.find("runbooks/restore-database")


@pytest.mark.parametrize("backup", ["latest", "age-1", "{prefix}age-2.dump"])
def test_a_backup_that_is_there_is_let_through_by_name_and_by_key(place, backup):
    backup = backup.replace("{prefix}", place.settings.backup_prefix)
    check_live(restore(), restore().values([f"backup={backup}"], "lab"), place.settings)


def test_a_backup_that_is_not_there_is_refused_with_those_that_are_near(place):
    values = restore().values(["backup=age-11"], "lab")
    with pytest.raises(
        UsageError, match=r"backup: there is no backup of that name.*did you mean age-1 or age-2"
    ) as said:
        check_live(restore(), values, place.settings)
    assert place.settings.backup_bucket in str(said.value)


def test_a_backup_that_nothing_is_near_to_is_refused_without_a_guess(place):
    values = restore().values(["backup=zzzzzzzz"], "lab")
    with pytest.raises(UsageError) as refused:
        check_live(restore(), values, place.settings)
    said = "backup: there is no backup of that name, and no object of that key, in s3://"
    assert refused.value.message == (
        f"runbooks/restore-database cannot be run on lab: {said}{place.settings.backup_bucket}."
    )


def test_a_table_that_is_not_there_is_refused_with_those_that_are_near(place):
    book = notebooks.find("runbooks/maintain-database")
    check_live(book, book.values(["index_table=public.things"], "lab"), place.settings)
    check_live(book, book.values(["vacuum=public.things", "index_table=public.things"], "lab"), place.settings)
    with pytest.raises(UsageError) as refused:
        check_live(book, book.values(["vacuum=zzz.yyyyy", "index_table=public.thing"], "lab"), place.settings)
    assert refused.value.message == (
        "runbooks/maintain-database cannot be run on lab: vacuum: there is no table of that name; "
        "index_table: there is no table of that name (did you mean public.things?)."
    )


def rolled_back_to(hoster, id_):
    book = notebooks.find("runbooks/roll-back-deployment")
    check_live(book, book.values([f"deployment={id_}"], "lab"), hoster.settings)


@pytest.mark.parametrize("name", ["vercel", "netlify", "cloudflare"])
def test_a_deployment_that_the_hoster_does_not_have_is_refused_with_those_that_are_near(lab, name):
    hoster = hosters.of(lab.settings, vendors.Doors(lab.settings), name)
    id_ = next(iter(hoster.ids.values()))
    rolled_back_to(hoster, "previous")
    rolled_back_to(hoster, id_)
    with pytest.raises(UsageError) as refused:
        rolled_back_to(hoster, id_[:-1])
    assert f"{name} has no deployment of that id for this project (did you mean {id_}" in str(refused.value)


def test_values_are_taken_from_the_names_that_a_process_knows_and_from_no_others(notebook):
    known = {"number": 3, "hours": 2.5, "environment": "production", "nothing": object(), "mode": "whole"}
    whole = {"environment": "lab", "hours": 2.5, "number": 3, "prove": True, "backup": "latest", "mode": "whole"}
    assert notebook.chosen(known, "lab") == whole
    with pytest.raises(UsageError, match="number is required"):
        notebook.chosen({"hours": 2.5}, "lab")
    with pytest.raises(UsageError, match="mode"):
        notebook.chosen({"number": 3, "mode": "slow"}, "lab")


def test_no_deployment_is_looked_up_where_none_is_named(lab):
    hoster = hosters.of(lab.settings, vendors.Doors(lab.settings), "netlify")
    away = hoster.settings.model_copy(update={"netlify_url": "http://127.0.0.1:1", "environment": "staging"})
    rolled_back_to(replace(hoster, settings=away), NO_DEPLOYMENT)


def test_a_hoster_that_cannot_be_asked_says_nothing_of_a_deployment(lab):
    hoster = hosters.of(lab.settings, vendors.Doors(lab.settings), "netlify")
    away = hoster.settings.model_copy(update={"netlify_url": "http://127.0.0.1:1", "environment": "staging"})
    with pytest.raises(Refused, match="Whether what deployment names is there is UNKNOWN"):
        rolled_back_to(replace(hoster, settings=away), next(iter(hoster.ids.values())))


@pytest.mark.parametrize(
    ("environment", "name", "ends"),
    [
        ("production", "runbooks/x", True),
        ("staging", "runbooks/x", True),
        ("lab", "runbooks/x", False),
        ("production", "diagnostics/x", False),
    ],
)
def test_a_target_that_cannot_be_asked_stops_what_would_change_it_and_warns_elsewhere(place, environment, name, ends):
    book = notebooks.Notebook(name, Path("x"), "T", "", restore().parameters, "")
    away = place.settings.model_copy(update={"environment": environment, "aws_endpoint_url": "http://127.0.0.1:1"})
    values, warned = book.values(["backup=age-1"], environment), []
    if ends:
        with pytest.raises(Refused, match=r"backup names is there is UNKNOWN.*Nothing was started"):
            check_live(book, values, away, warned.append)
    else:
        check_live(book, values, away, warned.append)
        assert len(warned) == 1
        assert "not looked up before the start: backup" in warned[0]


def test_ops_run_refuses_a_backup_that_is_not_there_before_anything_is_archived(tmp_path, lab):
    environment = os.environ | {"OPS_LAB": str(lab.folder), "OPS_ARCHIVE": str(tmp_path / "archive")}
    done = typed.ops("run", "runbooks/restore-database", "-p", "backup=nosuch", environment=environment)
    assert (done.returncode, (tmp_path / "archive").exists()) == (64, False)
    assert "there is no backup of that name" in done.stderr
    assert DatabaseUrl.__name__ not in done.stderr


def only(line):
    return declared(f"{FIRST}\n{line}")[1]


def test_bounds_are_within_and_a_whole_number_becomes_a_fraction_only_where_that_is_exact(notebook):
    assert notebook.values(["number=10", "hours=100", "prove=true"], "lab")["prove"] is True
    wide = only("x: float = 1.0  # a [0 to 99999999999999999999]")
    assert type(wide.take(2**53 - 1)) is float
    for value in (2**53, -(2**53), float("inf"), float("nan")):
        with pytest.raises(ValueError, match="expected a number"):
            wide.take(value)


def test_a_text_is_looked_at_up_to_a_thousand_letters(notebook):
    assert "not 1001 characters" in refused(notebook, "number=1", "backup=" + "x" * 1001)
    assert "characters" not in refused(notebook, "number=1", "backup=" + "." * 1000).replace("300 characters", "")


def test_a_rule_is_what_is_written_and_nothing_where_nothing_is():
    assert only("x: bool = True  # a").rule == Rule()
    assert only("x: int = (\n  1)  # a [0 to 2]").rule == Rule(low=0.0, high=2.0)
    assert only("x: int = 1  # a [rows, 0 to 2]").rule == Rule(unit="rows", low=0.0, high=2.0)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("x.y: int = 1  # a [0 to 2]", "is not 'name: type = literal"),
        ("x: float = 1  # a [0 to 2]", "the default of x is not of type float"),
        ('x: str = "latest"  # a [sort: backup]', "one of: a, b"),
        ('x: str = "latest"  # a', "one of: a, b"),
        ('x: str = "-a"  # a [one of: -a, b]', "one of: a, b"),
        ("x: int = 1  # a [1 to 1]", "LOW to HIGH"),
    ],
)
def test_a_line_that_is_no_parameter_is_refused_with_what_it_should_be(line, why):
    with pytest.raises(ValueError, match=why):
        only(line)


def test_an_unknown_name_is_repeated_up_to_sixty_letters(notebook):
    with pytest.raises(UsageError, match="'" + "x" * 60 + "' is not a parameter"):
        notebook.again({**notebook.values(["number=1"], "lab"), "x" * 61: 1})
