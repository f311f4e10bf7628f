"""Bounds on what others may use of a broker, each with its unit in its name or its words."""

from typing import Annotated

from pydantic import Field

from wire.model import Strict

Seconds = Annotated[float, Field(gt=0, le=86_400)]


def _count(most: int, least: int = 1) -> object:
    return Field(ge=least, le=most)


class Limits(Strict):
    """Bounds on what others may use of this broker. A change of any of them gains load or denial
    of service and nothing else.
    """

    # -- connections
    connections: Annotated[int, _count(1_000_000)] = 20_000
    """Open connections in all: each costs about 12 kB. Raised, memory can run out."""
    connections_per_address: Annotated[int, _count(1_000_000)] = 2_000
    """Open connections of one address (an IPv6 /64 counts as one). Raised, one address can hold
    all; lowered, it shuts nations out that share an address."""
    head_seconds: Seconds = 10.0
    """Time for a request's head, and for the first one of a connection. Raised, slow heads hold
    connections for longer."""
    idle_seconds: Seconds = 75.0
    """How long a connection may wait for its next request. Raised, idle ones add up."""
    head_bytes: Annotated[int, _count(1_048_576, 1_024)] = 16_384
    """Bytes of a request's head. Raised, each connection may use more memory."""
    head_fields: Annotated[int, _count(1_000, 8)] = 64
    """Header fields of one request. Raised, refusing costs more."""
    stall_seconds: Seconds = 30.0
    """How long a reader may take next to nothing of what waits for it. Raised, stuck readers hold
    memory."""
    reader_bytes_per_second: Annotated[int, _count(1_000_000_000)] = 1_000
    """The least pace of a reader for whom something waits. Lowered, slow readers hold memory."""
    linger_seconds: Seconds = 1.0
    """How long what a refused sender still sends is read, so that the refusal arrives."""

    # -- bodies
    body_grace_seconds: Seconds = 10.0
    """Time for a body before it must have kept the least pace. Raised, slow bodies hold more."""
    body_bytes_per_second: Annotated[int, _count(1_000_000_000)] = 1_000
    """The least pace of a body. Lowered, slow bodies hold connections for longer."""
    bodies_bytes: Annotated[int, _count(1 << 40, 1_048_576)] = 256 << 20
    """Bytes of all bodies that are being received or worked on. Raised, memory can run out."""

    # -- requests
    requests_per_second: Annotated[float, Field(gt=0, le=1e9)] = 5_000.0
    """Requests of one address, on average. Raised, one address can take more of the processor."""
    requests_burst: Annotated[int, _count(1_000_000_000)] = 10_000
    """Requests of one address at once."""
    refusals_per_second: Annotated[float, Field(gt=0, le=1e9)] = 50.0
    """Requests of one address that are refused for their form or signature, on average; beyond
    it, its requests are refused before any signature is checked. Raised, junk costs more."""
    refusals_burst: Annotated[int, _count(1_000_000_000)] = 500
    """Such requests of one address at once."""
    addresses: Annotated[int, _count(100_000_000)] = 100_000
    """Addresses that are kept count of. Lowered, busy addresses are forgotten sooner."""
    nonces: Annotated[int, _count(100_000_000)] = 500_000
    """Signed requests remembered against replay, for three minutes each; beyond it, 503."""
    nonces_per_member: Annotated[int, _count(100_000_000)] = 50_000
    """The same for one member, so that no member can use up the memory of all."""

    # -- the mission's work
    inbox: Annotated[int, _count(1_000_000)] = 1_024
    """Reports and statements that wait for their turn; beyond it, 503. Raised, waiting grows."""
    subscriptions_per_nation: Annotated[int, _count(1_000_000)] = 200
    """Named subscriptions of one nation's members. Raised, one nation can slow matching."""
    streams_per_member: Annotated[int, _count(1_000_000)] = 64
    """Open streams of one member. Raised, one member can hold more connections."""
    page: Annotated[int, _count(1_000)] = 200
    """Releases or statements in one answer. Raised, single answers grow."""
    answer_bytes: Annotated[int, _count(1 << 30, 1_048_576)] = 16 << 20
    """Bytes after which an answer takes no further release."""
    heartbeat_seconds: Seconds = 15.0
    """Between two heartbeats of a stream. Raised, readers notice a frozen log later."""
    stream_seconds: Seconds = 900.0
    """Life of one stream; it ends with a cursor and the reader comes back."""
    drain_seconds: Seconds = 5.0
    """How long a stopping broker waits for answers under way."""
