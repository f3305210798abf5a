"""Whether everything is in order: the configuration, this folder, and each bucket on its own.

Without a probe nothing is changed anywhere. With one, every bucket gets scratch objects for a
moment, and what it does with them is held against what buckia relies on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from buckia.errors import BuckiaError
from buckia.model import replace
from buckia.runs.doctor import here, there, trials
from buckia.runs.doctor.findings import Check as Check
from buckia.runs.doctor.findings import Report as Report
from buckia.runs.doctor.findings import State as State
from buckia.runs.doctor.findings import failed
from buckia.runs.doctor.there import sign_in as sign_in
from buckia.workspace import Workspace


def examine(space: Workspace, names: Sequence[str], *, probing: bool) -> Iterator[Report]:
    """What is found, first of the project as a whole, then of each bucket.

    What is wrong is a finding and no exception. Raises `Interrupted` after a signal, when the
    scratch objects are gone.
    """
    yield _clean(space, Report(None, checks=tuple(here.look(space))))
    for name in names:
        yield _clean(space, _bucket(space, name, probing=probing))


def _bucket(space: Workspace, name: str, *, probing: bool) -> Report:
    try:
        bucket = space.config.bucket(name)
    except BuckiaError as problem:
        provider = space.config.buckets[name].provider
        return Report(name, provider=provider, checks=(failed("credentials", problem),))
    checks = list(there.look(space, bucket))
    url = ""
    if not any(check.state is State.BAD for check in checks):
        store = space.remote(name)
        url = store.url
        if probing:
            checks += trials.run(store, bucket, space.stop)
    return Report(name, provider=bucket.provider, url=url, checks=tuple(checks))


def _clean(space: Workspace, report: Report) -> Report:
    """A report whose texts hold no secret and no path of this machine."""
    scrub = space.hygiene.scrub
    checks = tuple(replace(check, told=scrub(check.told)) for check in report.checks)
    return replace(report, checks=checks)
