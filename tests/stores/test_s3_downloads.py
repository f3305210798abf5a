"""A large version that is read in parts: all of it, of one version, whatever happens on the way."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable
from typing import Final

import pytest

from buckia.errors import PreconditionError
from buckia.model import Entry
from buckia.stores import retry
from buckia.stores.rate import Rates
from buckia.stores.s3 import S3Options, S3Store
from tests.servers.lying_s3 import EPOCH, Answer, Liar, Request, error, serve_lies

PART: Final = 1000
DATA: Final = random.Random(7).randbytes(6 * PART + 321)
ETAG: Final = hashlib.md5(DATA).hexdigest()
ENTRY: Final = Entry("key", len(DATA), version=ETAG)

Wrong = Callable[[Request, int], Answer | None]
"""What is answered to a request for bytes from an offset on; None for what is right."""


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come at once."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)


def right(request: Request, etag: str = ETAG, data: bytes = DATA) -> Answer:
    """What a service answers."""
    told = {"ETag": f'"{etag}"', "Last-Modified": EPOCH}
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if asked is None:
        return Answer(body=data, headers=told)
    first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
    told["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    return Answer(206, data[first : last + 1], told)


def reading(
    wrong: Wrong, entry: Entry = ENTRY, rates: Rates | None = None
) -> tuple[bytes, list[Request]]:
    """What is read of an entry, and what was asked for that."""

    def script(request: Request) -> Answer:
        first = re.match(r"bytes=(\d+)", request.headers.get("range", "bytes=0"))
        return wrong(request, int(first[1]) if first else 0) or right(request)

    with serve_lies(script) as liar:
        store = S3Store(options(liar, rates or Rates()))
        try:
            with store.open(entry) as body:
                return body.read(), liar.asked
        finally:
            store.close()


def options(liar: Liar, rates: Rates) -> S3Options:
    return S3Options(
        "bucket",
        endpoint=liar.endpoint,
        region="us-east-1",
        access_key_id="access",
        secret_access_key="very-secret",
        multipart_threshold=PART,
        part_size=PART,
        rates=rates,
    )


def ranges(asked: list[Request]) -> list[str]:
    return sorted(request.headers.get("range", "") for request in asked)


def test_a_large_version_comes_in_parts_each_under_the_condition() -> None:
    found, asked = reading(lambda request, first: None)
    assert found == DATA
    spans = [f"bytes={at}-{min(at + PART, len(DATA)) - 1}" for at in range(0, len(DATA), PART)]
    assert [span.partition("-")[0] for span in ranges(asked)] == [
        span.partition("-")[0] for span in spans
    ]
    assert {request.headers["if-match"].strip('"') for request in asked} == {ETAG}


def test_a_small_version_is_one_request() -> None:
    small = DATA[:PART]
    etag = hashlib.md5(small).hexdigest()
    entry = Entry("key", PART, version=etag)
    found, asked = reading(lambda request, first: right(request, etag, small), entry)
    assert (found, ranges(asked)) == (small, [""])


@pytest.mark.parametrize("at", [0, 2 * PART, 6 * PART])
@pytest.mark.parametrize(
    "answer",
    [error(503, "SlowDown"), error(500, "InternalError"), Answer(cut=0)],
    ids=["too many", "failing", "no answer"],
)
def test_where_a_part_does_not_come_the_rest_is_a_stream(at: int, answer: Answer) -> None:
    """From the byte on where it broke off, and no byte twice."""
    failed: list[int] = []

    def once(request: Request, first: int) -> Answer | None:
        if first == at and not failed:
            failed.append(first)
            return answer
        return None

    found, asked = reading(once)
    assert found == DATA and failed
    assert any(request.headers.get("range", f"bytes={0}-") == f"bytes={at}-" for request in asked)


def test_a_part_that_is_cut_is_no_part() -> None:
    cut: list[int] = []

    def once(request: Request, first: int) -> Answer | None:
        if first == PART and not cut:
            cut.append(first)
            whole = right(request)
            return Answer(206, whole.body, whole.headers, cut=10)
        return None

    assert reading(once)[0] == DATA and cut


@pytest.mark.parametrize("at", [0, 3 * PART])
def test_parts_of_two_versions_are_never_mixed(at: int) -> None:
    """Whether the service keeps the condition or ignores it."""
    other = bytes(len(DATA))

    def refused(request: Request, first: int) -> Answer | None:
        return error(412, "PreconditionFailed") if first >= at else None

    def ignored(request: Request, first: int) -> Answer | None:
        return right(request, "f" * 32, other) if first >= at else None

    for wrong in (refused, ignored):
        with pytest.raises(PreconditionError):
            reading(wrong)


def test_a_service_without_ranges_sends_all_as_one() -> None:
    def whole(request: Request, first: int) -> Answer:
        return Answer(body=DATA, headers={"ETag": f'"{ETAG}"', "Last-Modified": EPOCH})

    assert reading(whole)[0] == DATA


@pytest.mark.parametrize("size", [2 * PART, len(DATA) + 5 * PART])
def test_what_is_there_is_read_whatever_was_announced(size: int) -> None:
    """Whoever writes it compares the size; a shorter reading would show nothing."""
    assert reading(lambda request, first: None, Entry("key", size, version=ETAG))[0] == DATA


def test_a_line_that_is_to_be_slow_carries_one_stream() -> None:
    found, asked = reading(lambda request, first: None, rates=Rates(download=1_000_000))
    assert (found, ranges(asked)) == (DATA, [""])
