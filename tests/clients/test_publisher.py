"""A partner system posts: it knows before who will get it, and then that the journal has it."""

import io
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from clients.draft import AttachmentFile, Portion
from clients.founding import Policies
from clients.publisher import Publisher
from clients.seal import SealedReport
from clients.transport import Withheld
from tests.pilot import Pilot, draft, open_policy, permit_all
from tests.refusal import refused
from wire.notes import VKey, open_checkpoint
from wire.prove import verify_entry

pytestmark = pytest.mark.anyio

NATIONS = ("KEN", "GBR", "FRA")
OFFICER_FIRST = """@id("KEN/sources")
@says("What could lead to a source goes through an officer.")
forbid (principal, action == Action::"release", resource in Caveat::"SOURCE SENSITIVE")
unless { context.approvals >= 1 };"""
LITTLE = """@id("FRA/little")
@says("Up to RESTRICTED.")
permit (principal in Nation::"FRA", action == Action::"accept", resource in UpTo::"RESTRICTED");"""
RELEASE = f"{permit_all('KEN', 'release')}\n{OFFICER_FIRST}"
POLICIES = {
    "KEN": Policies(RELEASE, permit_all("KEN", "accept")),
    "GBR": open_policy("GBR"),
    "FRA": Policies(permit_all("FRA", "release"), LITTLE),
}


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    folder = tmp_path_factory.mktemp("publisher")
    with Pilot.of(*NATIONS, folder=folder, policies=POLICIES) as found:
        yield found


def size(publisher: Publisher) -> int:
    return publisher.follower.seen.size


# -- before


@pytest.mark.slow
async def test_a_preview_says_who_would_get_what_and_why_and_leaves_no_trace(pilot: Pilot) -> None:
    below = draft("below", NATIONS)
    one = draft(
        release_to={"GBR", "FRA"},
        classification="CONFIDENTIAL",
        caveats={"SOURCE SENSITIVE"},
        portions=[Portion(label=below.label, title="below", body="-")],
    )
    async with pilot.publisher("KEN") as publisher:
        await publisher.follower.sync()
        before = size(publisher)
        preview = await publisher.preview(one)
        await publisher.follower.sync()
        assert size(publisher) == before
    found = [(number, nation, outcome) for number, nation, outcome, _ in preview.rows()]
    assert found == [
        (1, "FRA", "WITHHOLD"),
        (1, "GBR", "REFER"),
        (1, "KEN", "RELEASE"),
        (2, "FRA", "RELEASE"),
        (2, "GBR", "RELEASE"),
        (2, "KEN", "RELEASE"),
    ]
    told = preview.portions[0].nations["GBR"].lines
    assert any("goes through an officer" in line for line in told), "our own rule, in full"
    assert not any("RESTRICTED" in line for line in preview.portions[0].nations["FRA"].lines)


# -- posting


async def test_a_receipt_is_proof_for_anybody(pilot: Pilot) -> None:
    async with pilot.publisher("KEN") as publisher:
        one = draft(release_to={"GBR", "FRA"}, caveats={"SOURCE SENSITIVE"})
        receipt = await publisher.publish(one)
    assert receipt.recipients == {"KEN": "RELEASE", "GBR": "REFER", "FRA": "REFER"}
    keys = [VKey.parse(key) for key in publisher.identity.log_keys]
    opened = open_checkpoint(receipt.evidence.checkpoint or "", keys)
    entry = verify_entry(receipt.evidence, keys, "KEN", checkpoint=opened)
    assert (entry.index, opened.checkpoint.size) == (receipt.index, receipt.size)
    assert entry.view is not None
    assert entry.view["report"] == receipt.report


async def test_a_receipt_tells_the_outcome_of_each_portion(pilot: Pilot) -> None:
    """In the order of the draft, wherever in the report the portions stand."""
    below, last = draft(release_to={"FRA"}).label, draft(release_to={"GBR"}).label
    one = draft(
        release_to={"GBR", "FRA"},
        caveats={"SOURCE SENSITIVE"},
        portions=[Portion(label=one, title="-", body="-") for one in (below, last)],
    )
    async with pilot.publisher("KEN") as publisher:
        for _ in range(3):
            receipt = await publisher.publish(one)
            assert receipt.portions == (
                {"KEN": "RELEASE", "GBR": "REFER", "FRA": "REFER"},
                {"KEN": "RELEASE", "FRA": "RELEASE"},
                {"KEN": "RELEASE", "GBR": "RELEASE"},
            )
            assert receipt.recipients == {"KEN": "RELEASE", "GBR": "REFER", "FRA": "REFER"}


async def test_the_same_sealed_report_again_gives_the_same_receipt(pilot: Pilot) -> None:
    async with pilot.publisher("KEN") as publisher:
        sealed = await publisher.seal(draft())
        first = await publisher.submit(sealed)
    async with pilot.publisher("KEN") as publisher:
        again = await publisher.submit(sealed)
    assert (first.duplicate, again.duplicate) == (False, True)
    assert (first.report, first.index) == (again.report, again.index)
    assert first.portions == again.portions


async def test_what_a_policy_withholds_is_refused_with_the_explanation(pilot: Pilot) -> None:
    async with pilot.publisher("KEN") as publisher:
        with pytest.raises(Withheld, match="from FRA") as caught:
            await publisher.publish(draft(release_to={"FRA"}, classification="CONFIDENTIAL"))
    explained = caught.value.explanation
    assert explained is not None
    outcomes = {nation: outcome for _, nation, outcome, _ in explained.rows()}
    assert outcomes == {"KEN": "RELEASE", "FRA": "WITHHOLD"}


