"""The same clients for scripts and notebooks, where nothing is awaited."""

import io
from collections.abc import Iterator

import pytest

from clients.draft import AttachmentFile
from clients.sync import BlockingAuditor, BlockingOfficer, BlockingPublisher, BlockingSubscriber
from tests.pilot import Pilot, draft, open_policy
from tests.refusal import refused

NATIONS = ("KEN", "GBR")


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    policies = {nation: open_policy(nation) for nation in NATIONS}
    with Pilot.of(*NATIONS, folder=tmp_path_factory.mktemp("sync"), policies=policies) as found:
        yield found


@pytest.mark.slow
def test_a_report_goes_from_script_to_script(pilot: Pilot) -> None:
    data = bytes(range(256)) * 40
    with BlockingPublisher(pilot.device("KEN", "system")) as publisher:
        one = draft(attachments=[AttachmentFile.of_bytes("x.bin", data)])
        assert publisher.preview(one).portions[0].nations["GBR"].outcome == "RELEASE"
        receipt = publisher.publish(one)
    with BlockingSubscriber(pilot.device("GBR", "analyst")) as subscriber:
        (received,) = subscriber.fetch()
        assert received.identity == receipt.report
        assert subscriber.fetch_one(receipt.report).title == "Ambush"
        assert list(subscriber.fetch()) == []
        (attachment,) = received.report.portions[0].attachments
        into = io.BytesIO()
        assert subscriber.attachment(received, attachment, into) == len(data)
        assert into.getvalue() == data
    with BlockingAuditor(pilot.device("KEN", "auditor")) as auditor:
        assert auditor.verify().shared["KEN", "GBR"] >= 1


@pytest.mark.slow
def test_a_watch_that_is_left_lets_go_of_its_stream_at_once(pilot: Pilot) -> None:
    with BlockingPublisher(pilot.device("KEN", "system")) as publisher:
        publisher.publish(draft("one", regions={"UG"}))
        with BlockingSubscriber(pilot.device("GBR", "analyst")) as subscriber:
            for received in subscriber.watch(regions={"UG"}, name="left"):
                assert received.title == "one"
                break
            publisher.publish(draft("two", regions={"UG"}))
            again = subscriber.watch(regions={"UG"}, name="left")
            assert next(again).title == "two"
            again.close()


@pytest.mark.slow
def test_an_officer_speaks_from_a_script(pilot: Pilot) -> None:
    with (
        BlockingOfficer(pilot.device("GBR", "officer")) as officer,
        BlockingPublisher(pilot.device("KEN", "system")) as publisher,
        BlockingSubscriber(pilot.device("GBR", "analyst")) as subscriber,
    ):
        newcomer = pilot.joins("GBR", "script", "analyst")
        added = officer.add(newcomer.keys.card, "analyst", clearance="SECRET")
        assert [one.type for one in added] == ["member.add", "epoch.grant"]
        assert officer.revoke(newcomer.kid, "left")[0].type == "member.revoke"
        assert officer.rotate()[0].type == "epoch.open"
        (adopted,) = officer.adopt(open_policy("GBR").release, open_policy("GBR").accept)
        assert adopted.type == "policy.publish"
        receipt = publisher.publish(draft())
        assert subscriber.fetch_one(receipt.report).identity == receipt.report
        with refused("not-found"):
            officer.recall(receipt.report, "not ours")
        assert officer.queue() == ()


@pytest.mark.slow
def test_refusals_come_out_as_they_are(pilot: Pilot) -> None:
    with BlockingPublisher(pilot.device("KEN", "system")) as publisher:
        with refused("unknown-term"):
            publisher.publish(draft(regions={"XX"}))
        assert publisher.publish(draft()).index > 0
    with BlockingSubscriber(pilot.device("GBR", "analyst")) as subscriber, refused("not-found"):
        subscriber.fetch_one("0" * 64)


@pytest.mark.slow
def test_a_client_that_was_not_entered_is_a_mistake(pilot: Pilot) -> None:
    with pytest.raises(AssertionError, match="in a with statement"):
        BlockingPublisher(pilot.device("KEN", "system")).publish(draft())
