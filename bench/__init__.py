"""What a hook call costs, measured side by side with a reference in the same run. Started by `make bench`."""
