"""What a backtest says: counts, and the files that hold them."""
