"""Reading the settings."""
