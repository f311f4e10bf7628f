"""Verification, step by step: what must hold before anybody believes a report."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import sealing
from tests.coalition import DAY, Coalition, Portion
from tests.refusal import refused
from wire import report, verify
from wire.errors import TearlineError
from wire.report import Frame, PortionFrame
from wire.verify import VerifiedPortion, VerifiedReport

SHARED = Coalition.of("KEN", "GBR", "FRA")
PLACE = SHARED["KEN"].place(report_id="5e" * 16)
LABEL = SHARED["KEN"].label("SECRET", "GBR")


def honest(label: dict[str, Any] | None = None, **how: Any) -> PortionFrame:
    """A portion of Kenya's, sealed to whom its label names unless `keys` are given."""
    fields = {**LABEL, **(label or {})}
    keys = how.pop("keys", None) or SHARED["KEN"].keys_for(LABEL)
    return sealing.portion(PLACE, fields, b"Ambush", keys, SHARED.random, **how)


PORTION = honest()


@pytest.fixture
def world() -> Coalition:
    return SHARED.copy()


def submit(world: Coalition, *portions: PortionFrame, **header: Any) -> VerifiedReport:
    frame = world["KEN"].signs(PLACE, portions or (PORTION,), **header)
    return world.accepts(sealing.encode(frame))


def test_an_honest_report_is_believed(world: Coalition) -> None:
    verified = submit(world)
    assert verified.originator == "KEN"
    assert verified.signer.kid == world["KEN"].system.kid
    (portion,) = verified.portions
    assert portion.recipients == {"KEN", "GBR"}
    assert portion.level == world.directory.terms.level("SECRET")
    assert portion.index == 0
    assert portion.label.regions == ("KE",)
    assert verified.identity == verified.frame.identity


def test_nobody_makes_a_verified_report_but_verification(world: Coalition) -> None:
    verified = submit(world)
    for proof in (verified, verified.portions[0]):
        with pytest.raises(TypeError, match="proof of a check"):
            dataclasses.replace(proof)
    for type_ in (VerifiedReport, VerifiedPortion):
        with pytest.raises(TypeError, match="proof of a check"):
            type_()  # type: ignore[call-arg]


# -- (1) layout and header


def test_another_missions_report_is_refused(world: Coalition) -> None:
    with refused("bad-envelope", "another mission"):
        submit(world, mission="MINUSY")


@pytest.mark.parametrize("count", [3, 5, 6, 7, 9, 15])
def test_a_number_of_commitments_that_would_tell_is_refused(world: Coalition, count: int) -> None:
    """Three would say: no more than three portions. Decoys fill up to 1, 2, 4, 8 or 16."""
    decoys = [world.random(32).hex() for _ in range(count - 1)]
    with refused("bad-envelope", "number of portions"):
        submit(world, portions=[PORTION.commitment, *decoys])


def test_a_commitment_stands_once(world: Coalition) -> None:
    """Or one portion could be shown in the place of another."""
    with refused("bad-envelope", "twice"):
        submit(world, portions=[PORTION.commitment] * 2)


@pytest.mark.parametrize("count", [1, 2, 4, 8, 16])
def test_a_report_has_up_to_sixteen_places(world: Coalition, count: int) -> None:
    decoys = [world.random(32).hex() for _ in range(count - 1)]
    assert len(submit(world, portions=[PORTION.commitment, *decoys]).header.portions) == count


def test_a_report_from_the_future_is_refused(world: Coalition) -> None:
    submit(world, created=world.clock.now + verify.CREATED_AHEAD)
    with refused("bad-envelope", "future"):
        submit(world, created=world.clock.now + verify.CREATED_AHEAD + 1)


# -- (2) the signer, (3) the signature


def signer_of(pick: Callable[[Coalition], Any]) -> Callable[[Coalition], str]:
    return lambda world: str(pick(world).kid)


@pytest.mark.parametrize(
    "kid",
    [
        signer_of(lambda w: w["GBR"].system),
        signer_of(lambda w: w["KEN"].analyst),
        signer_of(lambda w: w["KEN"].auditor),
        lambda _: "00" * 16,
    ],
    ids=["another nation's", "an analyst", "an auditor", "unknown"],
)
def test_a_signer_must_be_one_of_the_originator(
    world: Coalition, kid: Callable[[Coalition], str]
) -> None:
    with refused("unknown-signer"):
        submit(world, signer=kid(world))


