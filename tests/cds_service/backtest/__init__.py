"""Tests of cds_service.backtest."""
