"""Bunny's Core API: purging, pull zones, storage zones."""

from __future__ import annotations

import json
import random
import re
import secrets
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from tests.servers.bunny_zone import Switches, Zone


@dataclass
class Core:
    """One account: its key, its pull zones by id, and what was purged.

    `purged` holds URLs and, for whole zones, their ids. `spent` counts purges against the burst
    limits, which are never refilled by themselves: a test clears it. `asked` are requests by method
    and first segment of their path, `failed` those that failed on purpose. `cached` is what the
    caches of the first pull zone hold, by URL without scheme and host.
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
    failed: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(12))

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
        }


class CoreHandler(BaseHTTPRequestHandler):
    """The Core API as far as buckia uses it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    core: Core

    def answer(self) -> None:
        """One request."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
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
            case "GET", ["storagezone", number] if int(number) in self.core.storage_zones:
                return self.reply(200, self.storage_zone(int(number)))
        return self.fail(404, "not_found")

    do_GET = do_POST = answer  # noqa: N815

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

    def storage_zone(self, number: int) -> dict[str, Any]:
        """A storage zone with its passwords left out."""
        linked = [self.core.pull_zone(n) for n in self.core.pull_zones]
        return {"Id": number, "Name": self.core.storage_zones[number], "PullZones": linked}

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
