"""Requests are signed as botocore signs them whole, by the digest of a body that is known."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from unittest import mock
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import InvalidHeader

from buckia.stores import line, s3_signed
from buckia.stores.line import Answer, Line
from buckia.stores.rate import UNLIMITED
from buckia.stores.s3_session import S3Options
from buckia.stores.s3_signer import EMPTY, signed
from buckia.stores.traffic import Traffic, shares
from buckia.stores.usage import Kind

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

URLS = (
    "https://s3.eu-west-1.amazonaws.com",
    "https://bucket.s3.amazonaws.com:443",
    "https://Example.test:8443",
    "https://example.test:80",
    "http://127.0.0.1:9000",
    "http://localhost:80",
    "http://localhost:443",
    "http://[::1]",
    "http://[::1]:9000",
    "https://[fd00::1]:443",
)

texts = st.binary(max_size=20).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
"""Keys and prefixes: any bytes."""

printed = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
names = st.from_regex("[a-z][a-z0-9-]{0,8}", fullmatch=True).map("x-amz-meta-{}".format)
days = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)).map(
    lambda day: day.replace(tzinfo=UTC)
)
keys = st.builds(
    Credentials,
    st.from_regex("[A-Z0-9]{16}", fullmatch=True),
    st.text(min_size=1, max_size=40).filter(lambda secret: secret.isprintable()),
    st.none() | st.from_regex("[A-Za-z0-9/+=]{1,50}", fullmatch=True),
)
regions = st.sampled_from(["us-east-1", "eu-central-1", "nl-ams-1", "", "default"])


class Sent(NamedTuple):
    """What would have gone out."""

    method: str
    target: str
    headers: Mapping[str, str]


class Recorder:
    """A line that sends nothing."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.sent: list[Sent] = []

    def ask(self, method: str, target: str, headers: Mapping[str, str], *_: object) -> Answer:
        self.sent.append(Sent(method, target, headers))
        body = b"<CopyObjectResult/>" if method == "PUT" else b""
        return Answer(200, [], body)


def host_of(url: str) -> str:
    """The host as requests to a URL name it, without the certificates that a line reads."""
    with mock.patch.object(line, "trusting"):
        return Line(url, 1).host


def by_botocore(
    keys: Any, region: str, method: str, url: str, extra: Mapping[str, str], body: bytes
) -> dict[str, str]:
    """All headers after botocore has signed a request with its body."""
    request = AWSRequest(method, url, headers=dict(extra), data=body)
    S3SigV4Auth(keys, "s3", region).add_auth(request)
    return dict(request.headers.items())


@given(
    keys,
    regions,
    st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE"]),
    st.sampled_from(URLS),
    texts,
    st.dictionaries(st.sampled_from(["prefix", "list-type", "max-keys", "versioning", "a"]), texts),
    st.dictionaries(names | st.just("Range"), printed),
    st.binary(max_size=20),
)
def test_a_digest_signs_as_its_body(
    keys: Credentials,
    region: str,
    method: str,
    url: str,
    key: str,
    query: dict[str, str],
    extra: dict[str, str],
    body: bytes,
) -> None:
    """The same headers, the same signature, whatever is asked for."""
    path = "/bucket/" + quote(key, safe="/~", errors="surrogateescape")
    words = "&".join(f"{name}={s3_signed._quoted(query[name])}" for name in sorted(query))
    target = f"{path}?{words}" if words else path
    sha256 = hashlib.sha256(body).hexdigest()
    with mock.patch("botocore.auth.get_current_datetime", return_value=NOW):
        mine = signed(keys, region, method, url + target, extra, sha256)
        assert mine == by_botocore(keys, region, method, url + target, extra, body)
        assert signed(keys, region, method, url, {}) == by_botocore(
            keys, region, method, url, {}, b""
        )


def test_a_request_is_signed_when_it_may_go() -> None:
    """It may have waited for longer than a service takes a signature."""
    steps = mock.Mock()
    steps.traffic.request.return_value = Traffic(shares(1), tariff="").request(Kind.LOOK)
    steps.configure_mock(bucket_path="/bucket", options=S3Options("bucket"), line=Recorder("host"))
    s3_signed.look(steps, "key")
    names = [name for name, *_ in steps.mock_calls]
    assert names.index("traffic.request") < names.index("sign")


def test_a_body_is_signed_by_the_digest_that_is_known() -> None:
    """Without hashing it once more."""
    session: Any = mock.Mock(
        bucket_path="/bucket",
        options=S3Options("bucket"),
        line=Recorder("host"),
        traffic=Traffic(shares(1), tariff="", rates=UNLIMITED),
    )
    s3_signed.put(session, "key", b"body", "digest", {"if-none-match": "*"})
    assert session.sign.call_args.args == ("PUT", "/bucket/key", {"if-none-match": "*"}, "digest")
    s3_signed.look(session, "key")
    assert session.sign.call_args.args == ("HEAD", "/bucket/key", {}, EMPTY)


@pytest.mark.parametrize("secret", ["\udce9", "\ud800"])
def test_what_is_no_unicode_is_not_told(secret: str) -> None:
    """An error that says where a text cannot be encoded would hold all of it."""
    for keys, extra in (
        (Credentials("access", f"hush{secret}"), {}),
        (Credentials("access", "secret"), {"x-amz-a": f"hush{secret}"}),
    ):
        with pytest.raises(InvalidHeader) as raised:
            signed(keys, "r", "GET", "http://host/", extra)
        assert "hush" not in repr(raised.value)
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__
