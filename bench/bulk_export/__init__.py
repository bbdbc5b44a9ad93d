"""Writes a generated FHIR Bulk Data export of one hospital and one year, for `cds-service backtest` (README.md)."""
