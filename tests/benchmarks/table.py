"""Every scenario, and what buckia is to reach in it."""

from __future__ import annotations

from typing import Final

from tests.benchmarks import moving, planning, starting
from tests.benchmarks.stage import Reach, Scenario


def _both(wall: float, cpu: float) -> tuple[Reach, ...]:
    return Reach("wall", wall), Reach("cpu", cpu)


SCENARIOS: Final = (
    Scenario(
        "plan-unchanged",
        "plan with nothing to do, 100,000 unchanged files, warm cache",
        (
            Reach("wall", 0.6),
            Reach("cpu", 0.6),
            Reach("wall", 0.2, content=True),
            Reach("cpu", 0.2, content=True),
        ),
        planning.unchanged,
    ),
    Scenario(
        "plan-first",
        "first plan, 20,000 files, 2 GB, cold cache",
        (Reach("wall", 0.8),),
        planning.first,
    ),
    Scenario(
        "plan-clone",
        "plan of a fresh clone, 20,000 files, 2 GB, the lockfile and no cache",
        (Reach("wall", 0.8),),
        planning.cloned,
    ),
    Scenario("upload-small", "upload 5,000 files of 4 KiB", _both(1.0, 0.7), moving.upload_small),
    Scenario(
        "download-small",
        "download 5,000 files of 4 KiB, verified, atomic",
        _both(1.0, 0.9),
        moving.download_small,
    ),
    Scenario("upload-large", "one file of 1 GiB up", _both(1.0, 0.8), moving.upload_large),
    Scenario("download-large", "one file of 1 GiB down", _both(1.0, 0.8), moving.download_large),
    Scenario(
        "changes",
        "1,000 changes in 100,000 files: plan and apply",
        (Reach("wall", 0.5),),
        moving.changes,
    ),
    Scenario(
        "list-far",
        "listing 200,000 keys behind 40 ms round trips",
        (Reach("wall", 0.2),),
        planning.listed_far,
    ),
    Scenario(
        "plan-far",
        "plan with nothing to do, 200,000 files behind 40 ms round trips",
        (Reach("wall", 1.0),),
        planning.planned_far,
    ),
    Scenario(
        "renames",
        "1,000 renamed files of 1 MiB",
        (Reach("wall", 0.5), Reach("up", 4_000_000, absolute=True)),
        moving.renames,
    ),
    Scenario(
        "promote",
        "promote 5,000 files bucket to bucket, same service",
        (Reach("wall", 1.0), Reach("up", 20_000_000, absolute=True)),
        moving.promoted,
    ),
    Scenario(
        "plan-million",
        "1,000,000 entries: plan and lockfile",
        (Reach("peak", 1024, absolute=True), Reach("cpu", 10, absolute=True)),
        planning.million,
        most_runs=2,  # a run takes minutes
    ),
    Scenario(
        "start-help",
        "start: `buckia --help`",
        (Reach("cpu", 0.2, absolute=True),),
        starting.helped,
    ),
    Scenario(
        "start-status",
        "start: `buckia status` on an empty project",
        (Reach("cpu", 0.35, absolute=True),),
        starting.looked,
    ),
)
