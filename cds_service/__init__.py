"""Everything with a plug in it: the CDS Hooks service around `cards`."""
