"""The laws of whole worlds whose buckets publish manifests, and what holds of every manifest."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from buckia import manifest
from buckia.decisions.publications import known
from buckia.manifest import Manifest
from tests.helpers import Side, World, ops
from tests.strategies import History, busy_histories, examples, histories, sync_what_goes
from tests.test_laws import (
    LOCAL,
    MEMORY,
    WRITES,
    Refusing,
    named_by,
    open_plan,
    rest_of,
    store_of,
    world_of,
)
from tests.test_laws_runs import cut_world

pytestmark = pytest.mark.usefixtures("hurried")

KINDS = st.sampled_from([MEMORY, MEMORY, LOCAL])


def published(side: Side) -> dict[str, Manifest]:
    """The manifests of a bucket by folder."""
    keys = filter(manifest.is_manifest, side)
    return {key.partition("/")[0]: manifest.read(side[key]) for key in keys}


def demand_true(world: World, bucket: str = "main") -> None:
    """Every manifest names just what the lockfile knows of its folder and the bucket holds, with
    the bytes it holds; every such folder has one."""
    side, store = world.remote(bucket), world.store(bucket)
    found = published(side)
    for folder, candidates in known(world.lock(), bucket).items():
        held = {
            key
            for key, items in candidates.items()
            if (there := store.head(key)) and there.version in {item.token for item in items}
        }
        one = found.pop(folder, None)
        assert held == {f"{folder}/{file.path}" for file in (one.files if one else ())}
    assert found == {}
    for folder, one in published(side).items():
        for file in one.files:
            data = side[f"{folder}/{file.path}"]
            assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())


@examples(60)
@given(histories, KINDS)
@pytest.mark.promise("INV-24")
def test_manifests_converge_and_are_true(history: History, kind: str) -> None:
    """After any history one sync makes every manifest true, and then there is nothing to do, and
    no other generation."""
    with world_of(history, store_of(kind), manifest=True) as world:
        open_plan(world)
        if history.options["delete_orphaned"] == "all" and not world.lock().state("main").entries:
            sync_what_goes(world)
        sync_what_goes(world)
        assert ops(world.plan(skip_conflicts=True)) == []
        demand_true(world)
        before = published(world.remote())
        assert all(one.generation <= 3 for one in before.values())
        sync_what_goes(world)
        assert published(world.remote()) == before


@examples(40)
@given(histories, KINDS)
def test_manifests_take_nothing_foreign(history: History, kind: str) -> None:
    """Keys that no action names keep their bytes."""
    with world_of(history, store_of(kind), manifest=True) as world:
        plan = open_plan(world)
        before = world.both()
        world.apply(plan)
        for old, new in zip(before, world.both(), strict=True):
            assert rest_of(old, named_by(plan)) == rest_of(new, named_by(plan))


@examples(40)
@given(histories, st.integers(1, 8), st.sampled_from(["before", "after", "recorded"]))
@pytest.mark.promise("INV-24")
def test_a_cut_publication_ends_as_if_it_had_not_been_cut(
    history: History, step: int, where: str
) -> None:
    """The same plan again and a new plan lead to the same files and manifests, of the same
    generation."""
    ends = []
    for times, anew in ((0, False), (step, False), (step, True)):
        with cut_world(history, times, where, manifest=True) as (world, plan):
            if anew:
                plan = world.plan(skip_conflicts=True)
            assert not world.apply(plan).failed
            assert ops(world.plan(skip_conflicts=True)) == []
            demand_true(world)
            ends.append((world.both(), published(world.remote())))
    assert ends[0] == ends[1] == ends[2]


@examples(40)
@given(busy_histories(), st.data())
@pytest.mark.promise("INV-25")
def test_a_failed_write_publishes_and_deletes_nothing(
    history: History, data: st.DataObject
) -> None:
    """Whichever write fails, a manifest among them: nothing is deleted. Without the failure all is
    done. A manifest that is already what it would be is not written, so that nothing fails."""
    store = Refusing()
    with world_of(history, store, manifest=True) as world:
        plan = open_plan(world)
        writes = [a.key for a in plan.actions if a.op in WRITES or a.publication]
        assume(writes)
        before = world.both()
        store.keys = frozenset([data.draw(st.sampled_from(writes))])
        failed = world.apply(plan).failed
        failing, store.keys = store.keys, frozenset()
        assert bool(failed) >= bool(store.refused)
        for old, new in zip(before, world.both(), strict=True):
            gone = old.keys() - new.keys()
            assert not failed or gone <= set(filter(manifest.is_manifest, old))
        if not any(map(manifest.is_manifest, failing)):
            assert documents(world.remote()).items() <= documents(before[1]).items()
        world.apply(plan)
        assert ops(world.plan(skip_conflicts=True)) == []
        demand_true(world)


def documents(side: Side) -> Side:
    """The manifests of a bucket as they are."""
    return {key: data for key, data in side.items() if manifest.is_manifest(key)}