@pytest.mark.slow
async def test_many_reports_at_once(pilot: Pilot) -> None:
    receipts = []
    async with pilot.publisher("KEN") as publisher:

        async def post(number: int) -> None:
            receipts.append(await publisher.publish(draft(str(number))))

        async with anyio.create_task_group() as group:
            for number in range(12):
                group.start_soon(post, number)
    assert len({receipt.report for receipt in receipts}) == 12
    assert len({receipt.index for receipt in receipts}) == 12


@pytest.mark.slow
async def test_keys_that_changed_a_moment_ago_are_fetched_and_it_is_sealed_anew(
    pilot: Pilot,
) -> None:
    """The followed directory may be seconds old; the broker refuses keys that are not current."""
    async with pilot.publisher("KEN") as publisher, pilot.officer("GBR") as officer:
        await publisher.publish(draft())
        before = publisher.directory.nation("GBR").newest_epoch
        await officer.rotate()
        receipt = await publisher.publish(draft())
        assert publisher.directory.nation("GBR").newest_epoch == before + 1
    async with pilot.subscriber("GBR") as subscriber:
        assert (await subscriber.fetch_one(receipt.report)).title == "Ambush"


@pytest.mark.slow
async def test_no_report_is_sealed_to_a_nation_without_fresh_keys(tmp_path: Path) -> None:
    """It is not left out silently, either: the refusal names it."""
    ahead = 0
    how: dict[str, Any] = {"age": 12 * 3_600, "epoch_days": 1}
    with Pilot.of("KEN", "GBR", folder=tmp_path, clock=lambda: time.time() + ahead, **how) as pilot:
        async with pilot.publisher("KEN") as publisher, pilot.officer("KEN") as officer:
            await publisher.publish(draft())
            ahead = 13 * 3_600
            await officer.rotate()  # ours are fresh, theirs are not
            with refused("stale-epoch", "GBR .no key that is valid now|for want of keys: GBR"):
                await publisher.publish(draft())
            await publisher.publish(draft(release_to=()))


async def test_who_may_not_sign_for_its_nation_posts_nothing(pilot: Pilot) -> None:
    """Expect refusal, also where its folder says that it is of another kind."""
    analyst = pilot.device("KEN", "analyst")
    async with Publisher(analyst) as publisher:
        with refused("not-allowed", "only a member of kind officer or system signs for KEN"):
            await publisher.publish(draft())
    claims = replace(analyst, public=analyst.public.model_copy(update={"kind": "system"}))
    async with Publisher(claims) as publisher:
        with refused("unknown-signer"):
            await publisher.publish(draft())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "slug"),
    [
        ({"regions": {"XX"}}, "unknown-term"),
        ({"threats": {"weather"}}, "unknown-term"),
        ({"release_to": {"USA"}}, "unknown-term"),
        ({"release_to": {"GBR"}, "display_to": {"GBR"}}, "label-display-to"),
        ({"classification": "COSMIC"}, "unknown-term"),
        ({"precedence": "SOON"}, "bad-fields"),
        ({"title": "two\nlines"}, "bad-fields"),
        ({"body": "a bell \a"}, "bad-json"),
    ],
)
async def test_what_cannot_be_sent_is_refused_before_anything_is_sent(
    pilot: Pilot, how: dict[str, Any], slug: str
) -> None:
    async with pilot.publisher("KEN") as publisher:
        await publisher.follower.sync()
        before = size(publisher)
        with refused(slug):
            await publisher.publish(draft(**how))
        await publisher.follower.sync()
        assert size(publisher) == before


# -- attachments


async def test_attachments_are_sent_once_and_their_files_are_closed(
    pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed: list[SealedReport] = []
    seal = Publisher.seal

    async def noted(self: Publisher, *more: Any) -> SealedReport:
        sealed.append(await seal(self, *more))
        return sealed[-1]

    monkeypatch.setattr(Publisher, "seal", noted)
    files = [AttachmentFile.of_bytes(name, bytes(300_000)) for name in ("a.bin", "b.bin")]
    told: list[tuple[str, int, int]] = []
    async with pilot.publisher("KEN") as publisher:
        await publisher.publish(draft(attachments=files), lambda *what: told.append(what))
    assert [name for name, *_ in told] == ["a.bin", "b.bin"]
    assert all(sent == total for _, sent, total in told)
    assert all(attachment.ciphertext.closed for attachment in sealed[0].attachments)


@pytest.mark.slow
async def test_an_upload_that_was_interrupted_goes_on(pilot: Pilot) -> None:
    """Another run, which only kept the sealed report, sends what is missing."""
    data = bytes(range(256)) * 12_000
    async with pilot.publisher("KEN") as publisher:
        sealed = await publisher.seal(draft(attachments=[AttachmentFile.of_bytes("x", data)]))
        await publisher.submit(sealed)

        class Interrupted(Exception):
            pass

        def interrupt(_name: str, sent: int, _total: int) -> None:
            if sent > 1_500_000:
                raise Interrupted

        with pytest.raises(Interrupted):
            await publisher.upload(sealed, interrupt)
    told: list[int] = []
    async with pilot.publisher("KEN") as publisher:
        receipt = await publisher.submit(sealed)
        await publisher.upload(sealed, lambda _name, sent, _total: told.append(sent))
        await publisher.upload(sealed, lambda *_: pytest.fail("it is complete"))
    assert told[0] > 2_000_000
    async with pilot.subscriber("GBR") as subscriber:
        received = await subscriber.fetch_one(receipt.report)
        (attachment,) = received.report.portions[0].attachments
        into = io.BytesIO()
        await subscriber.attachment(received, attachment, into)
        assert into.getvalue() == data
    for one in sealed.attachments:
        one.ciphertext.close()
