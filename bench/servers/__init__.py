"""Servers that could run this application, measured beside each other: `python -m bench.servers` (ADR 14)."""
