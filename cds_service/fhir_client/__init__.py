"""What is read from the caller's FHIR server, and when it is not called."""
