"""Bunny's Core API: purging, pull zones, storage zones."""

from __future__ import annotations

import json
import random
import re
import secrets
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from tests.servers.bunny_zone import Switches, Zone

ZONE_SECURITY_KEY = "zone-security-key-1b9f"
PASSWORD = "storage-password-77c2"
"""Secrets that are in answers about settings, and belong nowhere else."""


@dataclass
class Core:
    """One account: its key, its pull zones by id, and what was purged.

    `purged` holds URLs and, for whole zones, their ids. `spent` counts purges against the burst
    limits, which are never refilled by themselves: a test clears it. `asked` are requests by method
    and first segment of their path, `failed` those that failed on purpose. `cached` is what the
    caches of the first pull zone hold, by URL without scheme and host. `fields` are what was set of
    zones, by the path of the zone, `rules` the edge rules of pull zones; the answers to so many
    changes of them as `lost_answers` says are lost.
    """

    endpoint: str = ""
    account_key: str = field(default_factory=lambda: secrets.token_hex(32))
    switches: Switches = field(default_factory=Switches)
    pull_zones: dict[int, str] = field(default_factory=lambda: {77: "acme-cdn"})
    storage_zones: dict[int, str] = field(default_factory=lambda: {1: "acme"})
    purged: list[str] = field(default_factory=list)
    spent: Counter[str] = field(default_factory=Counter)
    cached: dict[str, bytes] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    failed: int = 0
    lost_answers: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(12))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def visit(self, zone: Zone) -> None:
        """Everybody looks at all there is in a storage zone, which is cached from now on."""
        self.cached = {quote(path): blob.data for path, blob in zone.files.items()}

    def stale(self, zone: Zone) -> set[str]:
        """The URLs of which visitors get something else than the storage zone holds."""
        held = {quote(path): blob.data for path, blob in zone.files.items()}
        return {path for path, data in self.cached.items() if held.get(path) != data}

    def drop(self, url: str) -> None:
        """Forget a URL, or all that begin like it; hosts are not told apart."""
        path = url.split("/", 3)[3]
        begin = path.partition("*")[0] if "*" in path or path.endswith("/") else None
        with self.lock:
            self.cached = {
                name: data
                for name, data in self.cached.items()
                if name != path and (begin is None or not name.startswith(begin))
            }

    def pull_zone(self, number: int) -> dict[str, Any]:
        """A pull zone in front of the first storage zone."""
        name = self.pull_zones[number]
        host = {"Id": number, "Value": f"{name}.b-cdn.net", "IsSystemHostname": True}
        own = {"Id": number + 1, "Value": f"{name}.example.org", "IsSystemHostname": False}
        return {
            "Id": number,
            "Name": name,
            "Hostnames": [host, own],
            "StorageZoneId": 1,
            "IgnoreQueryStrings": not self.switches.vary_queries,
            "EnableHostnameVary": self.switches.vary_hosts,
            "CacheControlMaxAgeOverride": 2592000,
            "EnableLogging": True,
            "BlockedIps": [],
            "ZoneSecurityKey": ZONE_SECURITY_KEY,
            **self.fields.get(f"pullzone/{number}", {}),
            "EdgeRules": sorted(self.rules.get(number, []), key=lambda rule: rule["OrderIndex"]),
        }

    def storage_zone(self, number: int) -> dict[str, Any]:
        """A storage zone, its password and all."""
        return {
            "Id": number,
            "Name": self.storage_zones[number],
            "Password": PASSWORD,
            "Rewrite404To200": False,
            "Custom404FilePath": None,
            **self.fields.get(f"storagezone/{number}", {}),
            "PullZones": [self.pull_zone(number) for number in self.pull_zones],
        }

    def set_rule(self, number: int, told: dict[str, Any]) -> bool:
        """Add an edge rule, or with a `Guid` change the one of that; whether there is such a one.

        What is left out of a change stays as it was.
        """
        rules = self.rules.setdefault(number, [])
        if not told.get("Guid"):
            order = max((rule["OrderIndex"] for rule in rules), default=-1) + 1
            plain = {"Enabled": True, "OrderIndex": order, "ActionParameter1": None}
            rules.append({**plain, **told, "Guid": secrets.token_hex(16)})
            return True
        for rule in rules:
            if rule["Guid"] == told["Guid"]:
                rule |= told
                return True
        return False


