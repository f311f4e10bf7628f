"""`tearline policy status`: which policy of one's own is in force, and for how long."""

from typing import Any

from clients.cli import output
from clients.cli.common import load, using
from clients.cli.freshness import COLOURS
from clients.cli.options import As, Json
from clients.officer import Officer
from wire.directory import Directory
from wire.freshness import Ending


def status(identity: As, json: Json = False) -> None:
    """Which policy of yours is in force, until when, and under which reference data.

    Example: tearline policy status --as kit/KEN/officer
    """
    loaded = load(identity)

    async def work(officer: Officer) -> tuple[Directory, int]:
        return await officer.follower.sync(), int(officer.transport.now())

    directory, now = using(Officer, loaded, work)
    told = fields(directory, loaded.nation, now)
    if json:
        output.line(told)
    elif told["version"] is None:
        output.say(f"[bold red]{loaded.nation} has no policy[/]: nothing goes out or comes in")
    else:
        colour = COLOURS[told["state"]]
        output.say(f"policy {told['version']} of {loaded.nation} [{colour}]{told['words']}[/]")
        pinned = "as it is now" if told["current"] else "[yellow]older[/]: adopt it again"
        output.say(f"  signed under registry {told['registry'][:16]}, {pinned}")


def fields(directory: Directory, nation: str, now: int) -> dict[str, Any]:
    """The same as `--json` shows it."""
    policy = directory.nations[nation].policy
    if policy is None:
        return {"nation": nation, "version": None}
    ending = Ending(nation, "policy", str(policy.version), policy.expires)
    return {
        "nation": nation,
        "version": policy.version,
        "expires": policy.expires,
        "state": ending.state(now),
        "words": ending.words(now),
        "registry": policy.registry,
        "current": policy.registry == directory.terms.digest,
    }
