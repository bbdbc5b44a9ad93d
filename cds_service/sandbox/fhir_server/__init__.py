"""The FHIR server of the sandbox: fictional patients, their stories, and as much of a server as they need."""
