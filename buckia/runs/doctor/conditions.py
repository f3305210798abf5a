"""What a service does with conditions, held against what buckia relies on."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from buckia.model import Entry
from buckia.runs.doctor.findings import Check, bad, note, ok
from buckia.stores.base import Store
from buckia.stores.bench import Bench, Conditional
from buckia.stores.probe import ABSENT, Delete, Put, Verdict, contest

_MEANS = {
    Verdict.ENFORCED: "enforced",
    Verdict.IGNORED: "ignored",
    Verdict.INVERTED: "turned round: it goes on where it should not",
    Verdict.REFUSED: "refused",
    Verdict.RACY: "enforced for one writer, broken for several at once",
}


def judge(store: Store, bench: Bench | None, scratch: str) -> Iterator[Check]:
    """A check for each condition, and where the option `conditions` would say otherwise, what to
    write there."""
    found = bench.conditions(scratch) if bench else _by_contract(store, scratch)
    for name, item in found.items():
        yield _one(name, item)
    if not found:
        yield ok("conditions", "none there are: buckia looks right before it writes")
    wanted = [name for name, item in found.items() if item.verdict is Verdict.ENFORCED]
    relied = [name for name, item in found.items() if item.relied_on]
    if bench and wanted != relied:
        advice = f"in `.buckia`: `conditions: [{', '.join(wanted)}]`"
        if set(relied) - set(wanted):
            told = "the service does not do what is relied on: two writers may not see each other"
            yield bad("conditions", told, advice)
        else:
            told = "the service does more than is relied on: a plan would say `atomic`"
            yield note("conditions", told, advice)


def _one(name: str, item: Conditional) -> Check:
    relied = "relied on" if item.relied_on else "not relied on"
    told = f"{_MEANS[item.verdict]}, {relied}"
    broken = item.relied_on and item.verdict is not Verdict.ENFORCED
    return (bad if broken else ok)(f"if {name}", told, value=item.verdict.value)


def _by_contract(store: Store, scratch: str) -> dict[str, Conditional]:
    """For stores that send no raw conditions: several writers at once, as the engine writes."""
    told = store.capabilities
    wanted = {"create": told.create_if_absent, "replace": told.replace_if_match}
    put, delete = _writers(store)
    return {
        name: Conditional(True, contest(put, delete, scratch, creating=name == "create"))
        for name, claimed in wanted.items()
        if claimed
    }


def _writers(store: Store) -> tuple[Put, Delete]:
    def put(key: str, data: bytes, condition: str | None) -> str:
        replacing = Entry(key, 0, version=condition) if condition != ABSENT else None
        if condition is None:
            replacing = store.head(key)
        written = store.put(Entry(key, len(data)), BytesIO(data), replacing=replacing)
        return written.version or ""

    def delete(key: str, condition: str | None) -> None:
        if held := store.head(key):
            store.delete(held)

    return put, delete
