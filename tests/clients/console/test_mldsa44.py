"""ML-DSA-44 in JavaScript: the verdicts are those of public vectors and of `cryptography`."""

import base64
import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from tests.clients.console.proving import STATIC, in_node
from tests.data import shared
from tests.verifiers.verifying import NODE, needs_node

pytestmark = needs_node

PUBLIC, SIGNATURE = 1312, 2420
OMEGA, ROWS = 80, 4
HINTS = SIGNATURE - OMEGA - ROWS

_RUNNER = """
import { createInterface } from "node:readline";
import { verifies } from "./mldsa44.js";
const raw = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
for await (const text of createInterface({ input: process.stdin })) {
  const { key, message, signature, context } = JSON.parse(text);
  const before = process.cpuUsage();
  const good = verifies(raw(key), raw(message), raw(signature), raw(context));
  console.log(JSON.stringify([good, process.cpuUsage(before).user / 1000]));
}
"""

# With t1 = 0 any z and any hints make a signature: whoever has such a key can make some that
# nothing refuses but the bounds of z and the one spelling of hints.
_FORGER = """
import { createInterface } from "node:readline";
import * as m from "./forging.js";
for await (const text of createInterface({ input: process.stdin })) {
  const { message, value, rows, block } = JSON.parse(text);
  const key = new Uint8Array(m.PUBLIC_BYTES);
  const z = Array.from({ length: 4 }, () => new Int32Array(256));
  z[2][100] = value;
  const zHat = z.map((poly) => m.transformed(poly.map((v) => (v + m.Q) % m.Q)));
  const mu = m.shake256(m.shake256(key).take(64), [0, 0], Buffer.from(message, "hex")).take(64);
  const w1 = z.map((_, row) => {
    const sum = new Int32Array(256);
    for (let column = 0; column < 4; column++) {
      const a = m.uniform(key.subarray(0, 32), row, column);
      for (let i = 0; i < 256; i++) sum[i] = (sum[i] + a[i] * zHat[column][i]) % m.Q;
    }
    return m.packed(m.restored(sum).map((v, i) => m.highBits(v, rows[row].includes(i))));
  });
  const turned = (text) => [...text].reverse().join("");
  let bits = "";
  for (const poly of z)
    for (const v of poly) bits += turned(((1 << 17) - v).toString(2).padStart(18, "0"));
  const packed = bits.match(/.{8}/g).map((b) => parseInt(turned(b), 2));
  const signature = [...m.shake256(mu, ...w1).take(32), ...packed, ...Buffer.from(block, "hex")];
  console.log(JSON.stringify([key, signature].map((b) => Buffer.from(b).toString("hex"))));
}
"""


@dataclass(frozen=True)
class Case:
    key: bytes
    message: bytes
    signature: bytes
    context: bytes = b""
    what: str = field(default="", compare=False)

    def changed(self, at: int, byte: int, what: str = "") -> "Case":
        signature = bytearray(self.signature)
        signature[at] = byte
        return Case(self.key, self.message, bytes(signature), self.context, what)


def timed(cases: Sequence[Case]) -> list[tuple[bool, float]]:
    fields = ("key", "message", "signature", "context")
    return [
        (good, ms)
        for good, ms in in_node(
            _RUNNER, [{name: getattr(case, name).hex() for name in fields} for case in cases]
        )
    ]


def verdicts(cases: Sequence[Case]) -> list[bool]:
    return [good for good, _ in timed(cases)]


