"""`cds-service report`: what happened to the cards, for the committee that answers for them (docs/report.md)."""
