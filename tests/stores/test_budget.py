"""How many requests may be under way at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from buckia.stores.budget import Budget, Window


def test_a_window_halves_once_for_those_that_were_under_way_together() -> None:
    """They complain about the same crowd."""
    window = Window(8, 8).after(0, crowded=True)
    assert (window.limit, window.era) == (4, 1)
    assert window.after(0, crowded=True).limit == 4
    assert window.after(1, crowded=True).limit == 2


def test_a_window_grows_by_one_after_as_many_good_answers_as_it_allows() -> None:
    """And never beyond its most."""
    window = Window(2, 8)
    grown = []
    for _ in range(2 + 3 + 4 + 5 + 6 + 7 + 8):
        window = window.after(0, crowded=False)
        grown.append(window.limit)
    assert grown[:5] == [2, 3, 3, 3, 4]
    assert grown[-9:] == [8] * 9


def test_a_complaint_starts_the_round_anew() -> None:
    """Also one that halves nothing: there is no growing while the service complains."""
    window = Window(4, 8, well=3, era=1)
    assert window.after(0, crowded=True).well == 0
    assert window.after(1, crowded=True).well == 0


@given(some.integers(1, 64), some.lists(some.tuples(some.integers(0, 3), some.booleans())))
def test_a_window_stays_between_one_and_its_most(
    most: int, answers: list[tuple[int, bool]]
) -> None:
    """Whatever comes, it moves by one upwards or by half downwards."""
    window = Window(most, most)
    for late, crowded in answers:
        before = window
        window = window.after(max(0, window.era - late), crowded=crowded)
        assert 1 <= window.limit <= most
        assert window.limit in (before.limit, before.limit + 1, max(1, before.limit // 2))
        assert crowded or window.limit >= before.limit


def test_a_budget_gives_a_place_back() -> None:
    """One at a time is the least."""
    budget = Budget(1)
    for _ in range(3):
        budget.leave(budget.enter(), crowded=True)
    assert budget.window.limit == 1
    with pytest.raises(AttributeError):
        budget.window.limit = 2  # type: ignore[misc]
