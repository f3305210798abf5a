"""Whether the tests notice when the code is broken on purpose. See `__main__`."""
