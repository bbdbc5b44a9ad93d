"""Writes a made-up FHIR Bulk Data export of one hospital and one year, for `cds-service backtest` (README.md)."""
