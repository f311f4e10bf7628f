"""Labels: strict, complete, and known to the mission in every word."""

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from tests.wire.terms import VOCABULARY, label
from wire import strict_json
from wire.errors import Malformed
from wire.labels import (
    ONWARD,
    PRECEDENCES,
    RECIPIENTS_LIMIT,
    REGIONS_LIMIT,
    SOURCES_LIMIT,
    TERMS_LIMIT,
    THREATS_LIMIT,
    Label,
    Onward,
    Precedence,
    Source,
    check,
    check_in_force,
    check_report,
)

SOURCE = Source(report="1" * 64, portion="2" * 64)


def refused(slug: str, originator: str = "FRA", **changes: Any) -> str:
    with pytest.raises(Malformed) as caught:
        check(label(**changes), originator, VOCABULARY)
    assert caught.value.slug == slug
    return caught.value.detail


def raw(**changes: Any) -> dict[str, Any]:
    fields = label().model_dump(mode="json", exclude_none=True)
    return {key: value for key, value in (fields | changes).items() if value is not ...}


def test_a_full_label_passes() -> None:
    full = label(
        release_to=("FRA", "GBR", "SEN"),
        display_to=("GHA", "KEN"),
        caveats=("PERSONAL DATA", "SOURCE SENSITIVE"),
        communities=("CYBER",),
        regions=("011", "ML", "mission:sable/east"),
        threats=("cyber", "explosive.mine"),
        expires=1_800_000_000,
        obligations=("NO PRINT", "WATERMARK"),
        derived_from=(SOURCE,),
        consents=("3" * 64,),
        supersedes="4" * 64,
        exercise=True,
    )
    check(full, "FRA", VOCABULARY)
    assert full.recipients == {"FRA", "GBR", "SEN", "GHA", "KEN"}
    data = strict_json.dump(full.model_dump(mode="json"))
    assert strict_json.load(data, Label) == full


@pytest.mark.parametrize("field", sorted(set(Label.model_fields) - {"expires", "supersedes"}))
def test_a_missing_field_never_means_unrestricted(field: str) -> None:
    """An absent list that is read as "everyone" has opened documents elsewhere."""
    with pytest.raises(Malformed) as caught:
        strict_json.load(strict_json.dump(raw(**{field: ...})), Label)
    assert caught.value.slug == "bad-fields"
    assert f"`{field}`" in caught.value.detail


@pytest.mark.parametrize("field", sorted(set(Label.model_fields) - {"expires", "supersedes"}))
def test_null_never_means_unrestricted(field: str) -> None:
    with pytest.raises(Malformed, match="bad-fields"):
        strict_json.load(strict_json.dump(raw(**{field: None})), Label)


@pytest.mark.parametrize("everyone", [[], ["*"], ["all"], ["MISSION"], ["FVEY"], "FRA", ["FRA*"]])
def test_there_is_no_wildcard_and_no_empty_release(everyone: object) -> None:
    with pytest.raises(Malformed, match="bad-fields"):
        strict_json.load(strict_json.dump(raw(release_to=everyone)), Label)


@pytest.mark.parametrize("field", ["regions", "threats"])
def test_a_label_names_a_place_and_a_threat_type(field: str) -> None:
    with pytest.raises(Malformed, match="bad-fields"):
        strict_json.load(strict_json.dump(raw(**{field: []})), Label)


def test_a_word_for_everyone_in_the_form_of_a_code_is_just_an_unknown_nation() -> None:
    refused("unknown-term", release_to=("ALL", "FRA"))
    refused("unknown-term", originator="ALL", release_to=("ALL",))


@pytest.mark.parametrize(
    "field", ["release_to", "display_to", "caveats", "communities", "regions", "threats"]
)
def test_unsorted_and_duplicate_lists_are_refused_not_repaired(field: str) -> None:
    pair = {"regions": ["KE", "ML"], "threats": ["air", "cyber"]}.get(field, ["FRA", "SEN"])
    strict_json.load(strict_json.dump(raw(**{field: pair})), Label)
    for bad in (pair[::-1], pair[:1] * 2):
        with pytest.raises(Malformed, match="sorted"):
            strict_json.load(strict_json.dump(raw(**{field: bad})), Label)


def test_sources_are_sorted_by_report_then_portion() -> None:
    first, second = (
        Source(report="1" * 64, portion="3" * 64),
        Source(report="2" * 64, portion="1" * 64),
    )
    assert label(derived_from=(SOURCE, first, second)).derived_from[0] == SOURCE
    for bad in ((first, SOURCE), (second, first), (first, first)):
        with pytest.raises(ValidationError):
            label(derived_from=bad)


