"""Manifests of buckets that are promoted to: true after each promotion, and one after a move."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia import manifest
from buckia.manifest import LEAST
from buckia.model import Op
from tests.helpers import ops
from tests.strategies import examples
from tests.test_manifest_laws import demand_true, published
from tests.test_promotion_laws import cut_tiers
from tests.tiers import FOLDER, SOURCE, TARGETS, Apart, Past, Tiers, pasts

KEY: Final = manifest.key_of(FOLDER)
BIG: Final = bytes(range(256)) * (LEAST // 256 + 1)
BOTH: Final = {"demo/a": b"1", "demo/big": BIG}


def both(tmp_path: Path, **options: Any) -> Tiers:
    return Tiers(tmp_path, manifest=True, **options).applied(BOTH)


def test_a_promotion_publishes_in_each_target(tmp_path: Path) -> None:
    """The first time, when something changed, and not when nothing did; blocks come along from the
    manifest of the source, though no byte passed."""
    tiers = both(tmp_path)
    plan = tiers.promote()
    assert [item.key for item in plan.actions if item.op is Op.PUBLISH] == [KEY, KEY]
    for name in TARGETS:
        demand_true(tiers, name)
        made, source = (
            published(tiers.remote(name))[FOLDER],
            published(tiers.remote(SOURCE))[FOLDER],
        )
        assert (made.generation, made.files) == (1, source.files)
        assert made.by_path()["big"].blocks
    assert ops(tiers.promotion()) == []
    tiers.applied({"demo/a": None, "demo/c": b"3"}).promote()
    for name in TARGETS:
        demand_true(tiers, name)
        assert [file.path for file in published(tiers.remote(name))[FOLDER].files] == ["big", "c"]
    assert ops(tiers.promotion()) == []


def test_blocks_are_left_out_where_nobody_knows_them(tmp_path: Path) -> None:
    """The source has no manifest, and nothing is fetched for the blocks of what is copied inside;
    what passes through anyway has them."""
    for name, store in (("in", None), ("through", {n: Apart(n) for n in (SOURCE, *TARGETS)})):
        tiers = Tiers(tmp_path / name, store).applied(BOTH)
        tiers = tiers.under(manifest=True)
        tiers.promote(TARGETS[0])
        file = published(tiers.remote(TARGETS[0]))[FOLDER].by_path()["big"]
        assert bool(file.blocks) is (name == "through")


def test_a_moved_folder_has_one_manifest(tmp_path: Path) -> None:
    """In the target, of all that was moved, before that of the source goes; and what is done in the
    target later forgets nothing of it."""
    tiers = both(tmp_path)
    for key in BOTH:
        tiers.remove(key)
    target = TARGETS[0]
    plan = tiers.promote(target, name=FOLDER, move=True)
    assert [item.reason for item in plan.actions if item.op is Op.PUBLISH] == ["manifest"]
    assert KEY not in tiers.remote(SOURCE)
    demand_true(tiers, target)
    assert len(published(tiers.remote(target))[FOLDER].files) == 2
    assert ops(tiers.promotion(target, name=FOLDER, move=True)) == []
    assert ops(tiers.plan([SOURCE])) == []
    tiers.applied({"demo/new": b"4"})
    tiers.promote(target, name=FOLDER)
    demand_true(tiers, target)
    found = published(tiers.remote(target))[FOLDER]
    assert ([file.path for file in found.files], found.generation) == (["a", "big", "new"], 2)


def test_a_folder_moves_out_of_a_bucket_with_manifests_alone(tmp_path: Path) -> None:
    """The target has none: that of the source goes all the same."""
    tiers = both(tmp_path)
    for key in BOTH:
        tiers.remove(key)
    config = dict(tiers.config.buckets)
    twin = tiers.under(manifest=False)
    twin.config = dataclasses.replace(
        twin.config, buckets={**twin.config.buckets, SOURCE: config[SOURCE]}
    )
    twin.promote(TARGETS[0], name=FOLDER, move=True)
    assert not any(manifest.is_manifest(key) for n in (SOURCE, *TARGETS) for key in twin.remote(n))
    assert ops(twin.promotion(TARGETS[0], name=FOLDER, move=True)) == []


@examples(25)
@given(pasts, st.booleans(), st.integers(0, 9), st.sampled_from(["before", "after"]))
@pytest.mark.promise("INV-24")
def test_a_cut_promotion_ends_with_true_manifests(
    past: Past, move: bool, step: int, where: str
) -> None:
    """Of two targets, or of a folder that moves."""
    with cut_tiers(past, move, step, where, manifest=True) as (tiers, plan):
        assert not tiers.apply(plan).failed
        for name in TARGETS[: 1 if move else 2]:
            if published(tiers.remote(name)):
                demand_true(tiers, name)
        if move:
            left = [key for key in tiers.remote(SOURCE) if key.startswith(f"{FOLDER}/")]
            assert KEY not in left
