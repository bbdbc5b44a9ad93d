"""Two nodes of the service behind a real nginx, one PostgreSQL behind them: killed, restarted, upgraded under load."""
