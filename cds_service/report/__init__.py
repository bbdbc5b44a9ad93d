"""`cds-service report`: what became of the cards, for the committee that answers for them (docs/report.md)."""