def test_a_revoked_or_expired_signer_signs_nothing_more(world: Coalition) -> None:
    kenya = world["KEN"]
    kenya.enlists("system2", "system", days=1)
    with refused("unknown-signer"):
        now = world.clock.now
        raw = kenya.seals(signer=kenya.system2)
        verify.verify_submission(raw, world.directory, world.position, now + DAY)
    world.accepts(raw)
    kenya.revokes(kenya.system2)
    with refused("unknown-signer"):
        world.accepts(kenya.seals(signer=kenya.system2))


def test_what_was_accepted_before_a_revocation_stays_valid(world: Coalition) -> None:
    """Validity goes by journal position, not by clock."""
    kenya = world["KEN"]
    raw = kenya.seals(release_to="GBR")
    delivery = world.deliver(raw, to="GBR")
    kenya.revokes(kenya.system)
    world.clock.forward(days=400)
    assert world["GBR"].opens(delivery)


def test_a_signature_by_another_key_is_refused(world: Coalition) -> None:
    kenya = world["KEN"]
    frame = kenya.signs(PLACE, [PORTION], by=kenya.officer, signer=kenya.system.kid)
    with refused("bad-signature"):
        world.accepts(sealing.encode(frame))


# -- (4) commitments


def test_a_portion_that_was_not_signed_is_refused(world: Coalition) -> None:
    frame = world["KEN"].signs(PLACE, [PORTION])
    other = honest()
    with refused("bad-envelope", "not the one that was signed"):
        world.accepts(sealing.encode(dataclasses.replace(frame, portions=(other,))))


def test_a_portion_in_another_place_is_refused(world: Coalition) -> None:
    frame = world["KEN"].signs(PLACE, [PORTION])
    for index in (1, 15, 255):
        moved = dataclasses.replace(PORTION, index=index)
        with refused("bad-envelope", "not the one that was signed"):
            world.accepts(sealing.encode(dataclasses.replace(frame, portions=(moved,))))


# -- (5) labels


@pytest.mark.parametrize(
    ("label", "slug"),
    [
        ({"classification": "COSMIC"}, "unknown-term"),
        ({"regions": ["ZZ"]}, "unknown-term"),
        ({"threats": ["boredom"]}, "unknown-term"),
        ({"caveats": ["NOT A CAVEAT"]}, "unknown-term"),
        ({"exercise": True}, "label-exercise"),
        ({"expires": 0}, "label-expired"),
        ({"release_to": ["GBR"]}, "label-release-to"),
        ({"release_to": ["KEN"], "display_to": ["GBR", "KEN"]}, "label-display-to"),
        ({"release_to": []}, "bad-fields"),
        ({"release_to": ["KEN", "GBR"]}, "bad-fields"),
        ({"release_to": None}, "bad-fields"),
        ({"audience": "everyone"}, "bad-fields"),
        ({"consents": ["ab" * 32]}, "label-lineage"),
    ],
    ids=str,
)
def test_a_label_that_breaks_a_rule_is_refused(
    world: Coalition, label: dict[str, Any], slug: str
) -> None:
    with refused(slug):
        submit(world, honest(label))


# -- protected sources

SOURCES = [{"report": f"{n:064x}", "portion": "cd" * 32} for n in range(65)]


def test_the_whole_label_has_what_is_shown_and_what_is_protected(world: Coalition) -> None:
    shown, hidden = (
        [SOURCES[1]],
        {"derived_from": [SOURCES[0], SOURCES[2]], "consents": ["ab" * 32]},
    )
    (portion,) = submit(world, honest({"derived_from": shown}, protected=hidden)).portions
    assert [s.report for s in portion.label.derived_from] == [SOURCES[1]["report"]]
    assert [s.report for s in portion.whole.derived_from] == [s["report"] for s in SOURCES[:3]]
    assert portion.whole.consents == ("ab" * 32,)
    assert (
        portion.whole.model_dump().items()
        >= {"classification": "SECRET", "regions": ("KE",)}.items()
    )


