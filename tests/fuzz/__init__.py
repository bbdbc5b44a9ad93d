"""Thousands of generated calls; none may break the service. `python -m tests.fuzz`, and tests/test_fuzz.py."""
