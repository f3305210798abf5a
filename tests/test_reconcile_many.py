"""Many keys at once: what is never deleted, what is left alone, and in which order."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia.model import Direction, Entry, Listing, Policy, Skipped
from buckia.reconcile import Scope, reconcile
from buckia.rules import Rules
from tests.strategies import examples
from tests.test_reconcile import NOW, TABLE, Delete, cells, sides

ROWS: Final = tuple(dict.fromkeys(row for row, _, _ in cells(TABLE)))


def run(
    rows: dict[str, str],
    rules: Rules | None = None,
    direction: Direction | None = Direction.BOTH,
    skipped: tuple[Skipped, ...] = (),
) -> dict[str, str]:
    """Reconcile keys that are each in some row; the verdicts by key."""
    parts = {key: sides(row, key) for key, row in rows.items()}
    made = reconcile(
        Listing({key: local for key, (local, _, _) in parts.items() if local}, skipped),
        {key: base for key, (_, base, _) in parts.items() if base},
        Listing({key: remote for key, (_, _, remote) in parts.items() if remote}),
        rules or Rules(),
        Scope(lambda key, path: direction),
        NOW,
    )
    return {decision.key: str(decision.verdict) for decision in made}


@examples(60)
@given(
    st.dictionaries(st.text(max_size=3), st.sampled_from(["x--", "--y", "x-x", "x-y"])),
    st.sampled_from(Direction),
    st.sampled_from([policy for policy in Policy if policy is not Policy.KEEP_BOTH]),
)
@pytest.mark.promise("INV-9")
def test_without_a_base_nothing_is_deleted(
    rows: dict[str, str], direction: Direction, policy: Policy
) -> None:
    """A first run is a union, whatever the options. To keep both is no option: it is an answer."""
    made = run(rows, Rules(delete="all", policy=policy), direction)
    assert not {"delete_remote", "delete_local"} & set(made.values())


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("delete", ["yes", "all"])
@pytest.mark.promise("L6")
def test_a_side_that_is_not_wholly_known_deletes_nothing(
    direction: Direction, delete: Delete
) -> None:
    """One unreadable folder anywhere turns every deletion into a report."""
    rows = {f"{number}": row for number, row in enumerate(ROWS)}
    rules = Rules(delete=delete, policy=Policy.REMOTE_WINS)
    sure = run(rows, rules, direction)
    unsure = run(rows, rules, direction, (Skipped("elsewhere/", "cannot be read", unknown=True),))
    deletions = {key for key, verdict in sure.items() if verdict.startswith("delete")}
    assert deletions
    assert {unsure[key] for key in deletions} <= {"orphan", "missing", "foreign"}
    assert {key for key in sure if sure[key] != unsure[key]} == deletions


@pytest.mark.parametrize("row", [row for row in ROWS if row != "bbb"])
@pytest.mark.promise("INV-8")
def test_what_left_the_scope_is_forgotten_and_never_deleted(row: str) -> None:
    """A filter or folder that changed removes the memory of a key and nothing else."""
    made = run({"k": row}, Rules(delete="all"), direction=None)
    assert made == ({} if row[1] == "-" else {"k": "forget"})


@pytest.mark.parametrize("row", ROWS)
def test_frozen_places_are_left_alone(row: str) -> None:
    """A skipped key, and all below a skipped folder, gets no decision at all."""
    known = {"a/link": row, "a/folder/x": row, "a/folderx": "x--"}
    places = (Skipped("a/link", "is a link"), Skipped("a/folder/", "is a link"))
    assert run(known, Rules(delete="all"), skipped=places) == {"a/folderx": "upload"}


def test_a_root_that_cannot_be_read_freezes_everything() -> None:
    """Of a side nothing of which was seen, nothing is known to be gone."""
    whole = (Skipped("./", "cannot be read", unknown=True),)
    assert run({"k": "-by", "a/k": "-bb"}, Rules(delete="all"), skipped=whole) == {}


def test_keys_that_were_not_asked_for_are_left_out() -> None:
    """`--paths` narrows the decisions, not the listings."""
    here = Listing({"a": Entry("a", 1, sha256="1"), "b": Entry("b", 1, sha256="2")})
    scope = Scope(lambda key, path: Direction.BOTH, lambda key, path: key == "b")
    assert [d.key for d in reconcile(here, {}, Listing({}), Rules(), scope)] == ["b"]


@pytest.mark.promise("INV-22")
def test_decisions_are_sorted_by_the_bytes_of_their_keys() -> None:
    """Not by code units or locale: as buckets list."""
    keys = ["z", "é", "a/b", "a-b", "\U0001f388", "\uffee", "Z"]
    assert list(run(dict.fromkeys(keys, "x--"))) == sorted(keys, key=str.encode)
