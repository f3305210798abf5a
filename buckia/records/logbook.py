"""The journals as a record: what each apply did, by whom, where and when. Pure.

A journal is written for the next run; this reads it for people and auditors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from buckia.journal import Record
from buckia.model import Op, Outcome
from buckia.stores.usage import NOTHING, Usage

_MOVED: Final = (Op.UPLOAD, Op.DOWNLOAD)


class Run(Struct, frozen=True):
    """One apply, as its journal has it.

    ended    `done`; `failed` where some actions were not done; `cut` where it never came to an end
             and a later run found its journal; `open` where none has yet, or where it is at work
    serials  the serial of each bucket afterwards; before it where the run was cut
    counts   actions that were done, by op, each once; `failed` are those that were not
    bytes    of the files that were uploaded and downloaded
    seconds  how long it took; None where it was cut
    """

    number: int
    plan: str
    started: str
    ended: Literal["done", "failed", "cut", "open"]
    who: str
    host: str
    approver: str
    run: str | None
    serials: dict[str, int]
    counts: dict[str, int]
    failed: int
    bytes: int
    seconds: float | None
    used: Usage
    outcomes: tuple[Outcome, ...]


def runs(records: Iterable[Record]) -> Iterator[Run]:
    """Every run that has a header, in the order of the journals."""
    for record in records:
        if record.header.plan:
            yield _run(record)


def _run(record: Record) -> Run:
    head, finish = record.header, record.finish
    last = {item.id: item for item in record.outcomes}  # a move has two outcomes, the last counts
    done = [item for item in last.values() if item.done]
    # What is kept under a new name on both sides is remembered once, by its copy in the bucket.
    sizes = {(item.bucket, item.key): item.entry.size for item in done if item.entry}
    whole = finish is not None and finish.seconds is not None
    ended: Literal["done", "failed", "cut", "open"] = "done" if whole else "cut"
    if finish is None:
        ended = "open"
    elif whole and len(done) < len(last):
        ended = "failed"
    return Run(
        number=int(record.path.name.partition("-")[0]),
        plan=head.plan,
        started=head.started,
        ended=ended,
        who=head.user,
        host=head.host,
        approver=head.approver,
        run=head.run,
        serials=_serials(record),
        counts=dict(sorted(Counter(str(item.op) for item in done).items())),
        failed=len(last) - len(done),
        bytes=sum(sizes.get((item.bucket, item.key), 0) for item in done if item.op in _MOVED),
        seconds=finish.seconds if finish else None,
        used=finish.used if finish else NOTHING,
        outcomes=tuple(record.outcomes),
    )


def _serials(record: Record) -> dict[str, int]:
    before = {name: origin.base.serial for name, origin in record.header.buckets.items()}
    return before | (dict(record.finish.serials) if record.finish else {})


def of_serial(found: Iterable[Run], serial: int, bucket: str | None) -> list[Run]:
    """The runs that left a bucket, or any, at a serial."""
    return [
        run
        for run in found
        if any(value == serial and bucket in (None, name) for name, value in run.serials.items())
    ]


def about(found: Iterable[Run], bucket: str | None) -> list[Run]:
    """The runs that were about a bucket, or all."""
    return [run for run in found if bucket is None or bucket in run.serials]


def data(run: Run, *, whole: bool) -> dict[str, Any]:
    """A run as a JSON value; `whole` with the outcome of each action."""
    told = {name: getattr(run, name) for name in run.__struct_fields__ if name != "outcomes"}
    told["used"] = msgspec.to_builtins(run.used)
    return told | ({"outcomes": [_outcome(item) for item in run.outcomes]} if whole else {})


def _outcome(item: Outcome) -> Mapping[str, Any]:
    told = {"op": str(item.op), "bucket": item.bucket, "key": item.key, "done": item.done}
    told |= {"size": item.entry.size} if item.entry else {}
    return told | ({"error": item.error} if item.error else {})
