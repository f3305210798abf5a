"""`doctor --probe` tells the true differences between services, and leaves nothing behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from buckia import BucketConfig
from buckia.config import Config
from buckia.errors import Interrupted
from buckia.model import Entry
from buckia.project import Project
from buckia.runs.doctor import Check, Report, State
from buckia.runs.doctor.findings import exit_code
from buckia.stores import bunny_core
from buckia.stores.base import Store
from buckia.stores.memory import MemoryStore
from buckia.stores.probe import Verdict
from tests.servers.b2 import B2Server
from tests.servers.bunny import Bunny
from tests.servers.lying_s3 import serve_lies
from tests.servers.mannered_s3 import MannerlyS3
from tests.servers.s3 import S3Server

ALL = frozenset({"create", "replace", "delete", "complete", "copy", "source"})
PERMISSIONS = ("write", "read", "list", "names", "replace", "copy", "delete", "scratch")

Told = dict[str, Check]


@dataclass(frozen=True)
class Expected:
    """What is to be told of a service.

    enforced  conditions the service keeps; `other` names those it treats in another way than
              ignoring them
    states    checks that do not end `ok`
    values    what some checks found
    missing   checks that there are none of
    advice    what the check `conditions` says to write; None for nothing
    code      the exit code
    """

    enforced: frozenset[str] = frozenset()
    other: dict[str, str] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ("parts", "versioning")
    advice: str | None = None
    code: int = 0

    @property
    def verdicts(self) -> dict[str, str]:
        names = ALL if self.enforced | self.other.keys() else frozenset()
        kept = dict.fromkeys(self.enforced, "enforced")
        return {name: (self.other | kept).get(name, "ignored") for name in names}


NOTE, BAD = State.NOTE, State.BAD

EXPECTED: dict[str, Expected] = {
    "memory": Expected(values={"list": "sha256, md5, sha1"}, missing=("checksum", "parts")),
    "local": Expected(values={"list": "sha256"}, missing=("checksum", "parts", "endpoint")),
    "moto": Expected(
        enforced=frozenset({"create", "replace", "delete"}),
        states={"conditions": NOTE, "checksum": NOTE},
        values={"list": "md5", "checksum": "ignored"},
        missing=(),
        advice="conditions: [create, replace, delete]",
    ),
    "rgw": Expected(
        enforced=frozenset({"create", "replace"}),
        states={"conditions": NOTE},
        values={"list": "md5", "checksum": "enforced"},
        missing=(),
        advice="conditions: [create, replace]",
    ),
    "rgw as it is declared": Expected(
        enforced=frozenset({"create", "replace"}), values={"checksum": "enforced"}, missing=()
    ),
    "linode": Expected(
        enforced=frozenset({"create", "replace", "source"}),
        states={"conditions": NOTE},
        missing=(),
        advice="conditions: [create, replace, source]",
    ),
    "b2": Expected(
        values={"list": "sha256, sha1", "checksum": "enforced"}, missing=("versioning",)
    ),
    "b2 by a key that only reads": Expected(
        states={"write": BAD, "others": State.UNTRIED}, missing=("read", "delete", "parts"), code=8
    ),
    "b2 by a key that may not delete for good": Expected(
        states={"scratch": NOTE, "share": NOTE}, missing=("versioning",)
    ),
    "bunny": Expected(values={"list": "sha256", "checksum": "enforced"}),
    "bunny that takes what it does not store": Expected(values={"checksum": "enforced"}),
    "bunny by the password that only reads": Expected(
        states={"write": BAD, "others": State.UNTRIED}, missing=("read", "delete"), code=8
    ),
    "perfect": Expected(enforced=ALL, values={"checksum": "enforced"}, missing=()),
    "careless": Expected(
        other={"create": "ignored"},
        states={"conditions": BAD, "metadata": NOTE, "checksum": NOTE}
        | {f"if {name}": BAD for name in ALL}
        | {"replace": BAD},
        values={"checksum": "ignored"},
        missing=(),
        advice="conditions: []",
        code=1,
    ),
    "inverted": Expected(
        enforced=ALL - {"replace", "delete"},
        other={"replace": "inverted", "delete": "inverted"},
        states=dict.fromkeys(("if replace", "if delete", "conditions", "replace", "delete"), BAD),
        missing=(),
        advice="conditions: [create, complete, copy, source]",
        code=8,
    ),
    "racy": Expected(
        enforced=ALL - {"create", "replace"},
        other={"create": "racy", "replace": "racy"},
        states={"conditions": BAD, "if create": BAD, "if replace": BAD},
        missing=(),
        advice="conditions: [delete, complete, copy, source]",
        code=1,
    ),
    "refusing": Expected(
        enforced=frozenset({"create", "replace", "delete", "source"}),
        other={"complete": "refused", "copy": "refused"},
        states={"conditions": NOTE},
        missing=(),
        advice="conditions: [create, replace, delete, source]",
    ),
}
"""By what is examined; services of `rgw` and `linode` are one real Ceph gateway."""

MANNERS: dict[str, dict[str, Any]] = {
    "perfect": {},
    "careless": {
        "manners": dict.fromkeys(ALL, Verdict.IGNORED),
        "checks": False,
        "keeps": False,
    },
    "inverted": {"manners": {"replace": Verdict.INVERTED, "delete": Verdict.INVERTED}},
    "racy": {"manners": {"create": Verdict.RACY, "replace": Verdict.RACY}},
    "refusing": {"manners": {"complete": Verdict.REFUSED, "copy": Verdict.REFUSED}},
}

DECLARED: dict[str, list[str] | None] = {
    "perfect": sorted(ALL),
    "careless": sorted(ALL),
    "inverted": sorted(ALL),
    "racy": sorted(ALL),
    "rgw as it is declared": ["create", "replace"],
}
"""What the configuration says that the service enforces."""

NEEDS_GATEWAY = ("rgw", "rgw as it is declared", "linode")
CASES = [
    pytest.param(name, marks=pytest.mark.rgw if name in NEEDS_GATEWAY else ()) for name in EXPECTED
]


def s3(server: S3Server, bucket: str, name: str, provider: str = "s3") -> BucketConfig:
    return BucketConfig(
        provider=provider,
        bucket_name=bucket,
        name="main",
        domain=server.endpoint,
        region="us-east-1",
        api_key=server.access_key,
        password=server.secret_key,
        conditions=DECLARED.get(name),
    )


def b2_bucket(server: B2Server, **less: Any) -> BucketConfig:
    key = server.add_key(**less) if less else server.master
    return BucketConfig(
        provider="b2",
        bucket_name=server.add_bucket().name,
        name="main",
        domain=server.endpoint,
        api_key=key.key_id,
        password=key.secret,
    )


def bunny_bucket(server: Bunny, *, reading: bool = False) -> BucketConfig:
    zone = server.make_zone()
    return BucketConfig(
        provider="bunny",
        bucket_name=zone.name,
        name="main",
        domain=server.endpoint,
        storage_api_key=zone.read_only if reading else zone.password,
    )


@contextmanager
def opened(
    name: str, request: pytest.FixtureRequest, folder: Path
) -> Iterator[tuple[Project, MannerlyS3 | None]]:
    """A project with the bucket that a name stands for."""
    stores: dict[str, Store] = {}
    mannered: MannerlyS3 | None = None
    with ExitStack() as stack:
        if name in ("memory", "local"):
            (folder / "bucket").mkdir()
            (folder / "tree").mkdir()
            bucket = BucketConfig(
                provider="local", bucket_name="bucket", name="main", paths=["tree/"]
            )
            stores = {"main": MemoryStore()} if name == "memory" else {}
        elif name.startswith("b2"):
            server = request.getfixturevalue("b2")
            less = {
                "b2": {},
                "b2 by a key that only reads": {
                    "capabilities": frozenset({"listBuckets", "listFiles", "readFiles"})
                },
                "b2 by a key that may not delete for good": {
                    "capabilities": server.master.capabilities - {"deleteFiles", "shareFiles"}
                },
            }[name]
            bucket = b2_bucket(server, **less)
        elif name.startswith("bunny"):
            server = request.getfixturevalue("bunny")
            server.switches.mismatch = 201 if "takes" in name else 400
            bucket = bunny_bucket(server, reading="reads" in name)
        elif name in MANNERS:
            mannered = MannerlyS3(**MANNERS[name])
            served = stack.enter_context(serve_lies(mannered))
            bucket = s3(served, "bucket", name)
        else:
            gateway = "moto" if name == "moto" else "rgw"
            found = request.getfixturevalue(gateway)
            server = found if name == "moto" else found[0]
            provider = "linode" if name == "linode" else "s3"
            bucket = s3(server, server.make_bucket(), name, provider)
        config = Config(folder, None, {"main": bucket})
        yield stack.enter_context(Project(config, stores=stores)), mannered


def vars_of(bucket: BucketConfig) -> dict[str, Any]:
    """The options of a bucket, to make another one with."""
    names = ("provider", "bucket_name", "name", "domain", "region", "api_key", "password")
    return {name: getattr(bucket, name) for name in names}


def examined(project: Project) -> tuple[list[Report], Told]:
    reports = list(project.examine(probing=True))
    return reports, {check.name: check for check in reports[-1].checks}


@pytest.mark.parametrize("name", CASES)
def test_what_is_true_of_a_service_is_told(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Permissions one by one, conditions, checksums, what a listing tells, and what to do."""
    expected = EXPECTED[name]
    with opened(name, request, tmp_path) as (project, mannered):
        reports, told = examined(project)
        store = project.remote("main")
        left = [entry.key for entry in store.entries()]
        again = project.plan(["main"], told=False)
    verdicts = {key[3:]: c.value for key, c in told.items() if c.name.startswith("if ")}
    if name not in ("memory", "local"):
        assert verdicts == expected.verdicts
    odd = {check.name: check.state for check in told.values() if check.state is not State.OK}
    assert odd == expected.states
    assert {n: told[n].value for n in expected.values} == expected.values
    assert not set(expected.missing) & told.keys()
    advice = told["conditions"].advice if "conditions" in told else None
    assert (advice or "") == (f"in `.buckia`: `{expected.advice}`" if expected.advice else "")
    assert exit_code(reports) == expected.code
    assert left == [] and not again.warnings
    if mannered:
        assert (mannered.objects, mannered.uploads) == ({}, {})


