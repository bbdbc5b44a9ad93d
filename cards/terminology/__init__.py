"""Code systems, value sets, the words for them, and a site's own codes."""
