"""Settings of buckets as a plan changes them, on the screen. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from buckia import settings
from buckia.cli import text
from buckia.model import Action

_STYLES = {"+": "green", "-": "red"}


def group(actions: Sequence[Action]) -> RenderableType:
    """Each setting with the lines that go and come. What is shown is made from the documents that
    apply will use, not from what the plan says of them."""
    count = text.count_of(len(actions), "setting")
    parts: list[Text] = [Text.assemble("  ", ("configure", "cyan"), (f"  {count}", "dim"))]
    for action in actions:
        told = action.setting
        now, then = (told.now, told.then) if told else (None, None)
        sign = "+" if now is None else "-" if then is None else "~"
        parts.append(Text(f"    {sign}  {text.name(action.key)}", no_wrap=True, overflow="ignore"))
        for line in settings.differences(action.key, now, then):
            style = _STYLES.get(line[:1], "dim")
            parts.append(Text(f"       {text.visible(line)}", style))
    return Group(*parts)
