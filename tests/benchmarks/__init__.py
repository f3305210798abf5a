"""buckia and its peers on the same work, measured side by side: `make bench`.

One scenario: `make bench SCENARIO=upload-small`. A short look at all: `make bench SMALL=1`.
How buckia's own cost grows: `make growth`. What both write is in `docs/benchmarks/`.
"""
