"""The table of docs/providers.md says what was tried, all of it, and nothing that is not so now."""

from __future__ import annotations

from buckia.stores.base import Store
from tests.stores import record, table
from tests.stores.kinds import KINDS


def test_every_clause_was_tried_on_every_store() -> None:
    """The record has each clause as often on each kind: a flag never makes a case go away."""
    told = record.read()["clauses"]
    assert list(told) == list(record.clauses()), "run `python -m tests.stores.table`"
    for name, clause in told.items():
        assert set(clause["cases"]) == set(KINDS)
        assert len({*clause["cases"].values()}) == 1 and clause["cases"]["memory"], name


def test_every_clause_is_a_sentence() -> None:
    """A row of the table can be read by itself."""
    for sentence in record.clauses().values():
        assert sentence[0].isupper() or sentence[0] == "`"
        assert sentence.endswith(".")


def test_what_is_recorded_is_claimed(store: Store, kind: str) -> None:
    """What a store claimed when it was tried is what it claims now."""
    told = record.read()["kinds"][kind]
    assert told
    for flag, value in told.items():
        now = getattr(store.capabilities, flag)
        assert (sorted(now) if isinstance(now, frozenset) else now) == value


def test_what_was_not_tried_again_stays_recorded() -> None:
    """Kinds of other computers, and all clauses but those that were asked for."""
    one, two, *_ = record.clauses()
    old = {
        "kinds": {"memory": {"copy": True, "large": True}, "rgw": {"copy": True}},
        "clauses": {
            one: {"asks": ["copy"], "cases": {"memory": 1, "rgw": 2}},
            two: {"asks": [], "cases": {"memory": 1, "rgw": 1}},
            "test_of_old": {"asks": ["large"], "cases": {"memory": 1}},
        },
    }
    new = {
        "kinds": {"memory": {"copy": False}},
        "clauses": {one: {"asks": ["copy"], "cases": {"memory": 3}}},
    }
    told = record.merged(old, new)
    assert (told["kinds"]["memory"], told["kinds"]["rgw"]) == ({"copy": False}, {"copy": True})
    counts = [told["clauses"][name]["cases"] for name in (one, two)]
    assert [(c["memory"], c["rgw"], c["bunny"]) for c in counts] == [(3, 2, 0), (1, 1, 0)]
    assert "test_of_old" not in told["clauses"]


def test_a_cell_says_what_is_expected() -> None:
    """A store that claims all is ticked; any other says what holds in place of the clause."""
    told = {
        "kinds": {"memory": {"copy": True, "guarded": 5}, "bunny": {"copy": False}},
        "clauses": {
            "test_copy_works_inside_a_store": {
                "asks": ["copy", "guarded"],
                "cases": {"memory": 1, "bunny": 1, "b2": 0},
            }
        },
    }
    rows = [row for row in table.clauses(told) if row.startswith("| A store that can copy")]
    cells = [cell.strip() for cell in rows[0].split("|")[2:-1]]
    by_kind = dict(zip(KINDS, cells, strict=True))
    assert by_kind["memory"] == "looks if large"
    assert by_kind["bunny"] == "no copy"
    assert by_kind["b2"] == "not tried"
