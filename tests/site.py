"""What differs between the pages on GitHub and on the site; mkdocs.yml names this file as its hook.

The pages are written for GitHub. On the site a link out of docs/ leads into the repository, and the
file that a block stands for is its title.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any, Final

_CODE: Final = re.compile(r"^```.*?^```$", re.M | re.S)
_NAMED: Final = re.compile(r"^```(\w+) (\S+)$", re.M)
_LINK: Final = re.compile(r"(?<=\]\()(\.\./[^)#\s]+)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """A page as the site has it."""
    return for_site(markdown, page.file.src_uri, f"{config.extra['repository']}/blob/main")


def for_site(markdown: str, path: str, repository: str) -> str:
    """A page of docs/ at `path`, with links out of docs/ made links into the repository."""
    folder = posixpath.dirname(f"docs/{path}")

    def out(found: re.Match[str]) -> str:
        target = posixpath.normpath(f"{folder}/{found[1]}")
        return found[1] if target.startswith("docs/") else f"{repository}/{target}"

    parts, at = [], 0
    for block in _CODE.finditer(markdown):
        parts += [_LINK.sub(out, markdown[at : block.start()])]
        parts += [_NAMED.sub(r'```\1 title="\2"', block[0])]
        at = block.end()
    return "".join([*parts, _LINK.sub(out, markdown[at:])])
