"""The database: schema, migrations, SQLite and PostgreSQL, the ledger, retention."""
