from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clients import standard
from clients.draft import AttachmentFile, Draft, Label, Portion
from tests.clients.mission import NATIONS, NOW, founded, label
from wire import labels
from wire.errors import Malformed
from wire.labels import Source
from wire.vocabulary import Vocabulary, vocabulary


def terms(**groups: tuple[str, ...]) -> Vocabulary:
    levels, registry = standard.levels(), standard.registry(groups=groups.items())
    return vocabulary("MINUSX", NATIONS, levels, registry, "0" * 64)


def fixed(written: Label, known: Vocabulary | None = None) -> labels.Label:
    return written.fixed("KEN", NOW, known or founded().directory.terms, exercise=False)


def test_the_originator_is_always_on_its_own_release_list() -> None:
    assert fixed(label({"GBR"})).release_to == ("GBR", "KEN")
    assert fixed(label(())).release_to == ("KEN",)


def test_what_has_to_be_thought_about_has_no_default() -> None:
    for left_out in ("classification", "release_to", "regions", "threats"):
        words: dict[str, Any] = {
            "classification": "SECRET",
            "release_to": {"GBR"},
            "regions": {"KE"},
            "threats": {"explosive"},
        }
        del words[left_out]
        with pytest.raises(TypeError, match=left_out):
            Label(**words)


def test_everything_else_has_the_strictest_usual_value() -> None:
    signed = fixed(label())
    assert (signed.onward, signed.derive, signed.precedence) == ("none", "consent", "ROUTINE")
    assert (signed.display_to, signed.caveats, signed.occurred) == ((), (), NOW)
    assert signed.expires is None


def test_coalitions_are_expanded_when_the_label_is_fixed() -> None:
    """A nation that joins the coalition later gains nothing by it."""
    before, after = terms(PARTNERS=("FRA", "GBR")), terms(PARTNERS=("FRA", "GBR", "SEN"))
    written = label({"PARTNERS"})
    assert fixed(written, before).release_to == ("FRA", "GBR", "KEN")
    assert fixed(written, after).release_to == ("FRA", "GBR", "KEN", "SEN")


def test_a_coalition_may_look_where_one_nation_may_keep() -> None:
    known = terms(PARTNERS=("FRA", "SEN"))
    signed = fixed(label({"GBR"}, display_to={"PARTNERS"}), known)
    assert signed.display_to == ("FRA", "SEN")


@pytest.mark.parametrize(
    ("how", "slug"),
    [
        ({"release_to": {"USA"}}, "unknown-term"),
        ({"release_to": {"FVEY"}}, "unknown-term"),
        ({"release_to": {"ken"}}, "unknown-term"),
        ({"release_to": {"*"}}, "unknown-term"),
        ({"classification": "COSMIC"}, "unknown-term"),
        ({"caveats": {"NOFORN"}}, "unknown-term"),
        ({"regions": {"Kenya"}}, "unknown-term"),
        ({"regions": {"XX"}}, "unknown-term"),
        ({"regions": set()}, "bad-fields"),
        ({"threats": {"weather"}}, "unknown-term"),
        ({"precedence": "URGENT"}, "bad-fields"),
        ({"display_to": {"GBR"}}, "label-display-to"),
        ({"display_to": {"KEN"}}, "label-display-to"),
        ({"expires": NOW - 10}, "label-expired"),
        ({"expires": timedelta(days=-1)}, "label-expired"),
        ({"consents": {"0" * 64}}, "label-lineage"),
        ({"occurred": -1}, "bad-fields"),
        ({"supersedes": "yesterday's"}, "bad-fields"),
    ],
)
def test_a_label_that_breaks_a_rule_is_refused_before_anything_is_sealed(
    how: dict[str, Any], slug: str
) -> None:
    written = Label(**{**vars(label()), **how})
    with pytest.raises(Malformed) as refusal:
        fixed(written)
    assert refusal.value.slug == slug


