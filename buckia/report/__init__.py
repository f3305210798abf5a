"""A plan for whoever reviews it: one page, drawn in a terminal, as Markdown or as HTML. Pure.

`page_of` makes the page from the plan alone, and every view draws that page.
"""

from __future__ import annotations

from buckia.report.page import Page as Page
from buckia.report.reading import page_of as page_of
from buckia.report.verdict import line as line
