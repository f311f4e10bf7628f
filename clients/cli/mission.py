"""`tearline serve | member | epoch`: run a mission, and speak for a nation."""

import time
from pathlib import Path
from typing import Annotated, get_args

import typer

from clients import kit
from clients.cli import ledger, output
from clients.cli.common import load, new_passphrase, split
from clients.cli.options import As, Json, Yes
from clients.cli.session import using
from clients.cli.spoken import show_spoken
from clients.officer import Officer
from wire import strict_json
from wire.bodies import Kind
from wire.errors import Malformed
from wire.freshness import Ending

KindOption = Annotated[
    str, typer.Option("--kind", help="system, analyst, officer, auditor or gateway.")
]


def nation_init(
    folder: Annotated[Path, typer.Argument(help="New folder for the nation's root keys.")],
    mission: Annotated[str, typer.Option("--mission", help="The mission's code.")],
    code: Annotated[str, typer.Option("--nation", help="Three capital letters.")],
    keys: Annotated[int, typer.Option("--keys", help="How many root keys.", min=1, max=16)] = 3,
    threshold: Annotated[int, typer.Option("--threshold", help="How many must sign.")] = 2,
    json: Json = False,
) -> None:
    """Make a nation's root keys, on a machine that is kept offline, and its first statement.

    The charter, or an admission by the other nations, names the identity that is
    printed.
    Example: tearline nation init roots/SEN --mission MINUSX --nation SEN
    """
    statement = kit.create_root(
        folder,
        mission,
        code,
        new_passphrase(),
        now=int(time.time()),
        count=keys,
        threshold=threshold,
    )
    if json:
        output.line({"nation": code, "root": statement.identity})
        return
    output.say(f"root of [bold]{code}[/bold]: {statement.identity}")
    output.say(f"its first statement is {folder / kit.ROOT_FILE}: give it to the other nations")
    output.say("keep the folder offline; next, by one of them: tearline mission draft")


def member_create(
    folder: Annotated[Path, typer.Argument(help="New folder for the member's identity.")],
    like: Annotated[Path, typer.Option("--like", help="Any identity folder of your nation.")],
    kind: KindOption,
    json: Json = False,
) -> None:
    """Make the keys of a new member on its own device, and the card an officer needs to add it.

    Example: tearline member create laptop --like kit/KEN/analyst --kind analyst
    """
    known = _kind(kind)
    card = kit.create_member(folder, like, known, new_passphrase())
    path = folder / "card.json"
    path.write_bytes(strict_json.dump({"kind": known, **card.fields()}) + b"\n")
    if json:
        output.line({"kid": card.kid, "kind": known, "card": str(path)})
        return
    output.say(f"keys of [bold]{card.kid}[/bold] made")
    output.say(f"next, by your officer: tearline member add {path} --as OFFICER --clearance LEVEL")


def member_add(
    card: Annotated[Path, typer.Argument(help="card.json of the new member.")],
    identity: As,
    clearance: Annotated[str, typer.Option("--clearance", help="Up to this level.")],
    community: Annotated[list[str], typer.Option("--community", help="It is read into it.")] = [],
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Vouch for a new member, and grant it what it may read. Compare its name by voice first.

    Example: tearline member add laptop/card.json --as kit/KEN/officer
    --clearance SECRET
    """
    loaded = load(identity)
    kind, public = kit.read_card(card)
    output.confirm(f"Vouch for the {kind} {public.kid}, up to {clearance}?", yes=yes or json)

    show_spoken(
        using(
            Officer,
            loaded,
            lambda officer: officer.add(
                public, kind, clearance=clearance, communities=split(community)
            ),
        ),
        json=json,
    )


def member_revoke(
    who: Annotated[str, typer.Argument(help="The member's kid, or its identity folder.")],
    identity: As,
    reason: Annotated[str, typer.Option("--reason", help="Stands in the journal.")],
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Revoke a member at once: its open streams end, and a new epoch opens without it.

    Prints its ledger: what it may hold, and the proof that it is sent nothing any more.
    Example: tearline member revoke kit/KEN/analyst --as kit/KEN/officer
    --reason "device lost"
    """
    kid = kit.kid_of(who)
    output.confirm(f"Revoke {kid}?", yes=yes or json)
    loaded = load(identity)

    show_spoken(using(Officer, loaded, lambda officer: officer.revoke(kid, reason)), json=json)
    ledger.show(ledger.member_leaves(loaded, kid), json=json)


def member_list(identity: As, json: Json = False) -> None:
    """Your nation's members, and other nations' members who sign.

    Example: tearline member list --as kit/KEN/officer
    """
    loaded = load(identity)

    async def work(officer: Officer) -> list[dict[str, str]]:
        directory = await officer.follower.sync()
        levels, now = directory.terms.levels, officer.transport.now()
        return [
            {
                "kid": m.kid,
                "nation": m.nation,
                "kind": m.kind,
                "clearance": levels[m.clearance].token,
                "status": "stands" if m.revoked is None else f"revoked at {m.revoked}",
                "key": Ending(m.nation, "member", m.kid, m.expires).words(now),
            }
            for m in directory.members.values()
        ]

    rows = using(Officer, loaded, work)
    if json:
        for row in rows:
            output.line(row)
    else:
        output.table(
            "Members",
            ("kid", "nation", "kind", "clearance", "status", "key"),
            (r.values() for r in rows),
        )


def epoch_rotate(
    identity: As,
    days: Annotated[
        int, typer.Option("--days", help="How long it lasts, at most 14.", min=1, max=14)
    ] = 7,
    json: Json = False,
) -> None:
    """Open your nation's next epoch and grant it to every member that reads.

    Example: tearline epoch rotate --as kit/KEN/officer
    """
    loaded = load(identity)

    show_spoken(
        using(Officer, loaded, lambda officer: officer.rotate(life=days * 86_400)), json=json
    )


def _kind(word: str) -> Kind:
    for kind in get_args(Kind):
        if word == kind:
            return kind  # type: ignore[no-any-return]
    raise Malformed("bad-input", f"a member is one of {', '.join(get_args(Kind))}")