@pytest.mark.parametrize(
    ("label", "protected"),
    [
        ({"derived_from": SOURCES[:1]}, {"derived_from": SOURCES[:1]}),
        ({"derived_from": SOURCES[:33]}, {"derived_from": SOURCES[33:]}),
        (
            {"derived_from": SOURCES[:1], "consents": ["ab" * 32]},
            {"consents": ["ab" * 32]},
        ),
        ({}, {"consents": ["ab" * 32]}),
    ],
    ids=["twice", "too many", "consent twice", "consent for nothing"],
)
def test_what_does_not_fit_together_is_refused(
    world: Coalition, label: dict[str, Any], protected: dict[str, Any]
) -> None:
    with refused("label-lineage"):
        submit(world, honest(label, protected=protected))


def test_every_portion_says_what_it_draws_on_with_a_salt_of_its_own(world: Coalition) -> None:
    place = dataclasses.replace(PLACE, index=1)
    keys = SHARED["KEN"].keys_for(LABEL)
    salt = {"salt": "5a" * 32}
    first = honest(protected=salt)
    for other in (salt, {"salt": "5b" * 32}):
        second = sealing.portion(place, LABEL, b"x", keys, SHARED.random, protected=other)
        if other is salt:
            with refused("label-lineage", "stands twice"):
                submit(world, first, second)
        else:
            submit(world, first, second)
            with refused("label-lineage", "does not say"):
                submit(world, first, dataclasses.replace(second, protected=b""))


def test_what_is_said_of_protected_sources_is_what_the_label_commits_to(world: Coalition) -> None:
    for other in (honest().protected, PORTION.protected + b" ", b"{}"):
        with refused("bad-envelope", "other protected sources"):
            submit(world, dataclasses.replace(PORTION, protected=other))


def test_a_delivery_says_nothing_of_them(world: Coalition) -> None:
    raw = world["KEN"].seals(release_to="GBR")
    (portion,) = report.parse(raw).portions
    frame = report.parse(world.deliver(raw, to="GBR"))
    leaky = dataclasses.replace(frame.portions[0], protected=portion.protected)
    with refused("label-lineage", "were delivered"):
        world.reads(sealing.encode(dataclasses.replace(frame, portions=(leaky,))), "GBR")


def test_a_label_whose_time_is_over_is_refused(world: Coalition) -> None:
    portion = honest({"expires": world.clock.now + 60})
    submit(world, portion)
    with refused("label-expired"):
        frame = world["KEN"].signs(PLACE, [portion])
        world.clock.forward(seconds=60)
        world.accepts(sealing.encode(frame))


@pytest.mark.slow
def test_in_an_exercise_live_reports_are_refused() -> None:
    exercise = Coalition.of("KEN", "GBR", mission="EXUNITY", exercise=True)
    exercise.accepts(exercise["KEN"].seals(release_to="GBR"))
    with refused("label-exercise"):
        exercise.accepts(exercise["KEN"].seals(release_to="GBR", exercise=False))


# -- (6) recipients


def test_keys_are_exactly_those_of_the_labels_recipients(world: Coalition) -> None:
    """No silent extra reader, none missing."""
    kenya, now = world["KEN"], world.clock.now
    keys = [world.directory.epoch_key(n, 3, now) for n in ("FRA", "GBR", "KEN")]
    for wrong in (keys, keys[1:2], keys[2:], keys[:2], [keys[0], keys[2]]):
        with refused("label-recipients"):
            submit(world, honest(keys=wrong))
    display = kenya.label("SECRET", "GBR", "FRA")
    submit(world, honest(display, keys=keys))


def test_a_key_above_the_classification_will_do_and_one_below_will_not(world: Coalition) -> None:
    kenya, now = world["KEN"], world.clock.now
    for level, fine in ((3, True), (2, True), (1, False)):
        keys = [world.directory.epoch_key(n, level, now) for n in ("GBR", "KEN")]
        frame = kenya.signs(PLACE, [honest({"classification": "CONFIDENTIAL"}, keys=keys)])
        if fine:
            world.accepts(sealing.encode(frame))
        else:
            with refused("label-recipients", "below the classification"):
                world.accepts(sealing.encode(frame))


def test_nothing_is_sealed_to_a_nation_that_was_expelled(world: Coalition) -> None:
    raw = world["KEN"].seals(release_to="GBR FRA")
    world.expels("FRA")
    with refused("label-release-to", "FRA was expelled"):
        world.accepts(raw)


