"""The page of the sandbox: what it shows, and what an EHR does before it calls."""
