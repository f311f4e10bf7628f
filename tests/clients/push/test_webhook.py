"""The signature is that of Standard Webhooks, by its own vector and its own library."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from clients.push.webhook import Secrets
from tests.clients.push.inbox import SECRET
from tests.refusal import refused
from wire.base64_strict import encode
from wire.errors import Malformed


def test_the_vector_of_the_scheme() -> None:
    """From the tests of the reference libraries."""
    message, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
    assert Secrets.parse(SECRET).headers(message, 1_614_265_330, body) == {
        "webhook-id": message,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@given(st.binary(min_size=24, max_size=64), st.text(max_size=60), st.integers(1, 2**33))
def test_the_library_of_the_scheme_signs_the_same(key: bytes, text: str, time: int) -> None:
    secret = "whsec_" + encode(key)
    body = text.encode("utf-8", "replace")
    ours = Secrets.parse(secret).headers("msg_1", time, body)["webhook-signature"]
    moment = dt.datetime.fromtimestamp(time, dt.UTC)
    assert Webhook(secret).sign("msg_1", moment, body.decode()) == ours


def test_each_of_several_secrets_signs() -> None:
    """So that a receiver can change to a new one while the old one still counts."""
    old, new = SECRET, "whsec_" + encode(b"n" * 32)
    now = int(dt.datetime.now(dt.UTC).timestamp())
    headers = Secrets.parse(f"{new}\n{old}\n").headers("msg_1", now, b"{}")
    for secret in (old, new):
        assert Webhook(secret).verify(b"{}", headers) == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "one to 4 secrets"),
        ("\n".join([SECRET] * 5), "one to 4 secrets"),
        (SECRET.removeprefix("whsec_"), "starts with whsec_"),
        ("whsk_" + SECRET.removeprefix("whsec_"), "starts with whsec_"),
        ("whsec_!!!", "is whsec_ and base64"),
        ("whsec_" + encode(b"k" * 23), "24 to 64 bytes"),
        ("whsec_" + encode(b"k" * 65), "24 to 64 bytes"),
    ],
    ids=range(7),
)
def test_what_is_no_secret_is_refused_and_not_repeated(text: str, why: str) -> None:
    """Expect refusal."""
    with refused("bad-input", why):
        Secrets.parse(text)
    with pytest.raises(Malformed) as caught:
        Secrets.parse(text)
    assert not any(len(word) > 3 and word in str(caught.value) for word in _keys(text))


def _keys(text: str) -> list[str]:
    return [line.partition("_")[2] or line for line in text.split()]


def test_secrets_do_not_show() -> None:
    found = Secrets.parse(SECRET)
    assert "MfKQ" not in f"{found!r} {found}"
    assert "_keys" not in repr(found)