# -- (7) wraps, (8) payload and attachments


def test_a_wrap_that_was_not_signed_is_refused(world: Coalition) -> None:
    frame = world["KEN"].signs(PLACE, [PORTION])
    swapped = dataclasses.replace(PORTION, wraps={0: PORTION.wraps[1], 1: PORTION.wraps[0]})
    with refused("bad-envelope", "wrap"):
        world.accepts(sealing.encode(dataclasses.replace(frame, portions=(swapped,))))


def test_a_submission_has_every_wrap(world: Coalition) -> None:
    frame = world["KEN"].signs(PLACE, [PORTION])
    fewer = dataclasses.replace(PORTION, wraps={0: PORTION.wraps[0]})
    with refused("label-recipients", "no key wrap"):
        world.accepts(sealing.encode(dataclasses.replace(frame, portions=(fewer,))))


@pytest.mark.parametrize("change", [lambda p: p + b"\0", lambda p: p[:-1], lambda p: p[::-1]])
def test_a_payload_that_was_not_signed_is_refused(
    world: Coalition, change: Callable[[bytes], bytes]
) -> None:
    frame = world["KEN"].signs(PLACE, [PORTION])
    other = dataclasses.replace(PORTION, payload=change(PORTION.payload))
    with refused("bad-envelope", "payload"):
        world.accepts(sealing.encode(dataclasses.replace(frame, portions=(other,))))


def test_a_payload_has_the_length_that_was_signed(world: Coalition) -> None:
    """A label must not lie about sizes, not even where the digest is right."""
    label = sealing.fields(PORTION.label_bytes)
    label["payload"]["len"] += 1
    lying = sealing.rebuilt(PORTION, label_bytes=sealing.text(label))
    with refused("bad-envelope", "payload"):
        submit(world, lying)


def test_an_attachment_has_one_name_in_the_whole_report(world: Coalition) -> None:
    """Readers of one portion must not be able to ask for another portion's attachment."""
    sealed = {"id": "aa" * 16, "sha256": "bb" * 32, "len": 100, "media_type": "image/jpeg"}
    with refused("bad-envelope", "attachment"):
        submit(world, honest(attachments=[sealed, sealed]))
    place = dataclasses.replace(PLACE, index=1)
    keys = world["KEN"].keys_for(LABEL)
    two = [
        sealing.portion(p, LABEL, b"x", keys, world.random, attachments=[sealed])
        for p in (PLACE, place)
    ]
    with refused("bad-envelope", "attachment"):
        submit(world, *two)
    submit(world, honest(attachments=[sealed, {**sealed, "id": "ab" * 16}]))


# -- freshness


def test_keys_must_be_those_of_the_current_epoch(world: Coalition) -> None:
    raw = world["KEN"].seals(release_to="GBR")
    world["GBR"].opens_epoch()
    with refused("stale-epoch", "GBR has opened epoch 2"):
        world.accepts(raw)
    world.accepts(world["KEN"].seals(release_to="GBR"))


def test_a_key_under_another_name_is_not_the_current_one(world: Coalition) -> None:
    now = world.clock.now
    keys = [world.directory.epoch_key(n, 3, now) for n in ("GBR", "KEN")]
    with refused("stale-epoch"):
        submit(world, honest(keys=[dataclasses.replace(keys[0], kid="00" * 16), keys[1]]))
    with refused("stale-epoch", "for this level"):
        submit(world, honest(keys=[dataclasses.replace(k, level=4) for k in keys]))


def test_without_a_fresh_epoch_nothing_is_accepted(world: Coalition) -> None:
    raw = world["KEN"].seals(release_to="GBR")
    world.clock.forward(days=7)
    with refused("stale-epoch"):
        world.accepts(raw)


# -- deliveries


def test_a_reader_gets_its_portions_and_its_own_wrap_only(world: Coalition) -> None:
    raw = world["KEN"].seals(
        "for both", release_to="GBR FRA", portions=[Portion("for France", release_to="FRA")]
    )
    assert world["GBR"].opens(world.deliver(raw, to="GBR")) == {0: "for both"}
    assert world["FRA"].opens(world.deliver(raw, to="FRA")) == {0: "for both", 1: "for France"}


