"""`buckia url`: one URL on stdout, or one line that says why there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.cli.console import buckia
from tests.servers.moto import serve_moto
from tests.servers.s3 import S3Server


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with serve_moto() as running:
        yield running


@pytest.fixture
def bucket(server: S3Server, workspace: Path) -> str:
    """A bucket of S3 that holds `a b.txt`, beside one that is a directory."""
    name = server.make_bucket()
    server.client.put_object(Bucket=name, Key="a b.txt", Body=b"data")
    os.environ.update(AWS_ACCESS_KEY_ID="access", AWS_SECRET_ACCESS_KEY="secret")
    (workspace / ".buckia").write_text(
        f"there:\n  provider: s3\n  bucket_name: {name}\n  domain: {server.endpoint}\n"
        "here:\n  provider: local\n  bucket_name: ../bucket\n"
    )
    return name


def test_the_url_is_the_result(bucket: str) -> None:
    """Alone on stdout, good for an hour unless told otherwise."""
    ended = buckia("url", "a b.txt", "--bucket", "there")
    assert (ended.code, ended.err, ended.out.count("\n")) == (0, "", 1)
    assert requests.get(ended.out.strip(), timeout=10).content == b"data"
    assert parse_qs(urlsplit(ended.out.strip()).query)["X-Amz-Expires"] == ["3600"]
    longer = buckia("url", "a b.txt", "--bucket", "there", "--expires", "15m")
    assert parse_qs(urlsplit(longer.out.strip()).query)["X-Amz-Expires"] == ["900"]


def test_the_public_url_is_neither_signed_nor_asked_about(bucket: str, server: S3Server) -> None:
    ended = buckia("url", "no/such ü", "--bucket", "there", "--public")
    assert ended.out == f"{server.endpoint}/{bucket}/no/such%20%C3%BC\n"


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("a b.txt",), 64, "several buckets; say which with --bucket: there, here"),
        (("a b.txt", "--bucket", "nope"), 78, "no bucket `nope`"),
        (("none", "--bucket", "there"), 8, "`there` has no object none"),
        (("a b.txt", "--bucket", "there", "--expires", "8d"), 64, "at most 7 days; ask for less"),
        (("a b.txt", "--bucket", "there", "--expires", "soon"), 64, "say 15m, 12h or 7d"),
        (("a b.txt", "--bucket", "here"), 64, "the provider `local` signs no URLs"),
        (("a", "--bucket", "here", "--public"), 64, "a directory of this machine has no URL"),
        (("a", "--public", "--expires", "1h"), 64, "does not expire; leave --expires out"),
    ],
)
def test_what_cannot_be_is_said(bucket: str, words: tuple[str, ...], code: int, why: str) -> None:
    ended = buckia("url", *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (code, "", 1)
    assert why in ended.err
