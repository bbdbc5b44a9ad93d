"""What `python -m bench` measures: each module prints its tables and returns its aims."""
