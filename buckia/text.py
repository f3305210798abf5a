"""Words, numbers and names as people read them. Pure, and free of what draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from buckia.model import Content, Entry

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")


def visible(text: str) -> str:
    """One line in which nothing is hidden: control and direction characters as `\\uXXXX`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def name(key: str) -> str:
    """A key or another foreign name, so that it can pass for no other one.

    Beside what `visible` escapes, a backslash is doubled, so that no name can spell an escape, and
    a space at either end is shown.
    """
    shown = visible(key.replace("\\", "\\\\"))
    if shown.startswith(" "):
        shown = _escape(" ") + shown[1:]
    if shown.endswith(" "):
        shown = shown[:-1] + _escape(" ")
    return shown


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def size(count: int) -> str:
    """A number of bytes: `12 bytes`, `4.2 MB`."""
    amount, unit = float(count), 0
    while amount >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    if unit == 0:
        return count_of(count, "byte")
    return f"{amount:.1f} {_UNITS[unit]}" if amount < 99.95 else f"{amount:.0f} {_UNITS[unit]}"


def count_of(count: int, one: str, many: str | None = None) -> str:
    """`1 file`, `1,204 files`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def seconds(elapsed: float) -> str:
    """`1.3 s`, `2 min 5 s`, `3 h 2 min`."""
    if elapsed < 60:
        return f"{elapsed:.1f} s"
    minutes, rest = divmod(round(elapsed), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def digest(content: Content | Entry) -> str:
    """Enough of a digest to tell two contents apart by eye."""
    known = content.logical or content.sha256 or content.md5 or content.sha1
    return name(known.rpartition(":")[2][:8]) if known else "no digest"
