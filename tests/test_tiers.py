"""Three tiers at three providers, and a fourth at the first one's service: a week of a demo."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest

from buckia.config import BucketConfig, Config, Settings
from buckia.errors import ConflictError
from buckia.model import Entry, Op, Policy
from buckia.planfile import Plan
from buckia.project import Project
from buckia.reconcile import Decision
from buckia.stores import retry
from tests.servers.b2 import serve_b2
from tests.servers.bunny import serve_bunny
from tests.servers.moto import serve_moto
from tests.servers.rgw import serve_rgw
from tests.servers.s3 import S3Server

DEMO: Final = "0A4QEZFCJoP7qjOZH1JEHi"
TARGETS: Final = ("premium", "enterprise", "twin")
FILES: Final = 20
LARGE: Final = 9_000_000
"""Bytes of one file: more than goes into a request that is not in parts."""


class Week:
    """The demo of an app, kept in the first bucket and promoted to the others."""

    def __init__(self, root: Path, buckets: Mapping[str, dict[str, Any]]) -> None:
        self.root = root
        self.tree = root / "assets" / DEMO
        self.config = Config(
            root,
            None,
            {
                name: BucketConfig(
                    name=name,
                    paths=["assets/" if name == "common" else f"{name}/"],
                    folders=[DEMO],
                    delete_orphaned=True,
                    **options,
                )
                for name, options in buckets.items()
            },
            Settings(sets={"demo": (DEMO,)}),
        )

    @contextmanager
    def open(self) -> Iterator[Project]:
        """The project, as a new process would open it."""
        with Project(self.config) as project:
            yield project

    def apply_demo(self) -> None:
        """Bring the folder to the first bucket."""
        with self.open() as project:
            assert not project.apply(project.plan(["common"])).failed

    def promotion(self, **options: Any) -> Plan:
        """What promoting would do."""
        with self.open() as project:
            return project.promote("demo", "common", TARGETS, **options)

    def apply(self, plan: Plan) -> dict[str, tuple[int, int]]:
        """Do it; what each bucket sent to and received from this machine meanwhile, in bytes."""
        with self.open() as project:
            applied = project.apply(plan)
            assert not applied.failed, applied.failed[:3]
            usage = {name: project.remote(name).traffic.usage for name in self.config.buckets}
        return {name: (used.sent, used.received) for name, used in usage.items()}

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Change an object by hand."""
        with self.open() as project:
            store = project.remote(bucket)
            store.put(Entry(key, len(data)), BytesIO(data), replacing=store.head(key))

    def holds(self, bucket: str) -> dict[str, bytes]:
        """The demo in a bucket."""
        found: dict[str, bytes] = {}
        with self.open() as project:
            store = project.remote(bucket)
            for entry in list(store.entries(f"{DEMO}/")):
                with store.open(entry) as body:
                    found[entry.key] = body.read()
        return found

    def size(self, *, databases: int) -> int:
        """Bytes of the demo's files, and of its database so many times."""
        data = self.tree / "App.sqlite"
        whole = sum(path.stat().st_size for path in self.tree.rglob("*") if path.is_file())
        return whole + (databases - 1) * data.stat().st_size


def grow(tree: Path) -> None:
    """The demo: media, one of them large, and the database that names them."""
    dice = random.Random(5)
    for number in range(FILES):
        path = tree / "media" / f"bild {number}é.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dice.randbytes(dice.randint(1, 40_000)))
    (tree / "media" / "film.mp4").write_bytes(dice.randbytes(LARGE))
    with closing(sqlite3.connect(tree / "App.sqlite")) as database, database:
        database.execute("CREATE TABLE media (path TEXT PRIMARY KEY)")
        names = [(path.name,) for path in sorted((tree / "media").iterdir())]
        database.executemany("INSERT INTO media VALUES (?)", names)


