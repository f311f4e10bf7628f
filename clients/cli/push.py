"""`tearline audit push`: verified entries to a system of your own, as they come.

The work is done in `clients/push/`.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import anyio
import typer

from clients import files
from clients.auditor import Auditor
from clients.cli import output
from clients.cli.common import load, using
from clients.cli.evidence import moment, opened
from clients.cli.options import As, Json
from clients.evidence import pull
from clients.evidence.store import EvidenceStore
from clients.push import outbox
from clients.push.outbox import DeadLetter
from clients.push.pusher import MEDIA, TRIES, Pushed, Pusher, Target
from clients.push.receiver import Receiver, checked, host
from clients.push.webhook import TEXT_MAX, Secrets
from clients.witness import attend
from wire.errors import BrokerFault, Conflict, Malformed, TearlineError

SECRET: Final = "TEARLINE_WEBHOOK_SECRET"  # the name of the variable, not its value  # noqa: S105
EVERY: Final = 300  # seconds


Once = Annotated[bool, typer.Option("--once", help="Look once.")]
To = Annotated[str | None, typer.Option("--to", help="The https address to push to.")]
Form = Annotated[str, typer.Option("--format", help="cloudevents or ocsf.")]
SecretFile = Annotated[
    Path | None, typer.Option("--secret-file", help=f"Signing secrets; else {SECRET}.")
]
CaFile = Annotated[Path | None, typer.Option("--ca-file", help="Who vouches for the receiver.")]
Every = Annotated[int, typer.Option("--every", min=1, help="Seconds between looks.")]
Tries = Annotated[int, typer.Option("--tries", min=1, max=20, help="Before it is given up.")]
Dead = Annotated[bool, typer.Option("--dead-letters", help="Show what was given up, send nothing.")]
Retry = Annotated[bool, typer.Option("--retry", help="Send that once more.")]


def push(
    identity: As,
    to: To = None,
    form: Form = "cloudevents",
    secret: SecretFile = None,
    ca_file: CaFile = None,
    every: Every = EVERY,
    once: Once = False,
    tries: Tries = TRIES,
    dead: Dead = False,
    retry: Retry = False,
    json: Json = False,
) -> None:
    """Pull, verify, and push what is new to a system of yours, signed.

    In the order of the journal, at least once: a receiver drops what it has by
    source and id. What it refuses for good is kept as a dead letter.
    Example: tearline audit push --to https://siem.example/hook
    --secret-file secret --as kit/KEN/auditor
    """
    loaded = load(identity)
    if dead:
        with opened(loaded) as store:
            show_dead(outbox.dead_letters(store), to, json=json)
        return
    target = _target(to, form, secret)

    async def work(auditor: Auditor) -> None:
        async with Receiver(target.url, ca_file) as door:

            def pusher(store: EvidenceStore) -> Pusher:
                whose = (loaded.nation, auditor.follower.log.origin)
                return Pusher(store, *whose, target, door, most=tries)

            if retry:
                with opened(loaded, auditor) as store:
                    show_pushed(await pusher(store).revive(), json=json)
                return
            await _round(auditor, pusher, json=json, last=once)
            while not once:
                await anyio.sleep(every)
                await _round(auditor, pusher, json=json, last=False)

    loaded.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with outbox.alone(loaded.state):
        using(Auditor, loaded, work)


async def _round(
    auditor: Auditor, pusher: Callable[[EvidenceStore], Pusher], *, json: bool, last: bool
) -> None:
    """Pull and push. A broker that is away keeps nothing back of what was verified before, and a
    receiver that is away keeps nobody from pulling, and from witnessing, on time.
    """
    identity, troubles = auditor.identity, list[TearlineError]()
    with EvidenceStore.open(identity.state, pull.whose(auditor), new=True) as store:
        try:
            await pull.pull(auditor, store)
            await attend.once(auditor)
        except BrokerFault as error:
            troubles.append(error)
        sender = pusher(store)
        try:
            await sender.drain()
        except Conflict as error:
            troubles.append(error)
    if sender.done != Pushed() or not troubles:
        show_pushed(sender.done, json=json)
    for trouble in troubles:
        if last:
            raise trouble
        output.note(f"[yellow]{output.clean_line(str(trouble))}[/yellow]")


def _target(to: str | None, form: str, secret: Path | None) -> Target:
    """Where to and as what. Raises `Malformed` ("bad-input")."""
    if to is None:
        raise Malformed("bad-input", "say where to push: --to https://…")
    if form not in MEDIA:
        raise Malformed("bad-input", f"the formats are {' and '.join(MEDIA)}")
    return Target(str(checked(to)), form, _secrets(secret))


def _secrets(file: Path | None) -> Secrets:
    """From a file or the environment: a command line is for everybody on the machine to read."""
    if file is not None:
        return Secrets.parse(files.read(file, TEXT_MAX).decode("ascii", "replace"))
    text = os.environ.get(SECRET)
    if text is None:
        raise Malformed("bad-input", f"name a file of signing secrets, or set {SECRET}")
    return Secrets.parse(text)


def show_pushed(pushed: Pushed, *, json: bool) -> None:
    """What was sent."""
    if json:
        output.line({"delivered": pushed.delivered, "dead_letters": pushed.buried})
        return
    output.say(f"[green]pushed[/green]: {pushed.delivered} taken")
    if pushed.buried:
        output.say(f"  [yellow]{pushed.buried} refused[/yellow]; see them with --dead-letters")


def show_dead(letters: list[DeadLetter], to: str | None, *, json: bool) -> None:
    """What was given up; an address may be a secret in itself, so only its host is shown."""
    rows = [_fields(each) for each in letters if to is None or _address(each) == str(checked(to))]
    if json:
        for row in rows:
            output.line(row)
        return
    if not rows:
        output.say("No dead letters.")
        return
    cells = [
        [output.clean_line(moment(v) if name == "time" else str(v)) for name, v in row.items()]
        for row in rows
    ]
    output.table("Dead letters", rows[0], cells)


def _fields(letter: DeadLetter) -> dict[str, Any]:
    return {
        "index": letter.index,
        "to": host(_address(letter)),
        "format": letter.target.partition(" ")[0],
        "tries": letter.tries,
        "why": letter.why,
        "time": letter.time,
    }


def _address(letter: DeadLetter) -> str:
    return letter.target.partition(" ")[2]
