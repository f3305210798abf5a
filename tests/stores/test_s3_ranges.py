"""Listings in parallel: whatever was guessed, and however a service pages, nothing is missed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia.errors import StoreError
from buckia.model import Entry
from buckia.stores import s3_listing
from buckia.stores.s3_classes import Classes
from buckia.stores.s3_listing import (
    Listed,
    Page,
    _all_decoded,
    _decoded,
    as_bytes,
    before,
    entry_of,
)
from buckia.stores.s3_ranges import Range, cut, gather, list_ranges, list_spans

KEYS = st.text(st.sampled_from("ab/é\U0001f600"), min_size=1, max_size=4)
ETAG = '"0123456789abcdef0123456789abcdef"'


def _read(page: Any) -> list[Entry]:
    return [entry_of(listed[0], listed, md5_etags=True) for listed in page]


class OddService:
    """Pages of any size, empty ones in between; `begin` tells where a listing really begins."""

    def __init__(self, keys: set[str], sizes: list[int], begin: str) -> None:
        self.keys = sorted(key.encode() for key in keys)
        self.sizes = sizes
        self.begin = begin
        self.asked = 0

    def fetch(self, _: Any, prefix: str, token: str | None, after: bytes, most: int) -> Page:
        """A page, as a service makes it up."""
        mine = [key for key in self.keys if key.startswith(prefix.encode())]
        if token is not None:
            at = int(token)
        elif self.begin == "ignored":
            at = 0
        else:
            at = bisect_right(mine, after) - (self.begin == "inclusive" and after in mine)
        size = self.sizes[self.asked % len(self.sizes)]
        self.asked += 1
        end = min(at + size, len(mine))
        more = end < len(mine)
        return Page([_listed(key) for key in mine[at:end]], f"{end:05}" if more else None)


def _listed(key: bytes) -> Listed:
    return key.decode(), "2024-01-01T00:00:00.000Z", ETAG, "1"


def _list(
    service: Callable[..., Page], prefix: str, known: list[str], page: int = 2, workers: int = 3
) -> list[str]:
    options = SimpleNamespace(bucket="b", page_size=page, workers=workers)
    session: Any = SimpleNamespace(options=options, endpoint="http://x")
    with patch.object(s3_listing, "_fetch", service):
        return [entry.key for entry in list_ranges(session, prefix, known, _read)]


@given(
    st.sets(KEYS, max_size=40),
    st.lists(KEYS, max_size=30),
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.sampled_from(["as told", "inclusive", "ignored"]),
    st.sampled_from(["", "a", "a/"]),
)
def test_whatever_is_guessed_the_listing_is_the_whole_one(
    there: set[str], known: list[str], sizes: list[int], begin: str, prefix: str
) -> None:
    service = OddService(there, sizes, begin)
    wanted = sorted((key for key in there if key.startswith(prefix)), key=str.encode)
    assert _list(service.fetch, prefix, known) == wanted


@given(st.sets(KEYS, max_size=200), st.integers(1, 20), st.integers(1, 8))
def test_ranges_tile_all_keys(known: set[str], page: int, workers: int) -> None:
    ranges = cut(sorted(known), page, workers)
    assert ranges[0].after == b""
    assert ranges[-1].until is None
    for one, following in pairwise(ranges):
        assert one.until == following.after
        assert one.after < following.after
    assert len(ranges) <= 2 * workers + 1


def test_a_bucket_as_it_is_known_costs_hardly_more_requests() -> None:
    keys = [f"{n:05}" for n in range(20_000)]
    service = OddService(set(keys), [1000], "as told")
    assert _list(service.fetch, "", keys, page=1000, workers=4) == keys
    assert service.asked <= 24


def test_a_doubt_in_one_range_is_a_doubt_about_all() -> None:
    keys = [f"{n:05}" for n in range(100)]
    service = OddService(set(keys), [10], "as told")

    def fetch(session: Any, prefix: str, token: str | None, after: bytes, most: int) -> Page:
        page = service.fetch(session, prefix, token, after, most)
        if after and token is None:
            page.objects.reverse()
        return page

    with pytest.raises(StoreError, match="out of order"):
        _list(fetch, "", keys, page=10)


def test_too_little_is_not_cut() -> None:
    assert cut([f"{n}" for n in range(900)], 1000, 16) == [Range(b"", None)]


def _seek(
    service: Callable[..., Page], prefix: str, keys: list[str], known: list[str], page: int = 2
) -> dict[str, Listed | None]:
    """What spans tell of keys; `known` may be wrong."""
    options = SimpleNamespace(bucket="b", page_size=page, workers=3)
    session: Any = SimpleNamespace(options=options, endpoint="http://x", classes=Classes())
    with patch.object(s3_listing, "_fetch", service):
        found = list_spans(session, prefix, gather(keys, sorted(known), page))
    assert all(session.classes.of(key) == "STANDARD" for key in found)
    return found


@given(
    st.sets(KEYS, max_size=40),
    st.sets(KEYS, max_size=20),
    st.sets(KEYS, max_size=30),
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.sampled_from(["as told", "inclusive", "ignored"]),
    st.sampled_from(["", "a", "a/"]),
    st.integers(1, 9),
)
def test_what_is_told_of_a_key_is_what_is_there(
    there: set[str],
    keys: set[str],
    known: set[str],
    sizes: list[int],
    begin: str,
    prefix: str,
    page: int,
) -> None:
    """However wrong what is known is: nothing that is there counts as absent, nor the other way."""
    keys = {key for key in keys | set(sorted(there)[::2]) if key.startswith(prefix)}
    service = OddService(there, sizes, begin)
    found = _seek(service.fetch, prefix, list(keys), list(known), page)
    assert found.keys() <= keys
    assert {key: bool(told) for key, told in found.items()} == {k: k in there for k in found}
    assert all(told is None or told[0] == key for key, told in found.items())
    if begin == "as told":
        spans = gather(keys, sorted(known), page)
        assert found.keys() == {key for span in spans for key in span.keys}


@given(st.sets(KEYS, max_size=40), st.sets(KEYS, max_size=40), st.integers(1, 9))
def test_a_key_is_in_one_span_or_looked_at_alone(
    keys: set[str], known: set[str], page: int
) -> None:
    """And spans do not meet, so that no object is listed twice."""
    spans = gather(keys, sorted(known), page)
    told = [key for span in spans for key in span.keys]
    assert set(told) <= keys and told == sorted(told, key=str.encode)
    assert len(set(told)) == len(told)


def test_keys_that_lie_together_cost_the_pages_they_are_on() -> None:
    keys = [f"{n:06}" for n in range(100_000)]
    service = OddService(set(keys), [1000], "as told")
    found = _seek(service.fetch, "", keys[40_000:41_000], keys, page=1000)
    assert len(found) == 1000 and all(found.values())
    assert service.asked <= 3
    service.asked = 0
    assert len(_seek(service.fetch, "", keys[::100], keys, page=1000)) >= 990
    assert service.asked <= 115


def test_new_keys_where_nothing_is_cost_one_page() -> None:
    service = OddService({"a", "z"}, [1000], "as told")
    new = [f"new-{n}" for n in range(5000)]
    assert _seek(service.fetch, "", new, ["a", "z"], page=1000) == dict.fromkeys(new)
    assert service.asked == 1


def test_keys_far_from_each_other_are_not_listed() -> None:
    keys = [f"{n:06}" for n in range(100_000)]
    assert gather(keys[::900], keys, 1000) == []


@given(KEYS | st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_page_begins_before_its_first_key(key: str) -> None:
    assert before(key) < as_bytes(key)


_PIECES = st.sampled_from(
    ["a", "%2F", "%2f", "%", "2F", "+", "%25", "%0A", "\n", "%FF", "%C3", "é"]
)


@given(st.lists(st.lists(_PIECES).map("".join)))
def test_keys_are_decoded_together_as_each_by_itself(keys: list[str]) -> None:
    assert _all_decoded(keys) == list(map(_decoded, keys))


_ODD = st.sampled_from(["a/b.jpg", "a b", "a+b", "%61", "&amp;", "é", "a&lt;b", "x'y", "..", "a/"])
_MORE = st.sampled_from(
    ["", "<StorageClass>STANDARD</StorageClass>", "<Owner><ID>x</ID></Owner>", "<Odd>1</Odd>"]
)


@given(
    st.lists(st.tuples(_ODD, _MORE), max_size=4), st.booleans(), st.sampled_from(['"', "&quot;"])
)
def test_a_page_read_quickly_says_what_it_says_to_a_parser(
    objects: list[tuple[str, str]], coded: bool, quote: str
) -> None:
    inside = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>"
        f"<ETag>{quote}ab-1{quote}</ETag><Size>7</Size>{more}</Contents>"
        for key, more in objects
    )
    body = (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3">'
        f"<IsTruncated>false</IsTruncated>{inside}"
        f"{'<EncodingType>url</EncodingType>' if coded else ''}</ListBucketResult>"
    ).encode()
    slow = body.replace(b"<Contents>", b"<Contents >")
    assert _read(s3_listing._parse(body).objects) == _read(s3_listing._parse(slow).objects)
    assert len(s3_listing._parse(body).objects) == len(objects)
