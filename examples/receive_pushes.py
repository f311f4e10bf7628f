"""Receive what `tearline audit push` sends: verify each signature, and print each event once.

    python examples/receive_pushes.py secret 8321
    tearline audit push --to http://127.0.0.1:8321/ --secret-file secret --as kit/KEN/auditor

The file `secret` holds the line `whsec_…`, 24 to 64 random bytes in base64. The scheme is that of
Standard Webhooks; any of its libraries does what `verified` does.
"""

import base64
import hmac
import json
import sys
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

TOLERANCE = 300  # seconds that a message may be old: what is older was recorded and sent again
BODY_MAX = 2 << 20  # bytes; the sender stays well below
try:
    _, secret, port = sys.argv
    SECRETS = [base64.b64decode(s.removeprefix("whsec_")) for s in Path(secret).read_text().split()]
    PORT = int(port)
except (OSError, ValueError) as error:
    sys.exit(f"{error}\nusage: receive_pushes.py FILE-WITH-THE-SECRET PORT")

seen: set[tuple[str, str]] = set()  # a real receiver keeps this with what it stores


def verified(headers: Message, body: bytes) -> bool:
    """Whether one of our secrets signed these very bytes, a moment ago."""
    name, when = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not when.isdigit() or abs(time.time() - int(when)) > TOLERANCE:
        return False
    signed = f"{name}.{when}.".encode() + body
    ours = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in SECRETS]
    theirs = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(f"v1,{each}", one) for each in ours for one in theirs)


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 once an event is safe: only then does the sender go on to the next."""

    timeout = 30

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length) if length <= BODY_MAX else b""
        if len(body) != length or not verified(self.headers, body):
            self.send_error(401)
            return
        for event in json.loads(body):
            name = (event["source"], event["id"])
            if name not in seen:  # sent at least once, so perhaps twice
                seen.add(name)
                print(event["time"], event["type"], *name, event["leafhash"][:16], flush=True)
        self.send_response(204)
        self.end_headers()


HTTPServer(("127.0.0.1", PORT), Receiver).serve_forever()
