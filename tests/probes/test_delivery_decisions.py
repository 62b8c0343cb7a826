"""Which jobs of a workflow run: filters of all forms, chains of skipped jobs, matrices, as people write them."""

import pytest

from opslib.errors import Unreachable
from opslib.lab.vendors.github import PRODUCT, WORKFLOW
from opslib.probes.delivery_decisions import Case, decide, fitting
from opslib.probes.delivery_graph import parse

HEAD = """on: {push: {branches: [main]}}
jobs:
  detect:
    runs-on: ubuntu-latest
    outputs:
      services: ${{ steps.f.outputs.changes }}
      web: ${{ steps.f.outputs.web }}
      x: ${{ steps.s.outputs.x }}
    steps:
      - {id: s, run: ./script}
      - id: f
        uses: dorny/paths-filter@v3
        with:
"""
PLAIN = """          filters: |
            api: ['services/api/**']
            web: src/**
"""


def flow(jobs, filters=PLAIN, read=None):
    return parse(HEAD + filters + jobs, read)


def runs(made, *fits, **more):
    return {name: one.runs for name, one in decide(made, Case(frozenset(fits), **more)).items()}


@pytest.mark.parametrize(
    ("filters", "changes", "fits"),
    [
        (PLAIN, [("services/api/a.py", "M")], {"api"}),
        (PLAIN, [("src/a", "A"), ("services/api/b", "D")], {"api", "web"}),
        (PLAIN, [("docs/a.md", "M")], set()),
        ("          filters: |\n            web: ['!docs/**']\n", [("anything", "M")], {"web"}),
        ("          filters: |\n            web: ['src/**', '!src/**/*.md']\n", [("other/x", "M")], {"web"}),
        (
            "          predicate-quantifier: every\n          filters: |\n            web: [src/**, '!src/**/*.md']\n",
            [("src/a.md", "M")],
            set(),
        ),
        (
            "          filters: |\n            s: &s\n              - lib/**\n            web: [*s, [src/**]]\n",
            [("lib/x", "M")],
            {"s", "web"},
        ),
        ("          filters: |\n            web:\n              - added|deleted: src/**\n", [("src/a", "M")], set()),
        ("          filters: |\n            web:\n              - added|deleted: src/**\n", [("src/a", "A")], {"web"}),
        ("          filters: .github/filters.yml\n", [("kept/x", "M")], {"kept"}),
    ],
)
def test_filters_fit_as_paths_filter_reads_them(filters, changes, fits):
    made = flow("", filters, {".github/filters.yml": "kept:\n  - kept/**\n"}.__getitem__)
    assert fitting(made, changes) == fits


def test_a_chain_is_skipped_from_its_first_skipped_job_on_however_far():
    made = flow(
        """  infra: {needs: detect, if: "needs.detect.outputs.web == 'true'"}
  between: {needs: infra, if: always()}
  deploy: {needs: between}
  guarded: {needs: between, if: "!cancelled() && !failure()"}
"""
    )
    assert runs(made) == {"detect": True, "infra": False, "between": True, "deploy": False, "guarded": True}
    assert set(runs(made, "web").values()) == {True}


def test_a_matrix_is_worked_out_and_an_empty_one_breaks_the_job_and_what_follows():
    job = (
        "  build: {needs: detect, strategy: {matrix: {service: '${{ fromJSON(needs.detect.outputs.services) }}'%s}}}\n"
    )
    made = flow(job % "" + "  after: {needs: build}\n")
    found = decide(made, Case(frozenset({"api", "web"})))
    assert found["build"].legs == ("api", "web")
    empty = decide(made, Case(frozenset()))
    assert "no value" in empty["build"].fault
    assert empty["after"].runs is False
    without = flow(job % ", exclude: [{service: web}]")
    assert decide(without, Case(frozenset({"api", "web"})))["build"].legs == ("api",)
    wider = flow(job % ", include: [{service: api, fast: true}, {service: extra}]")
    assert decide(wider, Case(frozenset({"api"})))["build"].legs == ("api", "extra")
    two = flow(job % ", os: [a, b]")
    assert decide(two, Case(frozenset({"api"})))["build"].legs == ("api, a", "api, b")


def test_what_a_script_decides_is_not_decided_here_and_neither_is_what_waits_for_it():
    made = flow("  a: {needs: detect, if: needs.detect.outputs.x}\n  b: {needs: a}\n  c: {needs: a, if: always()}\n")
    assert runs(made, "web") == {"detect": True, "a": None, "b": None, "c": True}


def test_a_dispatch_carries_its_inputs_in_both_places():
    made = flow("  a: {if: inputs.all}\n  b: {if: github.event.inputs.all == 'true'}\n  c: {if: github.actor == 'x'}\n")
    assert runs(made) == {"detect": True, "a": False, "b": False, "c": None}
    forced = runs(made, event="workflow_dispatch", inputs={"all": True})
    assert forced == {"detect": True, "a": True, "b": True, "c": None}


def test_the_labs_workflow_deploys_what_changed_and_nothing_else():
    made = parse(WORKFLOW, None)
    deploys = ("deploy-infrastructure", "deploy-kubernetes", "deploy-frontend", "smoke-tests")
    for fits, expected in {
        (): [False, False, False, False],
        ("opportunity",): [False, True, False, True],
        ("frontend",): [False, False, True, True],
        ("infrastructure",): [True, False, False, True],
        ("target", "frontend", "infrastructure"): [True, True, True, True],
    }.items():
        found = runs(made, *fits)
        assert [found[job] for job in deploys] == expected, fits
        assert not any(runs(made, *fits, fails=frozenset({"test"}))[job] for job in deploys)


def test_the_products_workflow_would_build_a_service_called_frontend():
    assert decide(parse(PRODUCT, None), Case(frozenset({"frontend"})))["build-images"].legs == ("frontend",)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[1, 2", "- a", "on: push", "on: push\njobs: 7", "on: push\njobs: {a: 7}", "on: 7\njobs: {}"),
        "on: push\njobs: {a: {steps: [{uses: dorny/paths-filter@v3, with: {filters: 'a: 7\n'}}]}}",
        "x" * 600_000,
    ],
)
def test_a_file_of_another_form_is_refused_in_words(text):
    with pytest.raises(Unreachable) as told:
        parse(text, None)
    assert told.value.kind == "malformed"


def test_jobs_that_wait_for_each_other_have_no_order():
    with pytest.raises(Unreachable, match="a, b"):
        decide(parse("on: push\njobs: {a: {needs: b}, b: {needs: [a]}}", None), Case(frozenset()))
