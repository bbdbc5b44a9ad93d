"""`cds-service call`: plays the client of a CDS service, ours or any other."""
