"""Folder ids: new ones cannot be guessed, and what could be is told."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia.ids import LENGTH, guessable, new_id


def test_new_ids_have_at_least_128_bits_and_are_all_different() -> None:
    made = [new_id() for _ in range(2_000)]
    assert LENGTH * math.log2(62) >= 128
    assert len(set(made)) == len(made)
    assert all(len(one) == LENGTH and one.isascii() and one.isalnum() for one in made)
    assert all(guessable(one) is None for one in made)
    places = [{one[at] for one in made} for at in range(LENGTH)]
    assert all(len(seen) == 62 for seen in places)  # each character is free at each place


@given(
    data=st.uuids(version=4)
    | st.text(
        alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        min_size=22,
        max_size=30,
    ).filter(lambda t: len(set(t)) > 14)
)
def test_random_ids_are_not_called_guessable(data: object) -> None:
    assert guessable(str(data)) is None


@pytest.mark.parametrize(
    ("weak", "why"),
    [
        ("demo", "is short (4 characters)"),
        ("20261125202611252026", "is a number"),
        ("aaaaaaaaaaaaaaaaaaaaaa", "repeats itself"),
        ("abcdefghijklmnopqrstuv", "is a sequence"),
        ("CustomerDemoFolderOne", "is made of words"),
    ],
)
def test_what_could_be_guessed_is_told(weak: str, why: str) -> None:
    assert guessable(weak) == why
