"""The sandbox of the development profile."""
