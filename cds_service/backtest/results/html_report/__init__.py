"""report.html: the numbers of a backtest for a committee, in one file that needs no network."""
