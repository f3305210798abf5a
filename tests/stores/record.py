"""What came of the contract: which clause was tried on which store, and what it expected there.

`tests/stores/contract.json` keeps it, because not every computer has a Ceph gateway to ask. It is
written by `python -m tests.stores.table`, and `.ci/run`, which has one, holds it against a new run.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Collection
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

import pytest

from tests.stores.kinds import KINDS

FILE: Final = Path(__file__).with_name("contract.json")

MODULES: Final = (
    "test_contract",
    "test_contract_changes",
    "test_contract_headers",
    "test_contract_races",
)
"""Where the clauses are, in the order of the table."""

Record = dict[str, Any]
"""`kinds`: what each claims, by flag. `clauses`: what each asks of a store, and how many cases of
it passed on each kind."""


def clauses() -> dict[str, str]:
    """Every clause by the name of its test, in order, and its sentence."""
    found = {}
    for name in MODULES:
        module = import_module(f"tests.stores.{name}")
        for test, function in vars(module).items():
            if test.startswith("test_") and function.__module__ == module.__name__:
                sentence = cleandoc(function.__doc__ or "").partition("\n\n")[0]
                found[test] = " ".join(sentence.split())
    return found


def read() -> Record:
    """What is recorded; nothing where there is no record."""
    empty: Record = {"kinds": {}, "clauses": {}}
    return json.loads(FILE.read_text("utf-8")) if FILE.exists() else empty


def write(record: Record) -> None:
    """Keep a record, a clause a line, so that a difference shows where it is."""
    parts = [
        f' "{part}": {{\n'
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(told)}" for name, told in items.items())
        + "\n }"
        for part, items in record.items()
    ]
    FILE.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def has_gateway() -> bool:
    """Whether the Debian packages of a Ceph gateway are on this computer."""
    return all(shutil.which(name) for name in ("radosgw", "ceph-mon", "ceph-osd"))


def run(marks: str = "rgw or not rgw", names: Collection[str] = ()) -> Record | None:
    """Try these clauses, or all, on the kinds with these marks; None where one fails, which pytest
    has told."""
    seen = _Watcher()
    files = [str(FILE.with_name(f"{name}.py")) for name in MODULES]
    which = ["-m", marks, "-k", " or ".join(names)]
    done = pytest.main(["-q", "-p", "no:cacheprovider", *which, *files], plugins=[seen])
    return seen.record() if done == pytest.ExitCode.OK else None


def merged(old: Record, new: Record) -> Record:
    """A new record, with what only the old one knows: clauses and kinds that were not tried
    again."""
    absent = [name for name in KINDS if name not in new["kinds"] and name in old["kinds"]]
    told = {}
    for name in clauses():
        known = old["clauses"].get(name, {"asks": [], "cases": {}})
        clause = new["clauses"].get(name, known)
        counts = {k: (known if k in absent else clause)["cases"].get(k, 0) for k in KINDS}
        asks = sorted({*clause["asks"], *(known["asks"] if absent else ())})
        told[name] = {"asks": asks, "cases": counts}
    asked = {flag for clause in told.values() for flag in clause["asks"]}
    kinds = {}
    for kind in KINDS:
        claims = {**old["kinds"].get(kind, {}), **new["kinds"].get(kind, {})}
        kinds[kind] = {flag: claims[flag] for flag in sorted(claims) if flag in asked}
    return {"kinds": kinds, "clauses": told}


class _Watcher:
    """A pytest plugin that notes which clause passed on what, and what it asked the store."""

    def __init__(self) -> None:
        self._claims: dict[str, dict[str, object]] = defaultdict(dict)
        self._asks: dict[str, dict[str, None]] = defaultdict(dict)
        self._cases: dict[str, Counter[str]] = defaultdict(Counter)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest for each test."""
        if report.when != "call" or not report.passed:
            return
        test = report.nodeid.partition("::")[2].partition("[")[0]
        told = dict(report.user_properties)
        kind = str(told.pop("kind"))
        self._cases[test][kind] += 1
        self._asks[test].update(dict.fromkeys(told))
        self._claims[kind].update(told)

    def record(self) -> Record:
        """All of it."""
        kinds = {n: dict(sorted(self._claims[n].items())) for n in KINDS if n in self._claims}
        told = {
            name: {
                "asks": sorted(self._asks[name]),
                "cases": {k: self._cases[name][k] for k in KINDS if k in kinds},
            }
            for name in clauses()
            if name in self._cases
        }
        return {"kinds": kinds, "clauses": told}
