"""A node under half of its load for a long time: does its memory stay flat, is every card recorded? `make soak`."""
