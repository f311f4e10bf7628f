"""How the command line says no."""

import errno
import sys
from typing import Any, NoReturn

from clients.cli.output import clean_line, line, note
from clients.withheld import Withheld
from wire.errors import SLUGS, BrokerFault, Malformed, TearlineError

REFUSED = 1
"""Exit code of every refusal; 2 is a wrong command line, 130 an interruption."""


def refuse(error: TearlineError, *, json: bool, code: int = REFUSED) -> NoReturn:
    """Say what was refused and what to do, then leave with an exit code that is not zero."""
    explanation = error.explanation if isinstance(error, Withheld) else None
    if json:
        meaning = SLUGS[error.slug]
        fields: dict[str, Any] = {
            "error": error.slug,
            "title": meaning.title,
            "detail": error.detail,
            "advice": meaning.advice,
        }
        if explanation is not None:
            fields["explanation"] = explanation.model_dump(mode="json")
        line(fields)
    else:
        note(f"[bold red]refused:[/bold red] {clean_line(str(error))}")
        for _, nation, outcome, why in explanation.rows() if explanation else ():
            note(f"  {clean_line(nation)} {clean_line(outcome)}  {clean_line('; '.join(why))}")
    sys.exit(code)


def from_machine(error: OSError) -> TearlineError:
    """What this machine refused, as a refusal like any other."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return BrokerFault("disk-full", "this machine's disk is full")
    what = f"{error.filename}: " if isinstance(error.filename, str) else ""
    return Malformed("bad-input", f"{what}{(error.strerror or 'failed').lower()}")
