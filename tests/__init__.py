"""Behavior through the real application; the network edge and the clock are the only fakes."""
