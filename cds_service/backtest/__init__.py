"""What the service would have answered to past orders, from a FHIR Bulk Data export (docs/backtest.md)."""
