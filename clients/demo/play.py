"""The demonstration: a mission's day in a minute, with nothing pretended.

Three partner systems publish, five analysts listen, a policy refuses and says why, a member is
revoked and its open stream ends, a policy is tightened and bites at once; at the end every nation's
auditor verifies the journal. Everything goes through the real client, broker and cryptography.
"""

import contextlib
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import anyio

from clients.auditor import Auditor, Verdict
from clients.cli import output
from clients.demo.scenario import Sent
from clients.demo.stage import NATIONS, Stage
from clients.demo.story import Story
from clients.draft import Draft
from clients.officer import Officer
from clients.publisher import Publisher
from clients.subscriber import Received, Subscriber
from clients.transport import Withheld
from wire.errors import NotAllowed, TearlineError

WATCHES: Final[Mapping[str, Mapping[str, Sequence[str]]]] = {
    "KEN": {"regions": ["014"]},
    "GBR": {},
    "FRA": {"regions": ["011", "017"]},
    "SEN": {"threats": ["explosive", "conflict", "mission", "posture"]},
    "BGD": {"threats": ["health", "civilians", "disaster", "mission", "explosive"]},
}
"""What each nation's analyst subscribes to."""

QUIET: Final = 1.5  # seconds without a delivery: everything that comes has come
SETTLE_WITHIN: Final = 30.0  # seconds
NEW_RULE: Final = """
@id("FRA/chad-hold")
@says("Until further notice, what touches Chad stays with the United Kingdom.")
forbid (principal, action == Action::"release", resource in Touching::"TD")
unless { principal in Nation::"GBR" };
"""


@dataclass
class Tally:
    """What happened, for the closing summary."""

    accepted: int = 0
    refused: int = 0
    explained: bool = False
    delivered: dict[str, int] = field(default_factory=dict)
    held: dict[str, set[str]] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    last_delivery: float = 0.0
    first_from_chad: str | None = None
    with_picture: Received | None = None
    verdicts: dict[str, Verdict] = field(default_factory=dict)


