"""The service beside parts that were not written here; `make interop` runs it, `make test` does not."""
