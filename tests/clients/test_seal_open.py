"""Sealing and opening, as the author and the reader see it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.draft import AttachmentFile, Draft, Portion
from clients.keys import EpochKeyring, seal_to
from clients.open import OpenedPortion, OpenedReport, open_report, rewrap
from clients.seal import fixed_labels, seal
from tests.clients.mission import NOW, delivered, draft, founded, keyring, label, opened, sealed
from tests.people import random_of
from wire import base64_strict, report, verify
from wire.bodies import ReportRelease
from wire.errors import Conflict, Malformed, NotAllowed

PHOTO = AttachmentFile.of_bytes("photo.jpg", bytes(range(256)) * 400, "image/jpeg")


def two_audiences() -> Draft:
    below = Portion(title="Below the line", body="Less.", label=label({"GBR", "FRA"}))
    return draft({"GBR"}, portions=[below])


# -- what comes back


def test_every_recipient_reads_what_was_written() -> None:
    raw = sealed(draft({"GBR", "FRA"}, source_grade="B", information_grade=2)).raw
    for nation in ("KEN", "GBR", "FRA"):
        read = opened(delivered(raw, nation), nation)
        assert (read.title, read.body) == (
            "IED on the Garissa road",
            "Two devices.\nPressure plates.",
        )
        assert read.banner == "MINUSX SECRET//KEN//REL TO KEN, FRA, GBR//ORCON"
        assert read.portions[0].mark == "(S//REL KEN, FRA, GBR//ORCON)"
        assert read.originator == "KEN"
        assert read.closed == ()
        assert read.portions[0].content is not None
        assert read.portions[0].content.source_grade == "B"


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=300))
def test_any_text_comes_back(body: str) -> None:
    assert opened(delivered(sealed(draft(body=body)).raw, "GBR"), "GBR").body == body


def test_each_nation_opens_its_own_portions() -> None:
    raw = sealed(two_audiences()).raw
    british, french = (opened(delivered(raw, n), n) for n in ("GBR", "FRA"))
    assert {p.title for p in british.portions} == {"IED on the Garissa road", "Below the line"}
    assert [p.title for p in french.portions] == ["Below the line"]
    assert british.banner == "MINUSX SECRET//KEN//REL TO KEN, GBR//ORCON"
    assert french.banner == "MINUSX SECRET//KEN//REL TO KEN, FRA, GBR//ORCON"


def test_the_most_highly_classified_portion_comes_first() -> None:
    open_part = Portion(
        title="Open", body="", label=label(classification="RESTRICTED", precedence="FLASH")
    )
    for seed in range(6):
        raw = sealed(draft(portions=[open_part]), seed=seed).raw
        read = opened(delivered(raw, "GBR"), "GBR")
        assert [p.label.classification for p in read.portions] == ["SECRET", "RESTRICTED"]
        assert read.precedence == "FLASH"


def test_other_media_types_come_back_as_bytes() -> None:
    bundle = b'{"type":"bundle"}'
    stix = "application/stix+json;version=2.1"
    raw = sealed(Draft(data=bundle, media_type=stix, label=label(), attachments=[PHOTO])).raw
    portion = opened(delivered(raw, "GBR"), "GBR").portions[0]
    assert (portion.data, portion.media_type, portion.content) == (bundle, stix, None)
    assert (portion.title, portion.body) == ("", "")
    assert portion.attachments[0].name == portion.attachments[0].id


def test_what_is_opened_was_verified_first() -> None:
    with pytest.raises(TypeError):
        OpenedReport()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        OpenedPortion()  # type: ignore[call-arg]
    read = opened(delivered(sealed(draft()).raw, "GBR"), "GBR")
    with pytest.raises(TypeError):
        replace(read, originator="FRA")


def test_what_is_opened_does_not_show_in_logs() -> None:
    report_shown = repr(opened(delivered(sealed(draft()).raw, "GBR"), "GBR"))
    assert "Garissa" not in report_shown
    assert "Pressure" not in report_shown


# -- who can seal, and for whom


def test_a_sealed_report_passes_the_broker_and_is_fresh() -> None:
    made = sealed(two_audiences())
    directory = founded().directory
    checked = verify.verify_submission(made.raw, directory, directory.position + 1, NOW + 60)
    verify.check_fresh(checked, directory, NOW + 60)
    assert (checked.identity, checked.header.id) == (made.identity, made.id)
    assert made.labels == fixed_labels(two_audiences(), "KEN", directory, NOW + 60)


@pytest.mark.parametrize("kind", ["analyst", "auditor"])
def test_members_whom_others_cannot_verify_do_not_seal(kind: str) -> None:
    mission = founded()
    with pytest.raises(NotAllowed, match="unknown-signer"):
        seal(
            draft(),
            mission.members["KEN", kind],
            mission.directory,
            now=NOW + 60,
            random=random_of(0),
        )


def test_a_recipient_without_a_fresh_key_fails_the_seal_and_is_named() -> None:
    """Expect refusal: nobody is skipped, and a frozen directory is not sealed to."""
    late = NOW + 8 * 86_400
    with pytest.raises(Conflict, match=r"stale-epoch") as refusal:
        sealed(draft({"GBR", "FRA"}), now=late)
    for nation in ("KEN", "GBR", "FRA"):
        assert f"{nation} has no key that is valid now" in refusal.value.detail


@pytest.mark.slow
def test_a_recipient_not_accredited_to_the_level_fails_the_seal_and_is_named() -> None:
    mission = founded(("FRA", "RESTRICTED"))
    with pytest.raises(Conflict, match="FRA has no key for this level") as refusal:
        seal(
            draft({"GBR", "FRA"}),
            mission.members["KEN", "system"],
            mission.directory,
            now=NOW + 60,
            random=random_of(0),
        )
    assert "GBR" not in refusal.value.detail


def test_an_expelled_recipient_fails_the_seal_and_is_named() -> None:
    directory = founded().directory
    gone = replace(directory.nations["GBR"], expelled=directory.position)
    with pytest.raises(Conflict, match="GBR"):
        seal(
            draft({"GBR", "FRA"}),
            founded().members["KEN", "system"],
            directory.with_nation(gone),
            now=NOW + 60,
            random=random_of(0),
        )


def test_nobody_gets_a_wrap_but_the_recipients_of_the_label() -> None:
    made = report.parse(sealed(draft({"GBR"}, label=label({"GBR"}, display_to={"SEN"}))).raw)
    assert [r.nation for r in made.portions[0].records] == ["GBR", "KEN", "SEN"]
    assert len(made.portions[0].wraps) == 3


@pytest.mark.parametrize(
    ("how", "slug"),
    [
        ({"body": "x" * 1_000_001}, "bad-fields"),
        ({"portions": [draft()] * 16}, "bad-input"),
        ({"attachments": [PHOTO] * 17}, "bad-fields"),
        ({"attachments": [replace(PHOTO, size=(1 << 30) + (1 << 26))]}, "too-large"),
        ({"attachments": [replace(PHOTO, size=PHOTO.size + 1)]}, "bad-input"),
        ({"attachments": [replace(PHOTO, media_type="Image")]}, "bad-fields"),
        ({"attachments": [replace(PHOTO, name="../photo")]}, "bad-fields"),
    ],
)
def test_a_draft_that_cannot_be_sent_is_refused_in_words(how: dict[str, Any], slug: str) -> None:
    with pytest.raises(Malformed) as refusal:
        sealed(draft(**how))
    assert refusal.value.slug == slug


def test_a_portion_that_is_too_long_travels_as_an_attachment() -> None:
    long = Draft(data=bytes(8 << 20), media_type="application/pdf", label=label())
    with pytest.raises(Malformed, match="travels as an attachment"):
        sealed(long)


def test_a_report_that_is_too_long_in_all_is_refused() -> None:
    part = Draft(data=bytes(6_000_000), media_type="application/pdf", label=label())
    with pytest.raises(Malformed, match="too-large"):
        sealed(replace(part, portions=[part, part]))


# -- what does not open, and why


def test_a_nation_that_was_not_named_has_no_key() -> None:
    verified = delivered(sealed(draft({"GBR"})).raw, "SEN", [_real_index(draft())])
    with pytest.raises(NotAllowed, match=r"not sealed to SEN.*no-key"):
        opened(verified, "SEN")


def _real_index(content: Draft) -> int:
    return report.parse(sealed(content).raw).portions[0].index


def test_an_auditor_has_no_key() -> None:
    """Auditors verify what happened; they were never granted an epoch."""
    verified = delivered(sealed(draft()).raw, "GBR")
    with pytest.raises(NotAllowed, match="no-key"):
        open_report(verified, "GBR", keyring("GBR", "auditor"), founded().directory.terms)


@pytest.mark.slow
def test_a_member_cleared_below_a_portion_reads_the_others_and_is_told() -> None:
    """Clearance is enforced by mathematics, and the reason is given in words."""
    cleared = founded(("GBR/analyst", "RESTRICTED"))
    low = Portion(title="Open part", body="", label=label(classification="RESTRICTED"))
    raw = seal(
        draft(portions=[low]),
        cleared.members["KEN", "system"],
        cleared.directory,
        now=NOW + 60,
        random=random_of(1),
    ).raw
    position = cleared.directory.position + 1
    verified = verify.verify_submission(raw, cleared.directory, position, NOW + 60)
    terms = cleared.directory.terms
    ring = keyring("GBR", "analyst", cleared)
    read = open_report(verified, "GBR", ring, terms)
    assert [p.title for p in read.portions] == ["Open part"]
    assert read.banner == "MINUSX RESTRICTED//KEN//REL TO KEN, GBR//ORCON"
    assert len(read.closed) == 1
    assert read.closed[0].reason.slug == "no-key"
    assert "granted up to level 1" in str(read.closed[0].reason)


def test_a_keyring_without_the_epoch_opens_nothing() -> None:
    verified = delivered(sealed(draft()).raw, "GBR")
    empty = EpochKeyring(founded().members["GBR", "analyst"], "GBR")
    with pytest.raises(NotAllowed, match=r"nothing was granted of epoch 1.*no-key"):
        open_report(verified, "GBR", empty, founded().directory.terms)


# -- consent to one more nation


def _consent(verified: verify.VerifiedReport, wrap: bytes, to: str = "SEN") -> ReportRelease:
    key = founded().directory.epoch_key(to, 3, NOW + 60)
    return ReportRelease(
        salt="0" * 32,
        report=verified.identity,
        portion=verified.portions[0].frame.commitment,
        to=to,
        level="SECRET",
        epoch=key.epoch,
        kid=key.kid,
        wrap=base64_strict.encode(wrap),
        expires=NOW + 3_600,
    )


def test_the_originators_consent_opens_the_same_bytes_to_one_more_nation() -> None:
    mission, raw = founded(), sealed(draft({"GBR"})).raw
    own = delivered(raw, "KEN")
    to, terms = mission.directory.epoch_key("SEN", 3, NOW + 60), mission.directory.terms
    wrap = rewrap(own, own.portions[0], "KEN", keyring("KEN", "officer"), to, terms)
    theirs = delivered(raw, "SEN", [own.portions[0].index])
    ring = keyring("SEN")
    read = open_report(theirs, "SEN", ring, terms, [_consent(own, wrap)])
    assert read.title == "IED on the Garissa road"
    for other in (
        _consent(own, wrap, "FRA"),
        _consent(own, wrap).model_copy(update={"report": "0" * 64}),
    ):
        with pytest.raises(NotAllowed, match=r"not sealed to SEN.*no-key"):
            open_report(theirs, "SEN", ring, terms, [other])


def test_consent_that_wraps_something_else_is_undecryptable() -> None:
    mission, raw = founded(), sealed(draft({"GBR"})).raw
    own = delivered(raw, "KEN")
    place, to = own.portions[0].frame, mission.directory.epoch_key("SEN", 3, NOW + 60)
    bound = report.portion_context("KEN", own.header.id, place.index, place.label_bytes)
    wrap = seal_to(to.public, b"short", report.wrap_info(3, "SEN", to.kid, bound))
    theirs = delivered(raw, "SEN", [place.index])
    with pytest.raises(Malformed, match="no content key"):
        open_report(theirs, "SEN", keyring("SEN"), mission.directory.terms, [_consent(own, wrap)])


def test_consent_to_a_key_below_the_classification_is_refused() -> None:
    mission, own = founded(), delivered(sealed(draft({"GBR"})).raw, "KEN")
    low = mission.directory.epoch_key("SEN", 2, NOW + 60)
    with pytest.raises(NotAllowed, match="below the classification"):
        rewrap(own, own.portions[0], "KEN", keyring("KEN"), low, mission.directory.terms)
