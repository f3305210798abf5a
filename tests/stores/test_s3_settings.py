"""Settings of S3 buckets, on moto and on a real Ceph gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from botocore.awsrequest import AWSResponse

from buckia import settings
from buckia.errors import AccessError, PreconditionError, StoreError, UnavailableError
from buckia.stores import retry, settling
from buckia.stores.s3 import S3Store
from buckia.stores.s3_settings import ROWS
from tests.servers.s3 import S3Server
from tests.stores.conftest import open_s3
from tests.stores.makers import open_linode

DECLARED: Final[dict[str, Any]] = {
    "cors": [
        {
            "id": "pages",
            "allowed_origins": ["https://b.example", "https://a.example"],
            "allowed_methods": ["PUT", "GET"],
            "allowed_headers": ["X-B", "*", "X-a"],
            "expose_headers": ["ETag", "Content-Length"],
            "max_age_seconds": 600,
        },
        {"allowed_origins": ["*"], "allowed_methods": ["HEAD"]},
    ],
    "lifecycle": [
        {"id": "z", "prefix": "tmp/", "expire_days": 3},
        {
            "id": "tagged",
            "prefix": "l/",
            "tags": {"k": "v", "a": "b"},
            "enabled": False,
            "expire_date": "2030-01-01",
        },
        {"id": "one tag", "tags": {"k": "v"}, "expire_days": 4},
        {"id": "old", "expire_noncurrent_days": 30, "abort_multipart_days": 7},
        {"id": "markers", "prefix": "x", "expire_delete_markers": True},
    ],
    "versioning": "enabled",
    "acl": "public-read",
    "public_access_block": {"block_public_policy": True},
    "policy": {
        "Version": "2012-10-17",
        "Statement": {
            "Sid": "p",
            "Effect": "Allow",
            "Principal": {"AWS": ["*"]},
            "Action": ["s3:GetObject"],
            "Resource": ["arn:aws:s3:::BUCKET/*"],
            "Condition": {"Bool": {"aws:SecureTransport": True}},
        },
    },
    "website": {
        "index_document": "index.html",
        "error_document": "404.html",
        "routing_rules": [
            {
                "condition": {"key_prefix_equals": "a/"},
                "redirect": {"replace_key_prefix_with": "b/"},
            }
        ],
    },
    "acceleration": "enabled",
    "ownership": "object_writer",
}
OFFERED: Final = {
    "moto": {*ROWS},
    "rgw": {*ROWS} - {"website", "acceleration", "ownership"},
    "linode": {*settings.KINDS["linode"]} - {"website"},
}
"""Which settings a service has."""


CEPH: Final = [pytest.param(name, marks=pytest.mark.rgw) for name in ("rgw", "linode")]


@pytest.fixture(params=["moto", *CEPH])
def kind(request: pytest.FixtureRequest) -> str:
    """A service."""
    return str(request.param)


@pytest.fixture
def store(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[S3Store]:
    """A new bucket there."""
    server: Any = request.getfixturevalue("moto" if kind == "moto" else "rgw")
    if kind == "linode":
        request.getfixturevalue("tunnel").lead(monkeypatch)
        made = open_linode(server)
    else:
        made = open_s3(server if kind == "moto" else server[0], service="ceph")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries and second looks come at once."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    monkeypatch.setattr(settling, "_PAUSES", (0.0,) * 6)


def declared(store: S3Store) -> dict[str, Any]:
    text = json.dumps(DECLARED).replace("BUCKET", store._options.bucket)
    return settings.declared("s3", json.loads(text))


def read(store: S3Store, name: str) -> Any:
    return store.settings.read({name: None})[name]


def test_a_new_bucket_has_nothing_set(store: S3Store, kind: str) -> None:
    """And what is usual is told as such."""
    found = store.settings.read(dict.fromkeys(OFFERED[kind]))
    usual: dict[str, Any] = {"acl": "private", "public_access_block": False}
    if kind == "linode":
        usual["versioning"] = "enabled"  # by whoever made it
    known = {name: value for name, value in usual.items() if name in OFFERED[kind]}
    assert found == {**dict.fromkeys(OFFERED[kind]), **known}


def test_what_is_set_is_told_and_what_is_removed_is_gone(store: S3Store, kind: str) -> None:
    """Each by itself, in every form a service gives it back; the bucket stays."""
    wanted = declared(store)
    for name in sorted(OFFERED[kind], key=lambda name: settings.rank(name, wanted[name])):
        now = read(store, name)
        store.settings.configure(name, wanted[name], expect=now)
        assert read(store, name) == wanted[name]
        store.settings.configure(name, wanted[name], expect=now)  # done twice is done once
    for name in OFFERED[kind]:
        if settings.KINDS["s3"][name].removable:
            store.settings.configure(name, None, expect=wanted[name])
            assert read(store, name) is None
            store.settings.configure(name, None, expect=wanted[name])
    assert store.head("any") is None


def test_another_acl_than_one_with_a_name(store: S3Store) -> None:
    """Grants for somebody in particular."""
    grants = settings.declared(
        "s3",
        {
            "acl": [
                {"group": "authenticated_users", "permission": "read_acp"},
                {"group": "everyone", "permission": "read"},
            ]
        },
    )["acl"]
    store.settings.configure("acl", grants, expect="private")
    assert read(store, "acl") == grants


def test_a_setting_that_is_not_what_was_reviewed_stays(store: S3Store) -> None:
    """Looked at right before it would be set or removed."""
    wanted = declared(store)
    store.settings.configure("cors", wanted["cors"], expect=None)
    for document in ([wanted["cors"][0]], None):
        with pytest.raises(PreconditionError, match="not what was reviewed"):
            store.settings.configure("cors", document, expect=[wanted["cors"][1]])
    assert read(store, "cors") == wanted["cors"]


@pytest.mark.rgw
def test_what_a_service_drops_is_told(rgw: tuple[S3Server, S3Server]) -> None:
    """Ceph takes how many versions to keep, and forgets it: every plan would find it again."""
    store = open_s3(rgw[0], service="ceph")
    rules: Any = [{"id": "a", "expire_noncurrent_days": 30, "keep_noncurrent": 2}]
    with pytest.raises(StoreError, match="keeps it otherwise than it was sent"):
        store.settings.configure("lifecycle", rules, expect=None)
    store.close()


@pytest.mark.rgw
@pytest.mark.parametrize("name", ["website", "acceleration", "ownership"])
def test_what_a_service_does_not_have_is_told_and_the_bucket_stays(
    rgw: tuple[S3Server, S3Server], name: str
) -> None:
    """An older Ceph takes a request about a setting it does not know for one about the bucket."""
    store = open_s3(rgw[0], service="ceph")
    with pytest.raises(StoreError, match=r"does not offer it|in this form"):
        store.settings.configure(name, declared(store)[name], expect=None)
    with pytest.raises(StoreError):
        store.settings.configure("website", None, expect={"index_document": "a"})
    assert list(store.entries()) == []
    store.close()


# -- what a service may answer ---------------------------------------------------------------------


class Service:
    """Answers instead of moto; `asked` are the operations it was asked for, in order."""

    def __init__(self, store: S3Store) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, list[tuple[int, str]]] = {}
        self.headers: dict[str, dict[str, str]] = {}
        events: Any = store._session.client.meta.events
        events.register_first("before-send.s3", self._answer)

    def _answer(self, request: Any, event_name: str = "", **_: object) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        self.asked.append(operation)
        self.headers[operation] = {
            name.lower(): value.decode() if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        waiting = self.answers.get(operation)
        if not waiting:
            return None
        status, code = waiting.pop(0)
        body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        return AWSResponse(request.url, status, {}, _Raw(body))  # type: ignore[arg-type]


class _Raw:
    """A body as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self._body


