"""From findings to the words of a card, and where they come from."""
