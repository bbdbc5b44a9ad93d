"""Clinical knowledge: given a record, the orders and a date, which cards. README.md has its rules."""
