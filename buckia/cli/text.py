"""The words of `buckia.text`, as the command line has always named them."""

from __future__ import annotations

from buckia.text import count_of as count_of
from buckia.text import digest as digest
from buckia.text import name as name
from buckia.text import seconds as seconds
from buckia.text import size as size
from buckia.text import visible as visible
