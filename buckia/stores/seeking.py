"""What some stores are beside: such as can look at many keys in fewer steps than one for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from buckia.model import Entry


@runtime_checkable
class Seeking(Protocol):
    """A store that can look at many keys together."""

    def seek(
        self, prefix: str, keys: Sequence[str], known: Sequence[str]
    ) -> dict[str, Entry | None]:
        """What is at each of these keys below `prefix`, as a listing tells of it; None where
        nothing is. Raises what listings raise.

        A key that is better looked at alone is not in the answer, and nothing is said of it.
        `known` are keys that may be there: from them follows what lies together. Both ascend.
        """
