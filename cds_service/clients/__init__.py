"""Who calls: registered clients, their tokens and keys."""
