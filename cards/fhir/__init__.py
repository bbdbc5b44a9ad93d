"""Reading FHIR JSON of any version into slim structs, and writing what we author."""
