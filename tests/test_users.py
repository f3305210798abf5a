"""A bucket with the folders of 50,000 users: what is done for one of them is asked of that one."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import WSGIRequestHandler, make_server

from buckia.config import BucketConfig, Config
from buckia.project import Project
from buckia.rules import Overrides
from tests.servers.s3 import S3Server

USERS: Final = 50_000
MOVING, STAYING = "8yKq2ZtV9cXw4Rb8LpHs3N", "Zr7Tt0aVwq3mB5nC1xYd9E"


def files(user: str) -> dict[str, bytes]:
    """What a user has."""
    photos = {f"{user}/photos/{n}.jpg": b"photo %d" % n for n in range(10)}
    return {**photos, f"{user}/App.sqlite": b"rows"}


class Book:
    """A WSGI application in front of another that writes down what is asked of it."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self.asked: list[tuple[str, str, str]] = []

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        _, bucket, key = f"{unquote(environ['PATH_INFO'])}//".split("/", 2)
        query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
        about = query.get("prefix", [""])[0] if "list-type" in query else key.rstrip("/")
        verb = "LIST" if "list-type" in query else environ["REQUEST_METHOD"]
        self.asked.append((verb, bucket, about or next(iter(query), "")))
        return self._app(environ, start)


@contextmanager
def serve() -> Iterator[tuple[S3Server, Book]]:
    """moto with a book."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WSGIRequestHandler, "protocol_version", "HTTP/1.1")
        book = Book(DomainDispatcherApplication(create_backend_app))
        server = make_server("127.0.0.1", 0, book, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield S3Server(f"http://127.0.0.1:{server.server_port}", "access", "secret"), book
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Config, Book, Any]]:
    """Two tiers, the first with everybody in it; what was asked so far is forgotten."""
    tmp_path = tmp_path_factory.mktemp("crowd")
    with serve() as (server, book):
        buckets = {}
        for name in ("common", "premium"):
            (tmp_path / name).mkdir()
            buckets[name] = BucketConfig(
                name=name,
                provider="s3",
                bucket_name=server.make_bucket(),
                domain=server.endpoint,
                region="us-east-1",
                paths=[f"{name}/"],
                delete_orphaned=True,
                credentials={
                    "access_key_id": server.access_key,
                    "secret_access_key": server.secret_key,
                },
            )
        backend = s3_backends["123456789012"]["aws"]
        for number in range(USERS):
            backend.put_object(buckets["common"].bucket_name, f"user-{number:05}/App.sqlite", b"x")
        for key, data in (files(MOVING) | files(STAYING)).items():
            backend.put_object(buckets["common"].bucket_name, key, data)
        book.asked.clear()
        yield Config(tmp_path, None, buckets), book, backend


def keys(backend: Any, bucket: BucketConfig) -> set[str]:
    return set(backend.buckets[bucket.bucket_name].keys)


def told(book: Book, user: str, what: str) -> Counter[str]:
    """How many requests there were of each kind, and that none was about another user."""
    counts = Counter(verb for verb, _, _ in book.asked)
    print(f"{what}: {sum(counts.values())} requests, {json.dumps(counts, sort_keys=True)}")
    about = {item for _, _, item in book.asked}
    strangers = {item for item in about if not item.startswith((user, ".buckia/"))}
    assert strangers <= {"versioning"}, strangers
    book.asked.clear()
    return counts


def test_one_of_many_users_changes_tier(crowd: tuple[Config, Book, Any]) -> None:
    """Only that user's keys are listed and touched; everybody else is where they were."""
    config, book, backend = crowd
    common, premium = config.buckets["common"], config.buckets["premium"]
    others = keys(backend, common) - files(MOVING).keys()
    with Project(config) as project:
        plan = project.promote(
            MOVING, "common", ["premium"], move=True, overrides=Overrides(allow_drift="common")
        )
    assert told(book, MOVING, "plan of a move")["LIST"] == 2
    with Project(config) as project:
        assert not project.apply(plan).failed
        used = project.remote("common").traffic.usage, project.remote("premium").traffic.usage
    counts = told(book, MOVING, f"move of {len(files(MOVING))} files")
    print(f"through this machine: {sum(one.received + one.sent for one in used)} bytes of leases")
    assert counts["DELETE"] >= len(files(MOVING))
    assert {key for key in keys(backend, premium) if not key.startswith(".buckia/")} == set(
        files(MOVING)
    )
    assert {key for key in keys(backend, common) if not key.startswith(".buckia/")} == others


def test_one_of_many_users_is_planned_alone(crowd: tuple[Config, Book, Any]) -> None:
    """`--paths` lists what it names; applying the plan does no more."""
    config, book, backend = crowd
    (config.root / "common" / STAYING).mkdir()
    (config.root / "common" / STAYING / "new.txt").write_text("new")
    with Project(config) as project:
        plan = project.plan(["common"], paths=[f"{STAYING}/"])
    assert told(book, STAYING, "plan of one folder")["LIST"] == 1
    with Project(config) as project:
        assert not project.apply(plan).failed
    told(book, STAYING, "apply of one folder")
    assert f"{STAYING}/new.txt" in keys(backend, config.buckets["common"])
    here = {path.name for path in (config.root / "common" / STAYING / "photos").iterdir()}
    assert here == {f"{n}.jpg" for n in range(10)}
