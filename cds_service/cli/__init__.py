"""The command `cds-service`."""
