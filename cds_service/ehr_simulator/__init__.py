"""`cds-service call`: plays the EHR."""
