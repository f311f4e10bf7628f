"""`tearline officer …`: a disclosure officer's desk."""

import typer

from clients.cli import denials

app = typer.Typer(no_args_is_help=True, help="A disclosure officer's desk.")
app.command("denials")(denials.denials)


@app.callback()
def group() -> None:
    """A disclosure officer's desk."""