@pytest.mark.parametrize("right", [True, False])
def test_the_pull_zone_is_looked_up(
    right: bool, bunny: Bunny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the account's key; without it what is served stays as it was."""
    monkeypatch.setattr(bunny_core, "CORE", bunny.core.endpoint)
    bucket = replace(
        bunny_bucket(bunny),
        pull_zone="acme-cdn",
        api_key=bunny.core.account_key if right else "another",
    )
    with Project(Config(tmp_path, None, {"main": bucket})) as project:
        _, told = examined(project)
    zone = told["pull zone"]
    assert zone.state is (State.OK if right else NOTE)
    assert ("acme-cdn, which may be purged" in zone.told) == right
    assert right or "stays in the caches" in str(zone.advice)


def test_every_permission_is_told_by_itself(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """On a service on which all is permitted."""
    with opened("moto", request, tmp_path) as (project, _):
        _, told = examined(project)
    assert told.keys() >= {*PERMISSIONS, "credentials", "endpoint", "clock", "listing", "latency"}
    assert isinstance(told["latency"].value, float) and told["latency"].value > 0


@pytest.mark.parametrize(
    ("denied", "bad", "advice"),
    [
        ("ListObjectsV2", "listing", None),
        ("GetObject", "read", "the credential needs s3:GetObject"),
        ("PutObject", "write", "the credential needs s3:PutObject"),
        ("DeleteObject", "delete", "the credential needs s3:DeleteObject"),
        ("CopyObject", "copy", None),
    ],
)
def test_a_permission_that_lacks_is_named(
    denied: str, bad: str, advice: str | None, tmp_path: Path
) -> None:
    """With the right to give; the exit code says that the bucket refuses."""
    service = MannerlyS3(denied=frozenset({denied}))
    with serve_lies(service) as server:
        config = Config(tmp_path, None, {"main": s3(server, "bucket", "")})
        with Project(config) as project:
            reports, told = examined(project)
    assert told[bad].state is BAD and "access denied" in told[bad].told
    assert told[bad].advice == advice
    assert exit_code(reports) == 8


@pytest.mark.parametrize(
    ("denied", "name", "loss"),
    [
        ("CreateMultipartUpload", "parts", "large files cannot be sent"),
        ("ListMultipartUploads", "unfinished", "`buckia gc` cannot find uploads"),
        ("GetBucketVersioning", "versioning", "s3:GetBucketVersioning; whether deleted objects"),
    ],
)
def test_what_can_be_done_without_is_a_note(
    denied: str, name: str, loss: str, tmp_path: Path
) -> None:
    """It says what does not work then."""
    service = MannerlyS3(denied=frozenset({denied}))
    with serve_lies(service) as server:
        bucket = s3(server, "bucket", "perfect")
        with Project(Config(tmp_path, None, {"main": bucket})) as project:
            _, told = examined(project)
    assert told[name].state is NOTE and loss in str(told[name].advice)


def test_a_bucket_that_is_only_read_needs_no_right_to_write(tmp_path: Path) -> None:
    """For downloads a key that only reads is the right one."""
    with serve_lies(MannerlyS3(denied=frozenset({"PutObject"}))) as server:
        paths = [{"path": "tree/", "direction": "download"}]
        bucket = BucketConfig(**{**vars_of(s3(server, "bucket", "")), "paths": paths})
        with Project(Config(tmp_path, None, {"main": bucket})) as project:
            reports, told = examined(project)
    assert told["write"].state is NOTE and told["write"].advice == "enough for downloads"
    assert exit_code(reports) == 0


def test_a_signal_ends_it_and_nothing_is_left(tmp_path: Path) -> None:
    """Whenever it comes: between two trials, or in the middle of one."""
    for after in range(4):
        service, stop = MannerlyS3(), threading.Event()
        with serve_lies(service) as server:
            config = Config(tmp_path, None, {"main": s3(server, "bucket", "")})
            with Project(config, stop=stop) as project:
                store = project.remote("main")
                _stop_after(store, after, stop)
                with pytest.raises(Interrupted, match="the scratch objects were deleted"):
                    list(project.examine(probing=True))
        assert service.calls["PutObject"] and service.objects == {}


def test_ctrl_c_in_the_middle_of_a_trial_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who calls the Python API gets the exception itself."""
    service = MannerlyS3()
    with serve_lies(service) as server:
        config = Config(tmp_path, None, {"main": s3(server, "bucket", "")})
        with Project(config) as project:
            store = project.remote("main")

            def interrupt(*_: object, **__: object) -> None:
                raise KeyboardInterrupt

            monkeypatch.setattr(store, "copy", interrupt)
            with pytest.raises(KeyboardInterrupt):
                list(project.examine(probing=True))
    assert service.calls["PutObject"] and service.objects == {}


def test_what_cannot_be_cleared_is_told(tmp_path: Path) -> None:
    """And where it lies."""
    service = MannerlyS3(denied=frozenset({"DeleteObject"}))
    with serve_lies(service) as server:
        config = Config(tmp_path, None, {"main": s3(server, "bucket", "")})
        with Project(config) as project:
            _, told = examined(project)
    (folder,) = {key.rpartition("/")[0] for key in service.objects if "é" not in key}
    assert told["scratch"].state is BAD and f"delete what is below {folder}/" in str(
        told["scratch"].advice
    )


def _stop_after(store: Store, puts: int, stop: threading.Event) -> None:
    """Set the event in the midst of a write."""
    whole, count = store.put, iter(range(puts))

    def put(*given: Any, **named: Any) -> Entry:
        if next(count, None) is None:
            stop.set()
        return whole(*given, **named)

    store.put = put  # type: ignore[method-assign]
