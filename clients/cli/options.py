"""The options that most commands share."""

from pathlib import Path
from typing import Annotated

import typer

As = Annotated[Path, typer.Option("--as", help="Identity folder, such as KIT/KEN/system.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
