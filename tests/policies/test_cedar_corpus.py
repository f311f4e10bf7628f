"""Cedar's own integration tests, as foreign policy texts: a finding or an acceptance, no crash."""

import json
from collections.abc import Iterator
from typing import Any

import cedarpy
import pytest

from policies import lint as lint_module
from policies.decide import PolicyBook
from policies.lint import lint
from policies.prescan import prescan
from tests.data import shared
from tests.policies.world import words
from wire.errors import Malformed

pytestmark = pytest.mark.real_data


def rows(name: str) -> Iterator[dict[str, Any]]:
    with shared("cedar-corpus").joinpath(name).open() as lines:
        yield from map(json.loads, lines)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["corpus.ndjson", "handwritten.ndjson"])
def test_every_foreign_text_gets_findings_and_none_is_adopted(name: str) -> None:
    """They name types, actions and ids that no mission of ours has."""
    book = PolicyBook.empty(words())
    for row in rows(name):
        found = lint(row["policies"], "release", "KEN", words())
        errors = [finding for finding in found if finding.severity == "error"]
        without_rules = "no-grant" in {finding.rule for finding in found} and not errors
        assert errors or without_rules, row["name"]
        if errors:
            with pytest.raises(Malformed, match="policy-refused"):
                book.with_layer("release", "KEN", row["policies"])


@pytest.mark.parametrize("name", ["corpus.ndjson", "handwritten.ndjson"])
def test_formatting_keeps_the_meaning_of_what_it_accepts(name: str) -> None:
    formatted = 0
    for row in rows(name):
        try:
            text = lint_module.format(row["policies"])
        except Malformed:
            continue
        formatted += 1
        before = cedarpy.PolicySet.from_str(row["policies"]).to_pst()
        assert cedarpy.PolicySet.from_str(text).to_pst() == before
    assert formatted > 5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["corpus.ndjson", "handwritten.ndjson"])
def test_the_engine_answers_the_corpus_as_its_authors_say(name: str) -> None:
    """A new version of the engine that decides otherwise must not slip in."""
    asked = 0
    for row in rows(name):
        try:
            schema = cedarpy.Schema.from_str(row["schema"])
            entities = cedarpy.Entities.from_json_str(json.dumps(row["entities"]), schema)
            policies = cedarpy.PolicySet.from_str(row["policies"])
        except ValueError:
            continue  # written for features that this build of the engine leaves out
        for request in row["requests"]:
            wanted = {key: request[key] for key in ("principal", "action", "resource", "context")}
            used = schema if request.get("validateRequest", True) else None
            result = cedarpy.is_authorized(wanted, policies, entities, used)
            if result.decision is cedarpy.Decision.NoDecision:
                assert result.diagnostics.errors
                continue
            asked += 1
            assert result.decision.name.lower() == request["decision"]
            assert sorted(result.diagnostics.reasons) == sorted(request["reason"])
            assert bool(result.diagnostics.errors) is bool(request["errors"])
    assert asked > 20


def test_what_the_prescan_lets_through_of_the_corpus_is_parsed_without_harm() -> None:
    passed = 0
    for name in ("corpus.ndjson", "handwritten.ndjson"):
        for row in rows(name):
            try:
                prescan(row["policies"])
            except Malformed:
                continue
            passed += 1
            cedarpy.PolicySet.from_str(row["policies"])
    assert passed > 5
