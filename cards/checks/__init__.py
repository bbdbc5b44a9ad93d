"""Everything that `cds-service check` says, by file and line."""
