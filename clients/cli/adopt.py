"""`tearline policy adopt|countersign|guarantee`: sign a nation's rules, alone or together."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from clients import policy_folder
from clients.cli import analysis, output
from clients.cli.common import load, roots_of, using
from clients.cli.options import As, Json, Yes
from clients.cli.spoken import show_spoken
from clients.files import read
from clients.officer import Officer, Spoken
from clients.policy_preview import Foreseen, foresee, layers
from clients.speaker import signers
from policies import lint
from policies.bundle import GUARANTEES
from wire import statements
from wire.bodies import PolicyPublish
from wire.errors import Malformed, NotAllowed, quoted

Nation = Annotated[Path, typer.Argument(help="Your nation's folder: release/ and accept/.")]
STATEMENT_MAX = 1 << 20
"""Bytes of a file with a signed statement; a policy of the largest size has a third of it."""


def adopt(
    folder: Nation,
    identity: As,
    days: Annotated[int, typer.Option("--days", help="It ends by itself.", min=1, max=400)] = 365,
    out: Annotated[
        Path | None, typer.Option("--out", help="Sign into this file, for a second officer.")
    ] = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Show what your nation's rules would change, sign them, and publish them.

    What releases more than before takes two officers: sign with --out, and let the other one run
    `tearline policy countersign`. A broken guarantee is not signed at all.
    Example: tearline policy adopt policies/KEN --as kit/KEN/officer
    """
    loaded = load(identity)
    loaded.check_signs()
    texts = _texts(folder, loaded.nation)

    async def work(officer: Officer) -> tuple[Spoken, ...]:
        words = (await officer.follower.sync()).terms
        for kind in ("release", "accept"):
            for finding in lint.lint(texts[kind], kind, loaded.nation, words):
                if finding.severity == "error":
                    raise Malformed("policy-refused", f"{kind}: {finding}")
        found = foresee(officer.directory, loaded.nation, texts, officer.transport.now())
        _checked(found, json=json)
        if found.preview.grows and out is None:
            raise NotAllowed("needs-second-officer", "sign with --out FILE first")
        output.confirm(f"Sign this for {loaded.nation}?", yes=yes or json)
        if out is None:
            return await officer.adopt(texts["release"], texts["accept"], life=days * 86_400)
        proposed = await officer.propose(texts["release"], texts["accept"], life=days * 86_400)
        out.write_bytes(proposed)
        return ()

    spoken = using(Officer, loaded, work)
    show_spoken(spoken, json=json)
    if out is not None and json:
        output.line({"type": "policy.publish", "file": str(out)})
    elif out is not None:
        output.say(f"signed into {output.clean_line(str(out))}")
        output.say("next, by another officer: tearline policy countersign FILE --as OFFICER")


def countersign(
    file: Annotated[Path, typer.Argument(help="What the first officer signed with --out.")],
    identity: As,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Show what another officer signed, sign it too, and publish it.

    Example: tearline policy countersign policy.tlst --as kit/KEN/officer2
    """
    loaded = load(identity)
    loaded.check_signs()
    raw = read(file, STATEMENT_MAX)
    statement = statements.parse(raw)
    if statement.head.type != "policy.publish" or statement.head.nation != loaded.nation:
        raise Malformed("bad-input", f"{quoted(file.name)} is no policy of {loaded.nation}")
    texts = layers(statement.body(PolicyPublish))

    async def work(officer: Officer) -> tuple[Spoken, ...]:
        await officer.follower.sync()
        found = foresee(officer.directory, loaded.nation, texts, officer.transport.now())
        _checked(found, json=json)
        output.confirm(f"Sign this for {loaded.nation} too?", yes=yes or json)
        return (await officer.countersign(raw),)

    show_spoken(using(Officer, loaded, work), json=json)


def guarantee(
    folder: Annotated[Path, typer.Argument(help="Your nation's folder, with guarantees/.")],
    identity: As,
    root: Annotated[
        Path | None,
        typer.Option("--root", help="The nation's root signs, where no officer has that role."),
    ] = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Publish what your release rules must keep from now on, whoever writes them.

    `forbid` says never, `permit` says always. Who writes policies cannot sign guarantees: give the
    role to another officer, or leave it with the root.
    Example: tearline policy guarantee policies/KEN --root kit/KEN/root --as kit/KEN/officer
    """
    loaded = load(identity)
    by = () if root is None else signers(*roots_of(loaded.nation, [root])[0].root.keys)
    text = _texts(folder, loaded.nation).get(GUARANTEES, "")
    output.confirm(f"Publish the guarantees of {folder.name}?", yes=yes or json)

    async def work(officer: Officer) -> tuple[Spoken, ...]:
        words = (await officer.follower.sync()).terms
        for finding in lint.lint(text, "release", loaded.nation, words) if text else ():
            if finding.severity == "error":
                raise Malformed("policy-refused", f"{GUARANTEES}: {finding}")
        return await officer.guarantee(text, by)

    show_spoken(using(Officer, loaded, work), json=json)


def _texts(folder: Path, nation: str) -> Mapping[str, str]:
    if (folder / nation).is_dir():
        detail = f"{folder.name} holds nations' folders; name {folder.name}/{nation}"
        raise Malformed("bad-input", detail)
    return policy_folder.nation_texts(folder)


def _checked(found: Foreseen, *, json: bool) -> None:
    """Show a preview. Raises `NotAllowed` ("guarantee-broken")."""
    analysis.show(found.mission, found.preview, json=json)
    if found.repinned and not json:
        output.say("the reference data changed since: the broker may ask for a second officer")
    if found.preview.broken:
        names = ", ".join(broken.rule.id for broken in found.preview.broken)
        raise NotAllowed("guarantee-broken", names)
