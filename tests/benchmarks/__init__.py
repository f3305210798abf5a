"""buckia and its peers on the same work, measured side by side: `make bench`.

One scenario: `make bench SCENARIO=upload-small`. A short look at all: `make bench SMALL=1`. What it
writes is in `docs/benchmarks/`.
"""
