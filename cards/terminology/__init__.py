"""Code systems, value sets, and a site's own codes."""
