"""What is counted of the ledger's cards and calls, and the rates, intervals and questions of a committee over it."""
