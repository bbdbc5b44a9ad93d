"""The FHIR server of the sandbox: made-up patients, their stories, and as much of a server as they need."""
