"""The settings of a Bunny storage zone and of the pull zone in front of it, by the Core API.

Nothing there is conditional. Each setting is one request, so that none is ever half set: all fields
of a zone that are declared, or one edge rule. The answers hold keys and passwords too; only the
fields that `buckia.settings` knows are taken out of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from buckia.errors import NotFoundError, StoreError, UnavailableError
from buckia.model import Value
from buckia.settings.bunny import BUNNY
from buckia.stores.bunny_cdn import Cdn
from buckia.stores.bunny_core import BORDER, BunnyCore
from buckia.stores.settling import demand_expected, demand_kept

_RULES: Final = "edge_rules/"
_STORAGE: Final = "storage_zone"

Answer = dict[str, Any]


class BunnySettings:
    """The settings of one storage zone. Making it asks nothing."""

    def __init__(self, cdn: Cdn, zone: str) -> None:
        self._cdn = cdn
        self._zone = zone
        self._storage_id: int | None = None

    def names(self) -> tuple[str, ...]:
        """The zones, and every edge rule of the pull zone by its description."""
        if self._cdn.site is None:
            return (_STORAGE,)
        rules = _rules(self._ask(self._pull_zone))
        described = dict.fromkeys(str(rule.get("Description") or "") for rule in rules)
        return ("pull_zone", *(f"{_RULES}{name}" for name in described if name), _STORAGE)

    def read(self, wanted: Mapping[str, Value | None]) -> dict[str, Value | StoreError | None]:
        """What each setting is now, with one request a zone."""
        told: dict[bool, Answer | StoreError] = {}
        found: dict[str, Value | StoreError | None] = {}
        for name, part in wanted.items():
            stored = name == _STORAGE
            if stored not in told:
                told[stored] = self._look(stored=stored)
            answer = told[stored]
            try:
                found[name] = (
                    answer if isinstance(answer, StoreError) else self._told(name, answer, part)
                )
            except StoreError as problem:
                found[name] = problem
        return found

    def configure(self, name: str, document: Value | None, *, expect: Value | None) -> None:
        """Set a setting. Looked at right before every attempt: an edge rule whose answer was lost
        would come twice."""
        place = self._place(name)
        part = expect if document is None else document

        def swap() -> Value | None:
            answer = self._storage_zone() if name == _STORAGE else self._pull_zone()
            now = self._told(name, answer, part)
            if now != document:
                demand_expected(now, expect, place)
                self._set(name, document, answer)
            return now

        now = BORDER.persist(swap, place)
        self._cdn.forget()
        if now != document:
            demand_kept(lambda: self._now(name, part), document, now, place)

    def _now(self, name: str, part: Value | None) -> Value | None:
        look = self._storage_zone if name == _STORAGE else self._pull_zone
        return self._told(name, BORDER.persist(look, self._place(name)), part)

    def _look(self, *, stored: bool) -> Answer | StoreError:
        """A zone, or why it cannot be told."""
        try:
            return self._ask(self._storage_zone if stored else self._pull_zone)
        except (NotFoundError, UnavailableError):
            raise
        except StoreError as problem:
            return problem

    def _ask(self, look: Any) -> Answer:
        answer: Answer = BORDER.persist(look, f"the settings of bunny://{self._zone}")
        return answer

    def _pull_zone(self) -> Answer:
        number = self._pull_id
        return _answer(self._core.once("GET", f"pullzone/{number}"))

    def _storage_zone(self) -> Answer:
        if self._storage_id is None:
            self._storage_id = self._core.storage_zone(self._zone)
        return _answer(self._core.once("GET", f"storagezone/{self._storage_id}"))

    def _told(self, name: str, answer: Answer, part: Value | None) -> Value | None:
        if name.startswith(_RULES):
            rule = self._rule(name, answer)
            return None if rule is None else BUNNY["edge_rules"].read(rule)
        document = BUNNY[name].read(answer)
        if isinstance(part, dict) and isinstance(document, dict):
            return {field: document[field] for field in part if field in document}
        return document

    def _rule(self, name: str, answer: Answer) -> Answer | None:
        """The edge rule of that description."""
        wanted = name.removeprefix(_RULES)
        found = [rule for rule in _rules(answer) if rule.get("Description") == wanted]
        if len(found) > 1:
            raise StoreError(
                f"{self._place(name)}: {len(found)} edge rules have this description; change it in "
                "all but one of them at Bunny"
            )
        return found[0] if found else None

    def _set(self, name: str, document: Value | None, answer: Answer) -> None:
        if not name.startswith(_RULES):
            stored = name == _STORAGE
            path = f"storagezone/{self._storage_id}" if stored else f"pullzone/{self._pull_id}"
            self._core.once("POST", path, BUNNY[name].write(document))
            return
        old = self._rule(name, answer) or {}
        rules = f"pullzone/{self._pull_id}/edgerules"
        if document is None:
            self._core.once("DELETE", f"{rules}/{old['Guid']}")
            return
        told: Answer = {"Description": name.removeprefix(_RULES)}
        told |= {field: old[field] for field in ("Guid", "OrderIndex") if field in old}
        told |= BUNNY["edge_rules"].write(document)
        self._core.once("POST", f"{rules}/addOrUpdate", told)

    @property
    def _core(self) -> BunnyCore:
        return self._cdn.account("a setting of Bunny")

    @property
    def _pull_id(self) -> int:
        return self._cdn.zone("a setting of a pull zone").id

    def _place(self, name: str) -> str:
        return f"the setting `{name}` of bunny://{self._zone}"


def _answer(body: bytes) -> Answer:
    try:
        return msgspec.json.decode(body, type=Answer)
    except (msgspec.MsgspecError, UnicodeError):
        raise StoreError("the answer about settings is not Bunny's; check proxies") from None


def _rules(answer: Answer) -> list[Answer]:
    """Its edge rules; Bunny's own clients spell the field in two ways."""
    return answer.get("EdgeRules") or answer.get("Edgerules") or []
