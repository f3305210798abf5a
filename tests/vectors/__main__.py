"""`python -m tests.vectors [--check]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from tests.vectors.blocks import blocks
from tests.vectors.contents import Json
from tests.vectors.documents import documents
from tests.vectors.plans import plans

FOLDER: Final = Path(__file__).parent.parent.parent / "schemas" / "vectors"


def main(words: list[str]) -> int:
    """Write the vectors, or with `--check` say which are out of date; an exit code."""
    old = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
    for path in old:
        if words == ["--check"]:
            print(f"schemas/vectors/{path.name} is out of date: run `python -m tests.vectors`")
        else:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(pages()[path], encoding="utf-8")
            print(f"wrote schemas/vectors/{path.name}")
    return 1 if old and words == ["--check"] else 0


def pages() -> dict[Path, str]:
    """Every file as it should be."""
    made = {"blocks": blocks(), "documents": documents(), "plans": plans()}
    return {FOLDER / f"{name}.json": _render(name, body) for name, body in made.items()}


def _render(kind: str, body: Json) -> str:
    head = {"format": "buckia.vectors", "format_version": "1.0", "kind": kind}
    return json.dumps(head | body, indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
