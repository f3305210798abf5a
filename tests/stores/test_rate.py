"""Requests and bytes a second, at the most."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from buckia.config import BucketConfig
from buckia.connect import open_remote
from buckia.errors import ConfigError, UsageError
from buckia.stores.base import Store
from buckia.stores.hashing import HashCache
from buckia.stores.rate import UNLIMITED, Pace, Rates, Tokens, per_second, rates_from
from tests.stores.contract import LARGE, listed, read, write

# token buckets


def test_who_takes_more_than_there_is_waits_for_it() -> None:
    """The debt is paid at the rate of the bucket."""
    tokens, wait = Tokens(10, burst=10, left=5, at=0).take(3, now=0)
    assert (tokens.left, wait) == (2, 0)
    tokens, wait = tokens.take(12, now=0)
    assert (tokens.left, wait) == (-10, 1)
    tokens, wait = tokens.take(10, now=0.5)
    assert (tokens.left, wait) == (-15, 1.5)


def test_a_bucket_holds_no_more_than_its_burst() -> None:
    """However long nobody took anything; and a clock that goes back gives nothing."""
    tokens, _ = Tokens(10, burst=10, left=0, at=0).take(0, now=1000)
    assert tokens.left == 10
    assert tokens.take(0, now=900)[0].left == 10


@given(
    some.floats(0.1, 1e6),
    some.lists(some.tuples(some.floats(0, 100), some.floats(0, 1e6)), max_size=30),
)
def test_over_any_time_no_more_passes_than_the_rate_allows(
    rate: float, takes: list[tuple[float, float]]
) -> None:
    """Each take is done when its wait is over."""
    tokens, now, taken = Tokens(rate, rate, 0.0, 0.0), 0.0, 0.0
    for later, amount in takes:
        tokens, wait = tokens.take(amount, now)
        now, taken = now + wait, taken + amount
        assert taken <= rate * now + rate * 1e-6 + taken * 1e-9
        now += later


def test_a_pace_is_kept_by_all_who_share_it() -> None:
    """By the clock and the sleep that it is given."""
    now, slept = 0.0, []

    def sleep(seconds: float) -> None:
        slept.append(seconds)

    pace = Pace(100, clock=lambda: now, sleep=sleep)
    for _ in range(3):
        pace.take(50)
    assert slept == [0.5, 1.0, 1.5]
    now = 1.5
    pace.take(100)
    assert slept[3:] == [1.0]
    now = 10.0
    pace.take(10)
    assert len(slept) == 4  # a tenth of a second's share is there after a rest, and no more
    pace.take(10)
    assert slept[4:] == [0.1]


def test_a_slow_pace_lets_one_through_at_once() -> None:
    """However little may pass in a tenth of a second."""
    now, slept = 0.0, list[float]()
    pace = Pace(0.5, clock=lambda: now, sleep=slept.append)
    now = 10.0
    pace.take(1)
    assert slept == []
    pace.take(1)
    assert slept == [2.0]


def test_threads_together_are_no_faster() -> None:
    """What they sleep is what one alone would have slept."""
    slept: list[float] = []
    pace = Pace(10, clock=lambda: 0.0, sleep=slept.append)
    threads = [threading.Thread(target=pace.take, args=(1,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(slept) == pytest.approx([n / 10 for n in range(1, 9)])


# configuration


@pytest.mark.parametrize(
    ("text", "rate"),
    [("100/s", 100), ("600/min", 10), ("0.5/s", 0.5), ("10MB/s", 1e7), ("6 kB/min", 100)],
)
def test_rates_are_said_with_their_units(text: str, rate: float) -> None:
    """Decimal ones, as networks count."""
    assert per_second(text) == rate


@pytest.mark.parametrize("text", ["", "100", "0/s", "0.0MB/s", "ten/s", "1e3/s", "10MB", "-1/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    """Also a rate of nothing, which would wait for ever."""
    with pytest.raises(UsageError, match="no rate"):
        per_second(text)


def bucket(**rates: Any) -> BucketConfig:
    return BucketConfig(
        provider="s3",
        bucket_name="b",
        region="us-east-1",
        api_key="id",
        password="secret",
        rate_limit=rates,
    )


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ({"requests": "100"}, "a rate such as `100/s`"),
        ({"requests": "10MB/s"}, "a rate such as `100/s`"),
        ({"upload": "100/s"}, "a rate such as `10MB/s`"),
        ({"download": "0MB/s"}, "a rate such as `10MB/s`"),
        ({"uploads": "1MB/s"}, "did you mean `upload`"),
    ],
)
def test_a_wrong_rate_is_explained(rates: dict[str, str], words: str) -> None:
    """With what is allowed."""
    with pytest.raises(ConfigError, match=words):
        bucket(**rates)


@pytest.mark.parametrize(
    "text", ["1/s", "00.10/min", "9.999/s", "1B/s", "20 MB/min", "3GB/s", "0.001kB/s"]
)
def test_what_the_schema_takes_is_a_rate(text: str) -> None:
    """One judge is as strict as the other."""
    name = "upload" if "B" in text else "requests"
    assert getattr(rates_from(bucket(**{name: text}).rate_limit), name) == per_second(text)


def test_rates_are_tuning() -> None:
    """They reach the store, and a plan made with others stays good."""
    assert rates_from(bucket().rate_limit) == UNLIMITED
    slow = bucket(requests="10/s", upload="1MB/s")
    assert rates_from(slow.rate_limit) == Rates(10, 1e6)
    assert slow.identity() == bucket().identity()
    store = open_remote(slow, root=None, cache=HashCache())  # type: ignore[arg-type]
    assert store.traffic.slows_uploads
    store.close()


# stores


class Takes:
    """A pace that only remembers what was taken."""

    def __init__(self) -> None:
        self.all: list[float] = []

    def take(self, amount: float) -> None:
        self.all.append(amount)


@pytest.mark.parametrize("data", [b"content" * 10_000, LARGE], ids=["small", "large"])
def test_every_request_and_every_byte_keeps_the_pace(
    store: Store, kind: str, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever client carries them; bodies wait piece by piece, not whole."""
    requests, up, down = Takes(), Takes(), Takes()
    paces = {"requests": requests, "upload": up, "download": down}
    monkeypatch.setattr(store.traffic, "_paces", paces)
    entry = write(store, "key", data)
    assert listed(store) == ["key"]
    assert read(store, entry) == data
    store.delete(entry)
    if kind in ("local", "b2-simulator"):  # nothing is sent anywhere
        assert not requests.all
        return
    assert len(requests.all) == sum(store.traffic.usage.requests.values())
    assert sum(up.all) == sum(down.all) == len(data)
    if kind != "memory":
        assert max(up.all) <= 64 * 1024 < len(data)
        assert max(down.all) <= 4 * 1024 * 1024
