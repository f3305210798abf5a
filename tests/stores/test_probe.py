"""The probe, against services that keep, ignore, invert and refuse conditions."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from buckia.errors import PreconditionError, StoreError, UnavailableError
from buckia.stores.probe import ABSENT, Proof, Verdict, contest, probe
from tests.servers.s3 import S3Server
from tests.stores.conftest import open_s3

WRONG = "wrong"


class Service:
    """Objects in a dictionary, and conditions treated as told, by kind."""

    def __init__(self, **manners: Verdict) -> None:
        self.manners = manners
        self.objects: dict[str, str] = {}
        self.lock = threading.RLock()
        self._serial = 0

    def put(self, key: str, data: bytes, condition: str | None) -> str:
        with self.lock:
            kind = "create" if condition == ABSENT else "replace"
            self._check(kind, key, condition)
            self._serial += 1
            self.objects[key] = str(self._serial)
            return self.objects[key]

    def delete(self, key: str, condition: str | None) -> None:
        self._check("delete", key, condition)
        self.objects.pop(key, None)

    def _check(self, kind: str, key: str, condition: str | None) -> None:
        manner = self.manners.get(kind, Verdict.ENFORCED)
        if condition is None or manner is Verdict.IGNORED:
            return
        if manner is Verdict.REFUSED:
            raise StoreError("not implemented")
        holds = self.objects.get(key, ABSENT) == condition
        if holds == (manner is Verdict.INVERTED):
            raise PreconditionError("no")


ALONE = [verdict for verdict in Verdict if verdict is not Verdict.RACY]
"""What can be seen by one writer."""


@pytest.mark.parametrize("manner", ALONE)
@pytest.mark.parametrize("kind", ["create", "replace", "delete"])
def test_the_probe_sees_how_a_service_treats_conditions(kind: str, manner: Verdict) -> None:
    """Each kind of condition is judged by itself, and nothing is left behind."""
    service = Service(**{kind: manner})
    expected = {"create": Verdict.ENFORCED, "replace": Verdict.ENFORCED, "delete": Verdict.ENFORCED}
    assert probe(service.put, service.delete, wrong=WRONG) == Proof(**{**expected, kind: manner})
    assert service.objects == {}


def test_a_service_that_replaces_what_is_missing_does_not_enforce() -> None:
    """`If-Match` that creates a missing key is no condition."""

    class Lax(Service):
        def _check(self, kind: str, key: str, condition: str | None) -> None:
            if kind != "replace" or key in self.objects:
                super()._check(kind, key, condition)

    service = Lax()
    assert probe(service.put, service.delete, wrong=WRONG).replace is Verdict.IGNORED


@pytest.mark.parametrize("creating", [True, False])
def test_a_contest_sees_what_one_writer_cannot(creating: bool) -> None:
    """Several get through where the service looks and then writes."""

    class Racy(Service):
        """Lets everybody look before anybody writes."""

        def __init__(self) -> None:
            super().__init__()
            self.together = threading.Barrier(8)

        def put(self, key: str, data: bytes, condition: str | None) -> str:
            self._check("create", key, condition)
            if condition is not None:
                self.together.wait(20)
            return super().put(key, data, None)

    honest, racy = Service(), Racy()
    assert contest(racy.put, racy.delete, "x/", creating=creating) is Verdict.RACY
    with honest.lock:
        assert honest.objects == racy.objects == {}
    assert contest(honest.put, honest.delete, "x/", creating=creating) is Verdict.ENFORCED


def test_who_is_asked_to_try_again_has_lost() -> None:
    """A service may settle a race so."""

    class Busy(Service):
        def put(self, key: str, data: bytes, condition: str | None) -> str:
            try:
                return super().put(key, data, condition)
            except PreconditionError:
                raise UnavailableError("another write is under way") from None

    busy = Busy()
    assert contest(busy.put, busy.delete, "x/", creating=True) is Verdict.ENFORCED


def test_a_service_that_does_not_answer_is_not_judged() -> None:
    """An unavailable service is an error, not a verdict."""

    class Away(Service):
        def put(self, key: str, data: bytes, condition: str | None) -> str:
            if condition is not None:
                raise UnavailableError("away")
            return super().put(key, data, condition)

    service = Away()
    with pytest.raises(UnavailableError):
        probe(service.put, service.delete, wrong=WRONG)
    assert service.objects == {}


@pytest.fixture(params=["moto", pytest.param("rgw", marks=pytest.mark.rgw)])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[S3Server, set[str]]]:
    """A server, and the conditions it is known to enforce."""
    if request.param == "moto":
        yield request.getfixturevalue("moto"), {"create", "replace", "delete"}
    else:
        yield request.getfixturevalue("rgw")[0], {"create", "replace"}


def test_a_store_proves_what_its_service_does(server: tuple[S3Server, set[str]]) -> None:
    """A store of an unknown service promises nothing, then just what it proved."""
    where, known = server
    store = open_s3(where)
    before = store.capabilities
    assert not (before.create_if_absent or before.replace_if_match or before.delete_if_match)
    after = store.prove()
    assert after == store.capabilities
    assert after.create_if_absent == ("create" in known)
    assert after.replace_if_match == ("replace" in known)
    assert after.delete_if_match == ("delete" in known)
    assert list(store.entries()) == []
    store.close()
