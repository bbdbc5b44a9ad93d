"""The cards of this topic, from an assessment."""
