"""The schema is the vocabulary, enumerated."""

import json
from dataclasses import replace

import cedarpy

from policies.decide import Outcome
from policies.schema import ATTRIBUTES, KINDS, PARENTS, schema_json, terms
from tests.policies.world import analyst, moment, open_book, report, words
from wire.labels import Label


def test_every_vocabulary_is_an_enumerated_type() -> None:
    entities = json.loads(schema_json(words()))[""]["entityTypes"]
    for name, known in terms(words()).items():
        assert set(entities[name]["enum"]) == known
    assert set(entities) == {*terms(words()), "Gateway", "Analyst", "Report"}


def test_cedar_reads_the_schema_and_can_show_it_as_text() -> None:
    """The text is what a nation gives its own engine to check our decisions."""
    shown = str(cedarpy.Schema.from_json_str(schema_json(words())))
    assert "entity Gateway in [Nation, Coalition]" in shown
    assert all(f'action "{kind}"' in shown or f"action {kind}" in shown for kind in KINDS)


def test_an_empty_vocabulary_is_a_type_without_a_usable_word() -> None:
    bare = replace(words(), caveats={}, communities={}, groups={})
    book = open_book().with_vocabulary(bare)[0]
    assert book.decide(analyst("GBR"), report("KEN", "GBR"), moment()).outcome is Outcome.RELEASE
    assert terms(bare)["Caveat"] == frozenset()


def test_every_parent_type_has_its_words() -> None:
    for types in PARENTS.values():
        assert set(types) <= terms(words()).keys()
    assert {attribute.of for attribute in ATTRIBUTES.values() if attribute.of} <= terms(
        words()
    ).keys()


def test_no_attribute_is_optional() -> None:
    entities = json.loads(schema_json(words()))[""]["entityTypes"]
    for entity in entities.values():
        for attribute in entity.get("shape", {}).get("attributes", {}).values():
            assert attribute.get("required", True)


def test_the_facts_of_a_label_are_what_it_says() -> None:
    label = Label(
        classification="SECRET",
        release_to=("GBR", "KEN"),
        display_to=("FRA",),
        caveats=("HUMINT",),
        communities=("CYBER",),
        regions=("KE", "SO"),
        threats=("cyber.intrusion",),
        precedence="FLASH",
        occurred=1_780_000_000,
        obligations=(),
        onward="none",
        derive="within_release",
        derived_from=(),
        consents=(),
        exercise=True,
    )
    expected = report(
        "KEN",
        "GBR",
        level=3,
        display_to=frozenset({"FRA"}),
        caveats=frozenset({"HUMINT"}),
        communities=frozenset({"CYBER"}),
        regions=frozenset({"KE", "SO"}),
        threats=frozenset({"cyber.intrusion"}),
        precedence="FLASH",
        exercise=True,
        originator_control=False,
        contributors=frozenset({"SEN"}),
    )
    facts = type(expected).from_label(label, "KEN", words(), contributors=frozenset({"SEN"}))
    assert facts == expected
