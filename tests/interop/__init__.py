"""The service with other software; `make interop` runs it, `make test` does not."""
