"""The contract, continued: many at once.

What a store claims is exact under any race. One that does not claim looks, then writes: there a
race may lose a write, and what is left is still something that somebody wrote.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from buckia.errors import NotFoundError, PreconditionError
from buckia.model import Entry
from buckia.stores.base import Store
from tests.stores.contract import LARGE, OTHER, Claims, content, listed, race, read, write

WRITERS, TIMES = 4, 4

LAST = bytes(len(LARGE))
"""As large as `LARGE` and `OTHER`, and neither of them: no version comes back."""

PARTED = LARGE[: 6 * 1024 * 1024]
"""Large enough to be sent in two parts."""


def test_one_creator_wins(store: Store, claims: Claims) -> None:
    """Of many that create one key at once exactly one wins, and its bytes are what is there."""
    for number in range(5):
        key = f"key-{number}"

        def create(writer: int, key: str = key) -> Entry:
            return write(store, key, f"writer {writer}".encode())

        results = race(8, create)
        winners = [result for result in results if isinstance(result, Entry)]
        assert winners
        assert content(store, key) in {f"writer {writer}".encode() for writer in range(8)}
        if claims("create_if_absent"):
            assert len(winners) == 1
            assert read(store, winners[0]) == content(store, key)


def test_no_increment_is_lost(store: Store, claims: Claims) -> None:
    """Many that add to one number, creating it first, by compare-and-swap lose no increment.

    Each signs what it writes: a writer whose answer is lost knows its own write by its bytes.
    """

    def add(writer: int) -> None:
        for _ in range(TIMES):
            while not swapped(writer):
                pass

    def swapped(writer: int) -> bool:
        try:
            held = store.head("counter")
            number = int(read(store, held).split()[0]) if held else 0
            write(store, "counter", b"%d by %d" % (number + 1, writer), held)
        except (NotFoundError, PreconditionError):
            return False
        return True

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(add, range(WRITERS)))
    total = int((content(store, "counter") or b"-1").split()[0])
    exact = all([claims("create_if_absent"), claims("replace_if_match")])
    assert total <= WRITERS * TIMES
    assert total >= (WRITERS * TIMES if exact else 1)


def test_one_replacement_wins(store: Store, claims: Claims) -> None:
    """Of many that replace one version at once exactly one wins, large or small."""
    for data in (b"x", PARTED):
        old = write(store, f"key-{len(data)}", b"old")

        def supersede(writer: int, old: Entry = old, data: bytes = data) -> Entry:
            return write(store, old.key, b"%d" % writer + data, old)

        results = race(WRITERS, supersede)
        winners = [result for result in results if isinstance(result, Entry)]
        assert content(store, old.key) in {b"%d" % writer + data for writer in range(WRITERS)}
        guarded = store.capabilities.guarded
        if claims("replace_if_match") and not (
            claims("guarded") and guarded is not None and len(data) > guarded
        ):
            assert len(winners) == 1
            assert read(store, winners[0]) == content(store, old.key)


def test_one_copy_wins(store: Store, claims: Claims) -> None:
    """Of many that copy onto one version at once exactly one wins, as with a put."""
    sources = [write(store, f"from-{number}", b"%d" % number) for number in range(WRITERS)]
    for number in range(3):
        old = write(store, f"key-{number}", b"old")

        def supersede(writer: int, old: Entry = old) -> Entry | None:
            return store.copy(store, sources[writer], key=old.key, replacing=old)

        results = race(WRITERS, supersede)
        winners = [result for result in results if isinstance(result, Entry)]
        left = content(store, old.key)
        if not claims("copy"):
            assert (results, left) == ([None] * WRITERS, b"old")
            continue
        assert left in {read(store, source) for source in sources}
        if all([claims("replace_if_match"), claims("guards_copies")]):
            assert len(winners) == 1


def test_a_delete_takes_no_newer_object(store: Store, claims: Claims) -> None:
    """A delete that races a replacement never takes the newer object."""
    atomic = all([claims("delete_if_match"), claims("replace_if_match")])
    for number in range(5):
        key = f"key-{number}"
        old = write(store, key, b"old")

        def act(actor: int, key: str = key, old: Entry = old) -> Entry | None:
            if actor % 2:
                return write(store, key, b"new", old)
            store.delete(old)
            return None

        replaced = any(isinstance(result, Entry) for result in race(4, act))
        left = content(store, key)
        assert left == (b"new" if replaced else None) if atomic else left in (b"new", None)


def test_no_reader_sees_a_part(store: Store) -> None:
    """While a large object is overwritten again and again, every reader gets one whole version."""
    held, done = write(store, "key", LARGE), Event()

    def replace_often() -> None:
        nonlocal held
        try:
            for data in (OTHER, LAST):
                held = write(store, "key", data, held)
        finally:
            done.set()

    def read_often() -> list[bytes | None]:
        seen = []
        while not done.is_set():
            try:
                seen.append(content(store, "key"))
            except (NotFoundError, PreconditionError):
                continue
        return seen

    with ThreadPoolExecutor(3) as pool:
        writer = pool.submit(replace_often)
        readers = [pool.submit(read_often) for _ in range(2)]
        writer.result()
        seen = [data for reader in readers for data in reader.result()]
    assert all(data in (LARGE, OTHER, LAST) for data in seen)
    assert content(store, "key") == LAST


def test_many_threads_use_one_store(store: Store) -> None:
    """Threads that work with different keys of one store do not disturb each other."""

    def live(number: int) -> list[str]:
        key = f"{number}/key"
        first = write(store, key, b"first %d" % number)
        assert read(store, first) == b"first %d" % number
        second = write(store, key, b"second %d" % number, first)
        assert content(store, key) == b"second %d" % number
        seen = listed(store, f"{number}/")
        store.delete(second)
        assert store.head(key) is None
        return seen

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(live, range(16))) == [[f"{number}/key"] for number in range(16)]
    assert listed(store) == []
