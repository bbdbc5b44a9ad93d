"""Content files: loading them and the shapes they have."""
