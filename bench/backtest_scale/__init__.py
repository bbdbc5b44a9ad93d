"""What a backtest of many patients costs, and whether its digest is the same however it is run."""
