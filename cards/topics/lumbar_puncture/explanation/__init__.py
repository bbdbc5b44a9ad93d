"""Why each card came or did not."""
