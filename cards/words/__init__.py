"""What a text says: its concepts by the words of the lexicon, and what is said of them. It knows no code."""
