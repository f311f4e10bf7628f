"""What an officer says for the nation stands at once, or it does not stand at all."""

from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from clients.founding import Policies
from clients.officer import Officer, Spoken
from clients.subscriber import Subscriber
from tests.pilot import Pilot, draft, open_policy, permit_all
from tests.refusal import refused
from wire import statements

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NATIONS = ("KEN", "GBR")
OFFICER_FIRST = """@id("KEN/sources")
@says("What could lead to a source goes through an officer.")
forbid (principal, action == Action::"release", resource in Caveat::"SOURCE SENSITIVE")
unless { context.approvals >= 1 };"""
RELEASE = f"{permit_all('KEN', 'release')}\n{OFFICER_FIRST}"
POLICIES = {"KEN": Policies(RELEASE, permit_all("KEN", "accept")), "GBR": open_policy("GBR")}


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    folder = tmp_path_factory.mktemp("officer")
    with Pilot.of(*NATIONS, folder=folder, policies=POLICIES) as found:
        yield found


def kinds(spoken: tuple[Spoken, ...]) -> list[str]:
    return [one.type for one in spoken]


async def readable(pilot: Pilot, report: str) -> bool:
    async with pilot.subscriber("GBR") as subscriber:
        return report in [r.identity async for r in subscriber.fetch()]


# -- what it does


async def test_a_member_reads_from_its_adding_to_its_revocation(pilot: Pilot) -> None:
    newcomer = pilot.joins("GBR", "newcomer", "analyst")
    async with pilot.officer("GBR") as officer, pilot.publisher("KEN") as publisher:
        added = await officer.add(newcomer.keys.card, "analyst", clearance="RESTRICTED")
        assert kinds(added) == ["member.add", "epoch.grant"]
        assert officer.directory.members[newcomer.kid].clearance == 1
        open_one = await publisher.publish(draft("restricted"))
        closed = await publisher.publish(draft("secret", classification="SECRET"))
        async with Subscriber(newcomer) as subscriber:
            found = {r.identity async for r in subscriber.fetch()}
            assert open_one.report in found
            assert closed.report not in found
            revoked = await officer.revoke(newcomer.kid, "left")
            assert kinds(revoked)[:2] == ["member.revoke", "epoch.open"]
            assert set(kinds(revoked)[2:]) == {"epoch.grant"}
            with refused("unsigned-request"):
                await subscriber.follower.sync()
        with refused("statement-conflict"):
            await officer.revoke(newcomer.kid, "again")
        with refused("statement-conflict"):
            await officer.revoke("0" * 32, "whoever")


async def test_a_new_epoch_is_used_at_once_by_all(pilot: Pilot) -> None:
    async with pilot.officer("GBR") as officer, pilot.publisher("KEN") as publisher:
        spoken = await officer.rotate(life=3_600)
        assert kinds(spoken)[0] == "epoch.open"
        assert len({one.index for one in spoken}) == len(spoken)
        receipt = await publisher.publish(draft())
        assert (
            publisher.directory.nation("GBR").newest_epoch
            == officer.directory.nation("GBR").newest_epoch
        )
    assert await readable(pilot, receipt.report)


async def test_an_adopted_policy_decides_from_its_entry_on(pilot: Pilot) -> None:
    nothing = """@id("GBR/no") @says("Nothing.")
    forbid (principal, action == Action::"release", resource);"""
    async with pilot.officer("GBR") as officer, pilot.publisher("GBR") as publisher:
        await publisher.publish(draft(release_to={"KEN"}))
        await officer.adopt(nothing, open_policy("GBR").accept)
        with refused("withheld"):
            await publisher.publish(draft(release_to={"KEN"}))
        with refused("needs-second-officer"):
            await officer.adopt(open_policy("GBR").release, open_policy("GBR").accept)
        await pilot.adopts("GBR", open_policy("GBR").release, open_policy("GBR").accept)
        await publisher.publish(draft(release_to={"KEN"}))


async def test_a_policy_outside_the_profile_changes_nothing(pilot: Pilot) -> None:
    async with pilot.officer("GBR") as officer, pilot.publisher("GBR") as publisher:
        await officer.follower.sync()
        before = officer.directory.nation("GBR").policy_identity
        with refused("policy-refused"):
            await officer.adopt("permit (principal, action, resource);", "")
        await officer.follower.sync()
        assert officer.directory.nation("GBR").policy_identity == before
        await publisher.publish(draft(release_to={"KEN"}))


