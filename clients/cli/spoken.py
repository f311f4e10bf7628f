"""How the command line says what now stands."""

from collections.abc import Iterable

from clients.cli import output
from clients.officer import Spoken


def show_spoken(spoken: Iterable[Spoken], *, json: bool) -> None:
    """One line a statement."""
    for statement in spoken:
        if json:
            output.line(
                {"type": statement.type, "identity": statement.identity, "index": statement.index}
            )
        else:
            output.say(
                f"[green]stands[/green] {statement.type} at {statement.index} "
                f"[dim]{statement.identity}[/dim]"
            )
