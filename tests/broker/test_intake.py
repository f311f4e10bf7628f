"""Intake: what becomes a report of the mission, what is refused, and what is said about it."""

import asyncio
import gc
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.answers import Withheld
from broker.held import NONE
from broker.submission import SubmitAct
from tests import charter_words, sealing
from tests.broker.house import House
from tests.coalition import DAY, Portion
from tests.refusal import refused
from wire import composite, report
from wire.errors import Conflict, Malformed, NotAllowed, TearlineError
from wire.prove import verify_entry

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.of("KEN", "GBR", "FRA", folder=tmp_path) as found:
        yield found


def view(evidence: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(b64decode(evidence.view))
    return found


# -- accepting


@pytest.mark.slow
async def test_a_receipt_proves_that_the_report_is_in_the_journal(house: House) -> None:
    raw = house["KEN"].seals(release_to="GBR FRA")
    receipt = await house.submits(raw)
    entry = verify_entry(receipt.evidence, [house.log_key], "KEN")
    assert (entry.type, entry.index) == ("report.accepted", receipt.index)
    told = view(receipt.evidence)
    assert told["report"] == receipt.report == report.parse(raw).identity
    assert told["portions"][0]["nations"] == dict.fromkeys(("FRA", "GBR", "KEN"), "RELEASE")
    assert set(told["policies"]) == {
        "handle/COALITION",
        "carry/MINUSX",
        "release/KEN",
        *(f"accept/{nation}" for nation in ("KEN", "GBR", "FRA")),
    }


@pytest.mark.slow
async def test_the_same_bytes_get_the_first_receipt(house: House) -> None:
    raw = house["KEN"].seals(release_to="GBR")
    first = await house.submits(raw)
    size = house.broker.journal.size
    again = await house.submits(raw)
    assert (again.report, again.index, again.duplicate) == (first.report, first.index, True)
    verify_entry(again.evidence, [house.log_key], "KEN")
    assert house.broker.journal.size == size
    await house.restarts()
    assert (await house.submits(raw)).index == first.index


@pytest.mark.slow
async def test_a_report_posted_by_many_at_once_is_accepted_once(house: House) -> None:
    raw = house["KEN"].seals(release_to="GBR")
    receipts = await asyncio.gather(*(house.submits(raw) for _ in range(20)))
    assert len({receipt.index for receipt in receipts}) == 1
    assert sum(not receipt.duplicate for receipt in receipts) == 1


async def test_a_twin_signature_over_the_same_head_is_the_same_report(house: House) -> None:
    raw = house["KEN"].seals(release_to="GBR")
    first = await house.submits(raw)
    frame = report.parse(raw)
    signature = house["KEN"].system.sign.sign(frame.head, composite.REPORT)
    assert signature != frame.signature
    twin = sealing.encode(replace(frame, signature=signature))
    assert (await house.submits(twin)).index == first.index


async def test_a_readers_part_of_a_report_is_no_receipt_for_the_whole(house: House) -> None:
    """A reader who posts what he received must not be told who else received what."""
    below = Portion("A road is closed.", release_to="FRA")
    receipt = await house.submits(house["KEN"].seals(release_to="GBR", portions=[below]))
    part = await house.fetches(house["GBR"].analyst, receipt.report)
    with pytest.raises(Conflict, match="id-reuse"):
        await house.submits(part.report)


@pytest.mark.slow
async def test_an_id_is_used_once(house: House) -> None:
    kenya = house["KEN"]
    one, other = (kenya.seals(text, report_id="ab" * 16) for text in ("One.", "Other."))
    await house.submits(one)
    with pytest.raises(Conflict, match="id-reuse"):
        await house.submits(other)
    both = [kenya.seals(text, report_id="cd" * 16) for text in ("One.", "Other.")]
    results = await asyncio.gather(*map(house.submits, both), return_exceptions=True)
    assert [type(result) for result in results].count(Conflict) == 1


@pytest.mark.slow
async def test_a_report_stands_at_the_place_at_which_it_was_judged(house: House) -> None:
    raws = [house["KEN"].seals(release_to="GBR") for _ in range(8)]
    receipts = await asyncio.gather(*map(house.submits, raws))
    for receipt in receipts:
        assert verify_entry(receipt.evidence, [house.log_key], "KEN").index == receipt.index
        held = house.broker._state.holdings.by_identity(receipt.report)
        assert held is not None
        assert held.position == receipt.index


async def test_what_reports_have_in_common_is_kept_once_and_not_collected(house: House) -> None:
    """A million reports are to fit into memory, and the collector is not to walk them."""
    for text in ("One.", "Other."):
        await house.submits(house["KEN"].seals(text, release_to="GBR"))
    one, other = house.broker._state.holdings
    assert not any(map(gc.is_tracked, (one, other, *one.portions, *other.portions)))
    for first, second in zip(one.portions, other.portions, strict=True):
        assert first.kind is second.kind
        assert first.recipients is second.recipients
        empty = (first.ancestors, first.obligations, first.sources, first.named)
        assert all(found is NONE for found in empty)


# -- refusing


BRITAIN_ONLY = """
@id("KEN/gbr")
@says("Britain only.")
permit (principal in Nation::"GBR", action == Action::"release", resource);
"""


@pytest.mark.slow
async def test_reports_of_a_kind_are_asked_about_again_once_policies_change(house: House) -> None:
    """What was decided about one report holds for the next like it, by the same policies only."""
    kenya = house["KEN"]
    await house.files(kenya.adopts())
    first = await house.submits(kenya.seals(release_to="GBR FRA"))
    again = await house.submits(kenya.seals(release_to="GBR FRA"))
    said = [view(receipt.evidence)["portions"][0]["nations"] for receipt in (first, again)]
    assert said[0] == said[1] == dict.fromkeys(("FRA", "GBR", "KEN"), "RELEASE")
    await house.files(kenya.adopts(release=BRITAIN_ONLY))
    with pytest.raises(Withheld, match="from FRA"):
        await house.submits(kenya.seals(release_to="GBR FRA"))


@pytest.mark.slow
async def test_what_its_own_list_could_not_reach_is_refused_with_the_reason(house: House) -> None:
    kenya = house["KEN"]
    await house.files(kenya.adopts(release=BRITAIN_ONLY))
    raw = kenya.seals(release_to="GBR FRA")
    with pytest.raises(Withheld, match="from FRA") as caught:
        await house.submits(raw)
    explained: Any = caught.value.explanation
    nations = explained["portions"][0]["nations"]
    assert {nation: told["outcome"] for nation, told in nations.items()} == {
        "FRA": "WITHHOLD",
        "GBR": "RELEASE",
        "KEN": "RELEASE",
    }
    layers = {line["layer"] for line in nations["FRA"]["lines"]}
    assert "release" in layers
    assert "accept" not in layers, "the partner's own rules are not told"
    kind, told = (await house.channel("KEN"))[-1]
    assert (kind, told["slug"], told["nations"]) == ("report.refused", "withheld", ["FRA"])
    assert (await house.submits(kenya.seals(release_to="GBR"))).duplicate is False
    with pytest.raises(NotAllowed, match="not-found"):
        await house.fetches(house["GBR"].analyst, report.parse(raw).identity)


@pytest.mark.slow
async def test_a_nation_without_a_valid_policy_releases_nothing(house: House) -> None:
    kenya = house["KEN"]
    policy = {**kenya.policy_body(), "expires": house.world.clock.now + 60}
    await house.files(kenya.says("policy.publish", policy))
    receipt = await house.submits(kenya.seals(release_to="GBR"))
    assert await house.pulls(house["GBR"].analyst) == [receipt.report]
    house.world.clock.forward(seconds=60)
    assert await house.pulls(house["GBR"].analyst) == []
    with pytest.raises(Withheld):
        await house.submits(kenya.seals(release_to="GBR"))


@pytest.mark.slow
async def test_stale_keys_revoked_signers_and_expired_labels_are_refused(house: House) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    now = house.world.clock.now
    stale = kenya.seals(release_to="GBR")
    await house.files(britain.opens_epoch())
    with pytest.raises(Conflict, match="stale-epoch"):
        await house.submits(stale)
    expiring = kenya.seals(release_to="GBR", expires=now + 1)
    house.world.clock.forward(seconds=1)
    with pytest.raises(Malformed, match="label-expired"):
        await house.submits(expiring)
    signed = kenya.seals(release_to="GBR")
    await house.files(kenya.revokes(kenya.system))
    with pytest.raises(Malformed, match="unknown-signer"):
        await house.submits(signed)
    assert not [1 for kind, _ in await house.channel("KEN") if kind.startswith("report.")]


@pytest.mark.slow
async def test_a_signer_revoked_while_its_report_waits_is_refused(house: House) -> None:
    """The signature is checked before the place in the journal is known, and again there."""
    kenya = house["KEN"]
    raw, revocation = kenya.seals(release_to="GBR"), kenya.revokes(kenya.system)
    outcomes = await asyncio.gather(
        house.files(revocation), house.submits(raw), return_exceptions=True
    )
    (outcome,) = outcomes[1:]
    if isinstance(outcome, TearlineError):
        assert outcome.slug == "unknown-signer"
    else:  # it came first
        assert outcome.index < outcomes[0].index  # type: ignore[union-attr]


async def between(
    house: House, monkeypatch: pytest.MonkeyPatch, raw: bytes, happens: Callable[[], Any]
) -> str:
    """Post a report; after its signature was checked and before it has a place, something happens.

    Gives the slug of the refusal.
    """
    writer = house.broker._sequencer
    do, told = writer.do, list[None]()

    async def late(act: Any) -> Any:
        if isinstance(act, SubmitAct) and not told:
            told.append(None)
            await happens()
        return await do(act)

    monkeypatch.setattr(writer, "do", late)
    with pytest.raises(TearlineError) as caught:
        await house.submits(raw)
    assert told
    return caught.value.slug


async def test_time_that_passes_while_a_report_waits_counts(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    kenya = house["KEN"]
    guest = kenya.enlists("guest", "system", days=1)
    await house.files(house.world.history[-1].statement)

    async def passes() -> None:
        house.world.clock.forward(days=1)

    by_guest = kenya.seals(release_to="GBR", signer=guest)
    assert await between(house, monkeypatch, by_guest, passes) == "unknown-signer"
    expiring = kenya.seals(release_to="GBR", expires=house.world.clock.now + DAY)
    assert await between(house, monkeypatch, expiring, passes) == "label-expired"
    house.world.clock.forward(days=-2)
    sealed = kenya.seals(release_to="GBR")
    house.world.clock.forward(days=2)

    async def ends() -> None:
        house.world.clock.forward(days=5)

    assert await between(house, monkeypatch, sealed, ends) == "stale-epoch"


async def test_words_that_go_while_a_report_waits_are_unknown(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = charter_words.registry(house.world.directory.terms.version + 1)
    del registry["regions"]["mission:sable/east"]

    async def changes() -> None:
        body = {"registry": registry}
        await house.files(house.world.together.says("registry.publish", body))

    raw = house["KEN"].seals(release_to="GBR", regions=["mission:sable/east"])
    assert await between(house, monkeypatch, raw, changes) == "unknown-term"


@pytest.mark.slow
async def test_a_changed_byte_leaves_no_trace(house: House) -> None:
    raw = bytearray(house["KEN"].seals(release_to="GBR"))
    raw[-1] ^= 1
    size = house.broker.journal.size
    with pytest.raises(Malformed, match="bad-envelope"):
        await house.submits(bytes(raw))
    assert house.broker.journal.size == size


# -- lineage


def derived(house: House, raw: bytes, **label: Any) -> dict[str, Any]:
    """Fields of a label of what is derived from a report."""
    frame = report.parse(raw)
    source = {"report": frame.identity, "portion": frame.portions[0].commitment}
    return {"derived_from": [source], **label}


async def test_nobody_derives_more_than_the_source_allows(house: House) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    raw = kenya.seals(release_to="GBR")
    receipt = await house.submits(raw)
    unread = britain.seals(release_to="KEN", **derived(house, raw))
    with pytest.raises(Malformed, match="bad-lineage"):
        await house.submits(unread)
    await house.fetches(britain.analyst, receipt.report)
    await house.submits(britain.seals(release_to="KEN", **derived(house, raw)))
    wider = britain.seals(release_to="KEN FRA", **derived(house, raw))
    with pytest.raises(NotAllowed, match="third-party-rule"):
        await house.submits(wider)
    kind, told = (await house.channel("GBR"))[-1]
    assert (kind, told["slug"]) == ("report.refused", "third-party-rule")
    unknown = {"report": "00" * 32, "portion": "00" * 32}
    with pytest.raises(Malformed, match="bad-lineage"):
        await house.submits(britain.seals(release_to="KEN", derived_from=[unknown]))


async def test_a_source_that_is_accepted_while_what_draws_on_it_waits_is_none_yet(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expect refusal: what its label asks was not compared. Posted again, it is accepted."""
    kenya = house["KEN"]
    raw = kenya.seals(release_to="GBR")

    async def arrives() -> None:
        await house.broker.submit(raw)

    drawn = kenya.seals(release_to="GBR FRA", **derived(house, raw))
    assert await between(house, monkeypatch, drawn, arrives) == "bad-lineage"
    monkeypatch.undo()
    with pytest.raises(NotAllowed, match="third-party-rule"):
        await house.submits(drawn)
    await house.submits(kenya.seals(release_to="GBR", **derived(house, raw)))


@pytest.mark.slow
async def test_a_consent_of_the_originator_lets_it_go_further_and_its_policy_still_counts(
    house: House,
) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    raw = kenya.seals(release_to="GBR")
    receipt = await house.submits(raw)
    await house.fetches(britain.analyst, receipt.report)
    consent = kenya.consents(raw, "FRA")
    fields = derived(house, raw, consents=[consent.identity])
    early = britain.seals(release_to="FRA KEN", **fields)
    with pytest.raises(Malformed, match="bad-lineage"):
        await house.submits(early)
    await house.files(consent)
    accepted = await house.submits(britain.seals(release_to="FRA KEN", **fields))
    assert "release/KEN" in view(accepted.evidence)["policies"]
    await house.fetches(house["FRA"].analyst, accepted.report)
    kind, told = (await house.channel("KEN"))[-1]
    assert (kind, told["report"], told["to"]) == ("release", accepted.report, "FRA")
    await house.restarts()
    await house.files(kenya.adopts(release=NOTHING.replace("XXX", "KEN")))
    with pytest.raises(NotAllowed, match="not-found"):
        await house.fetches(house["FRA"].analyst, accepted.report)


NOTHING = '@id("XXX/none")\n@says("")\nforbid (principal, action == Action::"release", resource);'


async def test_what_was_recalled_is_no_source_any_more(house: House) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    raw = kenya.seals(release_to="GBR")
    receipt = await house.submits(raw)
    await house.fetches(britain.analyst, receipt.report)
    await house.files(kenya.says("report.recall", {"report": receipt.report, "reason": "wrong"}))
    with pytest.raises(Malformed, match="bad-lineage"):
        await house.submits(britain.seals(release_to="KEN", **derived(house, raw)))


@pytest.mark.slow
async def test_the_sources_of_a_source_keep_their_say(house: House) -> None:
    """What France makes of what Britain made of Kenya's report, Kenya has a say in as well."""
    kenya, britain, france = house["KEN"], house["GBR"], house["FRA"]
    first = kenya.seals(release_to="GBR FRA")
    receipt = await house.submits(first)
    await house.fetches(britain.analyst, receipt.report)
    second = britain.seals(release_to="KEN FRA", **derived(house, first))
    receipt = await house.submits(second)
    await house.fetches(france.analyst, receipt.report)
    third = await house.submits(france.seals(release_to="KEN GBR", **derived(house, second)))
    layers = {layer for layer in view(third.evidence)["policies"] if layer.startswith("release/")}
    assert layers == {"release/GBR", "release/FRA"}, "of Kenya's part it is not told"
    await house.files(kenya.adopts(release=NOTHING.replace("XXX", "KEN")))
    with pytest.raises(NotAllowed, match="withheld"):
        await house.submits(france.seals(release_to="KEN GBR", **derived(house, second)))


async def test_a_report_replaces_only_one_of_the_same_originator(house: House) -> None:
    kenya, britain = house["KEN"], house["GBR"]
    receipt = await house.submits(kenya.seals(release_to="GBR"))
    for other in (receipt.report, "00" * 32):
        with refused("bad-lineage", "no report of this originator"):
            await house.submits(britain.seals(release_to="KEN", supersedes=other))
    await house.submits(kenya.seals(release_to="GBR", supersedes=receipt.report))
