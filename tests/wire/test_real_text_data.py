"""Public hostile inputs, code lists and roll-up vectors: against gate, trees and lattice."""

import base64
import csv
import json
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from clients import standard
from tests.data import SHARED, shared
from tests.wire.terms import VOCABULARY, label
from wire import strict_json
from wire.errors import Malformed, NotAllowed
from wire.labels import Label, check
from wire.lattice import Point, roll_up
from wire.vocabulary import Level, vocabulary

pytestmark = pytest.mark.real_data

TABLES: Final = SHARED.parent / "reference" / "tables"


def table(name: str) -> Path:
    path = TABLES / name
    if not path.exists():
        pytest.skip(f"the reference table `{name}` is not beside this checkout")
    return path


# -- JSON parsing cases (nst/JSONTestSuite)

REFUSED_BY_DESIGN: Final = {
    "y_number_0e1.json": "exponent",
    "y_number_int_with_exp.json": "exponent",
    "y_number_real_capital_e_neg_exp.json": "exponent",
    "y_number_real_fraction_exponent.json": "exponent",
    "y_object_extreme_numbers.json": "exponent",
    "y_structure_lonely_negative_real.json": "float",
    "y_number_minus_zero.json": "minus zero",
    "y_number_negative_zero.json": "minus zero",
    "y_object_duplicated_key_and_value.json": "duplicate key",
    "y_string_escaped_control_character.json": "control character",
    "y_string_null_escape.json": "control character",
    "y_string_uescaped_newline.json": "newline",
    "y_string_unescaped_char_delete.json": "DEL",
    "y_string_escaped_noncharacter.json": "noncharacter",
    "y_string_last_surrogates_1_and_2.json": "noncharacter",
    "y_string_nonCharacterInUTF-8_U+10FFFF.json": "noncharacter",
    "y_string_nonCharacterInUTF-8_U+FFFF.json": "noncharacter",
    "y_string_unicode_U+2064_invisible_plus.json": "zero-width",
    "y_string_unicode_U+FDD0_nonchar.json": "noncharacter",
    "y_string_unicode_U+FFFE_nonchar.json": "noncharacter",
}
"""Valid JSON that signed bytes may not hold, and why. Everything else valid is accepted."""


def json_cases() -> list[tuple[str, str, bytes]]:
    rows = shared("hostile-input/json_parsing.ndjson").read_text().splitlines()
    return [
        (row["name"], row["expect"], base64.b64decode(row["bytes_b64"]))
        for row in map(json.loads, rows)
    ]


def test_valid_json_is_accepted_except_for_what_signed_bytes_may_not_hold() -> None:
    names = [name for name, expect, _ in json_cases() if expect == "accept"]
    assert len(names) > 40
    for name, expect, data in json_cases():
        if expect != "accept":
            continue
        if name in REFUSED_BY_DESIGN:
            with pytest.raises(Malformed, match="bad-json"):
                strict_json.parse(data)
        else:
            assert strict_json.parse(data) == json.loads(data), name


def test_invalid_json_is_refused() -> None:
    hostile = [(name, data) for name, expect, data in json_cases() if expect == "reject"]
    assert len(hostile) > 50
    for name, data in hostile:
        with pytest.raises(Malformed):
            pytest.fail(f"{name} gave {strict_json.parse(data)!r}")


def test_json_on_which_parsers_differ_is_refused() -> None:
    """Two readers of one signed label must not see two labels."""
    either = [(name, data) for name, expect, data in json_cases() if expect == "either"]
    assert len(either) > 10
    for name, data in either:
        with pytest.raises(Malformed):
            pytest.fail(f"{name} gave {strict_json.parse(data)!r}")


def test_every_case_is_judged_alike_by_the_short_way_and_the_long_one() -> None:
    """Expect no text to get past the gate for being plain; compactly written, most of them are."""
    for name, expect, data in json_cases():
        texts = [data, data.strip(), b"[%b]" % data, b'{"a":%b}' % data]
        if expect == "accept":
            texts.append(json.dumps(json.loads(data), separators=(",", ":")).encode())
        for text in texts:
            said = []
            for read in (strict_json.parse, strict_json._parsed):
                try:
                    said.append(repr(read(text, prose=False)))
                except Malformed as error:
                    said.append(repr((error.slug, error.detail)))
            assert said[0] == said[1], name


# -- naughty strings


def naughty_strings() -> list[str]:
    found: list[str] = json.loads(shared("hostile-input/naughty_strings.json").read_text())
    assert len(found) > 200
    return found


def test_a_naughty_string_comes_back_as_it_went_in_or_is_refused() -> None:
    passed = 0
    for text in naughty_strings():
        try:
            data = strict_json.dump({"caveats": [text]}, prose=True)
        except Malformed:
            continue
        passed += 1
        assert strict_json.parse(data, prose=True) == {"caveats": [text]}
    assert passed > 150


