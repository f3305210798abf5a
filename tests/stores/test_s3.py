"""What is special about S3 stores: services, addressing, prefixes, parts, metadata."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from buckia import lockfile, rules
from buckia.errors import ConfigError, IntegrityError, PreconditionError
from buckia.lease import note as lease_note
from buckia.model import Entry
from buckia.stores import STORES, load_store
from buckia.stores.s3 import S3Options, S3Store
from buckia.stores.s3_services import SERVICES, Conditions, absolute, bucket_in_host, find_service
from tests.servers.lying_s3 import EPOCH, Answer, Request, error, serve_lies
from tests.servers.s3 import S3Server
from tests.stores.conftest import SMALLEST_PART, open_s3

LARGE = bytes(SMALLEST_PART * 2 + 1)
KEYS: dict[str, Any] = {"access_key_id": "access", "secret_access_key": "secret"}


@pytest.fixture(params=["moto", pytest.param("rgw", marks=pytest.mark.rgw)])
def server(request: pytest.FixtureRequest) -> S3Server:
    """moto, or a real gateway."""
    found = request.getfixturevalue(request.param)
    return found if isinstance(found, S3Server) else found[0]


@pytest.fixture
def store(server: S3Server) -> Iterator[S3Store]:
    """A store on a new bucket that looks before it writes."""
    store = open_s3(server)
    yield store
    store.close()


def put(store: S3Store, key: str, data: bytes, **announced: Any) -> Entry:
    entry = Entry(key, len(data), **announced)
    return store.put(entry, io.BytesIO(data), replacing=None)


@pytest.mark.parametrize(
    ("endpoint", "service"),
    [
        (None, "aws"),
        ("https://s3.amazonaws.com", "aws"),
        ("https://s3.eu-west-1.amazonaws.com", "aws"),
        ("https://s3.dualstack.eu-west-1.amazonaws.com", "aws"),
        ("https://us-east-1.linodeobjects.com", "linode"),
        ("https://nyc3.digitaloceanspaces.com", "spaces"),
        ("https://0123abcd.r2.cloudflarestorage.com", "r2"),
        ("https://s3.eu-central-1.wasabisys.com", "wasabi"),
        ("https://minio.example.com:9000", "generic"),
        ("https://s3.amazonaws.com.example.com", "generic"),
        ("http://127.0.0.1:9000", "generic"),
    ],
)
def test_a_service_is_known_by_its_host(endpoint: str | None, service: str) -> None:
    """The host decides which row counts; a stranger promises nothing."""
    assert find_service(None, endpoint).name == service


def test_an_unknown_service_promises_nothing() -> None:
    """What was not measured or documented is not relied on."""
    promised = {row.name for row in SERVICES if row.conditions != Conditions()}
    assert promised == {"aws", "r2", "minio", "ceph"}


@pytest.mark.parametrize(
    ("endpoint", "bucket", "in_host"),
    [
        ("https://s3.eu-west-1.amazonaws.com", "photos", True),
        ("https://s3.eu-west-1.amazonaws.com", "photos.example.com", False),
        ("https://s3.eu-west-1.amazonaws.com", "Photos", False),
        ("https://nl-ams-1.linodeobjects.com", "photos", True),
        ("https://minio.example.com", "photos", False),
        ("http://localhost:9000", "photos", False),
        ("http://127.0.0.1:9000", "photos", False),
        ("http://[::1]:9000", "photos", False),
    ],
)
def test_the_bucket_is_in_the_host_where_that_works(
    endpoint: str, bucket: str, in_host: bool
) -> None:
    """Virtual hosts only where DNS and certificates allow them."""
    assert bucket_in_host(find_service(None, endpoint), endpoint, bucket) is in_host


def test_a_host_means_https() -> None:
    """A bare host is reached by https; a URL is taken as it is."""
    assert absolute("nl-ams-1.linodeobjects.com") == "https://nl-ams-1.linodeobjects.com"
    assert absolute("http://127.0.0.1:9000/") == "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("options", "url"),
    [
        (
            S3Options("photos", service="linode", region="nl-ams-1", **KEYS),
            "https://photos.nl-ams-1.linodeobjects.com/a%20b/%C3%A9",
        ),
        (
            S3Options("photos", region="eu-west-1", **KEYS),
            "https://photos.s3.eu-west-1.amazonaws.com/a%20b/%C3%A9",
        ),
        (
            S3Options("photos", region="eu-west-1", addressing="path", **KEYS),
            "https://s3.eu-west-1.amazonaws.com/photos/a%20b/%C3%A9",
        ),
        (
            S3Options("photos", endpoint="minio.example.com:9000", prefix="x/", **KEYS),
            "https://minio.example.com:9000/photos/x/a%20b/%C3%A9",
        ),
    ],
)
def test_objects_have_a_url(options: S3Options, url: str) -> None:
    """Endpoint, region and addressing make the address, without any request."""
    store = S3Store(options)
    assert store.public_url("a b/é") == url
    store.close()


@pytest.mark.parametrize(
    "options",
    [
        S3Options("photos", service="nobody", region="x", **KEYS),
        S3Options("photos", endpoint="http://not a host", region="x", **KEYS),
    ],
)
def test_nonsense_is_a_configuration_error(options: S3Options) -> None:
    """A service or endpoint that cannot be is said before any request."""
    with pytest.raises(ConfigError):
        S3Store(options)


def test_a_prefix_is_invisible(server: S3Server) -> None:
    """A store below a prefix sees and touches nothing outside, and does not show the prefix."""
    whole = open_s3(server)
    part = S3Store(
        S3Options(
            whole.url.removeprefix("s3://"),
            endpoint=server.endpoint,
            region="us-east-1",
            access_key_id=server.access_key,
            secret_access_key=server.secret_key,
            prefix="site/",
        )
    )
    put(whole, "other", b"x")
    entry = put(part, "a//b", b"y")
    assert [found.key for found in part.entries()] == ["a//b"]
    assert sorted(found.key for found in whole.entries()) == ["other", "site/a//b"]
    assert part.copy(part, entry, key="c", replacing=None) is not None
    assert part.copy(whole, put(whole, "d", b"z"), key="e", replacing=None) is not None
    part.delete(entry)
    assert sorted(found.key for found in whole.entries()) == ["d", "other", "site/c", "site/e"]
    assert part.url == f"{whole.url}/site"
    for store in (whole, part):
        store.close()


@pytest.mark.parametrize("data", [b"content", LARGE], ids=["small", "large"])
def test_head_knows_the_sha256(store: S3Store, data: bytes) -> None:
    """The digest travels with the object, through a copy as well."""
    digest = hashlib.sha256(data).hexdigest()
    entry = put(store, "key", data, sha256=digest, type="text/plain")
    found = store.head("key")
    assert found is not None
    assert (found.sha256, found.type) == (digest, "text/plain")
    copied = store.copy(store, entry, key="copy", replacing=None)
    assert copied is not None
    assert (copied.sha256, copied.type) == (digest, "text/plain")


def test_objects_of_others_have_no_sha256(server: S3Server, store: S3Store) -> None:
    """Metadata that is no digest is not taken for one; an ETag of parts is not an md5."""
    bucket = store.url.removeprefix("s3://")
    server.client.put_object(Bucket=bucket, Key="a", Body=b"x", Metadata={"sha256": "no"})
    put(store, "b", LARGE)
    for key in ("a", "b"):
        found = store.head(key)
        assert found is not None
        assert found.sha256 is None
    assert [entry.md5 for entry in store.entries()] == [hashlib.md5(b"x").hexdigest(), None]


@pytest.mark.parametrize("lie", [{"sha256": "0" * 64}, {"md5": "0" * 32}])
def test_a_refused_upload_leaves_no_parts(
    server: S3Server, store: S3Store, lie: dict[str, str]
) -> None:
    """Parts of an upload that is refused are not left to be paid for."""
    with pytest.raises(IntegrityError):
        put(store, "key", LARGE, **lie)
    bucket = store.url.removeprefix("s3://")
    assert "Uploads" not in server.client.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("key", [lockfile.BUCKET_KEY, lease_note.KEY])
def test_a_document_is_written_under_its_condition_however_large(
    server: S3Server, key: str
) -> None:
    """Somebody writes it while ours travels: the service itself refuses ours. One sent in parts
    would overwrite it at a gateway that ignores the condition of the last request."""
    store = open_s3(server, service="ceph")
    bucket = store.url.removeprefix("s3://")

    class Overtaken(io.BytesIO):
        """A body on whose way, after every look, somebody else is quicker."""

        def read(self, size: int | None = -1) -> bytes:
            if not self.tell():
                server.client.put_object(Bucket=bucket, Key=key, Body=b"theirs")
            return super().read(size)

    entry = Entry(key, len(LARGE))
    with pytest.raises(PreconditionError):
        store.put(entry, Overtaken(LARGE), replacing=None)
    server.client.put_object(Bucket=bucket, Key=key, Body=b"before")
    with pytest.raises(PreconditionError):
        store.put(entry, Overtaken(LARGE), replacing=store.head(key))
    theirs = store.head(key)
    assert theirs and theirs.md5 == hashlib.md5(b"theirs").hexdigest()
    stored = store.put(entry, io.BytesIO(LARGE), replacing=theirs)
    assert stored.version == hashlib.md5(LARGE).hexdigest()
    assert not rules.is_document(f"{key}/x") and not rules.is_document(f"x/{key}")
    store.close()


def test_two_services_do_not_copy(store: S3Store) -> None:
    """Other credentials or another endpoint: the bytes have to pass through here."""
    entry = put(store, "key", b"x")
    with serve_lies(lambda request: error(500, "InternalError")) as liar:
        other = S3Store(S3Options("bucket", endpoint=liar.endpoint, region="x", **KEYS))
        assert other.copy(store, entry, key="key", replacing=None) is None
        assert liar.asked == []
        other.close()


ALL = Conditions(create=True, replace=True, delete=True, complete=True, copy=True, source=True)


def multipart(request: Request) -> Answer:
    """A service that takes uploads in parts and keeps nothing."""
    if request.method == "HEAD":
        return Answer(404)
    if request.method == "POST" and "uploads" in request.query:
        return Answer(body=b"<R><UploadId>u</UploadId></R>")
    if request.method == "POST":
        return error(412, "PreconditionFailed")
    return Answer(200 if request.method == "PUT" else 204, headers={"ETag": '"e"'})


def test_an_upload_in_parts_is_completed_under_its_condition() -> None:
    """Where the service checks conditions on completion they are sent, and a refusal cleans up."""
    with serve_lies(multipart) as liar:
        store = S3Store(
            S3Options(
                "bucket",
                endpoint=liar.endpoint,
                region="x",
                conditions=ALL,
                multipart_threshold=1,
                part_size=SMALLEST_PART,
                **KEYS,
            )
        )
        with pytest.raises(PreconditionError):
            put(store, "key", LARGE)
        store.close()
    completed, aborted = liar.asked[-2:]
    assert completed.headers["if-none-match"] == "*"
    assert (aborted.method, aborted.query) == ("DELETE", {"uploadId": "u"})
    parts = {
        request.query["partNumber"]: request.headers["x-amz-content-sha256"]
        for request in liar.asked
        if request.method == "PUT"
    }
    pieces = [LARGE[start : start + SMALLEST_PART] for start in range(0, len(LARGE), SMALLEST_PART)]
    assert parts == {
        str(number): hashlib.sha256(piece).hexdigest() for number, piece in enumerate(pieces, 1)
    }


def test_parts_are_sent_at_the_same_time() -> None:
    """Three of them: none is answered before all three have come."""
    together = threading.Barrier(3, timeout=30)

    def script(request: Request) -> Answer:
        if request.method == "PUT":
            together.wait()
        return multipart(request)

    with serve_lies(script) as liar:
        store = S3Store(
            S3Options(
                "bucket",
                endpoint=liar.endpoint,
                region="x",
                conditions=ALL,
                multipart_threshold=1,
                part_size=SMALLEST_PART,
                **KEYS,
            )
        )
        with pytest.raises(PreconditionError):  # all that this service says to the last request
            put(store, "key", LARGE)
        store.close()
    assert not together.broken
    assert sum(request.method == "PUT" for request in liar.asked) == 3


def test_an_upload_in_parts_recognises_its_own_completion() -> None:
    """A completion whose answer was lost is found to have worked."""
    digest = hashlib.sha256(LARGE).hexdigest()
    completions: list[Request] = []

    def script(request: Request) -> Answer:
        if request.method == "HEAD" and completions:
            headers = {"ETag": '"e-3"', "Last-Modified": EPOCH, "x-amz-meta-sha256": digest}
            return Answer(headers={**headers, "Content-Length": str(len(LARGE))})
        if request.method == "POST" and "uploadId" in request.query:
            completions.append(request)
            return Answer(cut=0) if len(completions) == 1 else error(412, "PreconditionFailed")
        return multipart(request)

    with serve_lies(script) as liar:
        store = S3Store(
            S3Options(
                "bucket",
                endpoint=liar.endpoint,
                region="x",
                conditions=ALL,
                multipart_threshold=1,
                **KEYS,
            )
        )
        assert put(store, "key", LARGE, sha256=digest).version == "e-3"
        store.close()
    assert not any(request.method == "DELETE" for request in liar.asked)


@pytest.mark.parametrize("provider", STORES)
def test_every_provider_has_its_store(provider: str) -> None:
    """The table names classes that exist."""
    assert load_store(provider).__name__.endswith("Store")


def test_an_unknown_provider_is_a_configuration_error() -> None:
    """A provider that is not in the table is said to be unknown."""
    with pytest.raises(ConfigError, match="no such provider"):
        load_store("nobody")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is said when a provider's package is missing."""

    def fail(name: str) -> None:
        raise ModuleNotFoundError(name="botocore")

    monkeypatch.setattr("buckia.stores.import_module", fail)
    with pytest.raises(ConfigError, match=r'botocore is missing; pip install "buckia\[s3\]"'):
        load_store("s3")