def live(week: Week, say: Callable[[str], None]) -> None:
    """Promote, edit here and there, promote again: the conflict is found and nothing is lost."""
    grow(week.tree)
    week.apply_demo()
    first = week.promotion()
    carried = week.apply(first)
    say(f"{first.summary.actions[Op.COPY]} copies, {week.size(databases=1):,} bytes of demo")
    for name, (sent, received) in carried.items():
        say(f"  {name}: {received:,} bytes read from it, {sent:,} written to it, by this machine")
    demo = week.holds("common")
    assert all(week.holds(name) == demo for name in TARGETS)
    assert carried["common"][1] == week.size(databases=2)  # files once for both, databases twice
    assert first.summary.bytes_down == carried["common"][1]
    assert carried["twin"][0] < 1000 and carried["twin"][1] < 1000  # leases alone

    edited, gone = f"{DEMO}/media/bild 1é.jpg", f"{DEMO}/media/bild 2é.jpg"
    week.put("premium", edited, b"edited by hand")
    (week.root / "assets" / edited).write_bytes(b"edited here")
    (week.root / "assets" / gone).unlink()
    (week.tree / "media" / "new.jpg").write_bytes(b"new")
    week.apply_demo()
    second = week.promotion()
    assert [(item.bucket, item.key) for item in second.conflicts] == [("common>premium", edited)]
    with pytest.raises(ConflictError), week.open() as project:
        project.apply(second)
    assert week.holds("premium")[edited] == b"edited by hand"
    week.apply(week.promotion(skip_conflicts=True))
    assert week.promotion(skip_conflicts=True).actions == ()
    demo = week.holds("common")
    assert week.holds("premium") == {**demo, edited: b"edited by hand"}
    assert week.holds("enterprise") == week.holds("twin") == demo
    say("the edit by hand is found, and left as it is")

    settled = week.promotion(ask=source_wins)
    assert [action.undo for action in settled.actions] != ["none"]
    week.apply(settled)
    assert week.holds("premium") == demo
    third = week.promotion()
    assert (third.actions, third.conflicts) == ((), ())
    say("settled; promoted again there is nothing to do")


def source_wins(bucket: str, conflicts: list[Decision]) -> dict[str, Policy]:
    return {item.key: Policy.LOCAL_WINS for item in conflicts}


# -- the providers ---------------------------------------------------------------------------------


@contextmanager
def providers(s3: S3Server, **more: str) -> Iterator[dict[str, dict[str, Any]]]:
    """S3 for the first tier and its twin, B2 and Bunny for the others."""
    shared = {
        "provider": "s3",
        "domain": s3.endpoint,
        "region": "us-east-1",
        "credentials": {"access_key_id": s3.access_key, "secret_access_key": s3.secret_key},
        **more,
    }
    with serve_b2() as b2, serve_bunny() as bunny:
        zone = bunny.make_zone()
        yield {
            "common": {**shared, "bucket_name": s3.make_bucket()},
            "premium": {
                "provider": "b2",
                "bucket_name": b2.add_bucket().name,
                "domain": b2.endpoint,
                "api_key": b2.master.key_id,
                "password": b2.master.secret,
            },
            "enterprise": {
                "provider": "bunny",
                "bucket_name": zone.name,
                "storage_api_key": zone.password,
                "domain": bunny.endpoint,
            },
            "twin": {**shared, "bucket_name": s3.make_bucket()},
        }


def test_three_tiers_at_three_providers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read passes once for all targets; where the service copies, no byte passes."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    with serve_moto() as server, providers(server) as buckets:
        live(Week(tmp_path, buckets), print)


@pytest.mark.rgw
def test_three_tiers_with_a_real_gateway(tmp_path: Path) -> None:
    """The same, the first tier and its twin at a Ceph gateway."""
    with ExitStack() as stack:
        server, _ = stack.enter_context(serve_rgw())
        buckets = stack.enter_context(providers(server))
        live(Week(tmp_path, buckets), print)
