"""The first parse of a foreign policy text, to be run in a process of its own.

`policies/prescan.py` keeps known killers away from the native parser; unknown ones would still end
the process that parses. So whoever adopts a text from outside first runs, in a child process with
a time and memory limit,

    python -m policies.probe   with `probe_request(texts, vocabulary)` on its standard input

and goes on only if it ends with status 0. Starting processes is the caller's business.
"""

import json
import sys
from collections.abc import Sequence

import cedarpy

from policies.prescan import prescan
from policies.schema import schema_json
from wire.errors import Malformed
from wire.vocabulary import Vocabulary


def probe_request(texts: Sequence[str], vocabulary: Vocabulary) -> bytes:
    """What the child reads: the texts, and the schema that they are validated with."""
    return json.dumps({"texts": list(texts), "schema": schema_json(vocabulary)}).encode()


def probe(request: bytes) -> None:
    """Parse and validate once, as `lint` will, and forget the result.

    Raises `Malformed("policy-refused")` for a text that cannot be parsed; findings are not its
    business.
    """
    read = json.loads(request)
    for text in read["texts"]:
        prescan(text)
        try:
            cedarpy.PolicySet.from_str(text).to_pst()
        except ValueError:
            raise Malformed("policy-refused", "syntax") from None
        cedarpy.validate_policies(text, read["schema"])


if __name__ == "__main__":
    probe(sys.stdin.buffer.read())