def accept(fields: dict[str, Any]) -> None:
    check(strict_json.load(json.dumps(fields).encode(), Label), "FRA", VOCABULARY)


@pytest.mark.parametrize("field", ["classification", "release_to", "regions", "threats", "caveats"])
def test_no_naughty_string_is_a_word_of_a_label(field: str) -> None:
    fields = label().model_dump(mode="json", exclude_none=True)
    accept(fields)
    for text in naughty_strings():
        value = text if field == "classification" else [text]
        with pytest.raises(Malformed):
            accept(fields | {field: value})


# -- data markings of other systems (they travel as content, not through the gate)


def test_a_marking_with_a_float_is_refused_and_the_others_are_read() -> None:
    folder = shared("stix-markings")
    for path in sorted(folder.glob("*.json")):
        data = path.read_bytes()
        if path.name == "iep-amber.json":  # "iep_version": 2.0
            with pytest.raises(Malformed, match="plain integer"):
                strict_json.parse(data)
        else:
            assert strict_json.parse(data, prose=True) == json.loads(data)


# -- code lists


def test_the_standard_places_are_the_reference_table() -> None:
    reference = json.loads(table("m49.json").read_text())
    expected = {row["code"]: row["parent"] for row in reference["regions"]}
    expected |= {row["a2"]: row["parent"] for row in reference["countries"]}
    found = standard.registry().regions
    assert {code: term.parent for code, term in found.items()} == expected


def test_the_standard_places_agree_with_an_independent_list() -> None:
    """The other list says for each country its region, sub-region and, for some, one in between."""
    regions = vocabulary("X", (), standard.levels(), standard.registry(), "0" * 64).regions
    with shared("region-codes/iso3166.csv").open(encoding="utf-8", newline="") as rows:
        countries = {row["alpha-2"]: row for row in csv.DictReader(rows)}
    assert set(countries) == {code for code in regions.parents if code.isalpha()}
    differing = set()
    for code, row in countries.items():
        columns = ("region-code", "sub-region-code", "intermediate-region-code")
        above = {row[column] for column in columns} - {""}
        if not above or not above <= regions.ancestors(code):
            differing.add(code)
    assert differing == {"AQ", "TW"}  # that list places neither


def test_the_standard_threat_types_are_the_reference_tree() -> None:
    reference = tomllib.loads(table("threat_types.toml").read_text())
    found = standard.registry().threats
    assert set(found) == {*reference["groups"], *reference["types"]}
    assert {code for code, term in found.items() if term.parent is None} == set(reference["groups"])


# -- roll-up

SCALE: Final = ("U", "C", "S", "INTERNAL")
ORGANISATION: Final = "GFNX"
"""A group that cannot be taken apart is no list of nations: it can only be a recipient itself."""


def vectors() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(table("rollup_vectors.json").read_text())["vectors"]
    return found


def expanded(names: list[str]) -> frozenset[str]:
    """Nations of the vectors' lists, with groups taken apart by the published table."""
    listed = json.loads(table("coalition_groups.json").read_text())["groups"]
    groups = {
        row["token"]: tuple(row["members"])
        for row in listed
        if row["decomposable"] and len(row["token"]) != 3  # NSG: a nation's form, so not a group's
    }
    assert ORGANISATION not in groups
    registry = standard.registry(groups=groups.items())
    nations = {ORGANISATION, "ZWE", "YEM", "SEN", "TCD", "GHA"}.union(*groups.values())
    scale = [Level(token="OPEN", mark="O")]
    return vocabulary("X", sorted(nations), scale, registry, "0" * 64).expand(names)


def part_point(part: dict[str, Any], owner: str, everyone: frozenset[str]) -> Point:
    """A part without a release statement of its own is open to all that the vector knows."""
    release = expanded(part["rel"]) if "rel" in part else everyone | {owner}
    return Point(
        level=SCALE.index(part["level"]),
        caveats=frozenset(part.get("caveats", ())),
        communities=frozenset(),
        release=release,
        display=release | frozenset(part.get("display", ())),
        originator_control=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", range(12))
def test_the_roll_up_vectors(number: int) -> None:
    vector = vectors()[number]
    parts, owner, expect = vector["parts"], vector["owner"], vector["expect"]
    everyone = frozenset().union(*(expanded(part["rel"]) for part in parts if "rel" in part))
    points = [part_point(part, owner, everyone) for part in parts]
    if "error" in expect:
        with pytest.raises(NotAllowed, match="third-party-rule"):
            roll_up(points, owner)
        return
    found = roll_up(points, owner)
    assert SCALE[found.level] == expect["level"]
    if "rel" in expect:
        assert found.release == set(expect["rel"])
    if "caveats" in expect:
        assert found.caveats == set(expect["caveats"])
    assert found.display - found.release == set(expect.get("display", ()))


def test_there_are_twelve_roll_up_vectors() -> None:
    assert len(vectors()) == 12
