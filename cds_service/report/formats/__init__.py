"""The report as a table, CSV, JSON or an HTML page with figures; the same words in each."""
