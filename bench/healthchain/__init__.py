"""What runs in HealthChain's own environment."""
