"""What an examination finds, as values."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from buckia.errors import BuckiaError, StoreError

_UNREACHABLE = StoreError.exit_code


class State(StrEnum):
    """How one check ended.

    OK       as it should be
    NOTE     works, and could be better
    BAD      has to be mended
    UNTRIED  could not be found out, for a reason that another check tells
    """

    OK = "ok"
    NOTE = "note"
    BAD = "bad"
    UNTRIED = "untried"


class Check(Struct, frozen=True):
    """One thing that was looked at.

    told    what was found, for people
    advice  what to do about it
    value   what was found, for programs: a verdict, or seconds
    code    where it is bad, the exit code
    """

    name: str
    state: State
    told: str
    advice: str | None = None
    value: str | float | None = None
    code: int = 0


class Report(Struct, frozen=True):
    """All checks of one bucket, or of the project as a whole where `bucket` is None."""

    bucket: str | None
    provider: str = ""
    url: str = ""
    checks: tuple[Check, ...] = ()


def ok(name: str, told: str, value: str | float | None = None) -> Check:
    """As it should be."""
    return Check(name, State.OK, told, value=value)


def note(
    name: str, told: str, advice: str | None = None, value: str | float | None = None
) -> Check:
    """Works, and could be better."""
    return Check(name, State.NOTE, told, advice, value)


def bad(
    name: str,
    told: str,
    advice: str | None = None,
    value: str | float | None = None,
    code: int = BuckiaError.exit_code,
) -> Check:
    """Has to be mended."""
    return Check(name, State.BAD, told, advice, value, code)


def failed(name: str, problem: BuckiaError, advice: str | None = None) -> Check:
    """An error is what was found."""
    return bad(name, str(problem).partition("\n")[0], advice, code=problem.exit_code)


def exit_code(reports: Iterable[Report]) -> int:
    """0 where all is well, 8 where a bucket is out of reach or refuses, else that of the first
    thing to mend."""
    codes = [check.code for report in reports for check in report.checks if check.code]
    return _UNREACHABLE if _UNREACHABLE in codes else next(iter(codes), 0)