def test_a_delivery_with_anothers_wrap_or_without_the_own_one_is_refused(world: Coalition) -> None:
    raw = world["KEN"].seals(release_to="GBR FRA")
    delivery = world.deliver(raw, to="GBR")
    with refused("label-recipients", "another nation"):
        world.reads(world.deliver(raw, to="FRA"), "GBR")
    with refused("label-recipients", "another nation"):
        world.reads(raw, "GBR")
    frame = report.parse(delivery)
    bare = dataclasses.replace(frame.portions[0], wraps={})
    with refused("label-recipients", "own wrap is missing"):
        world.reads(sealing.encode(dataclasses.replace(frame, portions=(bare,))), "GBR")


def test_a_portion_released_later_is_delivered_without_a_wrap(world: Coalition) -> None:
    """The wrap then travels in the originator's consent."""
    raw = world["KEN"].seals(release_to="GBR")
    world.accepts(raw)
    world["KEN"].consents(raw, "FRA")
    (portion,) = world.reads(world.deliver(raw, to="FRA", portions=[0]), "FRA").portions
    assert portion.frame.wraps == {}


def test_a_delivery_is_judged_by_the_position_at_which_it_was_accepted(world: Coalition) -> None:
    kenya = world["KEN"]
    raw = kenya.seals(release_to="GBR")
    delivery = world.deliver(raw, to="GBR")
    kenya.revokes(kenya.system)
    verify.verify_delivery(delivery, world.directory, world.position - 2, world.clock.now, "GBR")
    with refused("unknown-signer"):
        verify.verify_delivery(delivery, world.directory, world.position, world.clock.now, "GBR")


# -- any bytes

HONEST = SHARED.copy()["KEN"].seals(
    release_to="GBR", portions=[Portion("more", release_to="GBR FRA")]
)


def judged(raw: bytes) -> VerifiedReport | None:
    world = SHARED
    at = (world.directory, world.position, world.clock.now)
    with contextlib.suppress(TearlineError):
        verify.verify_delivery(raw, *at, "GBR")
    try:
        return verify.verify_submission(raw, *at)
    except TearlineError:
        return None


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    assert judged(data) is None


@pytest.mark.slow
@given(st.data())
@settings(max_examples=300)
def test_any_change_of_an_honest_report_is_refused(data: st.DataObject) -> None:
    """But for the signature, of which anybody can derive another one."""
    at = data.draw(st.integers(0, len(HONEST) - 1))
    cut = data.draw(st.integers(0, 8))
    put = data.draw(st.binary(max_size=8))
    changed = HONEST[:at] + put + HONEST[at + cut :]
    verified = judged(changed)
    if verified is not None:
        assert changed == HONEST or verified.frame == report.parse(HONEST)


ODD = st.none() | st.booleans() | st.integers(-1, 1 << 41) | st.text(max_size=8)
ANYTHING = ODD | st.lists(ODD, max_size=3) | st.dictionaries(st.text(max_size=3), ODD, max_size=2)


@pytest.mark.slow
@given(st.sampled_from(sorted(sealing.fields(PORTION.label_bytes))), ANYTHING)
@settings(max_examples=200)
def test_any_label_that_is_honestly_signed_is_believed_or_refused(field: str, value: Any) -> None:
    """A member of the mission is no stranger: his bytes reach every step."""
    label = {**sealing.fields(PORTION.label_bytes), field: value}
    frame = signed(sealing.rebuilt(PORTION, label_bytes=sealing.text(label)))
    judged(sealing.encode(frame))


@pytest.mark.slow
@given(st.sampled_from(["v", "mission", "id", "originator", "created", "portions"]), ANYTHING)
@settings(max_examples=200)
def test_any_header_that_is_honestly_signed_is_believed_or_refused(field: str, value: Any) -> None:
    judged(sealing.encode(signed(PORTION, **{field: value})))


@pytest.mark.slow
@given(st.binary(max_size=300))
def test_any_descriptor_that_is_honestly_signed_is_believed_or_refused(descriptor: bytes) -> None:
    frame = signed(dataclasses.replace(PORTION, descriptor=descriptor))
    assert judged(sealing.encode(frame)) is None


def signed(portion: PortionFrame, **header: Any) -> Frame:
    return SHARED["KEN"].signs(PLACE, [portion], **header)
