"""What the orders and the chart mean. No words of a card."""