class CoreHandler(BaseHTTPRequestHandler):
    """The Core API as far as buckia uses it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    core: Core

    def answer(self) -> None:
        """One request."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if self.headers.get("AccessKey") != self.core.account_key:
            return self.reply(401, {"Message": "Authorization has been denied for this request."})
        if self.core.dice.random() < self.core.switches.faults:
            self.core.failed += 1
            return self.fail(self.core.dice.choice((500, 503, 429)), "on.purpose")
        self.core.asked[f"{self.command} {url.path.split('/')[1]}"] += 1
        match self.command, url.path.strip("/").split("/"):
            case "POST", ["purge"]:
                return self.purge(query.get("url", ""))
            case "POST", ["pullzone", number, "purgeCache"]:
                return self.purge_zone(int(number))
            case "GET", ["pullzone"]:
                return self.list_pull_zones(query)
            case "GET", ["pullzone", number] if int(number) in self.core.pull_zones:
                return self.reply(200, self.core.pull_zone(int(number)))
            case "GET", ["storagezone"]:
                return self.list_storage_zones(query)
            case "GET", ["storagezone", number] if int(number) in self.core.storage_zones:
                return self.reply(200, self.core.storage_zone(int(number)))
        return self.change(url.path.strip("/").split("/"), body)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815

    def change(self, parts: list[str], body: bytes) -> None:
        """A setting of a zone."""
        told = json.loads(body) if body else {}
        match self.command, parts:
            case "POST", ["pullzone", number] if int(number) in self.core.pull_zones:
                self.core.fields.setdefault("/".join(parts), {}).update(told)
                return self.reply(200, self.core.pull_zone(int(number)))
            case "POST", ["storagezone", number] if int(number) in self.core.storage_zones:
                self.core.fields.setdefault("/".join(parts), {}).update(told)
                return self.reply(204, None)
            case "POST", ["pullzone", number, "edgerules", "addOrUpdate"]:
                if not self.core.set_rule(int(number), told):
                    return self.fail(404, "edgeRule.not_found")
                if self.core.lost_answers:
                    self.core.lost_answers -= 1
                    return self.fail(503, "on.purpose")
                return self.reply(201, None)
            case "DELETE", ["pullzone", number, "edgerules", guid]:
                rules = self.core.rules.get(int(number), [])
                left = [rule for rule in rules if rule["Guid"] != guid]
                self.core.rules[int(number)] = left
                return self.reply(204, None) if len(left) < len(rules) else self.fail(404, "none")
        return self.fail(404, "not_found")

    def list_storage_zones(self, query: dict[str, str]) -> None:
        """The storage zones whose name holds a text."""
        zones = [
            self.core.storage_zone(number)
            for number, name in self.core.storage_zones.items()
            if query.get("search", "") in name
        ]
        if self.core.switches.bare_zones:
            return self.reply(200, zones)
        return self.reply(200, {"Items": zones, "CurrentPage": 1, "HasMoreItems": False})

    def purge(self, url: str) -> None:
        """One URL, or all below it."""
        kind = "prefix" if "*" in url or url.endswith("/") else "exact"
        most = self.core.switches.purges, self.core.switches.prefix_purges
        if not re.match(r"https?://[^/]+/", url):
            return self.fail(400, "purge.invalid_url")
        self.core.spent[kind] += 1
        if self.core.switches.limits and self.core.spent[kind] > most[kind == "prefix"]:
            return self.fail(429, "purge.too_many")
        self.core.purged.append(url)
        self.core.drop(url)
        return self.reply(200, None)

    def purge_zone(self, number: int) -> None:
        """A whole pull zone. The id of a storage zone gets the answer to a wrong key."""
        if number in self.core.storage_zones:
            return self.fail(401, "unauthorized")
        if number not in self.core.pull_zones:
            return self.fail(404, "pullZone.not_found")
        self.core.purged.append(str(number))
        self.core.cached.clear()
        return self.reply(204, None)

    def list_pull_zones(self, query: dict[str, str]) -> None:
        """Pages of pull zones; without a page, older accounts get a bare array."""
        zones = [
            self.core.pull_zone(number)
            for number, name in self.core.pull_zones.items()
            if query.get("search", "") in name
        ]
        if self.core.switches.bare_zones:
            return self.reply(200, zones)
        page, size = max(1, int(query.get("page", 0))), int(query.get("perPage", 1000))
        part = zones[(page - 1) * size : page * size]
        more = page * size < len(zones)
        told = {"Items": part, "CurrentPage": page, "TotalItems": len(zones), "HasMoreItems": more}
        return self.reply(200, told)

    def fail(self, status: int, key: str) -> None:
        """An error in the Core API's form."""
        self.reply(status, {"ErrorKey": key, "Field": "", "Message": key})

    def reply(self, status: int, told: Any) -> None:
        """An answer in JSON."""
        body = b"" if told is None else json.dumps(told).encode()
        self.send_response(status)
        if status == 429 and self.core.switches.retry_after:
            self.send_header("Retry-After", self.core.switches.retry_after)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def core_handler(core: Core) -> type[CoreHandler]:
    """A handler of one account's requests."""
    return type("Handler", (CoreHandler,), {"core": core})
