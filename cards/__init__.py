"""Clinical knowledge: given a record, the orders and a date, which cards. The law is in README.md beside this file."""