def judged(case: Case) -> bool:
    """What `cryptography` says."""
    try:
        MLDSA44PublicKey.from_public_bytes(case.key).verify(
            case.signature, case.message, case.context
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def signed(seed: int = 1, message: bytes = b"a checkpoint", context: bytes = b"") -> Case:
    key = MLDSA44PrivateKey.from_seed_bytes(bytes([seed]) * 32)
    signature = key.sign(message, context)
    return Case(key.public_key().public_bytes_raw(), message, signature, context)


# -- public vectors


@pytest.mark.real_data
def test_the_signatures_of_the_lamps_draft_hold_and_no_other_does() -> None:
    """Five keys, each with and without a context; in the composites ours signs for a label."""
    data = json.loads(shared("vectors-lamps-composite/testvectors.json").read_text())
    message, context = (base64.b64decode(data[name]) for name in ("m", "ctx"))
    cases = []
    for test in data["tests"]:
        key, *both = (base64.b64decode(test[n]) for n in ("pk", "s", "sWithContext"))
        kind = test["tcId"].removeprefix("id-")
        for signature, given in zip(both, (b"", context), strict=True):
            if kind == "ML-DSA-44":
                cases.append(Case(key, message, signature, given))
            elif kind.startswith("MLDSA44-"):
                label = f"COMPSIG-{kind}".encode()
                digest = hashlib.new(kind.rpartition("-")[2].lower(), message).digest()
                told = b"CompositeAlgorithmSignatures2025" + label
                told += bytes([len(given)]) + given + digest
                cases.append(Case(key[:PUBLIC], told, signature[:SIGNATURE], label))
    assert len(cases) == 10
    assert all(verdicts(cases))
    others = [Case(c.key, c.message, d.signature, c.context) for c in cases for d in cases]
    expected = [c == d for c in cases for d in cases]
    assert verdicts(others) == expected


# -- against another implementation


@pytest.mark.slow
def test_what_cryptography_signs_is_accepted_and_quickly() -> None:
    """Of every length around the blocks of SHAKE. Some 2 ms; the first has to be compiled."""
    cases = [signed(n % 7, b"m" * n) for n in [*range(80), 135, 136, 137, 1_000, 5_000]]
    found = timed(cases)
    assert all(good for good, _ in found)
    assert sorted(ms for _, ms in found)[len(found) // 2] < 20


@pytest.mark.slow
def test_a_changed_bit_anywhere_gets_the_verdict_of_cryptography() -> None:
    """Expect 1,200 refusals: signature, key, message and context."""
    chance, case = random.Random(44), signed(context=b"context")
    cases = []
    for _ in range(300):
        at, bit = chance.randrange(SIGNATURE), 1 << chance.randrange(8)
        cases.append(case.changed(at, case.signature[at] ^ bit))
    for at in range(SIGNATURE - OMEGA - ROWS, SIGNATURE):  # each byte of the hints, five times
        cases += [case.changed(at, (case.signature[at] + n) % 256) for n in (1, 2, 64, 128, 255)]
    for _ in range(480):
        key = bytearray(case.key)
        key[chance.randrange(PUBLIC)] ^= 1 << chance.randrange(8)
        cases.append(Case(bytes(key), case.message, case.signature, case.context))
    found = verdicts(cases)
    assert len(found) == 1_200
    assert found == [judged(one) for one in cases]
    assert not any(found)


def hinted(case: Case) -> list[list[int]]:
    """Where the hints are, row by row."""
    places, ends = case.signature[HINTS : HINTS + OMEGA], case.signature[HINTS + OMEGA :]
    starts = [0, *ends[:-1]]
    return [list(places[start:end]) for start, end in zip(starts, ends, strict=True)]


def spelled(case: Case, rows: Sequence[Sequence[int]], what: str, rest: bytes = b"") -> Case:
    """The same signature with its hints written in another way."""
    places = bytes(place for row in rows for place in row)
    ends = bytes(sum(map(len, rows[: n + 1])) for n in range(ROWS))
    block = (places + rest).ljust(OMEGA, b"\0") + ends
    return Case(case.key, case.message, case.signature[:HINTS] + block, case.context, what)


def misspelled() -> Iterator[Case]:
    """Signatures that say the same, each in a way that the standard forbids."""
    case = next(c for c in (signed(n) for n in range(1, 99)) if len(hinted(c)[0]) > 1)
    first, *rest = hinted(case)
    yield spelled(case, [[*reversed(first)], *rest], "not ascending")
    yield spelled(case, [[first[0], *first], *rest], "a place twice")
    yield spelled(case, [first, *rest], "something after the last", b"\1")
    yield spelled(case, [first, *rest], "zeros first", b"\0\1")
    two = [[3, 7], [], [], []]
    yield forged(rows=two, ends=(2, 1, 2, 2), what="ends that go back")
    yield forged(rows=two, ends=(2, 2, 2, 0), what="a last end that goes back")
    many = [[*range(OMEGA)], [], [], [OMEGA]]
    ends = (OMEGA, OMEGA, OMEGA, OMEGA + 1)
    yield forged(rows=many, ends=ends, what="more than there can be")


@pytest.mark.slow
def test_hints_have_one_spelling() -> None:
    """Expect refusal of each, as the standard asks, though all say the same."""
    cases = list(misspelled())
    assert not any(map(judged, cases))
    assert {c.what: v for c, v in zip(cases, verdicts(cases), strict=True) if v} == {}
    case = next(c for c in (signed(n) for n in range(1, 99)) if len(hinted(c)[0]) > 1)
    right = [spelled(case, hinted(case), "as it was"), forged(rows=[[3, 7], [9], [], [0, 255]])]
    assert [*map(judged, right), *verdicts(right)] == [True] * 4


@pytest.mark.parametrize("size", [0, 1, SIGNATURE - 1, SIGNATURE + 1])
def test_another_length_is_no_signature(size: int) -> None:
    case = signed()
    other = Case(case.key, case.message, (case.signature + b"\0")[:size])
    short = Case(case.key[:-1], case.message, case.signature)
    told = signed(message=b"c" * 256 + b"m")  # the same bytes, were its length to wrap around
    long = Case(told.key, b"m", told.signature, b"c" * 256)
    assert verdicts([other, short, long]) == [False] * 3


def forged(
    value: int = 0,
    rows: Sequence[Sequence[int]] = ([], [], [], []),
    ends: Sequence[int] = (),
    what: str = "",
) -> Case:
    """A signature by a key that anybody can sign with: one coefficient of its z is `value`, its
    hints are these, written with other `ends` of their rows where these are given.
    """
    places = bytes(place for row in rows for place in row)[:OMEGA]
    right = [sum(map(len, rows[: n + 1])) for n in range(ROWS)]
    block = places.ljust(OMEGA, b"\0") + bytes(ends or right)
    source = (STATIC / "mldsa44.js").read_text("utf-8")
    inner = "Q, transformed, restored, uniform, packed, highBits, shake256"
    told = {"message": b"forged".hex(), "value": value, "rows": rows, "block": block.hex()}
    ((key, signature),) = in_node(
        _FORGER, [told], {"forging.js": f"{source}\nexport {{ {inner} }};\n"}
    )
    return Case(bytes.fromhex(key), b"forged", bytes.fromhex(signature), what=what)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1, -1])
def test_a_coefficient_at_the_bound_is_refused_and_below_it_is_not(sign: int) -> None:
    """Expect refusal of what only the bound refuses: 2^17 less 78."""
    bound = (1 << 17) - 78
    inside, outside = forged(sign * (bound - 1)), forged(sign * bound)
    assert [judged(inside), judged(outside)] == [True, False]
    assert verdicts([inside, outside]) == [True, False]


# -- one text


def test_the_script_for_examiners_has_the_same_text_in_it() -> None:
    """It stays one file; two texts that drift apart would be two implementations."""
    text: Any = (STATIC / "mldsa44.js").read_text("utf-8").replace("export ", "")
    assert text in NODE.read_text("utf-8")
