"""The protocol: discovery, one call from bytes to bytes, feedback, explain."""
