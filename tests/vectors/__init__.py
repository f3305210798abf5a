"""The test vectors of docs/app-clients.md: `python -m tests.vectors` writes them, `--check` says if
they are old.

What is expected stands here, by hand or by hashlib alone, so that buckia's own reader is held
against it as any other is.
"""
