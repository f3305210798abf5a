"""Bytes on their way: taken, counted, stopped, proved as they pass, and read by several at once."""
