"""Three buckets on the brink of a promotion to two of them, or of a move to one.

The first bucket is what `tree/` of the project is applied to.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

from buckia import planfile
from buckia.model import Entry
from buckia.planfile import Plan
from buckia.project import Project
from buckia.rules import Overrides
from tests.crash.child import open_project
from tests.crash.world import Look
from tests.sqlite_helpers import make, sql

BUCKETS: Final = ("common", "premium", "enterprise")
FOLDER: Final = "demo"

_CONFIG: Final = """\
buckia:
  limits: {{max_delete: 100%}}
  defaults: {{delete_orphaned: true, conflict_resolution: {policy}}}
  sets: {{the-demo: [{folder}]}}
"""
_POLICIES: Final = ("ask", "local_wins", "remote_wins")
_BIG: Final = 200_000
"""Bytes of a file that is read and written in several pieces."""

_DRIFT: Final = Overrides(allow_drift="common")


def promotion(project: Project) -> Plan:
    """To both other buckets."""
    return project.promote("the-demo", "common", BUCKETS[1:])


def move(project: Project) -> Plan:
    """To the next one, together with what no apply put there."""
    return project.promote("the-demo", "common", ["premium"], move=True, overrides=_DRIFT)


def absent(before: Look, now: Look) -> list[str]:
    """What the first bucket held and none of the three holds any more, or holds as something else
    than before."""
    held = {key: what for (url, key), what in before.sides.items() if url.endswith("common")}
    there = {(key, what) for (url, key), what in now.sides.items() if not url.endswith("project")}
    return [f"{key} is nowhere" for key, what in held.items() if (key, what) not in there]


def build_promotion(folder: Path, seed: int, store: str, endpoint: str | None) -> None:
    """Make three tiers that were promoted once and have changed since."""
    author = _Author(folder, seed, store, endpoint)
    author.promote(BUCKETS[1:])
    author.change()
    author.finish(promotion)


def build_move(folder: Path, seed: int, store: str, endpoint: str | None) -> None:
    """Make a folder that is to change tier, some of which is there already."""
    author = _Author(folder, seed, store, endpoint)
    if seed:
        author.promote(BUCKETS[1:2])
        author.change()
    author.stray()
    author.finish(move)


class _Author:
    """Writes three tiers: what is applied to the first, and what becomes of it."""

    def __init__(self, folder: Path, seed: int, store: str, endpoint: str | None) -> None:
        self._folder = folder
        self._root = folder / "project"
        self._chance = random.Random(seed)
        self._policy = _POLICIES[seed % len(_POLICIES)]
        for name in BUCKETS:
            (folder / "buckets" / name).mkdir(parents=True)
        for name in ("tree", *BUCKETS[1:]):
            (self._root / name).mkdir(parents=True)
        page = _CONFIG.format(policy=self._policy, folder=FOLDER)
        for name in BUCKETS:
            local = store == "local" or (store == "mixed" and name == "common")
            page += f"{name}:\n  paths: [{'tree' if name == 'common' else name}/]\n"
            page += (
                f"  provider: local\n  bucket_name: ../buckets/{name}\n"
                if local
                else f"  provider: s3\n  bucket_name: {name}\n  region: us-east-1\n"
                f"  domain: {endpoint}\n"
            )
        (self._root / ".buckia").write_text(page)
        for key in ("same", "deep/er/same", "changed", "gone", "both", "big/changed"):
            self._here(f"{FOLDER}/{key}", self._data())
        self._here("other/untouched", self._data())
        for name in ("app", "same"):
            self._database(name, name)
        self._apply()

    def promote(self, targets: Sequence[str]) -> None:
        """Bring everything to these."""
        with open_project(self._root, "serial") as project:
            applied = project.apply(project.promote(FOLDER, "common", targets))
        assert not applied.failed, applied.failed

    def change(self) -> None:
        """Do to both sides what a promotion can meet."""
        for key in ("changed", "new/ä b", "new/empty", "both"):
            self._here(f"{FOLDER}/{key}", b"" if key == "new/empty" else self._data())
        self._here(f"{FOLDER}/big/changed", self._chance.randbytes(_BIG))
        (self._root / "tree" / FOLDER / "gone").unlink()
        sql(self._root / "tree" / FOLDER / "app.sqlite", "INSERT INTO items (name) VALUES ('more')")
        self._apply()
        self._there("premium", f"{FOLDER}/foreign", self._data())
        if self._policy != "ask":
            self._there("premium", f"{FOLDER}/both", self._data())
        with open_project(self._root, "serial") as project:
            store = project.remote("premium")
            found = store.head(f"{FOLDER}/deep/er/same")
            assert found
            store.delete(found)

    def stray(self) -> None:
        """Leave something in the source that no apply put there."""
        self._there("common", f"{FOLDER}/by the app/1", self._data())
        self._there("common", f"{FOLDER}/by the app/2", self._chance.randbytes(_BIG))

    def finish(self, plan: object) -> None:
        """Write the plan down."""
        assert callable(plan)
        with open_project(self._root, "serial") as project:
            made: Plan = plan(project)
        assert made.applyable and not made.conflicts, made.blocked
        (self._folder / "plan.json").write_bytes(planfile.write(made))

    def _apply(self) -> None:
        with open_project(self._root, "serial") as project:
            applied = project.apply(project.plan(["common"]))
        assert not applied.failed, applied.failed

    def _data(self) -> bytes:
        return self._chance.randbytes(self._chance.randint(1, 3000))

    def _here(self, key: str, data: bytes) -> None:
        path = self._root / "tree" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def _database(self, name: str, row: str) -> None:
        make(self._root / "tree" / FOLDER / f"{name}.sqlite", row)

    def _there(self, bucket: str, key: str, data: bytes) -> None:
        with open_project(self._root, "serial") as project:
            store = project.remote(bucket)
            known = hashlib.sha256(data).hexdigest()
            entry = Entry(key, len(data), sha256=known)
            store.put(entry, BytesIO(data), replacing=store.head(key))
