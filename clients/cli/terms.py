"""`tearline terms`: the words that labels and filters of the mission are written in."""

from collections.abc import Mapping
from typing import Annotated

import typer

from clients.cli import output
from clients.cli.common import load, using
from clients.cli.options import As, Json
from clients.session import Session
from wire.errors import Malformed, quoted
from wire.vocabulary import Vocabulary


def terms(
    identity: As,
    like: Annotated[
        list[str], typer.Argument(metavar="[WORD]...", help="Only what has these in code or name.")
    ] = [],
    json: Json = False,
) -> None:
    """The mission's words: levels, nations, caveats, communities, places and threat types.

    Example: tearline terms kenya --as kit/KEN/system
    """
    loaded = load(identity)

    async def work(session: Session) -> Vocabulary:
        return (await session.follower.sync()).terms

    found = [
        (kind, code, name)
        for kind, words in _words(using(Session, loaded, work)).items()
        for code, name in words.items()
        if all(word.lower() in f"{code} {name}".lower() for word in like)
    ]
    if not found:
        raise Malformed("bad-input", f"the mission has no word like {quoted(' '.join(like))}")
    for kind, code, name in found:
        if json:
            output.line({"kind": kind, "code": code, "name": name})
        else:
            said = f"  [dim]{output.clean_line(name)}[/dim]" if name else ""
            output.say(f"[dim]{kind:12}[/dim]{output.clean_line(code)}{said}")


def _words(terms: Vocabulary) -> Mapping[str, Mapping[str, str]]:
    """Kind -> code -> name, each in the order of the registry; levels lowest first."""
    return {
        "level": {level.token: "" for level in terms.levels},
        "nation": dict.fromkeys(terms.nations, ""),
        "coalition": {name: ", ".join(nations) for name, nations in terms.groups.items()},
        "caveat": terms.caveats,
        "community": terms.communities,
        "place": terms.regions.names,
        "threat type": terms.threats.names,
    }
