"""From the files of an export to the orders that may be ours and the charts of their patients."""
