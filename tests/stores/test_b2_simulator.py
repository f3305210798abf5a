"""The store on b2sdk's own simulator, and b2sdk's own client on the stub."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from b2sdk.v3 import (  # type: ignore[import-untyped]
    B2Api,
    InMemoryAccountInfo,
    RawSimulator,
    UploadSourceStream,
)
from b2sdk.v3.exception import (  # type: ignore[import-untyped]
    BrokenPipe,
    Conflict,
    FileSha1Mismatch,
    StorageCapExceeded,
)

from buckia.errors import PreconditionError, StoreError
from buckia.model import Entry
from buckia.stores.b2 import B2Options, B2Store
from tests.servers.b2 import B2Server, serve_b2
from tests.servers.b2_simulator import Simulation
from tests.stores.test_b2 import LARGE, put, sha1, sha256


@pytest.fixture
def simulated() -> Iterator[tuple[B2Store, RawSimulator]]:
    """A store on the simulator, whose parts have 200 bytes."""
    simulation = Simulation()
    small: dict[str, Any] = {"large_threshold": 200, "part_size": 200, "copy_limit": 200}
    options = B2Options(simulation.add_bucket(), simulation.key_id, simulation.key, **small)
    store = B2Store(options, api=simulation.api)
    yield store, simulation.raw
    store.close()


def test_the_simulator_agrees(simulated: tuple[B2Store, RawSimulator]) -> None:
    """Write, list, look, copy, replace and hide, small and large."""
    store, _ = simulated
    for key, data in (("small", b"x"), ("large", LARGE)):
        entry = put(store, key, data, sha256=sha256(data), sha1=sha1(data))
        assert entry == store.head(key)
        copied = store.copy(store, entry, key=f"copy of {key}", replacing=None)
        assert copied is not None and copied.sha256 == entry.sha256
        store.put(Entry(key, 1), io.BytesIO(b"y"), replacing=entry)
        with pytest.raises(PreconditionError):
            store.delete(entry)
        store.delete(copied)
    assert [(e.key, e.size) for e in store.entries()] == [("large", 1), ("small", 1)]


@pytest.mark.parametrize(
    ("problem", "error"),
    [(StorageCapExceeded(), "storage cap"), (FileSha1Mismatch("key"), "changed on the way")],
)
def test_the_simulator_refuses(
    simulated: tuple[B2Store, RawSimulator], problem: Exception, error: str
) -> None:
    """What trying again does not help."""
    store, raw = simulated
    raw.set_upload_errors([problem] * 2)
    with pytest.raises(StoreError, match=error):
        put(store, "key", b"x")
    assert store.head("key") is None


def test_the_simulator_fails_once(
    simulated: tuple[B2Store, RawSimulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken pipe asks for another upload URL."""
    store, raw = simulated
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    raw.set_upload_errors([BrokenPipe()])
    assert put(store, "key", b"x") == store.head("key")


def test_b2sdk_itself_works_with_the_stub() -> None:
    """What others write there with Backblaze's own client, and how they change a bucket."""
    with serve_b2(smallest_part=1000, copy_limit=1000) as server:
        work_with_b2sdk(server)


def work_with_b2sdk(server: B2Server) -> None:
    api = B2Api(InMemoryAccountInfo(), max_upload_workers=1, max_download_workers=1)
    api.authorize_account(server.master.key_id, server.master.secret, realm=server.endpoint)
    bucket = api.create_bucket("others-bucket", "allPrivate")
    bucket.upload_bytes(b"0123456789", "a/ä b", file_info={"own": "ü"})
    bucket.upload_bytes(LARGE * 20, "large")
    bucket.upload(UploadSourceStream(lambda: io.BytesIO(b"hashed last")), "stream")
    found = {version.file_name: version for version, _ in bucket.ls("", recursive=True)}
    assert found["a/ä b"].file_info == {"own": "ü"}
    assert found["stream"].content_sha1 == sha1(b"hashed last")
    assert [folder for _, folder in bucket.ls()] == ["a/", None, None]
    sink = io.BytesIO()
    bucket.download_file_by_name("a/ä b", range_=(2, 4)).save(sink)
    assert sink.getvalue() == b"234"
    bucket.hide_file("a/ä b")
    bucket.unhide_file("a/ä b")
    fresh = bucket.update(bucket_info={"x": "y"}, if_revision_is=1)
    assert fresh.bucket_info == {"x": "y"}
    with pytest.raises(Conflict):
        bucket.update(bucket_info={}, if_revision_is=1)
    api.session.raw_api.b2_http.session.close()