async def test_an_approval_opens_one_report_to_one_nation(pilot: Pilot) -> None:
    async with pilot.officer("KEN") as officer, pilot.publisher("KEN") as publisher:
        one = await publisher.publish(draft(caveats={"SOURCE SENSITIVE"}))
        other = await publisher.publish(draft(caveats={"SOURCE SENSITIVE"}))
        assert one.recipients["GBR"] == "REFER"
        assert not await readable(pilot, one.report)
        (case,) = [case for case in await officer.queue() if case.report == one.report]
        assert [rule.id for rule in case.rules] == ["KEN/release-all", "KEN/sources"]
        assert (case.to, case.needed, case.signed) == ("GBR", 1, 0)
        assert case.banner == "MINUSX RESTRICTED//KEN//SOURCE SENSITIVE//REL TO KEN, GBR//ORCON"
        await officer.approve(case, life=3_600)
        assert one.report not in {case.report for case in await officer.queue()}
    assert await readable(pilot, one.report)
    assert not await readable(pilot, other.report)


async def test_a_recalled_report_is_served_to_nobody(pilot: Pilot) -> None:
    async with pilot.officer("KEN") as officer, pilot.publisher("KEN") as publisher:
        receipt = await publisher.publish(draft())
        assert await readable(pilot, receipt.report)
        (spoken,) = await officer.recall(receipt.report, "source at risk")
        assert spoken.type == "report.recall"
        assert not await readable(pilot, receipt.report)
    async with pilot.officer("GBR") as stranger:
        with refused("not-found"):
            await stranger.recall(receipt.report, "not ours")


async def test_an_open_watch_of_a_revoked_member_ends(pilot: Pilot) -> None:
    lost = pilot.joins("GBR", "lost", "analyst")
    async with pilot.officer("GBR") as officer, pilot.publisher("KEN") as publisher:
        await officer.add(lost.keys.card, "analyst", clearance="SECRET")
        await publisher.publish(draft(regions={"TD"}))
        async with (
            Subscriber(lost) as subscriber,
            aclosing(subscriber.watch(regions={"TD"})) as reports,
        ):
            await anext(reports)
            await officer.revoke(lost.kid, "device lost")
            with anyio.fail_after(10), refused("unknown-signer"):
                await anext(reports)


# -- who may


async def test_only_who_holds_the_role_is_heard(pilot: Pilot) -> None:
    async with pilot.publisher("KEN") as publisher:
        receipt = await publisher.publish(draft())
    readers = ("not-allowed", "only a member of kind officer or system signs for KEN")
    for kind, said in (("system", ("unknown-signer", "without the role")), ("analyst", readers)):
        async with Officer(pilot.device("KEN", kind)) as pretender:
            for act in (pretender.rotate(), pretender.recall(receipt.report, "-")):
                with refused(*said):
                    await act


# -- two at once


class Interrupted(Officer):
    """An officer who is overtaken by another before each of its first statements."""

    other: Officer
    before: list[str]

    async def post(self, raw: bytes) -> Spoken:
        kind = statements.parse(raw).head.type
        if self.before and kind == self.before[0]:
            self.before.pop(0)
            await self.other.rotate()
        return await super().post(raw)


@pytest.mark.parametrize("before", [["epoch.open"], ["epoch.grant"], ["epoch.open", "epoch.grant"]])
async def test_what_another_officer_says_in_between_delays_and_loses_nothing(
    pilot: Pilot, before: list[str]
) -> None:
    """A revocation whose new epoch got lost would leave the revoked member its keys."""
    lost = pilot.joins("KEN", f"lost-{'-'.join(before)}", "analyst")
    async with (
        pilot.officer("KEN") as other,
        Interrupted(pilot.device("KEN", "officer")) as officer,
    ):
        officer.other, officer.before = other, []
        await officer.add(lost.keys.card, "analyst", clearance="SECRET")
        officer.before = list(before)
        spoken = await officer.revoke(lost.kid, "device lost")
        assert not officer.before
        revocation = next(one for one in spoken if one.type == "member.revoke")
        directory = await officer.follower.sync()
        newest = directory.nation("KEN").epochs[directory.nation("KEN").newest_epoch]
        assert newest.position > revocation.index
    async with pilot.publisher("KEN") as publisher, pilot.subscriber("KEN") as subscriber:
        receipt = await publisher.publish(draft())
        await subscriber.fetch_one(receipt.report)  # who stays has the newest key


async def test_two_officers_at_once_both_get_their_say(pilot: Pilot) -> None:
    async with pilot.officer("KEN") as one, pilot.officer("KEN") as other:
        await one.follower.sync()
        before = one.directory.nation("KEN").newest_epoch
        async with anyio.create_task_group() as group:
            group.start_soon(one.rotate)
            group.start_soon(other.rotate)
        await one.follower.sync()
        assert one.directory.nation("KEN").newest_epoch == before + 2


async def test_the_same_statement_again_is_harmless(pilot: Pilot) -> None:
    said: list[bytes] = []

    class Noting(Officer):
        async def post(self, raw: bytes) -> Spoken:
            said.append(raw)
            return await super().post(raw)

    async with Noting(pilot.device("GBR", "officer")) as officer:
        spoken: Any = await officer.rotate()
        assert [await Officer.post(officer, raw) for raw in said] == list(spoken)
