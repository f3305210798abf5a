"""Requests and bytes, counted."""

from __future__ import annotations

import threading

import pytest

from buckia.stores import prices, retry
from buckia.stores.traffic import Share, Traffic, shares
from buckia.stores.usage import NOTHING, Kind, Usage


def test_every_class_has_a_count_of_its_own() -> None:
    """And the bytes of bodies are counted both ways."""
    traffic = Traffic(shares(4))
    for number, kind in enumerate(Kind, 1):
        for _ in range(number):
            with traffic.request(kind):
                pass
    traffic.sent(5)
    traffic.received(7)
    assert traffic.usage.requests == {kind: number for number, kind in enumerate(Kind, 1)}
    assert (traffic.usage.sent, traffic.usage.received) == (5, 7)


def test_usage_can_be_added_and_subtracted() -> None:
    """The difference of two moments is what was used between them."""
    one, other = Usage(list=1, retries=2, sent=3), Usage(list=4, look=5, sent=6)
    assert one + other == Usage(list=5, look=5, retries=2, sent=9)
    assert (one + other) - one == other
    assert one + NOTHING == one
    assert NOTHING.requests == {}


def test_a_listing_counts_by_the_thousand() -> None:
    """The first thousand names are in the request itself."""
    traffic = Traffic()
    for names in (0, 1000, 1001, 2500):
        with traffic.request(Kind.LIST):
            traffic.listed(names)
    assert (traffic.usage.list, traffic.usage.pages) == (4, 1 + 1 + 2 + 3)


def test_a_repeat_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it asks for after that is asked for the first time."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    traffic = Traffic()
    assert retry.rest(1)
    for _ in range(2):
        with traffic.request(Kind.LOOK):
            pass
    assert (traffic.usage.look, traffic.usage.retries) == (2, 1)


def test_a_crowd_is_counted_and_halves_the_budget() -> None:
    """Also where the request ends in an error."""
    traffic = Traffic(shares(8))
    with pytest.raises(OSError), traffic.request(Kind.WRITE) as turn:
        turn.crowded = True
        raise OSError
    assert traffic.usage.throttled == 1
    assert traffic.limit(Kind.WRITE) == traffic.limit(Kind.COPY) == 4
    assert traffic.limit(Kind.READ) == traffic.limit(Kind.DELETE) == 8


def test_no_more_than_its_share_is_under_way() -> None:
    """The third of a share of two waits for one of them to end."""
    traffic = Traffic([Share(frozenset({Kind.LIST}), 2)])
    entered = threading.Event()

    def third() -> None:
        with traffic.request(Kind.LIST):
            entered.set()

    with traffic.request(Kind.LIST):
        with traffic.request(Kind.LIST):
            waiting = threading.Thread(target=third)
            waiting.start()
            assert not entered.wait(0.05)
        assert entered.wait(5)
    waiting.join()


def test_threads_lose_no_count() -> None:
    """Whichever way they interleave."""
    traffic = Traffic(shares(3))

    def many() -> None:
        for _ in range(500):
            with traffic.request(Kind.READ):
                traffic.received(2)

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert traffic.usage == Usage(read=4000, received=8000)


# prices


@pytest.mark.parametrize("tariff", prices.TARIFFS, ids=lambda tariff: tariff.name)
def test_a_price_list_knows_every_request_once(tariff: prices.Tariff) -> None:
    """What no class holds would be free by mistake, what two hold paid twice."""
    held = [kind for one in tariff.classes for kind in one.kinds]
    assert len(held) == len(set(held))
    assert set(Kind) - set(held) <= {Kind.PURGE}
    assert tariff.source and tariff.date


def test_what_requests_cost() -> None:
    """By class and thousand; a listing as often as the service bills it."""
    usage = Usage(list=1, pages=3, look=100, read=900, write=1000, delete=50, settings=1)
    b2, aws = prices.find_tariff("b2"), prices.find_tariff("aws")
    assert b2 and aws
    assert prices.billed(b2, usage) == {"A": 1050, "B": 1000, "C": 4}
    assert prices.cost(b2, usage) == pytest.approx(0.0004 + 4 * 0.004 / 1000)
    assert prices.billed(aws, usage) == {"PUT": 1003, "GET": 1001, "DELETE": 50}
    assert prices.cost(aws, usage) == pytest.approx(1003 * 0.005 / 1000 + 1001 * 0.0004 / 1000)


def test_where_no_prices_are_public_none_are_told() -> None:
    """Linode names requests as a component of its price, and no rates."""
    assert prices.find_tariff("linode") is None
    assert prices.find_tariff("") is None
