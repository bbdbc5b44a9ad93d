"""Whatever a call or a FHIR server says, only the FHIR server of the call is contacted, and the call is answered.

Through the whole application, over real sockets. Beside the FHIR server stands a canary, which nobody may contact; and
no name but that of the FHIR server may be looked up. R-2.26, R-2.27, R-3.13, R-6.17; design.md 6.
"""
