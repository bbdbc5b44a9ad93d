"""What is logged of each call."""