@pytest.mark.parametrize("name", ["release_to", "display_to", "regions", "threats", "caveats"])
def test_one_word_is_not_taken_for_a_set_of_letters(name: str) -> None:
    with pytest.raises(Malformed, match=f"{name} is a set of words"):
        fixed(Label(**{**vars(label()), name: "KEN"}))


def test_times_are_seconds_or_know_their_zone() -> None:
    moment = datetime(2026, 5, 28, 12, 0, tzinfo=UTC)
    signed = fixed(label(occurred=moment, expires=timedelta(hours=1)))
    assert signed.occurred == int(moment.timestamp())
    assert signed.expires == NOW + 3_600
    with pytest.raises(Malformed, match="a time without a zone"):
        fixed(label(occurred=moment.replace(tzinfo=None)))


def test_sources_are_sorted_and_named_once() -> None:
    one, two = Source(report="b" * 64, portion="0" * 64), Source(report="a" * 64, portion="0" * 64)
    assert fixed(label(derived_from=[one, two, one])).derived_from == (two, one)


def test_a_source_is_protected_or_cited() -> None:
    one, two = Source(report="b" * 64, portion="0" * 64), Source(report="a" * 64, portion="0" * 64)
    assert fixed(label(derived_from=[one], cites=[two])).derived_from == (two, one)
    with pytest.raises(Malformed, match="bad-input"):
        fixed(label(derived_from=[one, two], cites=[two]))


def test_a_draft_is_its_first_portion_and_may_have_more() -> None:
    further = Portion(title="Below the line", body="Less.", label=label())
    draft = Draft(title="Above", body="More.", label=label(), portions=[further])
    assert draft.all_portions == (draft, further)


@pytest.mark.parametrize("how", [{"data": b"{}"}, {"media_type": "text/plain"}])
def test_other_content_names_its_media_type_and_ours_does_not(how: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match="bad-input"):
        Portion(title="T", body="B", label=label(), **how).payload({})


def test_written_forms_are_brought_to_the_one_form() -> None:
    portion = Portion(
        title="cafe\u0301",
        body="a\r\nb",
        label=label(),
        dtg="091630Z JUL 26",
        mgrs="37N BA 89123 45678",
        information_grade=2,
    )
    said = portion.payload({})
    for form in ('"café"', '"a\\nb"', '"091630ZJUL26"', '"37NBA8912345678"', '"2"'):
        assert form.encode() in said


@pytest.mark.parametrize(
    "how", [{"title": ""}, {"title": "a\nb"}, {"confidence": 200}, {"dtg": "now"}, {"body": "\0"}]
)
def test_content_that_readers_would_refuse_is_not_sealed(how: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        Portion(**{"title": "T", "body": "B", "label": label(), **how}).payload({})


def test_a_file_on_disk_is_attached_under_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"jpeg")
    file = AttachmentFile.of(path)
    assert (file.name, file.size, file.media_type) == ("photo.jpg", 4, "image/jpeg")
    with file.open() as opened:
        assert opened.read() == b"jpeg"
    assert AttachmentFile.of(path, "image/x").media_type == "image/x"
    with pytest.raises(Malformed, match="bad-input"):
        AttachmentFile.of(tmp_path / "missing.jpg")


def test_a_file_of_an_unusual_kind_is_just_bytes(tmp_path: Path) -> None:
    path = tmp_path / "data.unheard-of"
    path.write_bytes(b"")
    assert AttachmentFile.of(path).media_type == "application/octet-stream"


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ({"regions": {"Kenya"}}, "did you mean KE Kenya"),
        ({"regions": {"ke"}}, "did you mean KE Kenya"),
        ({"threats": {"explosive.ied"}}, "did you mean explosive.ied_emplaced"),
        ({"classification": "SECRT"}, "did you mean SECRET"),
        ({"caveats": {"SOURCE-SENSITIVE"}}, "did you mean SOURCE SENSITIVE"),
    ],
)
def test_a_word_that_is_nearly_right_is_answered_with_the_right_one(
    wrong: dict[str, Any], meant: str
) -> None:
    with pytest.raises(Malformed, match=meant):
        label(**wrong).fixed("KEN", NOW, terms(), exercise=False)
