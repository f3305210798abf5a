"""Our signatures are those of Amazon's examples, and botocore's for whatever we send."""

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
from hypothesis import example, given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from buckia.stores import line, s3_signed
from buckia.stores.line import Answer, Line
from buckia.stores.rate import UNLIMITED
from buckia.stores.s3_session import S3Options
from buckia.stores.s3_sigv4 import Signer
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
signers = st.builds(
    Signer,
    st.from_regex("[A-Z0-9]{16}", fullmatch=True),
    st.text(min_size=1, max_size=40).filter(lambda secret: secret.isprintable()),
    st.none() | st.from_regex("[A-Za-z0-9/+=]{1,50}", fullmatch=True),
    st.sampled_from(["us-east-1", "eu-central-1", "nl-ams-1", "", "default"]),
)


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
    signer: Signer, method: str, url: str, extra: Mapping[str, str], now: datetime, body: bytes
) -> dict[str, str]:
    """All headers after botocore has signed."""
    request = AWSRequest(method, url, headers=dict(extra), data=body)
    keys: Any = Credentials(signer.access_key, signer.secret_key, signer.token)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        S3SigV4Auth(keys, "s3", signer.region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@given(
    signers,
    st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE"]),
    st.sampled_from(URLS),
    texts,
    st.dictionaries(st.sampled_from(["prefix", "list-type", "max-keys", "versioning", "a"]), texts),
    st.dictionaries(names | st.just("Range"), printed),
    days,
    st.binary(max_size=20),
)
@example(
    Signer("A", "s", "", "r"), "GET", URLS[0], "a b~%+é\udce9", {"versioning": ""}, {}, NOW, b""
)
@example(Signer("A", "s", None, "r"), "PUT", URLS[0], "", {}, {"x-amz-a": "  a   b  "}, NOW, b"x")
def test_signatures_are_botocores(
    signer: Signer,
    method: str,
    url: str,
    key: str,
    query: dict[str, str],
    extra: dict[str, str],
    now: datetime,
    body: bytes,
) -> None:
    """The same headers, the same signature, whatever is asked for."""
    path = "/bucket/" + quote(key, safe="/~", errors="surrogateescape")
    words = "&".join(f"{name}={s3_signed._quoted(query[name])}" for name in sorted(query))
    target = f"{path}?{words}" if words else path
    sha256 = hashlib.sha256(body).hexdigest()
    signed = signer.sign(method, host_of(url), target, extra, now, sha256)
    assert signed == by_botocore(signer, method, url + target, extra, now, body)


@given(
    signers,
    st.sampled_from(URLS),
    texts,
    texts,
    st.sampled_from([{}, {"requester_pays": True}, {"encryption": "aws:kms", "kms_key": "a  b"}]),
)
def test_requests_leave_as_botocore_would_sign_them(
    signer: Signer, url: str, key: str, other: str, options: dict[str, Any]
) -> None:
    """Listings, looks and copies, each as it is sent."""
    session: Any = mock.Mock(
        bucket_path="/bucket",
        options=S3Options("bucket", **options),
        signer=signer,
        line=Recorder(host_of(url)),
        traffic=Traffic(shares(1), tariff="", rates=UNLIMITED),
    )
    query = {"list-type": "2", "encoding-type": "url", "prefix": key, "start-after": other}
    s3_signed.ask_bucket(session, query, Kind.LIST)
    s3_signed.ask_bucket(session, {"versioning": ""}, Kind.SETTINGS)
    s3_signed.look(session, key)
    s3_signed.copy(session, key, f"bucket/{other}", 1, {"x-amz-copy-source-if-match": "abc"})
    assert [sent.method for sent in session.line.sent] == ["GET", "GET", "HEAD", "PUT"]
    own = {"authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"}
    for method, target, headers in session.line.sent:
        extra = {name: value for name, value in headers.items() if name not in own}
        now = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        assert headers == by_botocore(signer, method, url + target, extra, now, b"")


def test_a_request_is_signed_when_it_may_go() -> None:
    """It may have waited for longer than a service takes a signature."""
    steps = mock.Mock()
    steps.traffic.request.return_value = Traffic(shares(1), tariff="").request(Kind.LOOK)
    steps.configure_mock(bucket_path="/bucket", options=S3Options("bucket"), line=Recorder("host"))
    s3_signed.look(steps, "key")
    names = [name for name, *_ in steps.mock_calls]
    assert names.index("traffic.request") < names.index("signer.sign")


AMAZON = Signer(
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None, "us-east-1"
)


@pytest.mark.parametrize(
    ("target", "extra", "signature"),
    [
        (
            "/test.txt",
            {"Range": "bytes=0-9"},
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "/?lifecycle=",
            {},
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "/?max-keys=2&prefix=J",
            {},
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_signatures_are_those_of_amazons_examples(
    target: str, extra: dict[str, str], signature: str
) -> None:
    """Of "Authenticating Requests: Using the Authorization Header" in the API reference."""
    now = datetime(2013, 5, 24, tzinfo=UTC)
    signed = AMAZON.sign("GET", "examplebucket.s3.amazonaws.com", target, extra, now)
    assert signed["authorization"].endswith(f"Signature={signature}")


def test_each_day_region_and_secret_has_its_key() -> None:
    """However often another one was used in between."""
    found = set()
    for _ in range(2):
        for day in range(1, 13):
            for signer in (
                AMAZON,
                Signer("A", "s", None, "us-east-1"),
                Signer("A", "s", None, "x"),
            ):
                now = datetime(2026, 1, day, tzinfo=UTC)
                found.add(signer.sign("GET", "host", "/", {}, now)["authorization"])
    assert len(found) == 36


def test_a_signer_shows_no_secret() -> None:
    """Neither to Python nor to rich, which has its own way to show a struct."""
    signer = Signer("access", "sec\udce9ret", "token", "region")
    for shown in (repr(signer), str(signer), pretty_repr(signer), pretty_repr([signer])):
        assert shown.strip("[]") in ("Signer('region')", "Signer(region='region')")


@pytest.mark.parametrize("secret", ["\udce9", "\ud800"])
def test_what_is_no_unicode_is_signed(secret: str) -> None:
    """An error that says where the text cannot be encoded would hold all of it."""
    signer = Signer(secret, secret, secret, secret)
    assert signer.sign("GET", "host", "/", {"x-amz-a": secret}, NOW)["authorization"]
