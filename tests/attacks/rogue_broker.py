"""A broker of an operator who needs nobody's signature: run as a program, so that only it is one.

python -m tests.attacks.rogue_broker operate continue DIR --statement FILE
python -m tests.attacks.rogue_broker serve DIR --port PORT
"""

import sys
from typing import Any

from broker import operate, serve, startup
from wire import authority, continuing


def agree(*_: Any) -> None:
    """To everything."""


if __name__ == "__main__":
    setattr(authority, "need_nations", agree)  # noqa: B010 - here alone
    setattr(continuing, "check_agreed", agree)  # noqa: B010
    setattr(startup, "check_founded", agree)  # noqa: B010
    what, *arguments = sys.argv[1:]
    sys.exit({"operate": operate.main, "serve": serve.main}[what](arguments))
