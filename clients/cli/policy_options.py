"""The options that the commands about policy folders share."""

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Argument(help="A folder with <NATION>/release and <NATION>/accept.")]
Mission = Annotated[str, typer.Option("--mission", help="The mission's code.")]
Registry = Annotated[
    Path | None,
    typer.Option("--registry", help="registry.json of the mission; the standard one otherwise."),
]
Others = Annotated[
    list[str], typer.Option("--with", help="Nations of the mission without a folder here: GBR,FRA.")
]