@pytest.mark.parametrize(
    ("field", "limit", "form"),
    [
        ("release_to", RECIPIENTS_LIMIT, "A{:c}{:c}"),
        ("display_to", RECIPIENTS_LIMIT, "A{:c}{:c}"),
        ("caveats", TERMS_LIMIT, "A{:c}{:c}"),
        ("communities", TERMS_LIMIT, "A{:c}{:c}"),
        ("obligations", TERMS_LIMIT, "A{:c}{:c}"),
        ("regions", REGIONS_LIMIT, "AA-{:c}{:c}"),
        ("threats", THREATS_LIMIT, "a"),
        ("consents", SOURCES_LIMIT, "0"),
    ],
)
def test_every_list_has_a_limit(field: str, limit: int, form: str) -> None:
    def entries(count: int) -> tuple[str, ...]:
        if field == "consents":
            return tuple(f"{number:064x}" for number in range(count))
        if field == "threats":
            return tuple(f"a{'b' * number}" for number in range(count))
        return tuple(form.format(65 + number // 26, 65 + number % 26) for number in range(count))

    label(**{field: entries(limit)})
    with pytest.raises(ValidationError):
        label(**{field: entries(limit + 1)})


def test_sources_have_a_limit() -> None:
    sources = [Source(report=f"{number:064x}", portion="0" * 64) for number in range(65)]
    label(derived_from=tuple(sources[:SOURCES_LIMIT]))
    with pytest.raises(ValidationError):
        label(derived_from=tuple(sources))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("classification", "COSMIC TOP SECRET"),
        ("caveats", ("NOFORN",)),
        ("communities", ("ASTRONAUTS",)),
        ("regions", ("XK",)),
        ("regions", ("mission:elsewhere",)),
        ("threats", ("explosive.unheard_of",)),
        ("release_to", ("AUS", "FRA")),
        ("display_to", ("AUS",)),
    ],
)
def test_a_word_that_the_mission_does_not_have_is_refused(field: str, value: Any) -> None:
    refused("unknown-term", **{field: value})


def test_an_originator_outside_the_mission_is_refused() -> None:
    assert "nation `AUS`" in refused("unknown-term", originator="AUS")


def test_a_place_code_is_not_a_nation_code() -> None:
    with pytest.raises(ValidationError):
        label(release_to=("FR",))
    with pytest.raises(ValidationError):
        label(regions=("FRA",))


def test_the_originator_is_always_in_its_own_release_list() -> None:
    assert "`KEN`" in refused("label-release-to", originator="KEN")
    refused("label-release-to", release_to=("SEN", "TCD"))


def test_the_originator_alone_is_written_out() -> None:
    check(label(release_to=("FRA",)), "FRA", VOCABULARY)


def test_a_nation_is_released_to_or_displayed_to_not_both() -> None:
    assert "`SEN`" in refused("label-display-to", display_to=("GHA", "SEN"))


def test_a_label_ends_after_what_it_tells_happened() -> None:
    check(label(occurred=10, expires=11), "FRA", VOCABULARY)
    refused("label-expired", occurred=10, expires=10)


def test_consents_need_a_source() -> None:
    refused("label-lineage", consents=("3" * 64,))
    check(label(derived_from=(SOURCE,)), "FRA", VOCABULARY)


def test_a_label_is_in_force_until_the_second_it_expires() -> None:
    check_in_force(label(expires=None), 1 << 39)
    check_in_force(label(expires=1_700_000_100), 1_700_000_099)
    with pytest.raises(Malformed, match="label-expired"):
        check_in_force(label(expires=1_700_000_100), 1_700_000_100)


def test_exercise_and_live_portions_do_not_share_a_report() -> None:
    check_report([label(), label(classification="TOP SECRET")], "FRA", VOCABULARY)
    check_report([label(exercise=True), label(exercise=True)], "FRA", VOCABULARY)
    with pytest.raises(Malformed, match="label-exercise"):
        check_report([label(), label(exercise=True)], "FRA", VOCABULARY)


def test_every_portion_of_a_report_is_checked() -> None:
    with pytest.raises(Malformed, match="label-release-to"):
        check_report([label(), label(release_to=("SEN",))], "FRA", VOCABULARY)


def test_the_orders_name_every_word_once() -> None:
    assert get_args(Precedence) == PRECEDENCES
    assert get_args(Onward) == ONWARD


def test_who_may_only_look_has_one_duty_more() -> None:
    made = label(release_to=("FRA", "SEN"), display_to=("GHA",), obligations=("WATERMARK",))
    assert made.duties("SEN") == made.duties("FRA") == {"WATERMARK"}
    assert made.duties("GHA") == {"DISPLAY", "WATERMARK"}
    assert label(display_to=()).duties("SEN") == frozenset()