@pytest.fixture
def aws(moto: S3Server) -> Iterator[S3Store]:
    """A bucket whose service can be made to refuse."""
    made = open_s3(moto, service="aws", addressing="path")
    yield made
    made.close()


@pytest.mark.parametrize("name", ROWS)
def test_a_missing_right_is_named(aws: S3Store, name: str) -> None:
    """The one to read, the one to set; other settings are read all the same."""
    service = Service(aws)
    other = "versioning" if name != "versioning" else "cors"
    operation = _reads(aws, service, name)
    service.answers[operation] = [(403, "AccessDenied")]
    found = aws.settings.read({name: None, other: None})
    assert isinstance(found[name], AccessError)
    assert f"needs s3:{ROWS[name].rights[0]}" in str(found[name])
    assert found[other] is None


def _reads(store: S3Store, service: Service, name: str) -> str:
    read(store, name)
    return service.asked[-1]


def test_a_missing_right_to_set_is_named(aws: S3Store) -> None:
    """With what else may forbid it."""
    service = Service(aws)
    service.answers["PutBucketPolicy"] = [(403, "AccessDenied")]
    with pytest.raises(AccessError, match="needs s3:PutBucketPolicy, unless `public_access_block`"):
        aws.settings.configure("policy", declared(aws)["policy"], expect=None)