class Play:
    """One run of the demonstration on a stage whose broker is up."""

    def __init__(self, stage: Stage, sent: Sequence[Sent], *, quiet: bool = False) -> None:
        self.stage, self.sent, self.tally, self._quiet = stage, sent, Tally(), quiet
        self._story = Story(self.say)

    async def run(self) -> Tally:
        """Play it to the end. Raises whatever a real user would see raised."""
        async with anyio.create_task_group() as group:
            for nation in NATIONS:
                group.start_soon(self._listen, nation)
            await self._publish_all()
            await self._settle()
            self._story.catch_up()
            group.cancel_scope.cancel()
        await self._open_picture()
        for nation in NATIONS:
            await self._audit(nation)
        return self.tally

    def say(self, text: str) -> None:
        """A line of the story, unless it is told as JSON."""
        if not self._quiet:
            output.say(text)

    # -- those who listen

    async def _listen(self, nation: str) -> None:
        watch = WATCHES[nation]
        try:
            async with Subscriber(self.stage.identity(nation, "analyst")) as subscriber:
                async for received in subscriber.watch(
                    regions=watch.get("regions", ()), threats=watch.get("threats", ())
                ):
                    self._received(nation, received)
        except NotAllowed as error:
            self.tally.ended[nation] = error.slug
            self.say(f"  [red]the open stream of {nation}'s analyst ends: {error.slug}[/red]")

    def _received(self, nation: str, received: Received) -> None:
        tally = self.tally
        tally.delivered[nation] = tally.delivered.get(nation, 0) + 1
        tally.held.setdefault(nation, set()).add(received.identity)
        tally.last_delivery = time.monotonic()
        if nation == "GBR" and any(p.attachments for p in received.report.portions):
            tally.with_picture = tally.with_picture or received
        self._story.read(nation, received)

    # -- those who publish

    async def _publish_all(self) -> None:
        third = max(1, len(self.sent) // 3)
        publishers: dict[str, Publisher] = {}
        async with contextlib.AsyncExitStack() as stack:
            for number, sent in enumerate(self.sent):
                if number == third:
                    await self._revoke("BGD")
                if number == 2 * third:
                    await self._tighten("FRA")
                if sent.nation not in publishers:
                    publisher = Publisher(self.stage.identity(sent.nation, "system"))
                    publishers[sent.nation] = await stack.enter_async_context(publisher)
                await self._publish(publishers[sent.nation], sent)

    async def _publish(self, publisher: Publisher, sent: Sent) -> None:
        title = output.clean(sent.draft.title)
        try:
            receipt = await publisher.publish(sent.draft)
        except Withheld as error:
            self.tally.refused += 1
            self._story.catch_up()
            self.say(f"[red]refused[/red] {sent.nation}  {title}")
            if not self.tally.explained:
                self.tally.explained = True
                self._explain(error)
            return
        self.tally.accepted += 1
        if "TD" in sent.draft.label.regions and self.tally.first_from_chad is None:
            self.tally.first_from_chad = receipt.report
        referred = [n for n, outcome in receipt.recipients.items() if outcome == "REFER"]
        note = f"  [yellow]referred for {', '.join(referred)}[/yellow]" if referred else ""
        urgency = sent.draft.label.precedence
        style = output.STYLES.get(urgency, "default")
        line = (
            f"[green]{receipt.index:>5}[/green] {sent.nation} [{style}]{urgency}[/] "
            f"[bold]{title}[/bold]{note}"
        )
        self._story.published(receipt.report, line, title)

    def _explain(self, error: Withheld) -> None:
        """Print what the broker may tell this nation about the refusal."""
        for portion, nation, outcome, why in error.explanation.rows() if error.explanation else ():
            if outcome == "WITHHOLD":
                self.say(f"      [dim]portion {portion} to {nation}:[/dim]")
                for reason in why:
                    self.say(f"        [dim]{output.clean(reason)}[/dim]")

    # -- what changes in the middle

    async def _revoke(self, nation: str) -> None:
        kid = self.stage.identity(nation, "analyst").kid
        self._story.catch_up()
        self.say(f"\n[bold]{nation} reports its analyst's device lost and revokes it.[/bold]")
        async with Officer(self.stage.identity(nation, "officer")) as officer:
            for spoken in await officer.revoke(kid, "device lost"):
                self.say(f"  [green]{spoken.index:>5}[/green] {spoken.type}")
        self.say("")

    async def _tighten(self, nation: str) -> None:
        draft = self._about_chad()
        self._story.catch_up()
        self.say(f"\n[bold]{nation} tightens its policy: what touches Chad stays with GBR.[/bold]")
        async with (
            Officer(self.stage.identity(nation, "officer")) as officer,
            Publisher(self.stage.identity(nation, "system")) as publisher,
        ):
            if draft is not None:
                await self._preview(publisher, draft, "before")
            policy = (await officer.follower.sync()).nation(nation).policy
            assert policy is not None, "an officer sees its own nation's policy"
            release = "\n".join(policy.release) + NEW_RULE
            for spoken in await officer.adopt(release, "\n".join(policy.accept)):
                self.say(f"  [green]{spoken.index:>5}[/green] {spoken.type}")
            if draft is not None:
                await self._preview(publisher, draft, "after ")
        await self._ask_again("SEN")
        self.say("")

    def _about_chad(self) -> Draft | None:
        drafts = (s.draft for s in self.sent if s.nation == "FRA")
        return next((d for d in drafts if "TD" in d.label.regions), None)

    async def _preview(self, publisher: Publisher, draft: Draft, when: str) -> None:
        portion = (await publisher.preview(draft)).portions[0]
        outcomes = (
            f"{nation} [{output.OUTCOMES.get(says.outcome, 'white')}]{says.outcome}[/]"
            for nation, says in sorted(portion.nations.items())
        )
        self.say(f"  {when} the change: {'  '.join(outcomes)}")

    async def _ask_again(self, nation: str) -> None:
        """A report that was released before the change is not served after it."""
        report = self.tally.first_from_chad
        if report is None:
            return
        async with Subscriber(self.stage.identity(nation, "analyst")) as subscriber:
            try:
                await subscriber.fetch_one(report)
                self.say(f"  {nation} still gets the earlier report on Chad")
            except TearlineError as error:
                self.say(f"  {nation} asks for the earlier report on Chad: [red]{error.slug}[/red]")

    # -- the end

    async def _settle(self) -> None:
        with anyio.move_on_after(SETTLE_WITHIN):
            self.tally.last_delivery = max(self.tally.last_delivery, time.monotonic())
            # Not an event: it is the absence of deliveries that ends the wait.
            while (left := self.tally.last_delivery + QUIET - time.monotonic()) > 0:  # noqa: ASYNC110
                await anyio.sleep(left)

    async def _open_picture(self) -> None:
        """Fetch what was attached to a report, verify and decrypt it."""
        received = self.tally.with_picture
        if received is None:
            return
        attachment = next(a for p in received.report.portions for a in p.attachments)
        async with Subscriber(self.stage.identity("GBR", "analyst")) as subscriber:
            with tempfile.TemporaryFile() as into:
                length = await subscriber.attachment(received, attachment, into)
        self.say(
            f"\nGBR opens [bold]{output.clean(attachment.name)}[/bold], attached to "
            f"{output.clean(received.title)}: {length} bytes, verified to the last"
        )

    async def _audit(self, nation: str) -> None:
        async with Auditor(self.stage.identity(nation, "auditor")) as auditor:
            self.tally.verdicts[nation] = await auditor.verify()
