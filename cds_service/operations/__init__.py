"""Health, metrics, traces and housekeeping."""