@pytest.mark.parametrize(
    ("name", "operation", "code", "words"),
    [
        ("acl", "PutBucketAcl", "AccessControlListNotSupported", "set `ownership` as well"),
        ("policy", "PutBucketPolicy", "MalformedPolicy", "finds the policy malformed"),
        ("website", "PutBucketWebsite", "NotImplemented", "take it out of `settings`"),
    ],
)
def test_refusals_say_what_to_do(
    aws: S3Store, name: str, operation: str, code: str, words: str
) -> None:
    """In words about the setting."""
    service = Service(aws)
    service.answers[operation] = [(400, code)]
    with pytest.raises(StoreError, match=words):
        aws.settings.configure(name, declared(aws)[name], expect=read(aws, name))


def test_linode_says_where_cors_rules_are_refused(moto: S3Server) -> None:
    """Its newer endpoints take none."""
    store = open_s3(moto, service="linode", addressing="path")
    service = Service(store)
    service.answers["PutBucketCors"] = [(400, "InvalidRequest")]
    with pytest.raises(StoreError, match="E2, E3"):
        store.settings.configure("cors", declared(store)["cors"], expect=None)
    assert set(store.settings.names()) == set(settings.KINDS["linode"])
    store.close()


def test_a_busy_service_is_asked_again(aws: S3Store) -> None:
    """Amazon answers so while another setting of the bucket is being set."""
    service = Service(aws)
    service.answers["PutBucketCors"] = [(409, "OperationAborted"), (503, "SlowDown")]
    aws.settings.configure("cors", declared(aws)["cors"], expect=None)
    assert service.asked.count("PutBucketCors") == 3
    service.answers["GetBucketCors"] = [(503, "SlowDown")] * 9
    with pytest.raises(UnavailableError):
        aws.settings.read({"cors": None})


def test_a_missing_bucket_is_no_setting(aws: S3Store, moto: S3Server) -> None:
    """Nothing is told of it at all."""
    moto.client.delete_bucket(Bucket=aws._options.bucket)
    with pytest.raises(StoreError, match="no such bucket"):
        aws.settings.read({"cors": None})


def test_nothing_is_removed_that_was_not_told(aws: S3Store) -> None:
    """A server that does not know `?website` may take DELETE for the bucket."""
    service = Service(aws)
    aws.settings.configure("website", None, expect=None)
    with pytest.raises(PreconditionError):
        aws.settings.configure("website", [], expect={"index_document": "a"})
    assert set(service.asked) == {"GetBucketWebsite"}


def test_settings_are_sent_with_an_md5(aws: S3Store) -> None:
    """Every service takes it; a CRC32 some refuse."""
    service = Service(aws)
    wanted = declared(aws)
    for name in ROWS:
        aws.settings.configure(name, wanted[name], expect=read(aws, name))
    sent = {op: headers for op, headers in service.headers.items() if op.startswith("Put")}
    assert len(sent) == len(ROWS)
    for operation, headers in sent.items():
        assert "content-md5" in headers, operation
        assert not any("checksum" in name for name in headers), operation


def test_a_setting_that_does_not_show_yet_is_looked_at_again(
    aws: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Amazon's settings take a moment; one that never shows is an error."""
    wanted = declared(aws)["versioning"]
    looks = iter([None, None, None, wanted])
    monkeypatch.setattr(aws.settings, "_read", lambda name: next(looks))
    aws.settings.configure("versioning", wanted, expect=None)
    assert list(looks) == []
    monkeypatch.setattr(aws.settings, "_read", lambda name: None)
    with pytest.raises(UnavailableError, match="does not show yet"):
        aws.settings.configure("versioning", wanted, expect=None)


def test_the_least_size_of_a_transition_stays(aws: S3Store) -> None:
    """It is no part of the rules, and Amazon would set it to its default."""
    events = aws._session.client.meta.events
    wanted = declared(aws)["lifecycle"]
    aws.settings.configure("lifecycle", wanted[:1], expect=None)
    sent: list[Any] = []
    name, old = "TransitionDefaultMinimumObjectSize", "varies_by_storage_class"
    events.register(
        "after-call.s3.GetBucketLifecycleConfiguration",
        lambda parsed, **_: parsed.update({name: old}),
    )
    events.register(
        "before-parameter-build.s3.PutBucketLifecycleConfiguration",
        lambda params, **_: sent.append(params[name]),
    )
    aws.settings.configure("lifecycle", wanted, expect=wanted[:1])
    assert sent == [old]
