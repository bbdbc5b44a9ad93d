"""What one call lets us know of one patient."""
