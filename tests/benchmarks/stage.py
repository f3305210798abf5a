"""What a scenario is: contestants that do the same work, and what buckia is to reach."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from tests.benchmarks.service import Service

CONFIG: Final = """\
demo:
  provider: s3
  service: {service}
  bucket_name: ${{BENCH_BUCKET}}
  domain: ${{BENCH_ENDPOINT}}
  region: us-east-1
  paths: [files/]
  max_workers: {workers}
  delete_orphaned: true
"""

REGION: Final = "us-east-1"

NEAR: Final = 4
"""Workers beside a service that shares two cores with its client."""

FAR: Final = 32
"""Workers where what takes time is the way."""


def _nothing() -> None:
    """No reset, and no check."""


class Contestant(Struct, frozen=True):
    """One program at its best for the work.

    settings   what was chosen for it, in a few words
    commands   what is run, all of it together one run; asked for after `reset`
    reset      brings the world to where the work begins
    check      raises unless the work was done
    folder     where it is run
    content    it compares content as buckia does, not just sizes and times
    """

    name: str
    settings: str
    commands: Callable[[], list[list[str]]]
    folder: Path
    reset: Callable[[], None] = _nothing
    check: Callable[[], None] = _nothing
    content: bool = True


class Reach(Struct, frozen=True):
    """What the ratio of buckia to a peer may be at the most, in one measure of `results.MEASURES`.

    content   only against peers that compare content
    absolute  the bound is on the figure itself
    """

    measure: str
    most: float
    content: bool = False
    absolute: bool = False


class Stage(Struct):
    """A scenario that is prepared: who takes part, and where the service is.

    `rtt` (seconds) and `rate` (bytes a second each way) are what the network between adds.
    """

    contestants: list[Contestant]
    endpoint: str = ""
    bucket: str = ""
    pids: Sequence[int] = ()
    rtt: float = 0.0
    rate: float = 0.0


class Arena(Struct, frozen=True):
    """What all scenarios share: programs, a service, a folder, the size of the work."""

    folder: Path
    programs: Mapping[str, str]
    service: Service
    small: bool

    def count(self, full: int, small: int) -> int:
        """How many: at full size, or for a short look."""
        return small if self.small else full

    @contextmanager
    def room(self, name: str) -> Iterator[Path]:
        """A folder of a scenario's own, gone afterwards."""
        place = self.folder / name
        place.mkdir()
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def project(self, place: Path, workers: int = NEAR) -> Path:
        """A folder with a configuration, whose files are in `files/`."""
        (place / "files").mkdir(parents=True, exist_ok=True)
        (place / ".buckia").write_text(CONFIG.format(service=self.service.row, workers=workers))
        return place

    def env(self, endpoint: str, bucket: str) -> dict[str, str]:
        """What every program is told of where to go and as whom."""
        server = self.service.server
        rclone = {
            "TYPE": "s3",
            "PROVIDER": "Ceph" if self.service.row == "ceph" else "Other",
            "ENV_AUTH": "true",
            "ENDPOINT": endpoint,
            "REGION": REGION,
            "NO_CHECK_BUCKET": "true",
        }
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        return {
            **kept,
            "HOME": str(self.folder),
            "AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": server.secret_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "S3_ENDPOINT_URL": endpoint,
            "RCLONE_CONFIG": "/dev/null",
            **{f"RCLONE_CONFIG_BENCH_{name}": value for name, value in rclone.items()},
            "BENCH_ENDPOINT": endpoint,
            "BENCH_BUCKET": bucket,
        }


Prepare = Callable[[Arena], AbstractContextManager[Stage]]
"""Sets a scenario up, and clears it away."""


class Scenario(Struct, frozen=True):
    """A row of the table: its name, what is done at full size, what is to be reached, and how it is
    set up. No program has more than `most_runs` runs."""

    name: str
    work: str
    reaches: tuple[Reach, ...]
    prepare: Prepare
    most_runs: int = 1000
