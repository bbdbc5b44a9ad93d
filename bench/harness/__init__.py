"""What the benches share: servers, clients, request bodies, figures and their tables."""
