"""A plan with nothing to do: 100,000 unchanged files, the hash cache warm.

The bucket is a folder, or a dictionary in memory filled from what the lockfile knows.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from buckia import planfile
from buckia.config import BucketConfig, Config
from buckia.model import Entry
from buckia.project import Project
from buckia.stores.memory import MemoryStore

BUCKETS = ("local", "memory")
FOLDER = "7Gk2mQx9RvT4bN8sLw3yHd5"


class Filled(MemoryStore):
    """A bucket that lists what a lockfile says, as if all had been put there."""

    def __init__(self, entries: dict[str, Entry]) -> None:
        super().__init__()
        self._listed = entries

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Every remembered object."""
        return iter(self._listed.values())


def project(root: Path) -> Project:
    """The project whose plan is measured."""
    bucket = BucketConfig(
        provider="local", bucket_name="bucket", paths=["assets/"], folders=[FOLDER]
    )
    return Project(Config(root, None, {"bucket": bucket}))


def prepare(root: Path, files: int) -> None:
    """Make the files, and apply them once so that lockfile and cache know them."""
    (root / "bucket").mkdir()
    for number in range(files):
        path = root / "assets" / FOLDER / f"{number % 1000:03}" / f"image-{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
    for _ in range(2):  # the second plan reads what the first left too fresh to be trusted
        with project(root) as made:
            made.apply(made.plan())


def measure(root: Path, bucket: str) -> dict[str, float]:
    """One plan: wall and CPU seconds, peak memory in MB."""
    with project(root) as made:
        if bucket == "memory":
            made._stores["bucket"] = Filled(made.load_state().lock.state("bucket").base())
        wall, cpu = time.perf_counter(), time.process_time()
        plan = made.plan()
        document = planfile.write(plan)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert plan.actions == ()
    assert document
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": wall, "cpu": cpu, "peak": peak}


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), sys.argv[2])))
