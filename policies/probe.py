"""The first parse of a foreign policy text, to be run in a process of its own.

`policies/prescan.py` keeps known killers away from the native parser; unknown ones would still end
the process that parses. So whoever adopts a text from outside first runs, in a child process with
a time and memory limit,

    python -m policies.probe   with `probe_request(text, vocabulary)` on its standard input

and goes on only if it ends with status 0. Starting processes is the caller's business.
"""

import json
import sys

import cedarpy

from policies.prescan import prescan
from policies.schema import schema_json
from wire.errors import Malformed
from wire.vocabulary import Vocabulary


def probe_request(text: str, vocabulary: Vocabulary) -> bytes:
    """What the child reads: the text, and the schema that it is validated with."""
    return json.dumps({"text": text, "schema": schema_json(vocabulary)}).encode()


def probe(request: bytes) -> None:
    """Parse and validate once, as `lint` will, and forget the result.

    Raises `Malformed("policy-refused")` for a text that cannot be parsed; findings are not its
    business.
    """
    read = json.loads(request)
    prescan(read["text"])
    try:
        cedarpy.PolicySet.from_str(read["text"]).to_pst()
    except ValueError:
        raise Malformed("policy-refused", "syntax") from None
    cedarpy.validate_policies(read["text"], read["schema"])


if __name__ == "__main__":
    probe(sys.stdin.buffer.read())
