"""Runs a topic's vignettes."""
